# %% [markdown]
# # The picture of the README
# A conditional model of Fashion-MNIST, trained, written as one TFLite file, and drawn from that
# file: each column is a kind of garment, each row one latent. Above them held-out garments that
# turn into one another. `TFVAE_DATA=DATA python docs/showcase/fashion_mnist.py`, in a folder of
# your choice, takes about ten minutes on two idle cores and writes `fashion_mnist.png`.

# %%
import sys

import keras
import numpy as np

import tfvae

EPOCHS = int(sys.argv[1]) if len(sys.argv) > 1 else 12
ROWS, COLUMNS = 6, 10

keras.utils.set_random_seed(0)
data = tfvae.datasets.load("fashion_mnist")
likelihood = tfvae.likelihoods.Bernoulli(dynamic_binarization=True)
vae = tfvae.conv_vae(data.event_shape, 16, condition=10, likelihood=likelihood, seed=0)
steps = EPOCHS * (len(data.x_train) // 128)
vae.compile(keras.optimizers.Adam(keras.optimizers.schedules.CosineDecay(2e-3, steps)))
vae.fit(data.x_train, data.y_train, batch_size=128, epochs=EPOCHS, verbose=2)
report = tfvae.evaluation.evaluate(
    vae, data.x_test[:500], y=data.y_test[:500], num_samples=100, seed=0
)
print(f"NLL {report.nll:.1f} +- {report.nll_stderr:.1f} nats, rate {report.rate:.1f}")

# %%
tfvae.export.to_tflite(vae, "fashion_mnist.tflite", batch_size=COLUMNS, include_encoder=True)
sampler = tfvae.export.Sampler("fashion_mnist.tflite")
labels = np.arange(COLUMNS)
z = np.random.default_rng(7).normal(size=(ROWS, 1, 16)).repeat(COLUMNS, 1).reshape(-1, 16)
garments = sampler.decode(z.astype(np.float32), y=np.tile(labels, ROWS))

# %%
vae.save("fashion_mnist.keras")
tfvae.plots.save_png("fashion_mnist.png", tfvae.plots.grid(1 - garments, COLUMNS, (0.0, 1.0)))
