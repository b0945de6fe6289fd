"""Posteriors over classes, and their relaxation."""

import itertools

import numpy as np

from tfvae._keras.backend import keras, register
from tfvae.distributions import simplex
from tfvae.pieces import ONE_HOT, SIMPLEX
from tfvae.posteriors.base import Posterior
from tfvae.validation import arguments


class _Classes(Posterior):
    """Logits `[B, D]` of G groups of `num_classes`."""

    def __init__(self, num_classes=None, **kwargs):
        super().__init__(**kwargs)
        self.num_classes = (
            None if num_classes is None else arguments.whole_number("num_classes", num_classes, 2)
        )

    def build(self, latent_dim):
        self._classes = simplex.check_classes(self.num_classes, latent_dim)
        self.built = True

    def params_size(self, latent_dim):
        return latent_dim

    def summary(self, params):
        return {"loc": self.location(params)}

    def get_config(self):
        return {**super().get_config(), "num_classes": self.num_classes}


@register
class Categorical(_Classes):
    """q(z|x) of G independent classes, each a one-hot vector of C numbers; D = G C.

    A draw has no gradient. Where z has few values, `gradients.Enumeration` sums the bound over
    all of them, exactly; else `gradients.ScoreFunction` estimates. The encoder gives the
    logits, `[B, D]`. `location` is the most probable class.

    Args:
        num_classes: C; default D, one group.

    Raises:
        InputError: fewer than 2 classes, or a number that does not divide D.

    References:
        [1] Mnih & Rezende, Variational inference for Monte Carlo objectives. ICML 2016. arXiv:1602.06725.
    """

    support = ONE_HOT
    reparameterized = False

    def distribution(self, params):
        return simplex.one_hot(params, self._classes)

    def sample(self, params, noise):
        return simplex.draw_one_hot(params, self._classes, noise)

    def location(self, params):
        return simplex.argmax(params, self._classes)

    def values(self, latent_dim):
        groups = latent_dim // self._classes
        if groups * np.log(self._classes) > np.log(2**20):
            return None
        classes = np.array(list(itertools.product(range(self._classes), repeat=groups)))
        return np.eye(self._classes, dtype=np.float32)[classes].reshape(len(classes), latent_dim)


@register
class RelaxedCategorical(_Classes):
    """q(z|x) of G independent Concrete [1] or Gumbel-softmax [2] variables of C classes; D = G C.

    z lies on the simplex, and its density is the Concrete one, of equation 10 in [1]; so bound and
    NLL are those of the relaxed model, whose prior is `priors.RelaxedCategorical`. The encoder
    gives the logits, `[B, D]`. The temperature is a weight that is not trained; anneal it with a
    callback: `keras.callbacks.LambdaCallback(on_epoch_begin=lambda epoch, logs:
    vae.posterior.temperature.assign(...))`.

    Args:
        num_classes: C; default D, one group.
        initial_temperature: positive.

    Raises:
        InputError: as `Categorical`, and a temperature that is not positive.

    References:
        [1] Maddison et al., The Concrete Distribution. ICLR 2017. arXiv:1611.00712.
        [2] Jang et al., Categorical Reparameterization with Gumbel-Softmax. ICLR 2017. arXiv:1611.01144.
    """

    support = SIMPLEX

    def __init__(self, num_classes=None, initial_temperature=0.67, **kwargs):
        super().__init__(num_classes, **kwargs)
        self.initial_temperature = arguments.positive_number(
            "initial_temperature", initial_temperature
        )

    def build(self, latent_dim):
        super().build(latent_dim)
        initial = keras.initializers.Constant(self.initial_temperature)
        self.temperature = self.add_weight(
            shape=(), initializer=initial, trainable=False, name="temperature"
        )

    def distribution(self, params):
        return simplex.relaxed(params, self.temperature.value, self._classes)

    def sample(self, params, noise):
        return simplex.draw_relaxed(params, self.temperature.value, self._classes, noise)

    def location(self, params):
        return simplex.softmax(params, self._classes)

    def get_config(self):
        return {**super().get_config(), "initial_temperature": self.initial_temperature}
