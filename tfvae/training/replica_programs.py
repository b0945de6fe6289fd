"""Runs many steps in one call on the replicas of a strategy, each on its part of a batch."""

import tensorflow as tf

from tfvae._keras import internals
from tfvae._keras.backend import keras
from tfvae.ops import xla
from tfvae.training import compilation_plan, replicas, step_programs


class ReplicaPrograms(step_programs.StepPrograms):
    """Runs one kind of step of a model on the replicas of its strategy.

    All workers read the same batches in the same order, and each replica takes its part. Steps
    are graphs, since XLA compiles no exchange between devices.
    """

    def _plan(self, batch, is_last):
        return compilation_plan.REPLICAS

    def _call(self, source, arguments, plan):
        stacked, count = arguments
        strategy = replicas.strategy_of(self._model)
        parts, present, is_padded = replicas.parts_of(strategy, stacked)
        dtypes = source.dtypes
        key = (plan, is_padded, None if dtypes is None else step_programs.dtypes_key(dtypes))
        function = self._functions.get(key, lambda: self._made(strategy, dtypes, is_padded))
        return function(parts, present, count, source.arrays)

    def _made(self, strategy, dtypes, is_padded):
        """Returns a function of the parts of stacked batches; of row numbers, with `dtypes`."""
        step_of_model = getattr(self._model, self._step)
        names: list = []  # of the logs, in their order

        def run(parts, present, count, arrays):
            def of_replica(parts, present, i):
                batch = tf.nest.map_structure(lambda part: part[i], parts)
                if dtypes is not None:
                    batch = _rows(arrays, batch, dtypes)
                # Here, since each replica is traced in a thread of its own.
                with xla.tracing_for(xla.GRAPH):
                    return step_of_model(_weighted(batch, present) if is_padded else batch)

            def step_at(i):
                logs = strategy.run(of_replica, args=(parts, present, i))
                names[:] = logs
                told = self._model.get_metrics_result()
                return {n: _mean(strategy, v) for n, v in logs.items() if n not in told}

            step = internals.program(step_at)
            step = step.get_concrete_function(tf.TensorSpec([], tf.int32))
            others = step_programs.loop(step, step.structured_outputs, count)
            # Once after all steps, since workers have to exchange them.
            with tf.control_dependencies(tf.nest.flatten(others)):
                found = {**self._model.get_metrics_result(), **others}
            return {name: found[name] for name in names}

        return internals.last_program(run)


def _rows(arrays, rows, dtypes):
    return tf.nest.map_structure(
        lambda array, dtype: tf.cast(tf.gather(array, rows), dtype), arrays, dtypes
    )


def _weighted(batch, present):
    """Returns a batch with weights, which are 0 for the examples that are not present."""
    x, y, weights = keras.utils.unpack_x_y_sample_weight(batch)
    if weights is None:
        return x, y, present
    return x, y, present * tf.cast(tf.reshape(weights, [-1]), tf.float32)


def _mean(strategy, value):
    return strategy.reduce(tf.distribute.ReduceOp.MEAN, value, axis=None)
