"""Decides whether the loop can run a call of `fit` or `evaluate`, and prepares the `Run`."""

import math
from typing import TYPE_CHECKING, Any

import tensorflow as tf

from tfvae._keras import internals
from tfvae._keras.backend import keras
from tfvae.errors import invalid
from tfvae.training import batch_callbacks, batch_sources, compilation_plan, replicas, workers
from tfvae.training.epoch_reader import EpochReader
from tfvae.training.keeper import keeping_callbacks
from tfvae.training.loop import Run

if TYPE_CHECKING:
    from tfvae.training.compiled_fit import CompiledFit

_DEFAULT_BATCH_SIZE = 32  # Keras'


def run_of_fit(model: "CompiledFit", call: dict[str, Any]) -> tuple[Run, Run | None] | None:
    """Returns the runs of a call of `fit`, or None if Keras' own loop has to run it.

    Args:
        model: a `CompiledFit` model.
        call: the arguments of `fit`, by name.

    Returns:
        The `Run` of the training and the `Run` of the validation, which is None without
        validation data.
    """
    if (
        not _is_known(model)
        or call["class_weight"] is not None
        or (call["steps_per_epoch"] or 0) < 0
        or call["shuffle"] not in (True, False)
    ):
        return None

    x, y, sample_weight = (call[name] for name in ("x", "y", "sample_weight"))
    held_out = call["validation_data"]
    if call["validation_split"] and held_out is None:
        x, y, sample_weight, held_out = _split(x, y, sample_weight, call["validation_split"])
        if held_out is None:
            return None

    validation = None
    if held_out is not None:
        validation = _run_of_validation(model, call, held_out)
        if validation is None:
            return None

    steps = call["steps_per_epoch"]
    order_key = _order_key(model) if call["shuffle"] else None
    passes, most = _passes(call), most_batches(call)
    source = _source(x, y, sample_weight, call["batch_size"], steps, most, order_key, passes)
    if source is None:
        return None

    return _run(model, source, steps, call["callbacks"], training=True), validation


def run_of_evaluate(model: "CompiledFit", call: dict[str, Any]) -> Run | None:
    """Returns the run of a call of `evaluate`, or None if Keras' own loop has to run it.

    Args:
        model: a `CompiledFit` model.
        call: the arguments of `evaluate`, by name.
    """
    if not _is_known(model):
        return None

    steps = call["steps"]
    source = _source(
        call["x"], call["y"], call["sample_weight"], call["batch_size"], steps, most=steps
    )
    if source is None:
        return None

    return _run(model, source, steps, call["callbacks"], training=False)


def check_left_to_keras(model: "CompiledFit", callbacks: Any = None) -> None:
    """Refuses a call that Keras' own loop has to run, where it needs the loop of this package.

    Args:
        model: a `CompiledFit` model.
        callbacks: the callbacks of `fit`, or None.

    Raises:
        InputError: a callback keeps the training, or workers train together, whose metrics
            Keras fails to reduce.
    """
    received = (
        "a call that Keras' own loop runs: other data, class weights, another strategy than"
        " MirroredStrategy and MultiWorkerMirroredStrategy, shuffle='batch' or run_eagerly=True"
    )
    kinds = "arrays or a tf.data.Dataset of dense batches"
    if keeping_callbacks(callbacks):
        fix = "leave tfvae.callbacks.Checkpoint out, or pass such data"
        raise invalid(f"{kinds}, where training keeps checkpoints", received, fix)
    if workers.are_in(replicas.strategy_of(model)):
        fix = "pass such data, the same in every worker"
        raise invalid(f"{kinds}, where workers train together", received, fix)


def most_batches(call: dict[str, Any]) -> int | None:
    """Returns how many batches a call of `fit` states in all, or None if its data decide."""
    return call["steps_per_epoch"] and call["steps_per_epoch"] * _passes(call)


def _is_known(model):
    """Returns True if a model runs by this package's own functions, on one device or replicas."""
    strategy, current = replicas.strategy_of(model), tf.distribute.get_strategy()
    if tf.distribute.has_strategy() and current is not strategy:
        return False
    limited = keras.config.max_epochs() or keras.config.max_steps_per_epoch()
    placed = strategy is not None or model.distribute_strategy is current
    return placed and not model.run_eagerly and not limited and model.makes_own_functions()


def _run_of_validation(model, call, held_out):
    """Returns the `Run` of the validation in a call of `fit`, or None for Keras' own loop."""
    x, y, sample_weight = keras.utils.unpack_x_y_sample_weight(held_out)
    return run_of_evaluate(
        model,
        {
            "x": x,
            "y": y,
            "sample_weight": sample_weight,
            "batch_size": call["validation_batch_size"] or call["batch_size"],
            "steps": call["validation_steps"],
            "callbacks": call["callbacks"],
        },
    )


def _source(x, y, sample_weight, batch_size, steps, most, order_key=None, passes=None):
    """Returns the source of batches, or None if the data are of no known kind."""
    if isinstance(x, tf.data.Dataset):
        if y is not None or sample_weight is not None or not batch_sources.has_dense_batches(x):
            return None

        return batch_sources.DatasetBatches(x, passes, most)

    arrays = batch_sources.of_arrays(x, y, sample_weight)
    if arrays is None:
        return None

    count = len(tf.nest.flatten(arrays)[0])
    if not batch_size:
        batch_size = math.ceil(count / steps) if steps else _DEFAULT_BATCH_SIZE

    return batch_sources.source_of_arrays(arrays, batch_size, order_key)


def _run(model, source, steps_per_epoch, callbacks, training):
    """Returns the `Run` of a source of batches."""
    reader = EpochReader(source, steps_per_epoch)
    acts = batch_callbacks.acts_on_batches(callbacks, training)
    steps = _steps_of_call(model, reader, acts)
    # No batch is read ahead of a callback that acts on single batches.
    if isinstance(source, batch_sources.DatasetBatches) and not acts:
        source.prefetched = steps
    return Run(reader, model.programs_of("train_step" if training else "test_step"), steps, acts)


def _steps_of_call(model, reader, acts_on_batches):
    """Returns how many steps run in one call."""
    stated = model.stated_steps()
    if stated is not None:
        return min(stated, reader.num_steps or stated)
    if acts_on_batches:
        return 1

    steps = compilation_plan.choose_steps(model, reader.source)
    if not reader.steps_per_epoch:
        return min(steps, reader.num_steps or steps)
    # All calls are about the same length, and the last one ends the epoch.
    return math.ceil(reader.steps_per_epoch / math.ceil(reader.steps_per_epoch / steps))


def _passes(call):
    return max(1, call["epochs"] - call["initial_epoch"])


def _order_key(model):
    """Returns a function that gives the seed of the next pass: the model's seed and the step."""
    seed = model.loop_hooks.order_seed()
    return lambda: (seed, int(internals.update_counter(model.optimizer).numpy()))


def _split(x, y, sample_weight, share):
    """Splits arrays as Keras does, and returns the training data and the validation data."""
    arrays = batch_sources.of_arrays(x, y, sample_weight)
    if arrays is None:
        return x, y, sample_weight, None

    count = len(tf.nest.flatten(arrays)[0])
    first = math.floor(count * (1.0 - share))
    if first in (0, count):
        return x, y, sample_weight, None  # which Keras refuses

    parts = (x, y, sample_weight)
    training, held_out = (_sliced(parts, rows) for rows in (slice(first), slice(first, None)))
    return *training, keras.utils.pack_x_y_sample_weight(*held_out)


def _sliced(parts, rows):
    return [
        None if part is None else tf.nest.map_structure(lambda array: array[rows], part)
        for part in parts
    ]
