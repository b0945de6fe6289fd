# %% [markdown]
# # The VAE explained, 3: amortization
# A q for each x would cost an optimization for each x. An encoder network q(z|x) learns that map
# once for all x [1]. It loses twice [2]: a normal is not the posterior, so that each x keeps a gap
# at its own optimum; and the network is not at that optimum, the cost of amortization. Both are
# integrals here, in the model of part 1, whose decoder and prior stay fixed.
#
# [1] Kingma & Welling, Auto-Encoding Variational Bayes. ICLR 2014. arXiv:1312.6114.
# [2] Cremer, Li & Duvenaud, Inference Suboptimality in VAEs. ICML 2018. arXiv:1801.03558.

# %%
import keras
import matplotlib.pyplot as plt
import numpy as np
import tensorflow as tf

import tfvae

keras.utils.set_random_seed(0)
weight, loc, scale = np.float32([[0.5, 0.3, 0.2], [-1.4, 0.9, 2.6], [0.6, 0.4, 0.7]])
a, sigma = 0.8, 0.6
encoder = keras.Sequential(
    [keras.Input((1,)), keras.layers.Dense(32, "tanh"), keras.layers.Dense(2)]
)
decoder = keras.Sequential([keras.Input((1,)), keras.layers.Dense(1, use_bias=False)])
prior, likelihood = tfvae.priors.GaussianMixture(3), tfvae.likelihoods.Normal(sigma)
vae = tfvae.VAE(
    encoder, decoder, prior=prior, likelihood=likelihood, objective=tfvae.ELBO(8), seed=0
)
decoder.set_weights([np.float32([[a]])])
prior.set_weights([np.log(weight), loc[:, None], np.log(np.expm1(scale))[:, None]])

# %% [markdown]
# ## Train the encoder alone
# On 2,000 samples of the model, for which it is thus the best model there is.

# %%
decoder.trainable = prior.trainable = False
x_train, x = np.split(vae.sample(2100, seed=1, draw=True).numpy(), [2000])
vae.compile(keras.optimizers.Adam(keras.optimizers.schedules.CosineDecay(1e-2, 400)))
vae.fit(x_train, batch_size=100, epochs=20, verbose=0)

# %% [markdown]
# ## Let each x find its own q
# From where the encoder leaves it, by gradient descent on its own gap, log p(x) - L(q).

# %%
step = 0.02
z = np.arange(-8, 8, step, dtype=np.float32)[:, None, None]  # every z that matters, [G, 1, 1]
log_joint = vae.decode(z).log_prob(x) + prior.distribution().log_prob(z)  # [G, B]
log_px = tf.reduce_logsumexp(log_joint, axis=0) + np.log(step)


def gap(params):
    """log p(x) - L(q) of each x, by integration; params are a mean and a raw scale, [B, 2]."""
    log_q = vae.posterior.distribution(params).log_prob(z)
    return log_px - tf.reduce_sum(tf.exp(log_q) * (log_joint - log_q), axis=0) * step


own, descent = tf.Variable(encoder(x)), keras.optimizers.Adam(0.05)
amortized = gap(own).numpy()
for _ in range(200):
    with tf.GradientTape() as tape:
        loss = tf.reduce_sum(gap(own))
    slope = tape.gradient(loss, own)
    descent.apply([slope], [own])
optimum = gap(own).numpy()
for name, each in {"at its own optimum": optimum, "of amortizing": amortized - optimum}.items():
    mean, error = tfvae.evaluation.mean_and_stderr(each)
    print(f"gap {name}: {mean:.4f} +- {error:.4f}, from {each.min():.4f} to {each.max():.4f}")
assert abs(slope.numpy()).max() < 0.02  # an optimum
assert optimum.min() > -1e-4 and (amortized - optimum).min() > -1e-4
assert 0.003 < (amortized - optimum).mean() < optimum.mean() < 0.3

figure, axes = plt.subplots(figsize=(7, 4), layout="constrained")
axes.plot(x, amortized, "o", ms=4, label="the encoder's q")
axes.plot(x, optimum, "kx", ms=4, label="the best normal q of each x")
axes.set(xlabel="x", ylabel="log p(x) - L(q), nats", title="100 new x, and what each bound loses")
axes.legend()
figure.savefig("amortization.png", dpi=120)
