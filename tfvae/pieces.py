"""The base of what a VAE is composed of: posteriors, priors and likelihoods.

A piece is a Keras layer only so that Keras tracks its weights and writes them into
`.keras` files. It is never called: its methods take tensors and return TFP
distributions, which cannot pass through a layer's `call`. To write one, subclass
`posteriors.Posterior`, `priors.Prior` or `likelihoods.Likelihood`, decorate it with
`keras.saving.register_keras_serializable`, and return constructor arguments from
`get_config`.
"""

import importlib
import inspect

import tensorflow as tf

from tfvae._keras.backend import keras
from tfvae.errors import invalid

# Where latents lie. A posterior and a prior over different sets have no rate.
REAL = "real vectors"
SPHERE = "unit vectors"
ONE_HOT = "one-hot vectors"
SIMPLEX = "points of the simplex"
LAYERS = "several layers of real vectors"


class Piece(keras.layers.Layer):
    """A part of the model that makes distributions, with or without weights of its own."""

    def __init__(self, **kwargs):
        super().__init__(**kwargs)

    def build(self, shape):
        """Creates weights. `shape` is the latent structure's or the event's, see subclasses."""
        del shape
        self.built = True

    def build_once(self, *shape):
        """Builds this piece, unless it is built for such a `shape`: then it is shared, with its weights.

        Raises:
            InputError: a piece that is built for another shape, of which it keeps something.
        """
        if not self.built:
            self._shape = shape
            self.build(*shape)
            return
        first = getattr(self, "_shape", shape)
        if self.kept(*first) != self.kept(*shape):
            raise invalid(
                f"a model of the size {self!r} is built for, {first}",
                f"{shape}",
                "make a new one for each",
            )

    def kept(self, *shape):
        """What `build` keeps of `shape`: models that are equal in it may share this piece."""
        if type(self).build is Piece.build:
            return ()
        return tuple(tf.nest.flatten(shape))

    # The VAE builds its pieces itself, from its own networks, when it is constructed.
    def get_build_config(self):
        return None

    def build_from_config(self, config):
        pass

    @classmethod
    def from_config(cls, config):
        # Keras reads its own entry, the dtype policy, in a way that can be written again.
        own = {
            k: keras.saving.deserialize_keras_object(v) for k, v in config.items() if k != "dtype"
        }
        return super().from_config({**config, **own})

    def __repr__(self):
        arguments = inspect.signature(type(self).__init__).parameters
        settings = ", ".join(
            f"{k}={getattr(self, k)!r}" for k in self.get_config() if k in arguments
        )
        return f"{type(self).__name__}({settings})"


_BASES = {"Posterior": "posteriors", "Prior": "priors", "Likelihood": "likelihoods"}


def __getattr__(name):
    """Gives the bases under this module's name as well."""
    if name not in _BASES:
        raise AttributeError(f"module 'tfvae.pieces' has no attribute {name!r}")
    return getattr(importlib.import_module(f"tfvae.{_BASES[name]}.base"), name)
