"""The JavaScript of an app with LiteRT.js, in Chromium, beside what `Sampler` gives."""

import shutil

import numpy as np
import pytest

from tests.browser.driving import browse, pixels, served
from tests.conftest import largest_difference
from tfvae.export import Sampler, to_app

pytestmark = pytest.mark.xdist_group("export")  # one process makes the files they share

HTML = """<!doctype html><title>app</title><link rel="icon" href="data:,">
<script type="importmap">{"imports": {"@litertjs/core": "/litert/core/dist/index.js",
"@litertjs/wasm-utils": "/litert/wasm-utils/dist/index.js"}}</script>"""


@pytest.mark.parametrize(("name", "labels"), [("batch_5_16", None), ("labels", [0, 1, 2, 3, 9])])
def test_an_apps_javascript_gives_the_samplers_numbers(
    node_modules, page_files, exported, tmp_path, name, labels
):
    file = (exported if labels is None else page_files / "files") / f"{name}.tflite"
    metadata = to_app(file, tmp_path / "app", name="digits")
    (tmp_path / "app" / "index.html").write_text(HTML)
    shutil.copytree(node_modules / "@litertjs", tmp_path / "app" / "litert")
    z = np.random.default_rng(0).normal(size=(5, metadata["latent_dim"])).astype(np.float32)
    given = [] if labels is None else [labels]
    calls = [
        ["sample", 7, 10, *given],
        ["decode", z.ravel().tolist(), *given],
        ["sample", 7, 0, *given],
    ]

    with served(tmp_path / "app") as address:
        options = {"source": "./DigitsSampler.js", "wasm": "/litert/core/wasm/"}
        told = browse("app", address, calls=calls, picture=2, errors=True, **options)

    sampler = Sampler(file).with_batch_size(5)
    first, last = (sampler.sample(5, seed=7, start=start, y=labels) for start in (10, 0))
    for found, expected in zip(told["found"], (first, sampler.decode(z, y=labels), last)):
        assert largest_difference(np.reshape(found, expected.shape), expected) < 1e-5
    shown = pixels(told["canvas"])
    assert shown.shape == (8, 8, 4) and np.abs(shown[..., :3] - 255 * last[2]).max() <= 1
