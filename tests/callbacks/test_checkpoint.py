"""A training that is stopped anywhere goes on bit for bit, and from its own checkpoints alone."""

import logging
import signal

import keras
import numpy as np
import pytest
import tensorflow as tf

import tfvae
from tests.conftest import matches
from tests.support import stopping
from tests.support.nightly import nightly
from tests.support.on_disk import on_disk
from tests.support.stopping import Stop
from tfvae.callbacks import Checkpoint, Interrupted, checkpoint, file
from tfvae.errors import InputError, InputTypeError, WriteError
from tfvae.training import step_programs

pytestmark = pytest.mark.xdist_group("checkpoint")  # one process makes what they share

X = np.random.default_rng(0).random((64, 6)).astype(np.float32)


def model(seed=3, rate=0.05):
    """A model with everything that draws or remembers: dropout, binarization, a schedule."""
    keras.utils.set_random_seed(1)
    encoder = keras.Sequential(
        [keras.Input((6,)), keras.layers.Dense(8), keras.layers.Dropout(0.2), keras.layers.Dense(4)]
    )
    decoder = keras.Sequential([keras.Input((2,)), keras.layers.Dense(6)])
    likelihood = tfvae.likelihoods.Bernoulli(dynamic_binarization=True)
    vae = tfvae.VAE(encoder, decoder, likelihood=likelihood, seed=seed)
    vae.compile(keras.optimizers.Adam(rate), jit_compile=False, steps_per_execution=2)
    return vae


def dataset():
    tf.random.set_seed(1)  # which `shuffle` takes too
    return tf.data.Dataset.from_tensor_slices(X).shuffle(64, seed=2).batch(16, drop_remainder=True)


def of_unknown_length():
    """Three batches, of which the last call of an epoch takes one."""
    return tf.data.Dataset.from_tensor_slices(X).batch(24).filter(lambda x: True)


CALLS = {
    "arrays": lambda: {"x": X, "validation_split": 0.25, "batch_size": 16},
    "arrays on disk": lambda: {"x": on_disk(X), "validation_split": 0.25, "batch_size": 16},
    "passes that no epoch ends": lambda: {"x": X, "batch_size": 16, "steps_per_epoch": 3},
    "a shuffled dataset": lambda: {"x": dataset()},
    "a dataset of unknown length": lambda: {"x": of_unknown_length()},
    "a dataset that goes on": lambda: {"x": dataset().repeat(), "steps_per_epoch": 3},
}


def fit(call, *callbacks, epochs=4, **options):
    vae = model(**options)
    monitor = "val_loss" if "validation_split" in call else "loss"
    remembering = [
        keras.callbacks.ReduceLROnPlateau(monitor, 0.5, patience=1, min_delta=0.05),
        keras.callbacks.EarlyStopping(monitor, patience=3, restore_best_weights=True),
    ]
    vae.fit(**call, epochs=epochs, verbose=0, callbacks=[*callbacks, *remembering])
    return vae


def all_of(vae):
    """All that a training leaves in a model, and its history."""
    variables = [*vae.variables, *vae.optimizer.variables, *vae.loop_hooks.counters()]
    return [np.asarray(v) for v in variables], vae.history.history, vae.history.epoch


def is_same(one, other):
    arrays, *told = all_of(one)
    others, *also = all_of(other)
    return all(map(np.array_equal, arrays, others)) and told == also


@pytest.fixture(scope="module")
def alone():
    """Trainings that were never stopped, by call."""
    found = {}

    def of(name):
        if name not in found:
            found[name] = fit(CALLS[name]())
        return found[name]

    return of


@pytest.mark.parametrize(
    ("name", "count"),
    [
        nightly("arrays", 1),  # within the first epoch
        nightly("arrays", 3),  # at its end: two calls, the epoch
        ("arrays", 7),  # within the third
        # Where the order is that of arrays in memory.
        nightly("arrays on disk", 7),
        ("a shuffled dataset", 5),
        ("a dataset of unknown length", 2),  # right after its last batch
        nightly("passes that no epoch ends", 5),
        nightly("a dataset that goes on", 6),
    ],
)
def test_a_stopped_training_goes_on_bit_for_bit(tmp_path, alone, name, count):
    with stopping.after_checkpoints(count), pytest.raises(Stop):
        fit(CALLS[name](), Checkpoint(tmp_path, minutes=0))
    in_memory = alone(name.removesuffix(" on disk"))
    assert is_same(fit(CALLS[name](), Checkpoint(tmp_path)), in_memory)


def as_dataset(x, _):
    return {"x": tf.data.Dataset.from_tensor_slices(x).batch(16)}


@pytest.mark.xla
@pytest.mark.parametrize("data", [lambda x, size: {"x": x, "batch_size": size}, as_dataset])
def test_a_training_that_goes_on_before_a_last_batch_of_another_size_is_the_same(tmp_path, data):
    """XLA compiles the full batches, and a graph runs the last one, which comes first here."""

    x = np.random.default_rng(0).random((333, 6)).astype(np.float32)
    assert_goes_on_alike(lambda: data(x, 16), tmp_path)


def assert_goes_on_alike(data, folder, steps="auto"):
    """A training by XLA that is stopped after its first call ends as one that was not."""

    def train(*callbacks):
        keras.utils.set_random_seed(1)
        vae = tfvae.mlp_vae((6,), 16, (64, 64), likelihood=tfvae.likelihoods.Normal(0.1), seed=0)
        vae.compile(keras.optimizers.Adam(2e-3), jit_compile=True, steps_per_execution=steps)
        vae.fit(**data(), epochs=4, verbose=0, callbacks=[*callbacks])
        return vae

    with stopping.after_checkpoints(1), pytest.raises(Stop):
        train(Checkpoint(folder, minutes=0))
    assert is_same(train(Checkpoint(folder)), train())


@pytest.mark.xla
def test_what_xla_compiles_does_not_depend_on_where_a_training_was_stopped(tmp_path, monkeypatch):
    """Of batches of many sizes it compiles those that came first."""
    monkeypatch.setattr(step_programs, "_MAX_XLA_SHAPES", 1)

    def data():
        def batches():
            for start in range(0, 320, 32):
                yield rows[start : start + 18]
                yield rows[start + 18 : start + 32]

        spec = tf.TensorSpec([None, 6])
        return {"x": tf.data.Dataset.from_generator(batches, output_signature=spec)}

    rows = np.random.default_rng(0).random((320, 6)).astype(np.float32)
    assert_goes_on_alike(data, tmp_path, steps=1)


class StopAt(keras.callbacks.Callback):
    def on_epoch_end(self, epoch, logs=None):
        if epoch == 3:
            raise Stop


def damaged(path, how):
    data = path.read_bytes()
    broken = {
        "truncated": data[: len(data) // 2],
        "empty": b"",
        "altered": data[:-100] + bytes([data[-100] ^ 1]) + data[-99:],
        "foreign": b"no checkpoint",
    }
    path.write_bytes(broken[how])


@pytest.mark.nightly
def test_of_a_torn_checkpoint_the_one_before_is_used(tmp_path, alone, caplog):
    with pytest.raises(Stop):
        fit(CALLS["arrays"](), Checkpoint(tmp_path, epochs=1), StopAt())
    newest, before = checkpoint.numbered(tmp_path)
    damaged(newest, "truncated")
    with caplog.at_level(logging.INFO, logger="tfvae"):
        again = fit(CALLS["arrays"](), Checkpoint(tmp_path))
    assert f"{newest.name} to be a whole checkpoint" in caplog.text
    assert f"goes on from {before}" in caplog.text
    assert is_same(again, alone("arrays"))


@pytest.mark.parametrize("how", ["truncated", "empty", "altered", "foreign"])
def test_a_damaged_checkpoint_is_told_and_passed_over(tmp_path, caplog, how):
    for number in range(2):
        checkpoint.write_next(tmp_path, {"training": {}, "number": number}, [np.zeros(100)])
    newest, _ = checkpoint.numbered(tmp_path)
    damaged(newest, how)
    content, _ = checkpoint.newest(tmp_path, {})
    assert content["number"] == 0
    assert f"{newest.name} to be a whole checkpoint" in caplog.text


@pytest.fixture(scope="module")
def ended(tmp_path_factory):
    """The checkpoints of a training of two epochs."""
    folder = tmp_path_factory.mktemp("ended")
    fit(CALLS["arrays"](), Checkpoint(folder), epochs=2)
    return folder


@pytest.mark.parametrize(
    ("change", "word"),
    [
        ({"batch_size": 8}, "batch_size"),
        ({"x": X[::-1]}, "examples"),
        ({"x": on_disk(X[::-1])}, "examples"),
        ({"shuffle": False}, "shuffle"),
        ({"seed": 4}, "seed"),
        ({"rate": 0.01}, "optimizer"),
    ],
)
def test_a_checkpoint_of_another_training_is_refused(ended, change, word):
    options = {name: change.pop(name) for name in ("seed", "rate") if name in change}
    before = [path.read_bytes() for path in checkpoint.numbered(ended)]
    with pytest.raises(InputError, match=matches("of this training", f"other {word}")):
        fit(CALLS["arrays"]() | change, Checkpoint(ended), epochs=2, **options)
    assert [path.read_bytes() for path in checkpoint.numbered(ended)] == before


def test_a_checkpoint_of_other_data_on_disk_is_another_training(tmp_path):
    fit({"x": on_disk(X), "batch_size": 16}, Checkpoint(tmp_path), epochs=1)
    with pytest.raises(InputError, match=matches("of this training", "other examples")):
        fit({"x": on_disk(X[::-1]), "batch_size": 16}, Checkpoint(tmp_path), epochs=2)


def test_a_training_that_has_ended_trains_no_more_and_a_longer_one_goes_on(ended, monkeypatch):
    again = fit(CALLS["arrays"](), Checkpoint(ended), epochs=2)
    assert again.history.epoch == [0, 1]
    assert int(again.optimizer.iterations) == 2 * 3
    longer = fit(CALLS["arrays"](), Checkpoint(ended), epochs=3)
    assert longer.history.epoch == [0, 1, 2]


class Press(keras.callbacks.Callback):
    """Presses Ctrl-C at the start of the second epoch."""

    def __init__(self, times):
        super().__init__()
        self.times = times

    def on_epoch_begin(self, epoch, logs=None):
        for _ in range(self.times if epoch == 1 else 0):
            signal.raise_signal(signal.SIGINT)


@pytest.fixture
def python_handles_interrupts():
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler
    signal.signal(signal.SIGINT, before)


def test_ctrl_c_ends_a_training_after_its_step_and_a_second_one_at_once(
    tmp_path, alone, python_handles_interrupts
):
    with pytest.raises(Interrupted, match=r"stopped in epoch 2 .* goes on from there"):
        fit(CALLS["arrays"](), Checkpoint(tmp_path / "once"), Press(1))
    content, _ = file.read(checkpoint.numbered(tmp_path / "once")[0])
    assert (content["epoch"], content["done"]) == (1, 2)  # one call of two steps
    assert is_same(fit(CALLS["arrays"](), Checkpoint(tmp_path / "once")), alone("arrays"))

    with pytest.raises(KeyboardInterrupt) as raised:
        fit(CALLS["arrays"](), Checkpoint(tmp_path / "twice"), Press(2))
    assert not isinstance(raised.value, Interrupted)


def test_a_full_disk_ends_no_training(tmp_path, alone, monkeypatch, caplog):
    def fail(*_):
        raise WriteError("no room")

    monkeypatch.setattr(checkpoint, "write_next", fail)
    assert is_same(fit(CALLS["arrays"](), Checkpoint(tmp_path)), alone("arrays"))
    assert "goes on without this checkpoint. no room" in caplog.text


def test_the_last_two_are_kept_and_other_files_stay(tmp_path):
    (tmp_path / "checkpoint-notes.txt").write_text("mine")
    for _ in range(4):
        checkpoint.write_next(tmp_path, {}, [])
    names = sorted(path.name for path in tmp_path.iterdir())
    expected = ["checkpoint-000003.tfvae", "checkpoint-000004.tfvae", "checkpoint-notes.txt"]
    assert names == expected


def test_an_epoch_ends_in_a_checkpoint_where_that_costs_little(tmp_path, monkeypatch):
    """Saving takes a second, so the next checkpoint is 100 seconds later."""
    clock = iter([0.0, 0.0, 1.0, 100.9, 101.1])
    monkeypatch.setattr(checkpoint.time, "monotonic", lambda: next(clock))
    keeper = object.__new__(checkpoint._Keeper)
    keeper._checkpoint = Checkpoint(tmp_path, minutes=30)
    started, before, keeper._saved = (checkpoint.time.monotonic() for _ in range(3))
    keeper._cost = keeper._saved - before
    assert not keeper._is_due(5)
    assert keeper._is_due(6)
    assert keeper._limit() == 30 * 60
    keeper._checkpoint.minutes = 1
    assert keeper._limit() == 100
    keeper._checkpoint.epochs = 3
    assert keeper._is_due(8)  # whatever it costs


def test_what_cannot_be_resumed_exactly_is_refused(tmp_path):
    vae = model()
    with pytest.raises(InputError, match=matches("Keras' own loop", "Checkpoint")):
        vae.fit(lambda_data(), epochs=1, verbose=0, callbacks=[Checkpoint(tmp_path)])
    plain = keras.Sequential([keras.Input((6,)), keras.layers.Dense(1)])
    plain.compile(loss="mse")
    with pytest.raises(InputTypeError, match=matches("tfvae.VAE", "BackupAndRestore")):
        plain.fit(X, X[:, :1], verbose=0, callbacks=[Checkpoint(tmp_path)])
    assert list(tmp_path.iterdir()) == []


def lambda_data():
    yield from (X[:16], X[16:32])


@pytest.mark.parametrize("options", [{"minutes": -1}, {"epochs": 0}, {"epochs": 1.5}])
def test_arguments_out_of_range_are_refused(tmp_path, options):
    with pytest.raises((InputError, InputTypeError), match=matches()):
        Checkpoint(tmp_path, **options)


def test_a_file_comes_back_as_it_was_and_none_of_its_mutants_does(tmp_path):
    content = {"a": [1, None, {"b": 0.1}]}
    arrays = [np.arange(6.0).reshape(2, 3), np.array(7, np.int64), np.zeros((0, 2), np.uint32)]
    arrays.append(np.asarray(tf.constant([1.5, -2.0], tf.bfloat16)))
    path = tmp_path / "checkpoint-000001.tfvae"
    file.write(path, content, arrays)
    found, read = file.read(path)
    assert found == content
    for one, other in zip(arrays, read):
        assert (one.dtype, one.shape) == (other.dtype, other.shape)
        assert one.tobytes() == other.tobytes()

    data, rng = path.read_bytes(), np.random.default_rng(0)
    for i in rng.integers(0, len(data), 300):
        path.write_bytes(data[:i] + bytes([data[i] ^ (1 << rng.integers(8))]) + data[i + 1 :])
        with pytest.raises(file.DamagedCheckpointError, match=matches()):
            file.read(path)
        path.write_bytes(data[:i])
        with pytest.raises(file.DamagedCheckpointError, match=matches()):
            file.read(path)
