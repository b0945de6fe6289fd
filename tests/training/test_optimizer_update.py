"""How weights are updated: the optimizer's own numbers, in fewer passes."""

import contextlib

import keras
import numpy as np
import pytest
import tensorflow as tf

import tfvae
from tests.support import zoo
from tfvae.ops import xla
from tfvae.training import alarm, optimizer_update

SHAPES = (3, 5), (5,)
DECAY = keras.optimizers.schedules.ExponentialDecay(1e-2, 2, 0.5)
ADAMS = {
    "adam": lambda: keras.optimizers.Adam(DECAY, beta_2=0.99, epsilon=1e-4),
    "adamw": lambda: keras.optimizers.AdamW(1e-2, use_ema=True, clipnorm=1.0),
    "accumulating": lambda: keras.optimizers.Adam(1e-2, gradient_accumulation_steps=2),
}


def updated(optimizer, steps, one_pass):
    """The weights and the optimizer's variables after some steps of gradients, compiled."""
    weights = [keras.Variable(np.ones(shape, np.float32)) for shape in SHAPES]
    optimizer.build(weights)

    @tf.function
    def apply(gradients):
        with optimizer_update.adam_in_one_pass(optimizer) if one_pass else contextlib.nullcontext():
            optimizer.apply(gradients, weights)

    for gradients in steps:
        apply(gradients)
    assert "update_step" not in vars(optimizer)
    return [v.numpy() for v in (*weights, *optimizer.variables)]


@pytest.mark.parametrize("name", ADAMS)
def test_adam_in_one_pass_gives_keras_weights_and_moments(name):
    random = np.random.default_rng(0)
    steps = []
    for _ in range(4):
        steps.append([tf.constant(random.normal(size=shape), tf.float32) for shape in SHAPES])
    if name == "adam":  # Keras itself does not clip or accumulate an embedding's gradients
        rows = tf.IndexedSlices(tf.ones([2, 5]), tf.constant([0, 2]), tf.constant([3, 5]))
        steps.append([rows, steps[0][1]])
    ours, theirs = (updated(ADAMS[name](), steps, one_pass) for one_pass in (True, False))
    assert len(ours) == len(theirs)
    for found, expected in zip(ours, theirs):
        assert found == pytest.approx(expected, rel=1e-5, abs=1e-7)
    assert abs(ours[0] - 1).max() > 1e-2


def test_only_an_update_that_is_adams_is_taken_for_it():
    class Mine(keras.optimizers.Adam):
        def update_step(self, gradient, variable, learning_rate):
            self.assign_sub(variable, learning_rate * gradient)

    assert all(optimizer_update.is_adam(make()) for make in ADAMS.values())
    others = [Mine(), keras.optimizers.Adam(amsgrad=True), keras.optimizers.SGD()]
    scaling = keras.optimizers.LossScaleOptimizer(keras.optimizers.Adam())
    others += [keras.optimizers.Nadam(), scaling]
    assert not any(optimizer_update.is_adam(optimizer) for optimizer in others)


@pytest.mark.nightly
@pytest.mark.parametrize("watched", [True, False])
def test_a_loop_of_steps_copies_no_weights(watched, monkeypatch):
    if not watched:  # so that the test can fail
        always = lambda self, loss, gradients, limit: tf.constant(True)  # noqa: E731
        monkeypatch.setattr(alarm.Alarm, "is_clear", always)
    vae = tfvae.mlp_vae((24,), 3, (40, 56))
    vae.compile(jit_compile=True, steps_per_execution=4)
    vae.fit(zoo.binary(16, (24,)), batch_size=4, verbose=0)
    make = vae.programs_of("train_step")._make
    program = make(xla.XLA, None)
    ir = program.experimental_get_compiler_ir(tf.zeros([4, 4, 24]), tf.constant(4))
    copies = [line for line in ir(stage="optimized_hlo").splitlines() if " copy(" in line]
    copied = [line for line in copies if "f32[40,56]" in line or "f32[56,40]" in line]
    assert bool(copied) != watched
