"""Old runtimes run the files: what the sidecar says of their least versions is what ran."""

import json
import shutil
import subprocess
from pathlib import Path

import keras
import numpy as np
import pytest
from tensorflow.lite.python import schema_py_generated as schema

from tests.support import old_runtimes
from tfvae.export import Sampler, call_arguments, flatbuffer, least_runtimes

pytestmark = pytest.mark.xdist_group("export")  # one process makes the files they share

# The oldest wheels that there are, the versions that are named, and one before each that fails.
RUNTIMES = {
    "tflite-2.12": ("3.9", ["tflite-runtime==2.12.0", "numpy==1.26.4"]),
    "tflite-2.13": ("3.9", ["tflite-runtime==2.13.0", "numpy==1.26.4"]),
    "tensorflow-2.17.1": ("3.10", ["tensorflow-cpu==2.17.1", "numpy==1.26.4"]),
    "litert-1.0.0": (
        "3.10",
        ["ai-edge-litert==1.0.0", "numpy==1.26.4", "backports.strenum", "typing-extensions"],
    ),
}
# Levels of an int8 output may differ by one where another kernel rounds.
TOLERANCES = {"float32": 1e-5, "float16": 1e-5, "dynamic_int8": 1e-5, "int8": 0.05}


def _python(version):
    """An interpreter of a version, or a skip with the reason."""
    installed = map(str, sorted(Path.home().glob(f".pyenv/versions/{version}.*/bin/python")))
    for found in filter(None, (*installed, shutil.which(f"python{version}"))):
        # A shim may be on the path for a version that is not there.
        if subprocess.run([found, "--version"], capture_output=True, check=False).returncode == 0:
            return found
    return pytest.skip(f"no Python {version} to run old wheels with")


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    """Files of all networks in every quantization, of all pieces, and of loops in 8 bits."""
    folder = tmp_path_factory.mktemp("old")
    jobs = [
        (name, build, quantization)
        for name, build in old_runtimes.NETWORKS.items()
        for quantization in call_arguments.QUANTIZATIONS
    ]
    pieces = old_runtimes.PIECES
    jobs += [(name, build, None) for name, build in pieces.items()]
    for name, build, quantization in [*jobs, ("lstm", pieces["lstm"], "dynamic_int8")]:
        keras.utils.set_random_seed(0)
        old_runtimes.write(folder, name, build(), quantization)
    return folder


def _ran(files, tmp_path, runtime):
    """What a runtime found of each file: the largest error of each output, or an error's words."""
    version, packages = RUNTIMES[runtime]
    python, target = _python(version), tmp_path / "packages"
    install = [python, "-m", "pip", "install", "--only-binary", ":all:", "-q"]
    alone = [] if runtime.startswith("tensorflow") else ["--no-deps"]
    done = subprocess.run(
        [*install, *alone, "--target", str(target), *packages], capture_output=True, check=False
    )
    if done.returncode:
        pytest.skip(f"no wheels of {', '.join(packages)} for Python {version}")
    command = [python, "-c", old_runtimes.RUNNER, str(files)]
    told = subprocess.run(
        command, env={"PYTHONPATH": str(target)}, capture_output=True, text=True, check=True
    )
    return dict(map(json.loads, told.stdout.splitlines()))


@pytest.mark.nightly
def test_the_table_of_operators_is_that_of_the_files(files):
    found: dict = {}
    for path in files.glob("*.tflite"):
        for name, version in least_runtimes.operators_of(path.read_bytes()).items():
            found[name] = max(found.get(name, 0), version)
    assert found == least_runtimes.OPERATORS


@pytest.mark.nightly
@pytest.mark.parametrize(
    ("runtime", "key"), [("tflite-2.13", "tflite"), ("litert-1.0.0", "litert")]
)
def test_the_least_runtime_gives_the_numbers_of_today(files, tmp_path, runtime, key):
    ran, least = _ran(files, tmp_path, runtime), least_runtimes.LEAST[key]
    assert len(ran) == len(list(files.glob("*.tflite")))
    for name, errors in ran.items():
        told = Sampler(files / f"{name}.tflite").metadata["least_runtimes"][key]
        if told == least:
            assert max(errors.values()) < TOLERANCES[name.rsplit("-", 1)[1]], (name, errors)
            assert max(e for port, e in errors.items() if ".z" in port) < 1e-6, name
        else:  # a later one is named, since this one refuses the file
            assert isinstance(errors, str), name


@pytest.mark.nightly
def test_the_later_one_runs_what_the_least_refuses(files, tmp_path):
    (path,) = files.glob("conv-dynamic_int8.tflite")
    alone = tmp_path / "alone"
    alone.mkdir()
    for file in (path, path.with_suffix(".npz")):
        shutil.copy(file, alone)
    told = Sampler(path).metadata["least_runtimes"]
    assert told == least_runtimes.LEAST_HYBRID and told["tflite"] == "2.17.1"
    ((_, errors),) = _ran(alone, tmp_path, "tensorflow-2.17.1").items()
    assert max(errors.values()) < 1e-5


@pytest.mark.nightly
def test_the_version_before_refuses_every_file(files, tmp_path):
    ran = _ran(files, tmp_path, "tflite-2.12")
    assert ran and all(isinstance(found, str) for found in ran.values())


# Without downloads


def test_a_sidecar_names_the_least_runtimes(exported):
    told = Sampler(exported / "batch_1.tflite").metadata["least_runtimes"]
    assert told == {"litert": "1.0.0", "tflite": "2.13.0"}


def test_an_operator_that_was_not_tried_has_no_least_runtime(exported, monkeypatch):
    model = (exported / "batch_1.tflite").read_bytes()
    assert least_runtimes.operators_of(model)["BITWISE_XOR"] == 1
    monkeypatch.setitem(least_runtimes.OPERATORS, "BITWISE_XOR", 0)
    assert least_runtimes.of_file(model) == {"litert": None, "tflite": None}


def _transposed(weights):
    """A file of one transposed convolution of float32 inputs, with weights of a type."""
    model, graph, operator = schema.ModelT(), schema.SubGraphT(), schema.OperatorT()
    code = schema.OperatorCodeT()
    code.builtinCode = code.deprecatedBuiltinCode = schema.BuiltinOperator.TRANSPOSE_CONV
    code.version = 2
    graph.tensors = []
    for kind in (schema.TensorType.INT32, weights, schema.TensorType.FLOAT32):
        tensor = schema.TensorT()
        tensor.type, tensor.shape, tensor.buffer = kind, np.array([1], np.int32), 0
        graph.tensors.append(tensor)
    operator.opcodeIndex, operator.inputs = 0, np.array([0, 1, 2], np.int32)
    graph.operators = [operator]
    model.operatorCodes, model.subgraphs, model.buffers = [code], [graph], [schema.BufferT()]
    return flatbuffer.pack(model)


def test_transposed_convolutions_in_8_bits_need_a_later_one():
    plain, hybrid = map(
        least_runtimes.of_file,
        map(_transposed, (schema.TensorType.FLOAT32, schema.TensorType.INT8)),
    )
    assert plain == {"litert": "1.0.0", "tflite": "2.13.0"}
    assert hybrid == {"litert": "1.0.0", "tflite": "2.17.1"}
