"""TensorFlow says of an operation where it was made: the calls of the user and of the pieces."""

import _thread
import contextlib
import importlib
import sys
import time

import keras
import numpy as np
import pytest
import tensorflow as tf

import tfvae
from tests.support import quick
from tfvae._keras import internals

X = np.ones([8, 3], np.float32)


@pytest.fixture(autouse=True)
def stacks():
    with quick.with_stacks():
        yield


class Refusing(keras.layers.Layer):
    """A user's layer that fails when it runs."""

    def call(self, inputs):
        tf.debugging.assert_less(inputs, 0.5, message="refused")
        return inputs


def model():
    encoder = keras.Sequential([keras.Input((3,)), Refusing(), keras.layers.Dense(4)])
    vae = tfvae.VAE(encoder, keras.Sequential([keras.Input((2,)), keras.layers.Dense(3)]))
    vae.compile("adam", jit_compile=False)
    return vae


def batches():
    yield (X,)


CALLS = {
    "arrays": lambda vae: vae.fit(X, batch_size=8, verbose=0),
    "dataset": lambda vae: vae.fit(tf.data.Dataset.from_tensors(X), verbose=0),
    "generator": lambda vae: vae.fit(batches(), steps_per_epoch=1, verbose=0),
    "evaluate": lambda vae: vae.evaluate(X, verbose=0),
    "evaluate-generator": lambda vae: vae.evaluate(batches(), steps=1, verbose=0),
    "log_likelihood": lambda vae: tfvae.evaluation.log_likelihood(vae, X, 2),
}


def message(call):
    with pytest.raises(tf.errors.InvalidArgumentError, match="refused") as found:
        CALLS[call](model())
    return str(found.value)


@pytest.mark.parametrize("call", CALLS)
def test_a_message_names_the_users_layer_and_not_the_loop(call):
    said = message(call)
    assert __file__ in said
    assert "keras/src/layers/layer.py" not in said
    assert "tfvae/training" not in said


def test_a_message_names_the_pieces_of_the_model():
    assert "tfvae/models/forward_pass.py" in message("arrays")


def test_what_calls_a_notebooks_cell_is_left_out(tmp_path, monkeypatch):
    (tmp_path / "ipykernel.py").write_text("def run_cell(cell):\n    cell()\n")
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delitem(sys.modules, "ipykernel", raising=False)
    kernel = importlib.import_module("ipykernel")
    vae = model()
    with pytest.raises(tf.errors.InvalidArgumentError) as found:
        kernel.run_cell(lambda: CALLS["arrays"](vae))
    monkeypatch.delitem(sys.modules, "ipykernel")
    assert __file__ in str(found.value) and "ipykernel.py" not in str(found.value)


@contextlib.contextmanager
def without_filtering():
    tf.debugging.disable_traceback_filtering()
    try:
        yield
    finally:
        tf.debugging.enable_traceback_filtering()


def test_all_calls_are_named_where_filtering_is_turned_off():
    with without_filtering():
        said = message("arrays")
    assert "keras/src/layers/layer.py" in said
    assert "tfvae/training" in said


@pytest.mark.xla
def test_no_stack_is_empty_whoever_calls():
    """XLA reads the last call of each operation, and ends the process where there is none."""
    program = internals.program(tf.sin, jit_compile=True)
    # The calls of a thread of this kind are those of TensorFlow alone.
    _thread.start_new_thread(program, (tf.zeros([3]),))
    until = time.monotonic() + 60
    while program.experimental_get_tracing_count() < 1 and time.monotonic() < until:
        time.sleep(0.01)

    # Waits for XLA, which reads the stacks as well; two at a time would wait for each other.
    np.testing.assert_allclose(program(tf.zeros([3])), 0.0)
    made = program.get_concrete_function(tf.TensorSpec([3]))
    assert program.experimental_get_tracing_count() == 1
    assert all(len(operation.traceback) > 0 for operation in made.graph.get_operations())
