"""Writes images and histograms as TensorBoard reads them, by TensorFlow alone.

`tf.summary.image` and `tf.summary.histogram` are TensorBoard's, and absent where it is not
installed. What they write is a tensor whose metadata name the plugin that shows it.
"""

from typing import Any

import numpy as np
import tensorflow as tf

_BINS = 30
_TENSOR, _BLOBS = 2, 3  # of `DataClass`, in TensorFlow's summary.proto


def image(name: str, picture: np.ndarray, step: int) -> None:
    """Writes a picture with the writer that is the default.

    Args:
        name: its tag.
        picture: uint8 `[H, W, 1 or 3]`.
        step: the step.
    """
    height, width = picture.shape[:2]
    parts = [str(width), str(height), tf.io.encode_png(picture)]
    tf.summary.write(name, tf.stack(parts), step, _metadata("images", _BLOBS))


def histogram(name: str, values: np.ndarray, step: int) -> None:
    """Writes how often values fall into each of 30 bins, with the writer that is the default.

    Args:
        name: its tag.
        values: finite numbers, `[N]`.
        step: the step.
    """
    counts, edges = np.histogram(np.asarray(values, np.float64), _BINS)
    bins = np.stack([edges[:-1], edges[1:], counts], axis=1)  # [30, 3]
    tf.summary.write(name, tf.constant(bins), step, _metadata("histograms", _TENSOR))


def _metadata(plugin: str, kind: int) -> Any:
    found = tf.compat.v1.SummaryMetadata(data_class=kind)
    found.plugin_data.plugin_name = plugin
    return found
