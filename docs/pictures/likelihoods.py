"""Three likelihoods of one grey value, of which the decoder says the same mean."""

import numpy as np
from matplotlib import pyplot as plt

MEAN, LEVELS = 0.3, 256


def figure():
    """Returns the figure."""
    import tfvae

    x = np.linspace(0, 1, LEVELS, dtype=np.float32)
    made, axes = plt.subplots(1, 3, figsize=(9, 2.6))
    axes[0].bar([0, 1], [1 - MEAN, MEAN], width=0.08, color="#1f4e9c")
    axes[0].set_title("Bernoulli: black or white")

    normal = tfvae.likelihoods.Normal(0.1)
    axes[1].plot(x, _probability(normal, x, MEAN), color="#1f4e9c")
    axes[1].set_title("Normal(0.1): a density")

    logistic = tfvae.likelihoods.DiscretizedLogistic()
    axes[2].bar(x, _probability(logistic, x, MEAN - 0.5), width=1 / LEVELS, color="#1f4e9c")
    axes[2].set_title("DiscretizedLogistic: 256 levels")
    for each in axes:
        each.set_xlabel("x")
        each.spines[["top", "right"]].set_visible(False)
    return made


def _probability(likelihood, x, location):
    """Returns p(x) of each value by itself, where the decoder gives one number for all."""
    likelihood.build_once((1,))
    params = np.full((len(x), *likelihood.params_shape((1,))), location, np.float32)
    return np.exp(likelihood.distribution(params).log_prob(x[:, None]))
