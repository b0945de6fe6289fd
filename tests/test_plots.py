"""Grids of examples."""

import numpy as np
import pytest
from PIL import Image

from tests.conftest import matches
from tfvae import plots


def test_a_grid_places_examples_in_rows_of_black_to_white():
    examples = np.stack([np.full((2, 3), v, np.float32) for v in (0.0, 0.5, 1.0)])
    sheet = plots.grid(examples, columns=2, value_range=(0, 1))
    assert sheet.shape == (2 * 3 + 1, 2 * 4 + 1)
    assert (sheet[1, 1], sheet[1, 5], sheet[4, 1], sheet[4, 5]) == (0, 128, 255, 255)


@pytest.mark.parametrize("shape", [(5, 4, 4), (5, 4, 4, 1), (5, 4, 4, 3), (5, 7), (1, 30)])
def test_images_and_vectors_can_be_drawn(tmp_path, shape):
    sheet = plots.grid(np.random.default_rng(0).normal(size=shape))
    plots.save_png(tmp_path / "grid.png", sheet)
    assert Image.open(tmp_path / "grid.png").mode == ("RGB" if shape[-1] == 3 else "L")


@pytest.mark.parametrize("shape", [(0, 4, 4), (5, 4, 4, 2), (5,), (1, 2, 3, 4, 5)])
def test_what_is_no_picture_is_refused(shape):
    with pytest.raises(ValueError, match=matches("examples")):
        plots.grid(np.zeros(shape))


def test_reconstructions_stand_below_their_originals():
    pairs = plots.beside(np.arange(5), np.arange(5) + 10, columns=3)
    assert list(pairs) == [0, 1, 2, 10, 11, 12, 3, 4, 13, 14]
