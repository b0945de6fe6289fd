"""Every option of every command, at a value of its own, is found where it is used.

Each command is run once with everything in `TYPED`, where no two values are equal and none is the
default. What takes long is noted instead of done (tests/support/recording.py), and each value is
read off where it arrives.
"""

import contextlib
import http.server
import json
import socket
import webbrowser
from pathlib import Path

import keras
import numpy as np
import pytest
import typer
from PIL import Image

import tfvae
from tests.app.test_fingerprints import by_hand
from tests.datasets.test_datasets import write_mnist
from tests.export.test_web import fake_install
from tests.support.recording import record, record_run
from tfvae import plots
from tfvae.app import anomalies, cli, expressions, screen, uses
from tfvae.app.report_page import again
from tfvae.datasets import readers
from tfvae.export import Sampler

pytestmark = pytest.mark.xdist_group("options")  # one process makes the files they share

COMMANDS = typer.main.get_command(cli.app).commands
OF_ALL = ("help", "quiet", "json", "verbose")
TYPED = {
    "train": {
        "data": "mnist",
        "data_dir": "sets",
        "latent_dim": 3,
        "network": "mlp",
        "likelihood": "normal",
        "prior": "VampPrior(4)",
        "posterior": "full_normal",
        "objective": "IWAE(6)",
        "estimator": "DoublyReparameterized()",
        "hidden": "12,8",
        "filters": None,
        "image_size": 14,
        "image_fit": "pad",
        "condition": None,
        "columns": "age=real,id=skip",
        "epochs": 15,
        "steps": 8,
        "batch_size": 10,
        "learning_rate": 0.015,
        "num_samples": 7,
        "num_examples": 9,
        "seed": 5,
        "out": "out/run",
        "overwrite": True,
        "resume": None,
        "early_stopping": None,
        "strategy": None,
        "config": None,
        "print_config": None,
        "seeds": None,
    },
    # Where these arrive is asked in test_comparing.py and test_series.py.
    "compare": {"run": ["out/run", "out/other"], "html": "page.html"},
    "sweep": {"file": "sweep.toml", "out": "out/sweep", "plan": True, "overwrite": None},
    "evaluate": {
        "run": "out/run",
        "data": None,
        "num_samples": 11,
        "num_examples": 13,
        "data_dir": "moved",
    },
    "sample": {
        "run_or_file": "files/decoder.tflite",
        "count": 3,
        "seed": 9,
        "draw": True,
        "label": None,
        "out": "grid.png",
    },
    "reconstruct": {
        "run": "out/run",
        "data": "mnist",
        "count": 3,
        "out": "rows.csv",
        "data_dir": "moved",
    },
    "interpolate": {
        "run": "out/run",
        "data": "mnist",
        "pairs": 3,
        "steps": 4,
        "out": "strip.png",
        "data_dir": "moved",
    },
    "encode": {"run": "out/run", "data": "mnist", "out": "rows.csv", "data_dir": "moved"},
    "impute": {
        "run": "out/run",
        "data": "mnist",
        "num_samples": 11,
        "draws": 3,
        "seed": 9,
        "out": "rows.npz",
        "data_dir": "moved",
    },
    "anomalies": {
        "run": "out/run",
        "data": "mnist",
        "quantile": 0.25,
        "num_samples": 11,
        "num_examples": 13,
        "out": "rows.csv",
        "data_dir": "moved",
    },
    "export": {
        "run": "out/run",
        "out": "exported",
        "batch_size": [4, 6],
        "encoder": True,
        "quantization": "float16",
        "max_quality_loss": 0.0,
        "data_dir": "moved",
        "web": "page",
        "litert": "modules",
        "app_folder": "android",
        "onnx": None,  # these two in tests/sharing/test_share_command.py, as all of `share`
        "coreml": None,
    },
    "report": {"run": "out/run", "data_dir": "moved", "litert": "modules"},
    "demo": {"run_or_folder": "files", "port": None, "no_browser": True, "litert": "modules"},
    "share": {"run": "out/run", "out": None, "hub": "user/name", "private": True, "license": "mit"},
}


def options(command):
    """The parameters of a command, as the command line reads them."""
    return {option.name: option for option in COMMANDS[command].params if option.name not in OF_ALL}


def words_of(command, **changes):
    """What `TYPED` has for a command, as a user types it."""
    words = []
    for name, value in {**TYPED[command], **changes}.items():
        if value is None:
            continue
        option = options(command)[name]
        if option.param_type_name == "argument":
            words.append(value)
        elif option.is_flag:
            words += option.opts if value else []
        else:
            for each in value if isinstance(value, list) else [value]:
                words += [option.opts[0], each]
    return [str(word) for word in words]


def type_in(command, **changes):
    """Runs `tfvae` in this process, with what `TYPED` has for a command."""
    cli.app([command, *words_of(command, **changes)], standalone_mode=False)


@pytest.mark.parametrize("command", COMMANDS)
def test_every_option_is_typed_with_a_value_of_its_own(command):
    assert set(TYPED[command]) == set(options(command))
    for name, value in TYPED[command].items():
        assert value is None or value != options(command)[name].default
    typed = [str(value) for value in TYPED[command].values() if value is not None]
    assert len(set(typed)) == len(typed)


def images(folder, part):
    """The images of an IDX file, from 0 to 1."""
    pixels = readers.read_idx(Path(folder, "mnist", f"{part}-images-idx3-ubyte.gz"))
    return pixels[..., None].astype(np.float32) / 255


def hidden_of(network):
    """The widths of the hidden layers of a dense network."""
    dense = [layer for layer in network.layers if isinstance(layer, keras.layers.Dense)]
    return [layer.units for layer in dense[:-1]]


def folder_of(x, part):
    """The folder whose images x are, or the first of."""
    folders = ("sets", "moved", "elsewhere")
    return [name for name in folders if np.array_equal(images(name, part)[: len(x)], x)]


@pytest.fixture(scope="module", autouse=True)
def folders(tmp_path_factory):
    """A working folder with data in three places, an exported file and an npm install."""
    with pytest.MonkeyPatch.context() as monkeypatch:
        monkeypatch.chdir(tmp_path_factory.mktemp("options"))
        monkeypatch.setenv("TFVAE_DATA", "elsewhere")
        for seed, name in enumerate(("sets", "moved", "elsewhere")):
            write_mnist(Path(name), "mnist", train=35, test=25, seed=seed)
        tfvae.export.to_tflite(tfvae.mlp_vae((4, 4, 1), 2, (8,), seed=0), "files/decoder.tflite")
        fake_install(Path("modules"))
        yield


@pytest.fixture(scope="module")
def trained(folders):
    """The calls of `tfvae train`, whose run the other commands then read."""
    with pytest.MonkeyPatch.context() as monkeypatch:
        calls = record_run(monkeypatch)
        type_in("train")
    return calls


def test_what_is_typed_for_train_is_what_the_run_uses(trained):
    (fit,), (evaluate,), (pictures,) = trained.fit, trained.evaluate, trained.draw_samples
    vae = fit["self"]
    layers = {type(layer).__name__ for layer in vae.decoder.layers}
    rate = vae.optimizer.get_config()["learning_rate"]["config"]
    found = {
        "data": "mnist" if fit["x"].shape == (35, 28, 28, 1) else fit["x"].shape,
        "latent_dim": vae.latent_dim,
        "network": "conv" if "Conv2DTranspose" in layers else "mlp",
        "likelihood": type(vae.likelihood).__name__.lower(),
        "prior": f"VampPrior({vae.prior.num_components})",
        "posterior": expressions._snake(type(vae.posterior).__name__),
        "objective": f"{type(vae.objective).__name__}({vae.objective.num_samples})",
        "estimator": repr(vae.estimator),
        "hidden": ",".join(str(n) for n in hidden_of(vae.encoder)),
        "batch_size": fit["batch_size"],
        "learning_rate": rate["initial_learning_rate"],
        "num_samples": evaluate["num_samples"],
        "num_examples": len(evaluate["x"]),
        "seed": evaluate["seed"],
    }
    assert found == {name: TYPED["train"][name] for name in found}
    assert folder_of(fit["x"], "train") == folder_of(evaluate["x"], "t10k") == ["sets"]
    assert len(fit["x"]) == 35
    assert vae is evaluate["vae"] is pictures["vae"]
    assert vae.seed == pictures["seed"] == 5
    assert (fit["epochs"], rate["decay_steps"]) == (2, 8)  # four batches of 10, the last one of 5

    report = json.loads(Path("out/run/report.json").read_text())
    typed = {name: value for name, value in TYPED["train"].items() if name in report["settings"]}
    typed = {**typed, "epochs": 2, "hidden": [12, 8]}
    typed["columns"] = ["age=real", "id=skip"]
    typed["data_dir"] = str(Path("sets").absolute())
    assert report["settings"] == typed and len(typed) == len(TYPED["train"]) - 5
    assert report["data"]["trained_on"] == by_hand(fit["x"])
    assert report["data"]["evaluated_on"] == by_hand(evaluate["x"])


def test_the_seed_of_train_is_that_of_the_weights(trained):
    keras.utils.set_random_seed(5)
    likelihood = tfvae.likelihoods.Normal(0.5, learn_scale=True)
    pieces = {"prior": tfvae.priors.VampPrior(4), "posterior": tfvae.posteriors.FullNormal()}
    vae = tfvae.mlp_vae((28, 28, 1), 3, (12, 8), likelihood=likelihood, **pieces)
    by_hand = vae.get_weights()
    assert all(map(np.array_equal, trained.fit[0]["self"].get_weights(), by_hand))


def test_what_is_typed_for_evaluate_is_what_is_evaluated(trained, monkeypatch):
    calls = record_run(monkeypatch)
    type_in("evaluate")
    (found,) = calls.evaluate
    assert (found["num_samples"], len(found["x"])) == (11, 13)
    assert folder_of(found["x"], "t10k") == ["moved"]
    assert found["seed"] == 5  # the run's
    expected = trained.fit[0]["self"].get_weights()
    assert all(map(np.array_equal, found["vae"].get_weights(), expected))


def test_without_its_options_evaluate_goes_by_the_run(trained, monkeypatch):
    calls = record_run(monkeypatch)
    cli.app(["evaluate", "out/run", "--num-examples", "0"], standalone_mode=False)
    (found,) = calls.evaluate
    assert folder_of(found["x"], "t10k") == ["sets"]
    assert (found["num_samples"], len(found["x"])) == (5000, 25)  # 0: all


def test_what_is_typed_for_sample_is_what_is_drawn():
    type_in("sample")
    drawn = Sampler("files/decoder.tflite").sample(3, seed=9, draw=True)
    sheet = plots.grid(drawn, value_range=(0, 1))
    picture = np.asarray(Image.open("grid.png"))
    factor = 640 // max(sheet.shape)
    assert picture.shape == tuple(factor * side for side in sheet.shape)
    assert np.array_equal(picture[::factor, ::factor], sheet)


@pytest.mark.parametrize(
    ("command", "module", "name"),
    [
        ("reconstruct", uses, "reconstruct"),
        ("interpolate", uses, "interpolate"),
        ("encode", uses, "encode"),
        ("impute", uses, "impute"),
        ("anomalies", anomalies, "find"),
        ("report", again, "again"),
    ],
)
def test_what_is_typed_for_a_use_of_a_run_is_what_it_is_done_with(
    monkeypatch, command, module, name
):
    calls = record(monkeypatch, module, name)
    monkeypatch.setattr(screen, "result", lambda *_: None)
    with contextlib.suppress(TypeError):  # of None, which is what was found
        type_in(command)
    assert dict(calls[0]) == TYPED[command]


def test_what_is_typed_for_export_is_what_the_files_are_made_with(trained, monkeypatch):
    calls = record_run(monkeypatch)
    Path("page").mkdir()
    type_in("export")
    (file,), (saved,), (page,) = calls.to_tflite, calls.to_saved_model, calls.to_web
    assert file["path"] == Path("exported/decoder.tflite")
    assert saved["path"] == Path("exported/saved_model")
    assert file["batch_size"] == (4, 6)
    assert file["include_encoder"] is True
    assert folder_of(file["data"], "t10k") == ["moved"]
    assert page["folder"] == "page"
    assert page["litert"] == "modules"
    (app,) = calls.to_app
    assert app["directory"] == "android"
    assert (app["batch_size"], app["include_encoder"]) == ((4, 6), True)
    assert folder_of(app["data"], "t10k") == ["moved"]
    for made in (file, page, app):
        assert (made["quantization"], made["max_quality_loss"]) == ("float16", 0.0)
    expected = trained.fit[0]["self"].get_weights()
    for vae in (file["vae"], saved["vae"], page["vae_or_tflite"], app["vae_or_tflite"]):
        assert all(map(np.array_equal, vae.get_weights(), expected))


def test_without_its_options_export_writes_one_plain_file(trained, monkeypatch):
    calls = record_run(monkeypatch)
    cli.app(["export", "out/run", "--out", "plain"], standalone_mode=False)
    (file,) = calls.to_tflite
    names = ("quantization", "batch_size", "include_encoder", "data", "max_quality_loss")
    assert [file[name] for name in names] == [None, (1,), False, None, None]
    assert calls.to_web == calls.to_app == []


def test_what_is_typed_for_demo_is_what_is_served(monkeypatch):
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    served = {}

    def serve(server):
        folder = server.folder
        served["address"] = server.server_address
        served["html"] = (folder / "index.html").read_text()
        served["files"] = {path.name for path in folder.iterdir()}
        raise KeyboardInterrupt

    monkeypatch.setattr(http.server.ThreadingHTTPServer, "serve_forever", serve)
    opened = record(monkeypatch, webbrowser, "open")
    type_in("demo", port=port)
    assert served["address"] == ("127.0.0.1", port)
    assert "<h1>Samples of files</h1>" in served["html"]
    assert "litert" in served["files"]
    assert opened == []

    type_in("demo", port=port, no_browser=False)
    assert [call["url"] for call in opened] == [f"http://127.0.0.1:{port}/"]
