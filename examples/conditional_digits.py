# %% [markdown]
# # Conditional digits
# A model of p(x|z, y) is told the label y, and draws the digit it is asked for. By Bayes' rule it
# recognizes digits as well, without ever being trained to.

# %%
import keras
import matplotlib.pyplot as plt
import numpy as np
from sklearn.neighbors import KNeighborsClassifier

import tfvae

keras.utils.set_random_seed(0)
digits = tfvae.datasets.load("digits")
likelihood = tfvae.likelihoods.Bernoulli(dynamic_binarization=True)
vae = tfvae.mlp_vae(digits.event_shape, 8, (256,), condition=10, likelihood=likelihood, seed=0)
vae.compile(keras.optimizers.Adam(3e-3))
vae.fit(digits.x_train, digits.y_train, batch_size=64, epochs=30, verbose=0)

# %% [markdown]
# ## Ask for digits
# Each row has one z, and each column one label: z is the style and y the digit. A classifier of
# real digits judges whether samples are what was asked for.

# %%
wanted = np.repeat(np.arange(10), 50)
drawn = vae.sample(500, y=wanted, seed=7).numpy()
judge = KNeighborsClassifier(5).fit(digits.x_train.reshape(-1, 64), digits.y_train)
right = judge.score(drawn.reshape(-1, 64), wanted)
print(f"{right:.1%} of the samples are judged to be the digit that was asked for")
assert right > 0.95

z = vae.prior.distribution().sample(8, seed=3).numpy()
table = [vae.decode(np.repeat(style[None], 10, axis=0), y=np.arange(10)).mean() for style in z]
figure, axes = plt.subplots(figsize=(7, 5.6), layout="constrained")
axes.imshow(tfvae.plots.grid(np.concatenate(table), columns=10, value_range=(0, 1)), cmap="gray")
axes.set(xticks=np.arange(5, 90, 9), xticklabels=range(10), yticks=[], ylabel="one style z a row")
axes.xaxis.tick_top()
figure.savefig("conditional_digits.png", dpi=120)

# %% [markdown]
# ## Recognize digits
# With all labels equally likely, p(y|x) = p(x|y) / sum over y' of p(x|y'). So estimate log p(x|y)
# of each test image under each label, and take the largest. The images are binarized, which leaves
# less to see than the grey ones have.

# %%
log_p = np.stack(
    [
        tfvae.evaluation.log_likelihood(vae, digits.x_test, 100, y=np.full(len(digits.x_test), y))
        for y in range(10)
    ],
    axis=1,
)  # [N, 10], nats
found = log_p.argmax(axis=1)
accuracy = (found == digits.y_test).mean()
print(f"{accuracy:.1%} of the test digits recognized by Bayes' rule")
assert accuracy > 0.8
