"""How the steps of a model are to run, as `compile` was told or as is chosen."""

from typing import TYPE_CHECKING, Any

import tensorflow as tf

from tfvae._keras.backend import keras
from tfvae.ops import xla
from tfvae.training import compilation_plan
from tfvae.training.traced_state import traced_state

_Trainer: Any = keras.Model if TYPE_CHECKING else object


class StepSettings(_Trainer):
    """What `CompiledFit` knows of the steps of a model, and keeps for them."""

    # Set by `CompiledFit`.
    loop_hooks: Any
    _choices: dict
    _runs: Any

    def traced_state(self):
        """Returns a hashable value that differs when a program traced from this model would."""
        return traced_state(self)

    @property
    def on_nonfinite(self):
        """What happens at a loss or gradient that is not finite, as given to `compile`."""
        return self._choices["on_nonfinite"]

    @property
    def alarm(self):
        """The `Alarm` of the steps."""
        return self._runs.alarm

    def programs_of(self, step):
        """Returns the `StepPrograms` of a method for one batch, such as "train_step"."""
        programs = self._runs.programs[step]
        programs.begin()
        return programs

    def stated_steps(self):
        """Returns the number of steps in a call as given to `compile`, or None where it is chosen."""
        steps = self._choices["steps_per_execution"]
        return None if steps == "auto" else steps

    def compilation_plan(self, batch_size, training=True):
        """Returns the `CompilationPlan` of steps on batches of a size, as stated or chosen."""
        if not self.may_choose_compiler():
            return compilation_plan.stated(self._choices["jit_compile"])
        if self._runs.refused_by_xla:
            return xla.CompilationPlan("a TensorFlow graph, since XLA cannot compile them")
        return compilation_plan.choose(
            self, batch_size * self.loop_hooks.rows_per_example() if training else 0
        )

    def may_choose_compiler(self):
        """Returns True if `compile` has not been told what compiles the steps."""
        return self._choices["jit_compile"] == "auto"

    def refuse_xla(self):
        """Has XLA compile no further programs of this model."""
        self._runs.refused_by_xla = True

    def loop_may_be_compiled(self):
        """Returns True if XLA may compile the loop over steps, and not each step alone."""
        return bool(xla.gpus() or not compilation_plan.has_convolution(self))

    def compiled_function(self, key, make):
        """Returns a function that runs without training, compiled as the steps are.

        It is made anew when what it was traced from has changed, and as a TensorFlow graph where
        XLA refuses it.

        Args:
            key: what it depends on beside the model, hashable.
            make: a function of a `CompilationPlan` that makes it.
        """
        return self._runs.functions_without_training.bound(key, make)

    def update_by_xla(self, update):
        """Returns `update`, a function of gradients, compiled by XLA, once for all programs of steps."""
        key = tuple(id(variable) for variable in self.trainable_variables)
        return self._runs.functions.get(
            key, lambda: tf.function(update, autograph=False, jit_compile=True)
        )
