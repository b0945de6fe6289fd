# %% [markdown]
# # The variational autoencoder, claim by claim
# Each step states a claim, computes both of its sides, and prints them beside each other, in nats.
# Steps 1 to 6 use a Gaussian mixture, small enough for every number to have an exact reference;
# step 7 trains on scanned digits. Five pictures are left in the current folder.
# Shapes: `B` examples, `K` samples, `D` latents.

# %%
import os

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")  # quiets most of TensorFlow's start-up notes

import keras
import numpy as np
import tensorflow as tf
import tensorflow_probability as tfp
from matplotlib.figure import Figure

import tfvae
from tfvae.gradients import Estimator, Pathwise, ScoreFunction
from tfvae.models import forward_pass

tfd = tfp.distributions
keras.utils.set_random_seed(0)
mean_and_stderr = tfvae.evaluation.mean_and_stderr

# %% [markdown]
# ## 1. A model with a latent variable
#     z ~ p(z) = sum_c weight_c N(loc_c, diag(scale_c^2)),    x = A'z + sigma eps,  eps ~ N(0, I)
#     p(x) = integral p(z) p(x|z) dz
#
# The decoder is linear, so each component stays normal, and p(x) is a Gaussian mixture that is
# known exactly:
#
#     p(x) = sum_c weight_c N(x; A'loc_c, A'diag(scale_c^2)A + sigma^2 I)
#
# The encoder ignores x for now: its bias is q(z) = N(m, diag(s^2)), set by hand, and wrong on
# purpose.

# %%
weight = np.float32([0.45, 0.35, 0.2])
loc = np.float32([[-1.2, -0.6], [1.2, -0.6], [0.2, 1.4]])
scale = np.float32([[0.7, 0.4], [0.4, 0.6], [0.8, 0.4]])
a, sigma = np.float32([[1.0, 0.4], [-0.5, 1.0]]), 0.8

encoder = keras.Sequential([keras.Input((2,)), keras.layers.Dense(4, kernel_initializer="zeros")])
decoder = keras.Sequential([keras.Input((2,)), keras.layers.Dense(2, use_bias=False)])
prior, likelihood = tfvae.priors.GaussianMixture(3), tfvae.likelihoods.Normal(sigma)
vae = tfvae.VAE(encoder, decoder, prior=prior, likelihood=likelihood, seed=0)
prior.set_weights([np.log(weight), loc, tfp.math.softplus_inverse(scale)])
decoder.set_weights([a])
raw_scale = tfp.math.softplus_inverse([0.7, 0.5])
encoder.layers[-1].bias.assign(tf.concat([[0.4, 0.6], raw_scale], axis=0))

noise = sigma**2 * np.eye(2, dtype=np.float32)
covariance = np.stack([a.T @ np.diag(s**2) @ a for s in scale]) + noise  # [C, 2, 2]
component = tfd.MultivariateNormalTriL(loc @ a, np.linalg.cholesky(covariance))
mixture = tfd.MixtureSameFamily(tfd.Categorical(probs=weight), component)

x = np.float32([[0.3, 0.0]])  # one example, [B, 2] with B = 1
q = vae.encode(x)
step = 0.2
side = np.arange(-6, 6 + step, step, dtype=np.float32)
grid = np.stack(np.meshgrid(side, side), axis=-1)
grid = grid.reshape(-1, 1, 2)  # every z that matters, [G, 1, D]


def log_joint(z, x):
    """log p(x, z), [G, B]."""
    return vae.decode(z).log_prob(x) + prior.distribution().log_prob(z)


log_px = float(mixture.log_prob(x)[0])
integrated = float(tf.reduce_logsumexp(log_joint(grid, x)) + np.log(step**2))
print(f"1  log p(x)                exact {log_px:8.4f}   integral over z   {integrated:8.4f}")

figure = Figure(figsize=(6, 5), layout="constrained")
axes = figure.subplots()
line = np.linspace(-5, 5, 201, dtype=np.float32)
pixels = np.stack(np.meshgrid(line, line), axis=-1)  # [201, 201, 2]
shades = axes.contourf(*np.moveaxis(pixels, -1, 0), mixture.prob(pixels), levels=14, cmap="Blues")
drawn = vae.sample(400, seed=7, draw=True).numpy()
axes.plot(*drawn.T, "k.", ms=3, label="400 samples of the model")
axes.plot(*x.T, "*", color="tab:red", ms=14, label="the x of steps 1 to 6")
axes.set(xlabel="x[0]", ylabel="x[1]", title="p(x), a Gaussian mixture, and samples of it")
axes.legend(loc="upper left")
figure.colorbar(shades, label="p(x), per unit of area")
figure.savefig("mixture.png", dpi=120)

# %% [markdown]
# ## 2. A bound, from any q(z)
#     log p(x) = log E_q[p(x,z)/q(z)]  >=  E_q[log p(x,z) - log q(z)]  =: L(q)
#
# by Jensen's inequality [1, equation 3]. L(q) is a mean over q, which K samples estimate without
# bias: `tfvae.ELBO`. The logarithm of their mean weight p(x,z)/q(z), `tfvae.IWAE`, is a bound as
# well, in expectation, and rises to log p(x) with K [3].


# %%
def bound(q, x):
    """L(q) by integration over the grid, [B]."""
    log_q = q.log_prob(grid)  # [G, B]
    return tf.reduce_sum(tf.exp(log_q) * (log_joint(grid, x) - log_q), axis=0) * step**2


elbo = float(bound(q, x)[0])
print(f"2  L(q)                    exact {elbo:8.4f}   log p(x)          {log_px:8.4f}")
counts, runs, bounds = [1, 4, 16, 64, 256, 1024], 400, {"ELBO": [], "IWAE": []}
for k in counts:
    copies = np.repeat(x, runs, axis=0)
    terms = vae.terms(copies, k, seed=k)  # log-probabilities of K samples in each of 400 runs
    bounds["ELBO"].append(mean_and_stderr(-tfvae.ELBO(k, analytic_rate=False)(terms)))
    bounds["IWAE"].append(mean_and_stderr(-tfvae.IWAE(k)(terms)))
    mean, error = zip(bounds["ELBO"][-1], bounds["IWAE"][-1])
    print(
        f"   mean of {runs}, K = {k:4d}   ELBO {mean[0]:8.4f} +- {error[0]:.4f}"
        f"   IWAE {mean[1]:8.4f} +- {error[1]:.4f}"
    )

figure = Figure(figsize=(6, 4), layout="constrained")
axes = figure.subplots()
for name, marker in (("ELBO", "o"), ("IWAE", "s")):
    mean, error = np.transpose(bounds[name])
    label = f"{name}, mean of {runs} runs +- 2 s.e."
    axes.errorbar(counts, mean, 2 * error, fmt=marker + "-", ms=4, capsize=3, label=label)
axes.axhline(log_px, color="black", label="log p(x), exact")
axes.axhline(elbo, color="black", ls="--", label="L(q), exact")
axes.set(xscale="log", xlabel="K, samples in each run", ylabel="nats")
axes.set(title="two bounds from the same samples")
axes.legend(fontsize="small")
figure.savefig("bound.png", dpi=120)

# %% [markdown]
# ## 3. The gap is a divergence
#     log p(x) - L(q) = KL(q(z) || p(z|x))
#
# so the best q is the posterior, where the gap is 0. Conditioning each component on x gives p(z|x),
# a mixture again. On the way to it, q_t = (1 - t) q + t p(z|x), the gap is computed with log p(x)
# but without the posterior, and the divergence the other way round.

# %%
precision = np.stack([np.diag(s**-2) for s in scale]) + a @ a.T / sigma**2  # [C, D, D]
weighted = loc / scale**2 + x @ a.T / sigma**2  # precision times mean, [C, D]
mean = np.linalg.solve(precision, weighted[..., None])[..., 0]
conditioned = tfd.MultivariateNormalTriL(mean, np.linalg.cholesky(np.linalg.inv(precision)))
responsibility = tfd.Categorical(logits=np.log(weight) + component.log_prob(x))
posterior = tfd.MixtureSameFamily(responsibility, conditioned)

steps = []
for t in np.linspace(0, 1, 11, dtype=np.float32):
    q_t = tfd.Mixture(tfd.Categorical(probs=[[1 - t, t]]), [q, tfd.BatchReshape(posterior, [1])])
    log_q = q_t.log_prob(grid)
    divergence = tf.reduce_sum(tf.exp(log_q) * (log_q - posterior.log_prob(grid))) * step**2
    steps.append((t, log_px - float(bound(q_t, x)[0]), float(divergence)))
for t, gap, divergence in steps[::5]:
    print(f"3  log p(x) - L(q_t)    t = {t:.1f} {gap:9.4f}   KL(q_t || p(z|x)) {divergence:8.4f}")

figure = Figure(figsize=(11, 4.5), layout="constrained")
left, right = figure.subplots(1, 2)
shades = left.contourf(*np.moveaxis(pixels, -1, 0), posterior.prob(pixels), levels=14, cmap="Blues")
figure.colorbar(shades, label="p(z|x), per unit of area")
heights = q.prob(pixels[..., None, :])[..., 0]
rings = left.contour(*np.moveaxis(pixels, -1, 0), heights, levels=4, colors="tab:red")
left.legend([rings.legend_elements()[0][0]], ["q(z), where the path starts"])
left.set(xlim=(-3, 3), ylim=(-3, 3), xlabel="z[0]", ylabel="z[1]")
left.set(title="the posterior of x, and a q that is off")
t, gap, divergence = np.transpose(steps)
right.plot(t, gap, "o", ms=9, mfc="none", label="log p(x) - L(q_t)")
right.plot(t, divergence, "k-", lw=1, label="KL(q_t || p(z|x))")
right.set(xlabel="t, from q to the posterior", ylabel="nats", title="the gap is the divergence")
right.legend()
figure.savefig("gap.png", dpi=120)

# %% [markdown]
# ## 4. Amortization
# A q for each x would cost an optimization for each x. An encoder network q(z|x) learns that map
# once for all x [1]. It loses twice [4]: a diagonal normal is not the posterior (the gap that each
# x keeps at its own optimum), and the network is not at that optimum (the cost of amortization).
# The decoder and the prior stay fixed.

# %%
decoder.trainable = prior.trainable = False
x_train, x_new = np.split(vae.sample(2100, seed=1, draw=True).numpy(), [2000])
network = keras.Sequential(
    [keras.Input((2,)), keras.layers.Dense(32, "tanh"), keras.layers.Dense(4)]
)
amortized = tfvae.VAE(
    network, decoder, prior=prior, likelihood=likelihood, objective=tfvae.ELBO(8), seed=0
)
schedule = keras.optimizers.schedules.CosineDecay(1e-2, 800)
amortized.compile(keras.optimizers.Adam(schedule), jit_compile=False)
amortized.fit(x_train, batch_size=100, epochs=40, verbose=0)

own = tf.Variable(network(x_new))  # parameters of each q by itself, as the encoder leaves them
descent = keras.optimizers.Adam(0.05)


@tf.function
def improve_own():
    with tf.GradientTape() as tape:
        loss = -tf.reduce_sum(bound(vae.posterior.distribution(own), x_new))
    descent.apply([tape.gradient(loss, own)], [own])


for _ in range(150):
    improve_own()
amortized_gap = (mixture.log_prob(x_new) - bound(amortized.encode(x_new), x_new)).numpy()
optimum_gap = (mixture.log_prob(x_new) - bound(vae.posterior.distribution(own), x_new)).numpy()
gaps = {"the encoder": amortized_gap, "own optimum": optimum_gap}
gaps["amortizing "] = amortized_gap - optimum_gap
for name, values in gaps.items():
    mean, error = mean_and_stderr(values)
    print(
        f"4  gap over 100 x    {name} {mean:8.4f} +- {error:.4f}"
        f"   each from {values.min():.4f} to {values.max():.4f}"
    )

# %% [markdown]
# ## 5. The decoder's gradient
# q does not depend on the decoder, so the gradient goes under the expectation, and samples
# estimate it [1]:
#
#     d/dA L(q) = E_q[d/dA log p(x|z)]  ~=  1/K sum_k d/dA log p(x|z_k),    z_k ~ q
#     exactly   = E_q[z (x - A'z)'] / sigma^2 = (m x' - (m m' + diag(s^2)) A) / sigma^2

# %%
num_samples, repeats = 10, 2000
copies = np.repeat(x, repeats, axis=0)  # 2,000 estimates from 10 samples each
objective = tfvae.ELBO(num_samples, analytic_rate=False)
with tf.GradientTape() as tape:
    estimates = -objective(vae.terms(copies, num_samples, seed=5))
decoder_found = tape.jacobian(estimates, decoder.layers[-1].kernel.value).numpy()  # [2000, D, 2]
m, s = q.mean()[0].numpy(), q.stddev()[0].numpy()
decoder_exact = (np.outer(m, x) - (np.outer(m, m) + np.diag(s**2)) @ a) / sigma**2
for i, j in np.ndindex(2, 2):
    mean, error = mean_and_stderr(decoder_found[:, i, j])
    print(
        f"5  dL/dA[{i},{j}]              exact {decoder_exact[i, j]:8.4f}"
        f"   Monte Carlo       {mean:8.4f} +- {error:.4f}"
    )

# %% [markdown]
# ## 6. The encoder's gradient
# q does depend on its own parameters. To hold samples fixed and differentiate their mean leaves
# E_q[-d/dm log q(z)] = 0, whatever x is. Two ways that are right, here for the mean m of q:
#
#     score function  E_q[(log p(x,z) - log q(z)) d/dm log q(z)]             for any q [5]
#     pathwise        E_eps[d/dz log p(x,z)],  z = m + s eps, eps ~ N(0, I)  reparameterized [1, 2]
#
# Both have the same mean, and variances that integration gives exactly. A baseline, the mean of the
# other samples, lowers the first (`tfvae.gradients.ScoreFunction` [6]).


# %%
class Naive(ScoreFunction):
    """The gradient of the mean of the log-weights of fixed samples."""

    losses = Estimator.losses


class Score(Naive):
    """The score function without a baseline."""

    def losses(self, objective, terms, step):
        return [-tf.reduce_mean(tf.stop_gradient(terms.log_weights) * terms.log_posterior, axis=0)]


def gradients(estimator):
    """2,000 estimates of dL/dm from 10 samples each, [2000, D]."""
    params = vae.encoder_params(copies, None, training=False)  # the means, then the raw scales
    with tf.GradientTape() as tape:
        tape.watch(params)
        terms = forward_pass.terms_from_params(
            vae, params, copies, None, num_samples, (6, 0), training=False, estimator=estimator
        )
        (loss,) = estimator.losses(objective, terms, 0)
    return -tape.gradient(loss, params)[:, :2].numpy()


def variance_by_integration(each):
    """The variance of a mean over 10 samples of each(z), summed over D; `each` is [G, D]."""
    mass = np.exp(q.log_prob(grid)) * step**2  # [G, 1]
    return ((mass * each**2).sum(axis=0) - (mass * each).sum(axis=0) ** 2).sum() / num_samples


z, m_copy = tf.Variable(grid), tf.Variable(q.mean())
with tf.GradientTape(persistent=True) as tape:
    log_p = log_joint(z, x)
    integral = bound(tfd.Independent(tfd.Normal(m_copy, s), 1), x)
encoder_exact = tape.gradient(integral, m_copy)[0].numpy()
score, path = (log_p - q.log_prob(grid)) * (grid[:, 0] - m) / s**2, tape.gradient(log_p, z)[:, 0]
variance_exact = {
    "score function": variance_by_integration(score.numpy()),
    "pathwise": variance_by_integration(path.numpy()),
}
estimators = {
    "naive": Naive(),
    "score function": Score(),
    "with baseline": ScoreFunction(),
    "pathwise": Pathwise(),
}
encoder_found = {name: gradients(estimator) for name, estimator in estimators.items()}
variance = {name: found.var(axis=0).sum() for name, found in encoder_found.items()}
for name, found in encoder_found.items():
    mean, error = mean_and_stderr(found[:, 1])
    known = f"   exact {variance_exact[name]:.4f}" if name in variance_exact else ""
    print(
        f"6  dL/dm[1]                exact {encoder_exact[1]:8.4f}   {name:14s}  {mean:10.4f}"
        f" +- {error:.4f}   variance {variance[name]:.4f}{known}"
    )
ratio, ratio_exact = (v["score function"] / v["pathwise"] for v in (variance, variance_exact))
print(f"6  ratio of variances      exact {ratio_exact:8.4f}   score : pathwise  {ratio:8.4f}")

figure = Figure(figsize=(7, 4), layout="constrained")
axes = figure.subplots()
for name, found in encoder_found.items():
    axes.hist(found[:, 1], np.linspace(-9, 6, 121), histtype="step", lw=1.5, label=name)
axes.axvline(encoder_exact[1], color="black", label="exact")
axes.set(xlabel=f"estimate of dL/dm[1] from {num_samples} samples, nats per unit of m")
axes.set(ylabel=f"of {repeats} estimates", title="four estimators of one gradient")
axes.legend()
figure.savefig("gradients.png", dpi=120)

# %% [markdown]
# ## 7. The algorithm, on data
# Both networks climb the mean of L over a batch, by one reparameterized sample of each x and the
# rate KL(q(z|x) || p(z)) in closed form [1, algorithm 1 and appendix B]: written out, and by `fit`,
# from the same first weights. A second `fit`, with another seed, shows how large the noise
# is. The NLL, -log p(x), is importance-weighted, K = 500.

# %%
digits = tfvae.datasets.load("digits")
x_train, x_test = (
    tfvae.datasets.binarize(part).reshape(-1, 64) for part in (digits.x_train, digits.x_test)
)
by_hand, *by_fit = [
    tfvae.mlp_vae((64,), latent_dim=2, hidden=(64,), seed=seed) for seed in (0, 1, 2)
]
for other in by_fit:
    other.encoder.set_weights(by_hand.encoder.get_weights())
    other.decoder.set_weights(by_hand.decoder.get_weights())


def negative_elbo(x, eps):
    m, raw = tf.split(by_hand.encoder(x), 2, axis=1)
    s = tf.nn.softplus(raw)
    logits = by_hand.decoder(m + s * eps)
    distortion = tf.reduce_sum(tf.nn.sigmoid_cross_entropy_with_logits(x, logits), axis=1)
    rate = 0.5 * tf.reduce_sum(m**2 + s**2 - 1 - 2 * tf.math.log(s), axis=1)
    return tf.reduce_mean(distortion + rate)


@tf.function(reduce_retracing=True)
def train_step(x):
    with tf.GradientTape() as tape:
        loss = negative_elbo(x, tf.random.normal([tf.shape(x)[0], 2]))
    variables = by_hand.trainable_variables
    adam.apply(tape.gradient(loss, [v.value for v in variables]), variables)


epochs, adam = 25, keras.optimizers.Adam(3e-3)
batches = tf.data.Dataset.from_tensor_slices(x_train).shuffle(len(x_train), seed=0).batch(100)
for _ in range(epochs):
    for batch in batches:
        train_step(batch)
for other in by_fit:
    other.compile(keras.optimizers.Adam(3e-3), jit_compile=False)
    other.fit(x_train, batch_size=100, epochs=epochs, verbose=0)

terms, q_test = by_hand.terms(x_test, 1, seed=1), by_hand.encode(x_test)
loss_by_hand = float(negative_elbo(x_test, (terms.z[0] - q_test.mean()) / q_test.stddev()))
loss_by_tfvae = float(tf.reduce_mean(tfvae.ELBO()(terms)))
print(
    f"7  -L of 299 digits      by hand {loss_by_hand:8.4f}"
    f"   tfvae.ELBO        {loss_by_tfvae:8.4f}   same samples"
)
log_p = [
    tfvae.evaluation.log_likelihood(each, x_test, num_samples=500) for each in (by_hand, *by_fit)
]
for name, each in zip(("by hand", "by fit", "by fit, again"), log_p):
    nll, more = mean_and_stderr(-each), mean_and_stderr(log_p[1] - each)
    print(
        f"7  NLL {name:>18s} {nll[0]:14.4f} +- {nll[1]:.4f}"
        f"   minus that by fit {more[0]:8.4f} +- {more[1]:.4f}"
    )

figure = Figure(figsize=(11, 5), layout="constrained")
left, right = figure.subplots(1, 2, width_ratios=[1.2, 1])
codes = by_fit[0].encode(x_train).mean().numpy()
points = left.scatter(*codes.T, c=digits.y_train, cmap="tab10", vmin=-0.5, vmax=9.5, s=8)
figure.colorbar(points, ticks=range(10), label="digit, which the model was not told")
left.set(xlabel="mean of q(z|x), z[0]", ylabel="z[1]", title="1,498 digits in the latent plane")
samples = by_fit[0].sample(64, seed=7).numpy().reshape(-1, 8, 8)
right.imshow(tfvae.plots.grid(samples), cmap="gray")
right.set(xticks=[], yticks=[], title="64 samples of the model, E[x|z]")
figure.savefig("digits.png", dpi=120)

# %% [markdown]
# ## References
# 1. Kingma & Welling, Auto-Encoding Variational Bayes. ICLR 2014. arXiv:1312.6114.
# 2. Rezende, Mohamed & Wierstra, Stochastic Backpropagation. ICML 2014. arXiv:1401.4082.
# 3. Burda, Grosse & Salakhutdinov, Importance Weighted Autoencoders. ICLR 2016. arXiv:1509.00519.
# 4. Cremer, Li & Duvenaud, Inference Suboptimality in Variational Autoencoders. ICML 2018.
#    arXiv:1801.03558.
# 5. Williams, Simple statistical gradient-following algorithms. Machine Learning 8, 1992.
# 6. Mnih & Rezende, Variational inference for Monte Carlo objectives. ICML 2016. arXiv:1602.06725.
