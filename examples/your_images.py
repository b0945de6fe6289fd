# %% [markdown]
# # Your own images
# A folder of pictures is a data set: sizes may differ, and folders in it are labels. Here 1,500
# faces with the grain of a camera are drawn first. Put the path of your own in their place.

# %%
import os

import keras
import matplotlib.pyplot as plt
import numpy as np
from PIL import Image, ImageDraw

import tfvae

keras.utils.set_random_seed(0)
GRAIN, INK = 4.0, (30, 30, 30)  # standard deviation of the noise, in grey levels; eyes and mouth


def draw_face(random, start):
    """A face of 24x24 pixels; its mouth is half a circle from `start` degrees."""
    face, share = Image.new("RGB", (96, 96), (random.integers(60, 200),) * 3), random.random()
    pen, (x, y), r = ImageDraw.Draw(face), random.uniform(42, 54, 2), random.uniform(32, 40)
    skin = tuple(int(v) for v in np.array([240, 200, 170]) - share * np.array([100, 110, 110]))
    pen.ellipse((x - r, y - r, x + r, y + r), fill=skin)
    for eye in (x - 0.4 * r, x + 0.4 * r):
        pen.ellipse((eye - 5, y - 0.3 * r - 5, eye + 5, y - 0.3 * r + 5), fill=INK)
    pen.arc((x - 0.5 * r, y, x + 0.5 * r, y + 0.6 * r), start, start + 180, fill=INK, width=8)
    pixels = face.reduce(4) + random.normal(0, GRAIN, (24, 24, 3))
    return Image.fromarray(np.clip(np.round(pixels), 0, 255).astype(np.uint8))


random = np.random.default_rng(0)
for mood, start in {"happy": 0, "sad": 180}.items():
    os.makedirs(f"faces/{mood}", exist_ok=True)
    for i in range(750):
        draw_face(random, start).save(f"faces/{mood}/{i}.png")

# %% [markdown]
# ## Load and train
# `load` holds a random sixth out. Pictures of 8 bits get a likelihood of 256 levels, so the NLL is
# a code length: the bits of a lossless file.

# %%
faces = tfvae.datasets.load("faces")
print(faces.classes, faces.note)
likelihood = tfvae.likelihoods.DiscretizedLogistic(learn_scale=True)
vae = tfvae.conv_vae(faces.event_shape, 8, (16, 32), dense=128, likelihood=likelihood, seed=0)
vae.compile(keras.optimizers.Adam(keras.optimizers.schedules.CosineDecay(3e-3, 1000)))
vae.fit(faces.x_train, batch_size=32, epochs=25, verbose=2)

# %% [markdown]
# ## How good is it?
# The entropy of the grain is a floor for every code. One that knows how often each level occurs,
# and no more, needs the entropy of the levels. A longer training goes on towards the floor.

# %%
report = tfvae.evaluation.evaluate(vae, faces.x_test, num_samples=50)
floor = np.log2(GRAIN * np.sqrt(2 * np.pi * np.e))
share = np.bincount(np.round(255 * faces.x_test).astype(int).ravel()) / faces.x_test.size
levels = -np.sum(share * np.log2(np.maximum(share, 1e-12)))
print(f"bits: grain {floor:.2f}, model {report.bits_per_dim:.2f}, levels {levels:.2f}")
assert floor < report.bits_per_dim < levels - 1.5

# %% [markdown]
# ## Cheer up
# The mean latent of happy faces minus that of sad ones is the direction of a smile.

# %%
happy, unhappy = (vae.encode(faces.x_train[faces.y_train == i]).mean() for i in (0, 1))
smile = np.mean(happy, axis=0) - np.mean(unhappy, axis=0)
sad = faces.x_test[faces.y_test == 1][:10]
codes = vae.encode(sad).mean()
smiles = [vae.decode(codes + step * smile).mean() for step in (0, 0.5, 1)]
rows = np.concatenate([sad, *smiles, vae.sample(10, seed=7)])
names = "sad", "reconstructed", "+ half a smile", "+ a smile", "samples"
figure, axes = plt.subplots(figsize=(8, 4.4), layout="constrained")
axes.imshow(tfvae.plots.grid(rows, columns=10))
axes.set(xticks=[], yticks=np.arange(13, 125, 25), yticklabels=names)
figure.savefig("faces.png", dpi=120)
