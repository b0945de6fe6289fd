"""Gradient estimators: which gradient a loss gets. They never change its value."""

import tensorflow as tf

from tfvae._backend import register


@register
class Pathwise:
    """The gradient through the reparameterized samples, z = g(eps; x) [1], section 2.3.

    References:
        [1] Kingma & Welling, Auto-Encoding Variational Bayes. ICLR 2014. arXiv:1312.6114.
    """

    def __call__(self, forward, variables):
        """Runs `forward` and differentiates it.

        Args:
            forward: a function of no arguments that returns `(loss [], outputs)`.
            variables: the Keras variables to differentiate by.

        Returns:
            (outputs, gradients): what `forward` gave, and one gradient per variable.
        """
        values = [v.value for v in variables]
        with tf.GradientTape() as tape:
            loss, outputs = forward()
        return outputs, tape.gradient(loss, values)

    def get_config(self):
        return {}

    @classmethod
    def from_config(cls, config):
        return cls(**config)
