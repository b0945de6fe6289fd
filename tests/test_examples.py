"""Every example runs, and finds what it should."""

import os
import re
import runpy
import subprocess
import sys
from pathlib import Path

import jupytext
import keras
import numpy as np
import pytest
from PIL import Image

import tfvae
from tests.support import zoo
from tests.support.nightly import nightly

pytestmark = pytest.mark.xdist_group("examples")  # one process runs them, each once

ROOT = Path(__file__).parents[1]
FOLDER = ROOT / "examples"
EXAMPLES = sorted(FOLDER.glob("*.py"))


def run_example(name):
    """What an example defines, run in the current folder."""
    return runpy.run_path(str(FOLDER / name), run_name="__main__")


@pytest.fixture
def run(tmp_path, monkeypatch):
    """Runs an example in a folder of its own and returns what it defined."""
    monkeypatch.chdir(tmp_path)
    return run_example


# Seconds of processor time, on a machine that others used as well, imports left out.
QUICK = {
    "vae_explained_2_gap": 2,
}
LONG = {
    "vae_explained": 5,
    "vae_explained_4_gradients": 3,
    "beta_collapse": 13,
    "conditional_digits": 10,
    "flow_prior": 33,
    "importance_weighted": 20,
    "missing_pixels": 14,
    "new_likelihood": 20,
    "new_prior": 17,
    "on_device_sampling": 17,
    "signals": 14,
    "sweep": 24,
    "table": 21,
    "vae_explained_3_amortization": 12,
    "vae_explained_5_algorithm": 18,
    "your_images": 33,
}
WITH_TESTS = {"first_vae", "two_workers"}
MOST_LINES, MOST_OF_A_CELL = 80, 45


def test_every_example_has_a_test_here():
    names = {path.stem for path in EXAMPLES}
    assert names == WITH_TESTS | set(QUICK) | set(LONG)


@pytest.mark.parametrize("name", [*QUICK, *(nightly(name) for name in LONG)])
def test_example_finds_what_it_claims_and_draws_it(name, run, tmp_path):
    """The claims are assertions of the example itself."""
    run(f"{name}.py")
    pictures = list(tmp_path.glob("*.png"))
    assert pictures
    for path in pictures:
        picture = np.asarray(Image.open(path).convert("L"))
        assert min(picture.shape) > 200
        assert picture.std() > 15, path


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.stem)
def test_example_is_a_notebook_of_short_cells(path):
    text = path.read_text(encoding="utf-8")
    notebook = jupytext.reads(text, fmt="py:percent")
    first, *others = notebook.cells
    title, _, words = first.source.partition("\n")
    assert (first.cell_type, title[:2]) == ("markdown", "# ")
    assert words.count(".") >= 2, "a title and two or three sentences"
    assert "code" in {cell.cell_type for cell in others}
    assert "raw" not in {cell.cell_type for cell in others}
    again = jupytext.reads(jupytext.writes(notebook, fmt="ipynb"), fmt="ipynb")
    assert [cell.source for cell in again.cells] == [cell.source for cell in notebook.cells]
    assert len(text.splitlines()) <= MOST_LINES
    assert max(cell.source.count("\n") + 1 for cell in notebook.cells) <= MOST_OF_A_CELL
    assert "assert " in text, "the number it claims"


def test_first_vae_finds_the_digits(run, tmp_path):
    found = run("first_vae.py")
    assert 21 < found["report"].nll < 24.5  # an independent Bernoulli per pixel gives 27.3
    assert found["report"].active_units >= 3
    assert Image.open(tmp_path / "digits.png").size[0] > 200
    assert found["images"].shape == (16, 8, 8, 1)


@pytest.mark.nightly
def test_two_workers_train_the_digits_together(tmp_path):
    script, environment = FOLDER / "two_workers.py", {**os.environ, "PYTHONPATH": str(ROOT)}
    command = [sys.executable, str(script)]
    for _ in range(2):  # the second time from the last checkpoint
        told = subprocess.run(
            command, cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=900
        )
        assert told.returncode == 0, told.stderr[-3000:]
        assert 20 < float(re.search(r"NLL ([\d.]+) nats", told.stdout)[1]) < 30
    assert tfvae.load_model(tmp_path / "two_workers" / "digits.keras").event_shape == (8, 8, 1)


def known_names():
    page = (Path(__file__).parents[1] / "docs" / "recipes.md").read_text(encoding="utf-8")
    table = page.split("| what you know as | is written |\n|---|---|\n")[1].split("\n\n")[0]
    names = {}
    for row in table.splitlines():
        _, name, code, _ = row.split("|")
        names[name.strip()] = code.strip().strip("`")
    return names


@pytest.mark.parametrize("name", known_names())
def test_what_the_page_writes_for_a_known_name_trains(name):
    given = {"tfvae": tfvae, "keras": keras, "shape": zoo.SHAPE, "x": zoo.binary()}
    vae = eval(known_names()[name], given)
    vae.compile(run_eagerly=True)
    y = None if vae.condition_shape is None else np.arange(12) % 10
    assert np.isfinite(vae.fit(zoo.binary(), y, verbose=0).history["loss"]).all()


def test_the_readme_shows_the_first_example():
    """The README's ten lines are those of `examples/first_vae.py`."""
    readme = (Path(__file__).parents[1] / "README.md").read_text(encoding="utf-8")
    code = readme.split("```python\n")[1].split("```")[0].splitlines()
    example = (FOLDER / "first_vae.py").read_text(encoding="utf-8").splitlines()
    assert [line for line in code if line and line not in example] == []
    assert len([line for line in code if line and not line.startswith("import")]) <= 12
