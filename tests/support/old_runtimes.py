"""Files of many models, and a script that runs them with a runtime of another Python."""

import keras
import numpy as np

import tfvae
from tests.support import zoo
from tfvae.export import Sampler, to_tflite


def _recurrent(cell):
    layers = keras.layers
    encoder = keras.Sequential([keras.Input((4, 3)), cell(6), layers.Dense(4)])
    decoder = [keras.Input((2,)), layers.RepeatVector(4), cell(6, return_sequences=True)]
    decoder = keras.Sequential([*decoder, layers.Dense(3)])
    return tfvae.VAE(encoder, decoder, likelihood=tfvae.likelihoods.Normal(), seed=0)


def _many_layers():
    """Most of Keras' layers and activations in one pair of networks."""
    layers, x, z = keras.layers, keras.Input((8, 8, 1)), keras.Input((4,))
    h = layers.Conv2D(8, 3, padding="same", activation="leaky_relu")(x)
    h = layers.BatchNormalization()(layers.DepthwiseConv2D(3, padding="same")(h))
    h = layers.Concatenate()([layers.MaxPooling2D(2)(h), layers.AveragePooling2D(2)(h)])
    h = layers.SeparableConv2D(8, 3, activation="silu")(layers.ZeroPadding2D()(h))
    h = layers.Concatenate()([layers.GlobalAveragePooling2D()(h), layers.GlobalMaxPooling2D()(h)])
    encoder = keras.Model(x, layers.Dense(8)(layers.Dense(8, activation="elu")(h)))

    h = layers.Reshape((4, 4, 4))(layers.Dense(64, activation="gelu")(z))
    h = layers.UpSampling2D()(layers.PReLU()(h))
    h = layers.Add()([layers.Conv2D(4, 3, padding="same", activation="hard_swish")(h), h])
    flat = layers.LayerNormalization()(layers.Reshape((16, 16))(layers.Permute((2, 1, 3))(h)))
    h = layers.MultiHeadAttention(2, 8)(flat, flat)
    h = layers.UpSampling2D(interpolation="bilinear")(layers.Reshape((4, 4, 16))(h))
    h = layers.Conv2D(4, 3, padding="same", activation="tanh")(h)
    h = layers.Cropping2D(1)(layers.Conv2D(1, 1, activation="relu6")(layers.ZeroPadding2D()(h)))
    decoder = keras.Model(z, layers.Reshape((8, 8, 1))(h))
    return tfvae.VAE(encoder, decoder, likelihood=tfvae.likelihoods.Normal(0.5), seed=0)


# Layers wide enough for the converter to store in 8 bits.
NETWORKS = {
    "mlp": lambda: tfvae.mlp_vae((8, 8, 1), 8, (64,), seed=0),
    "conv": lambda: tfvae.conv_vae((8, 8, 1), 4, (8, 16), seed=0),
    "layers": _many_layers,
}
PIECES = {
    **{
        f"{posterior}_{prior}": lambda posterior=posterior, prior=prior: (
            zoo._pair(posterior, prior).vae
        )
        for posterior, prior in (
            ("full", "mixture"),
            ("iaf", "realnvp"),
            ("planar", "maf"),
            ("realnvp", "vamp"),
            ("sphere", "sphere"),
            ("categorical", "categorical"),
            ("relaxed", "relaxed"),
            ("deterministic", "expost"),
        )
    },
    **{
        name: lambda name=name: zoo._mlp("diagonal", "standard", name, "elbo", None).vae
        for name in zoo.LIKELIHOODS
        if name not in ("bernoulli", "bernoulli_dynamic")
    },
    "hierarchical": lambda: zoo._hierarchical().vae,
    "conditional": lambda: zoo._conditional().vae,
    "lstm": lambda: _recurrent(keras.layers.LSTM),
    "gru": lambda: _recurrent(keras.layers.GRU),
}


def write(folder, name, vae, quantization=None):
    """Writes a model's file with its encoder, and what its signatures give here, as `.npz`."""
    path = folder / f"{name}-{quantization or 'float32'}.tflite"
    y = None if vae.condition_shape is None else np.zeros((1,), np.int32)
    x = np.asarray(vae.sample(32, seed=3, y=None if y is None else np.repeat(y, 32)))
    data = {} if quantization is None else {"data": np.round(x)}
    to_tflite(vae, path, quantization, include_encoder=True, **data)

    sampler, found = Sampler(path), {}
    for signature in ("sample", "draw", "reconstruct"):
        if signature == "reconstruct":
            found["reconstruct/in/x"] = x[:1]
            found["reconstruct/out/x"] = sampler.reconstruct(x[:1], y=y)
            continue
        made, latent = sampler.sample(1, 7, 5, y, draw=signature == "draw", return_latent=True)
        found[f"{signature}/in/seed"] = np.array([7], np.int32)
        found[f"{signature}/in/index"] = np.array([5], np.int32)
        found[f"{signature}/out/x"] = made
        for port, z in _named(latent):
            found[f"{signature}/out/{port}"] = z
    if y is not None:
        found.update({f"{name}/in/y": y for name in ("sample", "draw", "reconstruct")})
    np.savez(path.with_suffix(".npz"), **found)
    return path


def _named(latent):
    if not isinstance(latent, list):
        return [("z", latent)]
    return [(f"z_{i}", z) for i, z in enumerate(latent)]


# Runs in another Python, with nothing but NumPy and a runtime. A line of JSON for each file.
RUNNER = """
import glob, json, sys
import numpy as np
try:
    from ai_edge_litert.interpreter import Interpreter
except ImportError:
    try:
        from tflite_runtime.interpreter import Interpreter
    except ImportError:
        import tensorflow
        Interpreter = tensorflow.lite.Interpreter
for path in sorted(glob.glob(sys.argv[1] + "/*.tflite")):
    told, name = np.load(path[:-7] + ".npz"), path.replace("\\\\", "/").split("/")[-1][:-7]
    try:
        interpreter, worst = Interpreter(model_path=path), {}
        for signature in {key.split("/")[0] for key in told}:
            sides = {"in": {}, "out": {}}
            for key in told:
                owner, side, port = key.split("/")
                if owner == signature:
                    sides[side][port] = told[key]
            found = interpreter.get_signature_runner(signature)(**sides["in"])
            for port, array in sides["out"].items():
                error = float(np.abs(found[port] - array).max() / max(1.0, np.abs(array).max()))
                worst[signature + "." + port] = error
        print(json.dumps([name, worst]))
    except Exception as error:
        print(json.dumps([name, str(error)[:300]]))
"""
