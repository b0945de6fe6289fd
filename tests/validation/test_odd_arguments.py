"""Odd values for every argument of pieces and calls: taken, or refused in words."""

import inspect

import keras
import numpy as np
import pytest
import tensorflow as tf

import tfvae
from tfvae.errors import InputError, InputTypeError

X = (np.random.default_rng(0).random((12, 4)) < 0.5).astype(np.float32)
ODD = [
    "x", 3, -1.5, None, object(), [1], float("nan"), {}, np.ones(3), b"x", True, (), ["a"], -1, 0,
    tfvae.likelihoods.Bernoulli(), tfvae.likelihoods.Bernoulli, tfvae.priors.StandardNormal(),
    keras.layers.Dense(2), tf.constant(2), [[1, 2], [3]],
]  # fmt: skip
NEEDED = {  # of arguments without a default
    "flow": tfvae.flows.RealNVP(),
    "networks": [keras.Sequential([keras.Input((2,)), keras.layers.Dense(4)])],
    "network": keras.Sequential([keras.Input((2,)), keras.layers.Dense(4)]),
    "base": tfvae.likelihoods.Normal(1.0),
    "likelihoods": [tfvae.likelihoods.Normal(1.0)],
    "objective": tfvae.objectives.ELBO(),
    "regularizers": [tfvae.regularizers.MMD()],
}
MODULES = ["likelihoods", "priors", "posteriors", "flows", "objectives", "regularizers"]
REFUSED = (InputError, InputTypeError, NotImplementedError)


def name_of(value):
    """A name without an address in memory, the same in every process."""
    return value.__name__ if inspect.isclass(value) else type(value).__name__


def pieces():
    """The public pieces, each with its arguments."""
    found = []
    for name in MODULES:
        for cls in vars(getattr(tfvae, name)).values():
            if inspect.isclass(cls) and cls.__module__.startswith("tfvae."):
                parameters = list(inspect.signature(cls.__init__).parameters.values())[1:]
                found.append((cls, [p for p in parameters if p.kind is p.POSITIONAL_OR_KEYWORD]))
    return found


@pytest.mark.parametrize(("cls", "parameters"), pieces(), ids=name_of)
def test_a_piece_takes_or_refuses_in_words_what_it_is_made_with(cls, parameters):
    for odd_one in parameters:
        needed = {p.name: NEEDED.get(p.name, 3) for p in parameters if p.default is p.empty}
        for value in ODD:
            try:
                cls(**{**needed, odd_one.name: value})
            except REFUSED as error:
                assert str(error)


@pytest.fixture(scope="module")
def vae():
    made = tfvae.mlp_vae((4,), 2, (4,), seed=0)
    made.compile("adam", jit_compile=False, steps_per_execution=1)
    made.fit(X, verbose=0)
    return made


NUMBERS = ["batch_size", "epochs", "initial_epoch", "steps_per_epoch", "validation_steps"]
NO_NUMBERS = ["x", 1.5, object(), [1], float("nan"), {}, np.ones(3), b"x", True, ()]


@pytest.mark.parametrize("name", [*NUMBERS, "validation_batch_size"])
@pytest.mark.parametrize("value", NO_NUMBERS, ids=name_of)
def test_fit_refuses_what_is_no_whole_number(vae, name, value):
    with pytest.raises(InputError, match=f"{name} to be a whole number"):
        vae.fit(X, verbose=0, **{name: value})


@pytest.mark.parametrize("value", [np.int64(2), tf.constant(2)])
def test_any_whole_number_is_one(vae, value):
    history = vae.fit(X, verbose=0, epochs=value, batch_size=value * 3, steps_per_epoch=value)
    assert len(history.epoch) == 2
    assert len(vae.predict(X, batch_size=value, verbose=0)) == len(X)
    assert vae.evaluate(X, batch_size=value, steps=value, verbose=0, return_dict=True)


@pytest.mark.parametrize("value", ["x", -0.5, 1.5, [1]])
def test_a_share_is_one(vae, value):
    with pytest.raises(InputError, match="validation_split to be a finite number"):
        vae.fit(X, verbose=0, validation_split=value)


@pytest.mark.parametrize("value", ["x", 3, [1], [keras.callbacks.EarlyStopping]], ids=str)
@pytest.mark.parametrize("call", ["fit", "evaluate", "predict"])
def test_callbacks_are_objects(vae, call, value):
    with pytest.raises(InputTypeError, match="EarlyStopping\\(\\)"):
        getattr(vae, call)(X, verbose=0, callbacks=value)


def test_a_model_without_an_optimizer_is_not_trained():
    vae = tfvae.mlp_vae((4,), 2, (4,))
    vae.compile(None, jit_compile=False)
    with pytest.raises(InputError, match="optimizer=None"):
        vae.fit(X, verbose=0)
    assert vae.evaluate(X, verbose=0)


RAGGED = [[1, 0], [1]]


@pytest.mark.parametrize("given", [{"x": RAGGED}, {"x": X, "sample_weight": RAGGED}])
def test_lists_of_different_lengths_are_refused(vae, given):
    for call in (vae.fit, vae.evaluate):
        with pytest.raises(InputError, match="lists of different lengths"):
            call(**given, verbose=0)


@pytest.mark.parametrize(
    "call",
    [
        lambda model: tfvae.evaluation.evaluate(model, X),
        lambda model: tfvae.evaluation.log_likelihood(model, X),
        lambda model: tfvae.evaluation.active_units(model, X),
        lambda model: tfvae.imputation.impute(model, X),
    ],
    ids=["evaluate", "log_likelihood", "active_units", "impute"],
)
@pytest.mark.parametrize("model", ["vae.keras", keras.Sequential(), None, tfvae.VAE])
def test_what_is_no_model_is_neither_evaluated_nor_asked_to_impute(call, model):
    with pytest.raises(InputTypeError, match="a tfvae.VAE to"):
        call(model)
