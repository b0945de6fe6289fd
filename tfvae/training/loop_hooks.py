"""What the loop asks of a model."""

import contextlib

import numpy as np

from tfvae.training import compilation_plan


class LoopHooks:
    """The answers of an ordinary Keras model; one that knows better has a subclass.

    Args:
        model: a `CompiledFit` model.
    """

    def __init__(self, model):
        self.model = model

    def checked_fit(self, call):
        """Returns the arguments of `fit`, by name, once they have been checked."""
        return call

    def checked_evaluate(self, call):
        """Returns the arguments of `evaluate`, by name, once they have been checked."""
        return call

    def explained_errors(self):
        """Returns a context in which errors of the data are raised in words."""
        return contextlib.nullcontext()

    def flops_per_example(self):
        """Returns roughly the additions and multiplications of a forward pass of one example."""
        return compilation_plan.forward_flops(self.model)

    def rows_per_example(self):
        """Returns how many rows of the largest matrix product come from one example."""
        return 1

    def order_seed(self):
        """Returns the integer seed of the order of examples; by default drawn as Keras draws."""
        return int(np.random.randint(2**31))

    def loss_terms(self):
        """Returns the names of the terms of the loss, which an alarm tells."""
        return ()

    def counters(self):
        """Returns variables that a step changes and that Keras does not know."""
        return ()
