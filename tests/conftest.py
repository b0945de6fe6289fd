import gc
import os
import sys

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import keras
import numpy as np
import pytest

import tfvae
from tests.support import quick, zoo  # noqa: F401
from tfvae._keras import custom_gradients
from tfvae.app import cli, screen
from tfvae.ops import xla
from tfvae.training import compilation_plan

_choose = compilation_plan.choose


def _as_graphs(model, rows=0):
    """Where the compiler is left to us: a graph, since XLA takes seconds for each program.

    Tests marked `xla` let models choose, as do the commands and examples that are processes.
    """
    return _choose(model, rows) if os.environ.get("TFVAE_TESTS_BY_XLA") else xla.GRAPH


compilation_plan.choose = _as_graphs  # before the first fixture of a session makes a model
# What the imports have made stays; Python would look through it thousands of times.
gc.collect()
gc.freeze()
gc.set_threshold(50_000, 20, 20)


def pytest_sessionfinish():
    """Spares pytest's last collections the graphs and programs that TensorFlow keeps."""
    gc.freeze()


@pytest.fixture(autouse=True, scope="module")
def _no_graph_is_kept():
    """Lets the graphs of a file's tests go, which their custom gradients would keep."""
    yield
    custom_gradients.hold_by_graphs()


@pytest.fixture(autouse=True)
def _seeded(request, monkeypatch):
    keras.utils.set_random_seed(0)
    if request.node.get_closest_marker("xla"):
        monkeypatch.setattr(compilation_plan, "choose", _choose)


@pytest.fixture(scope="session")
def digits():
    """The embedded digits, grey."""
    return tfvae.datasets.load("digits")


@pytest.fixture(scope="session")
def digits_vae(digits):
    """A small model of the digits, trained for a moment."""
    keras.utils.set_random_seed(0)
    likelihood = tfvae.likelihoods.Bernoulli(dynamic_binarization=True)
    vae = tfvae.mlp_vae(digits.event_shape, 8, (64,), likelihood=likelihood, seed=0)
    vae.compile(keras.optimizers.Adam(3e-3), jit_compile=False)
    vae.fit(digits.x_train, batch_size=100, epochs=8, verbose=0)
    return vae


@pytest.fixture(scope="session")
def exported(digits_vae, tmp_path_factory):
    """The digits model as files: `batch_1.tflite`, `batch_5_16.tflite` and `saved_model`.

    The second holds the encoder too.
    """
    folder = tmp_path_factory.mktemp("exported")
    tfvae.export.to_tflite(digits_vae, folder / "batch_1.tflite")
    tfvae.export.to_tflite(
        digits_vae, folder / "batch_5_16.tflite", batch_size=(5, 16), include_encoder=True
    )
    tfvae.export.to_saved_model(digits_vae, folder / "saved_model")
    return folder


@pytest.fixture(scope="session")
def quantized(digits_vae, digits, tmp_path_factory):
    """The digits model, with its encoder, in every quantization; None is float32: `{name: path}`.

    Tests of it are in the group "export", so that one process makes the files.
    """
    folder, files = tmp_path_factory.mktemp("quantized"), {}
    for name in (None, "float16", "dynamic_int8", "int8"):
        files[name] = folder / f"{name or 'float32'}.tflite"
        options = {"include_encoder": True, "data": digits.x_test}
        tfvae.export.to_tflite(digits_vae, files[name], name, 16, **options)
    return files


@pytest.fixture
def tfvae_command(capfd, monkeypatch, tmp_path):
    """Runs the command in this process: `(exit status, output, errors)`."""
    monkeypatch.chdir(tmp_path)

    def run(*arguments):
        monkeypatch.setattr(sys, "argv", ["tfvae", *map(str, arguments)])
        try:
            cli.main()
            status = 0
        except SystemExit as leaving:
            status = leaving.code or 0
        screen.choose()  # what is asked for holds for one command
        output = capfd.readouterr()
        return status, output.out, output.err

    return run


@pytest.fixture
def specimen(request):
    return zoo.BUILDERS[request.param]()


@pytest.fixture
def small():
    """An untrained Bernoulli model, compiled, and data for it."""
    specimen = zoo.BUILDERS["diagonal-standard"]()
    specimen.vae.compile(jit_compile=False)
    return specimen


def matches(*words):
    """A pattern that wants the three parts of a message, and `words` in any order."""
    return "(?s)^" + "".join(f"(?=.*{word})" for word in ("Expected", "Received", "Fix", *words))


def largest_difference(a, b):
    return float(np.abs(np.asarray(a) - np.asarray(b)).max())
