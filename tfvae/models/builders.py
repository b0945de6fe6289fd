"""Builds VAEs with fully connected, convolutional and hierarchical networks."""

import math
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from tfvae._keras.backend import keras
from tfvae.errors import invalid
from tfvae.models import parts
from tfvae.models.vae import VAE
from tfvae.posteriors import BottomUp, Ladder
from tfvae.priors import Hierarchy

if TYPE_CHECKING:
    import tensorflow as tf
    from typing_extensions import Unpack

    from tfvae.likelihoods import Likelihood
    from tfvae.models.parts import Rest, RestWithPrior
    from tfvae.posteriors import Posterior
    from tfvae.priors import Prior

layers = keras.layers
_LEAST_SIDE = 4  # pixels to which an image is halved
_NO_IMAGE = 16  # pixels of one side, from where on another of less than 4 is a mistake
_FIRST_FILTERS, _MOST_FILTERS = 32, 128


def mlp_vae(
    event_shape: int | Sequence[int],
    latent_dim: int,
    hidden: Sequence[int] = (512, 512),
    activation: "str | Callable[[tf.Tensor], tf.Tensor]" = "relu",
    *,
    condition: int | Sequence[int] | None = None,
    posterior: "Posterior | None" = None,
    likelihood: "Likelihood | None" = None,
    **kwargs: "Unpack[RestWithPrior]",
) -> VAE:
    """Builds a `VAE` of two fully connected networks.

    Args:
        event_shape: shape of one example, such as `(784,)` or `(28, 28, 1)`, or its length.
        latent_dim: D.
        hidden: widths of the encoder's hidden layers; the decoder's are the same, reversed. With
            none, (), both are linear maps.
        activation: activation of the hidden layers.
        condition: for p(x|z, y): the number of classes if y `[B]` holds labels from 0, or the
            shape of real-valued conditions y `[B, *condition]`.
        posterior: q(z|x), as in `VAE`; sets the size of the encoder's output.
        likelihood: p(x|z), as in `VAE`; sets the size of the decoder's output.
        **kwargs: further arguments of `VAE`: `prior`, `objective`, `estimator`, `seed`, `name`.

    Returns:
        The model, not compiled yet.

    Raises:
        InputTypeError: a size that is not a whole number from 1.
        InputError: pieces that do not fit together.
    """
    event_shape, (latent_dim,), hidden = parts.sizes(
        event_shape, (latent_dim,), hidden, may_be_linear=True
    )
    posterior, likelihood = parts.pieces(posterior, likelihood)

    params_shape = likelihood.params_shape(event_shape)
    outputs = [
        *parts.dense(reversed(hidden), activation),
        layers.Dense(math.prod(params_shape)),
        layers.Reshape(params_shape),
    ]
    encoder = parts.network(
        "encoder",
        event_shape,
        condition,
        [layers.Flatten()],
        [*parts.dense(hidden, activation), layers.Dense(posterior.params_size(latent_dim))],
    )
    decoder = parts.network("decoder", (latent_dim,), condition, [], outputs)

    return VAE(encoder, decoder, posterior=posterior, likelihood=likelihood, **kwargs)


def conv_vae(
    event_shape: Sequence[int],
    latent_dim: int,
    filters: Sequence[int] | None = None,
    dense: int = 512,
    activation: "str | Callable[[tf.Tensor], tf.Tensor]" = "relu",
    *,
    residual: bool = False,
    condition: int | Sequence[int] | None = None,
    posterior: "Posterior | None" = None,
    likelihood: "Likelihood | None" = None,
    **kwargs: "Unpack[RestWithPrior]",
) -> VAE:
    """Builds a `VAE` of two convolutional networks for images.

    Each number in `filters` is a convolution that halves the image in the encoder, and a
    transposed convolution that doubles it in the decoder. Both have kernel 4 and stride 2,
    which every TFLite runtime computes alike.

    Args:
        event_shape: `(H, W)` or `(H, W, C)`, any size.
        latent_dim: D.
        filters: channels after each halving. By default the image is halved until its shorter
            side has 4 to 7 pixels, with 32, 64 and from then on 128 channels.
        dense: width of the fully connected layer between the images and the latent.
        activation: activation of the hidden layers.
        residual: True to add, at each size, what two further convolutions of kernel 3 make of the
            image [1]. It takes about twice the time, and learns more of detailed images.
        condition: as in `mlp_vae`; it joins the images before the dense layer.
        posterior: as in `mlp_vae`.
        likelihood: as in `mlp_vae`.
        **kwargs: as in `mlp_vae`.

    Returns:
        The model, not compiled yet.

    References:
        [1] He et al., Identity Mappings in Deep Residual Networks. ECCV 2016. arXiv:1603.05027.

    Raises:
        InputError: an event shape that is not an image's, or pieces that do not fit together.
        InputTypeError: a size that is not a whole number from 1.
    """
    event_shape, (latent_dim,), (dense,) = parts.sizes(event_shape, (latent_dim,), (dense,))
    _check_image(event_shape)
    widths = _filters(event_shape) if filters is None else filters
    filters = parts.sizes(event_shape, (latent_dim,), widths)[2]
    posterior, likelihood = parts.pieces(posterior, likelihood)

    more = [_residual(n, activation) for n in filters] if residual else []
    halvings = [layers.Conv2D(n, 4, 2, "same", activation=activation) for n in filters]
    convolutions = [
        *([layers.Reshape((*event_shape, 1))] if len(event_shape) == 2 else []),
        *parts.alternating(halvings, more),
        layers.Flatten(),
    ]
    ends = [layers.Dense(dense, activation), layers.Dense(posterior.params_size(latent_dim))]
    encoder = parts.network("encoder", event_shape, condition, convolutions, ends)

    more = [_residual(n, activation) for n in reversed(filters)] if residual else []
    outputs = _deconvolutions(
        event_shape[:2], likelihood.params_shape(event_shape), filters, dense, activation, more
    )
    decoder = parts.network("decoder", (latent_dim,), condition, [], outputs)

    return VAE(encoder, decoder, posterior=posterior, likelihood=likelihood, **kwargs)


def _residual(filters, activation):
    """Returns a function that adds to an image what two convolutions make of it."""
    first = layers.Conv2D(filters, 3, padding="same", activation=activation)
    second = layers.Conv2D(filters, 3, padding="same")
    return lambda x: layers.add([x, second(first(x))])


def _check_image(event_shape):
    """Refuses what is no image (H, W) or (H, W, C)."""
    if len(event_shape) not in (2, 3):
        raise invalid(
            "images of shape (H, W) or (H, W, C)",
            f"event_shape={event_shape}",
            "use mlp_vae, or reshape the data",
        )
    if min(event_shape[:2]) < _LEAST_SIDE and max(event_shape) >= _NO_IMAGE:
        first = len(event_shape) == 3 and event_shape[0] < _LEAST_SIDE
        raise invalid(
            f"images (H, W) or (H, W, C) of {_LEAST_SIDE} pixels a side or more",
            f"event_shape={event_shape}",
            "move the channels last, np.moveaxis(x, 1, -1)"
            if first
            else "use conv1d_vae for signals",
        )


def _filters(event_shape):
    """Returns the channels after each halving down to 4 to 7 pixels."""
    halvings = parts.halvings(min(event_shape[:2]), 2 * _LEAST_SIDE - 1)
    return [min(_FIRST_FILTERS * 2**i, _MOST_FILTERS) for i in range(halvings)]


def hierarchical_vae(
    event_shape: int | Sequence[int],
    latent_dims: Sequence[int],
    hidden: Sequence[int] = (256,),
    activation: "str | Callable[[tf.Tensor], tf.Tensor]" = "relu",
    *,
    ladder: bool = False,
    top: "Prior | None" = None,
    condition: int | Sequence[int] | None = None,
    likelihood: "Likelihood | None" = None,
    **kwargs: "Unpack[Rest]",
) -> VAE:
    """Builds a `VAE` of several layers of latents by fully connected networks.

    The model is p(z_L) ... p(z_1|z_2) p(x|z_1), where z_1 is nearest the data. The posterior
    runs bottom-up, q(z_1|x) q(z_2|z_1) ... [1], or with `ladder` top-down along the prior's
    path, q(z_L|x) ... q(z_1|z_2, x) [2].

    Args:
        event_shape: shape of one example, or its length.
        latent_dims: `(D_1, ..., D_L)`, from the data upwards.
        hidden: widths of the hidden layers between any two neighbours; none, (), for linear maps.
        activation: activation of the hidden layers.
        ladder: whether the posterior shares the prior's top-down path.
        top: p(z_L); default `StandardNormal()`.
        condition: as in `mlp_vae`, for p(x|z_1, y) and the posterior.
        likelihood: as in `mlp_vae`.
        **kwargs: further arguments of `VAE`: `objective`, `estimator`, `seed`, `name`.

    Returns:
        The model, not compiled yet.

    Raises:
        InputError: fewer than two layers, or pieces that do not fit together.
        InputTypeError: a size that is not a whole number from 1.

    References:
        [1] Burda et al., Importance Weighted Autoencoders. ICLR 2016. arXiv:1509.00519.
        [2] Sonderby et al., Ladder Variational Autoencoders. NeurIPS 2016. arXiv:1602.02282.
    """
    event_shape, latent_dims, hidden = parts.sizes(
        event_shape, latent_dims, hidden, may_be_linear=True
    )
    likelihood = parts.pieces(None, likelihood)[1]
    if len(latent_dims) < 2:
        raise invalid(
            "at least two layers of latents",
            f"latent_dims={tuple(latent_dims)}",
            "use mlp_vae for one",
        )

    upwards = list(zip(latent_dims[:-1], latent_dims[1:]))
    prior = Hierarchy(
        [_step(above, below, hidden, activation) for below, above in reversed(upwards)], top
    )
    if ladder:
        ends, posterior = [_ladder(latent_dims, hidden, activation)], Ladder()
    else:
        ends = [*parts.dense(hidden, activation), layers.Dense(2 * latent_dims[0])]
        posterior = BottomUp([_step(below, above, hidden, activation) for below, above in upwards])

    encoder = parts.network("encoder", event_shape, condition, [layers.Flatten()], ends)
    params_shape = likelihood.params_shape(event_shape)
    outputs = [
        *parts.dense(reversed(hidden), activation),
        layers.Dense(math.prod(params_shape)),
        layers.Reshape(params_shape),
    ]
    decoder = parts.network("decoder", (latent_dims[0],), condition, [], outputs)

    return VAE(encoder, decoder, posterior=posterior, prior=prior, likelihood=likelihood, **kwargs)


def _step(inputs, outputs, hidden, activation):
    """Returns a network from one layer of latents to the parameters of its neighbour's normal."""
    return parts.network(
        None, (inputs,), None, [], [*parts.dense(hidden, activation), layers.Dense(2 * outputs)]
    )


def _ladder(latent_dims, hidden, activation):
    """Returns the encoder's deterministic path upwards: x -> each layer's parameters, top first."""

    def path(x):
        params: list = []
        for size in latent_dims:
            x = parts.chain(x, parts.dense(hidden, activation))
            params.insert(0, layers.Dense(2 * size)(x))
        return params

    return path


def _deconvolutions(image_size, params_shape, filters, dense, activation, more):
    height, width = (math.ceil(n / 2 ** len(filters)) for n in image_size)
    crop = [n * 2 ** len(filters) - size for n, size in zip((height, width), image_size)]
    channels = params_shape[2] if len(params_shape) == 3 else params_shape[1] // image_size[1]
    doublings = [
        layers.Conv2DTranspose(n, 4, 2, "same", activation=activation)
        for n in reversed(filters[:-1])
    ]
    return [
        layers.Dense(dense, activation),
        layers.Dense(height * width * filters[-1], activation),
        layers.Reshape((height, width, filters[-1])),
        *parts.alternating(more, doublings),
        layers.Conv2DTranspose(channels, 4, 2, "same"),
        *([layers.Cropping2D(tuple((0, n) for n in crop))] if any(crop) else []),
        layers.Reshape(params_shape),
    ]
