"""Draws from an exported file: NumPy in, NumPy out, neither TensorFlow nor Keras."""

import copy
import threading
from pathlib import Path

import numpy as np

from tfvae.errors import invalid
from tfvae.export import sidecar
from tfvae.export.runtime import CompiledRuntime, InterpreterRuntime
from tfvae.seeds import as_int32, check_range


class Sampler:
    """A `.tflite` file and its sidecar, ready to draw.

    Sample number `i` under a seed is the same whatever the batch size of the file, the
    platform, or how often it was called. One sampler may be used by several threads, whose
    calls wait for each other; for calls side by side give each thread its own.

    Args:
        path: a `.tflite` with its `.json` beside it.
        compiled: run LiteRT's `CompiledModel` instead of its interpreter.

    Attributes:
        metadata: the sidecar's content.

    Raises:
        InputError: no file, no sidecar, or a file that is not the one the sidecar describes.
    """

    def __init__(self, path, *, compiled=False):
        metadata, model = sidecar.read(Path(path))
        self._start(model, metadata, compiled)

    @classmethod
    def from_bytes(cls, model, metadata, *, compiled=False):
        """A sampler of a file that has not been written yet."""
        sampler = cls.__new__(cls)
        sampler._start(model, metadata, compiled)
        return sampler

    def _start(self, model, metadata, compiled):
        self.metadata = metadata
        self._lock = threading.Lock()
        self._sizes = metadata["batch_sizes"]  # those used
        self._runtime = CompiledRuntime(model) if compiled else InterpreterRuntime(model)

    def of_batch(self, size):
        """The same sampler with one of the file's batch sizes only."""
        sampler = copy.copy(self)
        sampler._sizes = [size]
        return sampler

    def sample(self, n, seed=0, start=0, y=None, *, draw=False, return_latent=False):
        """Samples number `start ... start + n - 1` under `seed`: the mean of p(x|z), z ~ p(z).

        Args:
            n: how many.
            seed: -2^31 ... 2^32 - 1.
            start: number of the first sample.
            y: conditions `[n, ...]` of a conditional model.
            draw: draw x ~ p(x|z) instead of taking its mean; of the same z.
            return_latent: give `(x, z)`.

        Returns:
            x, float32 `[n, *event]`, or `(x, z)` with z `[n, D]`, a list of such for several layers.

        Raises:
            InputTypeError, InputError: a seed, count or start that leaves the stream.
        """
        seed = as_int32(seed)
        check_range(start, n, self.latent_size)
        pages = []
        for first, count, batch, suffix in self._pages(n):
            inputs = {
                "seed": np.array([seed], np.int32),
                "index": np.array([as_int32(start + first)], np.int32),
            }
            pages.append(
                self._run(("draw" if draw else "sample") + suffix, inputs, y, first, count, batch)
            )
        names = _latent_names(len(pages[0]) - 1)  # all outputs but x
        latents = [np.concatenate([page[name] for page in pages]) for name in names]
        x = np.concatenate([page["x"] for page in pages])
        return (x, latents[0] if len(latents) == 1 else latents) if return_latent else x

    def decode(self, z, y=None):
        """The mean of p(x|z), float32 `[n, *event]`, for z `[n, D]` (a list of such, for several layers).

        Raises:
            InputError: z of another latent size.
        """
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
        names = _latent_names(len(layers))
        pages = []
        for first, count, batch, suffix in self._pages(n):
            inputs = {
                name: _fill(part[first : first + count], batch) for name, part in zip(names, layers)
            }
            pages.append(self._run("decode" + suffix, inputs, y, first, count, batch)["x"])
        return np.concatenate(pages)

    def encode(self, x, y=None):
        """q(z|x) as the file gives it, `{"loc": [n, D], "scale": [n, D]}`, for x `[n, *event]`.

        Raises:
            InputError: x of another shape, or a file without its encoder.
        """
        return self._of_events("encode", {"x": x}, y)

    def reconstruct(self, x, y=None):
        """The mean of p(x|z) at the mean of q(z|x), `[n, *event]`. Errors as `encode`."""
        return self._of_events("reconstruct", {"x": x}, y)["x"]

    def interpolate(self, x_from, x_to, weights, y=None):
        """What lies between two examples `[*event]`, at shares `weights [n]` of the way: `[n, *event]`.

        Raises:
            InputError: as `encode`, or weights that are no vector.
        """
        weights = np.asarray(weights, np.float32)
        if weights.ndim != 1 or len(weights) == 0:
            raise invalid(
                "weights of shape [n]", f"shape {list(weights.shape)}", "pass np.linspace(0, 1, 9)"
            )
        ends = {
            name: np.asarray(x, np.float32)[None]
            for name, x in (("x_from", x_from), ("x_to", x_to))
        }
        repeated = {name: np.repeat(x, len(weights), axis=0) for name, x in ends.items()}
        return self._of_events("interpolate", {**repeated, "weight": weights}, y)["x"]

    def _of_events(self, name, inputs, y):
        if name not in self.metadata["signatures"]:
            raise invalid(
                f"a file with the signature {name}",
                f"{sorted(self.metadata['signatures'])}",
                "export with the encoder",
            )
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
        pages = []
        for first, count, batch, suffix in self._pages(len(next(iter(inputs.values())))):
            page = {
                key: _fill(value[first : first + count], batch) for key, value in inputs.items()
            }
            pages.append(self._run(name + suffix, page, y, first, count, batch))
        return {key: np.concatenate([page[key] for page in pages]) for key in pages[0]}

    @property
    def latent_size(self):
        """How many numbers of the stream one sample takes."""
        return sum(self.metadata["latent_sizes"])

    @property
    def _latent_sizes(self):
        size = self.metadata["latent_dim"]
        return size if isinstance(size, list) else [size]

    def _pages(self, n):
        """`(first, count, batch, suffix)`: the largest batch that fits, and a padded rest."""
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

    def _run(self, name, inputs, y, first, count, batch):
        if (y is None) != (self.metadata["condition_shape"] is None):
            raise invalid(
                "y for a conditional model, and none for any other",
                "no y" if y is None else "y",
                "pass y of one row per sample" if y is None else "leave y out",
            )
        if y is not None:
            y = np.asarray(y, np.dtype(self.metadata["condition_dtype"]))
            inputs = {**inputs, "y": _fill(y[first : first + count], batch)}
        with self._lock:
            outputs = self._runtime.run(name, inputs)
        return {k: v[:count] for k, v in outputs.items()}


def _latent_names(count):
    """What a file calls its layers of latents, in their order, which is not that of the alphabet from `z_10` on."""
    return ["z"] if count == 1 else [f"z_{i}" for i in range(count)]


def _fill(rows, batch):
    """`rows` repeated up to a static batch."""
    return rows[np.arange(batch) % len(rows)]
