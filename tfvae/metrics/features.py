"""Features of examples, in which samples are compared with data.

They come from a network that is passed, from a small classifier that is trained on labels, or from
a random projection. `Features.description` says which, for a report.

References:
    Bingham & Mannila, Random projection in dimensionality reduction. KDD 2001.
"""

import dataclasses
import math
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import numpy.typing as npt

from tfvae.datasets import Dataset
from tfvae.errors import InputTypeError, invalid
from tfvae.validation import arguments

_PAGE = 512  # examples that go through a network at once
_SIZE = 64  # features
_BATCH = 128
_STEPS = 1000
_LEARNING_RATE = 1e-3
_CONV_FROM = 8  # images of at least so many pixels a side get convolutions


@dataclasses.dataclass(frozen=True)
class Features:
    """Maps examples to features.

    Attributes:
        network: a function of a batch `[B, *event]` that returns features `[B, ...]`, such as a
            Keras model.
        description: what it is, in words for a report.
    """

    network: Callable[[np.ndarray], Any]
    description: str = "the outputs of a network that was passed"

    def __post_init__(self) -> None:
        """Checks that there is something to call.

        Raises:
            InputTypeError: no function.
        """
        if not callable(self.network):
            fix = "pass a Keras model, or a function of a batch"
            received = type(self.network).__name__
            raise invalid("a network for features", received, fix, InputTypeError)

    def __call__(self, x: npt.ArrayLike) -> np.ndarray:
        """Returns the features of examples `[N, *event]`, float64 `[N, F]`.

        Raises:
            InputError: no examples.
        """
        x = np.asarray(x, np.float32)
        if x.ndim < 1 or not len(x):
            raise invalid("examples [N, *event]", f"shape {list(x.shape)}", "give some examples")
        pages = [np.asarray(self.network(x[rows]), np.float64) for rows in _pages(len(x))]
        return np.concatenate([page.reshape(len(page), -1) for page in pages])


def features_for(data: "Dataset | npt.ArrayLike", seed: int = 0) -> Features:
    """Returns the features to use where none are named.

    Args:
        data: a `Dataset`, or examples `[N, *event]`.
        seed: seed of the classifier or of the projection.

    Returns:
        Those of a classifier trained on the data's labels, if there are classes among them; else
        a random projection.
    """
    if isinstance(data, Dataset) and data.y_train is not None and _are_classes(data.y_train):
        held_out = None if data.y_test is None else (data.x_test, data.y_test)
        return classifier_features(data.x_train, data.y_train, seed, held_out=held_out)
    shape = data.event_shape if isinstance(data, Dataset) else np.shape(data)[1:]
    return projection_features(shape, seed=seed)


def _are_classes(y):
    """Returns True for whole numbers that say of each example which of several classes it is."""
    if y.ndim != 1 or y.dtype.kind not in "iu":
        return False
    return 2 <= len(np.unique(y)) <= len(y) // 2


def projection_features(event_shape: tuple[int, ...], size: int = _SIZE, seed: int = 0) -> Features:
    """Returns a random linear projection, which keeps distances about as they are.

    Args:
        event_shape: the shape of one example.
        size: how many features, F; at most as many as an example has numbers.
        seed: seed of the projection.

    Raises:
        InputError: a size or seed out of range.
    """
    seed, inputs = arguments.seed("seed", seed), math.prod(event_shape)
    size = min(arguments.whole_number("size", size, 1), inputs)
    weights = np.random.default_rng(seed).normal(size=(inputs, size)) / math.sqrt(size)
    description = f"{size} random projections of the values, seed {seed}"
    return Features(lambda x: x.reshape(len(x), -1) @ weights, description)


def classifier_features(
    x: npt.ArrayLike,
    y: npt.ArrayLike,
    seed: int = 0,
    steps: int = _STEPS,
    held_out: tuple[npt.ArrayLike, npt.ArrayLike] | None = None,
) -> Features:
    """Trains a small classifier, and returns its last hidden layer of 64 features.

    Images of 8 pixels a side or more get two convolutions, all else two dense layers. The features
    are centred, and divided by one number so that their variances over x are 1 in the mean. The
    same seed and data give the same network on one machine; no global generator is used.

    Args:
        x: examples `[N, *event]`.
        y: labels `[N]`, whole numbers or texts.
        seed: seed of the weights and of the order of examples.
        steps: steps of training, of 128 examples each.
        held_out: examples and labels to tell the accuracy on, for the description.

    Raises:
        InputError: no label for each example, or fewer than two classes.
    """
    seed, steps = arguments.seed("seed", seed), arguments.whole_number("steps", steps, 1)
    x, y = np.asarray(x, np.float32), np.asarray(y)
    names, classes = _classes(x, y)
    scale = float(x.mean()), float(x.std()) or 1.0
    classifier, hidden = _networks(x.shape[1:], len(names), scale, seed)
    _train(classifier, x, classes, seed, steps)

    described = f"{_SIZE} features of a classifier trained on the data's {len(names)} classes"
    if held_out is not None:
        share = np.mean(names[_predicted(classifier, held_out[0])] == np.asarray(held_out[1]))
        described += f", {share:.1%} right on held-out examples"
    return Features(_standardized(_applied(hidden), x), f"{described}, seed {seed}")


def _classes(x, y):
    """Returns the labels there are, and for each example the number of its own."""
    if y.ndim != 1 or len(y) != len(x):
        received = f"labels of shape {list(y.shape)} for {len(x)} examples"
        raise invalid("one label for each example", received, "pass y of shape [N]")
    names, classes = np.unique(y, return_inverse=True)
    if len(names) < 2:
        raise invalid("at least two classes", f"{len(names)}", "use projection_features")
    return names, classes


def _networks(shape, classes, scale, seed):
    """Returns a classifier, and the network up to its last hidden layer."""
    from tfvae._keras.backend import keras

    layers, seeds = keras.layers, iter(range(seed, seed + 9))

    def initial():
        return keras.initializers.GlorotUniform(seed=next(seeds))

    mean, deviation = scale
    inputs = keras.Input(shape)
    h = layers.Rescaling(1 / deviation, -mean / deviation)(inputs)
    if len(shape) == 3 and min(shape[:2]) >= _CONV_FROM:
        for filters in (32, 64):
            h = layers.Conv2D(
                filters, 3, 2, "same", activation="relu", kernel_initializer=initial()
            )(h)
    h = layers.Flatten()(h)
    for width in (2 * _SIZE, _SIZE):
        h = layers.Dense(width, "relu", kernel_initializer=initial())(h)
    logits = layers.Dense(classes, kernel_initializer=initial())(h)
    return keras.Model(inputs, logits), keras.Model(inputs, h)


def _train(classifier, x, classes, seed, steps):
    from tfvae._keras.backend import keras

    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    rate = keras.optimizers.schedules.CosineDecay(_LEARNING_RATE, steps)
    classifier.compile(keras.optimizers.Adam(rate), loss, jit_compile=False)
    generator = np.random.default_rng(seed)
    for rows in _batches(len(x), steps, generator):
        classifier.train_on_batch(x[rows], classes[rows])


def _batches(count, steps, generator) -> Iterator[np.ndarray]:
    """Yields the numbers of the examples of each step, each example once in an epoch."""
    size = min(_BATCH, count)
    order, first = generator.permutation(count), 0
    for _ in range(steps):
        if first + size > count:
            order, first = generator.permutation(count), 0
        yield order[first : first + size]
        first += size


def _predicted(classifier, x):
    """Returns for each example the number of its most likely class."""
    return Features(_applied(classifier))(x).argmax(axis=1)


def _standardized(network, x):
    """Returns a network whose features have mean 0 and in the mean variance 1 over examples."""
    found = Features(network)(x)
    mean, scale = found.mean(axis=0), math.sqrt(found.var(axis=0).mean()) or 1.0
    return lambda batch: (np.asarray(network(batch), np.float64) - mean) / scale


def _applied(network):
    """Returns a Keras model as a function of a batch, as at inference."""
    return lambda x: network(x, training=False)


def _pages(count) -> Iterator[slice]:
    for first in range(0, count, _PAGE):
        yield slice(first, first + _PAGE)
