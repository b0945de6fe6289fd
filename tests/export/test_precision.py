"""Networks in 16 bits, numbers in 32."""

import keras
import numpy as np
import pytest
import tensorflow as tf

import tfvae
from tests.conftest import largest_difference
from tests.support import zoo
from tfvae.export.precision import in_float32

PIECES = (
    "diagonal-standard",
    "bernoulli_dynamic-elbo-pathwise",
    "normal_fixed-elbo-pathwise",
    "conv",
)

EPSILON = {"mixed_bfloat16": 2**-7, "mixed_float16": 2**-10}


@pytest.fixture
def policy(request):
    keras.config.set_dtype_policy(request.param)
    yield request.param
    keras.config.set_dtype_policy("float32")


@pytest.mark.parametrize("policy", ["mixed_bfloat16", "mixed_float16"], indirect=True)
@pytest.mark.parametrize("name", PIECES)
def test_networks_compute_in_16_bits_and_log_probabilities_in_32(policy, name):
    vae, x, y = zoo.BUILDERS[name]()
    assert vae.decoder.layers[-1].compute_dtype == policy.removeprefix("mixed_")
    terms = vae.terms(x, 3, seed=1, y=y)
    for values in (terms.log_likelihood, terms.log_prior, terms.log_posterior):
        assert values.dtype == tf.float32
    assert terms.rate.dtype == terms.log_weights.dtype == tf.float32
    expected = in_float32(vae).terms(x, 3, seed=1, y=y)
    # Not equal, or nothing was computed in 16 bits; close, or something else was. Processors round
    # differently.
    size = float(tf.reduce_max(tf.abs(expected.log_weights)))
    difference = largest_difference(terms.log_weights, expected.log_weights)
    assert 0 < difference < 2 * EPSILON[policy] * size
    assert tfvae.evaluation.log_likelihood(vae, x, 5, y=y).dtype == np.float32


@pytest.mark.parametrize("policy", ["mixed_bfloat16", "mixed_float16"], indirect=True)
@pytest.mark.parametrize("jit_compile", [True, False])
def test_fit_learns_in_16_bits(policy, jit_compile, digits):
    x = (digits.x_train > 0.5).astype(np.float32)[:640]
    vae = tfvae.mlp_vae(digits.event_shape, 4, (32,), seed=0)
    vae.compile(keras.optimizers.Adam(1e-2), jit_compile=jit_compile)
    # The scaled loss of float16 skips steps until its scale fits.
    losses = vae.fit(x, batch_size=64, epochs=6, verbose=0).history["loss"]
    assert losses[-1] < losses[0] - 5
    assert vae.trainable_variables[0].dtype == "float32"


@pytest.mark.parametrize("policy", ["mixed_bfloat16"], indirect=True)
def test_files_are_float32(policy, tmp_path):
    vae, _, _ = zoo.BUILDERS["diagonal-standard"]()
    quality = tfvae.export.to_tflite(vae, tmp_path / "m.tflite")["quality"]
    assert quality["max_abs_error_x"] < 1e-5
    x = tfvae.export.Sampler(tmp_path / "m.tflite").sample(4, seed=3)
    assert x.dtype == np.float32
    assert largest_difference(x, in_float32(vae).sample(4, seed=3)) < 1e-5


def test_a_model_of_float32_is_exported_as_it_is(small):
    assert in_float32(small.vae) is small.vae
