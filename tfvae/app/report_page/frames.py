"""Decodes the frames of the slider: what the model makes of values of its latents, beforehand."""

import base64
import io
from typing import TYPE_CHECKING, Any

import numpy as np

from tfvae.plots import cells, events, figures, rows

if TYPE_CHECKING:
    from tfvae.app.report_page.subject import Subject

_STEPS, _MOST_LATENTS = 25, 6
_MOST_PIXELS = 2**21  # of all frames
_POINTS = 128  # of a line
_SIZE = (200, 100)  # of a frame of lines


def of(found: "Subject") -> dict[str, Any] | None:
    """Returns the frames, as values for JSON and for the page.

    Args:
        found: what the page is about.

    Returns:
        `names` of the latents and `values` of the slider, and of pictures a `sprite`, the address
        of a picture with a row of frames for each latent, and its `cell`, width and height of a
        frame; of signals `lines`, points for each latent, value and channel; of rows `words` for
        each latent, value and column, and their `columns`. Of pictures and signals the `range` of
        the values drawn. None for a latent of classes, where nothing slides.
    """
    from tfvae.pieces import ONE_HOT, SIMPLEX
    from tfvae.plots import ways

    vae = found.vae
    if vae.posterior.support in (ONE_HOT, SIMPLEX):
        return None
    x, y = found.first(256)
    way = ways.traversed(vae, x, y, None, _steps(vae.event_shape), 3.0, 0)
    made, names = way.x[:_MOST_LATENTS], way.sides[:_MOST_LATENTS]
    told = {"names": names, "values": way.tops}
    if found.kind == events.ROWS:
        return {**told, **_words(events.features(vae), made)}
    look = cells.look_of(vae, made)
    return {**told, **(_lines if found.kind == events.SIGNALS else _sprite)(look, made)}


def _steps(shape):
    """Returns how many values a latent takes, an odd number; fewer of large pictures."""
    fitting = _MOST_PIXELS // (_MOST_LATENTS * int(np.prod(shape)))
    return max(5, min(_STEPS, fitting)) // 2 * 2 + 1


def _sprite(look, made):
    from PIL import Image

    frames = _bytes(look, made)  # [latents, steps, h, w, 3]
    latents, steps, height, width = frames.shape[:4]
    sheet = frames.swapaxes(1, 2).reshape(latents * height, steps * width, 3)
    file = io.BytesIO()
    Image.fromarray(sheet).save(file, format="PNG", optimize=True)
    address = f"data:image/png;base64,{base64.b64encode(file.getvalue()).decode()}"
    return {"sprite": address, "cell": [width, height], "range": look.range}


def _bytes(look, made):
    """Returns frames as colours, uint8 `[latents, steps, h, w, 3]`."""
    if look.kind == events.LABELS:
        import matplotlib

        colours = matplotlib.colormaps["viridis"](made.swapaxes(-1, -2))[..., :3]
        return np.round(255 * colours).astype(np.uint8)
    low, high = look.range
    unit = np.clip((made - low) / max(high - low, 1e-12), 0, 1)
    pixels = np.round(255 * unit).astype(np.uint8)
    pixels = pixels if pixels.ndim == 5 else pixels[..., None]
    return np.broadcast_to(pixels, (*pixels.shape[:4], 3))


def _lines(look, made):
    """Returns the points of lines, in a frame of `_SIZE`."""
    signals = made if made.ndim == 4 else made[..., None]
    chosen = np.unique(np.linspace(0, signals.shape[2] - 1, _POINTS).astype(int))
    low, high = look.range
    share = np.clip((signals[:, :, chosen] - low) / np.maximum(high - low, 1e-12), 0, 1)
    across = np.linspace(0, _SIZE[0], len(chosen))
    down = np.round(_SIZE[1] * (1 - share), 1)
    lines = [[_points(across, step) for step in latent] for latent in down]
    told = {"size": _SIZE, "colours": figures.COLOURS, "times": chosen.tolist()}
    return {"lines": lines, **told, "range": [low.tolist(), high.tolist()]}


def _points(across, step):
    """Returns the points of each channel of a signal, for a polyline."""
    channels = np.moveaxis(step, -1, 0)
    return [" ".join(f"{x:.0f},{y:.1f}" for x, y in zip(across, line)) for line in channels]


def _words(columns, made):
    words = [[_row(columns, step) for step in latent] for latent in made]
    return {"words": words, "columns": [column.name for column in columns]}


def _row(columns, step):
    """Returns the expected value of each column in words, the most probable of labels."""
    return [rows.column_word(column)(column.values(step[None])[0]) for column in columns]
