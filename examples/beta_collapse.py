# %% [markdown]
# # Beta, collapse and disentanglement
# Why do latents die, and when does each stand for one cause? With linear networks both questions
# have exact answers [1, 2]. Let the noise have variance 1, and the covariance of the data
# eigenvalues l_i. A latent lives if l_i > beta, and else its posterior collapses to the prior.
# Those that live turn to the axes of the data, since only then is the posterior as diagonal as
# q(z|x).
#
# [1] Lucas et al., Don't Blame the ELBO! NeurIPS 2019. arXiv:1911.02469.
# [2] Rolinek et al., Variational Autoencoders Pursue PCA Directions. CVPR 2019. arXiv:1812.06775.

# %%
import keras
import matplotlib.pyplot as plt
import numpy as np

import tfvae

random = np.random.default_rng(0)
wave = np.cos(np.pi * (np.arange(8) + 0.5) / 8)
patterns = np.stack(
    [np.outer(wave, np.ones(8)), np.outer(np.ones(8), wave), np.outer(wave, wave), np.ones((8, 8))]
)
patterns /= np.linalg.norm(patterns, axis=(1, 2), keepdims=True)
strengths = np.array([8.0, 4.5, 2.5, 1.5])  # of the four causes, independent of each other
causes = random.normal(size=(4000, 4)) * strengths
x = np.einsum("nc,chw->nhw", causes, patterns) + random.normal(size=(4000, 8, 8))
x = x.reshape(4000, 64).astype(np.float32)


def trained(beta):
    """A VAE of two linear networks and six latents."""
    keras.utils.set_random_seed(0)
    encoder = keras.Sequential([keras.Input((64,)), keras.layers.Dense(12)])
    decoder = keras.Sequential([keras.Input((6,)), keras.layers.Dense(64)])
    vae = tfvae.VAE(
        encoder, decoder, likelihood=tfvae.likelihoods.Normal(1.0),
        objective=tfvae.ELBO(beta=beta), seed=0,
    )  # fmt: skip
    vae.compile(
        keras.optimizers.Adam(keras.optimizers.schedules.CosineDecay(2e-2, 1000)), jit_compile=False
    )
    vae.fit(x, batch_size=200, epochs=50, verbose=0)
    return vae


# %% [markdown]
# ## Collapse
# The eigenvalues are 1 + strength^2, so it is known which beta kills which latent.

# %%
eigenvalues = 1 + strengths**2
models = {beta: trained(beta) for beta in (2.0, 5.0, 10.0, 30.0, 100.0)}
points = {}
for beta, vae in models.items():
    points[f"beta {beta:g}"] = logs = vae.evaluate(x, batch_size=1000, verbose=0, return_dict=True)
    active, expected = tfvae.evaluation.active_units(vae, x), (eigenvalues > beta).sum()
    print(f"beta {beta:2g}: {active} active, {expected} expected, rate {logs['rate']:.2f} nats")
    assert active == expected
tfvae.plots.rate_distortion(points).savefig("rate_distortion.png", dpi=120)

# %% [markdown]
# ## Disentanglement
# With beta 5 three causes live, and each has a latent of its own: its correlation with one is high,
# and with the others low. Nonlinear networks give no such guarantee: look before you name a latent.

# %%
z = models[5.0].encode(x).mean().numpy()
z = z[:, z.var(axis=0) > 0.01]  # those that live
correlation = np.sort(np.abs(np.corrcoef(causes[:, :3].T, z.T)[:3, 3:]), axis=1)
print(f"correlations of each living cause with latents: {correlation.round(2).tolist()}")
assert correlation[:, -1].min() > 0.85 and correlation[:, -2].max() < 0.4
figure, panels = plt.subplots(1, 3, figsize=(9, 3), layout="constrained")
for i, axes in enumerate(panels):
    best = np.abs(np.corrcoef(causes[:, i], z.T)[0, 1:]).argmax()
    axes.plot(causes[:, i], z[:, best], ".", ms=2)
    axes.set(xlabel=f"cause {i}", ylabel="its latent")
figure.savefig("causes.png", dpi=120)
