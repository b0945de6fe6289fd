"""How steps run: many in one compiled call, with nothing a user can see but the speed."""

import logging

import keras
import numpy as np
import pytest
import tensorflow as tf

import tfvae
from tests.conftest import matches
from tests.support import zoo
from tests.support.nightly import nightly
from tests.training.subjects import ON_A_CPU, SIZE, CompiledFitModel, autoencoder, regression
from tfvae import evaluation
from tfvae.ops import xla
from tfvae.training import batch_sources, compilation_plan
from tfvae.training.epoch_reader import EpochReader

BATCHES = 7  # of an epoch of 20 examples in batches of 3, the last one partial
ROWS = np.random.default_rng(0).random((20, SIZE)).astype(np.float32)


def grey_model(**compile):
    keras.utils.set_random_seed(0)
    likelihood = tfvae.likelihoods.Bernoulli(dynamic_binarization=True)
    vae = tfvae.mlp_vae(zoo.SHAPE, 2, (8,), likelihood=likelihood, seed=0)
    vae.compile(keras.optimizers.Adam(1e-2), **compile)
    return vae


def quick_model(**compile):
    """A model that is no VAE, since the loop knows none: its step is quick to trace."""
    model = autoencoder(run_eagerly=False)
    model.compile(keras.optimizers.SGD(1e-3), **compile)
    return model


def iterations(model):
    return int(model.optimizer.iterations)


@pytest.mark.filterwarnings("ignore:Your input ran out of data")
@pytest.mark.parametrize(
    ("form", "jit_compile"),
    [
        ("stream", False),
        nightly("uncounted", False),
        ("arrays_steps_per_epoch", False),
        nightly("arrays_steps_per_epoch", True),
        nightly("steps_per_epoch", False),
        nightly("arrays", False),
        nightly("stream", True),
        nightly("arrays", True),
        nightly("uncounted", True),
        nightly("steps_per_epoch", True),
    ],
)
def test_the_loss_curve_does_not_depend_on_the_steps_of_one_call(form, jit_compile):
    x = zoo.grey(20)
    curves = {}
    for steps in (1, 3) if form == "uncounted" else (1, "auto"):  # seconds for each
        vae = grey_model(steps_per_execution=steps, jit_compile=jit_compile)
        if form in ("stream", "uncounted"):
            batches = tf.data.Dataset.from_tensor_slices(x).shuffle(20, seed=1).batch(3)
            if form == "uncounted":
                batches = batches.filter(lambda x: True)
            found = vae.fit(batches, epochs=4, verbose=0)
        elif form == "steps_per_epoch":
            batches = tf.data.Dataset.from_tensor_slices(x).repeat().batch(3)
            found = vae.fit(batches, epochs=4, steps_per_epoch=4, verbose=0)
        else:
            stated = {"steps_per_epoch": 4} if "steps" in form else {}
            found = vae.fit(x, batch_size=3, epochs=4, verbose=0, **stated)
        curves[steps] = found.history["loss"]
        # Arrays of 7 batches end within the second epoch of 4 steps, and are begun anew:
        # 4 + 3 + 4 + 3.
        expected = {"arrays_steps_per_epoch": 14, "steps_per_epoch": 16}
        assert int(vae.optimizer.iterations) == expected.get(form, 4 * BATCHES)
    for curve in curves.values():
        assert curve == pytest.approx(curves[1], rel=1e-5)
    assert len(set(curves[1])) == 4


@pytest.mark.parametrize("steps", [1, 3, 100])
def test_callbacks_are_told_the_number_of_the_last_batch_there_was(steps):
    model = quick_model(steps_per_execution=steps, jit_compile=False)
    begun, ended = [], []
    callback = keras.callbacks.LambdaCallback(
        on_train_batch_begin=lambda batch, logs: begun.append(batch),
        on_train_batch_end=lambda batch, logs: ended.append(batch),
    )
    model.fit(ROWS, batch_size=3, epochs=2, verbose=0, callbacks=[callback])
    first = list(range(0, BATCHES, steps))
    assert begun == 2 * first
    assert ended == 2 * [min(batch + steps, BATCHES) - 1 for batch in first]


def test_a_training_function_of_the_users_own_has_its_logs_and_all_epochs():
    class Mine(tfvae.VAE):
        def make_train_function(self, force=False):
            def run(iterator):
                next(iterator)
                return {"loss": tf.constant(2.0)}

            self.train_function = run

    vae = grey_model()
    vae = Mine(vae.encoder, vae.decoder, seed=0)
    vae.compile()
    assert vae.fit(zoo.binary(20), epochs=3, verbose=0).history["loss"] == [2.0, 2.0, 2.0]


@pytest.mark.filterwarnings("ignore:Your input ran out of data")
def test_an_empty_validation_measures_nothing_and_stops_nothing():
    model = regression(run_eagerly=False)
    x = {"a": np.ones((12, 6), np.float32), "b": np.ones((12, 2), np.float32)}
    y = np.ones((12, 1), np.float32)
    empty = tf.data.Dataset.from_tensor_slices((x, y)).batch(4).take(0)
    logs = model.fit(x, y, validation_data=empty, epochs=3, verbose=0).history
    assert len(logs["loss"]) == 3
    assert np.isfinite(logs["loss"]).all()
    assert np.isnan(logs.get("val_loss", [np.nan])).all()


def test_each_epoch_has_an_order_of_its_own_while_gradients_are_added_up():
    firsts = []

    class Seen(CompiledFitModel):
        def train_step(self, data):
            x, y = data
            tf.py_function(lambda x: firsts.append(float(x[0, 0])), [x], [])
            return super().train_step((x, y))

    inputs = keras.Input((1,))
    model = Seen(inputs, keras.layers.Dense(1)(inputs))
    optimizer = keras.optimizers.SGD(0.0, gradient_accumulation_steps=8)
    model.compile(optimizer, loss="mse", jit_compile=False)
    x = np.arange(8, dtype=np.float32)[:, None]
    model.fit(x, x, batch_size=8, epochs=6, verbose=0)
    assert len(set(firsts)) > 2


def test_a_dataset_is_read_no_further_than_the_steps_asked_for():
    read = []

    def batches():
        for number in range(100):
            read.append(number)
            yield zoo.grey(4)

    data = tf.data.Dataset.from_generator(batches, output_signature=tf.TensorSpec((4, *zoo.SHAPE)))
    grey_model(jit_compile=False).fit(data, epochs=2, steps_per_epoch=5, verbose=0)
    # A VAE looks at the first batch before training.
    assert read == [0, *range(10)]


@pytest.mark.parametrize("known", [True, False])
def test_batches_that_are_tuples_of_one_train_a_model_of_any_kind(known):
    inputs = keras.Input((3,))
    batches = tf.data.Dataset.from_tensor_slices((np.ones((8, 3), np.float32),)).batch(4)
    batches = batches if known else batches.filter(lambda x: True)

    class Step(CompiledFitModel):
        def train_step(self, data):
            x, _, _ = keras.utils.unpack_x_y_sample_weight(data)
            return {"mine": tf.reduce_sum(self(x) * 0.0) + 1.0}

    model = Step(inputs, keras.layers.Dense(1)(inputs))
    model.compile(keras.optimizers.SGD(0.1), jit_compile=False)
    assert model.fit(batches, epochs=2, verbose=0).history["mine"] == [1.0, 1.0]


def test_a_callback_of_the_users_own_is_called_for_each_batch():
    class Mine(keras.callbacks.Callback):
        calls = 0

        def on_train_batch_end(self, batch, logs=None):
            self.calls += 1
            self.model.stop_training = self.calls == 5

    model, mine = quick_model(jit_compile=False), Mine()
    model.fit(ROWS, batch_size=3, epochs=2, verbose=0, callbacks=[mine])
    assert (mine.calls, iterations(model)) == (5, 5)


def test_a_callback_may_evaluate_while_a_model_is_fitted():
    found, curves = [], []
    for evaluates in (False, True):
        model = quick_model(steps_per_execution=3, jit_compile=False)

        def evaluate(epoch, logs, model=model):
            found.append(model.evaluate(ROWS, batch_size=5, steps=2, verbose=0))

        callbacks = [keras.callbacks.LambdaCallback(on_epoch_end=evaluate)] if evaluates else []
        logs = model.fit(ROWS, batch_size=3, epochs=3, verbose=0, callbacks=callbacks).history
        curves.append(logs["loss"])
    assert curves[0] == pytest.approx(curves[1], rel=1e-6)
    assert len(found) == 3


@pytest.mark.parametrize("dtype", [np.uint8, nightly(np.float32), np.float64])
def test_a_step_of_the_users_own_runs_in_the_loop_on_the_batches_it_expects(dtype):
    @keras.saving.register_keras_serializable("test_execution")
    class Counting(tfvae.VAE):
        def train_step(self, data):
            x, y, weight = keras.utils.unpack_x_y_sample_weight(data)
            logs = super().train_step(data)
            size, total = tf.constant(x.dtype.size), tf.reduce_sum(tf.cast(x, tf.float32))
            return {**logs, "dtype": size, "sum": total}

    plain = tfvae.mlp_vae(zoo.SHAPE, 2, (8,))
    vae = Counting(plain.encoder, plain.decoder)
    x = zoo.binary(12).astype(dtype)
    found = []

    def note(batch, logs):
        found.append(dict(logs))

    callback = keras.callbacks.LambdaCallback(on_train_batch_end=note)
    vae.compile(steps_per_execution=2, jit_compile=False)
    vae.fit(x, batch_size=4, shuffle=False, verbose=0, callbacks=[callback])
    # 8-bit data stay so until a step reads them, and floats come as Keras'.
    size = 1 if dtype == np.uint8 else 4
    assert [int(logs["dtype"]) for logs in found] == [size, size]
    assert [float(logs["sum"]) for logs in found] == [x[4:8].sum(), x[8:].sum()]


@pytest.mark.parametrize("last", [255.0, 256.0, -1.0, 0.5, np.nan, np.inf])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_arrays_stay_on_the_device_in_bytes_where_those_are_the_same_numbers(dtype, last):
    x = np.ones([batch_sources._NUMBERS_IN_CACHE // 4 + 2, 4], dtype)
    x[-1, -1] = last
    source = batch_sources.IndexedArrays(x, batch_size=32)
    assert source.arrays.dtype == (tf.uint8 if last == 255.0 else tf.float32)
    assert source.dtypes == tf.float32
    assert np.array_equal(tf.cast(source.arrays, tf.float32), x, equal_nan=True)


def test_single_batches_are_trained_on_and_tested():
    model = quick_model(jit_compile=False)
    model.fit(ROWS, batch_size=3, verbose=0)
    model.optimizer.learning_rate = 0.0
    steps, loss = iterations(model), model.train_on_batch(ROWS[:5])[0]
    assert np.isfinite([loss, model.test_on_batch(ROWS[:5])[0]]).all()
    assert iterations(model) == steps + 1


def test_weights_and_validation_are_those_of_keras(small):
    vae, x, _ = small
    vae.compile(keras.optimizers.SGD(0.0), jit_compile=False)
    weight = np.arange(len(x), dtype=np.float32)
    options = {"batch_size": 5, "epochs": 2, "verbose": 0, "shuffle": False}
    history = vae.fit(x, sample_weight=weight, validation_data=x, **options).history
    assert np.isfinite(history["loss"]).all()
    # At a learning rate of 0 the model does not move, and its validation loss is the same twice.
    first, second = history["val_loss"]
    assert first == second == pytest.approx(vae.evaluate(x, batch_size=5, verbose=0)[0])


def test_a_fit_within_a_callback_leaves_the_one_around_it_its_validation():
    curves = []
    for eagerly in (False, True):
        keras.utils.set_random_seed(0)
        model = quick_model(run_eagerly=eagerly)
        found = []

        def train(epoch, logs, model=model):
            model.fit(ROWS[:6], batch_size=3, shuffle=False, verbose=0)

        def keep(epoch, logs, found=found):
            found.append((logs["loss"], logs["val_loss"]))

        within = keras.callbacks.LambdaCallback(on_epoch_begin=train, on_epoch_end=keep)
        options = {"epochs": 2, "batch_size": 3, "shuffle": False, "verbose": 0}
        model.fit(ROWS, validation_data=ROWS, callbacks=[within], **options)
        curves.append(np.ravel(found))

    assert len(curves[0]) == 4
    np.testing.assert_allclose(*curves, rtol=1e-5)


def test_an_epoch_takes_each_row_once_in_an_order_of_its_own():
    keys = iter([(1, 0), (1, 7), (1, 0)])
    source = batch_sources.IndexedArrays(zoo.grey(20), 3, lambda: next(keys))
    epochs = [list(source.next_pass()) for _ in range(3)]
    assert [len(batch) for batch in epochs[0]] == [3] * 6 + [2]
    first, second, again = (np.concatenate(epoch).tolist() for epoch in epochs)
    assert sorted(first) == sorted(second) == list(range(20))
    assert first != second
    assert first == again  # the order is of the key alone
    in_order = batch_sources.IndexedArrays(zoo.grey(5), 2)
    assert [batch.tolist() for batch in in_order.next_pass()] == [[0, 1], [2, 3], [4]]


@pytest.mark.parametrize("prefetched", [0, 2])
@pytest.mark.parametrize("batches", [1, 4, 7])
@pytest.mark.parametrize("steps", [1, 2, 4, 9])
def test_a_pass_over_an_uncounted_dataset_ends_once(steps, batches, prefetched):
    dataset = tf.data.Dataset.range(2 * batches - 1).batch(2).filter(lambda x: True)
    source = batch_sources.DatasetBatches(dataset, passes=3)
    source.prefetched = prefetched
    reader = EpochReader(source)
    for _ in range(3):
        reader.begin_epoch()
        taken = []
        while reader.has_more():
            taken += reader.take(steps)
        reader.end_epoch()
        assert np.concatenate(taken).tolist() == list(range(2 * batches - 1))


def test_a_dataset_is_not_read_more_often_than_there_are_epochs():
    read = []

    def examples():
        read.append(0)
        yield from zoo.grey(6)

    signature = tf.TensorSpec(zoo.SHAPE)
    dataset = tf.data.Dataset.from_generator(examples, output_signature=signature).batch(3)
    vae = grey_model(jit_compile=False)
    vae.fit(dataset, epochs=3, verbose=0)
    assert len(read) == 1 + 3  # once to be checked, and no more often than there are epochs
    assert int(vae.optimizer.iterations) == 3 * 2


def test_a_fit_that_is_stopped_leaves_a_dataset_to_the_next_one():
    class Stop(keras.callbacks.Callback):
        def on_train_batch_end(self, batch, logs=None):
            self.model.stop_training = True

    model = quick_model(jit_compile=False)
    dataset = tf.data.Dataset.from_tensor_slices(ROWS).batch(3).filter(lambda x: True)
    model.fit(dataset, epochs=3, verbose=0, callbacks=[Stop()])
    assert iterations(model) == 1
    model.fit(dataset, epochs=2, verbose=0)
    assert iterations(model) == 1 + 2 * BATCHES


@ON_A_CPU
@pytest.mark.xla
@pytest.mark.parametrize(
    "optimizer",
    [
        nightly(
            lambda: keras.optimizers.Adam(
                keras.optimizers.schedules.ExponentialDecay(1e-2, 2, 0.5), amsgrad=True
            ),
        ),
        nightly(
            lambda: keras.optimizers.Lion(
                1e-2, gradient_accumulation_steps=2, use_ema=True, clipnorm=1.0
            ),
        ),
    ],
)
def test_an_update_that_xla_compiles_alone_is_the_same_update(optimizer):
    x, found = np.random.default_rng(0).random((20, 8, 8, 1), np.float32), {}
    for jit_compile in ("auto", False):
        keras.utils.set_random_seed(0)
        likelihood = tfvae.likelihoods.ContinuousBernoulli()
        vae = tfvae.conv_vae((8, 8, 1), 2, (4,), 8, likelihood=likelihood, seed=0)
        vae.compile(optimizer(), jit_compile=jit_compile)
        first = vae.train_on_batch(x[:3])[0]  # before a `fit` has built the optimizer
        found[jit_compile] = [first, *vae.fit(x, batch_size=3, epochs=3, verbose=0).history["loss"]]
        assert bool(vae._runs.functions.made) == (jit_compile == "auto")
    assert found["auto"] == pytest.approx(found[False], rel=1e-5)
    assert len(set(found["auto"])) == 4


@pytest.mark.xla
@ON_A_CPU
def test_steps_are_compiled_by_how_many_rows_they_decode():
    iwae = tfvae.mlp_vae(zoo.SHAPE, 2, (8,), objective=tfvae.objectives.IWAE(50))
    iwae.compile()
    whole, between = iwae.compilation_plan(81), iwae.compilation_plan(82)
    assert whole.whole_step
    assert not between.whole_step
    assert between.between_networks
    assert iwae.compilation_plan(82, training=False) == whole
    conv = tfvae.conv_vae((8, 8, 1), 2, (4,), 8)
    conv.compile()
    assert [conv.compilation_plan(n).between_networks for n in (128, 4096)] == [False, True]
    for jit_compile, plan in ((True, xla.XLA), (False, xla.GRAPH)):
        iwae.compile(jit_compile=jit_compile)
        assert iwae.compilation_plan(1000) == plan
    iwae.compile()
    for batch_size in (3, 100):
        iwae.fit(zoo.binary(100), batch_size=batch_size, steps_per_epoch=1, verbose=0)
        plans = {key[0] for key in iwae.programs_of("train_step").functions()}
        assert plans == ({whole} if batch_size == 3 else {whole, between})


@pytest.mark.xla
def test_steps_compiled_between_networks_have_a_graphs_loss_curve_however_many_run_in_one_call(
    monkeypatch,
):
    monkeypatch.setattr(compilation_plan, "_MANY_LATENTS", 1)
    curves = []
    for steps, jit_compile in ((3, "auto"), (1, False)):
        vae = grey_model(steps_per_execution=steps, jit_compile=jit_compile)
        curves.append(vae.fit(zoo.grey(20), batch_size=3, epochs=4, verbose=0).history["loss"])
    assert curves[0] == pytest.approx(curves[1], rel=1e-4)
    assert len(set(curves[0])) == 4


@pytest.mark.xla
def test_what_was_chosen_is_said_once(caplog):
    model = quick_model()
    with caplog.at_level(logging.INFO, "tfvae"):
        for _ in range(2):
            model.fit(ROWS, batch_size=3, verbose=0)
    (said,) = [record.getMessage() for record in caplog.records if record.name == "tfvae"]
    assert "XLA" in said
    assert "6 of them" in said


@pytest.mark.parametrize("steps", [0, -1, 1.5, "many"])
def test_numbers_of_steps_that_cannot_be_are_refused(steps):
    with pytest.raises(tfvae.errors.InputError, match=matches("steps_per_execution")):
        grey_model(steps_per_execution=steps)


def test_more_work_in_a_step_means_fewer_steps_in_a_call(monkeypatch):
    monkeypatch.setattr(xla, "device", lambda: "CPU")  # a GPU takes no time for any of them

    def steps(vae, batch_size=128, examples=10**6):
        source = batch_sources.IndexedArrays(np.zeros((examples, 1), np.uint8), batch_size)
        return compilation_plan.choose_steps(vae, source)

    small, large = tfvae.mlp_vae(64, 8, (32,)), tfvae.mlp_vae(784, 32)
    convolutional = tfvae.conv_vae((28, 28, 1), 32)
    assert steps(small) > steps(large) > steps(convolutional) >= 1
    assert steps(large, batch_size=32) > steps(large)
    # Whole batches, so that the partial one waits for its own call.
    assert steps(small, examples=300) == 2


def test_the_work_of_a_network_is_counted():
    dense = tfvae.mlp_vae(10, 3, (7,)).encoder
    assert compilation_plan.forward_flops(dense) == 2 * (10 * 7 + 7 * 6)
    decoder = tfvae.conv_vae((8, 8, 1), 3, (5,), 7).decoder
    assert compilation_plan.forward_flops(decoder) == 2 * (3 * 7 + 7 * 80 + 4 * 4 * 5 * 16)


@pytest.mark.xla
def test_importance_sampling_is_compiled_once_for_any_seed_number_of_samples_and_data(monkeypatch):
    made, accumulator = [], evaluation._accumulator

    def recorded(*arguments):
        made.append(accumulator(*arguments))
        return made[-1]

    monkeypatch.setattr(evaluation, "_accumulator", recorded)
    vae, x = tfvae.mlp_vae((4,), 2, (8,), seed=0), zoo.binary(40, (4,))
    first = evaluation.log_likelihood(vae, x, 2000, seed=1)
    assert (evaluation.log_likelihood(vae, x, 2000, seed=2) != first).any()
    assert evaluation.log_likelihood(vae, x[::-1], 2000, seed=1).shape == (40,)
    assert evaluation.log_likelihood(vae, x, 2000, seed=1) == pytest.approx(first, abs=1e-4)
    assert [function.experimental_get_tracing_count() for function in made] == [1]
