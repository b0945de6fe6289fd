"""The exported model within the page of a run, from a disk, without a network, number by number."""

import json
import re
import shutil

import keras
import numpy as np
import pytest

import tfvae
from tests.app.test_report_page import report_of
from tests.browser.driving import browse, pixels
from tests.conftest import largest_difference
from tests.support.nightly import nightly
from tfvae.app.report_page import page as report_page
from tfvae.app.report_page import panels
from tfvae.app.run_folder import TFLITE
from tfvae.datasets import Dataset
from tfvae.export import Sampler, to_tflite
from tfvae.export.in_page import packed

pytestmark = pytest.mark.xdist_group("export")  # one process makes the files they share

SEED = 5
ROW = 8  # samples


def pictures(digits, digits_vae):
    return digits_vae, digits


def labelled(digits, digits_vae):
    keras.utils.set_random_seed(0)
    x, y = digits.x_test[:40], digits.y_test[:40]
    grey = tfvae.likelihoods.Bernoulli(dynamic_binarization=True)
    vae = tfvae.mlp_vae(digits.event_shape, 4, (16,), condition=10, likelihood=grey, seed=0)
    return vae, Dataset("labelled", x, x, y_train=y, y_test=y)


def colours(digits, digits_vae):
    """Of no range of their own."""
    x = np.random.default_rng(0).normal(size=(40, 6, 5, 3)).astype(np.float32)
    likelihood = tfvae.likelihoods.Normal(0.5)
    return tfvae.mlp_vae((6, 5, 3), 3, (8,), likelihood=likelihood, seed=0), Dataset("c", x, x)


def signals(digits, digits_vae):
    x = np.random.default_rng(0).normal(size=(40, 200, 2)).astype(np.float32)
    likelihood = tfvae.likelihoods.Normal(0.5)
    return tfvae.mlp_vae((200, 2), 3, (8,), likelihood=likelihood, seed=0), Dataset("s", x, x)


KINDS = {f.__name__: f for f in (pictures, labelled, colours, signals)}


@pytest.fixture(scope="session")
def made(node_modules, exported, digits, digits_vae, tmp_path_factory):
    """Makes the page of a model of a kind: its address, its model and a sampler of its file."""
    kept = {}

    def make(kind):
        if kind not in kept:
            kept[kind] = made_now(kind)
        return kept[kind]

    def made_now(kind):
        folder = tmp_path_factory.mktemp(kind)
        vae, dataset = KINDS[kind](digits, digits_vae)
        if vae is digits_vae:
            for end in ("tflite", "json"):
                shutil.copy(exported / f"batch_1.{end}", folder / f"decoder.{end}")
        else:
            to_tflite(vae, folder / TFLITE)
        report = report_of(vae, dataset)
        report["settings"]["seed"] = SEED
        page = folder / report_page.NAME
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(panels, "_of_kind", lambda kind: [panels._traversals])
            report_page.write(page, folder, report, vae, dataset, litert=node_modules)
        return page, vae, Sampler(folder / TFLITE)

    return make


def frames_of(page):
    """The range that the frames of a page were made with."""
    text = page.read_text(encoding="utf-8")
    found = re.search(r'<script type="application/json" id="frames">(.*?)</script>', text)
    return np.array(json.loads(found[1])["range"])


def check_shown(shown, x, limits):
    """A picture or lines beside the numbers they are of."""
    low, high = limits
    share = np.clip((x - low) / (high - low), 0, 1)
    if isinstance(shown, str):
        assert largest_difference(pixels(shown)[..., :3], 255 * share) <= 1
        return
    for channel, line in enumerate(shown):
        across, down = np.array([point.split(",") for point in line.split()], float).T
        times = np.unique(np.linspace(0, len(x) - 1, 128).astype(int))
        assert largest_difference(down, 100 * (1 - share[times, channel])) < 0.06
        assert (across[0], across[-1], len(across)) == (0, 200, 128)


@pytest.mark.parametrize(
    "kind",
    [
        "pictures",
        *(nightly(kind) for kind in ("signals", "colours")),
    ],
)
def test_the_page_shows_what_the_model_makes_of_the_sliders_latent(made, kind):
    page, vae, sampler = made(kind)
    z = np.random.default_rng(1).uniform(-2.5, 2.5, vae.latent_dim).astype(np.float32)
    walk = [
        {},
        {"set": {str(i): float(value) for i, value in enumerate(z)}},
        {"press": "others"},
        {"pick": 3},
        {"press": "back"},
    ]
    found = browse("live", page.as_uri(), steps=walk)
    begun, moved, redrawn, picked, back = found["steps"]
    limits = frames_of(page)

    assert [moved["latents"][str(i)] for i in range(len(z))] == pytest.approx(z, abs=1e-6)
    by_python = np.asarray(vae.decode(z[None]).mean())[0]
    assert largest_difference(sampler.decode(z[None])[0], by_python) < 1e-5
    check_shown(moved["moved"], by_python, limits)
    told = [float(text.replace("−", "-")) for text in moved["values"]]
    assert sorted(told) == pytest.approx(sorted(z), abs=0.006)

    x, latents = sampler.sample(2 * ROW, seed=SEED, return_latent=True)
    for step, first in ((begun, 0), (moved, 0), (redrawn, ROW), (picked, ROW)):
        for k, shown in enumerate(step["row"]):
            check_shown(shown, x[first + k], limits)
        assert step["drawn"].startswith(f"Samples {first + 1} to {first + ROW} of seed {SEED}.")
        assert step["names"][0] == f"Start from sample {first + 1}"
    check_shown(picked["moved"], x[ROW + 3], limits)
    at = [picked["latents"][str(i)] for i in range(len(z))]
    assert at == pytest.approx(latents[ROW + 3], abs=1e-6)

    assert back["latents"] == begun["latents"] and back["moved"] == begun["moved"]
    assert not found["frames"] and found["violations"] == []
    asked = {address for address in found["requests"] if not address.startswith("data:")}
    assert asked == {page.as_uri()}


@pytest.mark.nightly
def test_the_page_shows_a_label_or_each_in_turn(made):
    page, vae, sampler = made("labelled")
    z = np.float32([1.5, -1, 0.5, 2])
    moves = {str(i): float(value) for i, value in enumerate(z)}
    walk = [{"set": moves}, {"press": "others"}, {"label": 7}, {"pick": 2}, {"label": ""}]
    own, others, seven, picked, turn = browse("live", page.as_uri(), steps=walk)["steps"]
    limits, in_turn = frames_of(page), np.arange(2 * ROW) % 10
    x, latents = sampler.sample(2 * ROW, seed=SEED, y=in_turn, return_latent=True)
    sevens = sampler.sample(2 * ROW, seed=SEED, y=np.full(2 * ROW, 7))
    for step, expected in (
        (own, x[:ROW]),
        (others, x[ROW:]),
        (seven, sevens[ROW:]),
        (turn, x[ROW:]),
    ):
        for shown, each in zip(step["row"], expected, strict=True):
            check_shown(shown, each, limits)
    check_shown(seven["moved"], sampler.decode(z[None], y=[7])[0], limits)
    check_shown(picked["moved"], sevens[ROW + 2], limits)
    check_shown(turn["moved"], sampler.decode(latents[None, ROW + 2], y=[7])[0], limits)


@pytest.mark.parametrize("missing", ["WebAssembly", "DecompressionStream"])
def test_where_the_model_does_not_run_the_frames_stay(made, missing):
    page, _, _ = made("pictures")
    found = browse("frames", page.as_uri(), without=missing)
    assert (found["live"], found["frames"], found["moves"]) == (False, True, True)
    assert "does not run in this browser" in found["stopped"]


def test_a_file_that_the_sidecar_does_not_describe_is_not_run(made, exported, tmp_path):
    page, _, _ = made("pictures")
    own = packed((page.parent / TFLITE).read_bytes())
    other = packed((exported / "batch_5_16.tflite").read_bytes())
    text = page.read_text(encoding="utf-8")
    assert text.count(own) == 1
    (tmp_path / "page.html").write_text(text.replace(own, other), encoding="utf-8")
    found = browse("frames", (tmp_path / "page.html").as_uri())
    assert (found["live"], found["frames"], found["moves"]) == (False, True, True)
    assert "is not the file that" in found["stopped"]
