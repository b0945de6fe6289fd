"""What a user may get wrong, and the three parts of the answer, before any step or file."""

import inspect
import os
import subprocess
import sys

import keras
import numpy as np
import pytest
import tensorflow as tf

import tfvae
from tests.conftest import matches
from tests.support import zoo
from tests.support.nightly import nightly
from tfvae.likelihoods import Bernoulli, Normal


def layers(inputs, *outputs):
    return keras.Sequential([keras.Input(inputs), keras.layers.Flatten(), *outputs])


ENCODER = lambda size: layers(zoo.SHAPE, keras.layers.Dense(size))  # noqa: E731
DECODER = lambda latent, size: layers((latent,), keras.layers.Dense(size))  # noqa: E731


def spoiled(value, like=None):
    x = zoo.binary() if like is None else like
    x[4, 1, 2, 0] = value
    return x


@pytest.mark.parametrize(
    ("x", "words"),
    [
        (spoiled(np.nan), ["nan", r"\[4, 1, 2, 0\]", "NaN"]),
        (spoiled(np.inf), ["inf", r"\[4, 1, 2, 0\]"]),
        (spoiled(0.5), ["0 and 1 only", r"\[4, 1, 2, 0\]", "dynamic_binarization"]),
        (np.uint8(255) * zoo.binary().astype(np.uint8), ["255", "divide"]),
        (zoo.real(), ["0 and 1 only", "Normal"]),
        (zoo.binary()[..., 0], [r"\[12, 4, 4\]", r"reshape\(-1, 4, 4, 1\)"]),
        (zoo.binary()[0], [r"\[4, 4, 1\]", r"x\[None\]"]),
        (zoo.binary(shape=(5, 5, 1)), [r"\[12, 5, 5, 1\]", "event_shape"]),
        (zoo.binary()[:0], ["at least one example"]),
        (zoo.binary().astype(str), ["numbers"]),
    ],
    ids=["nan", "inf", "grey", "0-255", "real", "rank", "no batch", "shape", "empty", "text"],
)
def test_data_the_model_cannot_learn_from_is_refused_before_the_first_step(small, x, words):
    vae = small.vae
    for call in (
        lambda: vae.fit(x, verbose=0),
        lambda: vae.fit(zoo.binary(), validation_data=x, verbose=0),
        lambda: vae.evaluate(x, verbose=0),
        lambda: vae.log_weights(x, 2),
        lambda: tfvae.evaluation.log_likelihood(vae, x, 2),
        lambda: tfvae.evaluation.evaluate(vae, x, 2),
    ):
        with pytest.raises(ValueError, match=matches(*words)):
            call()
    assert int(vae.optimizer.iterations) == 0


@pytest.mark.parametrize(
    ("x", "word"), [(spoiled(np.nan, zoo.real()), "nan"), (spoiled(-np.inf, zoo.real()), "inf")]
)
def test_normal_refuses_what_is_not_finite(x, word):
    vae, _, _ = zoo.BUILDERS["normal_fixed-elbo-pathwise"]()
    vae.compile()
    with pytest.raises(ValueError, match=matches(word, r"\[4, 1, 2, 0\]")):
        vae.fit(x, verbose=0)


def test_dynamic_binarization_still_refuses_8_bit_values():
    vae, x, _ = zoo.BUILDERS["bernoulli_dynamic-elbo-pathwise"]()
    vae.compile()
    with pytest.raises(ValueError, match=matches("from 0 to 1", "divide 8-bit values by 255")):
        vae.fit(x * 255, verbose=0)


def test_a_dataset_is_checked_in_its_first_batch_and_in_every_later_one(small):
    first, later = (tf.data.Dataset.from_tensor_slices(spoiled(np.nan)).batch(b) for b in (12, 2))
    with pytest.raises(ValueError, match=matches("nan")):
        small.vae.fit(first, verbose=0)
    assert int(small.vae.optimizer.iterations) == 0
    with pytest.raises(ValueError, match=matches("later batch")):
        small.vae.fit(later, verbose=0)
    assert all(np.isfinite(np.asarray(w)).all() for w in small.vae.weights)
    with pytest.raises(ValueError, match=matches("empty")):
        small.vae.fit(later.take(0), verbose=0)


def test_a_batch_without_examples_amid_a_dataset_is_named(small):
    def batches():
        yield from (small.x[:4], small.x[:0], small.x[4:8])

    shape = tf.TensorSpec([None, *small.x.shape[1:]])
    dataset = tf.data.Dataset.from_generator(batches, output_signature=shape)
    with pytest.raises(ValueError, match=matches("a later batch without any", "filter")):
        small.vae.fit(dataset, verbose=0)
    small.vae.fit(dataset.filter(lambda x: tf.shape(x)[0] > 0), verbose=0)


def test_a_generator_is_checked_in_its_first_batch(small):
    with pytest.raises(ValueError, match=matches("nan")):
        small.vae.fit(((x,) for x in [spoiled(np.nan)]), verbose=0)


def test_targets_are_refused_for_a_model_without_condition(small):
    vae, x, _ = small
    for y, word in ((x, "autoencoder"), (x.copy(), "autoencoder"), (np.arange(12), "y of shape")):
        with pytest.raises(ValueError, match=matches(word, r"fit\(x\)")):
            vae.fit(x, y, verbose=0)
        with pytest.raises(ValueError, match=matches(r"fit\(x\)")):
            vae.fit(tf.data.Dataset.from_tensor_slices((x, y)).batch(4), verbose=0)
        with pytest.raises(ValueError, match=matches(r"fit\(x\)")):
            vae.fit(x, validation_data=(x, y), verbose=0)


def test_a_conditional_model_wants_its_condition():
    vae, x, y = zoo.BUILDERS["conditional"]()
    vae.compile()
    for wrong in (None, y[:5], np.stack([y, y], 1)):
        with pytest.raises(ValueError, match=matches("conditional")):
            vae.fit(x, wrong, verbose=0)
    with pytest.raises(ValueError, match=matches("conditional")):
        vae.sample(3)
    with pytest.raises(ValueError, match=matches("conditional")):
        vae.encode(x)


@pytest.mark.parametrize(
    ("encoder", "decoder", "likelihood", "words"),
    [
        (ENCODER(7), DECODER(3, 16), None, ["encoder output of 6", "output of 7", r"Dense\(6\)"]),
        (ENCODER(8), DECODER(3, 16), None, ["latent size 3", "output of 8"]),
        (ENCODER(6), DECODER(3, 17), None, [r"\(4, 4, 1\)", r"decoder output of shape \(17,\)"]),
        (ENCODER(6), DECODER(3, 16), Normal(per_element_scale=True), [r"\(4, 4, 2\)", r"\(16,\)"]),
        (
            keras.Sequential([keras.layers.Dense(6)]),
            DECODER(3, 16),
            None,
            ["encoder with known input shape", "event_shape"],
        ),
        (
            ENCODER(6),
            keras.Sequential([keras.layers.Dense(16)]),
            None,
            ["decoder with known input shape", "latent_dim"],
        ),
        (
            ENCODER(6),
            layers((1, 3), keras.layers.Dense(16)),
            None,
            ["latent vector", r"\(None, 1, 3\)"],
        ),
    ],
    ids=[
        "encoder",
        "latent",
        "decoder",
        "two parameters",
        "no encoder input",
        "no decoder input",
        "latent rank",
    ],
)
def test_networks_that_do_not_fit_are_refused_with_both_numbers(
    encoder, decoder, likelihood, words
):
    with pytest.raises(ValueError, match=matches(*words)):
        tfvae.VAE(encoder, decoder, likelihood=likelihood)


def test_what_is_no_network_is_refused():
    with pytest.raises(TypeError, match=matches("encoder")):
        tfvae.VAE("mlp", DECODER(3, 16))


@pytest.mark.parametrize("make", [tfvae.mlp_vae, tfvae.conv_vae])
@pytest.mark.parametrize(("shape", "latent"), [((8, 8), 0), ((8, 8), 2.5), ((8, 0), 2), ((), 2)])
def test_sizes_that_are_no_sizes_are_refused(make, shape, latent):
    with pytest.raises((TypeError, ValueError), match=matches("whole numbers")):
        make(shape, latent)


def test_a_convolutional_model_wants_images():
    with pytest.raises(ValueError, match=matches("images")):
        tfvae.conv_vae((784,), 4)


@pytest.mark.parametrize(
    "make",
    [
        lambda: tfvae.ELBO(num_samples=0),
        lambda: tfvae.ELBO(num_samples=1.5),
        lambda: tfvae.ELBO(beta=-1.0),
        lambda: tfvae.ELBO(beta="linear"),
        lambda: tfvae.ELBO(beta=float("nan")),
        lambda: tfvae.IWAE(num_samples=0),
        lambda: Normal(0),
        lambda: Normal(float("inf")),
        lambda: Normal(learn_scale=True, per_element_scale=True),
    ],
)
def test_settings_out_of_range_are_refused(make):
    with pytest.raises(ValueError, match=matches()):
        make()


REFUSED = ["loss", "loss_weights", "metrics", "weighted_metrics"]  # in the order of Keras


@pytest.mark.parametrize("argument", REFUSED)
def test_a_loss_or_metric_of_another_kind_is_refused(small, argument):
    with pytest.raises(ValueError, match=matches("objective", argument)):
        small.vae.compile("adam", **{argument: ["mse"]})
    before = [None] * REFUSED.index(argument)
    with pytest.raises(ValueError, match=matches("objective", argument)):
        small.vae.compile("adam", *before, [1.0])


def test_none_in_their_places_and_what_follows_them_are_taken(small):
    names = list(inspect.signature(keras.Model.compile).parameters)
    assert names[2:7] == [*REFUSED, "run_eagerly"]
    small.vae.compile("adam", None, None, None, None, True)
    assert small.vae.run_eagerly


@pytest.mark.parametrize(
    ("freq", "data"),
    [(1.0, "array"), ({1}, "generator"), nightly((1, 2), "array"), nightly(None, "generator"),
     nightly("1", "array"), nightly(np.int64(1), "generator")],
)  # fmt: skip
def test_a_frequency_of_validations_that_keras_refuses_is_refused_before_a_step(small, freq, data):
    x = zoo.binary()
    given = x if data == "array" else ((x,) for _ in range(3))
    for model in (keras.Sequential([keras.layers.Flatten(), keras.layers.Dense(2)]), small.vae):
        if model is not small.vae:
            model.compile("sgd", "mse")
            inputs = {"x": x, "y": x[:, 0, :2, 0], "validation_data": (x, x[:, 0, :2, 0])}
        else:
            inputs = {"x": given, "validation_data": x, "steps_per_epoch": 1}
        with pytest.raises(ValueError, match="validation_freq.* list"):
            model.fit(**inputs, validation_freq=freq, verbose=0)
    assert int(small.vae.optimizer.iterations) == 0
    if data == "array":
        with pytest.raises(ValueError, match=matches("validation_freq")):
            small.vae.fit(x, validation_split=0.5, validation_freq=freq, verbose=0)
        small.vae.fit(x, validation_freq=freq, verbose=0)  # of no validation, as in Keras


def test_calls_with_wrong_shapes_are_refused(small):
    vae = small.vae
    with pytest.raises(ValueError, match=matches(r"\[B, 4, 4, 1\]")):
        vae.encode(np.zeros((2, 4, 4), np.float32))
    with pytest.raises(ValueError, match=matches("latent size 3")):
        vae.decode(np.zeros((2, 4), np.float32))
    with pytest.raises(ValueError, match=matches("none for any other")):
        vae.sample(3, y=np.arange(3))
    for n in (0, -1):
        with pytest.raises(ValueError, match=matches(f"n={n}")):
            vae.sample(n)
    with pytest.raises(ValueError, match=matches("num_samples=0")):
        tfvae.evaluation.log_likelihood(vae, zoo.binary(), num_samples=0)


def test_bernoulli_evaluates_grey_data_only_where_it_binarizes(digits, digits_vae):
    report = tfvae.evaluation.evaluate(digits_vae, digits.x_test[:20], num_samples=10)
    assert report.binarization == "one Bernoulli draw per value, seed 0"
    fixed = tfvae.datasets.binarize_examples(digits.x_test[:20], seed=0)
    by_hand = tfvae.evaluation.evaluate(digits_vae, fixed, num_samples=10)
    assert (by_hand.nll, by_hand.binarization) == (report.nll, None)
    assert Bernoulli().prepare_for_evaluation(digits.x_test)[1] is None


@pytest.mark.parametrize("backend", ["jax", nightly("torch")])
def test_another_keras_backend_is_refused(backend):
    environment = {**os.environ, "KERAS_BACKEND": backend}
    found = subprocess.run(
        [sys.executable, "-c", "import tfvae; tfvae.VAE"],
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert found.returncode == 1
    assert f"Received: backend '{backend}'" in found.stderr
    assert "KERAS_BACKEND=tensorflow" in found.stderr
