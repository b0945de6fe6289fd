"""Checks the arguments of `compile`, `fit`, `evaluate` and `predict`, before the first step."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import tensorflow as tf

from tfvae._keras.backend import keras
from tfvae.errors import invalid
from tfvae.validation import data_checks, kinds, later_batches
from tfvae.validation.checked_batches import CheckedBatches
from tfvae.validation.first_examples import first_examples

if TYPE_CHECKING:
    from tfvae.models.vae import VAE


# Of `keras.Model.compile`, in the order in which they follow the optimizer.
_REFUSED = ("loss", "loss_weights", "metrics", "weighted_metrics")


def check_compile(args: Sequence[Any], kwargs: Mapping[str, Any]) -> None:
    """Refuses a loss, its weights and metrics, since a VAE computes its own from its objective.

    Args:
        args: the arguments of `compile` by position, without the optimizer.
        kwargs: the arguments by name.

    Raises:
        InputError: a loss, weights of losses, or metrics.
    """
    given = {**dict(zip(_REFUSED, args)), **kwargs}
    for name in _REFUSED:
        if given.get(name) is not None:
            raise invalid(
                f"no {name}: a VAE computes its own, from its objective",
                f"{name}={given[name]!r}",
                "pass objective=... to VAE, and call compile(optimizer)",
            )


def of_fit(vae: "VAE", call: dict[str, Any], most: int | None) -> dict[str, Any]:
    """Returns the arguments of `fit` with checked data.

    Arrays are checked now. Of streams, the first batch is checked now and others as they come.
    A prior that starts from data is initialized here.

    Args:
        vae: the model.
        call: the arguments of `fit`, by name.
        most: the number of batches that `fit` asks of a dataset, or None for all.

    Raises:
        InputError: data that the model cannot learn from, or a `validation_freq` that is neither
            an int nor a list.
    """
    _check_class_weight(vae, call["class_weight"])
    call = _with_checked_data(vae, call, most)
    if call["validation_data"] is not None or call["validation_split"]:
        _check_frequency(call["validation_freq"])
    if call["validation_data"] is not None:
        call["validation_data"] = _validation(
            vae, call["validation_data"], call["validation_steps"]
        )

    if vae.prior.starts_from_data:
        x, y = call["x"], None if vae.condition_shape is None else call["y"]
        vae.prior.initialize(*first_examples(x, y, call["sample_weight"]))
    return call


def of_evaluate(vae: "VAE", call: dict[str, Any]) -> dict[str, Any]:
    """Returns the arguments of `evaluate` with checked data, as `of_fit` does.

    Args:
        vae: the model.
        call: the arguments of `evaluate`, by name.

    Raises:
        InputError: data that the model cannot evaluate.
    """
    return _with_checked_data(vae, call, call["steps"])


def check_batch(vae: "VAE", x: Any, y: Any, sample_weight: Any) -> None:
    """Checks the batch of `train_on_batch` or `test_on_batch`.

    Args:
        vae: the model.
        x: examples `[B, *event]`.
        y: conditions `[B, ...]`, or None.
        sample_weight: weights `[B]`, or None.

    Raises:
        InputError: data that the model cannot learn from.
    """
    kinds.check_weights(sample_weight)
    data_checks.check_data(x, y, vae)


def of_predict(vae: "VAE", x: Any) -> Any:
    """Returns the data of `predict`, or a stream of them, with checked conditions.

    Args:
        vae: the model.
        x: arrays, or a stream of batches; of a conditional model pairs `[x, y]`.

    Raises:
        InputError: conditions that do not fit the model or the examples.
    """

    def check(batch):
        pair = keras.utils.unpack_x_y_sample_weight(batch)[0]
        check_pair(pair)
        data_checks.check_condition(pair[0], pair[1], vae)

    def check_in_graph(*element):
        if isinstance(element[0], tuple) and len(element[0]) == 2:
            later_batches.assert_conditions(element[0][1], vae)
        return element if isinstance(x.element_spec, tuple) else element[0]

    if vae.condition_shape is None:
        return x
    if isinstance(x, tf.data.Dataset):
        return x.map(check_in_graph)
    if isinstance(x, keras.utils.PyDataset):
        return CheckedBatches.of(x, check)
    if hasattr(x, "__next__"):
        return _checked(x, check)
    check((x,))
    return [_as_array(part, name) for part, name in zip(x, "xy")]


def check_pair(inputs: Any) -> None:
    """Refuses what is no pair `[x, y]`, which a conditional model is called with.

    Args:
        inputs: what the model is called with.

    Raises:
        InputError: one array, or another number of them.
    """
    if not isinstance(inputs, (list, tuple)) or len(inputs) != 2:
        raise invalid(
            "a pair [x, y], for a conditional model",
            f"{type(inputs).__name__} in its place",
            "pass [x, y], with a condition y for each example",
        )


def _checked(batches, check):
    """Returns a generator of the same batches, since Keras takes no other iterator."""
    for batch in batches:
        check(batch)
        yield batch


def _with_checked_data(vae, call, most):
    parts = [call[name] for name in ("x", "y", "sample_weight")]
    x, y, sample_weight = _checked_parts(vae, parts, most)
    return {**call, "x": x, "y": y, "sample_weight": sample_weight}


def _checked_parts(vae, parts, most, name="x"):
    """Returns x, y and sample_weight checked, in the forms that Keras takes."""
    x, y, sample_weight = parts
    y, sample_weight = _as_array(y, "y"), _as_array(sample_weight, "sample_weight")
    kinds.check_weights(sample_weight)
    x = data_checks.check_data(_first(x, most), y, vae, name)
    return x, _beside_weights(x, y, sample_weight), sample_weight


def _as_array(part, name):
    """Returns a list or a column of a data frame, to which Keras adds an axis, as an array."""
    if isinstance(part, (np.ndarray, tf.Tensor)):
        return part
    is_other = isinstance(part, (list, tuple)) or hasattr(part, "__array__")
    return kinds.as_array(part, name) if is_other else part


def _check_class_weight(vae, class_weight):
    if class_weight is not None and vae.condition_shape is None:
        raise invalid(
            "no class_weight, since this model is given no classes",
            f"class_weight={class_weight!r}",
            "pass sample_weight, or build the model with condition=...",
        )


def _check_frequency(validation_freq):
    """Refuses what Keras refuses at the end of the first epoch, before it is spent."""
    if not isinstance(validation_freq, (int, list)):
        raise invalid(
            "validation_freq to be a list of epochs or an int",
            f"validation_freq={validation_freq!r} of type {type(validation_freq).__name__}",
            "pass validation_freq=5 for every fifth epoch, or validation_freq=[1, 5]",
        )


def _first(x, most):
    """Limits a dataset to the batches that are asked for.

    The check of a dataset runs on several batches at a time, and would otherwise read further.
    """
    return x.take(most) if most and isinstance(x, tf.data.Dataset) else x


def _validation(vae, validation_data, steps):
    parts = keras.utils.unpack_x_y_sample_weight(validation_data)
    x, y, sample_weight = _checked_parts(vae, parts, steps, "validation x")
    return x if y is None and sample_weight is None else (x, y, sample_weight)


def _beside_weights(x, y, sample_weight):
    """Returns y, or zeros if there are weights but no y, since Keras would drop the weights.

    Beside a stream Keras refuses the weights.
    """
    if y is None and sample_weight is not None and isinstance(x, (np.ndarray, tf.Tensor)):
        return np.zeros(len(x), np.float32)
    return y
