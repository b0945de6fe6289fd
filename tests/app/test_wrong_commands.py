"""A table of wrong commands, each with what it is told: one message, status 2, and no file."""

import json
import os
import shlex
import sys

import numpy as np
import pandas
import pytest
from PIL import Image

import tfvae
from tests.support.recording import record_run
from tfvae.app import cli, runs
from tfvae.app.settings import Settings

pytestmark = pytest.mark.xdist_group("wrong commands")  # one process makes the files they share

# What is typed after `tfvae`, and words of the answer. `run` has a table of four columns.
OF_WORDS = [
    ("trian", ["No such command 'trian'"]),
    ("train --epoch 3", ["No such option: --epoch", "--epochs"]),
    ("train --epochs 0", ["--epochs", "1"]),
    ("train --epochs many", ["--epochs", "valid integer"]),
    ("train --epochs", ["--epochs", "requires an argument"]),
    ("train --network rnn", ["--network", "auto", "mlp", "conv"]),
    ("train --latent-dim -1", ["--latent-dim", "1"]),
    ("train --latent-dim 2.5", ["--latent-dim", "integer"]),
    ("train --batch-size 0", ["--batch-size"]),
    ("train --learning-rate fast", ["--learning-rate", "valid"]),
    ("train --learning-rate 0", ["--learning-rate"]),
    ("train --learning-rate inf", ["--learning-rate", "1000"]),
    ("train --learning-rate nan", ["--learning-rate", "1000"]),
    ("train --epochs 99999999999999999999", ["--epochs", "1000000000"]),
    ("train --steps 99999999999999999999", ["--steps", "1000000000"]),
    ("train --latent-dim 99999999999999999999", ["--latent-dim", "1000000000"]),
    ("train --hidden 99999999999999999999", ["--hidden", "1,000,000,000"]),
    ("evaluate run --num-samples 99999999999999999999", ["--num-samples", "1000000000"]),
    ("sample run --count 99999999999999999999", ["--count", "1000000000"]),
    ("train --hidden 512,x", ["--hidden", "512,512"]),
    ("train --hidden 0", ["--hidden", "numbers from 1"]),
    ("train --filters ,", ["--filters", "whole numbers"]),
    ("train --image-size 2", ["--image-size", "4"]),
    ("train --seed -1", ["--seed"]),
    ("train --steps 0", ["--steps"]),
    ("train --num-samples 0", ["--num-samples"]),
    ("train --num-examples -1", ["--num-examples"]),
    ("train --early-stopping 0", ["--early-stopping"]),
    ("train --quiet --verbose", ["--quiet", "--verbose"]),
    ("train digits mnist", ["unexpected extra argument", "mnist"]),
    ("train --resume run --epochs 3", ["--resume takes all other settings"]),
    ("train --print-config --resume run", ["--print-config goes without --resume"]),
    ("evaluate", ["Missing argument 'run'"]),
    ("evaluate run --num-samples 0", ["--num-samples"]),
    ("sample", ["Missing argument"]),
    ("sample run --count 0", ["--count"]),
    ("sample run --seed 4294967296", ["--seed"]),
    ("export run", ["--out FOLDER", "--web FOLDER"]),
    ("export run --out y --litert z", ["--litert goes with --web"]),
    ("export run --web y --batch-size 2", ["--batch-size", "--out"]),
    ("export run --web y --encoder", ["--encoder", "--out"]),
    ("export run --out y --quantization int4", ["--quantization", "float16"]),
    ("demo run --port -1", ["--port"]),
    ("interpolate run --steps 1", ["--steps"]),
    ("impute run", ["Missing argument 'data'"]),
    ("anomalies run --quantile 2", ["--quantile"]),
]
OF_DATA = [
    ("train mnits", ["a data set", "digits, mnist", "check the spelling"]),
    ("train nowhere.npy", ["nowhere.npy", "No such file"]),
    ("train nowhere/", ["a data set", "no file or folder"]),
    ("train letter.docx", ["a data set", "letter.docx"]),
    ("train nan.npy", ["x_train", "nan"]),
    ("train words.npy", ["numbers in words.npy"]),
    ("train flat.npy", ["flat.npy", "reshape"]),
    ("train one.npy", ["hold out in one.npy", "give more data"]),
    ("train broken.tfrecord", ["broken.tfrecord to be TFRecords", "TFRecordWriter"]),
    ("train tfds:nosuchset", ["nosuchset"]),
    ("train empty", ["images in empty"]),
    ("train album", ["album/b.png", "remove or repair"]),
    ("train broken.npz", ["broken.npz", "NumPy file"]),
    ("train pickled.npy", ["pickled.npy"]),
    ("train alpha.npy", ["pictures [H, W]", "[8, 8, 4]", "x[..., :3]"]),
    ("train volumes.npy", ["signals [T, C]", "[6, 6, 6, 2]"]),
    ("train labels.npz --condition labels", ["32 bits in y of labels.npz", "4294967297"]),
    ("train dates.parquet --columns a=category", ["numbers or texts", "'a'", "a=skip"]),
    ("train dates.parquet --columns a=real", ["numbers or texts", "'a'"]),
    ("train lists.parquet --columns a=category", ["numbers or texts", "'a'"]),
    ("train longer.csv", ["longer.csv", "more cells"]),
    ("train bytes", ["can be printed", "rename the folder"]),
    ("train --out /", ["a folder for a run", "name a folder"]),
    ("train --resume /", ["a folder for a run"]),
    ("train --config deep.toml", ["a TOML file deep.toml"]),
    ("train --config digits.toml", ["a TOML file digits.toml"]),
    ("sweep seeds.toml --plan", ["at most 1,000 runs"]),
    ("sweep far.toml --plan", ["min below max"]),
    ("train --resume altered", ["begun with", "unknown_key"]),
    ("train apart.npz", ["same shape per example"]),
    ("train two.npz", ["x_train and x_test", "rename"]),
    ("train digits --batch-size 1600", ["at least one batch of 1600"]),
    ("train twelve.npy --early-stopping 3", ["at least 20 examples"]),
    ("train digits --network mlp --filters 8,8", ["--filters", "--hidden"]),
    ("train digits --network conv --hidden 8,8", ["--hidden", "--filters"]),
    ("train --out file/run", ["a place to write"]),
    ("train --out album", ["a run that may be replaced", "album"]),
    ("train --out gs://bucket/run", ["a path on this machine"]),
    ("train --resume nowhere", ["an unfinished run"]),
    ("train --config nowhere.toml", ["a TOML file", "no such file"]),
    ("train --config config.toml", ["Received: epoch", "write epochs"]),
    ("evaluate nowhere", ["a run", "nowhere"]),
    ("evaluate damaged", ["damaged"]),
    ("sample nowhere.tflite", ["no such file"]),
    ("sample file", ["sidecar"]),
    ("sample run --out grid.doc", [".png, .npz, .csv or .parquet", "rename"]),
    ("sample run --count 20000", ["at most 10,000", "samples.npz"]),
    ("sample run --out file.csv", ["would be lost"]),
    ("export nowhere --out x", ["a run", "nowhere"]),
    ("demo nowhere", ["a page, a run"]),
    ("reconstruct nowhere", ["a run"]),
    ("encode run --out latents.png", [".npz, .csv or .parquet"]),
    ("encode run --out file.csv", ["never replaced"]),
    ("interpolate run --out strip.csv", [".png or .npz"]),
    ("impute run nan.npy --draws 2 --out a.csv", ["--draws", ".npz"]),
    ("anomalies run --out worst.png", [".csv, .parquet or .npz"]),
]
OF_MODELS = [
    ("train digits --prior 'VampPrio(3)'", ["a prior", "is it VampPrior"]),
    ("train digits --likelihood 'Normall()'", ["a likelihood", "is it Normal"]),
    ("train digits --likelihood 'Normal(0.1'", ["a likelihood", "never closed"]),
    ("train digits --likelihood 'Normal(-1)'", ["scale"]),
    ("train digits --likelihood \"__import__('os')\"", ["a likelihood"]),
    ("train digits --objective 'MMD()'", ["an objective", "MMD is none"]),
    ("train digits --posterior categorical", ["posterior", "prior"]),
    ("train digits --objective 'IWAE(3)' --estimator 'StickingTheLanding()'", ["IWAE"]),
    ("train grey.npy --likelihood bernoulli --batch-size 2", ["Normal"]),
    ("train grey.npy --network conv", ["images of shape", "mlp"]),
    ("evaluate run nowhere.npy", ["nowhere.npy"]),
    ("evaluate run flat.npy", ["flat.npy"]),
    ("report nowhere", ["a run, a folder"]),
    ("evaluate run three.npy", ["shape [N, 4]", "[30, 3]"]),
    ("reconstruct run three.npy", ["shape [N, 4]"]),
    ("anomalies run nan.npy", ["shape [N, 4]"]),
    ("impute run three.npy", ["missing elements", "Observed("]),
]


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A folder with a run whose model is untrained, and files with something wrong in each."""
    here = tmp_path_factory.mktemp("wrong")
    rng = np.random.default_rng(0)
    arrays = {
        "nan": np.full((30, 3), np.nan),
        "grey": rng.normal(size=(30, 3)),
        "three": rng.normal(size=(30, 3)),
        "good": rng.normal(size=(30, 4)),
        "twelve": rng.normal(size=(12, 3)),
        "words": np.array([["a", "b"]] * 9),
        "flat": rng.normal(size=30),
        "one": rng.normal(size=(1, 3)),
        "pickled": np.array([[{}]] * 9),
    }
    for name, x in arrays.items():
        np.save(here / f"{name}.npy", x, allow_pickle=True)
    np.savez(here / "apart.npz", x_train=arrays["grey"], x_test=arrays["good"])
    np.savez(here / "two.npz", a=arrays["grey"], b=arrays["good"])
    np.save(here / "alpha.npy", rng.integers(0, 256, (30, 8, 8, 4), np.uint8))
    np.save(here / "volumes.npy", rng.normal(size=(30, 6, 6, 6, 2)))
    np.savez(here / "labels.npz", x=arrays["grey"], y=np.arange(30) % 2 + 2**32)
    dates = pandas.to_datetime(["2020-01-01", "2021-01-01"] * 15)
    pandas.DataFrame({"a": dates, "b": range(30)}).to_parquet(here / "dates.parquet")
    pandas.DataFrame({"a": [[1, 2]] * 30, "b": range(30)}).to_parquet(here / "lists.parquet")
    (here / "longer.csv").write_text("a,b\n" + "1,2,3\n" * 30)
    (here / "deep.toml").write_text("x = " + "[" * 100_000)
    (here / "digits.toml").write_text("epochs = " + "9" * 5000)
    (here / "seeds.toml").write_text("seeds = 1000000000000\n[grid]\nlatent_dim = [2]")
    (here / "far.toml").write_text(f"[random]\nlatent_dim = {{min = 2, max = {10**23}}}")
    for letter in (b"b", b"\xff"):
        folder = here / "bytes" / os.fsdecode(letter)
        folder.mkdir(parents=True)
        Image.new("L", (8, 8)).save(folder / "x.png")
    (here / ".altered.unfinished").mkdir()
    settings = {"settings": {"unknown_key": 1}, "overwrite": False, "data": {}}
    (here / ".altered.unfinished" / "begun.json").write_text(json.dumps(settings))
    for name in (
        "file",
        "file.csv",
        "broken.npz",
        "broken.tfrecord",
        "letter.docx",
        "damaged/model.keras",
    ):
        (here / name).parent.mkdir(exist_ok=True)
        (here / name).write_text("no such thing")
    (here / "damaged" / "report.json").write_text('{"settings": {}}')
    (here / "config.toml").write_text("epoch = 3")
    (here / "empty").mkdir()
    (here / "album").mkdir()
    (here / "album" / "b.png").write_text("no picture")
    with pytest.MonkeyPatch.context() as monkeypatch:
        monkeypatch.chdir(here)
        record_run(monkeypatch)
        runs.train(Settings("good.npy", latent_dim=2, hidden=(8,), out="run"), lambda _: None)
    return here


@pytest.fixture
def answer(folder, capfd, monkeypatch):
    """Runs a wrong command; gives its message, once it is known that it did no harm."""

    def run(words):
        monkeypatch.chdir(folder)
        monkeypatch.setenv("COLUMNS", "300")
        monkeypatch.setattr(sys, "argv", ["tfvae", *shlex.split(words)])
        monkeypatch.setattr(tfvae.VAE, "fit", None)  # none of them gets so far
        before = sorted(folder.rglob("*"))
        with pytest.raises(SystemExit) as leaving:
            cli.main()
        out, err = capfd.readouterr()
        assert leaving.value.code == 2
        assert "Traceback" not in err and "Epoch" not in out
        assert sorted(folder.rglob("*")) == before
        return err

    return run


@pytest.mark.parametrize(("words", "told"), OF_WORDS, ids=[words for words, _ in OF_WORDS])
def test_wrong_words_and_options_are_explained(answer, words, told):
    message = answer(words)
    assert "─ Error ─" in message
    for part in told:
        assert part.lower() in message.lower()  # Typer has written arguments large and small


@pytest.mark.parametrize(
    ("words", "told"), OF_DATA + OF_MODELS, ids=[words for words, _ in OF_DATA + OF_MODELS]
)
def test_what_cannot_work_is_told_in_three_parts(answer, words, told):
    message = answer(words)
    assert message.startswith("tfvae: Expected ")
    assert " Received: " in message and " Fix: " in message and message.count("\n") == 1
    for part in told:
        assert part in message


def test_the_table_has_sixty_commands_and_more():
    assert len({words for words, _ in OF_WORDS + OF_DATA + OF_MODELS}) >= 60
