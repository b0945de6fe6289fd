"""`tfvae.export` is importable in every way the package is used, and the wheel is complete."""

import os
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from tests.support.nightly import nightly

ROOT = Path(__file__).parents[1]
PROBE = """
import sys, tfvae, tfvae.export
assert "tensorflow" not in sys.modules and "keras" not in sys.modules
from tfvae.export import Sampler
from tfvae.export.sidecar import FORMAT_VERSION
print(tfvae.__file__); print(tfvae.export.__file__)
"""


def probe(cwd, **environment):
    done = subprocess.run(
        [sys.executable, "-c", PROBE],
        cwd=cwd,
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.split("\n")


pytestmark = pytest.mark.xdist_group("packaging")  # one process builds the wheel


@pytest.fixture(scope="module")
def wheel(tmp_path_factory):
    folder = tmp_path_factory.mktemp("wheel")
    command = [sys.executable, "-m", "build", "--wheel", "--outdir", folder, ROOT]
    subprocess.run(command, check=True, capture_output=True)
    (path,) = folder.glob("*.whl")
    return path


def test_the_wheel_holds_both_packages_once_and_the_marker(wheel):
    names = zipfile.ZipFile(wheel).namelist()
    tops = {name.split("/")[0] for name in names}
    assert {top for top in tops if not top.endswith(".dist-info")} == {"tfvae"}
    assert {
        "tfvae/py.typed",
        "tfvae/models/vae.py",
        "tfvae/likelihoods/__init__.py",
        "tfvae/export/__init__.py",
        "tfvae/export/sampler.py",
    } <= set(names)
    files = ("template.html", "style.css", "slider.js", "live.js")
    page = {f"tfvae/app/report_page/{name}" for name in files}
    assert page <= set(names)
    for folder, file in (("page", "index.html"), ("app", "sampler.kt")):
        inside = f"tfvae/export/{folder}/"
        found = {inside + path.name for path in (ROOT / "export" / folder).iterdir()}
        assert inside + file in found
        assert found == {name for name in names if name.startswith(inside)}
    assert len(names) == len(set(names))
    assert any(name.endswith("LICENSE") for name in names)


def test_export_is_importable_from_the_wheel(wheel, tmp_path):
    zipfile.ZipFile(wheel).extractall(tmp_path / "site")
    package, export, *_ = probe(tmp_path, PYTHONPATH=str(tmp_path / "site"), PYTHONSAFEPATH="1")
    assert package.startswith(str(tmp_path))
    assert export.startswith(str(tmp_path))


@pytest.mark.parametrize("place", [ROOT, ROOT / "tests", ROOT / "export"])
def test_export_is_importable_from_the_repository(place):
    package, export, *_ = probe(place, PYTHONPATH=str(ROOT))
    assert Path(package).resolve() == ROOT / "tfvae" / "__init__.py"
    assert Path(export).resolve() == ROOT / "export" / "__init__.py"


@pytest.mark.nightly
def test_export_is_importable_under_a_type_checker(wheel, tmp_path):
    zipfile.ZipFile(wheel).extractall(tmp_path / "site")
    (tmp_path / "user.py").write_text(
        "import tfvae\n"
        "from tfvae.export import Sampler, to_tflite\n"
        "print(Sampler('m.tflite').sample(3), to_tflite, tfvae.export.to_tflite)\n"
        "from tfvae.export.sampler import nonsense\n"
    )
    done = subprocess.run(
        [sys.executable, "-m", "mypy", "--ignore-missing-imports", "user.py"],
        cwd=tmp_path,
        env={**os.environ, "MYPYPATH": str(tmp_path / "site")},
        capture_output=True,
        text=True,
        check=False,
    )
    lines = [line for line in done.stdout.splitlines() if line.startswith("user.py")]
    errors = [line for line in lines if "error" in line]
    # It sees the package, and that it has no such name.
    assert len(errors) == 1, done.stdout + done.stderr
    assert "nonsense" in errors[0]


def test_export_is_importable_as_installed(tmp_path):
    probe(tmp_path)


def assert_runs(program, folder):
    command = [sys.executable, "-c", program]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize(
    "order",
    [
        "keras, tfvae",
        nightly("tfvae, keras"),
        nightly("tfvae, tensorflow, keras"),
        nightly("tensorflow, tfvae, keras"),
    ],
)
def test_keras_knows_the_classes_in_whatever_order_things_are_imported(order, tmp_path):
    program = (
        f"import sys, {order}\nassert keras.saving.get_registered_object('tfvae>VAE') is tfvae.VAE"
    )
    left = "[f for f in sys.meta_path if type(f).__module__.startswith('tfvae')]"
    assert_runs(f"{program}\nassert not {left}", tmp_path)


@pytest.mark.nightly
@pytest.mark.parametrize(
    "first",
    [
        "from tfvae.priors import StandardNormal",
        "import tfvae; tfvae.mlp_vae",
        "from tfvae.export import to_tflite",
        "import tfvae; tfvae.ELBO",
        "import tfvae; tfvae.evaluation",
        "from tfvae import likelihoods",
        "from tfvae.models.builders import conv_vae",
        "import tfvae.gradients",
        "import tfvae.models.vae",
        "from tfvae._keras.backend import keras",
    ],
)
def test_any_name_may_be_the_first_to_be_used(first, tmp_path):
    """Where nothing has imported Keras yet; the classes are registered all the same."""
    registered = "assert keras.saving.get_registered_object('tfvae>VAE') is not None"
    assert_runs(f"{first}\nimport keras\n{registered}", tmp_path)


def test_every_public_name_exists():
    import tfvae

    for name in tfvae.__all__:
        assert getattr(tfvae, name) is not None
    assert set(tfvae.__all__) <= set(dir(tfvae))
    for module in (tfvae, tfvae.export):
        with pytest.raises(AttributeError, match="nonsense"):
            _ = module.nonsense
