"""The hooks by which the loop asks a model about its steps."""

import contextlib
from typing import TYPE_CHECKING, Any

import numpy as np

from tfvae.training import compilation_plan

if TYPE_CHECKING:
    import tensorflow as tf

    from tfvae.training.compiled_fit import CompiledFit


class LoopHooks:
    """Answers the loop for an ordinary Keras model. Other models have a subclass.

    Args:
        model: a `CompiledFit` model.
    """

    def __init__(self, model: "CompiledFit") -> None:
        """Keeps the model."""
        self.model = model

    def checked_fit(self, call: dict[str, Any]) -> dict[str, Any]:
        """Returns the arguments of `fit`, by name, after a check of the data.

        By default nothing is checked.
        """
        return call

    def checked_evaluate(self, call: dict[str, Any]) -> dict[str, Any]:
        """Returns the arguments of `evaluate`, by name, after a check of the data.

        By default nothing is checked.
        """
        return call

    def explained_errors(self) -> contextlib.AbstractContextManager[None]:
        """Returns a context that explains errors in the data; by default it does nothing."""
        return contextlib.nullcontext()

    def flops_per_example(self) -> int:
        """Returns the rough number of operations in a forward pass of one example."""
        return compilation_plan.forward_flops(self.model)

    def rows_per_example(self) -> int:
        """Returns how many rows of the largest matrix product come from one example."""
        return 1

    def order_seed(self) -> int:
        """Returns the seed of the order of examples; by default drawn by NumPy, as in Keras."""
        return int(np.random.randint(2**31))

    def loss_terms(self) -> tuple[str, ...]:
        """Returns the names of the loss terms whose values an `Alarm` reports."""
        return ()

    def description(self) -> str:
        """Returns in words what a model learns, which a checkpoint is compared by."""
        return type(self.model).__name__

    def counters(self) -> "tuple[tf.Variable, ...]":
        """Returns the variables that a step changes and that Keras does not track."""
        return ()
