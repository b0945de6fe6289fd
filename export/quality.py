"""Measures a converted model against the Keras model it came from."""

import contextlib
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
    from tfvae.export.examples import Samples
    from tfvae.export.signatures import Part
    from tfvae.models.vae import VAE

# The largest difference allowed: in z for every file, in x for float32 files. The limit in x is
# multiplied by the largest absolute value of x, if that is above 1, and it is at least a few
# times as large as what the rounding of z changes in the model's own x.
TOLERANCE = 1e-5
_ROUNDING, _ROUNDINGS = np.float32(2.0**-20), 4.0
_MEASURABLE = "pass data and data_y that the model gives a probability, or no max_quality_loss"


def measure(
    vae: "VAE",
    model: bytes,
    metadata: dict[str, Any],
    parts: dict[str, "Part"],
    models: dict[str, bytes],
    data: tuple[np.ndarray | tf.Tensor | None, np.ndarray | tf.Tensor | None],
    drawn: "Samples",
) -> dict[str, Any] | None:
    """Measures how a file differs from the model, for the sidecar.

    Args:
        vae: the model, in float32.
        model: the bytes of the file.
        metadata: the content of its sidecar so far.
        parts: the parts of the file, of all batch sizes.
        models: the files of the single parts, as `quantize.convert_parts` returns them.
        data: held-out examples `[N, *event]` and their conditions, or None for either.
        drawn: samples of the model.

    Returns:
        A dictionary. It holds the largest and the mean difference in x and the largest in z, over
        these samples, the share of elements whose draws differ, and the change of the distortion
        in nats per example, which is None if it is not finite. None instead of a dictionary if
        the model takes conditions that nobody gave, since the numbers of other conditions would
        say nothing.

    Raises:
        InputError: a difference above `TOLERANCE` in z, or in the x of a float32 file; draws of a
            float32 file that differ; draws that are not finite where the model's are; a file
            that LiteRT does not run.
    """
    try:
        sampler = Sampler.from_bytes(model, metadata)
        found = {size: _outputs(sampler, size, drawn) for size in metadata["batch_sizes"]}
    except RuntimeError as error:  # LiteRT's, when it prepares or runs a graph
        raise invalid(
            "a file that LiteRT runs",
            str(error).strip()[:300],
            "replace the layer with the op named here: nothing was written",
        ) from error

    errors = [_errors(outputs, drawn) for outputs in found.values()]
    x = _x_of(vae.likelihood, drawn)
    change, source = _distortion_change(vae, parts, models, data, drawn, x)
    of_file = {size: outputs["draw"] for size, outputs in found.items() if "draw" in outputs}
    quantization = metadata["quantization"]
    quality = {
        "samples": examples.SAMPLES,
        "seed": 0,
        **{name: max(of_size[name] for of_size in errors) for name in errors[0]},
        "draws_that_differ": draws.share_that_differs(drawn, x, of_file, quantization),
        "distortion_change_nats": change,
        "distortion_measured_on": source,
    }
    _refuse_differences(vae, quality, drawn, quantization)
    return quality if drawn.y_is_known else None


def _outputs(sampler, size, drawn):
    """Returns what a file gives for the model's samples in batches of one size: each x, and z.

    They go by the names of the signatures, of which those that the file does not have are left out.
    """
    told, sampler = sampler.metadata["signatures"], sampler.with_batch_size(size)
    given = {"n": examples.SAMPLES, "seed": 0, "y": drawn.y, "return_latent": True}
    found = {}
    if "draw" in told:
        found["draw"], found["z"] = sampler.sample(**given, draw=True)
    if "sample" in told:
        found["sample"], found["z"] = sampler.sample(**given)
    if "decode" in told:
        found["decode"] = sampler.decode(drawn.seen, y=drawn.y)
    return found


def _errors(outputs, drawn):
    """Returns the differences between the outputs of a file and samples of the model."""
    found = {}
    if "sample" in outputs:
        found["max_abs_error_x"] = _max_difference(outputs["sample"], drawn.x)
        found["mean_abs_error_x"] = float(np.abs(outputs["sample"] - drawn.x).mean())
    if "z" in outputs:
        found["max_abs_error_z"] = _max_difference(outputs["z"], drawn.z)
    if "decode" in outputs:
        found["max_abs_error_decode"] = _max_difference(outputs["decode"], drawn.x)
    return found


def _refuse_differences(vae, quality, drawn, quantization):
    """Refuses a file that differs from the model by more than its quantization explains."""
    of_x = ("max_abs_error_x", "max_abs_error_decode") if quantization is None else ()
    limits = dict.fromkeys(("max_abs_error_z", *of_x), TOLERANCE)
    if of_x and not _within(limits, quality):
        limits.update(dict.fromkeys(of_x, _limit_of_x(vae, drawn)))
    if not _within(limits, quality):
        within = " and ".join(f"{limit:.2g} ({name})" for name, limit in limits.items())
        raise invalid(
            f"a file within {within} of the model",
            str(quality),
            "report this model: nothing was written",
        )


def _within(limits, quality):
    return all(quality[name] <= limit for name, limit in limits.items() if name in quality)


def _limit_of_x(vae, drawn):
    """Returns how far the x of a float32 file may be from the model's.

    A network whose numbers are large, or whose likelihood cuts them off, gives another x for
    another last digit, in Keras as well.
    """
    if drawn.x is None:
        return np.inf

    moved = tf.nest.map_structure(lambda z: np.asarray(z) * (1 + _ROUNDING), drawn.z)
    params = vae.decode_batch(vae.prior.decoder_input(moved), drawn.condition, training=False)
    by_rounding = np.abs(np.asarray(vae.likelihood.mean(params)) - drawn.x).max()
    scale = max(1.0, float(np.abs(drawn.x).max()))
    return max(TOLERANCE * scale, _ROUNDINGS * float(by_rounding))


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


def _distortion_change(vae, parts, models, data, drawn, x):
    """Measures how much larger the distortion is with the networks of the file.

    The distortion is E[-log p(x|z)]. With data and an encoder in the file, x are the data, and z
    is the location of q(z|x) by the file or by the model. Otherwise x and z are drawn from the
    model.

    Returns:
        The change in nats per example, or None if it is not finite, and words for the examples
        it was measured on.
    """
    if data[0] is not None and "location" in parts:
        x, inputs, expected = _on_data(vae, parts, models, *data)
        source = f"{len(x)} held-out examples"
    elif x is None:
        return None, f"{examples.SAMPLES} samples of the model, whose p(x|z) cannot be drawn from"
    else:
        names = [spec.name for spec in parts["decoder"].specs if spec.name != "y"]
        z = map(np.asarray, tf.nest.flatten(drawn.seen))
        inputs = {**dict(zip(names, z)), **_as_input(drawn.y)}
        expected = drawn.params
        source = f"{examples.SAMPLES} samples of the model"

    found = run_part(models, parts, "decoder", inputs)["params"]
    of = vae.likelihood.distribution
    change = float(tf.reduce_mean(of(expected).log_prob(x) - of(tf.constant(found)).log_prob(x)))
    if not np.isfinite(change):
        return None, f"{source}, of which log p(x|z) is not finite"
    return change, source


def _on_data(vae, parts, models, x, y):
    """Returns examples, the inputs of the file's decoder for them, and the model's p(x|z)."""
    x, _ = vae.likelihood.prepare_for_evaluation(np.asarray(x))
    x = np.asarray(x, np.float32)
    codes = run_part(models, parts, "encoder", {"x": x, **_as_input(y)})
    inputs = run_part(models, parts, "location", codes)

    condition = vae.condition(y)
    params = vae.encoder_params(x, condition, training=False)
    z = vae.prior.decoder_input(vae.posterior.point_estimate(params))
    return x, {**inputs, **_as_input(y)}, vae.decode_batch(z, condition, training=False)


def _as_input(y):
    return {} if y is None else {"y": np.asarray(y)}


def _x_of(likelihood, drawn):
    """Draws an x from each p(x|z), with TFP's sampler if the likelihood has no `draw`.

    Returns None if it has neither.
    """
    with contextlib.suppress(NotImplementedError):
        return likelihood.draw(drawn.params, drawn.noise.fold_in(random.TAGS["draw"]))
    with contextlib.suppress(NotImplementedError):
        return likelihood.distribution(drawn.params).sample(seed=(0, 1))
    return None


def _max_difference(found, expected):
    """Returns the largest absolute difference of two arrays, or of two lists of arrays."""
    parts = zip(tf.nest.flatten(found), tf.nest.flatten(expected))
    return max(float(np.abs(np.asarray(a) - np.asarray(b)).max()) for a, b in parts)
