"""Shapes with known factors: what is drawn is what the table says."""

import hashlib

import numpy as np
import pytest

from tests.conftest import matches
from tfvae import datasets


@pytest.fixture(scope="module")
def shapes():
    return datasets.shapes()


def test_every_combination_is_there_once(shapes):
    counts = [len(values) for values in shapes.values]
    assert counts == [3, 4, 6, 7, 7]
    assert shapes.x.shape == (3528, 32, 32, 1)
    assert shapes.x.dtype == np.float32
    assert len(np.unique(shapes.factors, axis=0)) == 3528
    assert len(np.unique(shapes.x.reshape(3528, -1), axis=0)) == 3528


def test_a_shape_lies_where_its_factors_say(shapes):
    at = (np.arange(32) + 0.5) / 32
    mass = shapes.x.sum(axis=(1, 2, 3))
    across = (shapes.x.sum(axis=(1, 3)) * at).sum(axis=1) / mass
    down = (shapes.x.sum(axis=(2, 3)) * at).sum(axis=1) / mass
    for name, found in (("x", across), ("y", down)):
        column = shapes.names.index(name)
        wanted = np.array(shapes.values[column])[shapes.factors[:, column]]
        assert np.abs(found - wanted).max() < 0.01


def test_the_area_of_a_shape_is_its_own(shapes):
    """Squares of half side 0.8, half axes 1 and 1/2, a triangle of radius 1, by the scale."""
    areas = np.array([1.6**2, np.pi / 2, 3 * np.sqrt(3) / 4])
    scale = np.array(shapes.values[1])[shapes.factors[:, 1]]
    wanted = areas[shapes.factors[:, 0]] * scale**2
    assert shapes.x.mean(axis=(1, 2, 3)) == pytest.approx(wanted, rel=0.06)


def test_the_main_axis_of_an_ellipse_turns_with_its_orientation(shapes):
    rows = np.flatnonzero((shapes.factors[:, 0] == 1) & (shapes.factors[:, 1] == 3))
    at = (np.arange(32) + 0.5) / 32
    for row in rows[::7]:
        weights = shapes.x[row, ..., 0]
        wanted = shapes.values[2][shapes.factors[row, 2]]
        y, x = np.meshgrid(at, at, indexing="ij")
        spread = np.cov(np.stack([x.ravel(), y.ravel()]), aweights=weights.ravel())
        axis = np.linalg.eigh(spread)[1][:, 1]
        difference = (np.arctan2(axis[1], axis[0]) - wanted + np.pi / 2) % np.pi - np.pi / 2
        assert abs(difference) < 0.02


def test_the_pictures_stay_what_they_are(shapes):
    levels = np.round(shapes.x * 255).astype(np.uint8)
    assert hashlib.sha256(levels.tobytes()).hexdigest() == (
        "d52ee2b2c92a8e1464113a07472e1b6d0213977c2d1aef6c79655303a8605311"
    )


@pytest.mark.parametrize("wrong", [{"size": 7}, {"scales": 1}, {"positions": 2.5}])
def test_counts_out_of_range_are_refused(wrong):
    with pytest.raises(ValueError, match=matches(*wrong)):
        datasets.shapes(**wrong)
