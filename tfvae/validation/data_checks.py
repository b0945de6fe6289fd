"""Refuses data a model cannot learn from, before the first step.

An array is read through once. Of a stream (`tf.data.Dataset`, generator, `PyDataset`) the first
batch is checked before training starts. Later batches of a dataset or a generator are checked as
they pass.
"""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
import tensorflow as tf

from tfvae._files import mapped
from tfvae._keras.backend import keras
from tfvae.errors import invalid
from tfvae.validation import conditions, kinds, later_batches, lost_digits
from tfvae.validation.checked_batches import CheckedBatches

if TYPE_CHECKING:
    from tfvae.likelihoods import Likelihood
    from tfvae.models.vae import VAE

_NOT_FINITE = (
    "remove or repair NaN and infinite values; "
    "if NaN stands for what is missing, use likelihoods.Observed(...)"
)


def check_events(
    x: npt.ArrayLike, likelihood: "Likelihood", event_shape: Sequence[int], name: str = "x"
) -> np.ndarray:
    """Checks examples and returns them as an array.

    Args:
        x: the examples, `[N, *event]`.
        likelihood: its support has to hold every value.
        event_shape: shape of one example.
        name: name of the data, for the message.

    Returns:
        `[N, *event]`.

    Raises:
        InputError: a wrong shape, no examples, or values outside the likelihood's support.
    """
    events = _checked_events(x, likelihood, event_shape, name)
    lost_digits.tell(events, name)
    return events


def _checked_events(x, likelihood, event_shape, name):
    kinds.check_kind(x, name)
    x = kinds.as_array(x, name)
    if x.shape[1:] != tuple(event_shape) or x.ndim == 0:
        raise invalid(
            f"{name} of shape [N, {', '.join(map(str, event_shape))}]",
            f"{name} of shape {list(x.shape)}",
            _shape_fix(x.shape, tuple(event_shape), name),
        )
    if len(x) == 0:
        raise invalid(
            f"at least one example in {name}",
            f"{name} of shape {list(x.shape)}",
            "pass data that is not empty",
        )
    kinds.check_numbers(x, name)
    _check_support(x, likelihood, name)
    return x


def check_batch(x: tf.Tensor, event_shape: Sequence[int]) -> None:
    """Checks the static shape of one batch, in eager and in traced code.

    Args:
        x: the batch, `[B, *event]`.
        event_shape: shape of one example.

    Raises:
        InputError: another shape.
    """
    if len(x.shape) != len(event_shape) + 1 or not x.shape[1:].is_compatible_with(event_shape):
        raise invalid(
            f"a batch of shape [B, {', '.join(map(str, event_shape))}]",
            f"shape {list(x.shape)}",
            _shape_fix(tuple(x.shape), tuple(event_shape), "x"),
        )


def check_data(x: Any, y: npt.ArrayLike | None, vae: "VAE", name: str = "x") -> Any:
    """Checks the data of `fit` or `evaluate`: an array, or a stream of batches.

    Args:
        x: an array `[N, *event]`, a `tf.data.Dataset`, a `PyDataset` or a generator.
        y: conditions `[N, ...]` beside an array, else None.
        vae: the model.
        name: name of the data, for the message.

    Returns:
        x, or a stream of the same batches that checks the later ones as they pass.

    Raises:
        InputError: data that the model does not take.
    """
    if x is None:
        raise invalid(f"examples as {name}", f"no {name}", "pass an array, or a stream of batches")
    kinds.check_kind(x, name)
    if isinstance(x, tf.data.Dataset):
        return _check_dataset(x, vae, name)
    if isinstance(x, keras.utils.PyDataset):
        _check_first(x[0], vae, name)
        return CheckedBatches.of(x, lambda batch: _check_element(batch, vae, name))
    if hasattr(x, "__array__") or isinstance(x, (list, tuple)):
        check_condition(x, y, vae, name)
        checked = check_events(x, vae.likelihood, vae.event_shape, name)
        return x if isinstance(x, (np.ndarray, tf.Tensor)) else checked
    if hasattr(x, "__next__"):
        return _checked_batches(x, vae, name)
    return x


def check_latent(z: tf.Tensor | list[tf.Tensor], latent_dim: int | list[int]) -> None:
    """Refuses latents of other sizes than the model's.

    Args:
        z: latents `[..., D]`, or a list of them.
        latent_dim: D, or a list of sizes.

    Raises:
        InputError: other sizes.
    """
    sizes = [part.shape[-1] if len(part.shape) else None for part in tf.nest.flatten(z)]
    if sizes != tf.nest.flatten(latent_dim):
        raise invalid(
            f"z of latent size {latent_dim}", f"latent size {sizes}", "pass z of shape [..., D]"
        )


def check_condition(x: npt.ArrayLike, y: npt.ArrayLike | None, vae: "VAE", name: str = "x") -> None:
    """Refuses conditions that do not fit the model or the examples.

    Args:
        x: examples `[N, *event]`.
        y: conditions `[N, ...]`, or None.
        vae: the model.
        name: name of the examples, for the message.

    Raises:
        InputError: y for a model without conditions, no y for a conditional model, y of another
            length or shape, labels that are not among the classes, or numbers that are not finite.
    """
    if vae.condition_shape is None:
        if y is None:
            return
        twice = y is x or tuple(np.shape(y)) == tuple(np.shape(x))
        raise invalid(
            "no targets: the loss of a VAE is its objective, computed from x alone",
            f"y equal in shape to {name}, as for an autoencoder"
            if twice
            else f"y of shape {list(np.shape(y))}",
            "call fit(x); for a dataset of pairs, map them to x first",
        )

    if y is None:
        raise invalid(f"y beside {name}, for a conditional model", "no y", "call fit(x, y)")
    conditions.check(y, *condition_of(vae), rows=np.shape(x)[0], beside=name)


def condition_of(vae: "VAE") -> tuple[tuple[int, ...], str, int | None]:
    """Returns what `conditions.check` asks of a conditional model: shape, dtype, labels."""
    return vae.condition_shape, vae.condition_dtype, vae.num_classes  # type: ignore[return-value]


def condition_tensor(vae: "VAE", y: Any, rows: int | None = None) -> tf.Tensor | None:
    """Returns conditions in the dtype of the networks.

    In traced code nothing is known of their values, which those who call it have checked.

    Args:
        vae: the model.
        y: conditions `[rows, ...]`, or None for none.
        rows: the number of examples or samples that they are for, or None if it is unknown.

    Raises:
        InputError: as `check_condition`.
    """
    conditions.check_presence(y, vae.condition_shape)
    if y is None:
        return None
    if tf.executing_eagerly() or not tf.is_tensor(y):
        y = conditions.check(y, *condition_of(vae), rows=rows)
    return tf.cast(y, vae.condition_dtype)


def _checked_batches(batches, vae, name):
    """Returns a generator whose first batch has been checked, and that checks the others.

    It is a generator since Keras takes no other iterator.
    """
    first = next(batches, None)
    if first is None:
        raise _no_batch(name, "an iterator that has ended")
    _check_first(first, vae, name)

    def rest():
        yield first
        for batch in batches:
            _check_element(batch, vae, name)
            yield batch

    return rest()


def _check_dataset(dataset, vae, name):
    first = next(iter(dataset.take(1)), None)
    if first is None:
        raise _no_batch(name, "an empty tf.data.Dataset")

    _check_first(first, vae, name)
    outside = _outside(vae.likelihood, name, "values outside it in a later batch", "")
    return later_batches.checked(dataset, vae, name, outside)


def _no_batch(name, received):
    return invalid(f"at least one batch in {name}", received, "pass data that are not empty")


def _check_first(element, vae, name):
    """Checks the first batch of a stream. It alone tells of lost digits, as one set of many."""
    lost_digits.tell(_check_element(element, vae, name), f"a batch of {name}")


def _check_element(element, vae, name):
    """Checks a batch of a stream, and returns its x as an array."""
    x, y, sample_weight = keras.utils.unpack_x_y_sample_weight(element)
    kinds.check_kind(x, f"a batch of {name}")
    check_condition(x, y, vae, name)
    kinds.check_weights(sample_weight)
    return _checked_events(x, vae.likelihood, vae.event_shape, f"a batch of {name}")


def _check_support(x, likelihood, name):
    outside, first = 0, None
    for rows in mapped.pages(x):
        wrong = ~np.asarray(likelihood.in_support(x[rows]))
        if first is None and wrong.any():
            row, *rest = map(int, np.argwhere(wrong)[0])
            first = (rows.start + row, *rest)
        outside += int(wrong.sum())
    if first is None:
        return

    value = x[first]
    with np.errstate(invalid="ignore"):
        received = (
            f"{name}{list(first)} = {value} (range {x.min()} to {x.max()}, "
            f"dtype {x.dtype}, {outside} such values)"
        )
    fix = likelihood.fix_hint(x) if np.isfinite(value) else _NOT_FINITE
    raise _outside(likelihood, name, received, fix)


def _outside(likelihood, name, received, fix):
    expected = f"{name} within what {type(likelihood).__name__} models: {likelihood.support}"
    return invalid(
        expected,
        received,
        fix or "check the data with tfvae.validation.data_checks.check_events first",
    )


def _shape_fix(shape, event_shape, name):
    if tuple(shape) == event_shape:
        return f"pass a batch: {name}[None]"
    if len(shape) > 0 and None not in shape[1:] and np.prod(shape[1:]) == np.prod(event_shape):
        return f"reshape it: {name}.reshape(-1, {', '.join(map(str, event_shape))})"
    return f"build the model with event_shape={tuple(shape[1:])}, or pass data of the model's shape"
