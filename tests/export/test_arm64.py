"""The same files on ARM64 cores of three kinds, emulated, and here."""

import os
import platform
import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf

import tfvae
from tests.conftest import largest_difference
from tests.support.draw_files import draw_all
from tests.support.nightly import nightly

ROOT = Path(__file__).parents[2]
PYTHON = os.environ.get("TFVAE_ARM64_PYTHON")
# With int8 matrices, with dot products, of NEON alone; the newest by day.
CORES = ("cortex-a710", "cortex-a76", "cortex-a53")
BY_NIGHT = CORES[1:]
FLOAT = ("float32", "float16", "mixture", "vamp", "realnvp")

pytestmark = [
    pytest.mark.skipif(
        not PYTHON, reason="TFVAE_ARM64_PYTHON names no ARM64 Python; .ci/arm64-python builds one"
    ),
    pytest.mark.xdist_group("export"),  # one process makes the files they share
]


@pytest.fixture(scope="module")
def files(quantized, tmp_path_factory):
    folder = tmp_path_factory.mktemp("arm64")
    for path in quantized.values():
        for file in (path, path.with_suffix(".json")):
            shutil.copy(file, folder)
    rng = np.random.default_rng(0)
    priors = {
        "mixture": tfvae.priors.GaussianMixture(4),
        "vamp": tfvae.priors.VampPrior(4),
        "realnvp": tfvae.priors.Flow(tfvae.flows.RealNVP(3, (8,))),
    }
    for name, prior in priors.items():
        vae = tfvae.mlp_vae((4, 4, 1), 3, (8,), prior=prior, seed=0)
        for weight in vae.prior.trainable_weights:
            weight.assign_add(rng.normal(0, 0.3, weight.shape).astype(np.float32))
        tfvae.export.to_tflite(vae, folder / f"{name}.tflite", batch_size=8)
    # The mean of a Normal is what the decoder puts out: its 8 bits, dequantized.
    normal = tfvae.likelihoods.Normal()
    models = {
        "int8_of_dense": tfvae.mlp_vae((4, 4, 1), 3, (8,), likelihood=normal, seed=0),
        "int8_of_convolutions": tfvae.conv_vae((8, 8, 1), 3, (4, 8), 8, likelihood=normal, seed=0),
    }
    for name, vae in models.items():
        tfvae.export.to_tflite(vae, folder / f"{name}.tflite", "int8", 8)
    return folder


@pytest.fixture(scope="module")
def here(files):
    return draw_all(files)


@pytest.fixture(
    scope="module",
    params=[nightly(core) if core in BY_NIGHT else core for core in CORES],
)
def there(request, files, tmp_path_factory):
    target = tmp_path_factory.mktemp("there") / "found.npz"
    environment = {**os.environ, "QEMU_CPU": request.param, "PYTHONPATH": str(ROOT)}
    command = [PYTHON, str(ROOT / "tests" / "support" / "draw_files.py"), str(files), str(target)]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return dict(np.load(target))


def test_it_is_another_machine():
    done = subprocess.run(
        [PYTHON, "-c", "import platform; print(platform.machine())"],
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.strip() == "aarch64" != platform.machine()


def test_the_files_are_compared(here, there):
    assert here.keys() == there.keys()
    for name in (*FLOAT, "dynamic_int8", "int8"):
        assert here.keys() >= {f"{name}/x", f"{name}/z", f"{name}/decoded"}
    assert all(found.dtype == np.float32 and found.std() > 0.01 for found in there.values())


def test_latents_are_the_same_whatever_the_quantization(here, there):
    for name in here:
        if name.endswith("/z"):
            assert largest_difference(here[name], there[name]) <= 2e-6, name


@pytest.mark.parametrize("name", FLOAT)
def test_float_images_are_the_same(here, there, name):
    assert largest_difference(here[f"{name}/x"], there[f"{name}/x"]) <= 1e-5


def test_the_encoder_is_the_same(here, there):
    assert largest_difference(here["float32/loc"], there["float32/loc"]) <= 1e-5


@pytest.mark.parametrize("name", ["int8_of_dense", "int8_of_convolutions"])
def test_the_decoder_in_int8_is_the_same_to_the_bit(here, there, name):
    """Of the same latents: drawn ones differ in their last bits, and may round to another step."""
    assert np.array_equal(here[f"{name}/decoded"], there[f"{name}/decoded"])
    assert len(np.unique(here[f"{name}/decoded"])) > 50  # steps of the 256, and no few


def test_images_of_int8_are_the_same_to_the_bit(here, there):
    """From the same latents, since the means are a table.

    The normals of `sample` differ in their last bits.
    """
    assert np.array_equal(here["int8/decoded"], there["int8/decoded"])


def test_images_of_dynamic_int8_are_close(here, there):
    assert largest_difference(here["dynamic_int8/x"], there["dynamic_int8/x"]) <= 1e-3


def test_the_model_itself_is_what_both_agree_with(digits_vae, there):
    z = tf.constant(there["float32/z"])
    assert largest_difference(z, digits_vae.sample_latent(40, seed=7)) <= 2e-6
    assert largest_difference(there["float32/x"], digits_vae.decode(z).mean()) <= 1e-5
