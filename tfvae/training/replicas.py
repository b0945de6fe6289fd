"""What steps and the loop ask of a strategy of devices: its replicas, and their shares."""

import contextlib
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import tensorflow as tf

from tfvae._keras import internals
from tfvae._keras.backend import keras
from tfvae.errors import invalid
from tfvae.training import workers

_KINDS = (tf.distribute.MirroredStrategy, tf.distribute.MultiWorkerMirroredStrategy)
_MEAN, _SUM = tf.distribute.ReduceOp.MEAN, tf.distribute.ReduceOp.SUM
_OFFSET = 0x5F356495  # an odd number, so that the seeds of 2^32 replicas differ


def strategy_of(model: keras.Model) -> tf.distribute.Strategy | None:
    """Returns the strategy whose replicas train a model by this package's loop.

    Args:
        model: a Keras model.

    Returns:
        The `MirroredStrategy` or `MultiWorkerMirroredStrategy` in whose scope it was made; None
        for a model of one device or of another strategy.
    """
    strategy = model.distribute_strategy
    return strategy if isinstance(strategy, _KINDS) else None


def scope_of(model: keras.Model) -> contextlib.AbstractContextManager[Any]:
    """Returns a context in which variables of a model are made as its others were."""
    strategy = strategy_of(model)
    return contextlib.nullcontext() if strategy is None else strategy.scope()


def check_scope(model: keras.Model) -> None:
    """Refuses a model of which a part was made outside the scope of its strategy.

    Args:
        model: a compiled Keras model, of a strategy or not.

    Raises:
        InputError: a network, piece or optimizer that was made elsewhere.
    """
    strategy = strategy_of(model)
    if strategy is None:
        return
    is_own = strategy.extended.variable_created_in_scope
    own = {
        "a network or piece": all(is_own(variable.value) for variable in model.variables),
        "the optimizer": internals.strategy_of_optimizer(model.optimizer) is strategy,
    }
    for part, is_of_scope in own.items():
        if not is_of_scope:
            raise invalid(
                f"all variables made within the scope of the model's {type(strategy).__name__}",
                f"{part} made outside it",
                "make networks, pieces, optimizer and model within `with strategy.scope():`",
            )


# ---- within a step


def count() -> int:
    """Returns how many replicas run the step that is traced."""
    return tf.distribute.get_strategy().num_replicas_in_sync


def share(examples: tf.Tensor) -> tf.Tensor | float:
    """Returns the share of this replica in the global batch, 1 where there is one replica.

    Args:
        examples: how many examples of weight this replica has, a float scalar.
    """
    if count() == 1:
        return 1.0
    total = tf.distribute.get_replica_context().all_reduce(_SUM, examples)
    return tf.math.divide_no_nan(examples, total)


def own_seed(seed: tf.Tensor) -> tf.Tensor:
    """Returns a seed that differs from replica to replica, `seed` itself where there is one.

    Args:
        seed: int32 `[2]`.
    """
    return seed if count() == 1 else tf.random.fold_in(seed, _number())


@contextlib.contextmanager
def own_noise(states: Sequence[keras.Variable]) -> Iterator[None]:
    """Lets layers that draw, as dropout does, draw other numbers on each replica in the context.

    Keras gives all replicas the same. The states are the same on all replicas before and after.

    Args:
        states: the states of seed generators, integers `[2]` each.
    """
    if count() == 1:
        yield
        return

    before = [tf.identity(state.value) for state in states]
    for state, value in zip(states, before):
        offset = tf.cast(_number(), tf.int64) * _OFFSET
        state.assign(tf.stack([value[0] + tf.cast(offset, value.dtype), value[1]]))
    yield
    for state, value in zip(states, before):
        state.assign(tf.stack([value[0], state.value[1]]))


def summed(tensors: Sequence[tf.Tensor]) -> list[tf.Tensor]:
    """Returns the sums of tensors over all replicas, on each of them."""
    return list(tf.distribute.get_replica_context().all_reduce(_SUM, list(tensors)))


def averaged(tensors: Sequence[tf.Tensor]) -> list[tf.Tensor]:
    """Returns the means of tensors over all replicas, on each of them."""
    if not tensors:
        return []
    return list(tf.distribute.get_replica_context().all_reduce(_MEAN, list(tensors)))


def together(change: Callable[..., tf.Tensor], *structures: Sequence[tf.Tensor]) -> tf.Tensor:
    """Calls a function once for all replicas, outside of them, where `tf.cond` may change weights.

    Args:
        change: takes lists of tensors, and returns a tensor.
        *structures: lists of tensors that are equal on all replicas.

    Returns:
        What the function returned, on each replica.
    """

    def first(strategy, *given):
        local = strategy.experimental_local_results
        return change(*([local(tensor)[0] for tensor in tensors] for tensors in given))

    return tf.distribute.get_replica_context().merge_call(first, args=structures)


def _number():
    return tf.distribute.get_replica_context().replica_id_in_sync_group


# ---- beside training


def calls_at_once(model: keras.Model) -> tuple[int, Callable[[Callable[..., Any]], Any]]:
    """Returns how many calls of a function run at once, one on each device of this process.

    Workers do not help each other here, so that each may call the function alone, except within
    `workers.by_all_workers`.

    Args:
        model: the model whose variables the function reads.

    Returns:
        (number, on_each): the number, and a function that makes of `function` one that takes a
        list of at most so many tuples of arguments, and returns the list of the results.
    """
    strategy = strategy_of(model)
    is_alone = workers.are_in(strategy) and not workers.share_evaluations()
    if strategy is None or is_alone or strategy.num_replicas_in_sync == 1:
        return 1, lambda function: lambda calls: [function(*arguments) for arguments in calls]

    number = strategy.num_replicas_in_sync

    def on_each(function):
        run = internals.last_program(lambda given: strategy.run(function, args=given))

        def run_calls(calls):
            full = [*calls, *calls[-1:] * (number - len(calls))]
            given = [_of_each(strategy, column) for column in zip(*full)]
            return _of_all(strategy, run(given))[: len(calls)]

        return run_calls

    return number, on_each


def _of_all(strategy, result):
    """Returns the tensors of all replicas, those of other workers among them."""
    if not workers.are_in(strategy):
        return list(strategy.experimental_local_results(result))
    with workers.told_of_lost(strategy, "evaluate"):
        return tf.split(strategy.gather(result, axis=0), strategy.num_replicas_in_sync)


def _of_each(strategy, values):
    if values[0] is None:
        return None
    return strategy.experimental_distribute_values_from_function(
        lambda context: values[context.replica_id_in_sync_group]
    )


# ---- between steps


def rows_of(replica: int, number: int, size: int) -> tuple[slice, float]:
    """Returns the rows of a global batch that a replica takes, and their weight.

    Replica r of R takes the rows from r B / R on, rounded down, up to those of the next one. One
    without a row takes a copy of some row, of weight 0.

    Args:
        replica: r.
        number: R.
        size: B, rows of the batch.
    """
    first, last = replica * size // number, (replica + 1) * size // number
    return slice(first, max(last, first + 1)), float(last > first)


def parts_of(strategy: tf.distribute.Strategy, stacked: Any) -> tuple[Any, Any, bool]:
    """Splits stacks of global batches among the replicas, see `rows_of`.

    Args:
        strategy: the strategy.
        stacked: a structure of tensors or arrays `[height, B, ...]`, the same on all workers.

    Returns:
        (parts, present, is_padded): the structure with values for each replica,
        `[height, b, ...]`; float32 `[b]`, 0 for copies; and whether there are any.
    """
    size, number = tf.nest.flatten(stacked)[0].shape[1], strategy.num_replicas_in_sync

    def rows(context):
        return rows_of(context.replica_id_in_sync_group, number, size)

    def of_replica(part):
        return strategy.experimental_distribute_values_from_function(
            lambda context: tf.convert_to_tensor(part[:, rows(context)[0]])
        )

    def present(context):
        chosen, weight = rows(context)
        return tf.fill([chosen.stop - chosen.start], weight)

    given = strategy.experimental_distribute_values_from_function(present)
    return tf.nest.map_structure(of_replica, stacked), given, size < number
