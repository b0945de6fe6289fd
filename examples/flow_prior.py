# %% [markdown]
# # A flow prior
# A standard normal prior says that all codes lie in one round heap. A flow prior learns where they
# lie: RealNVP maps a normal to the latents by an invertible network. Here the decoder is linear and
# the data lie around two half circles in eight dimensions, so that only the prior can bend. The
# density of the data is known, and says how close each model comes.

# %%
import keras
import matplotlib.pyplot as plt
import numpy as np
from scipy.special import logsumexp

import tfvae

keras.utils.set_random_seed(0)
random = np.random.default_rng(0)
NOISE = 0.3
angle = (np.arange(400) + 0.5) / 400 * np.pi
upper = np.stack([np.cos(angle), np.sin(angle)], axis=1)
moons = np.concatenate([upper - [0.5, 0.25], [0.5, 0.25] - upper])  # [800, 2]
lift = 2 * np.linalg.qr(random.normal(size=(8, 2)))[0].T
centres = moons @ lift  # [800, 8]: p(x) is the mixture of normals around them
x = centres[random.integers(800, size=6000)] + NOISE * random.normal(size=(6000, 8))
x_train, x_test = np.split(x.astype(np.float32), [5000])


def trained(prior):
    """A VAE with a linear decoder."""
    encoder = keras.Sequential(
        [keras.Input((8,)), keras.layers.Dense(64, "relu"), keras.layers.Dense(4)]
    )
    decoder = keras.Sequential([keras.Input((2,)), keras.layers.Dense(8)])
    likelihood = tfvae.likelihoods.Normal(NOISE)
    vae = tfvae.VAE(encoder, decoder, prior=prior, likelihood=likelihood, seed=0)
    vae.compile(keras.optimizers.Adam(3e-3))
    vae.fit(x_train, batch_size=250, epochs=60, verbose=0)
    return vae


# %% [markdown]
# ## How far from the truth?
# log p(x) - log p_model(x) has the mean KL(p || p_model): what the model loses, in nats.

# %%
squared = ((x_test[:, None] - centres) ** 2).sum(axis=2) / NOISE**2  # [N, 800]
truth = logsumexp(-squared / 2, axis=1) - np.log(800) - 4 * np.log(2 * np.pi * NOISE**2)
models = {
    "standard normal": trained(tfvae.priors.StandardNormal()),
    "RealNVP": trained(tfvae.priors.Flow(tfvae.flows.RealNVP(6, (64, 64)))),
}
lost = {}
for name, vae in models.items():
    log_p = tfvae.evaluation.log_likelihood(vae, x_test, num_samples=500)
    lost[name], error = tfvae.evaluation.mean_and_stderr(truth - log_p)
    print(f"{name:15} loses {lost[name]:.3f} +- {error:.3f} nats")
assert lost["RealNVP"] < 0.6 * lost["standard normal"]

# %%
figure, panels = plt.subplots(1, 3, figsize=(12, 4), layout="constrained")
drawn = {name: vae.sample(2000, seed=7).numpy() for name, vae in models.items()}
drawn = {"the data without noise": centres[random.integers(800, size=2000)], **drawn}
for axes, (name, points) in zip(panels, drawn.items()):
    axes.plot(*(points @ lift.T / 4).T, ".", ms=2)
    axes.set(title=name, xlim=(-2, 2), ylim=(-2, 2), aspect="equal")
figure.savefig("moons.png", dpi=120)
