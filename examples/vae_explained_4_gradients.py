# %% [markdown]
# # The VAE explained, 4: gradients through samples
# Training needs the gradient of L(q) = E_q[log p(x,z) - log q(z)], estimated from samples. Those of
# the encoder depend on what is trained. Exact means and variances are known in part 1's model.
#
# [1] Kingma & Welling, Auto-Encoding Variational Bayes. ICLR 2014. arXiv:1312.6114.
# [2] Williams, Machine Learning 8, 1992. [3] Mnih & Rezende, ICML 2016. arXiv:1602.06725.

# %%
import keras
import matplotlib.pyplot as plt
import numpy as np
import tensorflow as tf

import tfvae

weight, loc, scale = np.float32([[0.5, 0.3, 0.2], [-1.4, 0.9, 2.6], [0.6, 0.4, 0.7]])
a, sigma, m, s, x = 0.8, 0.6, 1.5, 0.6, np.float32([[0.0]])
encoder = keras.Sequential([keras.Input((1,)), keras.layers.Dense(2, kernel_initializer="zeros")])
decoder = keras.Sequential([keras.Input((1,)), keras.layers.Dense(1, use_bias=False)])
prior, likelihood = tfvae.priors.GaussianMixture(3), tfvae.likelihoods.Normal(sigma)
vae = tfvae.VAE(encoder, decoder, prior=prior, likelihood=likelihood, seed=0)
decoder.set_weights([np.float32([[a]])])
prior.set_weights([np.log(weight), loc[:, None], np.log(np.expm1(scale))[:, None]])
encoder.layers[-1].bias.assign([m, np.log(np.expm1(s))])  # q(z) = N(m, s^2), whatever x is

# %% [markdown]
# ## The decoder's gradient goes under the expectation [1]
#     d/da L = E_q[d/da log p(x|z)] = E_q[z (x - a z)] / sigma^2 = (m x - a (m^2 + s^2)) / sigma^2

# %%
with tf.GradientTape() as tape:  # 2,000 estimates from 10 samples each
    terms = vae.terms(np.repeat(x, 2000, axis=0), 10, seed=5)
    estimates = -tfvae.ELBO(10, analytic_rate=False)(terms)
found = {"decoder": tape.jacobian(estimates, decoder.layers[-1].kernel.value).numpy().ravel()}
exact = {"decoder": (m * x[0, 0] - a * (m**2 + s**2)) / sigma**2}

# %% [markdown]
# ## The encoder's gradient
# Samples that are held fixed give E_q[d/dm log q(z)] = 0, whatever x is. Two ways are right:
#
#     score function  E_q[(log p(x,z) - log q(z)) d/dm log q(z)]               for any q [2]
#     pathwise        E_eps[d/dz log p(x,z)],  z = m + s eps, eps ~ N(0, 1)    reparameterized [1]
#
# The mean of the others as a baseline steadies the first [3]: `tfvae.gradients.ScoreFunction`.

# %%
parts = []
for z in (terms.z, tf.range(-7.0, 8.0, 0.01)[:, None, None]):  # samples, and every z that matters
    with tf.GradientTape() as tape:
        tape.watch(z)
        log_p = vae.decode(z).log_prob(x) + prior.distribution().log_prob(z)
    log_w = np.float64(log_p - vae.encode(x).log_prob(z))  # [K, B]
    slopes = (z - m) / s**2, tape.gradient(log_p, z)  # of log q by m, and of log p by z
    parts.append([log_w, *np.float64(slopes)[..., 0]])
(log_w, score, path), (all_log_w, all_score, all_path) = parts
found |= {"naive": score.mean(axis=0), "score function": (log_w * score).mean(axis=0)}
steadied = (10 * log_w - log_w.sum(axis=0)) / 9 * score
found |= {"baseline": steadied.mean(axis=0), "pathwise": path.mean(axis=0)}
q = np.exp(-((all_score * s) ** 2) / 2) / (s * np.sqrt(2 * np.pi)) * 0.01  # [G, 1]
by_path, by_score = (q * all_path).sum(), (q * all_log_w * all_score).sum()
exact |= {"naive": 0, "score function": by_score, "baseline": by_score, "pathwise": by_path}
for name, each in found.items():
    mean, error = tfvae.evaluation.mean_and_stderr(each)
    print(f"{name:14s} exact {exact[name]:7.4f}, found {mean:7.4f} +- {error:.4f}")
    assert abs(mean - exact[name]) < 4 * error < 0.25
for name, each in {"score function": all_log_w * all_score, "pathwise": all_path}.items():
    known = ((q * each**2).sum() - (q * each).sum() ** 2) / 10
    print(f"{name:14s} variance exact {known:.3f}, found {found[name].var():.3f}")
    assert abs(found[name].var() / known - 1) < 0.15
assert abs(by_path - by_score) < 1e-3
assert found["score function"].var() > 2 * found["baseline"].var() > 4 * found["pathwise"].var()

figure, axes = plt.subplots(figsize=(7, 4), layout="constrained")
for name in ("score function", "baseline", "pathwise"):
    axes.hist(found[name], np.linspace(-12, 3, 121), histtype="step", lw=1.5, label=name)
axes.axvline(exact["pathwise"], color="black", label="exact")
axes.set(xlabel="dL/dm from 10 samples, nats per unit of m", ylabel="of 2,000 estimates")
axes.legend()
figure.savefig("gradients.png", dpi=120)
