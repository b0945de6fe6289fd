"""A run is one thing: whole in its place or not there, and of one training."""

import contextlib
import dataclasses
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

import tfvae
from tests.app.test_runs import marked
from tests.conftest import matches
from tests.support.nightly import nightly
from tests.support.recording import record_run
from tests.support.trees import tree
from tfvae import evaluation
from tfvae._files import beside
from tfvae._files.listing import sha256
from tfvae.app import demo_server, run_folder, runs
from tfvae.app.report_page import again
from tfvae.app.settings import Settings
from tfvae.callbacks import Interrupted
from tfvae.errors import InputError, WriteError
from tfvae.training.alarm import NonFiniteLoss

pytestmark = pytest.mark.xdist_group("run folder")  # one process makes the files they share

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    path = tmp_path_factory.mktemp("data") / "data.npz"
    np.savez(path, x_train=marked(48, 1, seed=1), x_test=marked(24, 0, seed=2))
    return path


def settings(data, out, **options):
    given = {"latent_dim": 2, "epochs": 4, "batch_size": 16, "num_samples": 5, "seed": 3}
    return Settings(str(data), out=str(out), **{**given, **options})


@pytest.fixture
def older(data, tmp_path, monkeypatch):
    """A run that nobody has trained, with a file for each kind of file."""
    with monkeypatch.context() as patched:
        record_run(patched)
        patched.setattr(runs, "export", written)
        runs.train(settings(data, tmp_path / "run"), say=str)
    return tmp_path / "run"


def written(vae, out, *options, **how):
    """Files in place of those of an export."""
    (out / runs.SAVED_MODEL / "variables").mkdir(parents=True)
    for name in (runs.TFLITE, runs.SAMPLES, f"{runs.SAVED_MODEL}/variables/index"):
        (out / name).write_text(name)
    return {}


@pytest.fixture
def untrained(monkeypatch):
    """Training, evaluation, export and pictures are noted instead of done."""
    return record_run(monkeypatch)


def test_the_report_has_the_hash_of_every_file(older):
    report = json.loads((older / runs.REPORT).read_text())
    names = {p.relative_to(older).as_posix() for p in older.rglob("*") if p.is_file()}
    assert set(report["files"]) == names - {runs.REPORT}
    assert runs.opened(older) == report
    (older / "notes.txt").write_text("mine")
    assert runs.opened(older) == report


@pytest.mark.parametrize(
    "name", [runs.MODEL, runs.TFLITE, "saved_model/variables/index", runs.SAMPLES]
)
@pytest.mark.parametrize("how", ["altered", "missing"])
def test_a_run_with_a_file_of_another_is_opened_by_no_command(older, name, how):
    with (older / name).open("ab") as file:
        file.write(b" ")
    if how == "missing" and name not in (runs.MODEL, runs.TFLITE):
        (older / name).unlink()
    words = matches("of one run", "run", name)
    with pytest.raises(InputError, match=words):
        runs.load(older)
    with pytest.raises(InputError, match=words):
        runs.sample(older, 1, 0, older / "grid.png")
    with pytest.raises(InputError, match=words), demo_server.folder_with_page(older):
        pass


@pytest.mark.parametrize("change", [{"evaluation": None}, {"files": None}, {"sha256": "0"}])
def test_an_altered_report_is_refused(older, change):
    report = json.loads((older / runs.REPORT).read_text())
    (older / runs.REPORT).write_text(json.dumps(report | change))
    with pytest.raises(InputError, match=matches("report.json", "damaged")):
        runs.opened(older)


def test_a_run_is_replaced_if_asked_and_then_by_a_finished_one(data, older, untrained):
    before = tree(older.parent)
    with pytest.raises(WriteError, match=matches("a run", "--overwrite")):
        runs.train(settings(data, older), say=str)
    assert untrained.fit == []
    assert tree(older.parent) == before

    (older / "notes.txt").write_text("mine")
    with pytest.raises(WriteError, match=matches("notes.txt")):
        runs.train(settings(data, older), say=str, overwrite=True)
    (older / "notes.txt").unlink()
    assert tree(older.parent) == before

    runs.train(settings(data, older, seed=4), say=str, overwrite=True)
    assert runs.opened(older)["settings"]["seed"] == 4
    assert not (older / runs.SAMPLES).exists()  # of the older run
    assert [path.name for path in older.parent.iterdir()] == ["run"]


def fails(error):
    def fail(*_, **__):
        raise error

    return fail


def test_a_training_that_fails_leaves_the_older_run_and_nothing_else(
    data, older, untrained, monkeypatch
):
    def run_away(vae, x, y, callbacks, **_):
        callbacks[0].folder.mkdir()
        (callbacks[0].folder / "checkpoint-000001.tfvae").write_text("")
        raise NonFiniteLoss("a loss of nan")

    before = tree(older.parent)
    monkeypatch.setattr(tfvae.VAE, "fit", run_away)
    with pytest.raises(NonFiniteLoss):
        runs.train(settings(data, older), say=str, overwrite=True)
    assert tree(older.parent) == before


@pytest.mark.parametrize("stage", ["evaluate", "export", "draw_samples"])
def test_what_fails_after_the_training_says_where_the_model_is(
    data, older, untrained, monkeypatch, stage
):
    before = tree(older)
    owner = evaluation if stage == "evaluate" else runs
    with monkeypatch.context() as patched:
        patched.setattr(owner, stage, fails(RuntimeError("No space left on device")))
        with pytest.raises(
            InputError, match=matches("No space", "--resume", "model.keras")
        ) as told:
            runs.train(settings(data, older), say=str, overwrite=True)
    model = older.with_name(".run.unfinished") / "run" / runs.MODEL
    assert str(model) in str(told.value)
    assert tree(older) == before
    assert tfvae.load_model(model).latent_dim == 2

    runs.resume(older, say=str)
    assert not (older / runs.SAMPLES).exists()  # of the older run
    assert [path.name for path in older.parent.iterdir()] == ["run"]


def test_an_unfinished_run_is_thrown_away_only_if_asked(data, tmp_path, untrained):
    unfinished = run_folder.Unfinished(tmp_path / "run")
    for overwrite in (False, True):
        unfinished.checkpoints.mkdir(parents=True, exist_ok=True)
        (unfinished.checkpoints / "checkpoint-000001.tfvae").write_text("")
        (unfinished.folder / "begun.json").write_text("{}")
        if overwrite:
            runs.train(settings(data, tmp_path / "run"), say=str, overwrite=True)
        else:
            words = matches("unfinished run", "was stopped", "--resume", "--overwrite")
            with pytest.raises(InputError, match=words):
                runs.train(settings(data, tmp_path / "run"), say=str)
            assert unfinished.is_worth_keeping()
    assert [path.name for path in tmp_path.iterdir()] == ["run"]

    unfinished.folder.mkdir()
    (unfinished.folder / "thesis").write_text("mine")
    with pytest.raises(InputError, match=matches("another folder")):
        runs.train(settings(data, tmp_path / "run"), say=str, overwrite=True)
    assert (unfinished.folder / "thesis").read_text() == "mine"


def test_two_processes_do_not_make_one_run(data, tmp_path, untrained):
    unfinished = run_folder.Unfinished(tmp_path / "run")
    unfinished.folder.mkdir()
    (unfinished.folder / "begun.json").write_text("{}")
    with (
        beside.locked(unfinished.folder),
        pytest.raises(InputError, match=matches("another process")),
    ):
        runs.train(settings(data, tmp_path / "run"), say=str)


@pytest.mark.parametrize("placed", [False, True])
@pytest.mark.parametrize("by", ["opening", "resuming"])
def test_a_run_whose_last_step_was_cut_off_takes_its_place(data, older, untrained, placed, by):
    """Killed before the finished run took the older one's place, or just after."""
    unfinished = run_folder.Unfinished(older)
    place = run_folder.place
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(run_folder, "place", fails(KeyboardInterrupt))
        with pytest.raises(KeyboardInterrupt):
            runs.train(settings(data, older, seed=4), say=str, overwrite=True)
    if placed:
        place(unfinished.run, unfinished.out)
    report = runs.opened(older) if by == "opening" else runs.resume(older, say=str)
    assert report["settings"]["seed"] == 4
    assert [path.name for path in older.parent.iterdir()] == ["run"]


def test_there_must_be_something_to_go_on_with_and_its_data(data, older, untrained, tmp_path):
    with pytest.raises(InputError, match=matches("unfinished run", "a finished one")):
        runs.resume(older)
    with pytest.raises(InputError, match=matches("unfinished run", "none")):
        runs.resume(tmp_path / "nothing")

    other = settings(data, older)
    unfinished = run_folder.Unfinished(tmp_path / "other")
    unfinished.folder.mkdir()
    begun = {"settings": dataclasses.asdict(other), "overwrite": False, "data": {"shared": 9}}
    (unfinished.folder / "begun.json").write_text(json.dumps(begun))
    with pytest.raises(InputError, match=matches("the data of the unfinished run")):
        runs.resume(tmp_path / "other", say=str)


def test_ctrl_c_is_told_in_one_line(data, tfvae_command, untrained, monkeypatch):
    monkeypatch.setattr(tfvae.VAE, "fit", fails(Interrupted("kept")))
    status, out, err = tfvae_command("train", data, "--batch-size", 16, "--out", "run")
    assert (status, err) == (130, "")
    assert out.splitlines()[-1].endswith("To go on: tfvae train --resume run")


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--resume", "nothing"], ["unfinished run"]),
        (["--resume", "run", "--epochs", "3"], ["--resume takes all other settings"]),
        (["--out", "gs://bucket/run"], ["the address"]),
        (["--out", "."], ["the one you are in"]),
    ],
)
def test_a_mistake_in_the_place_is_told_and_nothing_changes(
    data, older, tfvae_command, untrained, arguments, words
):
    given = [] if "--resume" in arguments else [data, "--batch-size", 16]
    before = tree(older.parent)
    status, _, err = tfvae_command("train", *given, *arguments)
    assert status == 2
    assert "Traceback" not in err
    for word in words:
        assert word in " ".join(err.replace("│", " ").split())
    assert untrained.fit == []
    assert tree(older.parent) == before


# The page made anew

# Kills the process that makes the page of a run, before a step or after it.
KILLED_PAGE = """
import os, signal, sys
from types import SimpleNamespace
from tfvae._files import whole
from tfvae.app.report_page import again

run, step, after = sys.argv[1], int(sys.argv[2]), sys.argv[3] == "after"
place, left = whole.place, [step]
def then_kill(*arguments):
    left[0] -= 1
    if left[0] or after:
        place(*arguments)
    if not left[0]:
        os.kill(os.getpid(), signal.SIGKILL)
whole.place = then_kill
again.run_model = SimpleNamespace(load=lambda *arguments, **options: (None, None))
again.load_data = lambda *arguments: None
again.write = lambda page, *others: page.write_text('<meta name="generator" content="tfvae">new')
again.again(run)
"""
# In between, the page and the hash of it that the report names are not of the same making.
BETWEEN = (1, "after")
STEPS = [(step, side) for step in (1, 2, 3) for side in ("before", "after")]
OURS = '<meta name="generator" content="tfvae">'


@pytest.fixture
def quick_page(monkeypatch):
    """Makes a page of one line, without model and data."""
    monkeypatch.setattr(again.run_model, "load", lambda *arguments, **options: (None, None))
    monkeypatch.setattr(again, "load_data", lambda *arguments: None)
    monkeypatch.setattr(again, "write", lambda page, *others: page.write_text(OURS + "newest"))


@pytest.fixture(params=["with a page", nightly("without")])
def paged(request, older):
    """A run with a page or, as of an earlier version, without."""
    report = run_folder.opened(older)
    report["files"].pop("report.html", None)
    (older / "report.html").write_text(OURS + "old")
    if request.param == "without":
        (older / "report.html").unlink()
    else:
        report["files"]["report.html"] = sha256(older / "report.html")
    (older / runs.REPORT).write_text(run_folder.signed(report, report["files"])[1])
    return older


@pytest.mark.parametrize(
    ("step", "side"),
    [BETWEEN, *(nightly(*s) for s in STEPS if s != BETWEEN)],
)
def test_a_kill_while_the_page_is_made_anew_leaves_a_run(paged, quick_page, step, side):
    page = paged / "report.html"
    command = [sys.executable, "-c", KILLED_PAGE, str(paged), str(step), side]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == -signal.SIGKILL, done.stderr
    is_new = step == 3 or (step, side) == (2, "after")
    assert (page.exists() and page.read_text() == OURS + "new") == is_new
    run_folder.opened(paged)
    run_folder.check_place(paged, overwrite=True)
    assert not [path for path in paged.iterdir() if path.name.startswith(".")]

    if page.exists():  # what is neither page is refused as before
        whole = page.read_bytes()
        page.write_text(OURS + "damaged")
        with pytest.raises(InputError, match=matches("report.html")):
            run_folder.opened(paged)
        page.write_bytes(whole)
    again.again(paged)
    report = run_folder.opened(paged)
    assert page.read_text() == OURS + "newest"
    assert report["files"][page.name] == sha256(page) and "replaced" not in report


def test_two_processes_do_not_make_one_page(older, quick_page):
    with beside.locked(older), pytest.raises(InputError, match=matches("another process")):
        again.again(older)


# Killed

# Kills the process that trains at a moment, without a last word.
KILLED = """
import os, signal, sys
import tests.conftest  # the compiler of the tests, since a run goes on in another process
from tfvae import evaluation
from tfvae.app import run_folder, runs
from tfvae.app.settings import Settings
from tfvae.callbacks import Checkpoint, checkpoint

def kills(owner, name, count=1, after=False):
    function, left = getattr(owner, name), [count]
    def then_kill(*arguments, **options):
        left[0] -= 1
        if left[0] or after:
            found = function(*arguments, **options)
        if not left[0]:
            os.kill(os.getpid(), signal.SIGKILL)
        return found
    setattr(owner, name, then_kill)

moment, data, out = sys.argv[1:]
start = Checkpoint.__init__
Checkpoint.__init__ = lambda self, folder: start(self, folder, 0.0)  # after every call
if moment == "in training": kills(checkpoint, "write_next", 5, after=True)
if moment == "in a checkpoint": kills(os, "replace", 4)
if moment == "in evaluation": kills(evaluation, "evaluate")
if moment == "in export": kills(runs, "export", after=True)
if moment == "in the report": kills(runs, "write_report")
if moment == "before the last step": kills(run_folder, "place")
if moment == "after the last step": kills(run_folder, "place", after=True)
options = dict(latent_dim=2, epochs=4, batch_size=16, num_samples=5, seed=3)
runs.train(Settings(data, out=out, **options), overwrite=True)
"""
QUICK = "in training"
MOMENTS = [
    QUICK,
    "in a checkpoint",
    "in evaluation",
    "in export",
    "in the report",
    "before the last step",
    "after the last step",
]


@pytest.fixture(scope="module")
def uninterrupted(data, tmp_path_factory):
    """The weights of the run that nobody stops."""
    out = tmp_path_factory.mktemp("uninterrupted") / "run"
    with pytest.MonkeyPatch.context() as patched:
        fit = tfvae.VAE.fit
        record_run(patched)
        patched.setattr(tfvae.VAE, "fit", fit)
        runs.train(settings(data, out), say=str)
    return tfvae.load_model(out / runs.MODEL).get_weights()


def killed(moment, data, out):
    """Trains in another process, which kills itself; returns its exit status."""
    command = [sys.executable, "-c", KILLED, moment, str(data), str(out)]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    return done.returncode, done.stderr


def goes_on_to_the_same(older, before, uninterrupted):
    """The older run is whole, or the new one; going on ends at the weights of one left alone."""
    if tree(older) != before:
        runs.opened(older)
    with contextlib.suppress(InputError):  # which was finished by what opened it
        runs.resume(older, say=str)
    found = tfvae.load_model(older / runs.MODEL).get_weights()
    assert all(map(np.array_equal, found, uninterrupted))
    assert runs.opened(older)["settings"]["seed"] == 3
    assert [path.name for path in older.parent.iterdir()] == ["run"]


@pytest.mark.parametrize(
    "moment",
    [QUICK, *(nightly(m) for m in MOMENTS if m != QUICK)],
)
def test_a_killed_run_leaves_the_older_one_and_goes_on_bit_for_bit(
    data, older, uninterrupted, monkeypatch, moment
):
    before = tree(older)
    status, told = killed(moment, data, older)
    assert status == -signal.SIGKILL, told
    if "last step" not in moment:
        assert tree(older) == before
    if moment == QUICK:  # what comes after the training has tests of its own
        fit = tfvae.VAE.fit
        record_run(monkeypatch)
        monkeypatch.setattr(tfvae.VAE, "fit", fit)
    goes_on_to_the_same(older, before, uninterrupted)


DIGITS = ["digits", "--epochs", "12", "--num-samples", "20", "--num-examples", "200", "--seed", "3"]


@pytest.mark.nightly
def test_twenty_kills_at_random_moments_of_a_digits_run_lose_nothing(tmp_path):
    """A process is killed again and again over an older run, and what it left is resumed.

    Each time that a run is finished the next one begins over it, so that all moments are met.
    """
    alone, out = tmp_path / "alone" / "run", tmp_path / "killed" / "run"
    for folder, seed in ((alone, "3"), (out, "4")):
        seconds = trained([*DIGITS[:-1], seed, "--out", str(folder)])
    older, wanted = tree(out), weights_of(alone)
    unfinished, rng, met, finished = run_folder.Unfinished(out), np.random.default_rng(0), [], 0
    while len(met) < 20:
        resumes = unfinished.begun() is not None
        words = ["--resume", str(out)] if resumes else [*DIGITS, "--out", str(out), "--overwrite"]
        moment = killed_after(words, rng.uniform(0, seconds))
        if moment is not None:
            met.append(moment)
            assert tree(out) == older or runs.opened(out)["settings"]["seed"] == 3
        if unfinished.begun() is None and tree(out) != older:  # the run took its place
            is_the_run(out, wanted)
            older, finished = tree(out), finished + 1

    if unfinished.begun() is not None:
        trained(["--resume", str(out)])
        is_the_run(out, wanted)
    print(f"{finished} finished in between; killed after: {sorted(met)}")
    assert len(set(met)) > 2


def trained(words):
    """Trains to the end; returns how many seconds that took."""
    start = time.monotonic()
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    command = [sys.executable, "-m", "tfvae", "train", *words]
    subprocess.run(command, env=environment, check=True, stdout=subprocess.DEVNULL)
    return time.monotonic() - start


def killed_after(words, seconds):
    """Trains and kills that so many seconds after its first line.

    Returns:
        The first word of the last line that it printed; None if it had ended by then.
    """
    command = [sys.executable, "-m", "tfvae", "train", *words]
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "PYTHONUNBUFFERED": "1"}
    with subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, text=True) as process:
        first = process.stdout.readline()
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(seconds)
        ended = process.poll() is not None
        process.kill()
        lines = [first, *process.stdout]
    assert not ended or process.returncode == 0
    return None if ended else lines[-1].split()[0]


def is_the_run(out, wanted):
    """It has the weights of the run that nobody stopped, files of one training, nothing beside."""
    assert runs.opened(out)["settings"]["seed"] == 3
    assert all(map(np.array_equal, weights_of(out), wanted))
    assert [path.name for path in out.parent.iterdir()] == ["run"]


def weights_of(run):
    return tfvae.load_model(run / runs.MODEL).get_weights()
