"""Runs epochs, callbacks and validation for `fit` and `evaluate`, as Keras' own loop does."""

import dataclasses
from typing import TYPE_CHECKING, Any

from tfvae._keras import internals
from tfvae._keras.backend import keras
from tfvae.training.epoch_reader import EpochReader
from tfvae.training.keeper import Keeper, keeper_of

if TYPE_CHECKING:
    from tfvae.training.compiled_fit import CompiledFit
    from tfvae.training.step_programs import StepPrograms

_KEEPS_NOTHING = Keeper()


@dataclasses.dataclass(frozen=True)
class Run:
    """The parts that run the batches of an epoch.

    Attributes:
        reader: the reader of the batches.
        programs: the compiled programs of a step.
        steps: how many steps run in one call.
        acts: True if a callback acts on single batches, between which it may change the model.
    """

    reader: EpochReader
    programs: "StepPrograms"
    steps: int
    acts: bool


def fit(model: "CompiledFit", run: Run, call: dict[str, Any]) -> keras.callbacks.History:
    """Trains a model for the epochs of a call of `fit`.

    Args:
        model: a `CompiledFit` model.
        run: the run of its training.
        call: the arguments of `fit`, by name.

    Returns:
        The `keras.callbacks.History`.
    """
    callbacks = _callback_list(model, call, run, epochs=call["epochs"], add_history=True)
    model.stop_training = False
    callbacks.on_train_begin()
    keeper = keeper_of(model, run.reader, callbacks, call)
    with keeper.listening():
        epoch_logs = _epochs(model, run, call, callbacks, keeper)

    if isinstance(model.optimizer, keras.optimizers.Optimizer) and call["epochs"] > 0:
        model.optimizer.finalize_variable_values(model.trainable_weights)
    callbacks.on_train_end(logs=epoch_logs)
    return model.history


def _epochs(model, run, call, callbacks, keeper):
    """Runs the epochs of a training, and returns the logs of the last one."""
    hooks = (callbacks.on_train_batch_begin, callbacks.on_train_batch_end)
    first = keeper.first_epoch(internals.first_epoch(model, call["initial_epoch"]))
    logs: dict = {}
    epoch_logs = None
    for epoch in range(first, call["epochs"]):
        model.reset_metrics()
        callbacks.on_epoch_begin(epoch)
        logs = _epoch(model, run, hooks, "stop_training", keeper, epoch) or logs

        epoch_logs = dict(internals.epoch_logs(model, logs))
        if _has_validation(call) and _is_due(epoch, call["validation_freq"]):
            val_logs = _validate(model, call, callbacks)
            epoch_logs.update({f"val_{name}": value for name, value in val_logs.items()})

        callbacks.on_epoch_end(epoch, epoch_logs)
        keeper.after_epoch(epoch, model.stop_training or epoch + 1 == call["epochs"])
        if model.stop_training:
            break

    return epoch_logs


def evaluate(model: "CompiledFit", run: Run, call: dict[str, Any]) -> dict[str, Any]:
    """Evaluates a model on one epoch of a run, from the start of the data.

    Args:
        model: a `CompiledFit` model.
        run: the run of its test steps.
        call: the arguments of `evaluate`, by name.

    Returns:
        The logs: numbers by name, beside values of other kinds that a user's step returns.
    """
    callbacks = _callback_list(model, call, run, epochs=1)
    model.stop_evaluating = False
    callbacks.on_test_begin()
    model.reset_metrics()

    hooks = (callbacks.on_test_batch_begin, callbacks.on_test_batch_end)
    run.reader.begin_anew()
    last = _epoch(model, run, hooks, "stop_evaluating")
    logs = _in_numbers(internals.epoch_logs(model, last))
    callbacks.on_test_end(logs)
    return logs


def _has_validation(call):
    return call["validation_data"] is not None or call["validation_split"]


def _validate(model, call, callbacks):
    """Calls the model's own `evaluate`, as Keras does, on the data that `fit` has prepared."""
    x, y, sample_weight = None, None, None
    if call["validation_data"] is not None:
        x, y, sample_weight = keras.utils.unpack_x_y_sample_weight(call["validation_data"])

    return model.evaluate(
        x=x,
        y=y,
        sample_weight=sample_weight,
        batch_size=call["validation_batch_size"] or call["batch_size"],
        steps=call["validation_steps"],
        callbacks=callbacks,
        return_dict=True,
        _use_cached_eval_dataset=True,
    )


def _epoch(model, run, hooks, stop, keeper=_KEEPS_NOTHING, epoch=0):
    """Runs the steps of one epoch, and returns the result of the last step."""
    on_begin, on_end = hooks
    start, logs = keeper.enter_epoch()
    if not start:
        run.reader.begin_epoch()
    done = start
    while run.reader.has_more():
        on_begin(done)
        if run.acts or done == start:
            run.programs.refresh()
        batches = run.reader.take(run.steps)
        if not batches:
            break

        ends_pass = run.reader.last_batch_ends_pass()
        logs = run.programs.run(run.reader.source, batches, run.steps, ends_pass)
        done += len(batches)
        model.after_steps(len(batches))
        on_end(done - 1, logs)
        keeper.after_call(epoch, done, logs)
        if getattr(model, stop):
            break

    run.reader.end_epoch()
    return logs


def _callback_list(model, call, run, epochs, add_history=False):
    """Returns the callbacks of a call as a `CallbackList`."""
    callbacks = call["callbacks"]
    if isinstance(callbacks, keras.callbacks.CallbackList):
        return callbacks

    return keras.callbacks.CallbackList(
        callbacks,
        add_history=add_history,
        add_progbar=call["verbose"] != 0,
        verbose=call["verbose"],
        epochs=epochs,
        steps=run.reader.num_steps,
        model=model,
    )


def _is_due(epoch, validation_freq):
    if isinstance(validation_freq, int):
        return (epoch + 1) % validation_freq == 0
    return epoch + 1 in validation_freq


def _in_numbers(logs):
    """Returns logs as numbers, also those of dictionaries within them, as Keras does."""
    numbers: dict = {}
    for name, value in sorted(logs.items()):
        numbers.update(_in_numbers(value) if isinstance(value, dict) else {name: _number(value)})
    return numbers


def _number(value):
    try:
        return float(value)
    except (TypeError, ValueError):  # a value of another kind, from a user's step
        return value
