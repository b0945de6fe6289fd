"""Checks of the maps of flows: inverse and Jacobian."""

from typing import TYPE_CHECKING

import numpy as np
import tensorflow as tf

from tfvae.testing.failure import failed

if TYPE_CHECKING:
    from tfvae.flows import Flow

_BATCH_SIZE = 5


def check_inverse(flow: "Flow", latent_dim: int, context_size: int) -> None:
    """Checks that `inverse` undoes `forward`, with the opposite log-determinant.

    Args:
        flow: the flow, built.
        latent_dim: D.
        context_size: H; 0 without a context.

    Raises:
        CheckError: numbers that differ by more than 1e-3, or other shapes.
    """
    x, context = _inputs((3, _BATCH_SIZE, latent_dim), context_size)
    y, log_det = flow.forward(x, context)
    if y.shape != x.shape or log_det.shape != x.shape[:-1]:
        received = f"{list(y.shape)} and {list(log_det.shape)}"
        expected = f"y and log |det| of shapes {list(x.shape)} and {list(x.shape[:-1])}"
        fix = "sum the log-determinant over the last axis alone"
        raise failed("shapes", flow, expected, received, fix)

    back, inverse_log_det = flow.inverse(y, context)
    for name, difference in (
        ("x", _largest(back, x)),
        ("log |det|", _largest(log_det, -inverse_log_det)),
    ):
        if not difference < 1e-3:
            expected = f"the {name} of forward, from inverse, within 1e-3"
            fix = "undo the steps of forward in the opposite order"
            raise failed("inverse", flow, expected, f"a difference of {difference:.3g}", fix)


def check_jacobian(flow: "Flow", latent_dim: int, context_size: int) -> None:
    """Checks both log-determinants by differentiation of the maps.

    Args:
        flow: the flow, built.
        latent_dim: D.
        context_size: H; 0 without a context.

    Raises:
        CheckError: log-determinants that differ by more than 1e-3.
    """
    x, context = _inputs((_BATCH_SIZE, latent_dim), context_size)
    for name in ("forward", "inverse"):
        with tf.GradientTape() as tape:
            tape.watch(x)
            y, log_det = getattr(flow, name)(x, context)
        exact = tf.linalg.slogdet(tape.batch_jacobian(y, x))[1]
        difference = _largest(exact, log_det)
        if not difference < 1e-3:
            expected = f"log |det| of {name} as differentiation finds it, within 1e-3"
            fix = "add up the log of the derivative of every layer"
            raise failed("jacobian", flow, expected, f"a difference of {difference:.3g}", fix)


def _inputs(shape, context_size):
    rng = np.random.default_rng(4)
    x = tf.constant(rng.normal(size=shape), tf.float32)
    context = tf.constant(rng.normal(size=(_BATCH_SIZE, context_size)), tf.float32)
    return x, context if context_size else None


def _largest(a, b):
    return float(np.abs(np.asarray(a) - np.asarray(b)).max())
