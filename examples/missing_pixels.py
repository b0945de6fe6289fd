# %% [markdown]
# # Missing pixels
# NaN says that a pixel was not seen. `Observed` leaves such pixels out of the likelihood, so that a
# model can learn from incomplete data alone, and `impute` fills them in.

# %%
import keras
import matplotlib.pyplot as plt
import numpy as np
from sklearn.impute import KNNImputer

import tfvae

keras.utils.set_random_seed(0)
digits = tfvae.datasets.load("digits")
random = np.random.default_rng(0)


def holes(x):
    """x with half of its pixels missing, at random places."""
    return np.where(random.random(x.shape) < 0.5, np.nan, x).astype(np.float32)


x_train, x_test = holes(digits.x_train), holes(digits.x_test)  # no digit is whole

# %% [markdown]
# ## Train on what is there
# With an importance-weighted objective this is the MIWAE [1]. The encoder sees 0 in place of a
# missing pixel.
#
# [1] Mattei & Frellsen, MIWAE. ICML 2019. arXiv:1812.02633.

# %%
likelihood = tfvae.likelihoods.Observed(tfvae.likelihoods.Normal(0.3, learn_scale=True))
vae = tfvae.mlp_vae(
    digits.event_shape, 16, (256,), likelihood=likelihood, objective=tfvae.IWAE(5), seed=0
)
vae.compile(keras.optimizers.Adam(2e-3))
vae.fit(x_train, batch_size=64, epochs=60, verbose=0)

# %% [markdown]
# ## Fill the holes
# The expected value of a missing pixel has the least squared error. Ten draws differ as much as the
# observed pixels leave open: about three quarters of the true values should lie between the second
# ordered and the second highest.

# %%
missing = np.isnan(x_test)


def rms_error(filled):
    """The root mean squared error of the pixels that were missing."""
    return np.sqrt(np.mean((filled.reshape(x_test.shape) - digits.x_test)[missing] ** 2))


completed = tfvae.imputation.impute(vae, x_test)
neighbours = KNNImputer(n_neighbors=10).fit(x_train.reshape(-1, 64))
errors = {
    "mean": rms_error(np.repeat(np.nanmean(x_train, axis=0)[None], len(x_test), axis=0)),
    "neighbours": rms_error(neighbours.transform(x_test.reshape(-1, 64))),
    "VAE": rms_error(completed),
}
print({name: round(float(error), 3) for name, error in errors.items()})
assert errors["VAE"] < 0.75 * errors["mean"]
assert errors["VAE"] < errors["neighbours"]
draws = tfvae.imputation.impute(vae, x_test, draws=10)
ordered = np.sort(draws, axis=0)
inside = ((ordered[1] <= digits.x_test) & (digits.x_test <= ordered[-2]))[missing].mean()
print(f"{inside:.0%} of the true values lie within the draws")
assert 0.6 < inside < 0.9

# %%
rows = {"seen": x_test, "expected": completed, "a draw": draws[0], "another": draws[1]}
rows["the truth"] = digits.x_test
figure, axes = plt.subplots(figsize=(8, 3.8), layout="constrained")
sheet = np.concatenate([x[:12] for x in rows.values()])
axes.imshow(tfvae.plots.grid(sheet, columns=12, value_range=(0, 1)), cmap="gray")
axes.set(xticks=[], yticks=np.arange(5, 45, 9), title="grey: not seen")
axes.set_yticklabels(rows)
figure.savefig("missing_pixels.png", dpi=120)
