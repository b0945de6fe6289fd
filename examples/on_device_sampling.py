# %% [markdown]
# # Sampling on a device
# The exported file draws its own random numbers, by a counter. So sample number i of a seed is the
# same picture in Python, in the file, on a phone and in a browser, whatever was drawn before it.

# %%
import time
from pathlib import Path

import keras
import matplotlib.pyplot as plt
import numpy as np

import tfvae

keras.utils.set_random_seed(0)
digits = tfvae.datasets.load("digits")
likelihood = tfvae.likelihoods.Bernoulli(dynamic_binarization=True)
prior = tfvae.priors.GaussianMixture(10)
vae = tfvae.mlp_vae(digits.event_shape, 8, (128,), prior=prior, likelihood=likelihood, seed=0)
vae.compile(keras.optimizers.Adam(3e-3))
vae.fit(digits.x_train, batch_size=64, epochs=25, verbose=0)

# %% [markdown]
# ## Two files
# One with weights of 32 bits, one of 16: half the size. The learned prior is in both.

# %%
sizes = {}
for bits, quantization in ((32, None), (16, "float16")):
    path = Path(f"digits_{bits}.tflite")
    tfvae.export.to_tflite(vae, path, quantization=quantization)
    sizes[bits] = path.stat().st_size / 1000
    print(f"{path}: {sizes[bits]:.0f} kB")
full, half = (tfvae.export.Sampler(f"digits_{bits}.tflite") for bits in (32, 16))
print(full.metadata["signatures"])

# %% [markdown]
# ## The same seed, the same pictures
# `start` goes on where another call ended, so that a gallery can be drawn page by page.

# %%
in_keras = vae.sample(64, seed=7).numpy()
start = time.perf_counter()
on_device = full.sample(64, seed=7)
milliseconds = 1000 * (time.perf_counter() - start) / 64
off = {
    "32 bits": np.abs(on_device - in_keras).max(),
    "16 bits": np.abs(half.sample(64, seed=7) - in_keras).max(),
}
print(f"largest difference from Keras: {off}; {milliseconds:.2f} ms a sample")
page = full.sample(16, seed=7, start=48)
assert (page == on_device[48:]).all()
assert off["32 bits"] < 1e-5 and off["16 bits"] < 0.02
assert sizes[16] < 0.7 * sizes[32]

# %%
figure, panels = plt.subplots(1, 3, figsize=(10, 3.6), layout="constrained")
shown = {"in Keras": in_keras, "from the file": on_device, "difference x 1,000,000": None}
for axes, (name, x) in zip(panels, shown.items()):
    x = np.abs(on_device - in_keras) * 1e6 if x is None else x
    axes.imshow(tfvae.plots.grid(x, value_range=(0, 1)), cmap="gray")
    axes.set(title=name, xticks=[], yticks=[])
figure.savefig("on_device.png", dpi=120)
