"""A prior fitted after training."""

import numpy as np
import tensorflow as tf
import tensorflow_probability as tfp

from tfvae._keras.backend import register
from tfvae.errors import invalid
from tfvae.pieces import REAL
from tfvae.priors.mixture import Mixture
from tfvae.random import seed_for
from tfvae.validation import arguments

tfd = tfp.distributions


@register
class ExPostMixture(Mixture):
    """p(z) = sum_c weight_c N(loc_c, cov_c), fitted to the aggregate posterior of a trained model [1], section 4.

        prior = ExPostMixture(10).fit(vae, x)      # scikit-learn's GaussianMixture
        better = vae.with_prior(prior)

    It is not trained further. Before `fit` it is the standard normal.

    Args:
        num_components: C.
        seed: of the latents and of the fit.

    Raises:
        InputError: fewer than one component.

    References:
        [1] Ghosh et al., From Variational to Deterministic Autoencoders. ICLR 2020. arXiv:1903.12436.
    """

    def __init__(self, num_components=10, seed=0, **kwargs):
        super().__init__(**kwargs)
        self.num_components = arguments.whole_number("num_components", num_components, 1)
        self.seed = arguments.whole_number("seed", seed, 0)

    def build(self, latent_dim):
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

    def fit(self, vae, x, y=None):
        """Fits the mixture to one latent of each example: x `[N, *event]`, and y where conditional.

        Returns:
            self.

        Raises:
            InputError: fewer examples than components, latents that are not real vectors, or no scikit-learn.
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

    def distribution(self, y=None):
        components = tfd.MultivariateNormalTriL(self.loc.value, self.scale_tril.value)
        return tfd.MixtureSameFamily(tfd.Categorical(probs=self.probabilities.value), components)

    def sample(self, noise, y=None):
        chosen = self.choose(noise, self.probabilities.value)
        scale_tril = tf.gather(self.scale_tril.value, chosen)
        return tf.gather(self.loc.value, chosen) + tf.linalg.matvec(
            scale_tril, noise.normal(self.latent_dim)
        )

    def get_config(self):
        return {**super().get_config(), "num_components": self.num_components, "seed": self.seed}


def _aggregate(vae, x, y, seed):
    """One latent of q(z|x) for each example, NumPy `[N, D]`."""
    if vae.posterior.support != REAL:
        raise invalid(
            "a model whose latents are real vectors, for ExPostMixture",
            repr(vae.posterior),
            "use its own prior",
        )
    x, _ = vae.likelihood.prepare_fixed(np.asarray(x))
    pages = []
    for first in range(0, len(x), 1024):
        q = vae.encode(
            x[first : first + 1024], None if y is None else np.asarray(y)[first : first + 1024]
        )
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
