"""Writes pictures, latents and the projector for TensorBoard, beside Keras' own callback."""

import os
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
import tensorflow as tf

from tfvae._files.places import local
from tfvae._keras.backend import keras
from tfvae.callbacks import summaries
from tfvae.datasets import is_signal
from tfvae.errors import InputTypeError, invalid
from tfvae.models.locations import locations, prepared
from tfvae.seeds import as_int32
from tfvae.validation import arguments

if TYPE_CHECKING:
    from pathlib import Path

_MOST = 1000  # examples that are encoded
_RUN = "pictures"  # the run beside Keras' `train` and `validation`
_COLUMNS = 8
_SIDE = 320  # pixels to which small pictures are enlarged, about
_THUMBNAIL = 32  # pixels a side of an example in the projector, at most
_LATENTS = 64  # of which there is a histogram each, at most


class TensorBoardPictures(keras.callbacks.Callback):
    """Writes samples, reconstructions, latents and the projector of a VAE for TensorBoard.

    `keras.callbacks.TensorBoard(log_dir)` writes the loss and its terms; this callback, given the
    same folder, writes what a VAE is looked at by into the run `pictures` beside it:

    - `samples`: the same latents decoded each time, so that one sees them change;
    - `reconstructions`: a row of examples, a row of their reconstructions, and so on;
    - `latents/0` and so on: a histogram of each latent's location over the examples, of at most
      64 latents; one that has collapsed is a spike at 0;
    - at the end of the training the projector: the locations of the examples with their labels
      and thumbnails.

    Nothing that it does changes the training. TensorBoard is needed to look at the files, not to
    write them.

    Args:
        log_dir: the folder, as that of `keras.callbacks.TensorBoard`.
        x: examples, `[N, *event]`, such as held-out ones; the first 1,000 are used.
        y: their conditions `[N, ...]`, of a conditional model, or None.
        labels: what the projector calls them, `[N]`; default y where that is `[N]`.
        count: samples and reconstructions in a picture.
        every: epochs between two writings.
        seed: seed of the samples.

    Raises:
        InputError: no examples, conditions or labels of another number, or numbers out of range.
        WriteError: a folder that is no place on this machine.
    """

    def __init__(
        self,
        log_dir: str | os.PathLike[str],
        x: npt.ArrayLike,
        y: npt.ArrayLike | None = None,
        labels: npt.ArrayLike | None = None,
        count: int = 64,
        every: int = 1,
        seed: int = 0,
    ) -> None:
        """Keeps the arguments; nothing is written before `fit`."""
        super().__init__()
        self.log_dir = local(log_dir)
        self.x = np.asarray(x, np.float32)[:_MOST]
        if self.x.ndim < 2 or not len(self.x):
            received = f"shape {list(self.x.shape)}"
            raise invalid("examples x [N, *event] to draw", received, "pass held-out examples")
        self.y = self._beside("y", y)
        self.labels = self._beside("labels", labels)
        if self.labels is None and self.y is not None and self.y.ndim == 1:
            self.labels = self.y
        self.count = arguments.whole_number("count", count, 1)
        self.every = arguments.whole_number("every", every, 1)
        self.seed = arguments.whole_number("seed", seed)
        as_int32(self.seed)
        self._writer: Any = None

    def _beside(self, name, values):
        """Returns values of the examples, of which there is one for each."""
        if values is None:
            return None
        found = np.asarray(values)[:_MOST]
        if found.ndim < 1 or len(found) != len(self.x):
            received = f"shape {list(found.shape)} for {len(self.x):,} examples"
            raise invalid(f"{name} [N, ...], one for each example", received, "pass as many")
        return found

    def set_model(self, model: keras.Model) -> None:
        """Takes the model that is trained.

        Raises:
            InputTypeError: a model that is no `tfvae.VAE`.
        """
        if not hasattr(model, "likelihood"):
            fix = "use keras.callbacks.TensorBoard alone"
            raise invalid("a tfvae.VAE to draw", type(model).__name__, fix, InputTypeError)
        super().set_model(model)

    def on_train_begin(self, logs: dict[str, Any] | None = None) -> None:
        """Checks that all can be drawn, and opens the file.

        Args:
            logs: not used.

        Raises:
            InputError: examples or conditions that the model does not take, or that are no
                pictures, signals or vectors.
        """
        self._draw(step=None)
        self._writer = tf.summary.create_file_writer(str(self.log_dir / _RUN))

    def on_epoch_end(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        """Writes pictures and histograms.

        Args:
            epoch: the number of the epoch, the step in TensorBoard.
            logs: not used.
        """
        if (epoch + 1) % self.every == 0 and self._writer is not None:
            with self._writer.as_default():
                self._draw(epoch)
                for i, latent in enumerate(self._locations().T[:_LATENTS]):
                    summaries.histogram(f"latents/{i}", latent, epoch)
            self._writer.flush()

    def on_train_end(self, logs: dict[str, Any] | None = None) -> None:
        """Writes the projector, and closes the file.

        Args:
            logs: not used.
        """
        write_projector(self.log_dir / _RUN, self._locations(), self.labels, self._thumbnails())
        if self._writer is not None:
            self._writer.close()
            self._writer = None

    def _draw(self, step):
        """Draws samples and reconstructions, and writes them unless the step is None."""
        from tfvae import plots

        vae: Any = self.model
        count = min(self.count, len(self.x)) if vae.condition_shape is not None else self.count
        y = None if vae.condition_shape is None or self.y is None else self.y[:count]
        samples = np.asarray(vae.sample(count, seed=self.seed, y=y))
        x = prepared(vae, self.x[: self.count])
        rebuilt = np.asarray(vae.reconstruct(x, None if y is None else y[: len(x)]))
        columns = min(_COLUMNS, len(x))
        pairs = plots.beside(x, rebuilt, columns)
        for name, examples in (("samples", samples), ("reconstructions", pairs)):
            sheet = plots.picture(examples, columns, vae.likelihood.value_range)
            if step is not None:
                summaries.image(name, _enlarged(sheet), step)

    def _locations(self):
        y = self.y if self.model.condition_shape is not None else None
        return locations(self.model, self.x, y)

    def _thumbnails(self):
        """Returns a small picture of each example, `[N, h, w]`, or None where it is no picture."""
        event = self.x.shape[1:]
        if len(event) not in (2, 3) or is_signal(event):
            return None
        low, high = self.model.likelihood.value_range or (self.x.min(), self.x.max())
        grey = self.x.reshape(*self.x.shape[:3], -1).mean(axis=-1)
        step = -(-max(event[:2]) // _THUMBNAIL)
        levels = np.clip((grey[:, ::step, ::step] - low) / max(high - low, 1e-12), 0, 1)
        return np.round(255 * np.nan_to_num(levels)).astype(np.uint8)


def write_projector(
    folder: "Path",
    vectors: np.ndarray,
    labels: np.ndarray | None = None,
    thumbnails: np.ndarray | None = None,
) -> None:
    """Writes vectors for TensorBoard's projector.

    Args:
        folder: the folder of a run.
        vectors: `[N, D]`.
        labels: `[N]`, or None.
        thumbnails: a grey picture of each, uint8 `[N, h, w]`, or None.
    """
    folder.mkdir(parents=True, exist_ok=True)
    np.savetxt(folder / "latents.tsv", vectors, fmt="%.6g", delimiter="\t")
    lines = ["embeddings {", '  tensor_name: "latents"', '  tensor_path: "latents.tsv"']
    if labels is not None:
        texts = [str(label).replace("\t", " ").replace("\n", " ") for label in labels]
        (folder / "labels.tsv").write_text("\n".join(texts) + "\n", encoding="utf-8")
        lines.append('  metadata_path: "labels.tsv"')
    if thumbnails is not None:
        sprite = _sprite(thumbnails)
        (folder / "sprite.png").write_bytes(tf.io.encode_png(sprite[..., None]).numpy())
        size = " ".join(f"single_image_dim: {side}" for side in thumbnails.shape[:0:-1])
        lines.append(f'  sprite {{ image_path: "sprite.png" {size} }}')
    (folder / "projector_config.pbtxt").write_text("\n".join([*lines, "}"]) + "\n", "utf-8")


def _sprite(thumbnails):
    """Returns small pictures in rows of a square, as the projector reads them."""
    count, height, width = thumbnails.shape
    side = int(np.ceil(np.sqrt(count)))
    sheet = np.zeros((side * side, height, width), np.uint8)
    sheet[:count] = thumbnails
    rows = sheet.reshape(side, side, height, width).transpose(0, 2, 1, 3)
    return rows.reshape(side * height, side * width)


def _enlarged(sheet):
    """Returns a picture `[h, w, c]`, of which each pixel is so large that it can be seen."""
    factor = max(1, _SIDE // max(sheet.shape[:2]))
    picture = sheet.repeat(factor, axis=0).repeat(factor, axis=1)
    return picture if picture.ndim == 3 else picture[..., None]
