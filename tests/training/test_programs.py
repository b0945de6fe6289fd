"""Compiled programs follow the model's attributes, XLA's refusals, and the sizes of batches."""

import logging

import keras
import numpy as np
import pytest
import tensorflow as tf

import tfvae
from tests.conftest import matches
from tests.support import zoo
from tests.support.nightly import nightly
from tests.training.subjects import ON_A_CPU
from tfvae.training import batch_sources

X = zoo.real(24)


def model(objective=None, likelihood=None, **compile):
    keras.utils.set_random_seed(0)
    likelihood = likelihood or tfvae.likelihoods.Normal(1.0)
    vae = tfvae.mlp_vae(zoo.SHAPE, 2, (4,), likelihood=likelihood, objective=objective, seed=0)
    vae.compile(keras.optimizers.SGD(0.0), jit_compile=False, **compile)
    return vae


def logs_of_fit(vae):
    logs = vae.fit(X, batch_size=8, shuffle=False, verbose=0).history
    return {name: values[-1] for name, values in logs.items()}


def test_a_changed_weight_of_the_rate_takes_effect_at_the_next_fit():
    vae = model(tfvae.ELBO(beta=1.0))
    logs_of_fit(vae)
    vae.objective.beta = 9.0
    logs = logs_of_fit(vae)
    assert logs["loss"] == pytest.approx(logs["distortion"] + 9.0 * logs["rate"], rel=1e-5)


def test_another_objective_takes_effect_at_the_next_fit_and_evaluation():
    vae = model(tfvae.ELBO(beta=1.0))
    logs_of_fit(vae)
    vae.evaluate(X, verbose=0)
    vae.objective = tfvae.ELBO(beta=0.0)
    logs = logs_of_fit(vae)
    assert logs["loss"] == pytest.approx(logs["distortion"], rel=1e-5)
    logs = vae.evaluate(X, verbose=0, return_dict=True)
    assert logs["loss"] == pytest.approx(logs["distortion"], rel=1e-5)


def test_another_objective_is_checked_before_it_takes_the_place_of_the_first():
    vae = tfvae.mlp_vae((6,), 2, (4,), posterior=tfvae.posteriors.FullNormal(), seed=1)
    first = vae.objective
    with pytest.raises(ValueError, match=matches("independent", "FullNormal")):
        vae.objective = tfvae.ELBO(free_bits=0.5)
    assert vae.objective is first


def test_another_estimator_is_checked_with_the_objective_there_is():
    vae = model(tfvae.objectives.IWAE(3))
    with pytest.raises(ValueError, match=matches("StickingTheLanding", "DoublyReparameterized")):
        vae.estimator = tfvae.gradients.StickingTheLanding()
    vae.estimator = tfvae.gradients.DoublyReparameterized()
    assert np.isfinite(logs_of_fit(vae)["loss"])


@pytest.mark.parametrize(
    "name, fix", [("prior", "with_prior"), ("likelihood", "new VAE"), ("encoder", "new VAE")]
)
def test_a_piece_that_the_optimizer_knows_is_not_exchanged(name, fix):
    vae, other = model(), model()
    with pytest.raises(ValueError, match=matches(name, "optimizer", fix)):
        setattr(vae, name, getattr(other, name))
    setattr(vae, name, getattr(vae, name))


def test_a_changed_scale_of_the_likelihood_takes_effect_in_log_likelihood():
    vae = model()
    first = tfvae.evaluation.log_likelihood(vae, X, 20)
    vae.likelihood.scale = 2.0
    fresh = model(likelihood=tfvae.likelihoods.Normal(2.0))
    found, expected = (tfvae.evaluation.log_likelihood(v, X, 20) for v in (vae, fresh))
    assert found == pytest.approx(expected, abs=1e-4)
    assert abs(found - first).max() > 0.1


def test_a_changed_weight_of_a_regularizer_takes_effect():
    vae = model(tfvae.ELBO() + 0.0 * tfvae.regularizers.LatentNorm())
    before = logs_of_fit(vae)
    assert before["loss"] == pytest.approx(-before["elbo"], rel=1e-5)
    vae.objective.regularizers[0].weight = 100.0
    after = logs_of_fit(vae)
    assert after["loss"] > -after["elbo"] + 1.0


def test_a_changed_attribute_of_a_users_model_within_a_network_takes_effect():
    class Scaled(keras.Model):
        def __init__(self):
            super().__init__()
            self.factor = 1.0

        def call(self, x):
            return x * self.factor

    inputs, scaled = keras.Input(zoo.SHAPE), Scaled()
    flat = keras.layers.Flatten()(scaled(inputs))
    encoder = keras.Model(inputs, keras.layers.Dense(4, bias_initializer="ones")(flat))
    pixels = [keras.layers.Dense(16), keras.layers.Reshape(zoo.SHAPE)]
    decoder = keras.Sequential([keras.Input((2,)), *pixels])
    vae = tfvae.VAE(encoder, decoder, likelihood=tfvae.likelihoods.Normal(1.0), seed=0)
    vae.compile(jit_compile=False)
    first = vae.evaluate(X, verbose=0, return_dict=True)["rate"]
    scaled.factor = 9.0
    assert vae.evaluate(X, verbose=0, return_dict=True)["rate"] > first + 1.0


def test_a_layer_that_is_frozen_between_two_fits_stays_as_it_is():
    vae = model()
    vae.compile(keras.optimizers.SGD(0.1), jit_compile=False)
    logs_of_fit(vae)
    vae.encoder.trainable = False
    frozen = [v.numpy() for v in vae.encoder.weights]
    moved = [v.numpy() for v in vae.decoder.weights]
    logs_of_fit(vae)
    assert all(np.array_equal(v.numpy(), w) for v, w in zip(vae.encoder.weights, frozen))
    assert any(not np.array_equal(v.numpy(), w) for v, w in zip(vae.decoder.weights, moved))


@pytest.mark.xla
@ON_A_CPU
def test_an_update_by_xla_is_of_the_layers_that_are_trained_now():
    """Of two layers of the same shapes one after the other is frozen."""
    layers = keras.layers
    first, second = layers.Dense(16), layers.Dense(16)
    convolved = [layers.Conv2D(1, 3, padding="same"), layers.Flatten()]
    encoder = keras.Sequential([keras.Input(zoo.SHAPE), *convolved, first, second, layers.Dense(4)])
    decoder = model().decoder
    vae = tfvae.VAE(encoder, decoder, likelihood=tfvae.likelihoods.Normal(1.0), seed=0)
    vae.compile(keras.optimizers.SGD(0.1))
    assert vae.compilation_plan(8).update
    vae.optimizer.build(vae.trainable_variables)
    for frozen, trained in ((second, first), (first, second)):
        frozen.trainable, trained.trainable = False, True
        before = [layer.kernel.numpy() for layer in (frozen, trained)]
        logs_of_fit(vae)
        after = [layer.kernel.numpy() for layer in (frozen, trained)]
        assert [np.array_equal(a, b) for a, b in zip(after, before)] == [True, False]


def test_a_second_fit_of_an_unchanged_model_traces_nothing():
    vae = model()
    logs_of_fit(vae)
    programs = vae.programs_of("train_step")
    made = dict(programs.functions())
    logs_of_fit(vae)
    assert programs.functions() == made
    assert all(function.experimental_get_tracing_count() == 1 for function in made.values())


def test_a_warm_up_goes_on_after_a_new_compile():
    rise = keras.optimizers.schedules.PolynomialDecay(0.0, 6, 1.0)
    vae = model(tfvae.ELBO(beta=rise))
    logs_of_fit(vae)  # 3 steps
    vae.compile(keras.optimizers.SGD(0.0), jit_compile=False)
    vae.reset_metrics()  # which Keras 3.12 leaves to its user
    logs = vae.train_on_batch(X, return_dict=True)
    assert logs["loss"] == pytest.approx(logs["distortion"] + 0.5 * logs["rate"], rel=1e-5)


@pytest.mark.xla
@pytest.mark.parametrize("refused", ["layer", nightly("operation"), "evaluation"])
def test_what_xla_cannot_compile_runs_as_a_graph_and_says_so_once(refused, caplog):
    class Sorted(keras.layers.Layer):
        def call(self, x):
            # An operation that XLA has no kernel for.
            total = tf.numpy_function(np.float32, [tf.reduce_sum(x)], tf.float32)
            return x + 0.0 * tf.reshape(total, [1, 1])

    if refused == "layer":
        extra = Sorted()
        extra.supports_jit = False
    else:
        extra = Sorted()
    keras.utils.set_random_seed(0)
    plain = tfvae.mlp_vae(zoo.SHAPE, 2, (4,))
    decoder = keras.Sequential([keras.Input((2,)), extra, *plain.decoder.layers[1:]])
    vae = tfvae.VAE(plain.encoder, decoder, seed=0)
    vae.compile()
    x = zoo.binary(24)
    with caplog.at_level(logging.WARNING, "tfvae"):
        if refused == "evaluation":
            tfvae.evaluation.log_likelihood(vae, x, 5)
        for _ in range(2):
            vae.fit(x, batch_size=8, verbose=0)
        tfvae.evaluation.log_likelihood(vae, x, 5)
    said = [record for record in caplog.records if "XLA cannot compile" in record.getMessage()]
    assert len(said) == (refused != "layer")
    # In Keras' loop, which cannot go back to a graph, XLA is not tried.
    assert np.isfinite(vae.train_on_batch(x[:8], return_dict=True)["loss"])
    assert int(vae.optimizer.iterations) == 7


def test_batches_of_several_sizes_are_not_padded():
    heights = []

    def stack(batches, height, stack=batch_sources.stack):
        heights.append((len(batches), height))
        return stack(batches, height)

    vae = model()
    sizes = [8, 4] * 6

    def examples():
        for size in sizes:
            yield X[:size]

    spec = tf.TensorSpec((None, *zoo.SHAPE), tf.float32)
    data = tf.data.Dataset.from_generator(examples, output_signature=spec)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(batch_sources, "stack", stack)
        vae.fit(data, verbose=0)
    assert heights == [(1, 1)] * len(sizes)
    assert int(vae.optimizer.iterations) == len(sizes)
