"""What Keras' users type out of habit: it works, or an error says what to type."""

import keras
import numpy as np
import pytest

import tfvae
from tests.conftest import matches
from tfvae import gradients, likelihoods, objectives, posteriors, priors
from tfvae.errors import InputError, InputTypeError

HABITS = [
    ("likelihood", "bernoulli", "tfvae.likelihoods.Bernoulli()"),
    ("likelihood", "discretized_logistic", "tfvae.likelihoods.DiscretizedLogistic()"),
    ("likelihood", likelihoods.Normal, "likelihood=Normal()"),
    ("likelihood", likelihoods.Observed, "likelihood=Observed(...)"),
    ("likelihood", priors.StandardNormal(), "tfvae.likelihoods."),
    ("prior", "vamp_prior", "tfvae.priors.VampPrior()"),
    ("prior", priors.GaussianMixture, "prior=GaussianMixture()"),
    ("posterior", "full normal", "tfvae.posteriors.FullNormal()"),
    ("posterior", posteriors.Flow, "posterior=Flow(...)"),
    ("objective", "iwae", "tfvae.objectives.IWAE()"),
    ("objective", objectives.ELBO, "objective=ELBO()"),
    ("estimator", "pathwise", "tfvae.gradients.Pathwise()"),
    ("estimator", 3, "tfvae.gradients."),
]


@pytest.mark.parametrize(("role", "value", "call"), HABITS)
def test_a_name_or_a_class_is_answered_by_the_call_to_pass(role, value, call):
    with pytest.raises(InputTypeError, match=matches(f"{role} to be a", call)):
        tfvae.mlp_vae(4, 2, (4,), **{role: value})


@pytest.mark.parametrize("build", [tfvae.conv_vae, tfvae.conv1d_vae, tfvae.hierarchical_vae])
def test_every_builder_answers_before_it_asks_the_piece_for_a_size(build):
    shape = (8, 8) if build is tfvae.conv_vae else (8,)
    latents = (3, 2) if build is tfvae.hierarchical_vae else 2
    with pytest.raises(InputTypeError, match=matches("tfvae.likelihoods.Bernoulli()")):
        build(shape, latents, (4,), likelihood="bernoulli")


def test_an_objective_that_is_assigned_is_an_object_too():
    vae = tfvae.mlp_vae(4, 2, (4,))
    with pytest.raises(InputTypeError, match=matches("tfvae.objectives.IWAE()")):
        vae.objective = "iwae"
    vae.objective = objectives.IWAE(3)
    assert isinstance(vae.estimator, gradients.Pathwise)


@pytest.mark.parametrize("method", ["encode", "reconstruct"])
def test_examples_that_the_model_does_not_take_are_refused(method):
    vae = tfvae.mlp_vae(4, 2, (4,))
    call = getattr(vae, method)
    call(np.eye(4, dtype=np.float32))
    call([[0, 1, 1, 0]])
    for x, words in (
        (np.full((2, 4), 255.0), "divide 8-bit values by 255"),
        (np.full((2, 4), np.nan), "NaN"),
        ([["a"] * 4], "numbers in x"),
        (np.zeros((2, 5)), r"a batch of shape \[B, 4\]"),
    ):
        with pytest.raises(InputError, match=words):
            call(x)


MONITORS = [
    lambda name, **how: keras.callbacks.EarlyStopping(name, patience=1, **how),
    lambda name, **how: keras.callbacks.ModelCheckpoint(
        "best.keras", monitor=name, save_best_only=True, **how
    ),
    lambda name, **how: keras.callbacks.ReduceLROnPlateau(name, **how),
]


@pytest.mark.parametrize("make", MONITORS)
def test_what_is_monitored_gets_better_in_the_direction_of_the_bound(tmp_path, monkeypatch, make):
    monkeypatch.chdir(tmp_path)
    vae = tfvae.mlp_vae(4, 2, (4,), seed=0)
    vae.compile("sgd")
    x = np.eye(4, dtype=np.float32)
    elbo, distortion, stated = make("val_elbo"), make("distortion"), make("val_elbo", mode="min")
    vae.fit(x, validation_data=(x,), verbose=0, callbacks=[elbo, distortion, stated])
    for callback, greater in ((elbo, True), (distortion, False), (stated, False)):
        assert bool(callback.monitor_op(2.0, 1.0)) == greater
    assert (elbo.mode, stated.mode) == ("auto", "min")
    assert distortion.min_delta <= 0 <= elbo.min_delta


def test_the_best_model_by_the_bound_is_the_one_of_the_highest(tmp_path):
    vae = tfvae.mlp_vae(4, 2, (4,), seed=0)
    vae.compile(keras.optimizers.SGD(0.5))
    x = np.eye(4, dtype=np.float32)
    best = keras.callbacks.ModelCheckpoint(
        str(tmp_path / "best.keras"), monitor="elbo", save_best_only=True
    )
    history = vae.fit(x, epochs=8, verbose=0, callbacks=[best]).history["elbo"]
    assert best.best == pytest.approx(max(history))


def test_keras_own_export_says_what_to_call():
    with pytest.raises(InputError, match=matches("to_saved_model", "to_tflite")):
        tfvae.mlp_vae(4, 2, (4,)).export("folder")
