# %% [markdown]
# # Importance-weighted bounds
# The average of K importance weights gives a bound that rises to log p(x) with K. Training can
# climb that bound in place of the ELBO. It asks less of the encoder, whose samples need to be good
# only now and then, and so leaves the decoder free to fit the data better.
#
# [1] Rainforth et al., Tighter Variational Bounds are Not Necessarily Better. ICML 2018.
# [2] Tucker et al., Doubly Reparameterized Gradient Estimators. ICLR 2019. arXiv:1810.04152.

# %%
import keras
import matplotlib.pyplot as plt
import numpy as np

import tfvae

digits = tfvae.datasets.load("digits")


def trained(objective, estimator):
    """A VAE of the digits; both have the same first weights."""
    keras.utils.set_random_seed(0)
    vae = tfvae.mlp_vae(
        digits.event_shape, 8, (128,), objective=objective, estimator=estimator, seed=0,
        likelihood=tfvae.likelihoods.Bernoulli(dynamic_binarization=True),
    )  # fmt: skip
    vae.compile(keras.optimizers.Adam(2e-3))
    vae.fit(digits.x_train, batch_size=64, epochs=40, verbose=0)
    return vae


# %% [markdown]
# ## Train by either
# Both see 20 samples of each digit in a step. With many samples the usual gradient of the encoder
# drowns in its noise [1]; the doubly reparameterized one [2] does not.

# %%
models = {
    "ELBO": trained(tfvae.ELBO(20), tfvae.gradients.Pathwise()),
    "IWAE": trained(tfvae.IWAE(20), tfvae.gradients.DoublyReparameterized()),
}

# %% [markdown]
# ## Bounds from the same weights
# 1,024 weights of each test digit, in groups of K: the logarithm of the mean weight of each group,
# and then the mean over groups. At K = 1 the ELBO's model is ahead, with more samples the other.

# %%
counts = 2 ** np.arange(11)
x_test = tfvae.datasets.binarize(digits.x_test)
bounds = {}
for name, vae in models.items():
    log_w = vae.log_weights(x_test, 1024, seed=1).numpy().astype(np.float64)  # [1024, N]
    bounds[name] = np.stack(
        [
            (np.logaddexp.reduce(log_w.reshape(-1, k, len(x_test)), axis=1) - np.log(k)).mean(
                axis=0
            )
            for k in counts
        ]
    )  # [counts, N]
gain = bounds["IWAE"] - bounds["ELBO"]
for k, each in zip(counts, gain):
    mean, error = tfvae.evaluation.mean_and_stderr(each)
    print(f"K = {k:4d}: the model trained by IWAE gains {mean:6.3f} +- {error:.3f} nats")
assert (np.diff([each.mean() for each in bounds["ELBO"]]) > 0).all()
first, last = (tfvae.evaluation.mean_and_stderr(gain[i]) for i in (0, -1))
assert first[0] < -4 * first[1] and last[0] > 4 * last[1]  # the curves cross

figure, axes = plt.subplots(figsize=(6, 4), layout="constrained")
for name, each in bounds.items():
    axes.plot(counts, each.mean(axis=1), "o-", label=f"trained by the {name}, K = 20")
axes.set(xscale="log", xlabel="K, samples in the bound", ylabel="bound of test digits, nats")
axes.legend()
figure.savefig("bounds.png", dpi=120)
