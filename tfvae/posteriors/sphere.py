"""Posteriors on the unit sphere."""

import math
from typing import TYPE_CHECKING

import tensorflow as tf
import tensorflow_probability as tfp

from tfvae._keras.backend import register
from tfvae.ops import noise
from tfvae.pieces import SPHERE
from tfvae.posteriors.base import Posterior
from tfvae.random import seed_for
from tfvae.validation import compatibility

if TYPE_CHECKING:
    from tfvae.random import Stream

tfd = tfp.distributions

_INTERVALS = 256


@register
class VonMisesFisher(Posterior):
    """The von Mises-Fisher posterior, q(z|x) = C(kappa) exp(kappa mu'z) [1].

    z lies on the unit sphere of R^D. The encoder gives `[B, D + 1]`: mu before it is scaled to
    length 1, then the inverse softplus of kappa - 1, so that kappa is at least 1. A q that has
    collapsed is therefore not uniform: its rate to `UniformSphere` is about 1 / (2 D) nats and not
    0. On a device, `encode` gives mu and
    `scale` = kappa^(-1/2). This is the standard deviation of a concentrated q in each direction
    of the tangent plane.

    Raises:
        InputError: D below 2.

    References:
        [1] Davidson et al., Hyperspherical Variational Auto-Encoders. UAI 2018. arXiv:1804.00891.
    """

    support = SPHERE
    unbounded_params = "directions and concentrations before their softplus"

    def params_size(self, latent_dim: int) -> int:
        """Returns D + 1, for mu and kappa.

        Args:
            latent_dim: D.

        Raises:
            InputError: D below 2.
        """
        compatibility.check_sphere(latent_dim)
        return latent_dim + 1

    def distribution(self, params: tf.Tensor) -> tfp.distributions.Distribution:
        """Returns q(z|x), of batch `[B]` over `[D]`, for params `[B, D + 1]`."""
        return _VonMisesFisher(*self._direction_concentration(params))

    def sample(self, params: tf.Tensor, noise: "Stream") -> tf.Tensor:
        """Draws the angle between z and mu, and a direction around mu.

        Args:
            params: the encoder's output, `[B, D + 1]`.
            noise: a stream of B samples.

        Returns:
            Unit vectors z, `[B, D]`.
        """
        direction, concentration = self._direction_concentration(params)
        # The angle takes the last number of each sample's row, the tangent direction the others.
        rows = noise.uniform(direction.shape[-1])
        normals = noise.normal(direction.shape[-1])
        versine = CosineQuadrature(concentration, direction.shape[-1]).quantile(rows[:, -1])
        return _assemble(direction, versine, normals[:, :-1])

    def point_estimate(self, params: tf.Tensor) -> tf.Tensor:
        """Returns mu, `[B, D]`. The mean of q(z|x) lies inside the sphere."""
        return self._direction_concentration(params)[0]

    def interpolate(self, a: tf.Tensor, b: tf.Tensor, weight: tf.Tensor) -> tf.Tensor:
        """Returns the point of the great circle above a share of the chord from a to b.

        Args:
            a: the unit vector at weight 0, `[B, D]`.
            b: the unit vector at weight 1, `[B, D]`.
            weight: the share of the chord, `[B, 1]`.

        Returns:
            Unit vectors, `[B, D]`.
        """
        chord = a + weight * (b - a)
        return chord / tf.sqrt(tf.reduce_sum(chord * chord, axis=-1, keepdims=True) + 1e-12)

    def encode_outputs(self, params: tf.Tensor) -> dict[str, tf.Tensor]:
        """Returns `{"loc": mu [B, D], "scale": kappa^(-1/2) [B, 1]}`."""
        direction, concentration = self._direction_concentration(params)
        return {"loc": direction, "scale": 1.0 / tf.sqrt(concentration)[:, None]}

    def _direction_concentration(self, params):
        raw, raw_concentration = params[..., :-1], params[..., -1]
        norm = tf.sqrt(tf.reduce_sum(raw * raw, axis=-1, keepdims=True) + 1e-12)
        return raw / norm, tf.nn.softplus(raw_concentration) + 1.0


class _VonMisesFisher(tfp.distributions.Distribution):
    """The von Mises-Fisher distribution, computed by one quadrature over the angle.

    TFP's distribution draws by rejection. Its gradient ignores that acceptance depends on
    kappa, and its Bessel functions do not compile under XLA.

    Args:
        direction: mu, unit vectors, `[..., D]`.
        concentration: kappa, `[...]`.
    """

    def __init__(self, direction, concentration):
        reparameterized = tfd.FULLY_REPARAMETERIZED
        super().__init__(
            tf.float32,
            reparameterized,
            validate_args=False,
            allow_nan_stats=True,
            name="VonMisesFisher",
        )
        self.direction, self.concentration = direction, concentration
        self._angle = CosineQuadrature(concentration, direction.shape[-1])

    def _batch_shape(self):
        return self.concentration.shape

    def _batch_shape_tensor(self):
        return tf.shape(self.concentration)

    def _event_shape(self):
        return self.direction.shape[-1:]

    def _log_prob(self, z):
        cosine = tf.reduce_sum(z * self.direction, axis=-1)
        return self.concentration * (cosine - 1.0) - self._angle.log_normalizer

    def _sample_n(self, n, seed=None):
        seed = tfp.random.sanitize_seed(seed)
        shape = tf.concat([[n], tf.shape(self.concentration)], axis=0)
        size = tf.concat([shape, [self.direction.shape[-1] - 1]], axis=0)
        normals = noise.normal(size, seed_for(seed, "tangent"))
        angles = noise.uniform(shape, seed_for(seed, "angle"))
        return _assemble(self.direction, self._angle.quantile(angles), normals)

    def _mean(self):
        return self.direction * (1.0 - self._angle.mean)[..., None]

    def _entropy(self):
        return self._angle.log_normalizer + self.concentration * self._angle.mean


@tfd.RegisterKL(_VonMisesFisher, tfd.SphericalUniform)
def _kl_uniform(q, p, name=None):
    """Computes KL(q || p) in nats; the density of p is constant."""
    return p.entropy() - q.entropy()


class CosineQuadrature:
    """The distribution of 1 - cos of the angle between z and mu, on a grid.

    After Wood's change of variable [1], the density of an angle phi is nearly the density under
    a uniform z, for every kappa. Let b = (D - 1) / (2 kappa + sqrt(4 kappa^2 + (D - 1)^2)),
    s = sin(phi / 2)^2 and q = 1 - (1 - b) s. Then 1 - cos = 2 b s / q, and

        log density(phi) = kappa (cos - 1) + (D - 2) log sin phi - (D - 1) log q + constant.

    The density is taken as linear between the points of the grid. Its integral is quadratic
    there, and is inverted exactly. The gradient of a quantile is therefore exact for this
    density.

    Args:
        concentration: kappa, `[B]`.
        size: D.

    Attributes:
        log_normalizer: log of the integral of exp(kappa (cos - 1)) over the sphere, `[B]`, nats.
        mean: mean of 1 - cos, `[B]`.

    References:
        [1] Wood, Simulation of the von Mises Fisher distribution. Communications in Statistics -
            Simulation and Computation 23(1), 1994.
    """

    def __init__(self, concentration: tf.Tensor, size: int) -> None:
        """Computes the density on the grid, and its integral."""
        self._b = (size - 1.0) / (
            2.0 * concentration + tf.sqrt(4.0 * concentration**2 + (size - 1.0) ** 2)
        )
        b = self._b[..., None]
        # Half the width of the range of phi, which holds all but 1e-13 of the probability.
        self._half = min(math.pi / 2, 8.0 / math.sqrt(size - 1))
        phi = self._phi(tf.range(_INTERVALS + 1, dtype=tf.float32))
        versine = _versine_of(phi, b)  # [B, M + 1]

        log_density = -concentration[..., None] * versine + (size - 2.0) * tf.math.log(
            tf.maximum(tf.sin(phi), 1e-30)
        )
        log_density -= (size - 1.0) * tf.math.log(1.0 - (1.0 - b) * tf.sin(phi / 2.0) ** 2)
        highest = tf.reduce_max(log_density, axis=-1, keepdims=True)
        self._density = tf.exp(log_density - highest)
        total = tf.reduce_sum(_trapezoids(self._density), axis=-1)

        # Log of the area of the sphere S^(D-2) around mu.
        around = math.log(2.0) + (size - 1) / 2 * math.log(math.pi) - math.lgamma((size - 1) / 2)
        step = math.log(2.0 * self._half / _INTERVALS)
        self.log_normalizer = (
            around
            + step
            + (size - 1) / 2 * tf.math.log(self._b)
            + highest[..., 0]
            + tf.math.log(total)
        )
        self.mean = tf.reduce_sum(_trapezoids(self._density * versine), axis=-1) / total

    def quantile(self, u: tf.Tensor) -> tf.Tensor:
        """Returns the 1 - cos below which a share u of the probability lies, both `[..., B]`."""
        low, high, areas = (
            self._density[..., :-1],
            self._density[..., 1:],
            _trapezoids(self._density),
        )
        wanted = u * tf.reduce_sum(areas, axis=-1)
        passed = tf.cast(wanted[..., None] >= tf.cumsum(areas, axis=-1)[..., :-1], tf.float32)

        # The interval as a one-hot vector. A sum with it is a lookup that every runtime has.
        edge = tf.ones_like(passed[..., :1])
        chosen = tf.concat([edge, passed], axis=-1) - tf.concat([passed, 0.0 * edge], axis=-1)
        rest = tf.maximum(wanted - tf.reduce_sum(passed * areas[..., :-1], axis=-1), 0.0)
        first, slope = (
            tf.reduce_sum(chosen * low, axis=-1),
            tf.reduce_sum(chosen * (high - low), axis=-1),
        )

        # Solves first t + slope t^2 / 2 = rest in the form that also holds for a slope of 0.
        root = tf.sqrt(tf.maximum(first**2 + 2.0 * slope * rest, 1e-30))
        t = tf.clip_by_value(2.0 * rest / tf.maximum(first + root, 1e-30), 0.0, 1.0)
        return _versine_of(self._phi(tf.reduce_sum(passed, axis=-1) + t), self._b)

    def _phi(self, position):
        """Returns the angle at a position from 0 to `_INTERVALS` on the grid."""
        return math.pi / 2 + self._half * (2.0 * position / _INTERVALS - 1.0)


def _trapezoids(values):
    return (values[..., :-1] + values[..., 1:]) / 2.0


def _versine_of(phi, b):
    s = tf.sin(phi / 2.0) ** 2
    return 2.0 * b * s / (1.0 - (1.0 - b) * s)


def _assemble(direction, versine, normals):
    """Returns unit vectors with the cosine `1 - versine` to `direction [B, D]`.

    The normals `[..., B, D - 1]` give the direction in the tangent plane.
    """
    tangent = normals / tf.sqrt(tf.reduce_sum(normals**2, axis=-1, keepdims=True) + 1e-30)
    sine = tf.sqrt(tf.maximum(versine * (2.0 - versine), 1e-14))[..., None]
    around = tf.concat([1.0 - versine[..., None], sine * tangent], axis=-1)  # about the first axis

    # The Householder reflection that takes the first axis to the direction.
    first = tf.one_hot(0, direction.shape[-1])
    normal = first - direction
    normal = normal / tf.sqrt(tf.reduce_sum(normal**2, axis=-1, keepdims=True) + 1e-14)
    return around - 2.0 * tf.reduce_sum(around * normal, axis=-1, keepdims=True) * normal
