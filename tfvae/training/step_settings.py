"""Settings of a model's steps: stated in `compile`, or chosen."""

from collections.abc import Callable, Hashable
from typing import TYPE_CHECKING, Any, Literal

from tfvae._keras import internals
from tfvae._keras.backend import keras
from tfvae.ops import xla
from tfvae.training import compilation_plan, replicas
from tfvae.training.traced_state import optimizer_state, traced_state

if TYPE_CHECKING:
    from tfvae.training.alarm import Alarm
    from tfvae.training.step_programs import StepPrograms

_Trainer: Any = keras.Model if TYPE_CHECKING else object


class StepSettings(_Trainer):
    """Tells how the steps of a `CompiledFit` model run, and gives their programs."""

    # Set by `CompiledFit`.
    loop_hooks: Any
    _choices: dict
    _runs: Any

    def traced_state(self) -> Hashable:
        """Returns a value that differs when a program traced from this model would differ."""
        return (*traced_state(self), optimizer_state(getattr(self, "optimizer", None)))

    @property
    def on_nonfinite(self) -> Literal["raise", "skip"]:
        """The treatment of a loss or gradient that is not finite, as given to `compile`."""
        return self._choices["on_nonfinite"]

    @property
    def alarm(self) -> "Alarm":
        """The `Alarm` of the steps."""
        return self._runs.alarm

    def programs_of(self, step: Literal["train_step", "test_step"]) -> "StepPrograms":
        """Returns the `StepPrograms` of the method `step`, ready for other data."""
        programs = self._runs.programs[step]
        programs.begin()
        return programs

    def training_programs(self) -> "StepPrograms":
        """Returns the `StepPrograms` of the training that runs."""
        return self._runs.programs["train_step"]

    def stated_steps(self) -> int | None:
        """Returns the number of steps in a call, as given to `compile`, or None for "auto"."""
        steps = self._choices["steps_per_execution"]
        return None if steps == "auto" else steps

    def compilation_plan(self, batch_size: int, training: bool = True) -> xla.CompilationPlan:
        """Returns the `CompilationPlan` of steps on batches of a size, as stated or chosen.

        Args:
            batch_size: examples in a batch.
            training: True for steps of training, False for an evaluation.
        """
        if replicas.strategy_of(self) is not None:
            return compilation_plan.REPLICAS
        if not self.may_choose_compiler():
            return compilation_plan.stated(self._choices["jit_compile"])

        if self._runs.refused_by_xla:
            return xla.CompilationPlan("a TensorFlow graph, since XLA cannot compile them")

        return compilation_plan.choose(
            self, batch_size * self.loop_hooks.rows_per_example() if training else 0
        )

    def may_choose_compiler(self) -> bool:
        """Returns True if `compile` was not told what compiles the steps."""
        return self._choices["jit_compile"] == "auto"

    def refuse_xla(self) -> None:
        """Stops XLA from compiling further programs of this model."""
        self._runs.refused_by_xla = True

    def loop_may_be_compiled(self) -> bool:
        """Returns True if XLA may compile the loop over steps, and not only each step."""
        return bool(xla.gpus() or not compilation_plan.has_convolution(self))

    def compiled_function(
        self, key: Hashable, make: Callable[[xla.CompilationPlan], Callable[..., Any]]
    ) -> Callable[..., Any]:
        """Returns a function that runs without training, compiled as the steps are.

        It is made anew when the attributes that it was traced from have changed. If XLA refuses
        it, it is made as a TensorFlow graph.

        Args:
            key: the values that it depends on beside the model.
            make: a function of a `CompilationPlan` that makes it.
        """
        return self._runs.functions_without_training.bound(key, make)

    def update_by_xla(self, update: Callable[[Any], None]) -> Callable[..., Any]:
        """Returns a function of gradients compiled by XLA, once for all programs of steps."""
        variables = tuple(id(variable) for variable in self.trainable_variables)
        key = (variables, optimizer_state(self.optimizer))
        return self._runs.functions.get(key, lambda: internals.program(update, jit_compile=True))
