"""Priors over classes, and their relaxation."""

import tensorflow as tf

from tfvae import random
from tfvae._keras.backend import register
from tfvae.distributions import simplex
from tfvae.pieces import ONE_HOT, SIMPLEX
from tfvae.priors.base import Prior
from tfvae.validation import arguments


@register
class Categorical(Prior):
    """p(z) of G independent classes, each a one-hot vector of C numbers; D = G C.

    Args:
        num_classes: C; default D, one group.
        learn_weights: learn the probabilities of the classes, else they are equal.

    Raises:
        InputError: fewer than 2 classes, or a number that does not divide D.
    """

    support = ONE_HOT

    def __init__(self, num_classes=None, *, learn_weights=False, **kwargs):
        super().__init__(**kwargs)
        self.num_classes = (
            None if num_classes is None else arguments.whole_number("num_classes", num_classes, 2)
        )
        self.learn_weights = learn_weights

    def build(self, latent_dim):
        self.latent_dim = latent_dim
        self._classes = simplex.check_classes(self.num_classes, latent_dim)
        self.logits = self.add_weight(
            shape=(latent_dim,), initializer="zeros", trainable=self.learn_weights, name="logits"
        )
        self.built = True

    def distribution(self, y=None):
        return simplex.one_hot(self._logits(), self._classes)

    def sample(self, noise, y=None):
        noise = noise.fold_in(random.TAGS["component"])
        return simplex.draw_one_hot(self._logits()[None], self._classes, noise)

    def _logits(self):
        return tf.cast(self.logits, tf.float32)

    def get_config(self):
        return {
            **super().get_config(),
            "num_classes": self.num_classes,
            "learn_weights": self.learn_weights,
        }


@register
class RelaxedCategorical(Categorical):
    """p(z) of G independent Concrete variables of C classes, for `posteriors.RelaxedCategorical` [1].

    Args:
        num_classes: C; default D, one group.
        temperature: positive; 0.5 beside a posterior's 0.67 is what [1] uses in section 5.
        learn_weights: learn the probabilities of the classes, else they are equal.

    Raises:
        InputError: as `Categorical`, and a temperature that is not positive.

    References:
        [1] Maddison et al., The Concrete Distribution. ICLR 2017. arXiv:1611.00712.
    """

    support = SIMPLEX

    def __init__(self, num_classes=None, temperature=0.5, *, learn_weights=False, **kwargs):
        super().__init__(num_classes, learn_weights=learn_weights, **kwargs)
        self.temperature = arguments.positive_number("temperature", temperature)

    def distribution(self, y=None):
        return simplex.relaxed(self._logits(), self.temperature, self._classes)

    def sample(self, noise, y=None):
        noise = noise.fold_in(random.TAGS["component"])
        return simplex.draw_relaxed(self._logits(), self.temperature, self._classes, noise)

    def get_config(self):
        return {**super().get_config(), "temperature": self.temperature}
