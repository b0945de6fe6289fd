# %% [markdown]
# # A new prior in 30 lines
# A prior is a density and a sampler that agrees with it. This one is for causes that are on or
# off: each latent is near -1 or near 1. `tfvae.testing` checks that it keeps a prior's promises.

# %%
import keras
import matplotlib.pyplot as plt
import numpy as np
import scipy.special
import tensorflow as tf
from tensorflow_probability import distributions as tfd

import tfvae

keras.utils.set_random_seed(0)


@keras.saving.register_keras_serializable("examples")
class Switches(tfvae.priors.Prior):
    """Independent latents, each from N(-1, 0.3^2) or N(1, 0.3^2) with equal chances."""

    def build(self, latent_dim):
        self.latent_dim = latent_dim
        self.built = True

    def distribution(self, y=None):
        sides = tfd.Normal(tf.constant([[-1.0, 1.0]] * self.latent_dim), 0.3)
        fair = tfd.Categorical(logits=tf.zeros([self.latent_dim, 2]))
        return tfd.Independent(tfd.MixtureSameFamily(fair, sides), 1)

    def sample(self, noise, y=None):
        side = tf.sign(noise.fold_in(1001).uniform(self.latent_dim) - 0.5 + 2.0**-24)
        return side + 0.3 * noise.normal(self.latent_dim)


print(tfvae.testing.check_prior(Switches(), export=False, fit=False))

# %% [markdown]
# ## What the right prior is worth
# Two switches add a pattern each or take it away. The data are four heaps, whose density is known,
# so a model loses the mean of log p(x) - log p_model(x); what the best normal loses is known too.
# Beta rises from 0.05, or latents would settle on one side before they mean anything.

# %%
random = np.random.default_rng(0)
patterns = np.linalg.qr(random.normal(size=(8, 2)))[0].T * [[2.0], [1.5]]
heaps = np.array([[-1, -1], [-1, 1], [1, -1], [1, 1]]) @ patterns  # [4, 8]
x = heaps[random.integers(4, size=4000)] + random.normal(scale=0.5, size=(4000, 8))
x_train, x_test = np.split(x.astype(np.float32), [3000])
squared = ((x_test[:, None] - heaps) ** 2).sum(axis=2) / 0.5**2
truth = scipy.special.logsumexp(-squared / 2, axis=1) - np.log(4) - 4 * np.log(2 * np.pi * 0.5**2)
covariance = heaps.T @ heaps / 4 + 0.5**2 * np.eye(8)
best = truth.mean() + np.linalg.slogdet(2 * np.pi * np.e * covariance)[1] / 2


def trained(prior):
    """A VAE with a linear decoder, so that only the prior can make heaps."""
    encoder = keras.Sequential([keras.layers.Dense(32, "relu"), keras.layers.Dense(4)])
    decoder = keras.Sequential([keras.layers.Dense(8)])
    warm_up = tfvae.ELBO(beta=keras.optimizers.schedules.PolynomialDecay(0.05, 600, 1.0))
    likelihood = tfvae.likelihoods.Normal(0.5)
    vae = tfvae.VAE(encoder, decoder, None, prior, likelihood, warm_up, event_shape=8, latent_dim=2)
    vae.compile(keras.optimizers.Adam(5e-3))
    vae.fit(x_train, batch_size=100, epochs=50, verbose=0)
    return vae


models = {"normal": trained(tfvae.priors.StandardNormal()), "switches": trained(Switches())}
lost, (figure, panels) = {}, plt.subplots(1, 2, figsize=(9, 4), layout="constrained")
for axes, (name, vae) in zip(panels, models.items()):
    log_p = tfvae.evaluation.log_likelihood(vae, x_test, num_samples=200)
    lost[name], error = tfvae.evaluation.mean_and_stderr(truth - log_p)
    for points in (x_test, vae.sample(1000, seed=7, draw=True).numpy()):
        axes.plot(*(points @ patterns.T).T, ".", ms=3)
    axes.set(title=f"{name}: {lost[name]:.2f} +- {error:.2f} nats lost; orange: samples")
figure.savefig("switches.png", dpi=120)
print(f"{lost}; the best normal loses {best:.2f}")
assert abs(lost["normal"] - best) < 0.15
assert lost["switches"] < 0.4 * lost["normal"]
