"""Checks the arguments of `compile`, `fit` and `evaluate` of a VAE, before the first step."""

import numpy as np
import tensorflow as tf

from tfvae._keras.backend import keras
from tfvae.errors import invalid
from tfvae.validation import data_checks, kinds


def check_compile(args, kwargs):
    """Refuses a loss and metrics, whose place the objective takes.

    Args:
        args: of `compile` after the optimizer, as Keras orders them.
        kwargs: those given by name.

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


def of_fit(vae, call, most):
    """Returns the arguments of `fit`, by name, with data that are checked, now or as they come.

    A prior that starts from data does so here.

    Args:
        vae: a `VAE`.
        call: the arguments.
        most: how many batches of a dataset are asked for, or None for all.

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


def of_evaluate(vae, call):
    """Returns the arguments of `evaluate`, by name, with data that are checked, now or as they come.

    Raises:
        InputError: data that the model cannot evaluate.
    """
    return _with_checked_data(vae, call, call["steps"])


def _with_checked_data(vae, call, most):
    kinds.check_weights(call["sample_weight"])
    x = data_checks.check_data(_first(call["x"], most), call["y"], vae)
    return {**call, "x": x, "y": _beside_weights(x, call["y"], call["sample_weight"])}


def _first(x, most):
    """The batches of a dataset that are asked for: what checks them, several at a time, reads no more."""
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
    """y, or zeros beside weights that come without it, since Keras would drop the weights."""
    return np.zeros(len(x), np.float32) if y is None and sample_weight is not None else y
