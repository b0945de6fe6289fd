"""The calls of Keras beside `fit` and `evaluate`, with their arguments and data checked."""

from collections.abc import Sequence
from typing import Any, Literal

from tfvae._keras.backend import keras
from tfvae.errors import invalid
from tfvae.validation import call_numbers, calls, later_batches


class CheckedCalls:
    """Checks the arguments of `compile`, and the data of `predict` and of single batches.

    This is a mixin for `VAE`.

    In `predict` only conditions are checked, since what it returns shows what was wrong with x.
    """

    def compile(
        self, optimizer: str | keras.optimizers.Optimizer = "adam", *args: Any, **kwargs: Any
    ) -> None:
        """Configures the model for training, without a loss: the objective is the loss.

        Args:
            optimizer: a Keras optimizer, or its name.
            *args: refused unless None, since the next argument of Keras is a loss.
            **kwargs: `steps_per_execution`, `jit_compile`, `on_nonfinite`, `run_eagerly`, ...

        Raises:
            InputError: a loss, its weights or metrics, or a number of steps below 1.
        """
        calls.check_compile(args, kwargs)
        super().compile(optimizer, *args, **kwargs)  # type: ignore[misc]

    def predict(
        self,
        x: Any,
        batch_size: int | None = None,
        verbose: int | Literal["auto"] = "auto",
        steps: int | None = None,
        callbacks: Sequence[keras.callbacks.Callback] | None = None,
    ) -> Any:
        """Returns the reconstructions of x, as `keras.Model.predict`.

        Args:
            x: arrays, or a stream of batches; of a conditional model pairs `[x, y]`.
            batch_size: examples in a batch of arrays; 32 by default.
            verbose: 0 for silence, 1 for a progress bar, 2 for one line, or "auto".
            steps: batches to predict; by default those of one pass over the data.
            callbacks: Keras callbacks.

        Raises:
            InputError: conditions that do not fit the model or the examples.
        """
        call = {"batch_size": batch_size, "steps": steps, "callbacks": callbacks}
        call = call_numbers.checked(call)
        x = calls.of_predict(self, x)  # type: ignore[arg-type]
        with later_batches.explained():
            return super().predict(x, verbose=verbose, **call)  # type: ignore[misc]

    def predict_on_batch(self, x: Any) -> Any:
        """Returns the reconstructions of one batch, as `keras.Model.predict_on_batch`.

        Args:
            x: examples `[B, *event]`; of a conditional model a pair `[x, y]`.

        Raises:
            InputError: conditions that do not fit the model or the examples.
        """
        return super().predict_on_batch(calls.of_predict(self, x))  # type: ignore

    def train_on_batch(
        self, x: Any, y: Any = None, sample_weight: Any = None, *args: Any, **kwargs: Any
    ) -> Any:
        """Trains the model on one batch, as `keras.Model.train_on_batch`.

        Args:
            x: examples `[B, *event]`.
            y: conditions `[B, ...]` of a conditional model, else None.
            sample_weight: weights of the examples `[B]`, or None.
            *args: as `keras.Model.train_on_batch`.
            **kwargs: as `keras.Model.train_on_batch`.

        Raises:
            InputError: data that the model cannot learn from.
        """
        calls.check_batch(self, x, y, sample_weight)  # type: ignore[arg-type]
        return super().train_on_batch(x, y, sample_weight, *args, **kwargs)  # type: ignore[misc]

    def test_on_batch(
        self, x: Any, y: Any = None, sample_weight: Any = None, *args: Any, **kwargs: Any
    ) -> Any:
        """Evaluates the model on one batch, as `keras.Model.test_on_batch`.

        Args:
            x: examples `[B, *event]`.
            y: conditions `[B, ...]` of a conditional model, else None.
            sample_weight: weights of the examples `[B]`, or None.
            *args: as `keras.Model.test_on_batch`.
            **kwargs: as `keras.Model.test_on_batch`.

        Raises:
            InputError: data that the model cannot evaluate.
        """
        calls.check_batch(self, x, y, sample_weight)  # type: ignore[arg-type]
        return super().test_on_batch(x, y, sample_weight, *args, **kwargs)  # type: ignore[misc]

    def export(self, *args: Any, **kwargs: Any) -> None:
        """Refuses Keras' export, which knows one signature, and no seed of a sampler.

        Raises:
            InputError: always; the message has the functions to call.
        """
        del args, kwargs
        fix = (
            "call tfvae.export.to_saved_model(vae, folder) for a server, "
            "tfvae.export.to_tflite(vae, file) for phones, or vae.save(file) for Keras"
        )
        raise invalid("tfvae.export, which writes the sampler as well", "vae.export(...)", fix)
