"""Draws from an exported file with NumPy arrays, without TensorFlow and Keras."""

import os
import threading
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

import tfvae.export.call_arguments as call_arguments
import tfvae.export.runtime as runtime
import tfvae.export.schema as schema
import tfvae.export.sidecar as sidecar
from tfvae.errors import invalid, of_file
from tfvae.seeds import as_int32, check_range
from tfvae.validation import conditions, kinds


class Sampler:
    """Draws samples from a `.tflite` file.

    Sample number `i` of a seed is the same for every batch size and platform, and in every call.
    Several threads may use one sampler, and then their calls wait for each other. For calls in
    parallel, give each thread a sampler of its own.

    Args:
        path: a `.tflite` with its `.json` beside it.
        compiled: True to run LiteRT's `CompiledModel` instead of its interpreter.

    Attributes:
        metadata: the content of the sidecar.

    Raises:
        InputTypeError: no path, or a `compiled` that is neither True nor False.
        InputError: no file, no sidecar, a sidecar that is not this file's or lacks keys, a file
            that LiteRT refuses, or no LiteRT to run it with.
    """

    def __init__(self, path: str | os.PathLike[str], *, compiled: bool = False) -> None:
        """Reads the file, and checks it against its sidecar."""
        compiled = call_arguments.as_flag("compiled", compiled)
        path = call_arguments.as_path("path", path)
        metadata, model = sidecar.read(path)
        self._start(model, metadata, compiled, str(path))

    @classmethod
    def from_bytes(
        cls, model: bytes, metadata: dict[str, Any], *, compiled: bool = False
    ) -> "Sampler":
        """Returns a sampler of a file that has not been written yet.

        Args:
            model: the bytes of the `.tflite`.
            metadata: the content of its sidecar.
            compiled: True to run LiteRT's `CompiledModel` instead of its interpreter.

        Raises:
            InputError: no LiteRT to run it with.
        """
        sampler = cls.__new__(cls)
        sampler._start(model, metadata, compiled)
        return sampler

    def _start(self, model, metadata, compiled, name="the file"):
        self.metadata = metadata
        self._model, self._compiled, self._name = model, compiled, name
        self._lock = threading.Lock()
        self._sizes = metadata["batch_sizes"]  # the sizes in use, see `with_batch_size`
        of_y = metadata["condition_shape"], metadata["condition_dtype"]
        self._of_y = *of_y, metadata.get("num_classes")  # what `conditions.checked` asks for
        self._runtime, ports = runtime.opened(model, name, compiled)
        with of_file(f"{name} and its sidecar"):
            schema.check_file(metadata, ports)

    def __getstate__(self) -> dict[str, Any]:
        """Returns what a copy in this or another process needs: the bytes, not the runtime."""
        names = ("_model", "metadata", "_compiled", "_name", "_sizes")
        return {key: getattr(self, key) for key in names}

    def __setstate__(self, state: dict[str, Any]) -> None:
        """Loads the file again, so that a copy has a runtime of its own."""
        self._start(state["_model"], state["metadata"], state["_compiled"], state["_name"])
        self._sizes = state["_sizes"]

    def with_batch_size(self, size: int) -> "Sampler":
        """Returns a sampler of the same file that uses one of its batch sizes only.

        Args:
            size: the batch size. The two samplers share a runtime.

        Raises:
            InputError: a batch size that the file does not have.
        """
        if size not in self.metadata["batch_sizes"]:
            raise invalid(
                f"one of the batch sizes of the file, {self.metadata['batch_sizes']}",
                f"{size!r}",
                "choose one of them, or export the model with batch_size=...",
            )
        sampler = type(self).__new__(type(self))
        sampler.__dict__.update(self.__dict__)
        sampler._sizes = [size]
        return sampler

    def sample(
        self,
        n: int,
        seed: int = 0,
        start: int = 0,
        y: npt.ArrayLike | None = None,
        *,
        draw: bool = False,
        return_latent: bool = False,
    ) -> np.ndarray | tuple[np.ndarray, np.ndarray | list[np.ndarray]]:
        """Draws samples `start ... start + n - 1` of a seed: z ~ p(z), then the mean of p(x|z).

        Args:
            n: how many, from 1.
            seed: from -2^31 to 2^32 - 1.
            start: number of the first sample, from 0.
            y: conditions `[n, ...]` of a conditional model.
            draw: True to draw x ~ p(x|z) instead of taking its mean. z stays the same.
            return_latent: True to return z as well.

        Returns:
            x, float32 `[n, *event]`, or `(x, z)`. z is float32 `[n, D]`, or a list of such arrays
            if the model has several layers of latents.

        Raises:
            InputTypeError: a seed, count or start that is not a whole number.
            InputError: one outside its range, y for a model without conditions, or no y, or y
                that `VAE.sample` would refuse, or a file without the signature.
        """
        name = "draw" if draw else "sample"
        self._check_signature(name)
        size = self.latent_size
        seed = as_int32(seed)
        start, n = check_range(start, n, size)
        y = conditions.checked(y, *self._of_y, n)

        def inputs_of(first, count, batch):
            index = np.array([start + first], np.int64).astype(np.int32)  # the same 32 bits
            return {"seed": np.array([seed], np.int32), "index": index}

        found = self._run(name, inputs_of, n, y)
        latents = [found[name] for name in _latent_names(len(found) - 1)]  # all outputs but x
        x = found["x"]
        return (x, latents[0] if len(latents) == 1 else latents) if return_latent else x

    def decode(
        self, z: npt.ArrayLike | Sequence[npt.ArrayLike], y: npt.ArrayLike | None = None
    ) -> np.ndarray:
        """Decodes latents to the mean of p(x|z).

        Args:
            z: latents `[n, D]`, or a list of such arrays if the decoder takes several layers.
            y: conditions `[n, ...]` of a conditional model.

        Returns:
            x, float32 `[n, *event]`.

        Raises:
            InputError: z of another latent size or not finite, no rows, or y that is missing or not
                wanted.
        """
        self._check_signature("decode")
        layers = [
            np.asarray(part, np.float32) for part in (z if isinstance(z, (list, tuple)) else [z])
        ]
        sizes = self._latent_sizes
        n = len(layers[0]) if layers[0].ndim else 0

        if n == 0 or [part.shape for part in layers] != [(n, size) for size in sizes]:
            shapes = [list(part.shape) for part in layers]
            raise invalid(
                f"z of shape {[['n', s] for s in sizes]}",
                f"{shapes}",
                "pass one row of latents per sample",
            )
        for part in layers:
            kinds.check_finite(part, "z")

        y = conditions.checked(y, *self._of_y, n)
        rows = dict(zip(_latent_names(len(layers)), layers))
        return self._run("decode", _pages_of(rows), n, y)["x"]

    def encode(self, x: npt.ArrayLike, y: npt.ArrayLike | None = None) -> dict[str, np.ndarray]:
        """Encodes examples to the numbers that describe q(z|x).

        Args:
            x: examples `[n, *event]`.
            y: conditions `[n, ...]` of a conditional model.

        Returns:
            Arrays by name. Most posteriors have `loc` and `scale`, `[n, D]`: the mean and the
            standard deviation. The sidecar lists the names under `outputs`.

        Raises:
            InputError: x of another shape, a file without its encoder, or y that is missing or
                not wanted.
        """
        return self._of_events("encode", {"x": x}, y)

    def reconstruct(self, x: npt.ArrayLike, y: npt.ArrayLike | None = None) -> np.ndarray:
        """Computes the mean of p(x|z) at the mean of q(z|x).

        Args:
            x: examples `[n, *event]`.
            y: conditions `[n, ...]` of a conditional model.

        Returns:
            Reconstructions, float32 `[n, *event]`.

        Raises:
            InputError: as `encode`.
        """
        return self._of_events("reconstruct", {"x": x}, y)["x"]

    def interpolate(
        self,
        x_from: npt.ArrayLike,
        x_to: npt.ArrayLike,
        weights: npt.ArrayLike,
        y: npt.ArrayLike | None = None,
    ) -> np.ndarray:
        """Decodes latents on the way from one example to another.

        Args:
            x_from: the example at weight 0, `[*event]`.
            x_to: the example at weight 1, `[*event]`.
            weights: shares of the way, `[n]`.
            y: conditions `[n, ...]` of a conditional model.

        Returns:
            The means of p(x|z), float32 `[n, *event]`.

        Raises:
            InputError: weights that are no vector, else as `encode`.
        """
        weights = np.asarray(weights, np.float32)
        if weights.ndim != 1 or len(weights) == 0:
            raise invalid(
                "weights of shape [n]", f"shape {list(weights.shape)}", "pass np.linspace(0, 1, 9)"
            )
        kinds.check_finite(weights, "weights")

        ends = {
            name: np.asarray(x, np.float32)[None]
            for name, x in (("x_from", x_from), ("x_to", x_to))
        }
        repeated = {name: np.repeat(x, len(weights), axis=0) for name, x in ends.items()}
        return self._of_events("interpolate", {**repeated, "weight": weights}, y)["x"]

    def _of_events(self, name, inputs, y):
        """Checks the examples in `inputs`, and runs a signature of the encoder on them."""
        self._check_signature(name)
        event = self.metadata["event_shape"]
        inputs = {key: np.asarray(value, np.float32) for key, value in inputs.items()}
        for key, value in inputs.items():
            if key != "weight" and (
                value.ndim == 0 or list(value.shape[1:]) != event or len(value) == 0
            ):
                raise invalid(
                    f"{key} of shape [n, {', '.join(map(str, event))}]",
                    f"{list(value.shape)}",
                    "pass a batch of examples",
                )

        n = len(next(iter(inputs.values())))
        return self._run(name, _pages_of(inputs), n, conditions.checked(y, *self._of_y, n))

    def _check_signature(self, name):
        """Refuses a signature that the file does not have, with the reason if it is known."""
        if name not in self.metadata["signatures"]:
            reason = self.metadata.get("left_out", {}).get(name)
            raise invalid(
                f"a file with the signature {name}",
                reason or f"{sorted(self.metadata['signatures'])}",
                "define that method of the piece" if reason else "export with the encoder",
            )

    @property
    def latent_size(self) -> int:
        """The number of latents of one sample, all layers together."""
        return sum(self.metadata["latent_sizes"])

    @property
    def _latent_sizes(self):
        """The sizes of the latents that the decoder takes, one for each layer."""
        size = self.metadata["latent_dim"]
        return size if isinstance(size, list) else [size]

    def _pages(self, n: int) -> Iterator[tuple[int, int, int, str]]:
        """Cuts n rows into batches of the file: the largest that fits, and a padded rest.

        Yields:
            `(first row, count of rows, batch size, suffix of the signatures of that size)`.
        """
        first = 0
        while first < n:
            batch = max((s for s in self._sizes if s <= n - first), default=min(self._sizes))
            yield (
                first,
                min(batch, n - first),
                batch,
                "" if batch == self.metadata["batch_sizes"][0] else f"_{batch}",
            )
            first += batch

    def _run(self, name, inputs_of, n, y):
        """Runs a signature on n rows, page by page.

        Args:
            name: the signature.
            inputs_of: the function (first row, count, batch size) -> inputs of a page.
            n: the number of rows.
            y: checked conditions `[n, ...]`, or None.

        Returns:
            The outputs by name, `[n, ...]`.
        """
        calls, counts = [], []
        for first, count, batch, suffix in self._pages(n):
            inputs = inputs_of(first, count, batch)
            if y is not None:
                inputs["y"] = _fill(y[first : first + count], batch)
            calls.append((name + suffix, inputs))
            counts.append(count)

        try:
            with self._lock:
                return self._runtime.run_all(calls, counts)
        except (RuntimeError, ValueError) as error:  # of a graph that LiteRT cannot prepare
            raise runtime.unusable(self._name, error) from error


def _pages_of(rows):
    """Returns the function that cuts a page out of arrays `[n, ...]` by name."""

    def inputs_of(first, count, batch):
        return {name: _fill(part[first : first + count], batch) for name, part in rows.items()}

    return inputs_of


def _latent_names(count):
    """Returns the names that a file gives to its layers of latents, from the top.

    The outputs of a runtime are no guide: sorted by name, `z_10` would come before `z_2`.
    """
    return ["z"] if count == 1 else [f"z_{i}" for i in range(count)]


def _fill(rows, batch):
    """Repeats rows until they fill a batch."""
    return rows if len(rows) == batch else rows[np.arange(batch) % len(rows)]
