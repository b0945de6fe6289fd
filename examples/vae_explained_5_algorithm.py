# %% [markdown]
# # The VAE explained, 5: the algorithm, on data
# Both networks climb the mean of L over a batch, by one reparameterized sample of each x and the
# rate KL(q(z|x) || p(z)) in closed form [1, algorithm 1, appendix B]. Here it is written out, and
# done by `fit` from the same first weights: both give the same numbers, and learn the same.
#
# [1] Kingma & Welling, Auto-Encoding Variational Bayes. ICLR 2014. arXiv:1312.6114.

# %%
import keras
import matplotlib.pyplot as plt
import tensorflow as tf

import tfvae

keras.utils.set_random_seed(0)
digits = tfvae.datasets.load("digits")
x_train, x_test = (
    tfvae.datasets.binarize(part).reshape(-1, 64) for part in (digits.x_train, digits.x_test)
)
by_hand, by_fit, again = (tfvae.mlp_vae((64,), 2, hidden=(64,), seed=seed) for seed in range(3))
for other in (by_fit, again):  # the third shows how large the noise is
    other.encoder.set_weights(by_hand.encoder.get_weights())
    other.decoder.set_weights(by_hand.decoder.get_weights())


# %%
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
for other in (by_fit, again):
    other.compile(keras.optimizers.Adam(3e-3), jit_compile=False)
    other.fit(x_train, batch_size=100, epochs=epochs, verbose=0)

# %%
terms, q = by_hand.terms(x_test, 1, seed=1), by_hand.encode(x_test)
losses = negative_elbo(x_test, (terms.z[0] - q.mean()) / q.stddev()), tfvae.ELBO()(terms)
losses = [float(tf.reduce_mean(each)) for each in losses]
print("-L of 299 digits by hand {:.4f}, by tfvae.ELBO {:.4f}, same samples".format(*losses))
assert abs(losses[0] - losses[1]) < 1e-3

log_p = [tfvae.evaluation.log_likelihood(v, x_test, 500) for v in (by_hand, by_fit, again)]
for name, each in zip(("by hand", "by fit", "by fit, again"), log_p):
    print(f"NLL {name}: {-each.mean():.3f}, minus that by fit {(log_p[1] - each).mean():.3f}")
    assert abs(each.mean() - log_p[1].mean()) < 0.4
assert 24.5 < -log_p[1].mean() < 26.2  # an independent Bernoulli per pixel gives 27.1

figure, (left, right) = plt.subplots(1, 2, figsize=(11, 5), layout="constrained")
codes = by_fit.encode(x_train).mean().numpy()
points = left.scatter(*codes.T, c=digits.y_train, cmap="tab10", vmin=-0.5, vmax=9.5, s=8)
figure.colorbar(points, ticks=range(10), label="digit, which the model was not told")
left.set(xlabel="mean of q(z|x), z[0]", ylabel="z[1]", title="1,498 digits in the latent plane")
right.imshow(tfvae.plots.grid(by_fit.sample(64, seed=7).numpy().reshape(-1, 8, 8)), cmap="gray")
right.set(xticks=[], yticks=[], title="64 samples of the model, E[x|z]")
figure.savefig("digits.png", dpi=120)
