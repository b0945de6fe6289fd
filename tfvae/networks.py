"""Encoders and decoders for vectors and images: tensors in, tensors out."""

import math

from tfvae._backend import keras
from tfvae.errors import InputTypeError, invalid
from tfvae.likelihoods import Bernoulli
from tfvae.posteriors import DiagonalNormal
from tfvae.vae import VAE

layers = keras.layers


def mlp_vae(event_shape, latent_dim, hidden=(512, 512), activation="relu", *, posterior=None, likelihood=None, **kwargs):
    """A `VAE` of two fully connected networks.

    Args:
        event_shape: shape of one example, such as `(784,)` or `(28, 28, 1)`, or its length.
        latent_dim: D.
        hidden: widths of the encoder's hidden layers; the decoder's are the same, reversed.
        activation: of the hidden layers.
        posterior, likelihood, **kwargs: as `VAE`; the networks get the sizes these need.

    Raises:
        InputTypeError: a size that is not a whole number from 1.
    """
    event_shape, posterior, likelihood = _defaults(event_shape, latent_dim, hidden, posterior, likelihood)
    encoder = keras.Sequential(
        [
            keras.Input(event_shape),
            layers.Flatten(),
            *[layers.Dense(width, activation) for width in hidden],
            layers.Dense(posterior.params_size(latent_dim)),
        ],
        name="encoder",
    )
    decoder = keras.Sequential(
        [
            keras.Input((latent_dim,)),
            *[layers.Dense(width, activation) for width in reversed(hidden)],
            layers.Dense(likelihood.params_size(event_shape)),
            layers.Reshape(likelihood.params_shape(event_shape)),
        ],
        name="decoder",
    )
    return VAE(encoder, decoder, posterior=posterior, likelihood=likelihood, **kwargs)


def conv_vae(
    event_shape, latent_dim, filters=(32, 64), dense=512, activation="relu", *, posterior=None, likelihood=None, **kwargs
):
    """A `VAE` of two convolutional networks for images `(H, W)` or `(H, W, C)`.

    Each of `filters` halves the image in the encoder, by a convolution of kernel 4 and
    stride 2, and doubles it in the decoder, by a transposed one: the kernel and stride
    that every TFLite runtime computes alike.

    Args:
        event_shape: `(H, W)` or `(H, W, C)`, any size.
        latent_dim: D.
        filters: channels after each halving.
        dense: width of the fully connected layer between the images and the latent.
        activation: of the hidden layers.
        posterior, likelihood, **kwargs: as `VAE`; the networks get the sizes these need.

    Raises:
        InputError: an event shape that is not an image's.
        InputTypeError: a size that is not a whole number from 1.
    """
    sizes = (*filters, dense)
    event_shape, posterior, likelihood = _defaults(event_shape, latent_dim, sizes, posterior, likelihood)
    if len(event_shape) not in (2, 3):
        raise invalid("images of shape (H, W) or (H, W, C)", f"event_shape={event_shape}", "use mlp_vae, or reshape the data")
    encoder = _conv_encoder(event_shape, posterior.params_size(latent_dim), filters, dense, activation)
    decoder = _conv_decoder(latent_dim, event_shape[:2], likelihood.params_shape(event_shape), filters, dense, activation)
    return VAE(encoder, decoder, posterior=posterior, likelihood=likelihood, **kwargs)


def _conv_encoder(event_shape, params_size, filters, dense, activation):
    return keras.Sequential(
        [
            keras.Input(event_shape),
            *([layers.Reshape((*event_shape, 1))] if len(event_shape) == 2 else []),
            *[layers.Conv2D(n, 4, 2, "same", activation=activation) for n in filters],
            layers.Flatten(),
            layers.Dense(dense, activation),
            layers.Dense(params_size),
        ],
        name="encoder",
    )


def _conv_decoder(latent_dim, image_size, params_shape, filters, dense, activation):
    height, width = (math.ceil(n / 2 ** len(filters)) for n in image_size)
    crop = [n * 2 ** len(filters) - size for n, size in zip((height, width), image_size)]
    channels = params_shape[2] if len(params_shape) == 3 else params_shape[1] // image_size[1]
    return keras.Sequential(
        [
            keras.Input((latent_dim,)),
            layers.Dense(dense, activation),
            layers.Dense(height * width * filters[-1], activation),
            layers.Reshape((height, width, filters[-1])),
            *[layers.Conv2DTranspose(n, 4, 2, "same", activation=activation) for n in reversed(filters[:-1])],
            layers.Conv2DTranspose(channels, 4, 2, "same"),
            *([layers.Cropping2D(tuple((0, n) for n in crop))] if any(crop) else []),
            layers.Reshape(params_shape),
        ],
        name="decoder",
    )


def _defaults(event_shape, latent_dim, sizes, posterior, likelihood):
    event_shape = tuple(event_shape) if hasattr(event_shape, "__len__") else (event_shape,)
    for name, value in (("event_shape", event_shape), ("latent_dim", (latent_dim,)), ("layer sizes", tuple(sizes))):
        if not value or any(not isinstance(n, int) or isinstance(n, bool) or n < 1 for n in value):
            raise invalid(f"{name} of whole numbers from 1", f"{value}", "pass sizes such as 32", InputTypeError)
    return event_shape, posterior or DiagonalNormal(), likelihood or Bernoulli()
