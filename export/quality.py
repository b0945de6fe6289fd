"""Measures a converted model against the Keras model it came from."""

from typing import TYPE_CHECKING, Any

import numpy as np
import tensorflow as tf

import tfvae.export.draws as draws
import tfvae.export.examples as examples
import tfvae.export.layer_losses as layer_losses
from tfvae import random
from tfvae.errors import invalid
from tfvae.export.runtime import run_part
from tfvae.export.sampler import Sampler

if TYPE_CHECKING:
    from tfvae.export.signatures import Part
    from tfvae.models.vae import VAE

# The largest difference allowed: in z for every file, in x for float32 files. The limit in x is
# multiplied by the largest absolute value of x, if that is above 1, and it is at least a few
# times as large as what the rounding of z changes in the model's own x.
TOLERANCE = 1e-5
_ROUNDING, _ROUNDINGS = np.float32(2.0**-20), 4.0
_SAMPLES = 64
_MEASURABLE = "pass data and data_y that the model gives a probability, or no max_quality_loss"


def measure(
    vae: "VAE",
    model: bytes,
    metadata: dict[str, Any],
    parts: dict[str, "Part"],
    models: dict[str, bytes],
    data: tuple[np.ndarray | tf.Tensor | None, np.ndarray | tf.Tensor | None],
) -> dict[str, Any] | None:
    """Measures how a file differs from the model, for the sidecar.

    Args:
        vae: the model, in float32.
        model: the bytes of the file.
        metadata: the content of its sidecar so far.
        parts: the parts of the file, of all batch sizes.
        models: the files of the single parts, as `quantize.convert_parts` returns them.
        data: held-out examples `[N, *event]` and their conditions, or None for either.

    Returns:
        A dictionary. It holds the largest and the mean difference in x and the largest in z, over
        the first 64 samples of seed 0, the share of elements whose draws differ, and the change
        of the distortion in nats per example, which is None if it is not finite. None instead of
        a dictionary if the model takes conditions that nobody gave, since the numbers of other
        conditions would say nothing.

    Raises:
        InputError: a difference above `TOLERANCE` in z, or in the x of a float32 file; draws of a
            float32 file that differ; draws that are not finite where the model's are; a file
            that LiteRT does not run.
    """
    y = examples.conditions(vae, _SAMPLES, data[1])
    expected = _expected(vae, y)
    try:
        sampler = Sampler.from_bytes(model, metadata)
        errors = [
            _errors(vae, sampler.with_batch_size(size), expected, y)
            for size in metadata["batch_sizes"]
        ]
    except RuntimeError as error:  # LiteRT's, when it prepares or runs a graph
        raise invalid(
            "a file that LiteRT runs",
            str(error).strip()[:300],
            "replace the layer with the op named here: nothing was written",
        ) from error

    change, source = _distortion_change(vae, parts, models, data, expected["z"], y)
    quality = {
        "samples": _SAMPLES,
        "seed": 0,
        **{name: max(found[name] for found in errors) for name in errors[0]},
        "draws_that_differ": draws.share_that_differs(vae, sampler, expected.get("x", 0.0), y),
        "distortion_change_nats": change,
        "distortion_measured_on": source,
    }
    if metadata["quantization"] is None:
        expected["limit"] = _limit_of_x(vae, expected, y)
    _refuse_differences(quality, expected)
    return quality if examples.are_known(vae, data[1]) else None


def _refuse_differences(quality, expected):
    """Refuses a file that differs from the model by more than its quantization explains."""
    limits = {"max_abs_error_z": TOLERANCE}
    if "limit" in expected:
        limits.update(dict.fromkeys(("max_abs_error_x", "max_abs_error_decode"), expected["limit"]))
    if not all(quality[name] <= limit for name, limit in limits.items() if name in quality):
        within = " and ".join(f"{limit:.2g} ({name})" for name, limit in limits.items())
        raise invalid(
            f"a file within {within} of the model",
            str(quality),
            "report this model: nothing was written",
        )


def _expected(vae, y):
    """Returns the model's own samples: z, and x where p(x|z) has a mean."""
    z = examples.latents(vae, _SAMPLES, 0, y)
    try:
        return {"z": z, "x": _mean_of(vae, z, y)}
    except NotImplementedError:
        return {"z": z}


def _mean_of(vae, z, y):
    params = vae.decode_batch(vae.prior.decoder_input(z), vae.condition(y), training=False)
    return np.asarray(vae.likelihood.mean(params))


def _limit_of_x(vae, expected, y):
    """Returns how far the x of a float32 file may be from the model's.

    A network whose numbers are large, or whose likelihood cuts them off, gives another x for
    another last digit, in Keras as well.
    """
    if "x" not in expected:
        return np.inf

    moved = tf.nest.map_structure(lambda z: np.asarray(z) * (1 + _ROUNDING), expected["z"])
    by_rounding = np.abs(_mean_of(vae, moved, y) - expected["x"]).max()
    scale = max(1.0, float(np.abs(expected["x"]).max()))
    return max(TOLERANCE * scale, _ROUNDINGS * float(by_rounding))


def _errors(vae, sampler, expected, y):
    """Returns the differences between samples of a file and samples of the model.

    Signatures that the file does not have are left out.
    """
    found = {}
    if "sample" in sampler.metadata["signatures"]:
        x, z = sampler.sample(_SAMPLES, seed=0, y=y, return_latent=True)
        found = {
            "max_abs_error_x": _max_difference(x, expected["x"]),
            "mean_abs_error_x": float(np.abs(x - expected["x"]).mean()),
            "max_abs_error_z": _max_difference(z, expected["z"]),
        }
    elif "draw" in sampler.metadata["signatures"]:
        _, z = sampler.sample(_SAMPLES, seed=0, y=y, draw=True, return_latent=True)
        found = {"max_abs_error_z": _max_difference(z, expected["z"])}

    if "decode" in sampler.metadata["signatures"]:
        x = sampler.decode(vae.prior.decoder_input(expected["z"]), y=y)
        found["max_abs_error_decode"] = _max_difference(x, expected["x"])
    return found


def refuse_loss(
    quality: dict[str, Any] | None,
    limit: float | None,
    vae: "VAE",
    quantization: str | None = "int8",
    data: tuple[np.ndarray | tf.Tensor | None, np.ndarray | tf.Tensor | None] = (None, None),
) -> None:
    """Refuses a file whose distortion is too much worse than the model's.

    Args:
        quality: what `measure` returned.
        limit: the largest increase allowed, in nats per example. None allows any.
        vae: the model, to name the layer that loses most.
        quantization: of the file.
        data: as in `layer_losses.worst_layer`.

    Raises:
        InputError: the increase is above the limit.
    """
    if limit is None:
        return
    expected = f"a change of the distortion of at most {limit} nats (max_quality_loss)"
    change = None if quality is None else quality["distortion_change_nats"]
    if quality is None or change is None:
        received = "no conditions" if quality is None else quality["distortion_measured_on"]
        raise invalid(expected, f"a change that cannot be measured: {received}", _MEASURABLE)
    if change <= limit:
        return

    worst = layer_losses.worst_layer(vae, quantization, data)
    raise invalid(
        expected,
        f"{change:.4g} nats on {quality['distortion_measured_on']}; {worst}",
        "keep that layer's range narrower, use a finer quantization, or allow more",
    )


def _distortion_change(vae, parts, models, data, z, y):
    """Measures how much larger the distortion is with the networks of the file.

    The distortion is E[-log p(x|z)]. With data and an encoder in the file, x are the data, and z
    is the location of q(z|x) by the file or by the model. Otherwise x and z are drawn from the
    model.

    Returns:
        The change in nats per example, or None if it is not finite, and words for the examples
        it was measured on.
    """
    x, condition = data
    if x is not None and "location" in parts:
        x, _ = vae.likelihood.prepare_for_evaluation(np.asarray(x))
        x = np.asarray(x, np.float32)
        y = condition if vae.condition_shape is None else np.asarray(condition)
        codes = run_part(models, parts, "encoder", {"x": x, **({} if y is None else {"y": y})})
        inputs = run_part(models, parts, "location", codes)
        here = vae.prior.decoder_input(
            vae.posterior.point_estimate(vae.encoder_params(x, vae.condition(y), training=False))
        )
        source = f"{len(x)} held-out examples"
    else:
        here = vae.prior.decoder_input(z)
        names = [spec.name for spec in parts["decoder"].specs if spec.name != "y"]
        inputs = dict(zip(names, (np.asarray(part) for part in tf.nest.flatten(here))))
        params = vae.decode_batch(here, y, training=False)
        x = _drawn(vae.likelihood, params)
        source = f"{_SAMPLES} samples of the model"

    found = run_part(
        models, parts, "decoder", {**inputs, **({} if y is None else {"y": np.asarray(y)})}
    )["params"]
    expected = vae.decode_batch(here, None if y is None else vae.condition(y), training=False)
    of = vae.likelihood.distribution
    change = float(tf.reduce_mean(of(expected).log_prob(x) - of(tf.constant(found)).log_prob(x)))
    if not np.isfinite(change):
        return None, f"{source}, of which log p(x|z) is not finite"
    return change, source


def _drawn(likelihood, params):
    """Draws one x of each p(x|z), with TFP's sampler if the likelihood has no `draw`."""
    noise = random.Stream(random.seed_key(tf.constant(1)), tf.range(_SAMPLES))
    try:
        return likelihood.draw(params, noise)
    except NotImplementedError:
        return likelihood.distribution(params).sample(seed=1)


def _max_difference(found, expected):
    """Returns the largest absolute difference of two arrays, or of two lists of arrays."""
    parts = zip(tf.nest.flatten(found), tf.nest.flatten(expected))
    return max(float(np.abs(np.asarray(a) - np.asarray(b)).max()) for a, b in parts)
