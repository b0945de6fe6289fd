"""What a browser makes of the page: that it works, and that it can be used."""

import re

import numpy as np
import pytest
from PIL import Image

from tests.browser.driving import browse, cells, pixels
from tests.conftest import largest_difference
from tests.support.nightly import nightly
from tfvae.export import Sampler, web

pytestmark = pytest.mark.xdist_group("export")  # one process makes the files they share


def test_the_browser_shows_the_samples_of_the_seed(pages, exported):
    found = browse("grid", f"{pages}batch_1/", seed=7)
    expected = Sampler(exported / "batch_1.tflite").sample(16, seed=7) * 255
    assert np.abs(cells(found["grid"], 8, 8) - expected).max() <= 1
    assert found["status"].startswith("Samples 1–16 of seed 7")
    assert all(url.startswith(("blob:", "data:", pages)) for url in found["requests"])


@pytest.mark.parametrize(
    ("name", "signature", "batch"), [("batch_1", "sample", 1), ("batch_5_16", "sample_16", 16)]
)
def test_the_browsers_numbers_are_those_of_the_sampler(pages, exported, name, signature, batch):
    draws = [(seed, start) for seed in (7, -3) for start in (0, 32)]
    inputs = [{"seed": [seed], "index": [start]} for seed, start in draws]
    found = browse("floats", f"{pages}{name}/", signature=signature, inputs=inputs)["outputs"]
    sampler = Sampler(exported / f"{name}.tflite")
    for (seed, start), outputs in zip(draws, found, strict=True):
        x, z = sampler.sample(batch, seed=seed, start=start, return_latent=True)
        assert largest_difference(np.reshape(outputs["z"], z.shape), z) < 2e-6
        assert largest_difference(np.reshape(outputs["x"], x.shape), x) < 1e-5


@pytest.mark.parametrize("name", ["labels", nightly("numbered"), "vectors"])
def test_every_control_does_something(pages, tmp_path, name):
    found = browse("controls", f"{pages}{name}/", download=str(tmp_path / "grid.png"))
    used = {
        "next",
        "previous",
        "seed",
        "temperature",
        "backAtOne",
        "base",
        "picked",
        "slider0",
        "slider1",
        "dimension0",
        "dimension1",
    }
    if name in ("labels", "numbered"):
        used |= {"label"}
    assert {key: found.get(key) for key in used} == dict.fromkeys(used, True)
    assert "z is multiplied by it" in found["note"]
    assert len(set(found["axes"])) == 2
    if name == "labels":
        assert found["buttons"] == ["All", *map(str, range(10))]
        assert found["pressed"] == ["3"]
    assert ("drawn as bars" in found["facts"]) == (name == "vectors")
    assert found["download"] == "samples-8-0.png"
    check_download(Image.open(tmp_path / "grid.png"), found["grid"], exact=name != "vectors")


def check_download(picture, grid, *, exact):
    """The file is the grid, each pixel enlarged, in a margin."""
    sheet = pixels(grid)
    height, width = sheet.shape[:2]
    factor = max(1, 640 // max(height, width))
    margin = (picture.width - factor * width) // 2
    middles = slice(margin + factor // 2, None, factor)
    saved = np.array(picture.convert("RGB"))[middles, middles][:height, :width]
    drawn = sheet[..., 3] == 255
    assert drawn.mean() > 0.7
    assert np.abs(saved.astype(int) - sheet[..., :3])[drawn].max() <= (0 if exact else 1)


@pytest.mark.parametrize(
    ("name", "what"),
    [
        ("layers", "has several layers"),
        ("sphere", "lies on a sphere"),
        ("classes", "is made of classes"),
    ],
)
def test_a_latent_that_is_no_vector_is_sampled_without_temperature_or_sliders(
    pages, tmp_path, name, what
):
    found = browse("controls", f"{pages}{name}/", download=str(tmp_path / "grid.png"))
    assert found["next"] and found["previous"] and found["seed"]
    assert "temperature" not in found and "slider0" not in found
    assert found["note"] == f"The latent of this model {what}: no temperature, and no sliders."


def test_the_page_is_usable_by_keyboard(pages):
    found = browse("keyboard", f"{pages}batch_1/")
    assert found["next"] and found["temperature"]
    assert found["outline"] == "solid"
    assert found["order"][0] == "seed"
    assert found["status"].startswith("Samples 17–32 of seed 7")
    assert found["value"] == "1.05"


def test_what_is_missing_is_said(pages):
    cases = [
        ({"without": "WebAssembly"}, "This browser has no WebAssembly"),
        ({"missing": "model.tflite"}, "model.tflite could not be loaded: the server answered 404"),
        ({"garbled": "model.tflite"}, "model.tflite is not the file that model.json describes"),
        ({"missing": "draw.js"}, "could not be loaded"),
        ({"missing": "litert/core/dist/index.js"}, "could not be loaded"),
        ({"missing": "litert/core/wasm/*"}, "could not be loaded"),
        ({"garbled": "model.json"}, "model.json is not JSON"),
    ]
    found = browse("problems", f"{pages}batch_1/", cases=[options for options, _ in cases])["cases"]
    for case, (_, words) in zip(found, cases, strict=True):
        assert words in case["problem"]
        assert (case["role"], case["app"]) == ("alert", False)


def test_the_page_works_from_the_public_address(pages, exported):
    found = browse("address", f"{pages}address/", seed=7)
    expected = Sampler(exported / "batch_1.tflite").sample(16, seed=7) * 255
    assert np.abs(cells(found["grid"], 8, 8) - expected).max() <= 1
    outside = [url for url in found["requests"] if not url.startswith((pages, "blob:", "data:"))]
    assert outside
    assert all(
        re.match(rf"https://cdn\.jsdelivr\.net/npm/@litertjs/[a-z-]+@{web.LITERT_VERSION}/", url)
        for url in outside
    )


def test_everything_fits_is_named_and_can_be_touched_at_any_width(pages, tmp_path):
    views = [
        {"name": "desktop", "width": 1100, "height": 760, "scheme": "light"},
        {"name": "phone", "width": 320, "height": 640, "scheme": "dark"},
    ]
    for model in ("labels", "numbered"):
        desktop, phone = browse("look", f"{pages}{model}/", views=views)["views"]
        for view in (desktop, phone):
            assert (view["overflow"], view["small"], view["unnamed"]) == (0, [], [])
        assert desktop["background"] != phone["background"]


def test_a_bad_sidecar_is_said_in_words(pages):
    cases = [
        ({"latent_sizes": "ABSENT"}, "latent_sizes is missing"),
        ({"batch_sizes": 1}, "batch_sizes is 1"),
        ({"value_range": [0], "prior": None}, "prior is null, value_range is [0]"),
        ({"batch_sizes": [6]}, "sample gives x of shape 1 × 8 × 8 × 1"),
        ({"batch_sizes": [1, 16]}, "sample_16 is not in the file"),
        ({"event_shape": [8, 9, 1]}, "sample gives x of shape 1 × 8 × 8 × 1"),
        ({"latent_sizes": [9]}, "its latent has other sizes"),
        ({"format_version": 2}, "has format 2"),
    ]
    options = [{"sidecar": changes} for changes, _ in cases]
    found = browse("problems", f"{pages}batch_1/", cases=options)["cases"]
    for case, (_, words) in zip(found, cases, strict=True):
        assert "model.json" in case["problem"] and words in case["problem"]
        assert (case["role"], case["app"]) == ("alert", False)


@pytest.mark.parametrize(
    "altered",
    ["core@2.5.3/dist/index.js", "wasm-utils@2.5.3/dist/index.js", "internal.js", ".wasm"],
)
def test_a_file_from_elsewhere_with_another_hash_is_not_run(pages, altered):
    found = browse("address", f"{pages}address/", errors=True, altered=altered)
    assert "could not be loaded" in found["problem"]


@pytest.mark.parametrize("name", ["batch_1", "labels"])
def test_the_policy_keeps_foreign_scripts_and_addresses_out(pages, name):
    found = browse("policy", f"{pages}{name}/", errors=True)
    assert (found["ran"], found["fetched"], found["moved"]) == (False, False, False)
    # By the page's own policy, and by the server's.
    assert sorted(set(found["violated"])) == ["base-uri", "connect-src", "script-src-elem"]
