# %% [markdown]
# # A first VAE
# Train on the scanned digits that scikit-learn carries, and quote a likelihood of digits that the
# model has not seen. Leave with a file that draws the same samples on a phone.

# %%
import keras

import tfvae

digits = tfvae.datasets.load("digits")
likelihood = tfvae.likelihoods.Bernoulli(dynamic_binarization=True)
vae = tfvae.mlp_vae(digits.event_shape, latent_dim=16, hidden=(256, 256), likelihood=likelihood)
vae.compile(keras.optimizers.Adam(3e-3))
vae.fit(digits.x_train, batch_size=64, epochs=30, validation_data=digits.x_test, verbose=2)

# %%
report = tfvae.evaluation.evaluate(vae, digits.x_test, num_samples=500)
print(f"NLL {report.nll:.2f} +- {report.nll_stderr:.2f} nats, {report.active_units} active units")
assert report.nll < 24.5  # an independent Bernoulli for each pixel gives 27.3

# %%
tfvae.export.to_tflite(vae, "digits.tflite")
images = tfvae.export.Sampler("digits.tflite").sample(16, seed=7)
tfvae.plots.save_png("digits.png", tfvae.plots.grid(images))
