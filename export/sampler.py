"""Draws from an exported file: NumPy in, NumPy out, neither TensorFlow nor Keras."""

import threading
from pathlib import Path

import numpy as np

from tfvae.errors import invalid
from tfvae.export import sidecar
from tfvae.stream_range import as_int32, check_range


class Sampler:
    """A `.tflite` file and its sidecar, ready to draw.

    Sample number `i` under a seed is the same whatever the batch size of the file, the
    platform, or how often it was called. Calls from several threads wait for each other.

    Args:
        path: a `.tflite` with its `.json` beside it.

    Attributes:
        metadata: the sidecar's content.

    Raises:
        InputError: no file, no sidecar, or a file that is not the one the sidecar describes.
    """

    def __init__(self, path):
        metadata, model = sidecar.read(Path(path))
        self._start(model, metadata)

    @classmethod
    def from_bytes(cls, model, metadata):
        """A sampler of a file that has not been written yet."""
        sampler = cls.__new__(cls)
        sampler._start(model, metadata)
        return sampler

    def _start(self, model, metadata):
        self.metadata = metadata
        self._lock = threading.Lock()
        self._interpreter = _interpreter(model)
        self._runners = {name: self._interpreter.get_signature_runner(name) for name in metadata["signatures"]}

    def sample(self, n, seed=0, start=0, y=None, *, return_latent=False):
        """Samples number `start ... start + n - 1` under `seed`: the mean of p(x|z), z ~ p(z).

        Args:
            n: how many.
            seed: -2^31 ... 2^32 - 1.
            start: number of the first sample.
            y: conditions `[n, ...]` of a conditional model.
            return_latent: give `(x, z)`.

        Returns:
            x, float32 `[n, *event]`, or `(x, z)` with z `[n, D]`.

        Raises:
            InputTypeError, InputError: a seed, count or start that leaves the stream.
        """
        seed = as_int32(seed)
        check_range(start, n, self.latent_size)
        pages = []
        for first, count, batch, suffix in self._pages(n):
            inputs = {"seed": np.array([seed], np.int32), "index": np.array([as_int32(start + first)], np.int32)}
            pages.append(self._run("sample" + suffix, inputs, y, first, count, batch))
        latents = [np.concatenate(parts) for parts in zip(*([p[k] for k in sorted(p) if k != "x"] for p in pages))]
        x = np.concatenate([page["x"] for page in pages])
        return (x, latents[0] if len(latents) == 1 else latents) if return_latent else x

    def decode(self, z, y=None):
        """The mean of p(x|z), float32 `[n, *event]`, for z `[n, D]` (a list of such, for several layers).

        Raises:
            InputError: z of another latent size.
        """
        layers = [np.asarray(part, np.float32) for part in (z if isinstance(z, (list, tuple)) else [z])]
        sizes = self._latent_sizes
        n = len(layers[0]) if layers[0].ndim else 0
        if n == 0 or [part.shape for part in layers] != [(n, size) for size in sizes]:
            shapes = [list(part.shape) for part in layers]
            raise invalid(f"z of shape {[['n', s] for s in sizes]}", f"{shapes}", "pass one row of latents per sample")
        names = ["z"] if len(layers) == 1 else [f"z_{i}" for i in range(len(layers))]
        pages = []
        for first, count, batch, suffix in self._pages(n):
            inputs = {name: _fill(part[first : first + count], batch) for name, part in zip(names, layers)}
            pages.append(self._run("decode" + suffix, inputs, y, first, count, batch)["x"])
        return np.concatenate(pages)

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
        sizes = self.metadata["batch_sizes"]
        first = 0
        while first < n:
            batch = max((s for s in sizes if s <= n - first), default=min(sizes))
            yield first, min(batch, n - first), batch, "" if batch == sizes[0] else f"_{batch}"
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
            outputs = self._runners[name](**inputs)
        return {k: v[:count] for k, v in outputs.items()}


def _fill(rows, batch):
    """`rows` repeated up to a static batch."""
    return rows[np.arange(batch) % len(rows)]


def _interpreter(model):
    try:
        from ai_edge_litert.interpreter import Interpreter
    except ImportError:
        try:
            import tensorflow
        except ImportError as error:
            raise invalid(
                "LiteRT to run the file with",
                "neither ai-edge-litert nor TensorFlow is installed",
                "pip install ai-edge-litert",
            ) from error
        Interpreter = tensorflow.lite.Interpreter
    return Interpreter(model_content=model)
