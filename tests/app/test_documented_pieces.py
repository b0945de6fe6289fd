"""Every piece of the tables of `docs/pieces.md` trains from the command line, by night.

The words are those of the page. What a row leaves out, such as the prior on the sphere beside a
posterior there, is in `_WITH`. Training ends after its epoch: what follows is tested elsewhere.
"""

import re
import shlex
from pathlib import Path

import numpy as np
import pytest

from tfvae.app import runs

pytestmark = pytest.mark.nightly

DOCS = Path(__file__).parents[2] / "docs"
PAGE = (DOCS / "pieces.md").read_text(encoding="utf-8")
KNOWN_MODELS = (DOCS / "recipes.md").read_text(encoding="utf-8")
RNG = np.random.default_rng(0)
N = 64
DATA = {
    "binary": RNG.integers(0, 2, (N, 8, 8, 1)).astype(np.float32),
    "grey": RNG.integers(0, 256, (N, 8, 8, 1)).astype(np.uint8),
    "colours": RNG.integers(0, 256, (N, 8, 8, 3)).astype(np.uint8),
    "real": RNG.normal(size=(N, 5)).astype(np.float32),
    "positive": np.exp(RNG.normal(size=(N, 5))).astype(np.float32),
    "one-hot": np.eye(4)[RNG.integers(0, 4, (N, 3))].astype(np.float32),
    "counts": RNG.poisson(3.0, (N, 5)).astype(np.float32),
    "gaps": np.where(RNG.random((N, 5)) < 0.3, np.nan, RNG.normal(size=(N, 5))).astype(np.float32),
    "rows": np.c_[RNG.normal(size=N), np.arange(N) % 2, np.eye(4)[np.arange(N) % 4]].astype("f4"),
}
ROLES = {
    "posterior": "posterior", "on the sphere, in classes": "posterior",
    "prior": "prior", "on the sphere, in classes, in layers": "prior",
    "likelihood": "likelihood", "from 0 to 1": "likelihood", "8-bit images": "likelihood",
    "real-valued": "likelihood", "positive": "likelihood", "in units of their own": "likelihood",
    "classes, counts": "likelihood", "rows of mixed columns": "likelihood",
    "any, with missing elements": "likelihood", "objective": "objective",
    "added to one": "objective", "gradient estimator": "estimator",
}  # fmt: skip
OF_LIKELIHOOD = {
    "Bernoulli()": "binary", "Bernoulli(dynamic_binarization=True)": "grey",
    "ContinuousBernoulli()": "grey", "DiscretizedLogistic()": "grey",
    "DiscretizedLogisticMixture(10)": "colours", "LogNormal(0.5)": "positive",
    "Categorical()": "one-hot", "Poisson()": "counts", "NegativeBinomial()": "counts",
    "Columns": "rows", "Observed": "gaps",
}  # fmt: skip
# The command has no words for networks, nor for what follows a training.
_NOT_TYPED = ("BottomUp", "Ladder", "Hierarchy", "Conditional", "ExPostMixture", "Deterministic")
_WITH = {
    ("posterior", "VonMisesFisher()"): {"prior": "UniformSphere()"},
    ("posterior", "Categorical()"): {"prior": "Categorical()"},
    ("posterior", "RelaxedCategorical()"): {"prior": "RelaxedCategorical()"},
    ("prior", "UniformSphere()"): {"posterior": "VonMisesFisher()"},
    ("prior", "Categorical()"): {"posterior": "Categorical()"},
    ("prior", "RelaxedCategorical()"): {"posterior": "RelaxedCategorical()"},
    ("estimator", "DoublyReparameterized()"): {"objective": "IWAE(5)"},
    ("estimator", "ScoreFunction()"): {"objective": "ELBO(num_samples=2)"},
    ("estimator", "Enumeration()"): {"posterior": "Categorical()", "prior": "Categorical()"},
}


def pieces():
    """(role, words) of every piece that the first table names."""
    table = PAGE.split("| piece | what there is |\n|---|---|\n")[1].split("\n\n")[0]
    found = []
    for row in table.splitlines():
        first, cell = re.split(r"(?<!\\)\|", row)[1:3]
        name = first.split(" p(")[0].split(" q(")[0].strip()
        role = ROLES.get(name)
        words = re.findall(r"`([^`]+)`", cell)
        found += [
            (role, each) for each in words if role and re.match(r"(\+ )?[\d.e-]* ?\*? ?[A-Z]", each)
        ]
    return [(role, f"ELBO() {words}" if words[0] == "+" else words) for role, words in found]


def models():
    """(name, options) of every known model that `mlp_vae` makes of pieces alone."""
    table = KNOWN_MODELS.split("| what you know as | is written |\n|---|---|\n")[1].split("\n\n")[0]
    found = {}
    for row in table.splitlines():
        _, name, code, _ = row.split("|")
        call = code.strip().strip("`")
        if call.startswith("tfvae.mlp_vae(") and "keras.Sequential" not in call:
            found[name.strip()] = options(call)
    return found


def options(call):
    """The options of the command for a call of `mlp_vae`."""
    import ast

    tree = ast.parse(call, mode="eval").body
    typed = {"latent-dim": ast.unparse(tree.args[1])}
    for keyword in tree.keywords:
        words = ast.unparse(keyword.value).replace("keras.optimizers.", "").replace("tfvae.", "")
        typed[keyword.arg] = "labels" if keyword.arg == "condition" else words
    return typed


def train(tfvae_command, monkeypatch, tmp_path, kind, typed):
    """Types a training, and returns the losses of its epoch, or what was said instead."""
    np.savez(tmp_path / "data.npz", x=DATA[kind], y=np.arange(N) % 10)
    losses, fit = [], runs._fit

    def once(vae, *given):
        vae.jit_compile = False  # which would take minutes for all of them
        losses.extend(fit(vae, *given)["loss"])
        raise KeyboardInterrupt("Trained.")

    monkeypatch.setattr(runs, "_fit", once)
    given = [f"--{name}={words}" for name, words in typed.items()]
    words = ["train", "data.npz", "--epochs", 1, "--batch-size", 27, "--network", "mlp"]
    words += ["--hidden", 8, *given]
    status, out, err = tfvae_command(*words, "--out", "run")
    return status, losses, shlex.join(map(str, words)) + out + err


@pytest.mark.parametrize(("role", "words"), pieces())
def test_a_piece_of_the_page_trains_from_the_command_line(
    tfvae_command, monkeypatch, tmp_path, role, words
):
    if words.startswith(_NOT_TYPED):
        pytest.skip("made of networks, or no bound: in Python")
    kind = "real"
    if role == "likelihood":
        kind = next((k for name, k in OF_LIKELIHOOD.items() if words.startswith(name)), "real")
    typed = {
        "latent-dim": 4,
        role: words.replace("mean, std", "0.5, 2.0"),
        **_WITH.get((role, words), {}),
    }
    status, losses, told = train(tfvae_command, monkeypatch, tmp_path, kind, typed)
    assert status == 130 and np.isfinite(losses).all() and len(losses) == 1, told


@pytest.mark.parametrize("name", models())
def test_a_model_of_the_page_trains_from_the_command_line(
    tfvae_command, monkeypatch, tmp_path, name
):
    typed = models()[name]
    kind = "real" if "likelihood" in typed else "binary"
    status, losses, told = train(tfvae_command, monkeypatch, tmp_path, kind, typed)
    if "Deterministic" in typed.get("posterior", ""):
        assert status in (2, 130), told
        return
    assert status == 130 and np.isfinite(losses).all() and len(losses) == 1, told


def test_the_tables_are_found():
    assert len(pieces()) > 35 and len(models()) > 22
