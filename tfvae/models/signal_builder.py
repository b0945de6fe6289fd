"""Builds VAEs of signals."""

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING

from tfvae._keras.backend import keras
from tfvae.errors import invalid
from tfvae.models import parts
from tfvae.models.vae import VAE

if TYPE_CHECKING:
    from collections.abc import Callable

    import tensorflow as tf
    from typing_extensions import Unpack

    from tfvae.likelihoods import Likelihood
    from tfvae.models.parts import RestWithPrior
    from tfvae.posteriors import Posterior

layers = keras.layers
_LEAST_STEPS = 8  # time steps to which a signal is shortened
_FIRST_FILTERS, _MOST_FILTERS = 32, 128


def conv1d_vae(
    event_shape: Sequence[int],
    latent_dim: int,
    filters: Sequence[int] | None = None,
    dense: int = 256,
    activation: "str | Callable[[tf.Tensor], tf.Tensor]" = "relu",
    *,
    condition: int | Sequence[int] | None = None,
    posterior: "Posterior | None" = None,
    likelihood: "Likelihood | None" = None,
    **kwargs: "Unpack[RestWithPrior]",
) -> VAE:
    """Builds a `VAE` of two convolutional networks for signals of one or several channels.

    Each number in `filters` is a convolution over time that halves the signal in the encoder, and
    a transposed convolution that doubles it in the decoder, both of kernel 4 and stride 2.

    Args:
        event_shape: `(T, C)`, time steps and channels, or `(T,)` for one channel.
        latent_dim: D.
        filters: channels after each halving. By default the signal is halved until it has 8 to
            15 time steps, with 32, 64 and from then on 128 channels.
        dense: width of the fully connected layer between the signals and the latent.
        activation: activation of the hidden layers.
        condition: as in `mlp_vae`; it joins the signals before the dense layer.
        posterior: as in `mlp_vae`.
        likelihood: as in `mlp_vae`.
        **kwargs: as in `mlp_vae`.

    Returns:
        The model, not compiled yet.

    Raises:
        InputError: an event shape that is not a signal's, or pieces that do not fit together.
        InputTypeError: a size that is not a whole number from 1.
    """
    event_shape, (latent_dim,), (dense,) = parts.sizes(event_shape, (latent_dim,), (dense,))
    if len(event_shape) > 2:
        fix = "use conv_vae for images"
        raise invalid("signals of shape (T, C) or (T,)", f"event_shape={event_shape}", fix)
    widths = _filters(event_shape[0]) if filters is None else filters
    filters = parts.sizes(event_shape, (latent_dim,), widths)[2]
    posterior, likelihood = parts.pieces(posterior, likelihood)

    convolutions = [
        *([layers.Reshape((*event_shape, 1))] if len(event_shape) == 1 else []),
        *[layers.Conv1D(n, 4, 2, "same", activation=activation) for n in filters],
        layers.Flatten(),
    ]
    ends = [layers.Dense(dense, activation), layers.Dense(posterior.params_size(latent_dim))]
    encoder = parts.network("encoder", event_shape, condition, convolutions, ends)

    params_shape = likelihood.params_shape(event_shape)
    outputs = _deconvolutions(event_shape, params_shape, filters, dense, activation)
    decoder = parts.network("decoder", (latent_dim,), condition, [], outputs)
    return VAE(encoder, decoder, posterior=posterior, likelihood=likelihood, **kwargs)


def _filters(steps):
    """Returns the channels after each halving down to 8 to 15 time steps."""
    halvings = parts.halvings(steps, 2 * _LEAST_STEPS - 1)
    return [min(_FIRST_FILTERS * 2**i, _MOST_FILTERS) for i in range(halvings)]


def _deconvolutions(event_shape, params_shape, filters, dense, activation):
    steps = event_shape[0]
    shortest = math.ceil(steps / 2 ** len(filters))
    surplus = shortest * 2 ** len(filters) - steps
    channels = math.prod(params_shape) // steps
    return [
        layers.Dense(dense, activation),
        layers.Dense(shortest * filters[-1], activation),
        layers.Reshape((shortest, filters[-1])),
        *[
            layers.Conv1DTranspose(n, 4, 2, "same", activation=activation)
            for n in reversed(filters[:-1])
        ],
        layers.Conv1DTranspose(channels, 4, 2, "same"),
        *([layers.Cropping1D((0, surplus))] if surplus else []),
        layers.Reshape(params_shape),
    ]
