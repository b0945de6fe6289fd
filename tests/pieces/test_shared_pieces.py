"""What a model computes does not change when its pieces are given to another model."""

import keras
import numpy as np
import pytest

import tfvae
from tests.conftest import largest_difference, matches
from tests.support import zoo
from tfvae import flows, gradients, likelihoods, objectives, posteriors, priors


def numbers(vae, x):
    """What a model says of x, and draws."""
    return [
        vae.reconstruct(x),
        vae.log_weights(x, 3, seed=1),
        vae.sample(4, seed=7),
        vae.encode(x).sample(seed=(1, 2)),
    ]


def assert_same(found, expected):
    for a, b in zip(found, expected):
        a, b = (list(part) if isinstance(part, (list, tuple)) else [part] for part in (a, b))
        for ours, theirs in zip(a, b):
            assert np.array_equal(ours, theirs)


def ladder():
    pieces = {"ladder": True, "likelihood": likelihoods.Normal(1.0)}
    return tfvae.hierarchical_vae((4,), (3, 2), (8,), **pieces, seed=1)


def another_hierarchy():
    dense = keras.layers.Dense(6, bias_initializer="ones")
    return priors.Hierarchy([keras.Sequential([keras.Input((2,)), dense])])


@pytest.fixture
def x():
    return np.random.default_rng(0).normal(size=(5, 4)).astype(np.float32)


def test_a_ladder_with_another_prior_leaves_the_first_model_as_it_was(x, tmp_path):
    first = ladder()
    before = numbers(first, x)
    prior = another_hierarchy()
    second = first.with_prior(prior)
    assert_same(numbers(first, x), before)

    pieces = posteriors.Ladder(), prior, first.likelihood
    alone = tfvae.VAE(first.encoder, first.decoder, *pieces, seed=1)
    expected = numbers(alone, x)
    assert_same(numbers(second, x), expected)
    assert largest_difference(expected[0], before[0]) > 1e-2
    second.save(tmp_path / "second.keras")
    assert_same(numbers(tfvae.load_model(tmp_path / "second.keras"), x), expected)
    assert first.with_prior(first.prior).posterior is first.posterior


def test_a_model_with_another_prior_keeps_all_else():
    pieces = {
        "likelihood": likelihoods.Normal(),
        "objective": objectives.ELBO(3),
        "estimator": gradients.StickingTheLanding(),
    }
    first = tfvae.mlp_vae((4,), 2, (3,), **pieces, seed=4)
    second = first.with_prior(priors.GaussianMixture(2))
    for name in ("encoder", "decoder", "posterior", *pieces):
        assert getattr(second, name) is getattr(first, name)
    assert second.seed == 4


def vamp():
    return zoo.BUILDERS["diagonal-vamp"]()


def test_a_vamp_prior_is_of_one_model_and_refuses_the_parts_of_another():
    vae, x, _ = vamp()
    before = numbers(vae, x)
    words = matches("VampPrior", "encoder", "DiagonalNormal", "new VampPrior")
    with pytest.raises(ValueError, match=words):
        tfvae.mlp_vae(zoo.SHAPE, zoo.LATENT, (8,), prior=vae.prior, seed=2)
    assert_same(numbers(vae, x), before)


def test_a_vamp_prior_may_be_shared_by_models_of_the_same_parts():
    vae, x, _ = vamp()
    before = numbers(vae, x)
    pieces = {"prior": vae.prior, "likelihood": vae.likelihood, "objective": objectives.IWAE(3)}
    other = tfvae.VAE(vae.encoder, vae.decoder, vae.posterior, **pieces, seed=1)
    assert_same(numbers(other, x), before)
    assert_same(numbers(vae.with_prior(vae.prior), x), before)


def test_a_vamp_prior_of_a_model_that_was_refused_is_free_for_the_next():
    prior = priors.VampPrior(3)
    with pytest.raises(ValueError, match=matches("independent", "VampPrior")):
        tfvae.mlp_vae(zoo.SHAPE, 2, (4,), prior=prior, objective=objectives.ELBO(free_bits=0.1))
    with pytest.raises(ValueError, match=matches("StickingTheLanding")):
        sticking = {"objective": objectives.IWAE(2)}
        sticking["estimator"] = tfvae.gradients.StickingTheLanding()
        tfvae.mlp_vae(zoo.SHAPE, 2, (4,), prior=prior, **sticking)
    vae = tfvae.mlp_vae(zoo.SHAPE, 2, (8,), prior=prior, seed=1)
    components = vae.prior.distribution().components_distribution.mean()
    params = vae.encoder_params(vae.prior.pseudo_inputs.numpy(), None, training=False)
    assert largest_difference(components, vae.posterior.distribution(params).mean()) < 1e-6


@pytest.mark.parametrize(
    "share",
    [
        lambda flow, base, _: {"prior": priors.Flow(flow)},
        lambda flow, base, _: {"posterior": posteriors.Flow(flow, context_size=0)},
        lambda flow, base, _: {"prior": priors.Flow(flows.Planar(2), base)},
        lambda flow, base, normal: {"likelihood": likelihoods.Observed(normal)},
    ],
)
def test_a_part_of_a_piece_keeps_its_weights_in_a_second_model(share, x):
    parts = (
        flows.RealNVP(2, (4,)),
        priors.GaussianMixture(3),
        likelihoods.Normal(0.5, learn_scale=True),
    )

    def model():
        pieces = {"likelihood": likelihoods.Normal(), **share(*parts)}
        return tfvae.mlp_vae((4,), 2, (8,), **pieces, seed=1)

    first = model()
    for weight in first.trainable_weights:
        weight.assign_add(np.random.default_rng(1).normal(0, 0.3, weight.shape).astype(np.float32))
    before = numbers(first, x)[1:3]
    model()
    assert_same(numbers(first, x)[1:3], before)


@pytest.mark.parametrize(
    "piece",
    [
        {"likelihood": likelihoods.Normal()},
        {"prior": priors.GaussianMixture(2)},
        {"prior": priors.StandardNormal()},
        {"prior": priors.Flow(flows.Planar(2))},
    ],
)
def test_a_piece_built_for_one_size_is_refused_for_another(piece):
    likelihood = {"likelihood": likelihoods.Normal(), **piece}
    tfvae.mlp_vae((4,), 2, (4,), **likelihood)
    name = type(next(iter(piece.values()))).__name__
    with pytest.raises(ValueError, match=matches(name, "size", "make a new one")):
        tfvae.mlp_vae((2, 3), 3, (4,), **likelihood)


@pytest.mark.parametrize(
    "likelihood",
    [
        likelihoods.Normal(0.5),
        likelihoods.Normal(0.5, learn_scale=True),
        likelihoods.Laplace(0.5),
        likelihoods.Observed(likelihoods.Normal(0.5)),
        likelihoods.Bernoulli(),
        likelihoods.Poisson(),
        likelihoods.NegativeBinomial(per_element_dispersion=True),
    ],
)
def test_a_likelihood_may_be_shared_by_events_of_other_sizes(likelihood):
    """It keeps their number of axes alone; what it says is that of one of the model's own."""
    posterior = posteriors.DiagonalNormal()

    def model(size, likelihood, posterior):
        pieces = {"posterior": posterior, "likelihood": likelihood}
        return tfvae.mlp_vae((size,), size, (8,), **pieces, seed=1)

    for size in (4, 7):
        x = np.random.default_rng(size).integers(0, 2, (5, size)).astype(np.float32)
        keras.utils.set_random_seed(2)
        shared = model(size, likelihood, posterior)
        keras.utils.set_random_seed(2)
        another = type(likelihood).from_config(likelihood.get_config())
        own = model(size, another, posteriors.DiagonalNormal())
        assert_same(numbers(shared, x), numbers(own, x))


def test_a_likelihood_with_a_number_for_each_element_is_refused_for_another_size():
    likelihood = likelihoods.NegativeBinomial(2.0)
    tfvae.mlp_vae((4,), 2, (4,), likelihood=likelihood)
    with pytest.raises(ValueError, match=matches("NegativeBinomial", "size", "make a new one")):
        tfvae.mlp_vae((5,), 2, (4,), likelihood=likelihood)
