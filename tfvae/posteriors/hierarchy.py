"""Posteriors over several layers of latents, z = [z_L, ..., z_1], with z_1 nearest the data."""

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

import tensorflow as tf
import tensorflow_probability as tfp

from tfvae import random
from tfvae._keras.backend import keras, register
from tfvae.distributions.chains import Chain
from tfvae.errors import invalid
from tfvae.ops import networks, scales
from tfvae.ops.noise import Normal, NormalVector
from tfvae.pieces import LAYERS
from tfvae.posteriors.base import Posterior
from tfvae.posteriors.normal import DiagonalNormal
from tfvae.validation import arguments, compatibility

if TYPE_CHECKING:
    from tfvae.models.vae import VAE

tfd, tfb = tfp.distributions, tfp.bijectors
_NORMAL = DiagonalNormal()


@register
class BottomUp(Posterior):
    """The posterior q(z_1|x) q(z_2|z_1) ... q(z_L|z_L-1) of diagonal normals.

    It is the two-layer network of [1], section 3, for any number of layers. The encoder gives
    the parameters of q(z_1|x), `[B, 2 D_1]`.

    Args:
        networks: Keras networks `[B, D_l] -> [B, 2 D_l+1]` for l = 1 ... L - 1.

    Raises:
        InputError: networks whose sizes do not match the prior's layers.

    References:
        [1] Burda et al., Importance Weighted Autoencoders. ICLR 2016. arXiv:1509.00519.
    """

    support = LAYERS
    unbounded_params = _NORMAL.unbounded_params

    def __init__(self, networks: Iterable[keras.Model], **kwargs: Any) -> None:
        """Keeps the networks, which `build` checks."""
        super().__init__(**kwargs)
        self.networks = arguments.listed("networks", networks)

    def build(self, latent_dim: list[int]) -> None:
        """Checks that the networks lead from each layer to the one above.

        Args:
            latent_dim: sizes of the layers, the top layer first.

        Raises:
            InputError: networks of other sizes.
        """
        upwards = tf.nest.flatten(latent_dim)[::-1]
        expected = [(below, 2 * above) for below, above in zip(upwards[:-1], upwards[1:])]
        compatibility.check_networks(self, self.networks, expected)
        self.built = True

    def params_size(self, latent_dim: list[int]) -> int:
        """Returns 2 D_1, for the layer nearest the data. `latent_dim` has the top layer first."""
        return _NORMAL.params_size(tf.nest.flatten(latent_dim)[-1])

    def distribution(
        self, params: tf.Tensor, training: bool = False
    ) -> tfp.distributions.Distribution:
        """Returns the joint distribution of the layers, the top layer first.

        Args:
            params: the encoder's output, `[B, 2 D_1]`.
            training: True if the networks run as in training.

        Returns:
            q(z|x), of batch `[B]` over the list `[[D_L], ..., [D_1]]`.
        """
        conditionals = [self._conditional(network) for network in self.networks]
        upwards = Chain(_NORMAL.distribution(params), conditionals, training)
        order = list(range(len(conditionals) + 1))
        return tfd.TransformedDistribution(upwards, tfb.Restructure(order[::-1], order))

    def _conditional(self, network):
        return lambda below, training: _NORMAL.distribution(
            networks.apply_to_flattened(network, below, training=training)
        )

    def point_estimate(self, params: tf.Tensor) -> list[tf.Tensor]:
        """Returns each layer's mean at the mean of the layer below, the top layer first."""
        return self._upwards(params, lambda layer, params: _NORMAL.point_estimate(params))

    def sample(self, params: tf.Tensor, noise: random.Stream) -> list[tf.Tensor]:
        """Draws the layers from z_1 upwards, each with noise of its own.

        Args:
            params: the encoder's output, `[B, 2 D_1]`.
            noise: a stream of B samples.

        Returns:
            `[[B, D_L], ..., [B, D_1]]`, the top layer first.
        """
        keyed = noise.fold_in(random.TAGS["posterior_layer"])
        return self._upwards(
            params, lambda layer, params: _NORMAL.sample(params, keyed.fold_in(layer))
        )

    def encode_outputs(self, params: tf.Tensor) -> dict[str, tf.Tensor]:
        """Returns `{"loc_0": [B, D_L], ..., "scale_0": [B, D_L], ...}`, the top layer first.

        Each layer is taken at the mean of the layer below it.
        """
        scales: list = []

        def location(layer, params):
            loc, scale = _NORMAL.loc_scale(params)
            scales.insert(0, scale)
            return loc

        return _summary(self._upwards(params, location), scales)

    def _upwards(self, params, value):
        """Returns the layers, the top first, with z_l = value(l, parameters of layer l)."""
        z = [value(1, params)]
        for layer, network in enumerate(self.networks, 2):
            z.insert(0, value(layer, networks.apply_to_flattened(network, z[0])))
        return z

    def get_config(self) -> dict[str, Any]:
        """Returns the constructor arguments, with the networks serialized."""
        return {
            **super().get_config(),
            "networks": [keras.saving.serialize_keras_object(n) for n in self.networks],
        }


@register
class Ladder(Posterior):
    """The posterior q(z_L|x) q(z_L-1|z_L, x) ... q(z_1|z_2, x), top down [1], section 2.2.

    It follows the path of the prior. For each layer the prior gives N(m, s^2), given the layer
    above, and the encoder gives N(m', s'^2). Their precisions combine the two, equations 18 to
    20. The encoder gives a list, `[[B, 2 D_L], ..., [B, 2 D_1]]`. The prior is
    `priors.Hierarchy`, whose networks are shared.

    In a training step these networks run twice, in q and in p, each time with its own dropout.
    A second model with another prior, as `VAE.with_prior` makes, gets a new `Ladder`.

    Raises:
        InputError: a prior other than `Hierarchy`.

    References:
        [1] Sonderby et al., Ladder Variational Autoencoders. NeurIPS 2016. arXiv:1602.02282.
    """

    support = LAYERS
    unbounded_params = _NORMAL.unbounded_params
    _prior_of: Any = None

    def bind_to(self, vae: "VAE") -> "Ladder":
        """Takes the conditionals of the model's prior.

        Args:
            vae: the model.

        Returns:
            This posterior, or a new one if this one is built for another prior.

        Raises:
            InputError: a prior that is not a `Hierarchy`.
        """
        prior = vae.prior
        if not hasattr(prior, "conditional"):
            raise invalid(
                "the prior Hierarchy, whose path Ladder shares",
                repr(prior),
                "pass prior=priors.Hierarchy(...)",
            )

        if self.built and self._prior_of != prior.conditional:
            other = type(self).from_config(self.get_config())
            other._prior_of = prior.conditional
            return other

        # A function, since Keras would track a layer held here as a part of the posterior.
        self._prior_of = prior.conditional
        return self

    def params_size(self, latent_dim: list[int]) -> list[int]:
        """Returns 2 D_l for each layer, the top layer first."""
        return [_NORMAL.params_size(size) for size in latent_dim]

    def distribution(
        self, params: list[tf.Tensor], training: bool = False
    ) -> tfp.distributions.Distribution:
        """Returns the joint distribution of the layers, the top layer first.

        Args:
            params: the encoder's output, `[[B, 2 D_L], ..., [B, 2 D_1]]`.
            training: True if the networks run as in training.

        Returns:
            q(z|x), of batch `[B]` over the list `[[D_L], ..., [D_1]]`.
        """
        lower = [self._conditional(layer, params[layer]) for layer in range(1, len(params))]
        return Chain(_NORMAL.distribution(params[0]), lower, training)

    def _conditional(self, layer, params):
        return lambda above, training: NormalVector(
            Normal(*self._combined(layer, params, above, training)), 1
        )

    def _combined(self, layer, params, above, training=False):
        """Returns mean and standard deviation of q(z_layer | z_above, x), `[..., D]` each."""
        ours, theirs = scales.of_layer(params), self._prior_of(layer, above, training)
        return scales.combined(*ours, *theirs)

    def point_estimate(self, params: list[tf.Tensor]) -> list[tf.Tensor]:
        """Returns each layer's mean at the mean of the layer above, the top layer first."""
        return self._downwards(params, lambda layer, loc, scale: loc)

    def sample(self, params: list[tf.Tensor], noise: random.Stream) -> list[tf.Tensor]:
        """Draws the layers from z_L downwards, each with noise of its own.

        Args:
            params: the encoder's output, `[[B, 2 D_L], ..., [B, 2 D_1]]`.
            noise: a stream of B samples.

        Returns:
            `[[B, D_L], ..., [B, D_1]]`, the top layer first.
        """
        keyed = noise.fold_in(random.TAGS["posterior_layer"])
        return self._downwards(
            params,
            lambda layer, loc, scale: loc + scale * keyed.fold_in(layer).normal(loc.shape[-1]),
        )

    def encode_outputs(self, params: list[tf.Tensor]) -> dict[str, tf.Tensor]:
        """Returns `{"loc_0": [B, D_L], ..., "scale_0": [B, D_L], ...}`, the top layer first.

        Each layer is taken at the mean of the layer above it.
        """
        scales: list = []

        def location(layer, loc, scale):
            scales.append(scale)
            return loc

        return _summary(self._downwards(params, location), scales)

    def _downwards(self, params, value):
        """Returns the layers from layer 0, the top, each of them value(layer, loc, scale)."""
        z = [value(0, *_NORMAL.loc_scale(params[0]))]
        for layer in range(1, len(params)):
            z.append(value(layer, *self._combined(layer, params[layer], z[-1])))
        return z


def _summary(locs, scales):
    """Returns `{"loc_0": ..., "loc_1": ..., "scale_0": ..., ...}`, the top layer first."""
    named = [
        *((f"loc_{i}", loc) for i, loc in enumerate(locs)),
        *((f"scale_{i}", s) for i, s in enumerate(scales)),
    ]
    return dict(named)
