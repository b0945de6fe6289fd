"""A prior that is fitted after training."""

from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
import tensorflow as tf
import tensorflow_probability as tfp

from tfvae._keras.backend import register
from tfvae.errors import invalid
from tfvae.pieces import REAL
from tfvae.priors.mixture import Mixture
from tfvae.random import seed_for
from tfvae.validation import arguments

if TYPE_CHECKING:
    from tfvae.models.vae import VAE
    from tfvae.random import Stream

tfd = tfp.distributions


@register
class ExPostMixture(Mixture):
    """The mixture p(z) = sum_c weight_c N(loc_c, cov_c) of a trained model [1], section 4.

    It is fitted to the aggregate posterior by scikit-learn's `GaussianMixture`:

        prior = ExPostMixture(10).fit(vae, x)
        better = vae.with_prior(prior)

    It is not trained further. Before `fit` it is the standard normal.

    Args:
        num_components: C.
        seed: seed of the latents and of the fit.

    Raises:
        InputError: fewer than one component, or a seed that is not from 0 to 2^32 - 1.

    References:
        [1] Ghosh et al., From Variational to Deterministic Autoencoders. ICLR 2020.
            arXiv:1903.12436.
    """

    def __init__(self, num_components: int = 10, seed: int = 0, **kwargs: Any) -> None:
        """Checks the number of components and the seed."""
        super().__init__(**kwargs)
        self.num_components = arguments.whole_number("num_components", num_components, 1)
        self.seed = arguments.seed("seed", seed)

    def build(self, latent_dim: int) -> None:
        """Creates the weights of C standard normals over `latent_dim` numbers; none is trained."""
        self.latent_dim = int(latent_dim)
        count, size = self.num_components, self.latent_dim

        def weight(shape, initial, name):
            return self.add_weight(
                shape=shape, initializer=lambda *_, **__: initial, trainable=False, name=name
            )

        self.probabilities = weight((count,), tf.fill([count], 1.0 / count), "probabilities")
        self.loc = weight((count, size), tf.zeros([count, size]), "loc")
        self.scale_tril = weight(
            (count, size, size), tf.eye(size, batch_shape=[count]), "scale_tril"
        )
        self.built = True

    def fit(self, vae: "VAE", x: npt.ArrayLike, y: npt.ArrayLike | None = None) -> "ExPostMixture":
        """Fits the mixture to one latent of each example.

        Args:
            vae: a trained model whose latents are real vectors.
            x: examples, `[N, *event]`.
            y: their conditions, `[N, ...]`, if the model is conditional.

        Returns:
            This prior.

        Raises:
            InputError: fewer examples than components, latents that are not real vectors,
                scikit-learn missing, or this prior built for another latent size.
        """
        z = _aggregate(vae, x, y, self.seed)
        if len(z) < self.num_components:
            raise invalid(
                f"at least {self.num_components} examples",
                f"{len(z)}",
                "pass the training data, or fewer components",
            )

        found = _sklearn_mixture()(self.num_components, random_state=self.seed).fit(z)
        self.build_once(z.shape[1])
        self.probabilities.assign(found.weights_)
        self.loc.assign(found.means_)
        self.scale_tril.assign(np.linalg.cholesky(found.covariances_))
        return self

    def distribution(self, y: tf.Tensor | None = None) -> tfp.distributions.Distribution:
        """Returns the mixture over `[D]`. y is not used."""
        components = tfd.MultivariateNormalTriL(self.loc.value, self.scale_tril.value)
        return tfd.MixtureSameFamily(tfd.Categorical(probs=self.probabilities.value), components)

    def sample(self, noise: "Stream", y: tf.Tensor | None = None) -> tf.Tensor:
        """Draws a component for each sample, then z from its normal.

        Args:
            noise: a stream of B samples.
            y: not used.

        Returns:
            z, `[B, D]`.
        """
        chosen = self.choose(noise, self.probabilities.value)
        scale_tril = tf.gather(self.scale_tril.value, chosen)
        return tf.gather(self.loc.value, chosen) + tf.linalg.matvec(
            scale_tril, noise.normal(self.latent_dim)
        )

    def get_config(self) -> dict[str, Any]:
        """Returns the constructor arguments."""
        return {**super().get_config(), "num_components": self.num_components, "seed": self.seed}


def _aggregate(vae, x, y, seed):
    """Draws one latent from q(z|x) for each example, NumPy `[N, D]`."""
    if vae.posterior.support != REAL:
        raise invalid(
            "a model whose latents are real vectors, for ExPostMixture",
            repr(vae.posterior),
            "use its own prior",
        )

    x, _ = vae.likelihood.prepare_for_evaluation(np.asarray(x))
    y = vae.condition(y, len(x))
    pages = []
    for first in range(0, len(x), 1024):
        q = vae.encode(x[first : first + 1024], None if y is None else y[first : first + 1024])
        pages.append(q.sample(seed=seed_for(tf.constant([seed, first]), "aggregate")).numpy())
    return np.concatenate(pages)


def _sklearn_mixture():
    try:
        from sklearn.mixture import GaussianMixture as Mixture
    except ImportError as error:
        raise invalid(
            "scikit-learn, which fits the mixture",
            "it is not installed",
            "pip install 'tfvae[app]'",
        ) from error
    return Mixture
