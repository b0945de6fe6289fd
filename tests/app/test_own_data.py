"""`tfvae train` on data such as users bring: it learns, says what it took them for, and draws."""

import contextlib
import io
import json
import math
import shutil

import numpy as np
import pandas as pd
import pytest
import scipy.stats
from PIL import Image
from sklearn.mixture import GaussianMixture

from tests.support import own_data
from tfvae import datasets
from tfvae.app import cli, rows, runs, settings
from tfvae.datasets import storage

pytestmark = pytest.mark.xdist_group("own data")  # one process makes the run they share


def command(*words):
    """Runs the command, and returns the report."""
    cli.app([*map(str, words)], standalone_mode=False)


def trained(tmp_path, data, *options):
    out = tmp_path / "run"
    command("train", data, "--out", out, *options)
    return json.loads((out / runs.REPORT).read_text())


QUICK = ("--epochs", 1, "--num-samples", 2, "--num-examples", 8)


@pytest.fixture(scope="module")
def of_people(tmp_path_factory):
    """A folder with `people.csv` and the run of it, `run`; its report, and what was said."""
    folder = tmp_path_factory.mktemp("people")
    own_data.people(240).to_csv(folder / "people.csv", index=False)
    said = io.StringIO()
    with pytest.MonkeyPatch.context() as patch, contextlib.redirect_stdout(said):
        patch.chdir(folder)
        report = trained(folder, "people.csv", *QUICK, "--columns", "children=count,weight=skip")
    return folder, report, said.getvalue()


def test_a_table_is_trained_on_and_its_rows_are_drawn(of_people):
    folder, report, said = of_people
    assert "age: real, since it has whole numbers of a wide range" in said
    assert "children: count, since it was asked for" in said and "weight:" not in said

    drawn = pd.read_csv(folder / "run" / "samples.csv")
    names = ["age", "job", "income", "children", "smokes", "visits", "height"]
    assert list(drawn) == names and len(drawn) == rows.DRAWN
    assert set(drawn.job) == {"nurse", "cook", "clerk", "pilot"}
    assert [column["name"] for column in report["columns"]] == names
    assert not list((folder / "run").glob("*.png"))

    sidecar = json.loads((folder / "run" / "decoder.json").read_text())
    assert sidecar["columns"][1] == {
        "name": "job", "width": 4, "likelihood": "Categorical",
        "labels": ["clerk", "cook", "nurse", "pilot"],
    }  # fmt: skip


def test_a_run_of_a_table_reads_and_writes_tables(of_people, tmp_path, monkeypatch):
    shutil.copytree(of_people[0], tmp_path, dirs_exist_ok=True)
    monkeypatch.chdir(tmp_path)
    frame = own_data.people(240).drop(columns="weight")
    (tmp_path / "people.csv").rename("else.csv")  # which is no longer needed

    command("sample", "run", "--count", 5000, "--out", "a.csv", "--seed", 3)
    command("sample", "run", "--count", 5000, "--out", "a.parquet", "--seed", 3)
    (tmp_path / "alone").mkdir()
    for name in ("decoder.tflite", "decoder.json"):
        (tmp_path / "alone" / name).write_bytes((tmp_path / "run" / name).read_bytes())
    command("sample", "alone/decoder.tflite", "--count", 5000, "--out", "b.csv", "--seed", 3)
    drawn = pd.read_csv("a.csv")
    assert len(drawn) == 5000 and list(drawn) == list(frame)
    assert pd.read_parquet("a.parquet").job.tolist() == drawn.job.tolist()
    # A file alone knows the values, but not which numbers are whole.
    alone = pd.read_csv("b.csv")
    assert alone.job.tolist() == drawn.job.tolist()
    assert alone.smokes.tolist() == drawn.smokes.tolist()

    frame[:20].to_csv("gaps.csv", index=False)
    assert frame[:20].isna().any(axis=None)
    command("impute", "run", "gaps.csv", "--out", "full.csv")
    full = pd.read_csv("full.csv")
    assert not full.isna().any(axis=None) and full.age.tolist() == frame.age[:20].tolist()
    known = frame.job[:20].notna()
    assert full.job[known].tolist() == frame.job[:20][known].tolist()

    (tmp_path / "else.csv").rename("people.csv")  # whose held-out rows give the threshold
    command("anomalies", "run", "gaps.csv", "--out", "ranks.csv", "--num-samples", 3)
    assert sorted(pd.read_csv("ranks.csv").row) == list(range(20))
    with pytest.raises(Exception, match="rows of a table"):
        command("sample", "run", "--out", "a.png")


@pytest.mark.nightly
def test_signals_are_trained_on_with_convolutions_over_time(tmp_path, capsys):
    own_data.signals(tmp_path / "waves.npy", 60)
    report = trained(tmp_path, tmp_path / "waves.npy", *QUICK)
    assert report["settings"]["network"] == "conv1d"
    assert report["settings"]["likelihood"] == "standardized_normal"
    assert "real numbers" in capsys.readouterr().out
    assert (tmp_path / "run" / "samples.png").is_file()


@pytest.mark.parametrize(
    ("shape", "network"),
    [((128, 2), "conv1d"), ((16, 1), "conv1d"), ((28, 28), "conv"), ((28, 20, 1), "conv"),
     ((15, 2), "mlp"), ((40,), "mlp"), ((8, 8, 1), "mlp")],
)  # fmt: skip
def test_a_network_is_chosen_by_the_shape(shape, network):
    x = np.random.default_rng(0).normal(size=(12, *shape)).astype(np.float32)
    chosen = settings.choose(settings.Settings(), datasets.Dataset("x", x, x))
    assert chosen.network == network


@pytest.mark.parametrize(("fit", "darkest"), [("crop", 1.0), ("pad", 0.0)])
def test_images_are_cut_or_padded_as_is_asked_for(tmp_path, fit, darkest):
    Image.new("L", (8, 4), 255).save(tmp_path / "x.png")
    asked = settings.Settings(data=str(tmp_path), image_size=8, image_fit=fit)
    assert settings.load_data(asked, least=1).x_test.min() == darkest


def test_rows_are_compared_column_by_column():
    frame = own_data.people(2000)
    table = datasets.Table.of(frame)
    a, b = frame[:1000], frame[1000:].reset_index(drop=True).copy()
    b["height"] += 7.0
    b["smokes"] = "yes"
    found = {c["name"]: c for c in rows.compared(table, table.to_array(a), b)}
    expected = scipy.stats.ks_2samp(a.height, b.height).statistic
    assert found["height"]["distance"] == pytest.approx(expected, abs=0.01)
    assert found["smokes"]["distance"] == pytest.approx((a.smokes == "no").mean())
    assert found["age"]["distance"] == pytest.approx(scipy.stats.ks_2samp(a.age, b.age).statistic)
    assert found["height"]["drawn"] == pytest.approx(b.height.mean())
    assert all(0 <= c["distance"] < 0.1 for n, c in found.items() if n not in ("height", "smokes"))


@pytest.mark.parametrize(
    "columns, words",
    [("age", "NAME=KIND"), ("age=", "NAME=KIND"), ("aeg=real", "is it age"),
     ("age=rael", "is it real")],
)  # fmt: skip
def test_wrong_kinds_are_refused_before_anything_is_written(tmp_path, columns, words):
    own_data.people(50).to_csv(tmp_path / "people.csv", index=False)
    with pytest.raises(Exception, match=words):
        trained(tmp_path, tmp_path / "people.csv", "--columns", columns)
    assert not (tmp_path / "run").exists()


# ---- whole trainings, with the defaults


def nll_of_columns(table, train, test):
    """The NLL of columns that are independent: a mixture of five normals, or shares, each."""
    total = np.zeros(len(test))
    for column in table.columns:
        a, b = (frame[column.name] for frame in (train, test))
        known = b.notna().to_numpy()
        if column.kind in ("real", "positive"):
            log = np.log if column.kind == "positive" else np.asarray
            fitted = GaussianMixture(5, random_state=0, reg_covar=1e-3)
            fitted.fit(np.asarray(log(a.dropna()), float)[:, None] / column.unit)
            values = b[known].to_numpy(float)
            found = fitted.score_samples(np.asarray(log(values))[:, None] / column.unit)
            found -= np.log(column.unit) + (np.log(values) if column.kind == "positive" else 0)
        else:
            shares = a.value_counts() + 1
            shares /= shares.sum()
            found = np.log(b[known].map(shares).fillna(1 / len(a)).to_numpy(float))
        total[known] -= found
    return total.mean()


@pytest.mark.nightly
def test_a_table_of_mixed_columns_is_learned(tmp_path):
    frame = own_data.people()
    frame.to_csv(tmp_path / "people.csv", index=False)
    report = trained(tmp_path, tmp_path / "people.csv")
    parts = datasets.load(tmp_path / "people.csv")
    train, test = (parts.table.to_frame(x) for x in (parts.x_train, parts.x_test))
    baseline = nll_of_columns(parts.table, train, test[:1000])
    assert report["evaluation"]["nll"] < baseline - 0.3
    assert max(column["distance"] for column in report["columns"]) < 0.1

    drawn = pd.read_csv(tmp_path / "run" / "samples.csv")
    numbers = ["age", "income", "height", "weight", "visits"]
    real, made = (f[numbers].corr(method="spearman").to_numpy() for f in (frame, drawn))
    assert np.abs(real - made).max() < 0.1
    smokers = [f[f.job == "cook"].smokes.eq("yes").mean() for f in (frame, drawn)]
    assert smokers[1] == pytest.approx(smokers[0], abs=0.1)


@pytest.mark.nightly
def test_signals_are_learned(tmp_path):
    own_data.signals(tmp_path / "waves.npy")
    report = trained(tmp_path, tmp_path / "waves.npy")
    parts = datasets.load(tmp_path / "waves.npy")
    mean, std = parts.x_train.mean(axis=0), parts.x_train.std(axis=0)
    baseline = -scipy.stats.norm(mean, std).logpdf(parts.x_test).sum(axis=(1, 2)).mean()
    assert report["evaluation"]["nll"] < baseline - 100
    assert report["evaluation"]["active_units"] > report["evaluation"]["latent_dim"] / 2


@pytest.mark.nightly
@pytest.mark.parametrize("kind", ["photographs", "textures"])
def test_pictures_are_learned(tmp_path, kind):
    path = tmp_path / ("photos" if kind == "photographs" else "textures.npy")
    getattr(own_data, kind)(path)
    report = trained(tmp_path, path)
    parts = datasets.load(path)
    found = report["evaluation"]
    assert found["nll"] < nll_of_pixels(parts.x_train, parts.x_test[:1000]) - 100
    assert found["active_units"] > found["latent_dim"] / 2
    assert report["export"]["sizes"]["decoder.tflite"] < 8e6


@pytest.mark.nightly
def test_the_digits_of_the_first_run_are_learned(tmp_path):
    report = trained(tmp_path, "mnist_5k")
    parts = datasets.load("mnist_5k")
    share = (parts.x_train.sum(axis=0) + 1) / (len(parts.x_train) + 2)  # of white, in each pixel
    binary = (datasets.binarize(parts.x_test) > 0.5)[:1000]
    each = np.where(binary, np.log(share), np.log1p(-share))
    assert report["evaluation"]["nll"] < -each.sum(axis=(1, 2, 3)).mean() - 80
    assert report["evaluation"]["active_units"] > report["evaluation"]["latent_dim"] / 2


def nll_of_pixels(train, test):
    """The NLL of pixels that are independent, by a histogram each, smoothed by all pixels'."""
    levels = [np.round(x.reshape(len(x), -1) * 255).astype(int) for x in (train, test)]
    share = np.bincount(levels[0].ravel(), minlength=256) + 1
    share = share / share.sum()
    total = 0.0
    for pixel, wanted in zip(levels[0].T, levels[1].T):
        counted = np.bincount(pixel, minlength=256) + 30 * share
        total -= np.log(counted[wanted] / counted.sum()).mean()
    assert math.isfinite(total)
    return total


@pytest.mark.nightly  # both halves, the same batches and the same training, are tested by day
def test_a_run_of_data_on_disk_is_that_of_data_in_memory(tmp_path, monkeypatch, capsys):
    own_data.photographs(folder := tmp_path / "photographs", 60)
    options = (*QUICK, "--early-stopping", 5, "--network", "mlp", "--hidden", 8)
    here = trained(tmp_path / "here", folder, *options)
    assert "kept on disk" not in capsys.readouterr().out
    monkeypatch.setattr(storage, "IN_MEMORY", 16)
    there = trained(tmp_path / "there", folder, *options)
    assert "kept on disk while the run is made" in capsys.readouterr().out
    for part in ("evaluation", "data", "history"):
        assert there[part] == here[part]
    assert there["data"]["trained_on"]["examples"] < 60
