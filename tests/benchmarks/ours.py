"""tfvae, through its public interface alone."""

import tensorflow as tf

import tfvae
from tests.benchmarks import data
from tests.benchmarks.worker import Work
from tfvae._keras.backend import keras


def fit(shape, grey=False, compile=None):
    """`fit`; a unit is one epoch."""
    vae = model(shape, grey)
    vae.compile(keras.optimizers.Adam(1e-3), **(compile or {}))
    x = data.events(shape, (data.grey if grey else data.binary)(shape.examples))

    def run(epochs):
        vae.fit(x, batch_size=shape.batch, epochs=epochs, verbose=0)

    return work(run, shape.examples)


def log_likelihood(shape):
    """`log_likelihood`; a unit is one call."""
    vae = model(shape)
    x = data.binary(shape.examples)

    def run(calls):
        for seed in range(calls):
            tfvae.evaluation.log_likelihood(vae, x, num_samples=shape.samples, seed=seed)

    return work(run, shape.examples)


def model(shape, grey=False):
    """The untrained model of a shape."""
    likelihood = tfvae.likelihoods.Bernoulli(dynamic_binarization=grey)
    if shape.network == "conv":
        event_shape = (shape.side, shape.side, 1)
        return tfvae.conv_vae(
            event_shape, shape.latent, shape.filters, shape.hidden[0], likelihood=likelihood, seed=0
        )
    objective = tfvae.objectives.IWAE(num_samples=shape.samples) if shape.samples > 1 else None
    return tfvae.mlp_vae(
        (shape.pixels,),
        shape.latent,
        shape.hidden,
        likelihood=likelihood,
        objective=objective,
        seed=0,
    )


def work(run, amount, note=""):
    versions = {
        "tfvae": tfvae.__version__,
        "tensorflow": tf.__version__,
        "keras": keras.__version__,
    }
    return Work(run, amount, device(), versions, note)


def device():
    """The name of the GPU, or "CPU"."""
    gpus = tf.config.list_physical_devices("GPU")
    if not gpus:
        return "CPU"
    return tf.config.experimental.get_device_details(gpus[0]).get("device_name", "GPU")
