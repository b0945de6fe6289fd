"""The page: its folder and its server. What a browser makes of it is in tests/browser."""

import base64
import hashlib
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import urllib.error
import urllib.request
from pathlib import Path

import pytest

import tfvae
from tests.browser.driving import edit, served
from tests.conftest import largest_difference, matches
from tfvae.app import demo_server
from tfvae.errors import InputError, InputTypeError
from tfvae.export import Sampler, page_security, to_web, web

pytestmark = pytest.mark.xdist_group("export")  # one process makes the files they share

PAGE = Path(__file__).parents[2] / "export" / "page"
ASSETS = {
    "index.html",
    "guard.js",
    "page.js",
    "model.js",
    "sidecar.js",
    "draw.js",
    "explore.js",
    "style.css",
    "icon.svg",
}
TEXT = (".html", ".js", ".css")


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
    written = (tmp_path / "page" / "model.tflite").read_bytes()
    assert written == (exported / "batch_1.tflite").read_bytes()
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
    files = [path for path in (tmp_path / "page").iterdir() if path.suffix in TEXT]
    text = "".join(path.read_text(encoding="utf-8") for path in files)
    address = "https://cdn.jsdelivr.net/npm/@litertjs/{}@" + web.LITERT_VERSION + "/{}"
    files = [(package, file) for package in web._FILES for file in web._FILES[package]]
    assert set(re.findall(r"https?://[^\"'\s;]+", text)) == {
        address.format(*file) for file in files if file[1] != "package.json"
    }


def head(page):
    """The import map and the content-security policy of a page, as a browser reads them."""
    text = (page / "index.html").read_text(encoding="utf-8")
    (import_map,) = re.findall(r'<script type="importmap">(.*?)</script>', text)
    (policy,) = re.findall(r'http-equiv="Content-Security-Policy" content="(.*?)"', text)
    assert text.index("Content-Security-Policy") < text.index("<link")  # it holds for what follows
    return import_map, {name: rest for name, *rest in map(str.split, policy.split(";"))}


def test_what_comes_from_elsewhere_is_named_with_its_hash(exported, tmp_path):
    """Each address in the policy has the hash of 48 bytes that a browser compares."""
    to_web(exported / "batch_1.tflite", tmp_path / "page")
    import_map, policy = head(tmp_path / "page")
    told = json.loads(import_map)
    outside = {s for sources in policy.values() for s in sources if s.startswith("https:")}
    assert outside == set(told["integrity"]) >= set(told["imports"].values())
    for digest in told["integrity"].values():
        algorithm, _, value = digest.partition("-")
        assert algorithm == "sha384" and len(base64.b64decode(value)) == 48


@pytest.mark.parametrize("offline", [False, True])
def test_the_page_runs_no_script_but_its_own(exported, tmp_path, offline):
    litert = fake_install(tmp_path / "node_modules") if offline else None
    to_web(exported / "batch_1.tflite", tmp_path / "page", litert=litert)
    import_map, policy = head(tmp_path / "page")
    assert policy["default-src"] == policy["base-uri"] == policy["form-action"] == ["'none'"]
    digest = base64.b64encode(hashlib.sha256(import_map.encode()).digest()).decode()
    own = {"'self'", "'wasm-unsafe-eval'", f"'sha256-{digest}'"}
    elsewhere = {source for source in policy["script-src"] if source.startswith("https:")}
    assert set(policy["script-src"]) == own | elsewhere | (set() if offline else {"blob:"})
    assert bool(elsewhere) is not offline
    assert ("integrity" in json.loads(import_map)) is not offline
    assert all("unsafe-inline" not in sources for sources in policy.values())


@pytest.mark.skipif("TFVAE_NODE_MODULES" not in os.environ, reason="no npm install to compare with")
def test_the_hashes_are_those_of_the_packages():
    install = Path(os.environ["TFVAE_NODE_MODULES"]) / "@litertjs"
    for path, digest in page_security.integrity("{package}/{file}").items():
        found = hashlib.sha384((install / path).read_bytes()).digest()
        assert digest == f"sha384-{base64.b64encode(found).decode()}"


def test_with_an_install_the_page_names_no_address_and_holds_the_runtime(exported, tmp_path):
    (tmp_path / "project").mkdir()
    install = fake_install(tmp_path / "project" / "node_modules")
    runtime = {f"litert/{package}/{file}" for package in web._FILES for file in web._FILES[package]}
    for given in (install, tmp_path / "project"):
        to_web(exported / "batch_1.tflite", tmp_path / "page", litert=given)
        assert "https:" not in (tmp_path / "page" / "index.html").read_text(encoding="utf-8")
        assert runtime <= names(tmp_path / "page")
        assert "litert/core/wasm/litert_wasm_compat_internal.wasm" in names(tmp_path / "page")


@pytest.fixture
def copies(exported, tmp_path):
    """A copy of the exported file and its sidecar, to damage."""
    for name in ("batch_1.tflite", "batch_1.json"):
        shutil.copy(exported / name, tmp_path / name)
    return tmp_path


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
    install = fake_install(copies / "a", without=["core/dist/index.js"])
    refused("an install without core/dist/index.js", litert=install)
    install = fake_install(copies / "b", without=["wasm-utils/dist/index.js"])
    refused("an install without wasm-utils", litert=install)
    refused("or another 2.x", "version 0.2.1", litert=fake_install(copies / "c", version="0.2.1"))
    edit(copies / "batch_1.json", signatures={"encode": ["x"]}, outputs={"encode": ["loc"]})
    refused("signatures sample and decode", "none named decode or sample")
    condition = {"condition_shape": [3], "condition_dtype": "float32"}
    ports = {"signatures": {"sample": ["seed"], "decode": ["z"]}}
    edit(copies / "batch_1.json", outputs={"sample": ["x"], "decode": ["x"]}, **ports, **condition)
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
    words = matches("an earlier page", "CNAME", "choose another path")
    with pytest.raises(InputError, match=words):
        to_web(exported / "batch_1.tflite", page)
    assert (page / "CNAME").read_text() == "mine"


def test_writing_a_page_of_a_file_needs_no_tensorflow(exported, tmp_path):
    program = (
        "import sys; from tfvae.export import to_web; from tfvae.app import demo_server\n"
        "to_web(sys.argv[1], sys.argv[2]); assert demo_server.web.is_page(sys.argv[2])\n"
        "assert 'tensorflow' not in sys.modules and 'keras' not in sys.modules"
    )
    arguments = [exported / "batch_1.tflite", tmp_path / "page"]
    subprocess.run([sys.executable, "-c", program, *arguments], check=True)


# The server


def test_every_file_has_the_type_that_browsers_insist_on(exported, tmp_path):
    install = fake_install(tmp_path / "node_modules")
    to_web(exported / "batch_1.tflite", tmp_path / "page", litert=install)
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


@pytest.mark.parametrize(
    ("kind", "number"),
    [("run", signal.SIGTERM), ("file", signal.SIGINT), ("page", signal.SIGHUP)],
)
def test_demo_serves_on_loopback_until_it_is_interrupted(run_folder, tmp_path, kind, number):
    sources = {"run": run_folder, "file": run_folder / "decoder.tflite", "page": tmp_path / "page"}
    source = sources[kind]
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
        # What a shell starts in the background ignores the interrupt, and so may these tests.
        preexec_fn=lambda: signal.signal(number, signal.SIG_DFL),
    )
    try:
        address = re.search(r"http://127\.0\.0\.1:\d+/", process.stdout.readline())[0]
        html = urllib.request.urlopen(address).read().decode()
        assert ("<h1>Samples of my run</h1>" if kind != "page" else "<h1>Samples</h1>") in html
    finally:
        process.send_signal(number)
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
        with (
            pytest.raises(InputError, match=matches(*words)),
            demo_server.folder_with_page(source, **options),
        ):
            pass
    with (
        demo_server.make_server(run_folder) as server,
        pytest.raises(InputError, match=matches("a free port")),
    ):
        demo_server.make_server(run_folder, server.server_port)
