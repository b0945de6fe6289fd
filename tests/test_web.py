"""The page: its folder, its server, and what a browser makes of it.

The browser tests need Node.js, Chromium and two npm packages, and are skipped where
TFVAE_NODE_MODULES and TFVAE_CHROMIUM do not name them. Where they are set, as in `.ci/run`,
nothing is skipped.
"""

import base64
import contextlib
import io
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import threading
import urllib.error
import urllib.request
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import tfvae
from tests.conftest import largest_difference, matches
from tfvae import serving
from tfvae.errors import InputError, InputTypeError
from tfvae.export import Sampler, to_web, web

pytestmark = pytest.mark.xdist_group("web")  # one process makes the files they share

PAGE = Path(__file__).parents[1] / "export" / "page"
ASSETS = {"index.html", "guard.js", "page.js", "model.js", "draw.js", "explore.js", "style.css", "icon.svg"}
DRIVER = Path(__file__).parent / "browser" / "drive.mjs"


# The folder


def names(folder):
    return {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}


def fake_install(folder, version=web.LITERT_VERSION, without=()):
    """An npm install as far as its files' names go."""
    for package, files in web._FILES.items():
        for file in files:
            path = folder / "@litertjs" / package / file
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(json.dumps({"version": version}) if file == "package.json" else "//")
    for file in without:
        (folder / "@litertjs" / file).unlink()
    return folder


def test_a_file_becomes_a_folder_with_page_model_and_sidecar(exported, tmp_path):
    metadata = to_web(exported / "batch_1.tflite", tmp_path / "page", title="Digits <8x8>")
    assert names(tmp_path / "page") == ASSETS | {"model.tflite", "model.json"}
    assert metadata == Sampler(tmp_path / "page" / "model.tflite").metadata
    assert (tmp_path / "page" / "model.tflite").read_bytes() == (exported / "batch_1.tflite").read_bytes()
    html = (tmp_path / "page" / "index.html").read_text(encoding="utf-8")
    assert "<title>Digits &lt;8x8&gt;</title>" in html
    assert "{{" not in html


def test_a_model_is_exported_for_one_picture_and_for_a_grid(digits_vae, tmp_path):
    metadata = to_web(digits_vae, tmp_path / "page", quantization="float16")
    assert metadata["batch_sizes"] == [1, 16]
    assert metadata["quantization"] == "float16"
    found = Sampler(tmp_path / "page" / "model.tflite").sample(16, seed=7)
    assert largest_difference(found, digits_vae.sample(16, seed=7)) < 1e-2


def test_the_page_names_one_public_address_with_its_version(exported, tmp_path):
    to_web(exported / "batch_1.tflite", tmp_path / "page")
    text = "".join(
        path.read_text(encoding="utf-8") for path in (tmp_path / "page").iterdir() if path.suffix in (".html", ".js", ".css")
    )
    assert set(re.findall(r"https?://[^\"'\s]+", text)) == {
        f"https://cdn.jsdelivr.net/npm/@litertjs/{package}@{web.LITERT_VERSION}/dist/index.js"
        for package in ("core", "wasm-utils")
    }


def test_with_an_install_the_page_names_no_address_and_holds_the_runtime(exported, tmp_path):
    (tmp_path / "project").mkdir()
    install = fake_install(tmp_path / "project" / "node_modules")
    for given in (install, tmp_path / "project"):
        to_web(exported / "batch_1.tflite", tmp_path / "page", litert=given)
        assert "https:" not in (tmp_path / "page" / "index.html").read_text(encoding="utf-8")
        assert {f"litert/{package}/{file}" for package, files in web._FILES.items() for file in files} <= names(tmp_path / "page")
        assert "litert/core/wasm/litert_wasm_compat_internal.wasm" in names(tmp_path / "page")


@pytest.fixture
def copies(exported, tmp_path):
    """A copy of the exported file and its sidecar, to damage."""
    for name in ("batch_1.tflite", "batch_1.json"):
        shutil.copy(exported / name, tmp_path / name)
    return tmp_path


def edit(path, **changes):
    path.write_text(json.dumps({**json.loads(path.read_text()), **changes}))


def test_what_is_no_model_is_refused_and_nothing_is_written(copies, digits):
    page = copies / "page"

    def refused(*words, error=InputError, source=copies / "batch_1.tflite", **options):
        with pytest.raises(error, match=matches(*words)):
            to_web(source, page, **options)
        assert not page.exists()
        assert not [path for path in copies.iterdir() if path.name.startswith(".")]

    refused("a .tflite file", "no such file", source=copies / "nothing.tflite")
    refused("tfvae.VAE", "ndarray", error=InputTypeError, source=digits.x_test)
    refused("a tfvae.VAE to quantize", "float16", quantization="float16")
    refused("node_modules", "no such folder", "npm install", litert=copies / "nowhere")
    refused("node_modules", "no @litertjs/core in it", litert=copies)
    refused("an install without core/dist/index.js", litert=fake_install(copies / "a", without=["core/dist/index.js"]))
    refused("an install without wasm-utils", litert=fake_install(copies / "b", without=["wasm-utils/dist/index.js"]))
    refused("or another 2.x", "version 0.2.1", litert=fake_install(copies / "c", version="0.2.1"))
    edit(copies / "batch_1.json", signatures={"encode": ["x"]})
    refused("signatures sample and decode", "none named decode or sample")
    edit(copies / "batch_1.json", signatures={"sample": [], "decode": []}, condition_shape=[3], condition_dtype="float32")
    refused("one whole-number label", r"shape \[3\]")
    edit(copies / "batch_1.json", sha256="0" * 64)
    refused("sha256")
    (copies / "batch_1.json").unlink()
    refused("sidecar")


def test_a_model_with_another_condition_is_refused_before_it_is_exported(digits, tmp_path):
    vae = tfvae.mlp_vae(digits.event_shape, 2, (4,), condition=(3,))
    with pytest.raises(InputError, match=matches("one whole-number label", "float32")):
        to_web(vae, tmp_path / "page")
    assert not list(tmp_path.iterdir())


def test_an_earlier_page_is_replaced_whole_and_any_other_folder_left_alone(exported, copies):
    page = copies / "page"
    to_web(exported / "batch_1.tflite", page, litert=fake_install(copies / "node_modules"))
    to_web(exported / "batch_5_16.tflite", page)
    assert names(page) == ASSETS | {"model.tflite", "model.json"}
    before = {path: path.read_bytes() for path in page.iterdir()}
    edit(copies / "batch_1.json", sha256="0" * 64)
    with pytest.raises(InputError):
        to_web(copies / "batch_1.tflite", page)
    assert {path: path.read_bytes() for path in page.iterdir()} == before
    (page / "CNAME").write_text("mine")
    with pytest.raises(InputError, match=matches("an earlier page", "CNAME", "choose another folder")):
        to_web(exported / "batch_1.tflite", page)
    assert (page / "CNAME").read_text() == "mine"


def test_writing_a_page_of_a_file_needs_no_tensorflow(exported, tmp_path):
    program = (
        "import sys; from tfvae.export import to_web; from tfvae import serving\n"
        "to_web(sys.argv[1], sys.argv[2]); assert serving.web.is_page(sys.argv[2])\n"
        "assert 'tensorflow' not in sys.modules and 'keras' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", program, exported / "batch_1.tflite", tmp_path / "page"], check=True)


# The server


@contextlib.contextmanager
def served(folder):
    """The address of a folder, as `tfvae demo` serves it."""
    with serving.server_of(folder) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        try:
            yield f"http://{serving.HOST}:{server.server_port}/"
        finally:
            server.shutdown()


def test_every_file_has_the_type_that_browsers_insist_on(exported, tmp_path):
    to_web(exported / "batch_1.tflite", tmp_path / "page", litert=fake_install(tmp_path / "node_modules"))
    (tmp_path / "page" / "x.mjs").write_text("")
    expected = {
        "": "text/html",
        "page.js": "text/javascript",
        "x.mjs": "text/javascript",
        "style.css": "text/css",
        "model.json": "application/json",
        "model.tflite": "application/octet-stream",
        "litert/core/wasm/litert_wasm_internal.wasm": "application/wasm",
    }
    with served(tmp_path / "page") as address:
        for path, kind in expected.items():
            with urllib.request.urlopen(address + path) as response:
                assert response.headers["Content-Type"].split(";")[0] == kind
        for path in ("litert/", "nothing"):
            with pytest.raises(urllib.error.HTTPError, match="404"):
                urllib.request.urlopen(address + path)


@pytest.fixture
def run_folder(exported, tmp_path):
    """As much of a run as `demo` reads."""
    folder = tmp_path / "my run"
    folder.mkdir()
    for end in ("tflite", "json"):
        shutil.copy(exported / f"batch_1.{end}", folder / f"decoder.{end}")
    return folder


@pytest.mark.parametrize("kind", ["run", "file", "page"])
def test_demo_serves_on_loopback_until_it_is_interrupted(run_folder, tmp_path, kind):
    source = {"run": run_folder, "file": run_folder / "decoder.tflite", "page": tmp_path / "page"}[kind]
    if kind == "page":
        to_web(run_folder / "decoder.tflite", source)
    command = [sys.executable, "-m", "tfvae", "demo", str(source), "--no-browser"]
    environment = {**os.environ, "PYTHONUNBUFFERED": "1", "TMPDIR": str(tmp_path)}
    before = sorted(tmp_path.iterdir())
    process = subprocess.Popen(
        command,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=environment,
        # A shell has what it starts in the background ignore the interrupt, as it may have started these tests.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )
    try:
        address = re.search(r"http://127\.0\.0\.1:\d+/", process.stdout.readline())[0]
        html = urllib.request.urlopen(address).read().decode()
        assert ("<h1>Samples of my run</h1>" if kind != "page" else "<h1>Samples</h1>") in html
    finally:
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=20)
    assert (process.returncode, out.strip(), err) == (0, "Ended.", "")
    assert sorted(tmp_path.iterdir()) == before


def test_demo_refuses_what_it_cannot_serve(run_folder, tmp_path):
    to_web(run_folder / "decoder.tflite", tmp_path / "page")
    for source, options, words in (
        (tmp_path / "nothing", {}, ["a page, a run"]),
        (tmp_path / "page", {"litert": tmp_path}, ["leave --litert out"]),
        (run_folder, {"litert": tmp_path}, ["npm install"]),
    ):
        with pytest.raises(InputError, match=matches(*words)), serving.page_of(source, **options):
            pass
    with serving.server_of(run_folder) as server, pytest.raises(InputError, match=matches("a free port")):
        serving.server_of(run_folder, server.server_port)


# The browser


@pytest.fixture(scope="session")
def node_modules():
    """The npm install; skips where neither it nor Chromium is named."""
    named = {name: os.environ.get(name) for name in ("TFVAE_NODE_MODULES", "TFVAE_CHROMIUM")}
    if not any(named.values()):
        pytest.skip("no browser: set TFVAE_NODE_MODULES (with @litertjs/core and playwright-core) and TFVAE_CHROMIUM")
    assert named["TFVAE_CHROMIUM"] and Path(named["TFVAE_CHROMIUM"]).is_file(), "TFVAE_CHROMIUM names no file"
    assert named["TFVAE_NODE_MODULES"] and Path(named["TFVAE_NODE_MODULES"], "playwright-core").is_dir(), "no playwright-core"
    assert shutil.which("node"), "no Node.js"
    return Path(named["TFVAE_NODE_MODULES"])


def browse(scenario, address, **options):
    """What a scenario of `browser/drive.mjs` found, without an error on the console."""
    command = ["node", str(DRIVER), scenario, address, json.dumps(options)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert "failed" not in found, found
    assert found["errors"] == []
    return found


@pytest.fixture(scope="module")
def pages(node_modules, exported, digits, tmp_path_factory):
    """The server of one folder with a page of each kind of model, in the offline form."""
    folder = tmp_path_factory.mktemp("pages")
    conditional = tfvae.mlp_vae(digits.event_shape, 4, (16,), condition=10, seed=0)
    layers = tfvae.hierarchical_vae(digits.event_shape, (4, 2), seed=0)
    vectors = tfvae.mlp_vae((6,), 3, (8,), likelihood=tfvae.likelihoods.Normal(0.5), seed=0)
    for name, model in {"labels": conditional, "layers": layers, "vectors": vectors}.items():
        tfvae.export.to_tflite(model, folder / "files" / f"{name}.tflite")
        to_web(folder / "files" / f"{name}.tflite", folder / name, litert=node_modules)
    shutil.copytree(folder / "labels", folder / "numbered")
    edit(folder / "labels" / "model.json", num_classes=10)
    edit(folder / "numbered" / "model.json", num_classes=None)
    for name in ("batch_1", "batch_5_16"):
        to_web(exported / f"{name}.tflite", folder / name, litert=node_modules)
    to_web(exported / "batch_1.tflite", folder / "address")
    with served(folder) as address:
        yield address


def pixels(grid):
    """A canvas, as the driver gives it, `[H, W, 4]`."""
    return np.array(Image.open(io.BytesIO(base64.b64decode(grid.split(",")[1]))).convert("RGBA"))


def cells(found, height, width):
    """The 16 pictures of a grid, grey `[16, height, width]`."""
    sheet = pixels(found["grid"])
    gap = (sheet.shape[1] - 4 * width) // 3
    assert sheet.shape[0] - 4 * height == 3 * gap
    rows, columns = (range(0, 4 * (size + gap), size + gap) for size in (height, width))
    pictures = np.stack([sheet[r : r + height, c : c + width] for r in rows for c in columns])
    assert (pictures[..., 3] == 255).all()
    assert (pictures[..., 0] == pictures[..., 1]).all()
    return pictures[..., 0].astype(int)


@pytest.mark.parametrize("name", ["batch_1", "batch_5_16"])
def test_the_browser_shows_the_samples_of_the_seed(pages, exported, name):
    found = browse("grid", f"{pages}{name}/", seed=7)
    expected = Sampler(exported / f"{name}.tflite").sample(16, seed=7)[..., 0] * 255
    assert np.abs(cells(found, 8, 8) - expected).max() <= 1
    assert found["status"].startswith("Samples 1–16 of seed 7")
    assert all(url.startswith(("blob:", "data:", pages)) for url in found["requests"])


@pytest.mark.parametrize(("name", "signature", "batch"), [("batch_1", "sample", 1), ("batch_5_16", "sample_16", 16)])
def test_the_browsers_numbers_are_those_of_the_sampler(pages, exported, name, signature, batch):
    draws = [(seed, start) for seed in (7, -3) for start in (0, 32)]
    inputs = [{"seed": [seed], "index": [start]} for seed, start in draws]
    found = browse("floats", f"{pages}{name}/", signature=signature, inputs=inputs)["outputs"]
    sampler = Sampler(exported / f"{name}.tflite")
    for (seed, start), outputs in zip(draws, found, strict=True):
        x, z = sampler.sample(batch, seed=seed, start=start, return_latent=True)
        assert largest_difference(np.reshape(outputs["z"], z.shape), z) < 2e-6
        assert largest_difference(np.reshape(outputs["x"], x.shape), x) < 1e-5


@pytest.mark.parametrize("name", ["batch_5_16", "labels", "numbered", "vectors"])
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
    saved = np.array(picture.convert("RGB"))[margin:, margin:][factor // 2 :: factor, factor // 2 :: factor][:height, :width]
    drawn = sheet[..., 3] == 255
    assert drawn.mean() > 0.7
    assert np.abs(saved.astype(int) - sheet[..., :3])[drawn].max() <= (0 if exact else 1)


def test_labels_reach_the_model(pages):
    """One of each in turn, as `sample(16, seed=7, y=[0 ... 9, 0 ... 5])` draws them."""
    found = browse("grid", f"{pages}labels/", seed=7)
    with (
        urllib.request.urlopen(f"{pages}labels/model.tflite") as model,
        urllib.request.urlopen(f"{pages}labels/model.json") as text,
    ):
        sampler = Sampler.from_bytes(model.read(), json.load(text))
    expected = sampler.sample(16, seed=7, y=np.arange(16) % 10)[..., 0] * 255
    assert np.abs(cells(found, 8, 8) - expected).max() <= 1


def test_a_latent_of_layers_is_sampled_without_temperature_or_sliders(pages, tmp_path):
    found = browse("controls", f"{pages}layers/", download=str(tmp_path / "grid.png"))
    assert found["next"] and found["previous"] and found["seed"]
    assert "temperature" not in found and "slider0" not in found
    assert found["note"] == "The latent of this model has several layers: no temperature, and no sliders."


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
    ]
    found = browse("problems", f"{pages}batch_1/", cases=[options for options, _ in cases])["cases"]
    for case, (_, words) in zip(found, cases, strict=True):
        assert words in case["problem"]
        assert (case["role"], case["app"]) == ("alert", False)


def test_the_page_works_from_the_public_address(pages, exported):
    found = browse("address", f"{pages}address/", seed=7)
    expected = Sampler(exported / "batch_1.tflite").sample(16, seed=7)[..., 0] * 255
    assert np.abs(cells(found, 8, 8) - expected).max() <= 1
    outside = [url for url in found["requests"] if not url.startswith((pages, "blob:", "data:"))]
    assert outside
    assert all(re.match(rf"https://cdn\.jsdelivr\.net/npm/@litertjs/[a-z-]+@{web.LITERT_VERSION}/", url) for url in outside)


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
