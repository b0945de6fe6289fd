"""The functions that an exported file holds, built once for SavedModel and TFLite.

Every input and output is float32 or int32 and has at least one dimension: that is all
that Kotlin, Swift and JavaScript share.
"""

import tensorflow as tf

from tfvae import random


def build(vae, batch=None, encoder=True):
    """The signatures for one batch size, or for any where `batch` is None.

    Returns:
        `{name: (function, [tf.TensorSpec, ...])}`. `sample` draws the samples
        `index ... index + batch - 1`; with a dynamic batch its `index [B]` lists them.
    """
    found = {"decode": _decode(vae, batch), "sample": _sample(vae, batch)}
    if encoder:
        found.update({"encode": _encode(vae, batch), "reconstruct": _reconstruct(vae, batch)})
    return {name: (_positional(function, specs), specs) for name, (function, specs) in found.items()}


def _decode(vae, batch):
    def decode(inputs):
        z = _latent(vae, inputs)
        return {"x": vae.likelihood.mean(vae.decode_batch(z, inputs.get("y"), training=False))}

    return decode, [*_latent_specs(vae, batch), *_condition_specs(vae, batch)]


def _sample(vae, batch):
    def sample(inputs):
        indices = inputs["index"] if batch is None else inputs["index"] + tf.range(batch)
        noise = random.Stream(random.seed_key(inputs["seed"]), indices)
        z, x = vae.generate(noise, inputs.get("y"))
        return {"x": x, **_latent_outputs(z)}

    specs = [tf.TensorSpec([1], tf.int32, "seed"), tf.TensorSpec([batch if batch is None else 1], tf.int32, "index")]
    return sample, [*specs, *_condition_specs(vae, batch)]


def _encode(vae, batch):
    def encode(inputs):
        return vae.posterior.summary(vae.encoder_params(inputs["x"], inputs.get("y"), training=False))

    return encode, _event_specs(vae, batch)


def _reconstruct(vae, batch):
    def reconstruct(inputs):
        return {"x": vae.reconstruct(inputs["x"], inputs.get("y"))}

    return reconstruct, _event_specs(vae, batch)


def _positional(function, specs):
    """`function` of a dictionary, as the function of positional tensors that tracing wants."""

    def positional(*tensors):
        return function(dict(zip((spec.name for spec in specs), tensors)))

    return positional


def _event_specs(vae, batch):
    return [tf.TensorSpec([batch, *vae.event_shape], tf.float32, "x"), *_condition_specs(vae, batch)]


def _condition_specs(vae, batch):
    if vae.condition_shape is None:
        return []
    dtype = tf.int32 if tf.as_dtype(vae.condition_dtype).is_integer else tf.float32
    return [tf.TensorSpec([batch, *vae.condition_shape], dtype, "y")]


def latent_names(vae):
    """`z`, or `z_0`, `z_1`, ... for a latent of several layers."""
    sizes = tf.nest.flatten(vae.latent_dim)
    return ["z"] if len(sizes) == 1 else [f"z_{i}" for i in range(len(sizes))]


def _latent_specs(vae, batch):
    sizes = tf.nest.flatten(vae.latent_dim)
    return [tf.TensorSpec([batch, size], tf.float32, name) for name, size in zip(latent_names(vae), sizes)]


def _latent(vae, inputs):
    return tf.nest.pack_sequence_as(vae.latent_dim, [inputs[name] for name in latent_names(vae)])


def _latent_outputs(z):
    parts = tf.nest.flatten(z)
    return {"z" if len(parts) == 1 else f"z_{i}": part for i, part in enumerate(parts)}
