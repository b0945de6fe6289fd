# %% [markdown]
# # A new likelihood
# A likelihood makes p(x|z) from the decoder's numbers, and says which data it models. Wind speeds
# follow a Weibull distribution [1], which the package does not have: the decoder gives the scale of
# each station, and the shape k is one learned number.
#
# [1] Justus et al., Methods for estimating wind speed frequency distributions. 1978.

# %%
import keras
import numpy as np
import tensorflow as tf
import tensorflow_probability as tfp

import tfvae

keras.utils.set_random_seed(0)
tfd = tfp.distributions


@keras.saving.register_keras_serializable("examples")
class Weibull(tfvae.likelihoods.Likelihood):
    """Weibull distributions of the elements of a vector. The decoder gives log-scales."""

    support = "positive numbers"

    def build(self, event_shape):
        self.log_k = self.add_weight(shape=(), initializer="zeros", name="log_k")
        self.built = True

    def distribution(self, params):
        return tfd.Independent(tfd.Weibull(tf.exp(self.log_k.value), tf.exp(params)), 1)

    def draw(self, params, noise):
        u = noise.uniform(params.shape[-1])  # from 0, below 1
        return tf.exp(params) * (-tf.math.log(1.0 - u)) ** tf.exp(-self.log_k.value)

    def encoder_input(self, x):
        return tf.math.log(tf.maximum(x, 1e-6))

    def in_support(self, x):
        return super().in_support(x) & (x > 0)


example = np.float32([[0.5, 1], [2, 3]])
print(tfvae.testing.check_likelihood(Weibull(), x=example, export=False, fit=False))

# %% [markdown]
# ## Winds at six stations
# The weather, one hidden number, moves all of them together. Given the weather the speeds are
# independent Weibulls with k = 2.

# %%
random = np.random.default_rng(0)
weather = random.normal(size=(4000, 1))
scale = 6 * np.exp(0.4 * weather * np.array([1, 0.9, 0.8, 0.7, -0.3, 0.5]))
x = (scale * random.weibull(2.0, size=(4000, 6))).astype(np.float32)
x_train, x_test = np.split(x, [3000])


def trained(likelihood):
    """A small VAE of the winds."""
    vae = tfvae.mlp_vae((6,), 1, (32,), likelihood=likelihood, objective=tfvae.IWAE(10), seed=0)
    vae.compile(keras.optimizers.Adam(5e-3))
    vae.fit(x_train, batch_size=100, epochs=40, verbose=0)
    return vae


weibull = Weibull()
vae, other = trained(weibull), trained(tfvae.likelihoods.LogNormal(0.5, learn_scale=True))
k = float(np.exp(weibull.log_k))
print(f"the learned k is {k:.2f}, and the true one 2")
difference = tfvae.evaluation.log_likelihood(vae, x_test, 500)
difference -= tfvae.evaluation.log_likelihood(other, x_test, 500)
gain, error = tfvae.evaluation.mean_and_stderr(difference)
print(f"it gives held-out winds {gain:.2f} +- {error:.2f} nats more than a log-normal")
assert abs(k - 2) < 0.15
assert gain > 5 * error
tfvae.plots.marginals(vae, x_test).savefig("winds.png", dpi=100)
