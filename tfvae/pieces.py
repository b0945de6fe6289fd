"""The base class of the pieces of a VAE: posteriors, priors and likelihoods.

A piece is a Keras layer only so that Keras tracks its weights and writes them into `.keras`
files. It is never called: its methods take tensors and return TFP distributions, which cannot
pass through a layer's `call`. To write a piece, subclass `posteriors.Posterior`, `priors.Prior`
or `likelihoods.Likelihood`, decorate it with `keras.saving.register_keras_serializable`, and
return the constructor's arguments from `get_config`.
"""

import importlib
import inspect
from collections.abc import Sequence
from typing import Any

import tensorflow as tf

from tfvae._keras.backend import keras
from tfvae.errors import invalid

# The sets in which latents lie. A posterior and a prior over different sets have no rate.
REAL = "real vectors"
SPHERE = "unit vectors"
ONE_HOT = "one-hot vectors"
SIMPLEX = "points of the simplex"
LAYERS = "several layers of real vectors"


class Piece(keras.layers.Layer):
    """A part of the model that makes distributions, with or without weights of its own.

    Attributes:
        unbounded_params: what the numbers of its network's output are, in words, if each may be
            any real number. The model then refuses a network that ends in an activation such as
            sigmoid. None where such a network may be right.
    """

    unbounded_params: str | None = None

    def __init__(self, **kwargs: Any) -> None:
        """Passes `kwargs`, such as `name`, to `keras.layers.Layer`."""
        super().__init__(**kwargs)

    def build(self, shape: Any) -> None:
        """Creates weights for a latent's sizes or an event's shape; see subclasses."""
        del shape
        self.built = True

    def build_once(self, *shape: Any) -> None:
        """Builds this piece if it is not built. A built one is shared, with its weights.

        Args:
            *shape: the arguments of `build`.

        Raises:
            InputError: a piece that is built for another shape, if `kept` differs for the two.
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

    def kept(self, *shape: Any) -> int | tuple[int, ...]:
        """Returns the part of `shape` that `build` keeps.

        Models for which this part is equal may share the piece.
        """
        if type(self).build is Piece.build:
            return ()
        return tuple(tf.nest.flatten(shape))

    # The VAE builds its pieces itself, from its own networks, when it is constructed.
    def get_build_config(self) -> None:
        """Returns None, so that Keras saves no shape for this piece."""
        return None

    def build_from_config(self, config: dict[str, Any]) -> None:
        """Does nothing."""
        pass  # noqa: PIE790

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> "Piece":
        """Makes a piece from the arguments that `get_config` returned, pieces among them."""
        # Keras reads the dtype policy itself, so that it can be written again.
        own = {
            k: keras.saving.deserialize_keras_object(v) for k, v in config.items() if k != "dtype"
        }
        return super().from_config({**config, **own})

    def __repr__(self) -> str:
        """Returns the call that makes an equal piece."""
        arguments = _arguments_of(self)
        return as_call(self, [name for name in self.get_config() if name in arguments])


def as_call(made: Any, names: Sequence[str] | None = None) -> str:
    """Returns the call that makes an equal object, as it would be written in code.

    Args:
        made: an object that keeps the arguments of its constructor under their names. Of Keras'
            schedules among them the settings are written as well.
        names: which arguments to write; by default all, in the order of the constructor.
    """
    names = _arguments_of(made) if names is None else names
    return _call(type(made), {name: getattr(made, name) for name in names if hasattr(made, name)})


def _arguments_of(made):
    return list(inspect.signature(type(made).__init__).parameters)[1:]


def _call(cls, settings):
    written = ", ".join(f"{name}={_as_written(value)}" for name, value in settings.items())
    return f"{cls.__name__}({written})"


def _as_written(value):
    if not isinstance(value, keras.optimizers.schedules.LearningRateSchedule):
        return repr(value)
    try:
        config = value.get_config()
    except NotImplementedError:  # of a user's own, which then is told by its class alone
        config = {}
    return _call(type(value), {k: v for k, v in config.items() if k != "name"})


_BASES = {"Posterior": "posteriors", "Prior": "priors", "Likelihood": "likelihoods"}


def __getattr__(name: str) -> Any:
    """Returns `Posterior`, `Prior` or `Likelihood`, which users may import from here as well.

    Raises:
        AttributeError: any other name.
    """
    if name not in _BASES:
        raise AttributeError(f"module 'tfvae.pieces' has no attribute {name!r}")
    return getattr(importlib.import_module(f"tfvae.{_BASES[name]}.base"), name)
