"""What the tests in a browser need: Node.js, Chromium and three npm packages.

The tests are skipped where TFVAE_NODE_MODULES and TFVAE_CHROMIUM do not name them. Where they are
set, as in `.ci/run`, nothing is skipped.
"""

import os
import shutil
from pathlib import Path

import keras
import pytest

import tfvae
from tests.browser.driving import edit, served
from tfvae.export import to_web


@pytest.fixture(scope="session")
def node_modules():
    """The npm install; skips where neither it nor Chromium is named."""
    named = {name: os.environ.get(name) for name in ("TFVAE_NODE_MODULES", "TFVAE_CHROMIUM")}
    if not any(named.values()):
        packages = "@litertjs/core, playwright-core and axe-core"
        pytest.skip(f"no browser: set TFVAE_NODE_MODULES (with {packages}) and TFVAE_CHROMIUM")
    modules, chromium = named.values()
    assert chromium and Path(chromium).is_file(), "TFVAE_CHROMIUM names no file"
    for package in ("playwright-core", "axe-core"):
        assert modules and Path(modules, package).is_dir(), f"no {package}"
    assert shutil.which("node"), "no Node.js"
    return Path(modules)


@pytest.fixture(scope="session")
def page_files(node_modules, exported, digits, tmp_path_factory):
    """A folder with a page of each kind of model, in the offline form, and the files in `files`."""
    folder = tmp_path_factory.mktemp("pages")
    keras.utils.set_random_seed(0)
    normal = tfvae.likelihoods.Normal
    models = {
        "labels": tfvae.mlp_vae(digits.event_shape, 4, (16,), condition=10, seed=0),
        "layers": tfvae.hierarchical_vae(digits.event_shape, (4, 2), seed=0),
        "single": tfvae.mlp_vae((6,), 1, (8,), likelihood=normal(0.5), seed=0),
        "vectors": tfvae.mlp_vae((6,), 3, (8,), likelihood=normal(0.5), seed=0),
        "colours": tfvae.mlp_vae((5, 7, 3), 2, (8,), likelihood=normal(0.5), seed=0),
    }
    sizes = {"labels": 5}  # so that one call takes several labels
    for name, model in models.items():
        file = folder / "files" / f"{name}.tflite"
        tfvae.export.to_tflite(model, file, batch_size=sizes.get(name, 1))
        to_web(file, folder / name, litert=node_modules)
    shutil.copytree(folder / "labels", folder / "numbered")
    edit(folder / "labels" / "model.json", num_classes=10)
    edit(folder / "numbered" / "model.json", num_classes=None)
    for name, prior in (("sphere", "UniformSphere()"), ("classes", "Categorical()")):
        shutil.copytree(folder / "vectors", folder / name)
        edit(folder / name / "model.json", prior=prior)
    shutil.copytree(folder / "vectors", folder / "end")
    script = folder / "end" / "model.js"
    counted = "metadata.latent_sizes.reduce((a, b) => a + b, 0)"
    assert script.read_text().count(counted) == 1
    script.write_text(script.read_text().replace(counted, "2 ** 27"))
    for name in ("batch_1", "batch_5_16"):
        to_web(exported / f"{name}.tflite", folder / name, litert=node_modules)
    to_web(exported / "batch_1.tflite", folder / "address")
    return folder


@pytest.fixture(scope="session")
def pages(page_files):
    """The address of the server of these pages."""
    with served(page_files) as address:
        yield address
