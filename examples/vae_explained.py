# %% [markdown]
# # The VAE explained, 1: a latent variable and a bound
# A course of five parts, which computes both sides of each claim, prints them beside each other in
# nats, and asserts that they agree. Parts 1 to 4 have one latent and a mixture as the prior, small
# enough for every number to have an exact reference; part 5 trains on scanned digits.
#
# [1] Kingma & Welling, Auto-Encoding Variational Bayes. ICLR 2014. arXiv:1312.6114.
# [2] Burda, Grosse & Salakhutdinov, Importance Weighted Autoencoders. ICLR 2016. arXiv:1509.00519.

# %%
import keras
import matplotlib.pyplot as plt
import numpy as np

import tfvae

# %% [markdown]
# ## A model with a latent variable
#     z ~ p(z) = sum_c weight_c N(loc_c, scale_c^2),    x = a z + sigma eps,    eps ~ N(0, 1)
#     p(x) = integral p(z) p(x|z) dz = sum_c weight_c N(x; a loc_c, (a scale_c)^2 + sigma^2)
#
# The decoder is linear, so that p(x) is a mixture as well, and known. The encoder ignores x for
# now: its bias is q(z) = N(m, s^2), set by hand, and wrong on purpose.

# %%
weight, loc, scale = np.float32([[0.5, 0.3, 0.2], [-1.4, 0.9, 2.6], [0.6, 0.4, 0.7]])
a, sigma, m, s = 0.8, 0.6, 0.5, 0.9
encoder = keras.Sequential([keras.Input((1,)), keras.layers.Dense(2, kernel_initializer="zeros")])
decoder = keras.Sequential([keras.Input((1,)), keras.layers.Dense(1, use_bias=False)])
prior, likelihood = tfvae.priors.GaussianMixture(3), tfvae.likelihoods.Normal(sigma)
vae = tfvae.VAE(encoder, decoder, prior=prior, likelihood=likelihood, seed=0)
decoder.set_weights([np.float32([[a]])])
scales = np.log(np.expm1([*scale, s]))  # softplus makes the scales of them
prior.set_weights([np.log(weight), loc[:, None], scales[:3, None]])
encoder.layers[-1].bias.assign([m, scales[3]])


def normal(x, loc, scale):
    return np.exp(-(((x - loc) / scale) ** 2) / 2) / (scale * np.sqrt(2 * np.pi))


x, step = np.float32([[0.0]]), 0.01  # one example, [B, 1] with B = 1
grid = np.arange(-8, 8, step, dtype=np.float32)[:, None, None]  # every z that matters, [G, 1, 1]
log_joint = np.float64(vae.decode(grid).log_prob(x) + prior.distribution().log_prob(grid))[:, 0]
log_px = np.log(weight @ normal(0.0, a * loc, np.hypot(a * scale, sigma)))
integrated = np.log(np.exp(log_joint).sum() * step)
print(f"log p(x): exact {log_px:.4f}, integral over z {integrated:.4f}")
assert abs(integrated - log_px) < 1e-4

# %% [markdown]
# ## A bound, from any q(z)
#     log p(x) = log E_q[p(x,z)/q(z)]  >=  E_q[log p(x,z) - log q(z)]  =: L(q)
#
# by Jensen's inequality [1]. K samples of q estimate the mean L(q) without bias: `tfvae.ELBO`. The
# logarithm of their mean weight p(x,z)/q(z), `tfvae.IWAE`, is a bound too, in expectation, and
# rises to log p(x) with K [2].

# %%
q = normal(grid.ravel(), m, s)
elbo, counts, found = (q * (log_joint - np.log(q))).sum() * step, 4 ** np.arange(6), []
for k in counts:
    terms = vae.terms(np.repeat(x, 400, axis=0), k, seed=k)  # of K samples in each of 400 runs
    bounds = tfvae.ELBO(k, analytic_rate=False), tfvae.IWAE(k)
    found.append([tfvae.evaluation.mean_and_stderr(-bound(terms)) for bound in bounds])
means, errors = np.array(found).transpose(2, 1, 0)  # [2 bounds, counts]
print(f"exact L(q) {elbo:.4f}; by K, ELBO", means[0].round(4), "IWAE", means[1].round(4))
assert (abs(means[0] - elbo) < 4 * errors[0]).all() and errors[0, -1] < 0.003
assert (means < log_px + 3 * errors).all() and (np.diff(means[1]) > 0).all()
assert abs(means[1, -1] - log_px) < 0.02 < log_px - elbo

figure, (left, right) = plt.subplots(1, 2, figsize=(11, 4), layout="constrained")
left.plot(grid[:, 0], normal(grid[:, 0], a * loc, np.hypot(a * scale, sigma)) @ weight)
left.hist(vae.sample(4000, seed=7, draw=True).numpy().ravel(), 60, density=True, alpha=0.4)
for name, mean, error in zip(("ELBO", "IWAE"), means, errors):
    right.errorbar(counts, mean, 2 * error, fmt="o-", ms=4, label=f"{name}, mean of 400 runs")
right.axhline(log_px, color="black", label="log p(x), exact")
left.set(xlabel="x", title="p(x), and 4,000 samples of the model")
right.set(xscale="log", xlabel="K, samples in each run", ylabel="nats")
right.legend()
figure.savefig("bound.png", dpi=120)
