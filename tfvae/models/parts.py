"""What the builders of models share: layers in order, and a condition that joins them."""

import itertools
import math
from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING, Any

from tfvae._keras.backend import keras
from tfvae.models import defaults
from tfvae.validation import arguments, piece_arguments

if TYPE_CHECKING:
    from typing import TypedDict

    import tensorflow as tf

    from tfvae.gradients import Estimator
    from tfvae.likelihoods import Likelihood
    from tfvae.objectives import Objective
    from tfvae.posteriors import Posterior
    from tfvae.priors import Prior

    Step = Callable[[tf.Tensor], Any]

    # The `**kwargs` of the builders, so that editors complete them.
    class Rest(TypedDict, total=False):
        """Further arguments of `VAE`."""

        objective: Objective | None
        estimator: Estimator | None
        seed: int | None
        name: str | None
        trainable: bool
        dtype: Any

    class RestWithPrior(Rest, total=False):
        """Further arguments of `VAE`, the prior among them."""

        prior: Prior | None


layers = keras.layers


def network(
    name: str | None,
    input_shape: tuple[int, ...],
    condition: "int | Sequence[int] | None",
    before: "Sequence[Step]",
    after: "Sequence[Step]",
) -> "keras.Model":
    """Returns a Keras model of layers before and after the point where the condition joins.

    Args:
        name: name of the model, or None.
        input_shape: shape of one example or latent.
        condition: number of classes, shape of real-valued conditions, or None.
        before: layers that see the input alone.
        after: layers that see what comes out of them, and the condition.
    """
    x = keras.Input(input_shape)
    hidden = chain(x, before)
    if condition is None:
        return keras.Model(x, chain(hidden, after), name=name)

    condition = arguments.sizes("condition", condition)
    y = keras.Input((), dtype="int32") if isinstance(condition, int) else keras.Input(condition)
    # One-hot vectors of labels by a lookup: the converter's int8 gets the one-hot op wrong.
    lookup = {"embeddings_initializer": "identity", "trainable": False, "name": "label"}
    encoding = (
        layers.Embedding(condition, condition, **lookup)
        if isinstance(condition, int)
        else layers.Flatten()
    )
    joined = layers.concatenate([hidden, encoding(y)])
    return keras.Model([x, y], chain(joined, after), name=name)


def pieces(
    posterior: "Posterior | None", likelihood: "Likelihood | None"
) -> "tuple[Posterior, Likelihood]":
    """Returns the pieces that set the sizes of networks, or the defaults.

    Args:
        posterior: q(z|x), or None.
        likelihood: p(x|z), or None.

    Raises:
        InputTypeError: anything else.
    """
    piece_arguments.check(posterior=posterior, likelihood=likelihood)
    return posterior or defaults.posterior(), likelihood or defaults.likelihood()


def chain(x: "tf.Tensor", steps: "Sequence[Step]") -> Any:
    """Applies layers one after another.

    Args:
        x: the input.
        steps: the layers, or functions.
    """
    for step in steps:
        x = step(x)
    return x


def halvings(size: int, most: int) -> int:
    """Returns how often a size is halved, rounded up, until it is at most another; once at least.

    Args:
        size: pixels or time steps.
        most: what is to be left of them at most.
    """
    return max(1, math.ceil(math.log2(size / most)))


def alternating(first: "Sequence[Step]", second: "Sequence[Step]") -> "list[Step]":
    """Returns layers in turn, one of each list, and what is left of the longer one.

    Args:
        first: layers, of which the first comes first.
        second: layers to go between them.
    """
    found: list[Any] = []
    for pair in itertools.zip_longest(first, second):
        found += [layer for layer in pair if layer is not None]
    return found


def dense(widths: "Iterable[int]", activation: Any) -> "list[keras.Layer]":
    """Returns fully connected layers.

    Args:
        widths: the widths of the layers.
        activation: their activation.
    """
    return [layers.Dense(width, activation) for width in widths]


def sizes(
    event_shape: Any, latent_dims: Any, widths: Any, may_be_linear: bool = False
) -> tuple[tuple[int, ...], ...]:
    """Returns the arguments of a builder as tuples of Python's integers.

    Args:
        event_shape: shape of one example, or its length.
        latent_dims: sizes of the latents.
        widths: widths of the layers.
        may_be_linear: True if there may be no hidden layer.

    Raises:
        InputTypeError: a size that is not a whole number from 1.
    """
    event_shape = event_shape if hasattr(event_shape, "__len__") else (event_shape,)
    named = [("event_shape", event_shape), ("latent_dim", latent_dims)]
    if may_be_linear and hasattr(widths, "__len__") and not len(widths):
        return *_checked(named), ()
    return _checked([*named, ("layer sizes", widths)])


def _checked(named):
    return tuple(
        arguments.sizes(name, tuple(arguments.listed(name, values))) for name, values in named
    )
