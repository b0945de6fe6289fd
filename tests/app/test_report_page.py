"""The page of a run: every panel holds something, and nothing is asked of a server."""

import base64
import dataclasses
import hashlib
import io
import json
import re
from html.parser import HTMLParser
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
from PIL import Image

import tfvae
from tests.export.test_web import fake_install
from tests.support.nightly import nightly
from tfvae import likelihoods
from tfvae.app.report_page import page as report_page
from tfvae.app.report_page import panels, words
from tfvae.app.settings import Settings
from tfvae.datasets import Dataset, Table
from tfvae.evaluation import Report
from tfvae.export import web
from tfvae.plots import figures

pytestmark = pytest.mark.xdist_group("report page")  # one process makes what they share

NASTY = '<script>alert("1")</script> & $x^$'
EVALUATION = Report(
    40, 500, 0, 22.5, 0.25, -23.25, 0.5, 3.5, 0.125, 19.75, 0.375, 0.75, 0.0625, 0.5, 3, 4, None,
    effective_samples=120.0,
)  # fmt: skip
PARITY = {
    "samples": 64,
    "max_abs_error_x": 1e-6,
    "distortion_change_nats": 0.0,
    "distortion_measured_on": "64 samples",
}
RANDOM = np.random.default_rng(0)


def pictures():
    x = RANDOM.random((40, 6, 5, 3)).astype(np.float32)
    vae = tfvae.mlp_vae((6, 5, 3), 3, (8,), likelihood=likelihoods.Normal(0.5), seed=0)
    return vae, Dataset(NASTY, x, x, classes=(NASTY, "b"), y_test=np.arange(40) % 2)


def classes():
    """A conditional model of grey pictures."""
    x = RANDOM.random((40, 6, 6, 1)).astype(np.float32)
    likelihood = likelihoods.Bernoulli(dynamic_binarization=True)
    vae = tfvae.mlp_vae((6, 6, 1), 2, (8,), likelihood=likelihood, condition=3, seed=0)
    y = np.arange(40) % 3
    return vae, Dataset("labelled", x, x, y_train=y, y_test=y)


def signals():
    x = RANDOM.normal(size=(40, 32, 2)).astype(np.float32)
    likelihood = likelihoods.Normal(0.5)
    return tfvae.mlp_vae((32, 2), 4, (8,), likelihood=likelihood, seed=0), Dataset("waves", x, x)


def labels():
    """Sequences of labels."""
    x = np.eye(4, dtype=np.float32)[RANDOM.integers(0, 4, (40, 18))]
    likelihood = likelihoods.Categorical()
    return tfvae.mlp_vae((18, 4), 1, (8,), likelihood=likelihood, seed=0), Dataset("codes", x, x)


def rows():
    columns = {
        NASTY: RANDOM.normal(size=40),
        "income": np.exp(RANDOM.normal(size=40)),
        "job": RANDOM.choice(["clerk", "nurse", NASTY], 40),
        "smokes": RANDOM.choice(["yes", "no"], 40),
    }
    table = Table.of(pd.DataFrame(columns))
    x = table.to_array(pd.DataFrame(columns))
    return tfvae.table_vae(table, 4, (8,), seed=0), Dataset("people.csv", x, x, table=table)


KINDS = {f.__name__: f for f in (pictures, classes, signals, labels, rows)}
RARE = [nightly(name) for name in ("classes", "labels")]


def report_of(vae, dataset, **changes):
    settings = Settings(dataset.name, network="mlp", epochs=3, batch_size=8, out="runs/a")
    return {
        "settings": dataclasses.asdict(settings),
        "versions": {"tfvae": "0", "python": "3"},
        "evaluation": EVALUATION.to_dict(),
        "export": {"parity": PARITY},
        "data": {"note": "as given", "train": 40, "held_out": 40},
        "alarms": {"few": "40 examples to train on are few."},
        "history": {"loss": [3.0, 2.0, None], "rate": [1.0, 2.0, 2.5], "distortion": [3, 2, 1.5]},
        "seconds": {"all": 12.0},
        **changes,
    }


@pytest.fixture(scope="module", params=["pictures", "signals", "rows", *RARE])
def written(request, tmp_path_factory):
    folder = tmp_path_factory.mktemp("run")
    (folder / "decoder.tflite").write_bytes(b"1234567")
    vae, dataset = KINDS[request.param]()
    report = report_of(vae, dataset)
    report_page.write(folder / report_page.NAME, folder, report, vae, dataset)
    text = (folder / report_page.NAME).read_text(encoding="utf-8")
    return SimpleNamespace(kind=request.param, text=text, page=Page(text), dataset=dataset)


class Page(HTMLParser):
    """What a page holds: sections with their figures, addresses, scripts, and text."""

    def __init__(self, text):
        super().__init__()
        self.sections, self.figures, self.addresses, self.scripts = {}, [], [], 0
        self.words, self.ids, self._section = [], [], None
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        attrs = dict(attrs)
        self.scripts += tag == "script"
        self.ids += [attrs["id"]] if "id" in attrs else []
        if tag == "section":
            self._section = attrs["id"]
            self.sections[self._section] = {"svg": 0, "marks": 0, "words": 0, "images": []}
        found = self.sections.get(self._section, {})
        if tag in ("svg", "path", "use", "text", "image") and found:
            found["svg"] += tag == "svg"
            found["words"] += tag == "text"
            found["marks"] += any(colour in attrs.get("style", "") for colour in figures.COLOURS)
            if tag == "image":
                found["images"].append(attrs["xlink:href"])
        if attrs.get("role") == "img":
            self.figures.append(attrs["aria-label"])
        self.addresses += [attrs[key] for key in ("src", "href", "xlink:href") if key in attrs]

    def handle_endtag(self, tag):
        self._section = None if tag == "section" else self._section

    def handle_data(self, data):
        self.words.append(data)


def pixels(address):
    assert address.startswith("data:image/png;base64,")
    picture = Image.open(io.BytesIO(base64.b64decode(address.split(",")[1])))
    return np.asarray(picture.convert("RGB"), float)


EXPECTED = {
    "pictures": {"samples", "reconstructions", "traversals", "latent_map"},
    "classes": {"samples", "reconstructions", "traversals", "latent_map"},
    "signals": {"samples", "reconstructions", "traversals", "latent_map", "marginals"},
    "labels": {"samples", "reconstructions", "traversals", "latent_map"},
    "rows": {"samples", "reconstructions", "traversals", "latent_map", "marginals", "correlations"},
}


def test_no_panel_is_empty_and_no_picture_blank(written):
    sections = written.page.sections
    always = {"numbers", "files", "again", "training", "calibration", "weights", "activity"}
    assert set(sections) == EXPECTED[written.kind] | always
    drawn = {name: found for name, found in sections.items() if found["svg"]}
    assert set(drawn) == set(sections) - {"numbers", "files", "again"}
    for name, found in drawn.items():
        shown = found["marks"] + len(found["images"])  # axes alone have neither
        is_text = (written.kind, name) == ("rows", "samples")
        assert (found["words"] if is_text else shown) >= found["svg"], name
        if found["images"]:  # one picture may be of one colour, but not all of them
            assert max(pixels(image).std() for image in found["images"]) > 5, name
    shown = {"pictures": 64, "classes": 64, "labels": 16}.get(written.kind)
    if shown:
        assert len(sections["samples"]["images"]) == shown
    assert len(written.page.figures) == sum(found["svg"] for found in drawn.values()) - (
        written.kind == "signals"  # the slider's own
    )


def test_the_slider_has_a_frame_for_each_value_of_each_latent(written):
    found = re.search(r'<script type="application/json" id="frames">(.*?)</script>', written.text)
    told = json.loads(found[1])
    latents, steps = len(told["names"]), len(told["values"])
    assert latents == {"pictures": 3, "classes": 2, "labels": 1}.get(written.kind, 4)
    assert steps == 25
    if "sprite" in told:
        sheet = pixels(told["sprite"])
        width, height = told["cell"]
        assert sheet.shape == (latents * height, steps * width, 3)
        frames = sheet.reshape(latents, height, steps, width, 3)
        assert all(frames[i, :, 0].std() > 0 for i in range(latents))
        assert (frames[:, :, 0] != frames[:, :, -1]).any()
    else:
        frames = told.get("lines") or told["words"]
        assert [len(frames), len(frames[0])] == [latents, steps]
        assert frames[0][0] != frames[0][-1]


def test_the_page_needs_no_other_file_and_no_server(written):
    assert all(a.startswith(("#", "data:")) for a in written.page.addresses)
    assert "http:" not in written.text.replace("http-equiv", "") and "https:" not in written.text
    assert len(written.page.ids) == len(set(written.page.ids))


def test_what_comes_from_the_user_stays_text(written):
    assert written.page.scripts == 2  # the frames, and what shows them
    assert "<script>alert" not in written.text
    if written.kind in ("pictures", "rows"):
        # Not cut by the browser, nor read as a formula.
        assert "alert" in "".join(written.page.words)


def test_a_page_says_the_numbers_with_their_errors_and_the_alarms(written):
    text = "".join(written.page.words)
    for said in ("22.50 ± 0.25 nats", "-23.25 ± 0.50 nats", "3 of 4", "120 of 500", "0.500"):
        assert said in text
    assert "40 examples to train on are few." in text
    assert "tfvae train" in text and "decoder.tflite" in text and "7 bytes" in text


def test_a_run_without_history_or_data_gives_a_page_that_says_so(tmp_path, monkeypatch):
    monkeypatch.setattr(panels, "_of_kind", lambda kind: [panels._samples, panels._training])
    vae, dataset = classes()
    report = report_of(vae, dataset)
    del report["history"], report["seconds"]
    report_page.write(tmp_path / "a.html", tmp_path, report, vae, dataset)
    page = Page((tmp_path / "a.html").read_text(encoding="utf-8"))
    assert "training" not in page.sections and "samples" in page.sections
    assert "made before runs kept" in "".join(page.words)

    report_page.write(tmp_path / "b.html", tmp_path, report, vae, None, "The data are gone.")
    page = Page((tmp_path / "b.html").read_text(encoding="utf-8"))
    assert set(page.sections) == {"numbers", "left-out", "files", "again"}
    assert "The data are gone." in "".join(page.words)


@pytest.fixture(scope="module")
def install(tmp_path_factory):
    return fake_install(tmp_path_factory.mktemp("install"))


def page_with_model(kind, install, folder, monkeypatch):
    """The text of the page of a run with the exported model, the file of which is no model's."""
    monkeypatch.setattr(panels, "_of_kind", lambda kind: [panels._traversals])
    monkeypatch.setattr(web, "read_model", lambda path: ({}, path.read_bytes()))
    for name in ("decoder.tflite", "decoder.json"):
        (folder / name).write_text('{"a": "</script>"}')
    vae, dataset = KINDS[kind]()
    report = report_of(vae, dataset)
    report_page.write(folder / "a.html", folder, report, vae, dataset, litert=install)
    return (folder / "a.html").read_text(encoding="utf-8")


def policy_of(text):
    """The content-security policy of a page."""
    (found,) = re.findall(r'http-equiv="Content-Security-Policy" content="(.*?)"', text)
    return {name: rest for name, *rest in map(str.split, found.split(";"))}


def test_a_page_with_the_model_holds_all_it_needs_and_runs_no_other_script(
    install, tmp_path, monkeypatch
):
    text = page_with_model("classes", install, tmp_path, monkeypatch)
    page = Page(text)
    assert "left-out" not in page.sections
    assert all(a.startswith(("#", "data:")) for a in page.addresses)
    assert len(page.ids) == len(set(page.ids))

    # The parts that are text are no scripts to a browser.
    kinds = ("application/json", "text/plain")
    scripts = re.findall(r'<script(?: type="([^"]*)")?[^>]*>(.*?)</script>', text, re.DOTALL)
    assert [kind for kind, _ in scripts if kind not in kinds] == ["", "", "module"]
    run = [script.encode() for kind, script in scripts if kind not in kinds]
    hashes = [base64.b64encode(hashlib.sha256(each).digest()).decode() for each in run]
    policy = policy_of(text)
    assert policy["default-src"] == policy["base-uri"] == policy["form-action"] == ["'none'"]
    allowed = [*(f"'sha256-{digest}'" for digest in hashes), "'wasm-unsafe-eval'"]
    assert policy["script-src"] == allowed
    assert set(policy) == {"default-src", "img-src", "style-src", "script-src", "base-uri"} | {
        "form-action"
    }
    told = json.loads(re.search(r'id="told">(.*?)</script>', text)[1])
    assert sorted(told["order"]) == [0, 1] and told["classes"] == 3 and told["label"] == 0


def test_a_page_without_the_model_allows_one_script(written):
    assert len(policy_of(written.text)["script-src"]) == 1


@pytest.mark.parametrize(
    ("kind", "reason"), [("rows", "not rows of a table"), ("labels", "not sequences of labels")]
)
def test_a_page_that_cannot_have_the_model_says_why(kind, reason, install, tmp_path, monkeypatch):
    text = page_with_model(kind, install, tmp_path, monkeypatch)
    assert "The exported model, to be moved in the page: it shows pictures and signals" in text
    assert reason in text
    assert "wasm" not in text and 'id="slider"' in text


def test_without_data_there_is_nothing_to_start_from(install, tmp_path):
    vae, dataset = classes()
    report = report_of(vae, dataset)
    report_page.write(tmp_path / "a.html", tmp_path, report, vae, None, "Gone.", install)
    assert "it starts from a held-out example" in (tmp_path / "a.html").read_text(encoding="utf-8")


def test_exact_numbers_and_densities_are_said_to_be_so():
    found = {**EVALUATION.to_dict(), "exact": True, "bits_per_dim": None}
    said = {each.name: each for each in words.numbers(found)}
    assert "exact" in said["NLL"].says and "density" in said["bits per dimension"].says
    assert words.numbers({**found, "nll_stderr": None})[0].value == "22.50 nats"


def test_the_command_repeats_a_run():
    settings = {"data": "my data.npz", "seed": 3, "hidden": (8, 4), "out": "a b", "prior": None}
    assert words.command(settings, has_config=True).split(" --out")[0] == (
        "tfvae train --config 'a b/config.toml'"
    )
    assert words.command(settings, has_config=False) == (
        "tfvae train 'my data.npz' --seed 3 --hidden 8,4 --out AGAIN"
    )
