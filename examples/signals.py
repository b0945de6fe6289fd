# %% [markdown]
# # Signals and anomalies
# A model of healthy heartbeats gives each new beat a log-likelihood, and what is unlike the
# training data gets a low one. No example of an anomaly is needed. Here 2,000 beats are generated,
# and 100 that the model never saw the like of: their last wave, the T wave, is inverted.

# %%
import keras
import matplotlib.pyplot as plt
import numpy as np
from sklearn.metrics import roc_auc_score

import tfvae

keras.utils.set_random_seed(0)
random = np.random.default_rng(0)
time = np.linspace(0, 1, 64)


def beats(count, t_wave=1.0):
    """Waves P, Q, R, S and T of random heights and places, and noise, `[count, 64, 1]`."""
    height = np.array([0.15, -0.15, 1.0, -0.25, 0.3 * t_wave])
    place, width = [0.2, 0.36, 0.4, 0.44, 0.7], [0.03, 0.02, 0.02, 0.02, 0.05]
    height = height * random.lognormal(sigma=0.3, size=(count, 1, 5))
    shift = random.normal(scale=0.04, size=(count, 1, 1))
    waves = height * np.exp(-0.5 * ((time[:, None] - place - shift) / width) ** 2)
    return (waves.sum(axis=2) + random.normal(scale=0.1, size=(count, 64)))[..., None]


x_train, x_test, x_odd = beats(2000), beats(300), beats(100, t_wave=-1.0)

# %% [markdown]
# ## A network over time
# `conv1d_vae` takes signals `[N, T, C]`. The noise of the signals is learned, in their own units.

# %%
likelihood = tfvae.likelihoods.Normal(0.3, learn_scale=True)
vae = tfvae.conv1d_vae((64, 1), 8, (32, 64), dense=128, likelihood=likelihood, seed=0)
vae.compile(keras.optimizers.Adam(3e-3))
vae.fit(x_train, batch_size=50, epochs=25, validation_data=x_test, verbose=2)
noise = float(np.exp(likelihood.log_scale))
print(f"the learned noise is {noise:.3f}, and the true one 0.1")
assert abs(noise - 0.1) < 0.01

# %% [markdown]
# ## Rank by log-likelihood
# The threshold is the 1 % quantile of held-out healthy beats, so about one alarm in a hundred is
# false. The area under the ROC curve is the chance that an odd beat ranks below a healthy one. For
# comparison: the distance from the mean beat, which knows nothing of how beats vary.

# %%
healthy, odd = (tfvae.evaluation.log_likelihood(vae, x, 100) for x in (x_test, x_odd))
threshold = np.quantile(healthy, 0.01)
truth = np.repeat([0, 1], [len(healthy), len(odd)])
auc = roc_auc_score(truth, -np.concatenate([healthy, odd]))
distance = ((np.concatenate([x_test, x_odd]) - x_train.mean(axis=0)) ** 2).sum(axis=(1, 2))
auc_of_distance = roc_auc_score(truth, distance)
found = (odd < threshold).mean()
print(f"ROC area {auc:.3f}, of the distance {auc_of_distance:.3f}; {found:.0%} of odd beats found")
assert auc > 0.97 > auc_of_distance + 0.1
assert found > 0.7

# %%
figure, (left, right) = plt.subplots(1, 2, figsize=(11, 4), layout="constrained")
for x, colour, name in ((x_test, "tab:blue", "healthy"), (x_odd, "tab:red", "odd")):
    left.plot(time, x[0], ".", color=colour, label=name)
    left.plot(time, vae.reconstruct(x[:1])[0], color=colour)
left.set(xlabel="seconds", title="beats (dots) and their reconstructions (lines)")
bins = np.linspace(min(odd.min(), healthy.min()), healthy.max(), 60)
right.hist([healthy, odd], bins, color=["tab:blue", "tab:red"], label=["healthy", "odd"])
right.axvline(threshold, color="black", label="1 % of healthy beats are below")
right.set(xlabel="log p(x), nats", ylabel="beats")
left.legend()
right.legend()
figure.savefig("beats.png", dpi=120)
