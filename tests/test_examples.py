"""Every example runs, and finds what it should."""

import runpy
from pathlib import Path

import keras
import numpy as np
import pytest
from PIL import Image

import tfvae
from tests import zoo

EXAMPLES = sorted((Path(__file__).parents[1] / "examples").glob("*.py"))


@pytest.fixture
def run(tmp_path, monkeypatch):
    """Runs an example in a folder of its own and returns what it defined."""
    monkeypatch.chdir(tmp_path)
    return lambda name: runpy.run_path(str(Path(__file__).parents[1] / "examples" / name), run_name="__main__")


def test_every_example_has_a_test_here():
    names = {path.name for path in EXAMPLES}
    assert names == {"first_vae.py"}


def test_first_vae_finds_the_digits(run, tmp_path):
    found = run("first_vae.py")
    assert 21 < found["report"].nll < 24.5  # an independent Bernoulli per pixel gives 27.3
    assert found["report"].active_units >= 3
    assert Image.open(tmp_path / "digits.png").size[0] > 200
    assert found["images"].shape == (16, 8, 8, 1)


def known_names():
    readme = (Path(__file__).parents[1] / "README.md").read_text(encoding="utf-8")
    rows = readme.split("| what you know as | is written |\n|---|---|\n")[1].split("\n\n")[0].splitlines()
    return {name.strip(): code.strip().strip("`") for _, name, code, _ in (row.split("|") for row in rows)}


@pytest.mark.parametrize("name", known_names())
def test_what_the_readme_writes_for_a_known_name_trains(name):
    vae = eval(known_names()[name], {"tfvae": tfvae, "keras": keras, "shape": zoo.SHAPE, "x": zoo.binary()})
    vae.compile(run_eagerly=True)
    y = None if vae.condition_shape is None else np.arange(12) % 10
    assert np.isfinite(vae.fit(zoo.binary(), y, verbose=0).history["loss"]).all()


def test_the_readme_shows_the_first_example():
    """The README's ten lines are those of `examples/first_vae.py`."""
    readme = (Path(__file__).parents[1] / "README.md").read_text(encoding="utf-8")
    code = readme.split("```python\n")[1].split("```")[0].splitlines()
    example = (Path(__file__).parents[1] / "examples" / "first_vae.py").read_text(encoding="utf-8").splitlines()
    assert [line for line in code if line and line not in example] == []
    assert len([line for line in code if line and not line.startswith("import")]) <= 12
