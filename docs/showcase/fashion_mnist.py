# %% [markdown]
# # The picture of the README
# A conditional model of Fashion-MNIST, trained, written as one TFLite file, and drawn from that
# file: each column is a kind of garment, each row one latent, at temperature 0.85.
# `TFVAE_DATA=DATA python docs/showcase/fashion_mnist.py`, in a folder of your choice, took 18
# minutes on two cores that eight processes shared, and writes `fashion_mnist.png`.

# %%
import keras
import numpy as np
from PIL import Image

import tfvae

EPOCHS, BATCH = 12, 128
ROWS, COLUMNS, LATENT = 6, 10, 16

keras.utils.set_random_seed(0)
data = tfvae.datasets.load("fashion_mnist")
likelihood = tfvae.likelihoods.Bernoulli(dynamic_binarization=True)
vae = tfvae.conv_vae(data.event_shape, LATENT, condition=COLUMNS, likelihood=likelihood, seed=0)
steps = EPOCHS * (len(data.x_train) // BATCH)
vae.compile(keras.optimizers.Adam(keras.optimizers.schedules.CosineDecay(2e-3, steps)))
vae.fit(data.x_train, data.y_train, batch_size=BATCH, epochs=EPOCHS, verbose=2)
held_out, labels = data.x_test[:500], data.y_test[:500]
report = tfvae.evaluation.evaluate(vae, held_out, y=labels, num_samples=100)
print(f"NLL {report.nll:.1f} +- {report.nll_stderr:.1f} nats, rate {report.rate:.1f}")

# %%
tfvae.export.to_tflite(vae, "fashion_mnist.tflite", batch_size=COLUMNS)
z = 0.85 * np.random.default_rng(1).normal(size=(ROWS, 1, LATENT))
z = z.repeat(COLUMNS, axis=1).reshape(-1, LATENT)
y = np.tile(np.arange(COLUMNS), ROWS)
garments = tfvae.export.Sampler("fashion_mnist.tflite").decode(z.astype(np.float32), y)

# %%
sheet = Image.fromarray(tfvae.plots.grid(1 - garments, COLUMNS, (0.0, 1.0)))
twice = (2 * sheet.width, 2 * sheet.height)
sheet.resize(twice, Image.Resampling.LANCZOS).save("fashion_mnist.png", optimize=True)
