"""A refusal names the ops and the layers that use them first, and the converter's place last."""

import keras
import numpy as np
import pytest
import tensorflow as tf

import tfvae
from tests.conftest import matches
from tfvae._keras import op_watch
from tfvae.export import layer_losses, quantize, refused_ops, signatures, tflite


class Gamma(keras.layers.Layer):
    def call(self, z):
        return tf.math.igamma(tf.exp(z), tf.exp(z))


class Noise(keras.layers.Layer):
    def call(self, z):
        return z + tf.random.normal(tf.shape(z))


class Counting(keras.layers.Layer):
    def build(self, shape):
        self.count = self.add_weight(shape=(1,), trainable=False)

    def call(self, z):
        self.count.assign_add([1.0])
        return z + self.count


class Block(keras.layers.Layer):
    def __init__(self, **options):
        super().__init__(**options)
        self.inner, self.odd = keras.layers.Dense(3, name="inner"), Gamma(name="odd")

    def call(self, z):
        return self.odd(self.inner(z))


class Network(keras.Model):
    """A subclassed network, with a functional one within it."""

    def __init__(self, **options):
        super().__init__(**options)
        z = keras.Input((2,))
        wide = keras.layers.Dense(8, name="wide")(z)
        self.body = keras.Model(z, keras.layers.Dense(6, name="narrow")(wide), name="body")
        self.head = keras.layers.Dense(4, name="head")

    def call(self, z):
        return self.head(self.body(z))


def vae_of(*layers):
    encoder = keras.Sequential([keras.Input((4,)), keras.layers.Dense(4)])
    decoder = keras.Sequential([keras.Input((2,)), *layers, keras.layers.Dense(4)], name="decoder")
    return tfvae.VAE(encoder, decoder, seed=0)


def only(vae, *names):
    """Parts of a model, for a conversion that is soon over."""
    parts = signatures.parts(vae, 1, encoder=False)
    return {name: parts[name] for name in names}


def test_the_op_and_its_layer_come_first_and_the_place_last():
    vae = vae_of(Block(name="block"))
    with pytest.raises(ValueError, match=matches("Igamma")) as raised:
        quantize.convert_parts(vae, only(vae, "decoder"), None, {})
    message = str(raised.value)
    assert "Received: Igamma, used by layer 'odd' (Gamma) in 'decoder/block'. Fix" in message
    assert "loc(" not in message and "fused" not in message
    assert message.index("the converter's location") > message.index("Fix")


@pytest.mark.parametrize(
    ("layer", "op"), [(Noise(name="noise"), "RANDOM_"), (Counting(name="n"), "ASSIGN_VARIABLE")]
)
def test_ops_with_a_state_are_refused_with_their_layer(layer, op):
    vae = vae_of(layer)
    parts = only(vae, "decoder")
    (model,) = quantize.convert_parts(vae, parts, None, {}).values()
    words = matches(f"{op}\\w*, used by layer {layer.name!r} \\({type(layer).__name__}\\)")
    with pytest.raises(ValueError, match=words):
        tflite.check_operators(model, parts)


def test_pieces_are_named_like_layers():
    class Erfc(tfvae.likelihoods.Bernoulli):
        def mean(self, params):
            return tf.math.erfc(params)

    networks = vae_of()
    vae = tfvae.VAE(networks.encoder, networks.decoder, likelihood=Erfc(name="mine"), seed=0)
    words = refused_ops.described(["Erfc", "Qr"], only(vae, "decoder", "mean"))
    assert words == "Erfc, used by layer 'mine' (Erfc); Qr"


def test_many_users_are_counted_and_each_is_named_once():
    layers = [Gamma(name=f"g{i}") for i in range(6)]
    vae = vae_of(*layers, layers[0])
    words = refused_ops.described(["Igamma"], only(vae, "decoder"))
    assert words.count("(Gamma)") == 4 and words.endswith(" and 2 more")


@pytest.mark.parametrize(
    ("words", "received"),
    [
        ("one\ntwo", "Received: one. Fix: replace the op named here"),
        ("", "Received: RuntimeError. "),
        ("x\nFlex ops: Igamma, Qr\nCustom ops: Mine\n", "Received: Igamma; Mine; Qr. "),
    ],
)
def test_the_converters_words_are_read(words, received):
    assert received in str(refused_ops.refusal(RuntimeError(words), {}))


def test_a_function_that_cannot_be_traced_names_nobody():
    def function(z):
        return tf.math.igamma(z, z) if z > 0 else z  # a choice that needs AutoGraph

    assert op_watch.makers(function, [tf.TensorSpec([])], ["Igamma"]) == {}


# Whose weights lose most


@pytest.mark.parametrize("layer", ["body/wide", "body/narrow", "head"])
def test_the_layer_that_loses_most_is_found_in_any_network(layer):
    network = Network(name="network")
    encoder = keras.Sequential([keras.Input((4,)), keras.layers.Dense(4)])
    network(np.zeros((1, 2), np.float32))
    normal = tfvae.likelihoods.Normal()
    vae = tfvae.VAE(encoder, network, likelihood=normal, latent_dim=2, seed=0)
    (weight,) = (w for w in network.weights if w.path.endswith(f"{layer.split('/')[-1]}/kernel"))
    values = np.array(weight.value)
    values[0, 0] = 60.0  # in steps of 60 / 127, of which the other weights are a few
    weight.assign(values)
    assert f"{layer!r} (mean squared" in layer_losses.worst_layer(vae)


def test_the_encoder_is_searched_where_it_is_measured():
    vae = vae_of()
    dense = vae.encoder.layers[-1]
    kernel, bias = dense.get_weights()
    kernel[0] = 60.0
    dense.set_weights([kernel, bias])
    x = np.random.default_rng(0).integers(0, 2, (8, 4)).astype(np.float32)
    assert f"most is {dense.name!r}" in layer_losses.worst_layer(vae, "int8", (x, None))
    assert f"most is {vae.decoder.layers[-1].name!r}" in layer_losses.worst_layer(vae)


def test_a_loss_that_no_weight_explains_names_no_layer():
    vae = vae_of()  # its arrays are too small to be halved
    assert "no layer's weights" in layer_losses.worst_layer(vae, "float16")
