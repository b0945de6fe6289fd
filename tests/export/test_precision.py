"""Networks in 16 bits, numbers in 32."""

import keras
import numpy as np
import pytest
import tensorflow as tf

import tfvae
from tests.conftest import largest_difference
from tests.support import zoo
from tests.support.nightly import nightly
from tfvae.export import tflite
from tfvae.export.precision import in_float32

PIECES = ("bernoulli_dynamic-elbo-pathwise", "normal_fixed-elbo-pathwise", "conv")

EPSILON = {"mixed_bfloat16": 2**-7, "mixed_float16": 2**-10}


@pytest.fixture
def policy(request):
    keras.config.set_dtype_policy(request.param)
    yield request.param
    keras.config.set_dtype_policy("float32")


@pytest.mark.parametrize("policy", ["mixed_bfloat16", "mixed_float16"], indirect=True)
@pytest.mark.parametrize("name", PIECES)
def test_networks_compute_in_16_bits_and_log_probabilities_in_32_or_64(policy, name):
    vae, x, y = zoo.BUILDERS[name]()
    assert vae.decoder.layers[-1].compute_dtype == policy.removeprefix("mixed_")
    terms = vae.terms(x, 3, seed=1, y=y)
    for values in (terms.log_likelihood, terms.log_prior, terms.log_posterior):
        assert values.dtype == tf.float32
    assert terms.rate.dtype == terms.log_weights.dtype == tf.float32
    with in_float32(vae):
        expected = vae.terms(x, 3, seed=1, y=y)
    # Not equal, or nothing was computed in 16 bits; close, or something else was. Processors round
    # differently.
    size = float(tf.reduce_max(tf.abs(expected.log_weights)))
    difference = largest_difference(terms.log_weights, expected.log_weights)
    assert 0 < difference < 2 * EPSILON[policy] * size
    assert tfvae.evaluation.log_likelihood(vae, x, 5, y=y).dtype == np.float64


@pytest.mark.parametrize(
    ("policy", "jit_compile"),
    [
        ("mixed_bfloat16", False),
        nightly("mixed_float16", True),
        nightly("mixed_bfloat16", True),
        nightly("mixed_float16", False),
    ],
    indirect=["policy"],
)
def test_fit_learns_in_16_bits(policy, jit_compile, digits):
    x = (digits.x_train > 0.5).astype(np.float32)[:640]
    vae = tfvae.mlp_vae(digits.event_shape, 4, (32,), seed=0)
    vae.compile(keras.optimizers.Adam(1e-2), jit_compile=jit_compile)
    # The scaled loss of float16 skips steps until its scale fits.
    losses = vae.fit(x, batch_size=64, epochs=6, verbose=0).history["loss"]
    assert losses[-1] < losses[0] - 5
    assert vae.trainable_variables[0].dtype == "float32"


@pytest.mark.nightly  # by day of a model that is harder to bring there
@pytest.mark.parametrize("policy", ["mixed_bfloat16"], indirect=True)
def test_files_are_float32(policy, tmp_path):
    vae, _, _ = zoo.BUILDERS["diagonal-standard"]()
    quality = tfvae.export.to_tflite(vae, tmp_path / "m.tflite")["quality"]
    assert quality["max_abs_error_x"] < 1e-5
    x = tfvae.export.Sampler(tmp_path / "m.tflite").sample(4, seed=3)
    assert x.dtype == np.float32
    with in_float32(vae):
        assert largest_difference(x, vae.sample(4, seed=3)) < 1e-5


# Kinds of models that no configuration describes, each with its decoder in NumPy


layers = keras.layers


class Unregistered(layers.Layer):
    """3 z, of a class that Keras cannot look up, and without a configuration."""

    def __init__(self, factor):
        super().__init__()
        self.factor = factor

    def call(self, z):
        return self.factor * z


class Subclassed(keras.Model):
    """A decoder written as a class, without a configuration."""

    def __init__(self, units):
        super().__init__()
        self.inner = [layers.Dense(units)]

    def call(self, z):
        return self.inner[0](z)


class Tied(layers.Layer):
    """The transpose of another layer's matrix."""

    def __init__(self, other):
        super().__init__()
        self.other = other

    def call(self, z):
        return keras.ops.matmul(z, keras.ops.transpose(self.other.kernel))


class OfOneSize(tfvae.VAE):
    """A model whose constructor takes something else."""

    def __init__(self, size, **kwargs):
        encoder = keras.Sequential([keras.Input((size,)), layers.Dense(4)])
        decoder = keras.Sequential([keras.Input((2,)), layers.Dense(size)])
        super().__init__(encoder, decoder, likelihood=tfvae.likelihoods.Normal(), **kwargs)


def encoder():
    return keras.Sequential([keras.Input((6,)), layers.Dense(4)])


def vae_of(*decoder):
    network = keras.Sequential([keras.Input((2,)), *decoder])
    return tfvae.VAE(encoder(), network, likelihood=tfvae.likelihoods.Normal(), seed=0)


def tied():
    """The decoder's matrix is the transpose of the encoder's first one."""
    first = layers.Dense(2)
    network = keras.Sequential([keras.Input((6,)), first, layers.Dense(4)])
    decoder = keras.Sequential([keras.Input((2,)), Tied(first)])
    return tfvae.VAE(network, decoder, likelihood=tfvae.likelihoods.Normal(), seed=0)


def shared():
    """One matrix, twice in the decoder."""
    z = keras.Input((2,))
    square = layers.Dense(2)
    network = keras.Model(z, layers.Dense(6)(square(square(z))))
    return tfvae.VAE(encoder(), network, likelihood=tfvae.likelihoods.Normal(), seed=0)


def subclassed():
    likelihood = tfvae.likelihoods.Normal()
    return tfvae.VAE(encoder(), Subclassed(6), likelihood=likelihood, latent_dim=2, seed=0)


def weights(network):
    """In float32: NumPy has no bfloat16 of its own."""
    return [np.asarray(weight, np.float32) for weight in network.get_weights()]


def dense(z, kernel_and_bias):
    kernel, bias = kernel_and_bias
    return z @ kernel + bias


KINDS = {
    "lambda": (
        lambda: vae_of(layers.Dense(6), layers.Lambda(lambda v: 2 * v)),
        lambda z, vae: 2 * dense(z, weights(vae.decoder)),
    ),
    "unregistered": (
        lambda: vae_of(Unregistered(3.0), layers.Dense(6)),
        lambda z, vae: dense(3 * z, weights(vae.decoder)),
    ),
    "subclassed network": (subclassed, lambda z, vae: dense(z, weights(vae.decoder))),
    "tied": (tied, lambda z, vae: z @ weights(vae.encoder)[0].T),
    "shared": (
        shared,
        lambda z, vae: dense(
            dense(dense(z, weights(vae.decoder)[:2]), weights(vae.decoder)[:2]),
            weights(vae.decoder)[2:],
        ),
    ),
    "subclass of VAE": (
        lambda: OfOneSize(6, seed=0),
        lambda z, vae: dense(z, weights(vae.decoder)),
    ),
    "wrapped": (
        lambda: vae_of(
            layers.Reshape((2, 1)), layers.TimeDistributed(layers.Dense(3)), layers.Flatten()
        ),
        lambda z, vae: dense(z[..., None], weights(vae.decoder)).reshape(-1, 6),
    ),
}


@pytest.mark.parametrize("policy", ["mixed_bfloat16", "mixed_float16", "bfloat16"], indirect=True)
@pytest.mark.parametrize("kind", KINDS)
def test_models_of_every_kind_compute_in_float32_for_a_file(policy, kind):
    build, reference = KINDS[kind]
    vae = build()
    z = np.random.default_rng(0).normal(size=(5, 2)).astype(np.float32)
    expected = reference(z, vae)
    before = [layer.compute_dtype for layer in vae._flatten_layers()]
    with in_float32(vae):
        found = vae.decode_batch(z, None, training=False)
    assert largest_difference(found, expected) < 1e-5
    assert largest_difference(vae.decode_batch(z, None, training=False), expected) > 1e-4
    assert [layer.compute_dtype for layer in vae._flatten_layers()] == before


@pytest.mark.parametrize("policy", ["mixed_bfloat16"], indirect=True)
def test_a_model_that_no_configuration_describes_is_exported(policy, tmp_path):
    vae = tied()
    tfvae.export.to_tflite(vae, tmp_path / "m.tflite", include_encoder=True)
    z = np.random.default_rng(0).normal(size=(5, 2)).astype(np.float32)
    found = tfvae.export.Sampler(tmp_path / "m.tflite").decode(z)
    assert largest_difference(found, z @ vae.encoder.get_weights()[0].T) < 1e-5
    assert vae.decoder.layers[-1].compute_dtype == "bfloat16"


@pytest.mark.parametrize("policy", ["mixed_bfloat16"], indirect=True)
def test_a_saved_model_of_16_bits_computes_in_float32(policy, tmp_path):
    vae = tied()
    tfvae.export.to_saved_model(vae, tmp_path / "model")
    decode = tf.saved_model.load(str(tmp_path / "model")).signatures["decode"]
    z = np.random.default_rng(0).normal(size=(5, 2)).astype(np.float32)
    assert largest_difference(decode(z=tf.constant(z))["x"], z @ weights(vae.encoder)[0].T) < 1e-5


@pytest.mark.parametrize("policy", ["mixed_bfloat16"], indirect=True)
def test_the_precision_comes_back_after_a_failure_and_after_the_last_of_several_exports(policy):
    vae = vae_of(layers.Dense(6))
    last = vae.decoder.layers[-1]
    own = last.dtype_policy
    with pytest.raises(KeyError), in_float32(vae):
        raise KeyError
    assert last.dtype_policy is own
    first, second = in_float32(vae), in_float32(vae)
    first.__enter__()
    second.__enter__()
    first.__exit__(None, None, None)
    assert last.compute_dtype == "float32"
    second.__exit__(None, None, None)
    assert last.dtype_policy is own


@pytest.fixture
def tf32(request):
    """Whether a GPU may round the factors of products, as a program has set it."""
    config = tf.config.experimental
    before = config.tensor_float_32_execution_enabled()
    config.enable_tensor_float_32_execution(request.param)
    yield config.tensor_float_32_execution_enabled
    config.enable_tensor_float_32_execution(before)


@pytest.mark.parametrize("tf32", [True, False], indirect=True)
def test_an_export_on_a_gpu_computes_in_whole_float32_and_leaves_the_setting(
    tf32, small, tmp_path, monkeypatch
):
    found, before = [], tf32()
    compare = tflite.quality.measure

    def measure(*arguments):
        found.append(tf32())
        return compare(*arguments)

    monkeypatch.setattr(tflite.quality, "measure", measure)
    tfvae.export.to_tflite(small.vae, tmp_path / "m.tflite")
    assert found == [False]
    assert tf32() == before
    first, second = in_float32(small.vae), in_float32(small.vae)
    first.__enter__()
    second.__enter__()
    first.__exit__(None, None, None)
    assert not tf32()
    second.__exit__(None, None, None)
    assert tf32() == before


def test_a_model_of_float32_is_exported_as_it_is(small):
    policies = [layer.dtype_policy for layer in small.vae._flatten_layers()]
    with in_float32(small.vae):
        inside = [layer.dtype_policy for layer in small.vae._flatten_layers()]
    assert all(a is b for a, b in zip(policies, inside, strict=True))


class Scaled(tfvae.VAE):
    """A model with lookup tables of its own, one of them in a list and one in a module."""

    def __init__(self, *arguments, **options):
        super().__init__(*arguments, **options)
        made = tf.lookup.KeyValueTensorInitializer([0, 1], [2.0, 3.0])
        self.table = tf.lookup.StaticHashTable(made, 1.0)
        self.tables = [tf.lookup.StaticHashTable(made, 1.0)]
        self.module = tf.Module()
        self.module.table = tf.lookup.StaticHashTable(made, 1.0)

    def decode_batch(self, z, y=None, training=None):
        params = super().decode_batch(z, y, training=training)
        key = tf.zeros([1], tf.int32)
        factors = [t.lookup(key) for t in (self.table, self.tables[0], self.module.table)]
        return params * tf.reduce_prod(factors)


def test_a_saved_model_has_the_tables_of_a_model_of_the_users(tmp_path):
    decoder = keras.Sequential([keras.Input((2,)), layers.Dense(6)])
    vae = Scaled(encoder(), decoder, likelihood=tfvae.likelihoods.Normal(), seed=0)
    tfvae.export.to_saved_model(vae, tmp_path / "model")
    sample = tf.saved_model.load(str(tmp_path / "model")).signatures["sample"]
    found = sample(seed=tf.constant([7]), index=tf.range(3))["x"]
    assert largest_difference(found, vae.sample(3, seed=7)) < 1e-5
