"""Standard deviations of normals from unbounded numbers, in forms whose gradients stay finite."""

import tensorflow as tf

# At 1 the scale differs from the softplus by 1e-8 of it. Fourth powers of both are within
# float32, and so are squares of the ratio of any two.
_LEAST, _LARGEST = 1e-4, 1e8
# A layer of latents given another has no units of its own, so that these bounds cost nothing. With
# them a gradient stays far below 1e19, whose square is above float32, whatever the networks give.
_LEAST_OF_LAYER, _LARGEST_OF_LAYER = 1e-2, 1e4
_CLIPPED = 1e15  # numbers beyond it are taken for it, before they are squared


def of(raw: tf.Tensor, least: float = _LEAST, largest: float = _LARGEST) -> tf.Tensor:
    """Computes the scale of a normal from an unbounded number.

    It is softplus(raw), bounded smoothly below and above. At a scale near 0 one latent far from
    its prior would give a gradient whose square, which Adam computes, is above float32.

    Args:
        raw: unbounded numbers of any shape.
        least: the lower bound.
        largest: the upper bound.

    Returns:
        Scales of that shape, from `least` to `largest`.
    """
    below = _bounded(tf.nn.softplus(raw), largest)
    # Of the fourth power: a scale ten times the bound is larger by 2.5e-5 of itself.
    return tf.sqrt(tf.sqrt(tf.square(tf.square(below)) + least**4))


def of_layer(params: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
    """Computes mean and standard deviation of a layer of latents given another layer.

    Args:
        params: `[..., 2 D]`, unbounded.

    Returns:
        Mean, from -1e4 to 1e4, and standard deviation, from 0.01 to 1e4, `[..., D]` each.
    """
    loc, raw = tf.split(params, 2, axis=-1)
    loc = _bounded(loc, _LARGEST_OF_LAYER)
    return loc, of(raw, _LEAST_OF_LAYER, _LARGEST_OF_LAYER)


def _bounded(x, limit):
    """Bounds numbers smoothly; at a hundredth of the limit they change by 5e-5 of themselves."""
    x = tf.clip_by_value(x, -_CLIPPED, _CLIPPED)
    return x * tf.math.rsqrt(1.0 + tf.square(x / limit))


def combined(
    loc: tf.Tensor, scale: tf.Tensor, other_loc: tf.Tensor, other_scale: tf.Tensor
) -> tuple[tf.Tensor, tf.Tensor]:
    """Computes mean and standard deviation of the normalized product of two normal densities.

    It is the combination by precisions, written without a precision: that of a scale near 0
    overflows in a gradient.

    Args:
        loc: mean of the first, `[..., D]`.
        scale: standard deviation of the first, `[..., D]`.
        other_loc: mean of the second, `[..., D]`.
        other_scale: standard deviation of the second, `[..., D]`.

    Returns:
        Mean and standard deviation, `[..., D]` each.
    """
    variance, other_variance = scale * scale, other_scale * other_scale
    total = variance + other_variance
    share = other_variance / total
    return other_loc + share * (loc - other_loc), scale * other_scale * tf.math.rsqrt(total)
