"""What every composition of pieces does, whatever the pieces."""

import contextlib
import inspect

import keras
import numpy as np
import pytest
import tensorflow as tf

import tfvae
from tests.conftest import largest_difference, matches
from tests.support import zoo
from tests.support.nightly import nightly
from tfvae import (
    flows,
    gradients,
    likelihoods,
    objectives,
    pieces,
    posteriors,
    priors,
    random,
    regularizers,
)
from tfvae.export import quantize, signatures, tflite
from tfvae.export.runtime import InterpreterRuntime, run_part
from tfvae.ops import xla
from tfvae.testing import exports
from tfvae.testing import models as checked


def _by_day_and_night(few, names):
    """The few compositions that are run by day, and the others, which are so by `-m nightly`."""
    others = [name for name in names if name not in few]
    return [*few, *(nightly(name) for name in others)]


everything = pytest.mark.parametrize(
    "specimen", _by_day_and_night(zoo.FEW, zoo.BUILDERS), indirect=True
)
# What does not depend on how a model is trained.
every_model = pytest.mark.parametrize(
    "specimen",
    _by_day_and_night(
        zoo.FEW,
        [name for name in zoo.BUILDERS if name.count("-") < 2 or name.endswith("-elbo-pathwise")],
    ),
    indirect=True,
)


@contextlib.contextmanager
def eagerly():
    """Compiling each of the many compositions would take most of the time."""
    tf.config.run_functions_eagerly(True)
    try:
        yield
    finally:
        tf.config.run_functions_eagerly(False)


def easy_to_estimate(vae, x):
    """Makes q(z|x) the same for every x, so that few samples are enough.

    Returns x, binary where the likelihood wants it so.
    """
    for weight in vae.encoder.weights:
        weight.assign(0 * weight)
    return (x > 0.5).astype(np.float32) if isinstance(vae.likelihood, likelihoods.Bernoulli) else x


def train_a_step(vae, x, y):
    vae.fit(x, y, batch_size=len(x), epochs=1, verbose=0, shuffle=False)


@everything
def test_trains_evaluates_samples_and_returns_from_a_keras_file(specimen):
    """Op by op: tracing each of the many compositions would take most of the time."""
    vae, x, y = specimen
    checked.move_weights(vae.trainable_variables, seed=2)
    checked.check_training(vae, x, y)
    four = None if y is None else y[:4]
    for draw in (False, True):
        assert vae.sample(4, seed=7, y=four, draw=draw).shape == (4, *vae.event_shape)
    inputs = x if y is None else [x, y]
    assert vae.predict(inputs, verbose=0).shape == x.shape
    checked.check_keras_file(vae, x, y)


@pytest.mark.parametrize("name", _by_day_and_night(zoo.IN_PIECES, zoo.IN_PIECES_BY_NIGHT))
def test_a_step_whose_pieces_xla_compiles_changes_the_weights_as_one_by_operations(name):
    found = []
    for compiler in (xla.CompilationPlan("", between_networks=True), xla.GRAPH):
        keras.utils.set_random_seed(0)
        vae, x, y = zoo.BUILDERS[name]()
        vae.compile(keras.optimizers.SGD(0.1))
        vae.optimizer.build(vae.trainable_variables)
        start = vae.get_weights()
        with xla.tracing_for(compiler):
            logs = vae.train_step(tf.nest.map_structure(tf.constant, x if y is None else (x, y)))
        change = [np.ravel(after - before) for after, before in zip(vae.get_weights(), start)]
        found.append((float(logs["loss"]), np.concatenate(change)))
    (loss, change), (expected_loss, expected) = found
    assert loss == pytest.approx(expected_loss, rel=1e-5)
    assert change == pytest.approx(expected, rel=1e-4, abs=1e-5)
    assert abs(expected).max() > 1e-3


@every_model
def test_log_weights_have_a_row_per_sample_and_estimate_the_likelihood(specimen):
    vae, x, y = specimen
    if not vae.posterior.has_density:
        for question in (
            lambda: vae.log_weights(x, 5),
            lambda: tfvae.evaluation.log_likelihood(vae, x, 5),
        ):
            with pytest.raises(ValueError, match=matches("density", "Deterministic")):
                question()
        return
    x = easy_to_estimate(vae, x)
    log_weights = vae.log_weights(x, 50, seed=3, y=y)
    assert log_weights.shape == (50, len(x))
    with eagerly():
        found = tfvae.evaluation.log_likelihood(vae, x, 2000, y=y)
    assert found.shape == (len(x),)
    by_hand = tf.reduce_logsumexp(vae.log_weights(x, 2000, seed=4, y=y), axis=0) - np.log(2000)
    assert abs(float(np.mean(found - by_hand))) < 0.5
    assert (found > log_weights.numpy().mean(axis=0) - 0.5).all()


@pytest.mark.xla
@pytest.mark.parametrize(
    "specimen", _by_day_and_night(zoo.COMPILED, zoo.COMPILED_BY_NIGHT), indirect=True
)
def test_the_compiled_estimate_of_the_likelihood_is_that_of_its_operations(specimen):
    vae, x, y = specimen
    x = easy_to_estimate(vae, x)
    compiled = tfvae.evaluation.log_likelihood(vae, x, 2000, y=y)
    with eagerly():  # where TFP's own draws are others
        difference = compiled - tfvae.evaluation.log_likelihood(vae, x, 2000, y=y)
    assert abs(float(np.mean(difference))) < 0.5


@pytest.mark.parametrize("name", _by_day_and_night(zoo.EXPORTED, zoo.EXPORTED_BY_NIGHT))
def test_the_exported_file_draws_what_the_model_draws(name):
    vae, x, y = zoo.BUILDERS[name]()
    # The usual encoder of the usual posterior is in the files of the digits.
    usual = type(vae.posterior) is posteriors.DiagonalNormal and not name.startswith("conv")
    exports.check_tflite(vae, None if usual else x, y)


@pytest.mark.parametrize(
    "name", _by_day_and_night(("all_in_columns", "discretized_mixture"), zoo.LIKELIHOODS)
)
def test_every_likelihood_draws_and_averages_on_the_device(name):
    """Its two parts of the exported file alone; all but one as the columns of one file."""
    if name == "all_in_columns":
        likelihood = zoo.all_in_columns()
        vae = tfvae.mlp_vae(sum(likelihood.widths), 2, (4,), likelihood=likelihood, seed=1)
    else:
        vae = zoo._mlp("diagonal", "standard", name, "elbo", "pathwise").vae
    found = signatures.parts(vae, 3, encoder=False)
    found = {part: found[part] for part in ("mean", "draw")}
    models = quantize.convert_parts(vae, found, None, {})
    tflite.check_operators(models["draw"], {})
    params = vae.decode_batch(vae.sample_latent(3, seed=1), None, training=False).numpy()
    inputs = {"params": params, "seed": np.array([7], np.int32), "index": np.array([0], np.int32)}
    drawn = InterpreterRuntime(models["draw"]).run("draw", inputs)["x"]
    noise = random.Stream(random.seed_key(tf.constant(7)), tf.range(3)).fold_in(random.TAGS["draw"])
    assert largest_difference(drawn, vae.likelihood.draw(params, noise)) < 1e-4
    mean = run_part(models, found, "mean", {"params": params})["x"]
    assert largest_difference(mean, vae.likelihood.mean(params)) < 1e-4


@every_model
def test_the_density_of_a_structure_is_that_of_its_layers(specimen):
    """log q and log p sum over the latent's layers: shape [K, B] whatever the structure."""
    vae, x, y = specimen
    if not vae.posterior.has_density:
        return
    terms = vae.terms(x, 5, seed=0, y=y)
    for values in (terms.log_prior, terms.log_posterior, terms.log_likelihood):
        assert values.shape == (5, len(x))
    if terms.analytic_rate is not None:
        many = vae.terms(x, 4000, seed=0, y=y)
        assert largest_difference(many.monte_carlo_rate, many.analytic_rate) < 0.25


def test_every_piece_has_a_name_of_its_own_in_keras_files():
    for module in (flows, gradients, likelihoods, objectives, posteriors, priors, regularizers):
        for _, cls in inspect.getmembers(module, inspect.isclass):
            name = keras.saving.get_registered_name(cls)
            if ">" in name:
                assert keras.saving.get_registered_object(name) is cls


def test_every_public_piece_is_in_the_zoo():
    def public(module, base):
        found = {c for _, c in inspect.getmembers(module, inspect.isclass)}
        found = {c for c in found if c.__module__.startswith(module.__name__)}
        found = {c for c in found if issubclass(c, base) and c is not base}
        return {c for c in found if not c.__name__.startswith("_")}

    def in_zoo(makers):
        return {type(make()) for make in makers}

    others = [zoo.BUILDERS[name]().vae for name in ("bottom_up", "ladder", "conditional_prior")]
    found = in_zoo(zoo.POSTERIORS.values()) | {type(vae.posterior) for vae in others}
    assert public(posteriors, pieces.Posterior) <= found
    found = in_zoo(zoo.PRIORS.values()) | {type(vae.prior) for vae in others}
    assert public(priors, pieces.Prior) <= found
    assert public(flows, flows.Flow) <= in_zoo(zoo.FLOWS.values())
    found = in_zoo(make for make, _ in zoo.LIKELIHOODS.values())
    assert public(likelihoods, pieces.Likelihood) <= found
    assert public(objectives, objectives.Objective) <= in_zoo(zoo.OBJECTIVES.values())
    penalties = [getattr(make(), "regularizers", []) for make in zoo.OBJECTIVES.values()]
    found = {type(penalty) for several in penalties for penalty in several}
    assert public(regularizers, regularizers.Regularizer) <= found
    assert public(gradients, gradients.Estimator) <= in_zoo(zoo.ESTIMATORS.values())


def test_every_piece_of_the_zoo_is_composed_by_day():
    by_kind = (zoo.POSTERIORS, zoo.PRIORS, zoo.LIKELIHOODS, zoo.OBJECTIVES, zoo.ESTIMATORS)
    for composed, known in zip(zip(*zoo.COVERING), by_kind):
        assert set(composed) == set(known)


@pytest.mark.parametrize(
    ("objective", "estimator"),
    [
        (o, e)
        for e in zoo.ESTIMATORS
        if e != "enumeration"
        for o in zoo.OBJECTIVES
        if o not in zoo.SENSIBLE[e]
    ],
)
def test_an_estimator_wrong_for_an_objective_is_refused_at_construction(objective, estimator):
    with pytest.raises(ValueError, match=matches(type(zoo.OBJECTIVES[objective]()).__name__)):
        zoo._mlp("diagonal", "standard", "bernoulli", objective, estimator)


@pytest.mark.parametrize(
    ("posterior", "prior"),
    [(a, b) for a in zoo.POSTERIORS for b in zoo.PRIORS if not zoo.fitting(a, b)],
)
def test_a_prior_over_another_set_than_the_posterior_is_refused_at_construction(posterior, prior):
    with pytest.raises(ValueError, match=matches(type(zoo.POSTERIORS[posterior]()).__name__)):
        zoo._pair(posterior, prior)


def test_traced_and_eager_steps_give_the_same_weights():
    """The conformance tests run eagerly; this is why they may."""
    found = []
    for eagerly in (True, False):
        keras.utils.set_random_seed(0)
        vae, x, _ = zoo.BUILDERS["bernoulli_dynamic-iwae-doubly"]()
        vae.compile(run_eagerly=eagerly, jit_compile=False)
        vae.fit(x, batch_size=6, epochs=1, verbose=0, shuffle=False)
        found.append(np.concatenate([np.ravel(w) for w in vae.get_weights()]))
    assert largest_difference(*found) < 1e-5
