"""The likelihood of rows whose columns are of several kinds."""

import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import tensorflow as tf

from tfvae._keras.backend import keras, register
from tfvae.distributions.blocks import Blocks
from tfvae.errors import InputTypeError, invalid
from tfvae.likelihoods import side_by_side
from tfvae.likelihoods.base import Likelihood
from tfvae.ops import networks
from tfvae.ops.layout import Layout
from tfvae.validation import arguments

if TYPE_CHECKING:
    from tfvae.random import Stream


@register
class Columns(Likelihood):
    """p(x|z) = prod_c p_c(x_c|z): each column of a table has a likelihood of its own.

    A column takes one or several elements of the last axis; a category of n values is a one-hot
    vector of n elements:

        Columns(
            [Normal(learn_scale=True), Bernoulli(), Categorical()],
            widths=[1, 1, 4],
            names=["age", "smokes", "job"],
        )

    `Observed` around a column's likelihood allows missing cells (NaN) there. `tfvae.table_vae`
    chooses the likelihoods by the data. Columns of one kind are computed side by side, so that a
    program of many columns compiles about as fast as one of a few.

    Args:
        likelihoods: one for each column.
        widths: elements of each column; default 1 each.
        names: names of the columns; default "0", "1", and so on.
        labels: by the name of a column, what the elements of its one-hot vectors, or the 0 and 1
            of a binary column, stand for. They go into the exported file's sidecar.

    Raises:
        InputTypeError: anything but likelihoods, or a width that is not a whole number from 1.
        InputError: lists of different lengths, names twice, or labels of no column. When a model
            is built: widths that do not add up to the last axis, or a likelihood that takes more
            than the last axis.
    """

    support = "in each column what its likelihood models"

    def __init__(
        self,
        likelihoods: Sequence[Likelihood],
        widths: Sequence[int] | None = None,
        names: Sequence[str] | None = None,
        labels: Mapping[str, Sequence[str]] | None = None,
        **kwargs: Any,
    ) -> None:
        """Checks the columns; see the class for the arguments."""
        super().__init__(**kwargs)
        self.likelihoods = _likelihoods(likelihoods)
        count = len(self.likelihoods)
        self.widths = list(_of_each("widths", widths, [1] * count))
        arguments.sizes("widths", self.widths)
        self.names = _of_each("names", names, [str(i) for i in range(count)])
        self.labels = _labels({} if labels is None else labels)
        if len(set(self.names)) < count or not set(self.labels) <= set(self.names):
            received = f"names={self.names}, labels of {list(self.labels)}"
            raise invalid("different names, and labels by name", received, "rename the columns")

        self.discrete = all(part.discrete for part in self.likelihoods)
        unbounded = [part.unbounded_params for part in self.likelihoods]
        self.unbounded_params = next(filter(None, unbounded), None)

    def build(self, event_shape: tuple[int, ...]) -> None:
        """Builds the likelihoods of the columns.

        Raises:
            InputError: widths that do not add up to the last axis, or a likelihood that takes
                more than the last axis.
        """
        if sum(self.widths) != event_shape[-1]:
            raise invalid(
                f"events whose last axis has the {sum(self.widths)} elements of all columns",
                f"events of shape {tuple(event_shape)}",
                "give widths=, with the number of categories where a column is one-hot",
            )

        self._params_widths = []
        for part, event in zip(self.likelihoods, self._events(event_shape)):
            shape = part.params_shape(event)
            if shape[:-1] != event[:-1]:
                fix = "use a likelihood whose parameters lie along the last axis"
                raise invalid("parameters along the last axis, for Columns", repr(part), fix)
            part.build_once(event)
            self._params_widths.append(shape[-1])
        self._event_shape = tuple(event_shape)
        sizes = list(zip(self.widths, self._params_widths))
        self._groups = side_by_side.groups(self.likelihoods, sizes)
        self._layout = Layout(self.widths, self._groups)
        self._params_layout = Layout(self._params_widths, self._groups)
        self.built = True

    def params_shape(self, event_shape: Sequence[int]) -> tuple[int, ...]:
        """Returns the event's shape, with the parameters of all columns along the last axis."""
        events = self._events(event_shape)
        widths = [part.params_shape(e)[-1] for part, e in zip(self.likelihoods, events)]
        return (*event_shape[:-1], sum(widths))

    def distribution(self, params: tf.Tensor) -> Blocks:
        """Returns the independent distributions of the columns."""
        pairs = zip(self._joined_parts(), self._params_layout.split(params))
        return self._blocks([part.distribution(own) for part, own in pairs])

    def training_distribution(
        self, params: tf.Tensor, x: tf.Tensor, example_weights: tf.Tensor | None = None
    ) -> Blocks:
        """Returns the distributions of the columns as the training step uses them.

        Args:
            params: the decoder's output, `[K, B, *params_shape]`.
            x: the batch, `[B, *event]`.
            example_weights: `[B]`, or None if all examples count 1.
        """
        triples = zip(
            self._joined_parts(), self._params_layout.split(params), self._layout.split(x)
        )
        return self._blocks([networks.fitted(*triple, example_weights) for triple in triples])

    @property
    def updates_state_in_training(self) -> bool:
        """True if a column fits a number to each batch."""
        return any(part.updates_state_in_training for part in self.likelihoods)

    def encoder_input(self, x: tf.Tensor) -> tf.Tensor:
        """Returns each column in the form its likelihood shows to the encoder."""
        return self._joined(lambda part, own: part.encoder_input(own), x)

    def dimensions(self, event_shape: Sequence[int]) -> int:
        """Returns the sum over the columns; a one-hot vector is one."""
        events = self._events(event_shape)
        return sum(part.dimensions(event) for part, event in zip(self.likelihoods, events))

    def mean(self, params: tf.Tensor) -> tf.Tensor:
        """Computes the mean of each column; of a category, the probabilities."""
        pairs = zip(self._joined_parts(), self._params_layout.split(params))
        return self._layout.joined([part.mean(own) for part, own in pairs])

    def draw(self, params: tf.Tensor, noise: "Stream") -> tf.Tensor:
        """Draws each column from a stream of its own.

        Args:
            params: the decoder's output, `[B, *params_shape]`.
            noise: noise of B samples.
        """
        rows = math.prod(self._event_shape[:-1])
        streams = noise.side_by_side(range(len(self.likelihoods)), rows)
        of_groups = [streams.of(group) for group in self._groups]
        triples = zip(self._joined_parts(), self._params_layout.split(params), of_groups)
        return self._layout.joined([part.draw(own, stream) for part, own, stream in triples])

    def in_support(self, x: np.ndarray | tf.Tensor) -> np.ndarray | tf.Tensor:
        """Returns which elements their columns' likelihoods can model."""
        return self._joined(lambda part, own: part.in_support(own), x)

    def prepare_for_training(self, x: np.ndarray | tf.Tensor, seed: tf.Tensor) -> tf.Tensor:
        """Returns x as the columns' likelihoods prepare it.

        Args:
            x: a batch, `[B, *event]`.
            seed: int32 `[2]`, for likelihoods that randomize their data.
        """
        blocks = self._layout.split(tf.convert_to_tensor(x))
        # One that draws is alone in its group, so that the noise is that of its column.
        firsts = [group[0] for group in self._groups]
        triples = zip(firsts, self._joined_parts(), blocks)
        prepared = [
            part.prepare_for_training(own, tf.random.fold_in(seed, i)) for i, part, own in triples
        ]
        return self._layout.joined(prepared)

    def prepare_for_evaluation(self, x: np.ndarray) -> tuple[np.ndarray, str | None]:
        """Returns x as the columns' likelihoods prepare it for evaluation, and their notes."""
        found, notes = [], []
        for part, own, name in zip(self.likelihoods, self.split(x), self.names):
            prepared, note = part.prepare_for_evaluation(own)
            found.append(prepared)
            if note:
                notes.append(f"{name}: {note}")
        return np.concatenate(found, axis=-1), "; ".join(notes) or None

    def fix_hint(self, x: np.ndarray) -> str:
        """Returns the hint of the first column with values outside its support, with its name."""
        for part, own, name in zip(self.likelihoods, self.split(x), self.names):
            if not np.all(part.in_support(own)):
                return f"in the column {name!r}, which takes {part.support}: {part.fix_hint(own)}"
        return super().fix_hint(x)

    def split(self, x: np.ndarray | tf.Tensor) -> list[np.ndarray | tf.Tensor]:
        """Returns the elements of each column, `[..., width]` for x `[..., E]`."""
        if tf.is_tensor(x):
            return tf.split(x, self.widths, axis=-1)
        return np.split(np.asarray(x), np.cumsum(self.widths)[:-1], axis=-1)

    def get_config(self) -> dict[str, Any]:
        """Returns the arguments that make an equal piece, the likelihoods serialized."""
        parts = [keras.saving.serialize_keras_object(part) for part in self.likelihoods]
        own = {"widths": self.widths, "names": self.names, "labels": self.labels}
        return {**super().get_config(), "likelihoods": parts, **own}

    def _joined(self, function, x):
        """Returns what a function makes of each column, side by side."""
        if tf.is_tensor(x):
            pairs = zip(self._joined_parts(), self._layout.split(x))
            return self._layout.joined([function(*pair) for pair in pairs])
        parts = [function(*pair) for pair in zip(self.likelihoods, self.split(x))]
        return np.concatenate(parts, axis=-1)

    def _joined_parts(self):
        """Returns a likelihood for each group of columns of one kind."""
        of_groups = [[self.likelihoods[i] for i in group] for group in self._groups]
        return [side_by_side.joined(parts) for parts in of_groups]

    def _blocks(self, distributions):
        return Blocks(distributions, self._layout, self._event_shape)

    def _events(self, event_shape):
        return [(*event_shape[:-1], width) for width in self.widths]


def _likelihoods(values):
    values = list(values) if isinstance(values, (list, tuple)) else []
    if not values or not all(isinstance(value, Likelihood) for value in values):
        fix = "pass Columns([Normal(), Bernoulli()])"
        raise invalid(
            "a list of likelihoods, one for each column", repr(values), fix, InputTypeError
        )
    return values


def _labels(values):
    """Returns the labels of columns by their names, as lists."""
    if not isinstance(values, Mapping):
        fix = "pass labels={'colour': ['red', 'blue']}"
        raise invalid("labels by the name of a column", repr(values), fix, InputTypeError)
    return {name: arguments.listed("labels", of_one) for name, of_one in values.items()}


def _of_each(name, values, default):
    """Returns a list with a value for each column."""
    found = default if values is None else arguments.listed(name, values)
    if len(found) != len(default):
        received = f"{len(found)} {name} for {len(default)} likelihoods"
        raise invalid(f"as many {name} as likelihoods", received, f"give {name} of each column")
    return found
