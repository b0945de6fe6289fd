"""Small models around one piece, and checks of models: training and `.keras` files."""

import inspect
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import tensorflow as tf

from tfvae._keras.backend import keras
from tfvae.errors import invalid
from tfvae.testing.failure import failed

if TYPE_CHECKING:
    from tfvae.models.vae import VAE

layers = keras.layers


# ---- composing


def encoder_and_decoder(
    event_shape: tuple[int, ...],
    code_sizes: Any,
    latent_dim: Any,
    params_shape: tuple[int, ...],
    condition: int | tuple[int, ...] | None,
) -> tuple[keras.Model, keras.Model]:
    """Returns two small networks with the inputs and outputs that pieces ask for.

    Args:
        event_shape: shape of x.
        code_sizes: sizes of the encoder's outputs, a number or a list.
        latent_dim: sizes of the decoder's latents, a number or a list.
        params_shape: shape of the decoder's output.
        condition: the number of classes, the shape of y, or None.
    """
    x, y = keras.Input(event_shape), _inputs_of(condition)
    hidden = _hidden([layers.Flatten()(x)], y, condition)
    codes = tf.nest.map_structure(lambda size: layers.Dense(size)(hidden), code_sizes)
    encoder = keras.Model([x, *y] if y else x, codes)

    z, y = [keras.Input((size,)) for size in tf.nest.flatten(latent_dim)], _inputs_of(condition)
    params = layers.Dense(int(np.prod(params_shape)))(_hidden(z, y, condition))
    inputs = [*z, *y]
    decoder = keras.Model(
        inputs if len(inputs) > 1 else inputs[0], layers.Reshape(params_shape)(params)
    )
    return encoder, decoder


def _inputs_of(condition):
    if condition is None:
        return []
    labels = isinstance(condition, int)
    return [keras.Input((), dtype="int32") if labels else keras.Input(condition)]


def _hidden(parts, y, condition):
    coding = layers.Embedding(condition, 4) if isinstance(condition, int) else layers.Flatten()
    joined = [*parts, *map(coding, y)]
    return layers.Dense(8, "tanh")(layers.concatenate(joined) if len(joined) > 1 else joined[0])


def conditions(condition: int | tuple[int, ...] | None, count: int, seed: int) -> Any:
    """Returns conditions y of a number of examples, or None.

    Args:
        condition: the number of classes, the shape of y, or None.
        count: the number of examples.
        seed: of numbers; labels go through all classes.
    """
    if condition is None:
        return None
    if isinstance(condition, int):
        return np.arange(count, dtype=np.int32) % condition
    return np.random.default_rng(seed).normal(size=(count, *condition)).astype(np.float32)


def move_weights(variables: list[keras.Variable], seed: int, spread: float = 0.1) -> None:
    """Adds normals to weights, since at their first values some have no gradient, as of flows.

    Args:
        variables: the weights.
        seed: of the normals.
        spread: their standard deviation.
    """
    rng = np.random.default_rng(seed)
    for variable in variables:
        variable.assign_add(rng.normal(0.0, spread, variable.shape).astype(np.float32))


# ---- configurations


def check_config(piece: Any) -> None:
    """Checks that `get_config` returns every argument, and that Keras can make the piece of it.

    Args:
        piece: the piece, not built.

    Raises:
        CheckError: an argument is missing, has another value, or cannot be read again.
    """
    config = piece.get_config()
    parameters = inspect.signature(type(piece).__init__).parameters.values()
    variadic = (inspect.Parameter.VAR_KEYWORD, inspect.Parameter.VAR_POSITIONAL)
    names = [p.name for p in parameters if p.name != "self" and p.kind not in variadic]
    missing = [name for name in names if name not in config]
    if missing:
        fix = f"return {{**super().get_config(), {missing[0]!r}: self.{missing[0]}}}"
        expected = f"get_config to return every argument, {names}"
        raise failed("config", piece, expected, f"no {missing}", fix)

    for name in names:
        own, kept = getattr(piece, name, config[name]), config[name]
        if isinstance(own, (int, float, str)) and own != kept:
            fix = f"return self.{name}, and keep the argument in an attribute of its name"
            expected = f"get_config to return {name}={own!r}"
            raise failed("config", piece, expected, f"{kept!r}", fix)
    _check_again(piece, config)


def _check_again(piece, config):
    try:
        written = keras.saving.serialize_keras_object(piece)
        again = keras.saving.deserialize_keras_object(written)
    except Exception as error:
        fix = "decorate the class with keras.saving.register_keras_serializable('my_package')"
        received = f"{type(error).__name__}: {str(error).strip().splitlines()[0][:300]}"
        raise failed("config", piece, "a class that Keras can make again", received, fix) from error
    if keras.saving.serialize_keras_object(again) != written:
        received = f"{again.get_config()} of {config}"
        fix = "keep each argument as it was given, in an attribute of its name"
        raise failed("config", piece, "the same arguments from the piece made again", received, fix)


# ---- training


def check_training(vae: "VAE", x: np.ndarray, y: Any = None) -> dict[str, float]:
    """Checks one step of training and the evaluation after it, run op by op.

    Args:
        vae: the model, not compiled.
        x: examples, `[N, *event]`.
        y: their conditions, or None.

    Returns:
        What `evaluate` found, by name.

    Raises:
        CheckError: numbers that are not finite, a trainable weight that the step did not reach,
            or an evaluation that does not add up or is another when repeated.
    """
    if vae.prior.starts_from_data:
        vae.prior.initialize(np.asarray(x), y)
    vae.compile(keras.optimizers.Adam(1e-3), run_eagerly=True)
    before = [np.array(v) for v in vae.trainable_variables]
    train_a_step(vae, x, y)
    _check_moved(vae, before)

    found = _evaluate(vae, x, y)
    if not np.isfinite(list(found.values())).all():
        fix = "look for a log of 0 or a division by 0 in the log-probabilities"
        raise failed("training", vae, "finite numbers from evaluate", f"{found}", fix)
    again = _evaluate(vae, x, y)
    if again != found:
        fix = "draw nothing from a generator of your own: use the noise and the seeds that come in"
        raise failed("training", vae, "the same evaluation when repeated", f"{again}", fix)
    _check_sum(vae, found)
    return found


def train_a_step(vae: "VAE", x: np.ndarray, y: Any = None) -> None:
    """Trains a model by one step on all examples.

    Args:
        vae: the model, compiled.
        x: examples, `[N, *event]`.
        y: their conditions, or None.
    """
    vae.fit(x, y, batch_size=len(x), epochs=1, verbose=0, shuffle=False)


def _check_moved(vae, before):
    own = {id(v) for v in vae.prior.trainable_variables}
    for variable, value in zip(vae.trainable_variables, before):
        if not np.isfinite(np.asarray(variable)).all():
            fix = "look for a log of 0, or a root of 0, whose derivative is infinite"
            received = f"a gradient of {variable.path} that is not"
            raise failed("gradients", vae, "finite gradients of all weights", received, fix)
        # No bound asks for log p(z) where q(z|x) has no density.
        exempt = id(variable) in own and not vae.posterior.has_density
        if not exempt and np.array_equal(np.asarray(variable), value):
            fix = (
                "use the weight as weight.value, without NumPy or stop_gradient on the way to the "
                "loss; or make it with trainable=False"
            )
            expected = "a gradient that reaches every trainable weight"
            raise failed("gradients", vae, expected, f"none at {variable.path}", fix)


def _check_sum(vae, found):
    names = {"loss", "elbo", "rate", "distortion"}
    if not vae.posterior.has_density:
        names = {"loss", "distortion"}
    if set(found) != names:
        fix = "call super() in what you override"
        raise failed("training", vae, f"{sorted(names)} from evaluate", f"{sorted(found)}", fix)
    if "elbo" in found and not np.isclose(
        found["elbo"], -found["rate"] - found["distortion"], rtol=1e-5
    ):
        fix = "give log-probabilities of shape [K, B] and a rate of shape [B]"
        raise failed("training", vae, "elbo = -(rate + distortion)", f"{found}", fix)


def check_fit(vae: "VAE", x: np.ndarray, y: Any = None) -> None:
    """Checks a short `fit` whose step is traced.

    Args:
        vae: the model.
        x: examples, `[N, *event]`.
        y: their conditions, or None.

    Raises:
        CheckError: a loss that is not finite.
    """
    vae.compile(keras.optimizers.Adam(1e-3), jit_compile=False)
    losses = vae.fit(x, y, batch_size=len(x), epochs=2, verbose=0).history["loss"]
    if not np.isfinite(losses).all():
        fix = "look for a log of 0 or a division by 0 in the log-probabilities"
        raise failed("fit", vae, "a finite loss in each epoch", f"{losses}", fix)


# ---- files


def check_keras_file(vae: "VAE", x: np.ndarray, y: Any = None) -> None:
    """Checks that a model returns from a `.keras` file with its numbers, and trains on alike.

    Args:
        vae: the model, compiled and trained.
        x: examples, `[N, *event]`.
        y: their conditions, or None.

    Raises:
        CheckError: a file that cannot be read, or a model of other numbers.
    """
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "model.keras"
        vae.save(file)
        loaded = keras.saving.load_model(file, safe_mode=True)

    rows = None if y is None else y[:4]
    compare(vae, "evaluate", _evaluated(vae, x, y), _evaluated(loaded, x, y), 1e-5)
    ours, theirs = (model.sample(4, seed=7, y=rows) for model in (vae, loaded))
    compare(vae, "sample", ours, theirs, 1e-6)
    for name in ("posterior", "prior", "likelihood", "objective"):
        ours, theirs = (repr(getattr(model, name)).split("<")[0] for model in (vae, loaded))
        if ours != theirs:
            fix = "return every argument from get_config"
            raise failed("keras file", vae, f"{name} {ours}", theirs, fix)
    if loaded.get_config().keys() != vae.get_config().keys():
        received = f"{sorted(loaded.get_config())}"
        fix = "return the same keys from get_config each time"
        raise failed("keras file", vae, f"the keys {sorted(vae.get_config())}", received, fix)
    _check_goes_on(vae, loaded, x, y)


def compare(
    vae: "VAE", call: str, ours: Any, theirs: Any, bound: float, check: str = "keras file"
) -> None:
    """Compares the numbers of a model with those of its file.

    Args:
        vae: the model.
        call: the name of what was computed.
        ours: the model's numbers.
        theirs: the file's.
        bound: the largest difference, of numbers above 1 their share.
        check: the name of the check.

    Raises:
        CheckError: a larger difference.
    """
    for a, b in zip(tf.nest.flatten(ours), tf.nest.flatten(theirs)):
        a, b = np.asarray(a, np.float64), np.asarray(b, np.float64)
        same = a.shape == b.shape
        difference = (np.abs(a - b) / np.maximum(np.abs(a), 1.0)).max() if same else np.inf
        if not difference <= bound:
            fix = (
                "make every number that is not an argument a weight, by add_weight, so that files "
                "hold it; and use no state outside the piece"
            )
            expected = f"the same numbers of {call} within {bound}"
            received = f"a difference of {difference:.3g}" if same else f"{b.shape} for {a.shape}"
            raise failed(check, vae, expected, received, fix)


def _evaluate(vae, x, y):
    return vae.evaluate(x, y, verbose=0, return_dict=True)


def _evaluated(vae, x, y):
    found = _evaluate(vae, x, y)
    return [found[name] for name in sorted(found)]


def _check_goes_on(vae, loaded, x, y):
    """The optimizer and the random state came along: one more step ends at the same weights."""
    for model in (vae, loaded):
        train_a_step(model, x, y)
    for ours, theirs in zip(vae.weights, loaded.weights):
        compare(vae, f"a further step, at {ours.path}", ours, theirs, 1e-6)


def unknown_support(piece: Any, argument: str) -> Exception:
    """Returns the error for a piece whose counterpart has to be given.

    Args:
        piece: the piece.
        argument: the argument to give, "posterior" or "prior".
    """
    return invalid(
        f"{argument}=..., for a latent of {piece.support}",
        "none",
        f"pass a {argument} over the same set",
    )
