"""What a run is used for after training: each number beside the model's own, on small data."""

import json
import sys
from types import SimpleNamespace

import numpy as np
import pytest
from PIL import Image

import tfvae
from tests.datasets import test_records
from tests.support.recording import record_run
from tfvae import evaluation, imputation, plots
from tfvae.app import anomalies, data_files, run_outputs, runs, uses
from tfvae.app.settings import Settings
from tfvae.errors import InputError

pytestmark = pytest.mark.xdist_group("uses")  # one process makes the files they share

GREY = np.random.default_rng(0).integers(0, 256, (30, 5, 6, 1), np.uint8)
TABLE = np.random.default_rng(1).normal(size=(24, 4)).astype(np.float32)
GAPS = np.where(np.random.default_rng(2).random(TABLE.shape) < 0.3, np.nan, TABLE)


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """Runs of grey pictures, of a table and of one with gaps, whose weights are untrained.

    They are made from a folder that is not the one where they are used.
    """
    folder = tmp_path_factory.mktemp("uses")
    for name, x in (("grey", GREY), ("table", TABLE), ("gaps", GAPS)):
        np.save(folder / f"{name}.npy", x)
    observed = "Observed(Normal(0.5, learn_scale=True))"
    with pytest.MonkeyPatch.context() as monkeypatch:
        monkeypatch.chdir(folder)
        record_run(monkeypatch)
        for name, likelihood in (("grey", "auto"), ("table", "auto"), ("gaps", observed)):
            settings = Settings(f"{name}.npy", latent_dim=2, network="mlp", likelihood=likelihood)
            runs.train(Settings(**{**vars(settings), "hidden": (8,), "out": f"run_{name}"}))
    return folder


def of_run(folder, name):
    """The paths of a run and of its data, its model, and what it has held out."""
    run = folder / f"run_{name}"
    dataset = tfvae.datasets.load(folder / f"{name}.npy")
    vae = tfvae.load_model(run / runs.MODEL)
    return SimpleNamespace(
        run=str(run), data=str(folder / f"{name}.npy"), vae=vae, held_out=dataset.x_test
    )


def test_reconstructions_are_the_models_of_what_was_held_out(made, tmp_path):
    of = of_run(made, "grey")
    uses.reconstruct(of.run, None, 3, str(tmp_path / "a.npz"))
    found = np.load(tmp_path / "a.npz")
    assert np.array_equal(found["x"], of.held_out[:3])
    assert found["reconstruction"] == pytest.approx(np.asarray(of.vae.reconstruct(found["x"])))
    uses.reconstruct(of.run, None, 3, str(tmp_path / "a.png"))
    pairs = plots.beside(found["x"], found["reconstruction"])
    sheet = plots.grid(pairs, 16, (0, 1)).astype(int)
    picture = np.asarray(Image.open(tmp_path / "a.png"))
    factor = len(picture) // len(sheet)
    assert np.abs(picture[::factor, ::factor] - sheet).max() <= 1


def test_latents_lie_in_the_order_of_the_file(made, tmp_path):
    of = of_run(made, "grey")
    uses.encode(of.run, of.data, str(tmp_path / "a.npz"))
    found, q = np.load(tmp_path / "a.npz"), of.vae.encode(GREY / np.float32(255))
    assert found["loc"] == pytest.approx(np.asarray(q.mean()), abs=1e-5)
    assert found["scale"] == pytest.approx(np.asarray(q.stddev()), abs=1e-5)


def test_a_table_of_latents_has_a_column_for_each_number(made, tmp_path):
    of = of_run(made, "table")
    uses.encode(of.run, None, str(tmp_path / "a.csv"))
    found = np.genfromtxt(tmp_path / "a.csv", delimiter=",", names=True)
    assert found.dtype.names == ("loc0", "loc1", "scale0", "scale1")
    assert found["loc1"] == pytest.approx(np.asarray(of.vae.encode(of.held_out).mean())[:, 1])


def test_a_strip_goes_from_one_reconstruction_to_the_other_through_the_middle(made, tmp_path):
    of = of_run(made, "table")
    uses.interpolate(of.run, of.data, 2, 3, str(tmp_path / "a.npz"))
    found, q = np.load(tmp_path / "a.npz")["x"], of.vae.encode(TABLE[:4])
    ends = np.asarray(of.vae.reconstruct(TABLE[:4]))
    assert found[:, 0] == pytest.approx(ends[0::2], abs=1e-6)
    assert found[:, 2] == pytest.approx(ends[1::2], abs=1e-6)
    middle = (q.mean()[0::2] + q.mean()[1::2]) / 2
    assert found[:, 1] == pytest.approx(np.asarray(of.vae.decode(middle).mean()), abs=1e-6)


def test_gaps_are_filled_in_and_what_was_there_stays(made, tmp_path):
    of = of_run(made, "gaps")
    uses.impute(of.run, of.data, 20, None, 5, str(tmp_path / "a.csv"))
    found = np.loadtxt(tmp_path / "a.csv", delimiter=",", skiprows=1)
    there = ~np.isnan(GAPS)
    assert found[there] == pytest.approx(GAPS[there], rel=1e-6)
    expected = imputation.impute(of.vae, GAPS.astype(np.float32), 20, 5)
    assert found == pytest.approx(expected, rel=1e-5)
    uses.impute(of.run, of.data, 20, 3, 5, str(tmp_path / "b.npz"))
    assert np.load(tmp_path / "b.npz")["x"].shape == (3, 24, 4)


def test_examples_are_ranked_beside_what_is_held_out():
    held_out = -np.arange(1.0, 101.0)  # -1 ... -100
    table, threshold = anomalies.ranked(np.array([-50.5, -99.5, -3.5, -200.0]), held_out, 0.05)
    assert threshold == pytest.approx(np.quantile(held_out, 0.05))
    assert table["row"].tolist() == [3, 1, 0, 2]
    assert table["log_likelihood"].tolist() == [-200.0, -99.5, -50.5, -3.5]
    assert table["held_out_below"].tolist() == [0.0, 0.01, 0.5, 0.97]
    assert table["anomaly"].tolist() == [1, 1, 0, 0]


def nearness(x):
    """Stands for log p(x): the nearer an example is to 0, the more likely."""
    return -np.square(x).reshape(len(x), -1).sum(axis=1)


@pytest.fixture
def estimates(monkeypatch):
    """The arguments of the estimates of log p(x), which are `nearness` instead."""
    calls = []

    def log_likelihood(vae, x, num_samples, seed, y, progress):
        calls.append((len(x), num_samples, seed))
        return nearness(x)

    monkeypatch.setattr(evaluation, "log_likelihood", log_likelihood)
    return calls


def test_anomalies_have_the_log_likelihood_of_their_rows(made, tmp_path, estimates):
    of = of_run(made, "table")
    x = np.concatenate([TABLE[:5], TABLE[5:6] + 30])
    np.save(tmp_path / "new.npy", x)
    found = anomalies.find(of.run, str(tmp_path / "new.npy"), 0.1, 40, 3, str(tmp_path / "a.csv"))
    assert estimates == [(6, 40, 0), (3, 40, 0)]
    table = np.genfromtxt(tmp_path / "a.csv", delimiter=",", names=True)
    assert table["log_likelihood"] == pytest.approx(np.sort(nearness(x)))
    assert nearness(x)[table["row"].astype(int)] == pytest.approx(table["log_likelihood"])
    assert found["threshold"] == pytest.approx(np.quantile(nearness(of.held_out[:3]), 0.1))
    assert found["least_likely"][0]["row"] == 5 and found["picture"] is None


def test_the_least_likely_pictures_are_drawn(made, tmp_path, estimates):
    of = of_run(made, "grey")
    found = anomalies.find(of.run, None, 0.2, 5, 0, str(tmp_path / "a.csv"))
    assert (found["examples"], found["anomalies"]) == (5, 1)
    sheet = plots.grid(of.held_out[np.argsort(nearness(of.held_out))], None, (0, 1))
    picture = np.asarray(Image.open(found["picture"]))
    factor = len(picture) // len(sheet)
    assert np.array_equal(picture[::factor, ::factor], sheet)


def test_a_run_is_evaluated_from_any_folder(made, tfvae_command, monkeypatch):
    calls = record_run(monkeypatch)
    status, out, err = tfvae_command("evaluate", made / "run_table", "--json")
    assert (status, err) == (0, "")
    assert np.array_equal(calls.evaluate[0]["x"], of_run(made, "table").held_out)
    assert json.loads(out) == calls.report.to_dict()


# Samples and files of numbers


class Stream:
    """Stands for a `Sampler`: sample number i is i, i + 0.5."""

    metadata = {"event_shape": [1, 2], "value_range": [0, 9]}
    pages: list = []

    def __init__(self, path):
        self.pages.clear()

    def sample(self, n, seed, start, y, draw):
        assert y is None
        self.pages.append((n, start, seed, draw))
        return np.float32(np.arange(start, start + n)[:, None, None] + [[0, 0.5]])


def test_samples_are_written_page_by_page(tmp_path, monkeypatch):
    monkeypatch.setattr(tfvae.export, "Sampler", Stream)
    monkeypatch.setattr(run_outputs, "_PAGE", 3)
    for name in ("a.npz", "a.csv"):
        run_outputs.sample("a.tflite", 7, 5, tmp_path / name, draw=True)
        assert Stream.pages == [(3, 0, 5, True), (3, 3, 5, True), (1, 6, 5, True)]
    expected = np.arange(7)[:, None] + [0, 0.5]
    assert np.load(tmp_path / "a.npz")["x"].shape == (7, 1, 2)
    assert np.array_equal(np.load(tmp_path / "a.npz")["x"][:, 0], expected)
    assert np.array_equal(np.loadtxt(tmp_path / "a.csv", delimiter=",", skiprows=1), expected)


def test_a_table_is_never_replaced_and_an_archive_only_if_it_was_written_here(tmp_path):
    for name in ("own.npz", "own.csv"):
        data_files.save(str(tmp_path / name), {"x": TABLE})
    np.savez(tmp_path / "other.npz", x=TABLE)
    allowed = (".npz", ".csv")
    assert data_files.suffix_of(str(tmp_path / "own.npz"), allowed) == ".npz"
    for name in ("own.csv", "other.npz"):
        with pytest.raises(tfvae.errors.WriteError, match="would be lost"):
            data_files.suffix_of(str(tmp_path / name), allowed)


def test_a_column_of_words_and_numbers_is_read_back_from_csv_and_parquet(tmp_path):
    columns = {"file": np.array(["a,b", 'c"d']), "n": np.array([3, -4]), "x": TABLE[:2, :2]}
    data_files.save(str(tmp_path / "a.csv"), columns)
    lines = (tmp_path / "a.csv").read_text().splitlines()
    assert lines[0] == "file,n,x0,x1"
    assert lines[1].startswith('"a,b",3,') and lines[2].startswith('"c""d",-4,')
    parquet = pytest.importorskip("pyarrow.parquet")
    data_files.save(str(tmp_path / "a.parquet"), columns)
    found = parquet.read_table(tmp_path / "a.parquet").to_pydict()
    assert found["file"] == ["a,b", 'c"d']
    assert found["x1"] == pytest.approx(TABLE[:2, 1])


def test_without_pyarrow_it_is_said_what_to_install(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    with pytest.raises(tfvae.errors.InputError, match="pip install pyarrow"):
        data_files.suffix_of(str(tmp_path / "a.parquet"), (".npz", ".parquet"))


def test_files_of_pictures_are_named_in_the_order_of_their_examples(made, tmp_path, estimates):
    of = of_run(made, "grey")
    (tmp_path / "new" / "b").mkdir(parents=True)
    for name, level in (("c.png", 9), ("a.png", 200), ("b/d.png", 90)):
        Image.fromarray(np.full((7, 8), level, np.uint8)).save(tmp_path / "new" / name)
    anomalies.find(of.run, str(tmp_path / "new"), 0.2, 5, 0, str(tmp_path / "out.csv"))
    rows = [line.split(",") for line in (tmp_path / "out.csv").read_text().splitlines()]
    assert [row[rows[0].index("file")] for row in rows[1:]] == ["a.png", "b/d.png", "c.png"]
    assert [row[0] for row in rows[1:]] == ["0", "1", "2"]


def test_one_example_is_enough_to_work_on(made, tmp_path):
    """As an array, an array of one, the one picture of a folder or record; not to train on."""
    of = of_run(made, "grey")
    np.save(tmp_path / "bare.npy", GREY[3])
    np.save(tmp_path / "one.npy", GREY[3:4])
    (tmp_path / "folder").mkdir()
    Image.fromarray(GREY[3, ..., 0]).save(tmp_path / "folder" / "a.png")
    picture = (tmp_path / "folder" / "a.png").read_bytes()
    test_records.write(tmp_path / "one.tfrecord", [{"picture": picture}])
    expected = np.asarray(of.vae.reconstruct(GREY[3:4] / np.float32(255)))
    for name in ("bare.npy", "one.npy", "folder", "one.tfrecord"):
        out = str(tmp_path / f"{name}.npz")
        assert uses.reconstruct(of.run, str(tmp_path / name), None, out)["examples"] == 1
        assert np.load(out)["reconstruction"] == pytest.approx(expected, abs=1e-6)
    ranked = anomalies.find(
        of.run, str(tmp_path / "one.npy"), 0.1, 5, 0, str(tmp_path / "ranked.csv")
    )
    assert ranked["examples"] == 1
    with pytest.raises(InputError, match="to train on and to hold out"):
        tfvae.datasets.load(tmp_path / "one.npy")
    np.save(tmp_path / "none.npy", GREY[:0])
    with pytest.raises(InputError, match="an example in"):
        uses.encode(of.run, str(tmp_path / "none.npy"), str(tmp_path / "none.npz"))
