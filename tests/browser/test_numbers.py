"""What the page shows, number by number, beside what `Sampler` gives for the same question.

The pictures of a grid and the preview are read as the floats that the page draws, and as pixels.
"""

import numpy as np
import pytest

from tests.browser.driving import browse, cells, pixels
from tests.conftest import largest_difference
from tfvae.export import Sampler

pytestmark = pytest.mark.xdist_group("export")  # one process makes the files they share

COUNT = 16  # pictures of a grid


@pytest.fixture(scope="module")
def samplers(page_files):
    """A sampler of the very file of each page."""
    names = ("batch_5_16", "labels", "vectors", "colours", "single")
    return {name: Sampler(page_files / name / "model.tflite") for name in names}


def expected(sampler, seed, first=0, temperature=1.0, y=None):
    """The latents and the pictures of a grid: at a temperature, z times it, decoded."""
    x, z = sampler.sample(COUNT, seed=seed, start=first, y=y, return_latent=True)
    z = z * np.float32(temperature)
    return z, x if temperature == 1 else sampler.decode(z, y=y)


def check_pictures(step, x):
    """The floats of all pictures of a grid, and their pixels where they are pictures."""
    assert largest_difference(np.reshape(step["pictures"], x.shape), x) < 1e-5
    if x.ndim == 4:
        low, high = step["range"]
        levels = np.clip((x - low) / (high - low), 0, 1) * 255
        assert np.abs(cells(step["grid"], *x.shape[1:3]) - levels).max() <= 1


# Each step beside the seed, the first sample and the temperature that it leads to.
WALK = [
    ({"seed": 11}, (11, 0, 1)),
    ({"temperature": 0.5}, (11, 0, 0.5)),
    ({"next": 2}, (11, 32, 0.5)),
    ({"temperature": 2}, (11, 32, 2)),
    ({"temperature": 1}, (11, 32, 1)),
    ({"previous": 1}, (11, 16, 1)),
    ({"temperature": 0}, (11, 16, 0)),
    ({"seed": -3}, (-3, 0, 0)),
    ({"temperature": 0.5}, (-3, 0, 0.5)),
    ({"seed": 4294967295, "temperature": 1, "next": 1}, (4294967295, 16, 1)),
]


@pytest.mark.parametrize("name", ["batch_5_16", "colours"])
def test_the_grid_shows_the_samples_of_a_seed_a_page_and_a_temperature(pages, samplers, name):
    sampler = samplers[name]
    steps = browse("numbers", f"{pages}{name}/", steps=[step for step, _ in WALK])["steps"]
    seen = None
    for step, (_, (seed, first, temperature)) in zip(steps, WALK, strict=True):
        _, x = expected(sampler, seed, first, temperature)
        check_pictures(step, x)
        assert step["status"].startswith(f"Samples {first + 1}–{first + COUNT} of seed {seed},")
        if name == "batch_5_16":
            seen = [0, 1]  # of the likelihood
        elif temperature == 1:
            seen = [x.min(), x.max()]  # else the range stays, so that brightness can be compared
        assert step["range"] == pytest.approx(seen, abs=1e-5)


def test_a_page_of_samples_that_leaves_the_stream_of_the_seed_is_not_offered(pages):
    """A latent counted as 2^27 numbers, of which 2^32 have 32 samples."""
    walk = [{"seed": 0}, {"next": 1}, {"previous": 1}]
    steps = browse("numbers", f"{pages}end/", steps=walk)["steps"]
    assert [step["more"] for step in steps] == [True, False, True]


def test_the_grid_shows_the_samples_of_a_label_or_of_each_in_turn(pages, samplers):
    walk = [
        ({"seed": 11}, 0, 1, np.arange(16) % 10),
        ({"next": 1}, 16, 1, np.arange(16, 32) % 10),
        ({"label": 3}, 16, 1, np.full(16, 3)),
        ({"temperature": 0.6}, 16, 0.6, np.full(16, 3)),
        ({"label": 0}, 16, 0.6, np.zeros(16)),
        ({"label": "All"}, 16, 0.6, np.arange(16, 32) % 10),
        ({"previous": 1}, 0, 0.6, np.arange(16) % 10),
    ]
    steps = browse("numbers", f"{pages}labels/", steps=[step for step, *_ in walk])["steps"]
    for step, (_, first, temperature, y) in zip(steps, walk, strict=True):
        check_pictures(step, expected(samplers["labels"], 11, first, temperature, y)[1])


def test_the_grid_shows_the_samples_of_a_label_that_is_typed(pages, samplers):
    walk = [{"seed": 11}, {"next": 1}, {"number": 7}, {"temperature": 1.5}]
    steps = browse("numbers", f"{pages}numbered/", steps=walk)["steps"]
    for step, first, temperature, label in zip(steps, (0, 16, 0, 0), (1, 1, 1, 1.5), (0, 0, 7, 7)):
        y = np.full(16, label)
        check_pictures(step, expected(samplers["labels"], 11, first, temperature, y)[1])


def check_preview(step, sampler, z, y=None):
    """The picture at the sliders, in floats and in pixels."""
    x = sampler.decode(z[None], y=None if y is None else [y])[0]
    assert largest_difference(np.reshape(step["preview"], x.shape), x) < 1e-5
    assert np.abs(pixels(step["picture"])[..., :3] - x * 255).max() <= 1
    told = [float(text.replace("−", "-")) for text in step["sliders"]]
    assert told == pytest.approx(z[step["axes"]], abs=0.006)


def test_the_sliders_move_two_numbers_of_the_latent_of_a_picture(pages, samplers):
    sampler = samplers["batch_5_16"]
    walk = [
        {"seed": 11, "next": 1, "temperature": 0.5},
        {"base": 5},
        {"dimension0": 6, "dimension1": 2},
        {"slider0": 1.5},
        {"slider1": -2.25},
        {"dimension0": 2},  # which the other had: they swap
        {"slider0": 0.75},
        {"picked": 9},
        {"temperature": 1},
    ]
    steps = browse("numbers", f"{pages}batch_5_16/", steps=walk)["steps"]
    cool, warm = (expected(sampler, 11, 16, temperature)[0] for temperature in (0.5, 1))
    moved, swapped = cool[5].copy(), cool[5].copy()
    moved[[6, 2]] = 1.5, -2.25
    swapped[[6, 2]] = 1.5, 0.75
    half = np.where(np.arange(8) == 6, np.float32(1.5), cool[5])
    latents = [cool[0], cool[5], cool[5], half, moved, moved, swapped, cool[9], warm[9]]
    for step, z in zip(steps, latents, strict=True):
        check_preview(step, sampler, z)
    assert [step["axes"] for step in steps[2:]] == [[6, 2]] * 3 + [[2, 6]] * 4


def test_the_picture_at_the_sliders_has_the_label_of_its_picture(pages, samplers):
    walk = [{"seed": 11, "next": 1}, {"base": 6}, {"label": 8}]
    steps = browse("numbers", f"{pages}labels/", steps=walk)["steps"]
    by_turns = expected(samplers["labels"], 11, 16, y=np.arange(16, 32) % 10)[0]
    for step, k, y in zip(steps, (0, 6, 6), (6, 2, 8), strict=True):
        check_preview(step, samplers["labels"], by_turns[k], y)


def test_the_strongest_numbers_of_the_latent_are_offered_first(pages, samplers):
    """By how far the picture moves between 2 below and 2 above, at the first picture of seed 7."""
    sampler = samplers["batch_5_16"]
    (step,) = browse("numbers", f"{pages}batch_5_16/", steps=[{"temperature": 1}])["steps"]
    z = sampler.sample(1, seed=7, return_latent=True)[1]
    ends = [sampler.decode(z + sign * 2 * np.eye(8, dtype=np.float32)) for sign in (1, -1)]
    effects = np.sqrt(((ends[0] - ends[1]) ** 2).sum(axis=(1, 2, 3)))
    order = [option["value"] for option in step["dimensions"]]
    assert sorted(order) == list(range(8))
    assert (np.diff(effects[order]) < 1e-4).all()
    assert step["axes"] == order[:2]
    for option in step["dimensions"]:
        name = f"z[{option['value']}]"
        weak = effects[option["value"]] < 0.01 * effects.max()
        assert option["text"] == (f"({name})" if weak else name)


def test_a_latent_of_one_number_has_one_slider(pages, samplers):
    walk = [{"seed": 11}, {"slider0": 1.5}, {"base": 3}, {"slider0": -0.5}]
    steps = browse("numbers", f"{pages}single/", steps=walk)["steps"]
    z, _ = expected(samplers["single"], 11)
    for step, value in zip(steps, (z[0, 0], 1.5, z[3, 0], -0.5), strict=True):
        assert step["axesShown"] == [True, False]
        assert [option["value"] for option in step["dimensions"]] == [0]
        assert float(step["sliders"][0].replace("−", "-")) == pytest.approx(value, abs=5e-3)
        decoded = samplers["single"].decode(np.array([[value]], np.float32))[0]
        assert largest_difference(step["preview"], decoded) < 1e-5


def test_numbers_without_a_picture_are_drawn_as_bars_of_their_height(pages, samplers):
    (step,) = browse("numbers", f"{pages}vectors/", steps=[{"seed": 11}])["steps"]
    x = expected(samplers["vectors"], 11)[1]
    check_pictures(step, x)
    height, width = 120, 160
    shown = cells(step["grid"], height, width)
    low, high = min(x.min(), 0), max(x.max(), 0)

    def row(value):
        return height * (1 - (value - low) / (high - low))

    for bars, values in zip(shown, x):
        paper = bars[2, 0]  # left of the first bar
        for i, value in enumerate(values):
            column = bars[:, int((i + 0.5) * width / len(values))]
            drawn = np.flatnonzero((column != paper).any(axis=-1))
            top, bottom = sorted([row(value), row(0)])
            assert drawn.min() == pytest.approx(top, abs=1.5)
            assert drawn.max() + 1 == pytest.approx(bottom, abs=2)
