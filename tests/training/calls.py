"""The table of calls that our loop and Keras' own run alike: name -> function of a model."""

import itertools
import tempfile

import keras
import numpy as np
import tensorflow as tf

from tests.training import subjects

COUNT = 10  # examples
X = np.random.default_rng(0).normal(size=(COUNT, subjects.SIZE)).astype(np.float32)
X[:, 0] = np.arange(COUNT) / 7  # which example it is
WEIGHT = np.linspace(0.5, 2.0, COUNT).astype(np.float32)
TRAIN_HOOKS = ("on_train_batch_begin", "on_train_batch_end", "on_epoch_end")
EPOCH_HOOKS = (
    "on_train_begin",
    "on_epoch_begin",
    "on_epoch_end",
    "on_train_end",
    "on_test_begin",
    "on_test_end",
)


class Rows(keras.utils.PyDataset):
    """Batches of rows, each of which is written down when it is read."""

    def __init__(self, batch_size, reads):
        super().__init__()
        self._batch_size, self._reads = batch_size, reads

    def __len__(self):
        return -(-COUNT // self._batch_size)

    def __getitem__(self, number):
        self._reads.append(number)
        return X[number * self._batch_size : (number + 1) * self._batch_size]


def dataset(batch_size=4, x=X):
    return tf.data.Dataset.from_tensor_slices(x).batch(batch_size)


def mixed_sizes(sizes=(3, 2, 3, 2)):
    """A dataset of batches of several sizes, in turn."""
    starts = np.cumsum((0, *sizes[:-1]))

    def batches():
        for start, size in zip(starts, sizes):
            yield X[start : start + size]

    signature = tf.TensorSpec((None, subjects.SIZE), tf.float32)
    return tf.data.Dataset.from_generator(batches, output_signature=signature)


def generator(reads, batch_size=4, batches=None):
    """Yields batches, writing down which; without end if `batches` is None."""
    numbers = itertools.count() if batches is None else range(batches)
    for number in numbers:
        reads.append(number)
        rows = np.arange(number * batch_size, (number + 1) * batch_size) % COUNT
        yield (X[rows],)  # a tuple, as Keras wants of a generator


DATA = {
    "array": lambda reads: X,
    "tensor": lambda reads: tf.constant(X),
    "float64": lambda reads: X.astype(np.float64),
    "float16": lambda reads: X.astype(np.float16),
    "bytes": lambda reads: np.arange(X.size, dtype=np.uint8).reshape(X.shape) % 5,
    "known": lambda reads: dataset(),
    "known_dividing": lambda reads: dataset(5),
    "unknown": lambda reads: dataset().filter(lambda x: True),
    "infinite": lambda reads: dataset().repeat(),
    "mixed": lambda reads: mixed_sizes(),
    "pydataset": lambda reads: Rows(4, reads),
    "generator": lambda reads: generator(reads),
    "short_generator": lambda reads: generator(reads, batches=4),
}
ARRAYS = ("array", "tensor", "float64", "float16")
STREAMS = ("known", "known_dividing", "unknown", "infinite", "mixed", "pydataset", "generator")
ENDLESS = ("infinite", "generator")


def _fit(data, hooks=None, **options):
    def run(model, recorder, reads):
        callbacks = [recorder.watch(hooks)] if hooks else None
        given = {"shuffle": False, "verbose": 0, "callbacks": callbacks, **options}
        return model.fit(DATA[data](reads), **given)

    return run


def _evaluate(data, hooks=None, **options):
    def run(model, recorder, reads):
        callbacks = [recorder.watch(hooks)] if hooks else None
        given = {"verbose": 0, "callbacks": callbacks, "return_dict": True, **options}
        return model.evaluate(DATA[data](reads), **given)

    return run


def _predict(data, hooks=None, **options):
    def run(model, recorder, reads):
        callbacks = [recorder.watch(hooks)] if hooks else None
        return model.predict(DATA[data](reads), verbose=0, callbacks=callbacks, **options)

    return run


def _sequence(*calls):
    """Several calls on the same model; what each returns."""

    def run(model, recorder, reads):
        results = [call(model, recorder, reads) for call in calls]
        return [r.history if isinstance(r, keras.callbacks.History) else r for r in results]

    return run


def _with(callback, data="array", **options):
    def run(model, recorder, reads):
        callbacks = [callback(model), recorder.watch(EPOCH_HOOKS)]
        given = {"shuffle": False, "verbose": 0, "callbacks": callbacks, **options}
        return model.fit(DATA[data](reads), **given)

    return run


def _on_batch(method, *data, **options):
    return lambda model, recorder, reads: getattr(model, method)(*data, **options)


def _fits():
    for data, size, epochs in itertools.product(ARRAYS, (None, 3, 5, 20), (1, 3)):
        if data in ("array", "tensor") or (size, epochs) == (3, 3):
            name = f"fit/{data}/batch_{size}/epochs_{epochs}"
            yield name, _fit(data, batch_size=size, epochs=epochs)
    for data, steps, epochs in itertools.product(STREAMS, (None, 2, 3, 5), (1, 3)):
        if steps or data not in ENDLESS:
            name = f"fit/{data}/steps_{steps}/epochs_{epochs}"
            yield name, _fit(data, steps_per_epoch=steps, epochs=epochs)
    for steps, size in itertools.product((1, 2, 3, 7), (None, 3)):
        options = {"steps_per_epoch": steps, "batch_size": size, "epochs": 3}
        yield f"fit/array/batch_{size}/steps_{steps}", _fit("array", **options)
    validation = {"validation_data": X[:5], "validation_batch_size": 2}
    for data, hooks in itertools.product(("array", *STREAMS), (TRAIN_HOOKS, subjects.HOOKS)):
        options = {"steps_per_epoch": 2} if data in ENDLESS else {}
        name = f"fit/{data}/hooks_{len(hooks)}"
        yield name, _fit(data, hooks, epochs=2, **validation, **options)
    yield "fit/initial_epoch", _fit("array", EPOCH_HOOKS, epochs=4, initial_epoch=2, batch_size=4)
    yield "fit/no_epochs", _fit("array", EPOCH_HOOKS, epochs=0)
    yield "fit/weights", _fit("array", batch_size=4, epochs=2, sample_weight=WEIGHT)
    yield "fit/weights_hooks", _fit("array", TRAIN_HOOKS, batch_size=4, sample_weight=WEIGHT)
    yield "fit/early_end", _fit("short_generator", EPOCH_HOOKS, steps_per_epoch=4, epochs=2)


def _validations():
    for split, size in itertools.product((0.2, 0.5), (None, 3)):
        options = {"validation_split": split, "batch_size": size}
        yield f"split/{split}/batch_{size}", _fit("array", EPOCH_HOOKS, epochs=2, **options)
    options = {"validation_split": 0.5, "sample_weight": WEIGHT}
    yield "split/weights", _fit("array", epochs=2, **options)
    kinds = ("array", "known", "unknown", "infinite", "mixed")
    for data, steps, freq in itertools.product(kinds, (None, 1, 3), (1, 2)):
        if not steps and data == "infinite":
            continue

        def run(model, recorder, reads, data=data, steps=steps, freq=freq):
            options = {
                "validation_steps": steps,
                "validation_freq": freq,
                "validation_data": DATA[data](reads),
            }
            # Two validations, of which the second begins anew.
            call = _fit("array", EPOCH_HOOKS, batch_size=4, epochs=2 * freq, **options)
            return call(model, recorder, reads)

        yield f"validation/{data}/steps_{steps}/freq_{freq}", run
    options = {"validation_data": X, "validation_freq": [1, 3]}
    yield "validation/freq_list", _fit("array", EPOCH_HOOKS, epochs=3, **options)
    options = {"validation_data": X, "validation_batch_size": 3}
    yield "validation/stream_fit", _fit("known", EPOCH_HOOKS, epochs=2, **options)
    yield "validation/weights", _fit("array", epochs=2, validation_data=(X, None, WEIGHT))


def _evaluations():
    for data, size in itertools.product(ARRAYS, (None, 3, 5)):
        yield f"evaluate/{data}/batch_{size}", _evaluate(data, batch_size=size)
    for data, steps in itertools.product(STREAMS, (None, 1, 2)):
        if steps or data not in ENDLESS:
            yield f"evaluate/{data}/steps_{steps}", _evaluate(data, steps=steps)
    test_hooks = ("on_test_begin", "on_test_batch_begin", "on_test_batch_end", "on_test_end")
    for data in ("array", "known", "unknown", "pydataset"):
        yield f"evaluate/{data}/hooks", _evaluate(data, test_hooks)
    yield "evaluate/weights", _evaluate("array", batch_size=4, sample_weight=WEIGHT)
    yield "evaluate/list", lambda model, recorder, reads: model.evaluate(X, batch_size=4, verbose=0)
    for data, size in itertools.product(("array", "tensor", "known", "unknown"), (None, 3)):
        options = {"batch_size": size} if data in ARRAYS else {}
        yield f"predict/{data}/batch_{size}", _predict(data, subjects.HOOKS, **options)
    yield "predict/steps", _predict("infinite", steps=3)


def _single_batches():
    for method in ("train_on_batch", "test_on_batch"):
        yield f"{method}/array", _on_batch(method, X[:5])
        yield f"{method}/dict", _on_batch(method, X[:5], return_dict=True)
    yield "predict_on_batch", _on_batch("predict_on_batch", X[:5])
    fit, predict = _fit("array", batch_size=4), _predict("array")
    evaluate = _evaluate("array", batch_size=3)
    single = _on_batch("train_on_batch", X[:4])
    yield "sequence/fit_fit", _sequence(fit, fit)
    yield "sequence/fit_predict_fit", _sequence(fit, predict, fit)
    yield "sequence/predict_fit_predict", _sequence(predict, fit, predict)
    yield "sequence/fit_evaluate_fit", _sequence(fit, evaluate, fit, evaluate)
    yield "sequence/single_fit_single", _sequence(single, fit, single)
    yield "sequence/fit_stream_fit", _sequence(fit, _fit("unknown"), fit)
    yield "sequence/fit_bytes_fit", _sequence(_fit("bytes", batch_size=4), fit)
    first = _fit("array", batch_size=4, validation_data=X[:5])
    yield "sequence/fit_validations", _sequence(first, _fit("pydataset", validation_data=X[5:]))
    stopped = _with(lambda model: subjects.StopAt(batch=0))
    by_batches = _evaluate("array", ("on_test_batch_end",), batch_size=3)
    yield "sequence/stop_evaluate", _sequence(stopped, by_batches)


def _stopped_evaluation(model, recorder, reads):
    callbacks = [subjects.StopAt(batch=1, evaluating=True)]
    options = {"batch_size": 2, "verbose": 0, "return_dict": True}
    return model.evaluate(X, callbacks=callbacks, **options)


def _interrupted(model, recorder, reads):
    """A fit that ends by an error in its second epoch, and one that goes on after it."""

    def fail(epoch, logs):
        if epoch == 1:
            raise InterruptedError

    given = {"epochs": 3, "batch_size": 4, "shuffle": False, "verbose": 0}
    with tempfile.TemporaryDirectory() as folder:
        backups = [keras.callbacks.BackupAndRestore(folder) for _ in range(2)]
        try:
            failing = keras.callbacks.LambdaCallback(on_epoch_begin=fail)
            model.fit(X, callbacks=[backups[0], failing], **given)
        except InterruptedError:
            return model.fit(X, callbacks=[backups[1]], **given)


def _callbacks():
    def inside(method, **options):
        def on_epoch_end(model):
            call = lambda epoch, logs: getattr(model, method)(X[:7], verbose=0, **options)  # noqa: E731
            return keras.callbacks.LambdaCallback(on_epoch_end=call)

        return on_epoch_end

    def on_batch(model):
        predict = lambda batch, logs: model.predict(X[:3], verbose=0)  # noqa: E731
        return keras.callbacks.LambdaCallback(on_train_batch_end=predict)

    between = {
        "predict": inside("predict"),
        "predict_small_batch": inside("predict", batch_size=2),
        "evaluate": inside("evaluate", batch_size=4),
        "evaluate_steps": inside("evaluate", batch_size=2, steps=2),
        "predict_each_batch": on_batch,
    }
    for name, callback in between.items():
        yield f"inside/{name}", _with(callback, epochs=2, batch_size=4)
    for data in ("array", "known", "unknown", "pydataset"):
        yield f"stop/{data}/batch", _with(lambda model: subjects.StopAt(batch=1), data, epochs=3)
        yield f"stop/{data}/epoch", _with(lambda model: subjects.StopAt(epoch=1), data, epochs=3)
    early = {"monitor": "val_loss", "patience": 0, "min_delta": 1e9, "restore_best_weights": True}
    stop = lambda model: keras.callbacks.EarlyStopping(**early)  # noqa: E731
    yield "stop/early_stopping", _with(stop, epochs=5, batch_size=4, validation_data=X)
    yield "stop/evaluation", _stopped_evaluation
    rates = lambda model: keras.callbacks.LearningRateScheduler(lambda epoch, rate: rate / 2)  # noqa: E731
    yield "callback/learning_rate", _with(rates, epochs=3, batch_size=4)
    on_nan = lambda model: keras.callbacks.TerminateOnNaN()  # noqa: E731
    yield "callback/backup", _interrupted
    yield "callback/nan", _with(on_nan, epochs=2, batch_size=4)


def table():
    """Returns the calls, by name."""
    parts = (_fits(), _validations(), _evaluations(), _single_batches(), _callbacks())
    return dict(itertools.chain(*parts))
