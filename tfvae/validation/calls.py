"""Checks the arguments of `compile`, `fit` and `evaluate` of a VAE, before the first step."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import tensorflow as tf

from tfvae._keras.backend import keras
from tfvae.errors import invalid
from tfvae.validation import data_checks, kinds

if TYPE_CHECKING:
    from tfvae.models.vae import VAE


def check_compile(args: Sequence[Any], kwargs: Mapping[str, Any]) -> None:
    """Refuses a loss and metrics, since a VAE computes its own from its objective.

    Args:
        args: the arguments of `compile` by position, without the optimizer.
        kwargs: the arguments by name.

    Raises:
        InputError: a loss or metrics.
    """
    given = {**dict(zip(("loss", "loss_weights"), args)), **kwargs}
    for name in ("loss", "metrics", "weighted_metrics"):
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
        InputError: data that the model cannot learn from.
    """
    call = _with_checked_data(vae, call, most)
    if call["validation_data"] is not None:
        call["validation_data"] = _validation(
            vae, call["validation_data"], call["validation_steps"]
        )

    if vae.prior.starts_from_data:
        x, y = call["x"], None if vae.condition_shape is None else call["y"]
        vae.prior.initialize(*data_checks.first_examples(x, y))
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


def _with_checked_data(vae, call, most):
    kinds.check_weights(call["sample_weight"])
    x = data_checks.check_data(_first(call["x"], most), call["y"], vae)
    return {**call, "x": x, "y": _beside_weights(x, call["y"], call["sample_weight"])}


def _first(x, most):
    """Limits a dataset to the batches that are asked for.

    The check of a dataset runs on several batches at a time, and would otherwise read further.
    """
    return x.take(most) if most and isinstance(x, tf.data.Dataset) else x


def _validation(vae, validation_data, steps):
    if not isinstance(validation_data, tuple):
        return data_checks.check_data(_first(validation_data, steps), None, vae, "validation x")
    x, y, sample_weight = keras.utils.unpack_x_y_sample_weight(validation_data)
    data_checks.check_data(x, y, vae, "validation x")
    if y is None and sample_weight is None:
        return x
    return x, _beside_weights(x, y, sample_weight), sample_weight


def _beside_weights(x, y, sample_weight):
    """Returns y, or zeros if there are weights but no y, since Keras would drop the weights."""
    return np.zeros(len(x), np.float32) if y is None and sample_weight is not None else y
