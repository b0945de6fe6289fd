"""Measures a converted model against the Keras model it came from."""

from typing import TYPE_CHECKING, Any

import numpy as np
import tensorflow as tf

from tfvae import random
from tfvae.errors import invalid
from tfvae.export.quantize import example_conditions
from tfvae.export.runtime import run_part
from tfvae.export.sampler import Sampler

if TYPE_CHECKING:
    from tfvae.export.signatures import Part
    from tfvae.models.vae import VAE

# The largest difference allowed: in z for every file, in x for float32 files. The limit in x is
# multiplied by the largest absolute value of x, if that is above 1.
TOLERANCE = 1e-5
# A draw differs from the model's if it is off by more than this share of draw and mean.
_DRAW_TOLERANCE = 1e-4
# Of values that can be counted: a uniform beside a probability may draw either of two.
_COUNTED_MAY_DIFFER = 0.02
_SAMPLES = 64


def measure(
    vae: "VAE",
    model: bytes,
    metadata: dict[str, Any],
    parts: dict[str, "Part"],
    models: dict[str, bytes],
    data: tuple[np.ndarray | tf.Tensor | None, np.ndarray | tf.Tensor | None],
) -> dict[str, Any]:
    """Measures how a file differs from the model, for the sidecar.

    Args:
        vae: the model, in float32.
        model: the bytes of the file.
        metadata: the content of its sidecar so far.
        parts: the parts of the file, of all batch sizes.
        models: the files of the single parts, as `quantize.convert_parts` returns them.
        data: held-out examples `[N, *event]` and their conditions, or `(None, None)`.

    Returns:
        A dictionary. It holds the largest and the mean difference in x and the largest in z, over
        the first 64 samples of seed 0, the share of elements whose draws differ, and the change
        of the distortion in nats per example.

    Raises:
        InputError: a difference above `TOLERANCE` in z, or in the x of a float32 file; draws of a
            float32 file that differ; draws that are not finite where the model's are; a file
            that LiteRT does not run.
    """
    y = example_conditions(vae, _SAMPLES)
    expected, expected_z = (
        np.asarray(vae.sample(_SAMPLES, seed=0, y=y)),
        vae.sample_latent(_SAMPLES, seed=0, y=y),
    )

    try:
        sampler = Sampler.from_bytes(model, metadata)
        errors = [
            _errors(vae, sampler.of_batch(size), expected, expected_z, y)
            for size in metadata["batch_sizes"]
        ]
    except RuntimeError as error:  # LiteRT's, when it prepares or runs a graph
        raise invalid(
            "a file that LiteRT runs",
            str(error).strip()[:300],
            "replace the layer with the op named here: nothing was written",
        ) from error

    change, source = _distortion_change(vae, parts, models, data, expected_z, y)
    quality = {
        "samples": _SAMPLES,
        "seed": 0,
        **{name: max(found[name] for found in errors) for name in errors[0]},
        "draws_that_differ": _draws_that_differ(vae, sampler, metadata, expected, y),
        "distortion_change_nats": change,
        "distortion_measured_on": source,
    }

    scale = max(1.0, float(np.abs(expected).max()))
    limits = {"max_abs_error_z": 1.0}
    if metadata["quantization"] is None:
        limits.update({"max_abs_error_x": scale, "max_abs_error_decode": scale})
    if not all(quality[name] <= TOLERANCE * of for name, of in limits.items()):
        raise invalid(
            f"a file within {TOLERANCE} of the model",
            str(quality),
            "report this model: nothing was written",
        )
    return quality


def _errors(vae, sampler, expected, expected_z, y):
    """Returns the differences between samples of a file and samples of the model."""
    x, z = sampler.sample(_SAMPLES, seed=0, y=y, return_latent=True)
    return {
        "max_abs_error_x": _max_difference(x, expected),
        "mean_abs_error_x": float(np.abs(x - expected).mean()),
        "max_abs_error_z": _max_difference(z, expected_z),
        "max_abs_error_decode": _max_difference(
            sampler.decode(vae.prior.for_decoder(expected_z), y=y), expected
        ),
    }


def _draws_that_differ(vae, sampler, metadata, mean, y):
    """Returns the share of elements whose draws differ from the model's, over all batch sizes.

    Raises:
        InputError: a file that is refused for its draws, see `measure`.
    """
    if "draw" not in metadata["signatures"]:
        return None
    expected = np.asarray(vae.sample(_SAMPLES, seed=0, y=y, draw=True))
    allowed = _DRAW_TOLERANCE * (1.0 + np.abs(expected) + np.abs(mean))
    limit = _COUNTED_MAY_DIFFER if _counted(expected) else 0.0

    shares = []
    for size in metadata["batch_sizes"]:
        found = sampler.of_batch(size).sample(_SAMPLES, seed=0, y=y, draw=True)
        shares.append(float(np.mean(~(np.abs(found - expected) <= allowed))))
        broken = bool((np.isfinite(expected) & ~np.isfinite(found)).any())
        if broken or (metadata["quantization"] is None and shares[-1] > limit):
            raise invalid(
                "draws of x that are the model's",
                f"{'draws that are not finite' if broken else 'other draws'}, "
                f"{shares[-1]:.3g} of all elements differ, in batches of {size}",
                "report this model: nothing was written",
            )
    return max(shares)


def _counted(x):
    """Returns whether draws are of values that can be counted, such as 0 and 1."""
    return bool((x == np.round(x)).all()) or len(np.unique(x)) < x.size / 2


def refuse_loss(quality: dict[str, Any], limit: float | None, vae: "VAE") -> None:
    """Refuses a file whose distortion is too much worse than the model's.

    Args:
        quality: what `measure` returned.
        limit: the largest increase allowed, in nats per example. None allows any.
        vae: the model, to name the layer that loses most.

    Raises:
        InputError: the increase is above the limit.
    """
    if limit is None or quality["distortion_change_nats"] <= limit:
        return
    raise invalid(
        f"a change of the distortion of at most {limit} nats (max_quality_loss)",
        f"{quality['distortion_change_nats']:.4g} nats on {quality['distortion_measured_on']}; "
        f"{worst_layer(vae)}",
        "keep that layer's range narrower, use a finer quantization, or allow more",
    )


def worst_layer(vae: "VAE") -> str:
    """Names the decoder layer that loses most when its weights are rounded to 8 bits.

    One layer is rounded at a time, and the loss is the mean squared change of the decoder's
    output on 64 samples. The weights are put back.

    Args:
        vae: the model.

    Returns:
        Words for a message: the name of the layer, and its loss.
    """
    y = example_conditions(vae, _SAMPLES)
    inputs = vae.prior.for_decoder(vae.sample_latent(_SAMPLES, seed=0, y=y))
    before = vae.decode_batch(inputs, y, training=False)

    losses = {}
    for layer in vae.decoder.layers:
        if not layer.weights:
            continue
        kept = layer.get_weights()
        try:
            layer.set_weights([_rounded(w) for w in kept])
            losses[layer.name] = float(
                tf.reduce_mean(tf.square(vae.decode_batch(inputs, y, training=False) - before))
            )
        finally:
            layer.set_weights(kept)

    name = max(losses, key=lambda key: losses[key])
    return (
        f"the layer that loses most is {name!r} "
        f"(mean squared change of the decoder's output {losses[name]:.3g})"
    )


def _rounded(weights):
    """Rounds weights to 8 bits, with one scale for each output. Vectors stay as they are."""
    if weights.ndim < 2:
        return weights
    scale = (
        np.maximum(np.abs(weights).max(axis=tuple(range(weights.ndim - 1)), keepdims=True), 1e-12)
        / 127
    )
    return np.round(weights / scale) * scale


def _distortion_change(vae, parts, models, data, z, y):
    """Measures how much larger the distortion is with the networks of the file.

    The distortion is E[-log p(x|z)]. With data and an encoder in the file, x are the data, and z
    is the location of q(z|x) by the file or by the model. Otherwise x and z are drawn from the
    model.

    Returns:
        The change in nats per example, and words for the examples it was measured on.
    """
    x, condition = data
    if x is not None and "encoder" in parts:
        x, _ = vae.likelihood.prepare_fixed(np.asarray(x))
        x = np.asarray(x, np.float32)
        y = condition if vae.condition_shape is None else np.asarray(condition)
        codes = run_part(models, parts, "encoder", {"x": x, **({} if y is None else {"y": y})})
        inputs = run_part(models, parts, "location", codes)
        here = vae.prior.for_decoder(
            vae.posterior.location(vae.encoder_params(x, vae.condition(y), training=False))
        )
        source = f"{len(x)} held-out examples"
    else:
        here = vae.prior.for_decoder(z)
        names = [spec.name for spec in parts["decoder"].specs if spec.name != "y"]
        inputs = dict(zip(names, (np.asarray(part) for part in tf.nest.flatten(here))))
        params = vae.decode_batch(here, y, training=False)
        x = vae.likelihood.draw(
            params, random.Stream(random.seed_key(tf.constant(1)), tf.range(_SAMPLES))
        )
        source = f"{_SAMPLES} samples of the model"

    found = run_part(
        models, parts, "decoder", {**inputs, **({} if y is None else {"y": np.asarray(y)})}
    )["params"]
    expected = vae.decode_batch(here, None if y is None else vae.condition(y), training=False)
    of = vae.likelihood.distribution
    return float(
        tf.reduce_mean(of(expected).log_prob(x) - of(tf.constant(found)).log_prob(x))
    ), source


def _max_difference(found, expected):
    """Returns the largest absolute difference of two arrays, or of two lists of arrays."""
    parts = zip(tf.nest.flatten(found), tf.nest.flatten(expected))
    return max(float(np.abs(np.asarray(a) - np.asarray(b)).max()) for a, b in parts)
