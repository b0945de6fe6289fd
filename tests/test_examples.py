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
import scipy.stats
import tensorflow as tf
from PIL import Image

import tfvae
from tests.support import zoo

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
QUICK = {"conditional_digits": 10}
LONG = {
    "beta_collapse": 13,
    "flow_prior": 33,
    "importance_weighted": 20,
    "missing_pixels": 14,
    "new_likelihood": 20,
    "new_prior": 17,
    "on_device_sampling": 17,
    "signals": 14,
    "sweep": 24,
    "table": 21,
    "your_images": 33,
}
WITH_TESTS = {"first_vae", "two_workers", "vae_explained"}
MOST_LINES, MOST_OF_A_CELL = 80, 45
COURSE = "vae_explained.py"  # seven steps that share their numbers


def test_every_example_has_a_test_here():
    names = {path.stem for path in EXAMPLES}
    assert names == WITH_TESTS | set(QUICK) | set(LONG)


@pytest.mark.parametrize(
    "name", [*QUICK, *(pytest.param(name, marks=pytest.mark.nightly) for name in LONG)]
)
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
    if path.name != COURSE:
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


@pytest.fixture(scope="module")
def explained(tmp_path_factory):
    """What `vae_explained.py` defines, and the folder it draws in; run once."""
    folder = tmp_path_factory.mktemp("explained")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        return run_example("vae_explained.py"), folder


def test_explained_log_likelihood_is_that_of_the_mixture(explained):
    found, _ = explained
    by_hand = sum(
        w * scipy.stats.multivariate_normal(m @ found["a"], c).pdf(found["x"][0])
        for w, m, c in zip(found["weight"], found["loc"], found["covariance"])
    )
    assert found["log_px"] == pytest.approx(np.log(by_hand), abs=1e-5)
    assert found["integrated"] == pytest.approx(found["log_px"], abs=1e-4)


def test_explained_estimates_are_bounds_and_the_elbo_has_the_exact_mean(explained):
    found, _ = explained
    bounds = {name: np.array(pairs) for name, pairs in found["bounds"].items()}
    elbo, iwae = bounds["ELBO"], bounds["IWAE"]  # [counts, (mean, stderr)]
    assert (np.abs(elbo[:, 0] - found["elbo"]) < 4 * elbo[:, 1]).all()
    assert elbo[-1, 1] < 0.003
    for mean, error in (*elbo, *iwae):
        assert mean < found["log_px"] + 3 * error
    assert (np.diff(iwae[:, 0]) > 0).all()
    assert iwae[-1, 0] == pytest.approx(found["log_px"], abs=0.04)


def test_explained_gap_is_the_divergence_and_vanishes_at_the_posterior(explained):
    _, gap, divergence = np.transpose(explained[0]["steps"])
    assert np.abs(gap - divergence).max() < 1e-4
    assert (np.diff(gap) < 0).all()
    assert gap[0] > 1
    assert abs(gap[-1]) < 1e-4


def test_explained_encoder_comes_near_the_optimum_of_each_example_and_not_below(explained):
    found, _ = explained
    amortized, optimum = found["amortized_gap"], found["optimum_gap"]
    assert optimum.min() > 0
    assert (amortized - optimum).min() > -1e-4
    assert 0.03 < (amortized - optimum).mean() < 0.1 < amortized.mean() < 0.25
    with tf.GradientTape() as tape:
        q = found["vae"].posterior.distribution(found["own"])
        total = tf.reduce_sum(found["bound"](q, found["x_new"]))
    assert np.abs(tape.gradient(total, found["own"])).max() < 0.02  # an optimum


def test_explained_gradients_are_the_exact_ones_and_the_naive_one_is_zero(explained):
    found, _ = explained
    estimates = {"decoder": (found["decoder_found"], found["decoder_exact"])}
    for name, each in found["encoder_found"].items():
        estimates[name] = each, np.zeros(2) if name == "naive" else found["encoder_exact"]
    for name, (each, exact) in estimates.items():
        stderr = each.std(axis=0, ddof=1) / np.sqrt(len(each))
        assert (np.abs(each.mean(axis=0) - exact) < 4 * stderr).all(), name
        assert stderr.max() < 0.06, name
    assert abs(found["encoder_exact"][1]) > 1


def test_explained_variances_are_the_exact_ones(explained):
    found, _ = explained
    for name, exact in found["variance_exact"].items():
        assert found["variance"][name] == pytest.approx(exact, rel=0.15)
    assert found["ratio_exact"] == pytest.approx(9.90, abs=0.01)
    assert found["ratio"] == pytest.approx(found["ratio_exact"], rel=0.2)
    assert 1.5 < found["variance"]["with baseline"] / found["variance"]["pathwise"] < 2.5


def test_explained_algorithm_by_hand_is_that_of_fit(explained):
    found, _ = explained
    assert found["loss_by_hand"] == pytest.approx(found["loss_by_tfvae"], abs=1e-3)
    by_hand, by_fit, again = (-each.mean() for each in found["log_p"])
    assert 24.5 < by_fit < 26.2  # an independent Bernoulli per pixel gives 27.1
    assert by_hand == pytest.approx(by_fit, abs=0.4)
    assert again == pytest.approx(by_fit, abs=0.4)


@pytest.mark.parametrize("name", ["mixture", "bound", "gap", "gradients", "digits"])
def test_explained_draws(explained, name):
    picture = np.asarray(Image.open(explained[1] / f"{name}.png").convert("L"))
    assert min(picture.shape) > 400
    assert picture.std() > 15
    assert (picture < 64).mean() > 0.001


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
