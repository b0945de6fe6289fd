"""A network that ends in an activation, where a piece takes numbers without bounds."""

import json
import warnings
import zipfile

import keras
import numpy as np
import pytest
import tensorflow as tf

import tfvae
from tests.conftest import matches
from tests.support import zoo
from tfvae import likelihoods, posteriors, priors

layers = keras.layers
SHAPE, SIZE = (4, 4), 16


class Subclassed(keras.Model):
    """A network of which Keras knows no graph."""

    def __init__(self, size, activation=None, outermost=None):
        super().__init__()
        self.hidden = layers.Dense(5, "relu")
        self.last = layers.Dense(size, activation, name="pixels")
        self.outermost = outermost or (lambda x: x)

    def call(self, z):
        return tf.reshape(self.outermost(self.last(self.hidden(z))), [-1, *SHAPE])


def sequential(*after, inputs=(2,)):
    return keras.Sequential([keras.Input(inputs), layers.Dense(6, "relu"), *after])


def functional(last):
    z = keras.Input((2,))
    return keras.Model(z, last(layers.Dense(6, "relu")(z)))


def pixels(activation=None):
    return layers.Dense(SIZE, activation, name="pixels")


def model(decoder, likelihood=None, encoder=None, **kwargs):
    flat = [keras.Input(SHAPE), layers.Flatten()]
    encoder = encoder or keras.Sequential([*flat, layers.Dense(5, "relu"), layers.Dense(4)])
    options = {"event_shape": SHAPE, "latent_dim": 2, "seed": 0, **kwargs}
    return tfvae.VAE(encoder, decoder, likelihood=likelihood, **options)


def shaped():
    return layers.Reshape(SHAPE)


ENDS = {
    "last layer": (
        lambda f: sequential(layers.Dense(8), layers.Reshape((4, 2)), layers.Dense(4, f)),
        "dense",
    ),
    "before a reshape": (lambda f: sequential(pixels(f), shaped()), "pixels"),
    "activation layer": (
        lambda f: sequential(pixels(), layers.Activation(f, name="act"), shaped()),
        "act",
    ),
    "activation between others": (
        lambda f: sequential(pixels(f), layers.Activation("linear"), layers.Dropout(0.1), shaped()),
        "pixels",
    ),
    "nested": (
        lambda f: sequential(keras.Sequential([pixels(), layers.Activation(f), shaped()])),
        "activation",
    ),
    "nested twice": (
        lambda f: functional(
            keras.Sequential([keras.Sequential([pixels(f), shaped()]), layers.Dropout(0.1)])
        ),
        "pixels",
    ),
    "operation": (
        lambda f: functional(lambda h: shaped()(getattr(keras.ops, f)(pixels()(h)))),
        "",
    ),
    "joined": (
        lambda f: functional(
            lambda h: shaped()(
                layers.Concatenate()([layers.Dense(8)(h), layers.Dense(8, f, name="half")(h)])
            )
        ),
        "half",
    ),
    "over time": (
        lambda f: sequential(
            layers.RepeatVector(4), layers.TimeDistributed(layers.Dense(4, f, name="each"))
        ),
        "each",
    ),
    "recurrent": (
        lambda f: sequential(
            layers.RepeatVector(4), layers.GRU(4, activation=f, return_sequences=True, name="gru")
        ),
        "gru",
    ),
    "subclassed": (lambda f: Subclassed(SIZE, f), "pixels"),
    "subclassed within another": (
        lambda f: functional(lambda h: Subclassed(SIZE, f)(h)),
        "pixels",
    ),
    "subclassed, by a function": (
        lambda f: Subclassed(SIZE, outermost=getattr(tf.nn, f)),
        "subclassed",
    ),
    "lambda": (
        lambda f: sequential(pixels(), layers.Lambda(getattr(tf.nn, f), name="squash"), shaped()),
        "squash",
    ),
}


@pytest.mark.parametrize("activation", ["sigmoid", "softplus"])
@pytest.mark.parametrize("end", ENDS)
def test_an_activation_at_the_end_of_a_decoder_is_refused_by_its_name_and_layer(end, activation):
    make, layer = ENDS[end]
    words = ["Bernoulli", "logits", activation, layer, "activation=None", "allow_bounded_outputs"]
    with pytest.raises(ValueError, match=matches(*words)):
        model(make(activation))


@pytest.mark.parametrize("end", ENDS)
def test_the_same_networks_without_it_are_taken(end, monkeypatch):
    monkeypatch.setattr(tf.nn, "linear", tf.identity, raising=False)
    monkeypatch.setattr(keras.ops, "linear", keras.ops.copy, raising=False)
    model(ENDS[end][0]("linear"))


@pytest.mark.parametrize(
    ("activation", "taken"),
    [
        ("linear", True),
        ("leaky_relu", True),
        ("tanh_shrink", True),
        ("soft_shrink", True),
        (layers.LeakyReLU(), True),
        (layers.PReLU(), True),
        (lambda x: tf.math.asinh(x), True),
        ("elu", False),
        ("selu", False),
        ("gelu", False),
        ("silu", False),
        ("mish", False),
        ("exponential", False),
        ("hard_sigmoid", False),
        ("log_sigmoid", False),
        ("log_softmax", False),
        ("softsign", False),
        ("relu6", False),
        (layers.ReLU(), False),
        (layers.Softmax(), False),
        (layers.ELU(), False),
        (lambda x: 5.0 * tf.tanh(x), False),
    ],
)
def test_what_is_refused_is_what_has_a_least_or_a_greatest_value(activation, taken):
    networks = [sequential(pixels(activation), shaped())]
    if isinstance(activation, str):
        networks.append(Subclassed(SIZE, activation))
    for decoder in networks:
        if taken:
            model(decoder)
        else:
            with pytest.raises(ValueError, match=matches("pixels")):
                model(decoder)


@pytest.mark.parametrize(
    ("likelihood", "activation", "taken"),
    [
        (likelihoods.ContinuousBernoulli(), "sigmoid", False),
        (likelihoods.Poisson(), "softplus", False),
        (likelihoods.NegativeBinomial(), "exponential", False),
        (likelihoods.DiscretizedLogistic(), "sigmoid", False),
        (likelihoods.Categorical(), "softmax", False),
        (likelihoods.Observed(likelihoods.Bernoulli()), "sigmoid", False),
        # A location is in the data's units: of data from 0 to 1, a sigmoid is a fine location.
        (likelihoods.Normal(0.1), "sigmoid", True),
        (likelihoods.Laplace(0.1, learn_scale=True), "relu", True),
        (likelihoods.Observed(likelihoods.Normal(optimal_scale=True)), "tanh", True),
    ],
)
def test_each_likelihood_refuses_it_where_it_maps_the_numbers_itself(likelihood, activation, taken):
    decoder = sequential(pixels(activation), shaped())
    if taken:
        model(decoder, likelihood)
    else:
        with pytest.raises(ValueError, match=matches(type(likelihood).__name__, activation)):
            model(decoder, likelihood)


def test_scales_of_the_decoder_are_refused_where_locations_alone_are_not():
    decoder = sequential(layers.Dense(32, "sigmoid"), layers.Reshape((4, 8)))
    with pytest.raises(ValueError, match=matches("Normal", "scales", "sigmoid")):
        model(decoder, likelihoods.Normal(per_element_scale=True))


def encoder(size, activation):
    return keras.Sequential([keras.Input(SHAPE), layers.Flatten(), layers.Dense(size, activation)])


@pytest.mark.parametrize(
    ("posterior", "size", "prior"),
    [
        (posteriors.DiagonalNormal, 4, priors.StandardNormal),
        (posteriors.FullNormal, 5, priors.StandardNormal),
        (posteriors.VonMisesFisher, 3, priors.UniformSphere),
        (posteriors.Categorical, 2, priors.Categorical),
        (posteriors.RelaxedCategorical, 2, priors.RelaxedCategorical),
        (lambda: posteriors.Flow(zoo.FLOWS["planar"](), context_size=4), 8, priors.StandardNormal),
    ],
)
def test_each_posterior_refuses_it_in_the_encoder(posterior, size, prior):
    decoder = sequential(pixels(), shaped())
    pieces = {"posterior": posterior(), "prior": prior()}
    with pytest.raises(ValueError, match=matches("encoder", "relu")):
        model(decoder, encoder=encoder(size, "relu"), **pieces)
    model(decoder, encoder=encoder(size, None), **pieces)


def test_an_autoencoder_may_bound_its_code():
    pieces = {"posterior": posteriors.Deterministic(), "objective": tfvae.ELBO(beta=0.0)}
    model(sequential(pixels(), shaped()), encoder=encoder(2, "tanh"), **pieces)


@pytest.mark.parametrize("where", ["prior", "posterior", "nowhere"])
def test_networks_between_layers_of_latents_are_asked_too(where):
    between = lambda a, b, f: keras.Sequential([keras.Input((a,)), layers.Dense(b, f)])  # noqa: E731
    prior = priors.Hierarchy([between(3, 4, "softplus" if where == "prior" else None)])
    posterior = posteriors.BottomUp([between(2, 6, "softplus" if where == "posterior" else None)])
    make = lambda: model(  # noqa: E731
        sequential(pixels(), shaped()), encoder=encoder(4, None), posterior=posterior, prior=prior
    )
    if where == "nowhere":
        make()
    else:
        owner = {"prior": "Hierarchy", "posterior": "BottomUp"}[where]
        with pytest.raises(ValueError, match=matches("softplus", owner)):
            make()


def test_who_insists_gets_it_and_keeps_it_in_every_copy(tmp_path):
    vae = model(sequential(pixels("sigmoid"), shaped()), allow_bounded_outputs=True)
    x = zoo.binary(shape=SHAPE)
    vae.compile(jit_compile=False)
    vae.fit(x, verbose=0)
    assert (
        0.5 <= vae.sample(50, seed=0).numpy().min() <= vae.sample(50, seed=0).numpy().max() < 0.74
    )

    vae.save(tmp_path / "model.keras")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        loaded = tfvae.load_model(tmp_path / "model.keras")
        assert vae.with_prior(priors.GaussianMixture(2)).allow_bounded_outputs
    assert loaded.allow_bounded_outputs
    assert np.array_equal(loaded.sample(3, seed=1), vae.sample(3, seed=1))


def test_a_file_from_before_the_refusal_is_read_with_a_warning(tmp_path):
    vae = model(sequential(pixels("sigmoid"), shaped()), allow_bounded_outputs=True)
    vae.save(tmp_path / "new.keras")
    with (
        zipfile.ZipFile(tmp_path / "new.keras") as new,
        zipfile.ZipFile(tmp_path / "old.keras", "w") as old,
    ):
        for name in new.namelist():
            content = new.read(name)
            if name == "config.json":
                config = json.loads(content)
                del config["config"]["allow_bounded_outputs"]
                content = json.dumps(config).encode()
            old.writestr(name, content)
    with pytest.warns(UserWarning, match="sigmoid"):
        loaded = tfvae.load_model(tmp_path / "old.keras")
    assert np.array_equal(loaded.sample(3, seed=1), vae.sample(3, seed=1))
    assert loaded.get_config()["allow_bounded_outputs"]
