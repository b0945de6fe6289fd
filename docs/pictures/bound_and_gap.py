"""The bound for one x by the location of q, in a model whose log p(x) is known."""

import numpy as np
from matplotlib import pyplot as plt

# z ~ N(0, 1), x|z ~ N(z, 1/2), x = 1; q = N(m, 1/2), where the true posterior is N(2/3, 1/3).
X, NOISE, VARIANCE = 1.0, 0.5, 0.5


def figure():
    """Returns the figure."""
    m = np.linspace(-0.6, 1.9, 200)
    spread = X - m
    distortion = 0.5 * (np.log(2 * np.pi * NOISE) + (spread**2 + VARIANCE) / NOISE)
    rate = 0.5 * (VARIANCE + m**2 - 1 - np.log(VARIANCE))
    elbo = -(distortion + rate)
    evidence = -0.5 * (np.log(2 * np.pi * (1 + NOISE)) + X**2 / (1 + NOISE))

    made, axes = plt.subplots(figsize=(7, 3.2))
    axes.axhline(evidence, color="#222222", label="log p(x)")
    axes.plot(m, elbo, color="#1f4e9c", label="ELBO")
    axes.fill_between(m, elbo, evidence, color="#c1440e", alpha=0.2, label="gap = KL(q, p(z|x))")
    axes.plot(m[elbo.argmax()], elbo.max(), "o", color="#1f4e9c")
    axes.set(xlabel="mean of q(z|x)", ylabel="nats")
    axes.legend(frameon=False)
    axes.spines[["top", "right"]].set_visible(False)
    return made
