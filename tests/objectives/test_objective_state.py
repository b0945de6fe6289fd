"""Variables of objectives and estimators belong to the model, and move in training alone."""

import keras
import numpy as np
import pytest
import tensorflow as tf

import tfvae
from tests.conftest import largest_difference
from tests.support import zoo
from tests.support.nightly import nightly
from tfvae import gradients, objectives, posteriors, priors, regularizers


@keras.saving.register_keras_serializable("tests")
class GECO(objectives.Objective):
    """rate + exp(m) (distortion - tolerance), m rising while the constraint is not met.

    References:
        Rezende & Viola, Taming VAEs. 2018. arXiv:1810.00597, algorithm 1.
    """

    def __init__(self, tolerance, speed=0.1, num_samples=1):
        super().__init__(num_samples)
        self.tolerance, self.speed = tolerance, speed
        self.log_multiplier = keras.Variable(0.0, trainable=False, name="log_multiplier")

    def __call__(self, terms, step=0):
        return terms.rate + tf.exp(self.log_multiplier.value) * (terms.distortion - self.tolerance)

    def update(self, terms, step=0):
        violation = terms.mean_over_examples(terms.distortion) - self.tolerance
        self.log_multiplier.assign_add(self.speed * violation)

    def get_config(self):
        return {**super().get_config(), "tolerance": self.tolerance, "speed": self.speed}


@keras.saving.register_keras_serializable("tests")
class LearnedBalance(objectives.Objective):
    """rate + exp(-s) distortion + s, with a trained s."""

    def __init__(self, num_samples=1):
        super().__init__(num_samples)
        self.s = keras.Variable(0.5, name="balance")

    def __call__(self, terms, step=0):
        return terms.rate + tf.exp(-self.s.value) * terms.distortion + self.s.value


@keras.saving.register_keras_serializable("tests")
class Reinforce(gradients.ScoreFunction):
    """The score function with a moving average of the loss as its baseline.

    A network's guess is added.
    """

    def __init__(self):
        self.average = keras.Variable(0.0, trainable=False, name="average")
        self.network = keras.Sequential([keras.Input((1,)), keras.layers.Dense(1)])

    def losses(self, objective, terms, step):
        loss = objective(terms, step)
        guess = self.network(terms.log_prior[0][:, None])[:, 0]
        signal = tf.stop_gradient(loss - self.average.value)
        self.average.assign(0.5 * self.average.value + 0.5 * tf.reduce_mean(loss))
        surrogate = tf.reduce_sum(signal * terms.log_posterior, axis=0)
        return [loss + surrogate - tf.stop_gradient(surrogate) + (guess - tf.stop_gradient(guess))]


def model(objective, **kwargs):
    vae = tfvae.mlp_vae(zoo.SHAPE, zoo.LATENT, (8,), objective=objective, seed=1, **kwargs)
    return vae, zoo.binary()


@pytest.mark.parametrize(
    "compiled",
    [
        {"run_eagerly": True},
        {"jit_compile": False},
        nightly({"jit_compile": True}),
    ],
)
def test_a_multiplier_follows_its_constraint_step_by_step_and_enters_the_loss(compiled):
    objective = GECO(tolerance=8.0)
    vae, x = model(objective)
    vae.compile(keras.optimizers.SGD(0.05), **compiled)
    logs = vae.fit(x, batch_size=12, epochs=4, verbose=0).history
    m = 0.0
    for loss, rate, distortion in zip(logs["loss"], logs["rate"], logs["distortion"]):
        assert loss == pytest.approx(rate + np.exp(m) * (distortion - 8.0), rel=1e-4)
        m += 0.1 * (distortion - 8.0)
    assert float(objective.log_multiplier) == pytest.approx(m, rel=1e-4)
    assert m > 0.5
    vae.evaluate(x, verbose=0)
    vae.log_weights(x, 2)
    assert float(objective.log_multiplier) == pytest.approx(m, rel=1e-4)


def test_a_multiplier_is_a_variable_of_the_model_and_comes_back_from_a_file(tmp_path):
    vae, x = model(GECO(tolerance=8.0) + 2.0 * regularizers.MMD())
    vae.compile(keras.optimizers.SGD(0.05), jit_compile=False)
    vae.fit(x, batch_size=4, verbose=0)
    multiplier = vae.objective.objective.log_multiplier
    assert any(v is multiplier for v in vae.non_trainable_variables)
    vae.save(tmp_path / "model.keras")
    loaded = tfvae.load_model(tmp_path / "model.keras")
    found = loaded.objective.objective.log_multiplier
    assert float(found) == float(multiplier) != 0.0
    for going_on in (vae, loaded):
        going_on.fit(x, batch_size=4, shuffle=False, verbose=0)
    assert float(found) == pytest.approx(float(multiplier), rel=1e-5)


def test_a_trainable_variable_of_an_objective_is_trained_by_the_loss(tmp_path):
    vae, x = model(LearnedBalance())
    vae.compile(keras.optimizers.SGD(0.1), jit_compile=False)
    logs = vae.fit(x, batch_size=12, verbose=0).history
    expected = 0.5 - 0.1 * (1 - np.exp(-0.5) * logs["distortion"][0])
    assert float(vae.objective.s) == pytest.approx(expected, rel=1e-4)
    vae.save(tmp_path / "model.keras")
    assert float(tfvae.load_model(tmp_path / "model.keras").objective.s) == float(vae.objective.s)


def test_an_estimator_may_hold_a_baseline_and_a_network(tmp_path):
    pieces = {
        "posterior": posteriors.Categorical(3),
        "prior": priors.Categorical(3),
        "estimator": Reinforce(),
    }
    vae, x = model(objectives.ELBO(2, analytic_rate=False), **pieces)
    vae.compile(keras.optimizers.SGD(0.01), jit_compile=False)
    bias = vae.estimator.network.weights[1].numpy()
    loss = vae.fit(x, batch_size=12, verbose=0).history["loss"][0]
    assert float(vae.estimator.average) == pytest.approx(0.5 * loss, rel=1e-5)
    change = vae.estimator.network.weights[1].numpy() - bias
    assert change == pytest.approx(-0.01, rel=1e-4)  # of what enters the loss as it is
    vae.evaluate(x, verbose=0)
    assert float(vae.estimator.average) == pytest.approx(0.5 * loss, rel=1e-5)

    vae.save(tmp_path / "model.keras")
    loaded = tfvae.load_model(tmp_path / "model.keras").estimator
    assert float(loaded.average) == float(vae.estimator.average)
    for ours, theirs in zip(vae.estimator.network.weights, loaded.network.weights):
        assert largest_difference(ours, theirs) == 0
