"""p(z|y) by a network: its density, rate and draws by closed forms, and what it refuses."""

import keras
import numpy as np
import pytest
import scipy.special
import scipy.stats
import tensorflow as tf

import tfvae
from tests.conftest import largest_difference, matches
from tests.support.arguments import covers
from tests.support.noise import stream
from tfvae import evaluation, flows, likelihoods, objectives, posteriors, priors, regularizers

D, CLASSES, COMPONENTS = 2, 3, 2
Y = np.array([0, 2, 1, 2, 0])
RNG = np.random.default_rng(0)
TABLE = RNG.normal(size=(CLASSES, 2 * D)).astype(np.float32)
OF_MIXTURE = RNG.normal(size=(CLASSES, COMPONENTS * (1 + 2 * D))).astype(np.float32)


def table(values):
    """The network that looks up the row of a label."""
    network = keras.Sequential(
        [keras.Input((), dtype="int32"), keras.layers.Embedding(*values.shape)]
    )
    network.set_weights([values])
    return network


def linear(outputs, inputs=(2,), dtype=None):
    return keras.Sequential([keras.Input(inputs, dtype=dtype), keras.layers.Dense(outputs)])


def built(prior, latent_dim=D):
    prior.build_once(latent_dim)
    return prior


def loc_scale(params):
    loc, raw = np.split(params.astype(np.float64), 2, axis=-1)
    return loc, np.log1p(np.exp(raw)) + 1e-6


def made(prior, condition=CLASSES, **kwargs):
    options = {"likelihood": likelihoods.Normal(), "seed": 1, **kwargs}
    return tfvae.mlp_vae((4,), D, (5,), condition=condition, prior=prior, **options)


def log_mixture(z, y):
    """Of z `[..., B, D]` given labels `[B]`."""
    logits, params = np.split(OF_MIXTURE[y].astype(np.float64), [COMPONENTS], axis=1)
    loc, scale = loc_scale(params.reshape(len(y), COMPONENTS, 2 * D))
    each = scipy.stats.norm(loc, scale).logpdf(z[..., None, :]).sum(-1)
    return scipy.special.logsumexp(scipy.special.log_softmax(logits, axis=1) + each, axis=-1)


@covers(priors.Conditional, "network", "num_components")
def test_its_density_is_that_of_the_row_of_each_label():
    z = RNG.normal(size=(4, len(Y), D)).astype(np.float32)
    found = built(priors.Conditional(table(TABLE))).distribution(Y).log_prob(z)
    expected = scipy.stats.norm(*loc_scale(TABLE[Y])).logpdf(z).sum(-1)
    assert largest_difference(found, expected) < 1e-4
    found = built(priors.Conditional(table(OF_MIXTURE), None, COMPONENTS)).distribution(Y)
    assert largest_difference(found.log_prob(z), log_mixture(z, Y)) < 1e-4


@covers(priors.Conditional, "family")
@pytest.mark.parametrize(
    "family",
    [posteriors.FullNormal(), posteriors.VonMisesFisher(), posteriors.Categorical()],
)
def test_it_is_the_distribution_of_its_family_at_the_networks_output(family):
    size = family.params_size(3)
    prior = built(priors.Conditional(table(TABLE[:, :1] * np.ones(size, np.float32)), family), 3)
    assert prior.support == family.support
    params = tf.constant(TABLE[Y, :1] * np.ones(size, np.float32))
    z = family.sample(params, stream(len(Y)))
    assert np.array_equal(prior.sample(stream(len(Y)), Y), z)
    expected = family.distribution(params).log_prob(z)
    assert largest_difference(prior.distribution(Y).log_prob(z), expected) < 1e-6


def test_its_draws_are_those_of_the_row_of_each_label():
    """Also of each component's share, by a chi-squared test at a level of 0.001."""
    rows = 4000
    y = np.resize(np.arange(CLASSES), rows)
    z = built(priors.Conditional(table(TABLE))).sample(stream(rows), y).numpy()
    loc, scale = loc_scale(TABLE[y])
    assert largest_difference(z, loc + scale * stream(rows).normal(D).numpy()) < 1e-5

    apart = OF_MIXTURE.copy()
    apart[:, COMPONENTS::D] = np.float32([-50, 0, 50, 0])[None]  # loc and scale of each component
    z = built(priors.Conditional(table(apart), None, COMPONENTS)).sample(stream(rows), y).numpy()
    for label in range(CLASSES):
        found = np.bincount((z[y == label, 0] > 0).astype(int), minlength=COMPONENTS)
        expected = found.sum() * scipy.special.softmax(apart[label, :COMPONENTS].astype(np.float64))
        assert scipy.stats.chisquare(found, expected).pvalue > 1e-3


def test_the_rate_is_the_closed_form_and_free_bits_see_each_latent():
    vae = made(priors.Conditional(table(TABLE)), objective=objectives.ELBO(free_bits=0.3))
    x = RNG.normal(size=(len(Y), 4)).astype(np.float32)
    mean, sd = loc_scale(vae.encoder([x, Y]).numpy())
    loc, scale = loc_scale(TABLE[Y])
    rate = np.log(scale / sd) + (sd**2 + (mean - loc) ** 2) / (2 * scale**2) - 0.5  # [B, D]
    terms = vae.terms(x, 2, seed=0, y=Y)
    assert largest_difference(terms.analytic_rate, rate.sum(1)) < 1e-4
    free = vae.objective(terms) - terms.distortion
    assert largest_difference(free, np.maximum(rate.mean(0), 0.3).sum()) < 1e-4
    assert made(priors.Conditional(table(OF_MIXTURE), None, COMPONENTS)).terms(
        x, 2, seed=0, y=Y
    ).analytic_rate is None  # fmt: skip
    with pytest.raises(ValueError, match=matches("independent", "Conditional")):
        pieces = {"objective": objectives.ELBO(free_bits=0.3)}
        made(priors.Conditional(table(OF_MIXTURE), None, COMPONENTS), **pieces)


def test_the_likelihood_of_a_linear_model_is_that_of_its_joint_gaussian():
    """p(x|y) = N(W loc_y + b, W diag(scale_y^2) W' + sigma^2 I)."""
    x, y = keras.Input((4,)), keras.Input((), dtype="int32")
    nothing = 0.0 * keras.ops.cast(y, "float32")[:, None]  # Keras 3.12 wants each input used
    encoder = keras.Model([x, y], keras.layers.Dense(2 * D)(x) + nothing)
    encoder.set_weights([np.zeros((4, 2 * D)), np.array([0.0] * D + [2.0] * D)])  # q is wide
    z, y = keras.Input((D,)), keras.Input((), dtype="int32")
    nothing = 0.0 * keras.ops.cast(y, "float32")[:, None]
    decoder = keras.Model([z, y], keras.layers.Dense(4)(z) + nothing)
    sigma, prior = 1.5, priors.Conditional(table(TABLE))
    vae = tfvae.VAE(encoder, decoder, prior=prior, likelihood=likelihoods.Normal(sigma), seed=0)
    kernel, bias = decoder.get_weights()
    loc, scale = loc_scale(TABLE[Y])
    data = np.random.default_rng(2).normal(size=(len(Y), 4)).astype(np.float32)
    expected = [
        scipy.stats.multivariate_normal(
            m @ kernel + bias, kernel.T @ np.diag(s**2) @ kernel + sigma**2 * np.eye(4)
        ).logpdf(row)
        for m, s, row in zip(loc, scale, data)
    ]
    found = evaluation.log_likelihood(vae, data, 40_000, y=Y)
    assert largest_difference(found, expected) < 0.05  # another y changes it by 0.25


def test_samples_follow_their_rows_over_pages():
    vae = made(priors.Conditional(linear(2 * D)), (2,))
    y = np.random.default_rng(4).normal(size=(300, 2)).astype(np.float32)
    loc, scale = loc_scale(vae.prior.network(y).numpy())
    noise = made(None, (2,)).sample_latent(300, seed=5, y=y, start=3).numpy()
    found = vae.sample_latent(300, seed=5, y=y, start=3)
    assert largest_difference(found, loc + scale * noise) < 1e-5


@pytest.mark.parametrize("count", [1, COMPONENTS])
def test_the_bound_and_a_discrepancy_train_the_network(count):
    for objective in (None, objectives.ELBO(beta=0.0) + 10.0 * regularizers.MMD()):
        outputs = 2 * D if count == 1 else count * (1 + 2 * D)
        prior = priors.Conditional(linear(outputs), num_components=count)
        vae = made(prior, (2,), objective=objective)
        vae.compile(keras.optimizers.SGD(0.1), run_eagerly=True)
        before = prior.network.get_weights()
        vae.fit(RNG.normal(size=(6, 4)), RNG.normal(size=(6, 2)), verbose=0)
        change = [abs(a - b) for a, b in zip(prior.network.get_weights(), before)]
        assert min(part.max(axis=0).min() for part in change) > 1e-7  # of every output


def test_it_is_a_base_of_flows_and_a_top_of_hierarchies():
    flow = built(priors.Flow(flows.Planar(2), priors.Conditional(table(TABLE))))
    z = flow.sample(stream(len(Y)), Y)
    base, log_det = flow.flow.inverse(z)
    expected = scipy.stats.norm(*loc_scale(TABLE[Y])).logpdf(base).sum(-1) + log_det
    assert largest_difference(flow.distribution(Y).log_prob(z), expected) < 1e-4

    top = priors.Conditional(table(TABLE))
    vae = tfvae.hierarchical_vae((4,), (3, D), (5,), top=top, condition=CLASSES, seed=1)
    z = vae.sample_latent(len(Y), seed=3, y=Y)[0]
    loc, scale = loc_scale(TABLE[Y])
    noise = stream(len(Y), 3).normal(D).numpy()
    assert largest_difference(z, loc + scale * noise) < 1e-5


@pytest.mark.parametrize(
    ("make", "condition", "words"),
    [
        (lambda: priors.Conditional(table(TABLE)), None, ["conditions y", "x alone"]),
        (lambda: priors.Conditional(table(TABLE)), (2,), [r"numbers of shape \[2\]", "labels"]),
        (lambda: priors.Conditional(linear(4)), 3, [r"labels of shape \[\]", "numbers"]),
        (lambda: priors.Conditional(linear(4, (3,))), (2,), [r"shape \[2\]", r"shape \[3\]"]),
        (lambda: priors.Conditional(linear(5)), (2,), ["4 outputs", r"\[5\]", r"Dense\(4\)"]),
        (lambda: priors.Conditional(linear(8), None, 2), (2,), ["10 outputs", r"\[8\]"]),
        (
            lambda: priors.Conditional(linear(2), posteriors.Deterministic()),
            (2,),
            ["density", "Deterministic"],
        ),
        (
            lambda: priors.Conditional(linear(4), posteriors.Ladder()),
            (2,),
            ["over several layers", "Conditional"],
        ),
        (
            lambda: priors.Conditional(linear(3), posteriors.VonMisesFisher()),
            (2,),
            ["unit vectors", "DiagonalNormal"],
        ),
        (
            lambda: priors.Flow(flows.Planar(2), priors.Conditional(linear(4, (3,)))),
            (2,),
            ["a network of Flow", r"shape \[3\]"],
        ),
        (
            lambda: priors.Conditional(
                keras.Sequential([keras.Input((2,)), keras.layers.Dense(4, "relu")])
            ),
            (2,),
            ["relu", "Conditional"],
        ),
    ],
)
def test_what_does_not_fit_the_model_is_refused_when_it_is_made(make, condition, words):
    with pytest.raises(ValueError, match=matches(*words)):
        made(make(), condition)


def test_no_y_is_refused_and_the_prior_counts_the_classes_too():
    prior = priors.Conditional(table(TABLE))
    vae = made(prior, 7)
    assert vae.num_classes == CLASSES
    for call in (
        lambda: prior.distribution(),
        lambda: prior.sample(stream(3)),
        lambda: vae.sample(3),
        lambda: vae.log_weights(np.zeros((3, 4)), 2),
    ):
        with pytest.raises(ValueError, match=matches("conditional", "no y")):
            call()
    with pytest.raises(ValueError, match=matches("from 0 to 2", r"y\[1\] = 5")):
        vae.sample(2, y=[1, 5])


def test_a_network_without_keras_input_is_built_and_saved_with_the_model(tmp_path):
    vae = made(priors.Conditional(keras.layers.Dense(2 * D)), (2,))
    assert len(vae.prior.network.weights) == 2
    vae.save(tmp_path / "model.keras")
    y = RNG.normal(size=(3, 2))
    loaded = tfvae.load_model(tmp_path / "model.keras")
    assert largest_difference(loaded.sample(3, 1, y=y), vae.sample(3, 1, y=y)) < 1e-6
