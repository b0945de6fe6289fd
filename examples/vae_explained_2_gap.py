# %% [markdown]
# # The VAE explained, 2: the gap is a divergence
# What a bound loses is the distance of q from the posterior: log p(x) - L(q) = KL(q(z) || p(z|x)).
# So the best q is the posterior, where the gap is 0. Both sides are computed on the way from a q
# that is off to the posterior of one x, in the model of part 1.

# %%
import keras
import matplotlib.pyplot as plt
import numpy as np

import tfvae

# %% [markdown]
# ## The model of part 1
#     z ~ p(z) = sum_c weight_c N(loc_c, scale_c^2),    x = a z + sigma eps,    eps ~ N(0, 1)

# %%
weight, loc, scale = np.float32([[0.5, 0.3, 0.2], [-1.4, 0.9, 2.6], [0.6, 0.4, 0.7]])
a, sigma, m, s = 0.8, 0.6, 0.5, 0.9
encoder = keras.Sequential([keras.Input((1,)), keras.layers.Dense(2)])
decoder = keras.Sequential([keras.Input((1,)), keras.layers.Dense(1, use_bias=False)])
prior, likelihood = tfvae.priors.GaussianMixture(3), tfvae.likelihoods.Normal(sigma)
vae = tfvae.VAE(encoder, decoder, prior=prior, likelihood=likelihood, seed=0)
decoder.set_weights([np.float32([[a]])])
prior.set_weights([np.log(weight), loc[:, None], np.log(np.expm1(scale))[:, None]])


def normal(x, loc, scale):
    return np.exp(-(((x - loc) / scale) ** 2) / 2) / (scale * np.sqrt(2 * np.pi))


# %% [markdown]
# ## The posterior, by conditioning
# Each component of the prior stays normal given x, with a precision and a mean known from linear
# regression; its weight is the share that it has in p(x). p(z|x) is their mixture.

# %%
x, step = 0.0, 0.01
z = np.arange(-8, 8, step)  # every z that matters
evidence = weight * normal(x, a * loc, np.hypot(a * scale, sigma))  # of each component
precision = scale**-2 + a**2 / sigma**2
mean = (loc / scale**2 + a * x / sigma**2) / precision
posterior = normal(z[:, None], mean, precision**-0.5) @ (evidence / evidence.sum())
log_px = np.log(evidence.sum())

# %% [markdown]
# ## From q to the posterior
# q_t = (1 - t) q + t p(z|x). The bound L(q_t), by integration, knows the model's densities alone;
# the divergence knows the posterior alone.

# %%
column = np.float32(z)[:, None, None]  # [G, B, D]
log_joint = vae.decode(column).log_prob(np.float32([[x]])) + prior.distribution().log_prob(column)
log_joint, q = np.float64(log_joint)[:, 0], normal(z, m, s)
t = np.linspace(0, 1, 11)
path = [(1 - share) * q + share * posterior for share in t]
gap = np.array([log_px - (each * (log_joint - np.log(each))).sum() * step for each in path])
divergence = np.array([(each * np.log(each / posterior)).sum() * step for each in path])
for row in zip(t[::5], gap[::5], divergence[::5]):
    print("t = {:.1f}: log p(x) - L(q_t) {:7.4f}, KL(q_t || p(z|x)) {:7.4f}".format(*row))
assert abs(gap - divergence).max() < 1e-4
assert (np.diff(gap) < 0).all() and gap[0] > 0.3 and abs(gap[-1]) < 1e-4

figure, (left, right) = plt.subplots(1, 2, figsize=(11, 4), layout="constrained")
left.fill_between(z, posterior, alpha=0.4, label="p(z|x)")
left.plot(z, q, "tab:red", label="q(z), where the path starts")
left.set(xlim=(-4, 4), xlabel="z", title="the posterior of x = 0, and a q that is off")
right.plot(t, gap, "o", ms=9, mfc="none", label="log p(x) - L(q_t)")
right.plot(t, divergence, "k-", lw=1, label="KL(q_t || p(z|x))")
right.set(xlabel="t, from q to the posterior", ylabel="nats", title="the gap is the divergence")
for axes in (left, right):
    axes.legend()
figure.savefig("gap.png", dpi=120)
