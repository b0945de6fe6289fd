"""Mixture priors."""

import numpy as np
import tensorflow as tf
import tensorflow_probability as tfp

from tfvae import random
from tfvae._backend import keras, register
from tfvae.errors import invalid
from tfvae.pieces import REAL, Prior

tfd = tfp.distributions

_MIN_SCALE = 1e-6


class _Mixture(Prior):
    """p(z) = sum_c weight_c component_c(z): the choice of the component, shared by its kinds."""

    def _choose(self, noise, weights):
        """The component of each sample, int32 `[B]`, by inversion of the cumulative weights `[C]`."""
        u = noise.fold_in(random.TAGS["component"]).uniform(1)  # [B, 1]
        passed = u >= tf.cumsum(weights)[None, :-1]
        return tf.reduce_sum(tf.cast(passed, tf.int32), axis=1)


@register
class GaussianMixture(_Mixture):
    """p(z) = sum_c softmax(logits)_c N(loc_c, diag(scale_c^2)), all learned.

    Args:
        num_components: C.
        spread: standard deviation of the first locations.

    Raises:
        InputError: fewer than one component, or a spread that is not positive.

    References:
        [1] Dilokthanakul et al., Deep Unsupervised Clustering with Gaussian Mixture VAEs. 2016. arXiv:1611.02648.
    """

    def __init__(self, num_components=10, spread=1.0, **kwargs):
        super().__init__(**kwargs)
        self.num_components = _components(num_components)
        if not spread > 0:
            raise invalid("a positive spread", f"spread={spread!r}", "pass spread=1.0")
        self.spread = spread

    def build(self, latent_dim):
        self.latent_dim = int(latent_dim)
        shape = (self.num_components, self.latent_dim)
        initial = keras.initializers.RandomNormal(stddev=self.spread, seed=0)
        self.logits = self.add_weight(shape=(self.num_components,), initializer="zeros", name="logits")
        self.loc = self.add_weight(shape=shape, initializer=initial, name="loc")
        # softplus(0.5413) = 1
        self.raw_scale = self.add_weight(shape=shape, initializer=keras.initializers.Constant(0.5413), name="raw_scale")
        self.built = True

    def distribution(self, y=None):
        components = tfd.Independent(tfd.Normal(tf.cast(self.loc, tf.float32), self._scale()), 1)
        return tfd.MixtureSameFamily(tfd.Categorical(logits=tf.cast(self.logits, tf.float32)), components)

    def sample(self, noise, y=None):
        chosen = self._choose(noise, tf.nn.softmax(tf.cast(self.logits, tf.float32)))
        loc, scale = tf.cast(self.loc, tf.float32), self._scale()
        return tf.gather(loc, chosen) + tf.gather(scale, chosen) * noise.normal(self.latent_dim)

    def _scale(self):
        return tf.nn.softplus(tf.cast(self.raw_scale, tf.float32)) + _MIN_SCALE

    def get_config(self):
        return {**super().get_config(), "num_components": self.num_components, "spread": self.spread}


@register
class VampPrior(_Mixture):
    """p(z) = 1/C sum_c q(z|u_c): the posterior of learned pseudo-inputs u [1], equation 9.

    The pseudo-inputs start as examples of the first data `fit` sees (a seeded choice), and
    stay within the likelihood's range of values. In a conditional model each keeps the
    condition of its example, and p(z) is the same for every y.

    Args:
        num_components: C.
        seed: of that choice.

    Raises:
        InputError: fewer than one component, or a posterior without a density, or of several layers.

    References:
        [1] Tomczak & Welling, VAE with a VampPrior. AISTATS 2018. arXiv:1705.07120.
    """

    starts_from_data = True

    def __init__(self, num_components=100, seed=0, **kwargs):
        super().__init__(**kwargs)
        self.num_components = _components(num_components)
        self.seed = seed

    def connect(self, vae):
        if not vae.posterior.has_density or isinstance(vae.latent_sizes, list):
            fix = "use GaussianMixture(), or ExPostMixture() after training"
            raise invalid("a posterior of one layer with a density, for VampPrior", repr(vae.posterior), fix)
        self.event_shape, self.condition_shape, posterior = vae.event_shape, vae.condition_shape, vae.posterior
        self.support = posterior.support
        low, high = vae.likelihood.value_range or (None, None)
        self._posterior = lambda: posterior
        # Functions, since Keras would take a layer held here for a part of the prior

        def encode(x, y):
            x = x if low is None else tf.clip_by_value(x, low, high)
            return vae.encoder_params(x, None if y is None else vae.condition(y), False)

        self._encode = encode

    def build(self, latent_dim):
        self.latent_dim = int(latent_dim)
        shape = (self.num_components, *self.event_shape)
        initial = keras.initializers.RandomUniform(0.0, 1.0, seed=self.seed)
        self.pseudo_inputs = self.add_weight(shape=shape, initializer=initial, name="pseudo_inputs")
        self.initialized = self.add_weight(shape=(), initializer="zeros", trainable=False, name="initialized")
        if self.condition_shape is not None:
            shape = (self.num_components, *self.condition_shape)
            self.pseudo_conditions = self.add_weight(shape=shape, initializer="zeros", trainable=False, name="conditions")
        self.built = True

    def initialize(self, x, y=None):
        if x is None or self.initialized > 0:  # a generator has no examples to give away
            return
        rng = np.random.default_rng(self.seed)
        rows = rng.choice(len(x), self.num_components, replace=len(x) < self.num_components)
        self.pseudo_inputs.assign(np.asarray(x, np.float32)[rows])
        if self.condition_shape is not None:
            self.pseudo_conditions.assign(np.asarray(y, np.float32)[rows])
        self.initialized.assign(1.0)

    def distribution(self, y=None):
        uniform = tfd.Categorical(logits=tf.zeros([self.num_components]))
        return tfd.MixtureSameFamily(uniform, self._posterior().distribution(self._params()))

    def sample(self, noise, y=None):
        chosen = self._choose(noise, tf.fill([self.num_components], 1.0 / self.num_components))
        return self._posterior().sample(tf.gather(self._params(), chosen), noise)

    def _params(self):
        y = None if self.condition_shape is None else self.pseudo_conditions.value
        return self._encode(tf.cast(self.pseudo_inputs, tf.float32), y)  # [C, P]

    def get_config(self):
        return {**super().get_config(), "num_components": self.num_components, "seed": self.seed}


@register
class ExPostMixture(_Mixture):
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
        self.num_components = _components(num_components)
        self.seed = seed

    def build(self, latent_dim):
        self.latent_dim = int(latent_dim)
        count, size = self.num_components, self.latent_dim

        def weight(shape, initial, name):
            return self.add_weight(shape=shape, initializer=lambda *_, **__: initial, trainable=False, name=name)

        self.probabilities = weight((count,), tf.fill([count], 1.0 / count), "probabilities")
        self.loc = weight((count, size), tf.zeros([count, size]), "loc")
        self.scale_tril = weight((count, size, size), tf.eye(size, batch_shape=[count]), "scale_tril")
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
            raise invalid(f"at least {self.num_components} examples", f"{len(z)}", "pass the training data, or fewer components")
        found = _sklearn_mixture()(self.num_components, random_state=self.seed).fit(z)
        if not self.built:
            self.build(z.shape[1])
        self.probabilities.assign(found.weights_)
        self.loc.assign(found.means_)
        self.scale_tril.assign(np.linalg.cholesky(found.covariances_))
        return self

    def distribution(self, y=None):
        components = tfd.MultivariateNormalTriL(self.loc.value, self.scale_tril.value)
        return tfd.MixtureSameFamily(tfd.Categorical(probs=self.probabilities.value), components)

    def sample(self, noise, y=None):
        chosen = self._choose(noise, self.probabilities.value)
        scale_tril = tf.gather(self.scale_tril.value, chosen)
        return tf.gather(self.loc.value, chosen) + tf.linalg.matvec(scale_tril, noise.normal(self.latent_dim))

    def get_config(self):
        return {**super().get_config(), "num_components": self.num_components, "seed": self.seed}


def _aggregate(vae, x, y, seed):
    """One latent of q(z|x) for each example, NumPy `[N, D]`."""
    if vae.posterior.support != REAL:
        raise invalid("a model whose latents are real vectors, for ExPostMixture", repr(vae.posterior), "use its own prior")
    x, _ = vae.likelihood.prepare_fixed(np.asarray(x))
    pages = []
    for first in range(0, len(x), 1024):
        q = vae.encode(x[first : first + 1024], None if y is None else np.asarray(y)[first : first + 1024])
        pages.append(q.sample(seed=tf.constant([seed, first])).numpy())
    return np.concatenate(pages)


def _sklearn_mixture():
    try:
        from sklearn.mixture import GaussianMixture as Mixture
    except ImportError as error:
        raise invalid("scikit-learn, which fits the mixture", "it is not installed", "pip install 'tfvae[app]'") from error
    return Mixture


def _components(number):
    if not isinstance(number, int) or isinstance(number, bool) or number < 1:
        raise invalid("num_components, a whole number from 1", f"num_components={number!r}", "pass num_components=10")
    return number
