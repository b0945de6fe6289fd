"""ONNX files give what the model gives, by ONNX Runtime; Core ML is refused where it cannot run."""

import json
import sys
import types

import numpy as np
import pytest

import tfvae
from tests.conftest import largest_difference, matches
from tests.support import zoo
from tfvae.errors import InputError, InputTypeError, WriteError
from tfvae.export import coreml_folder, plain_functions

onnx = pytest.importorskip("onnx")
onnxruntime = pytest.importorskip("onnxruntime")
pytest.importorskip("tf2onnx")

pytestmark = pytest.mark.xdist_group("onnx")
ASKED = ("decode", "encode", "sample")


@pytest.fixture(scope="module")
def vae():
    return tfvae.mlp_vae((4, 4, 1), 3, (8,), prior=tfvae.priors.GaussianMixture(3), seed=0)


@pytest.fixture(scope="module")
def written(vae, tmp_path_factory):
    folder = tmp_path_factory.mktemp("onnx") / "files"
    tfvae.export.to_onnx(vae, folder, include_encoder=True, signatures=ASKED)
    return folder


def run(folder, name, **inputs):
    session = onnxruntime.InferenceSession(folder / f"{name}.onnx")
    names = [output.name for output in session.get_outputs()]
    return dict(zip(names, session.run(None, inputs)))


def test_samples_are_those_of_the_model_whatever_the_batch(vae, written):
    index = np.array([5, 0, 37, 2**20], np.int32)
    found = run(written, "sample", seed=np.array([7], np.int32), index=index)
    for row, number in enumerate(index):
        z = vae.sample_latent(1, seed=7, start=int(number))
        assert largest_difference(found["z"][row], z[0]) < 1e-6
        assert largest_difference(found["x"][row], vae.sample(1, 7, start=int(number))[0]) < 1e-6


def test_decoded_and_encoded_numbers_are_those_of_the_model(vae, written):
    z = np.random.default_rng(0).normal(size=(5, 3)).astype(np.float32)
    assert largest_difference(run(written, "decode", z=z)["x"], vae.decode(z).mean()) < 1e-6
    x = zoo.binary(6)
    found, q = run(written, "encode", x=x), vae.encode(x)
    assert largest_difference(found["loc"], q.mean()) < 1e-5
    assert largest_difference(found["scale"], q.stddev()) < 1e-5


def test_the_files_are_valid_and_listed(written):
    listed = json.loads((written / "model.json").read_text("utf-8"))
    assert set(listed["signatures"]) == set(ASKED)
    for name in ASKED:
        model = onnx.load(written / f"{name}.onnx")
        onnx.checker.check_model(model, full_check=True)
        assert [each.domain for each in model.opset_import] == [""]
        known = listed["signatures"][name]
        assert [port.name for port in model.graph.input] == known["inputs"]
        assert [port.name for port in model.graph.output] == known["outputs"]
        assert known["difference"] < 1e-5


def test_what_cannot_be_written_is_refused(vae, written, tmp_path):
    with pytest.raises(InputTypeError, match=matches("to_onnx")):
        tfvae.export.to_onnx(str(tmp_path), vae)
    with pytest.raises(InputError, match=matches("encode", "include the encoder")):
        tfvae.export.to_onnx(vae, tmp_path / "new", signatures=("encode",))
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "notes.txt").write_text("mine")
    with pytest.raises(WriteError, match=matches("notes.txt")):
        tfvae.export.to_onnx(vae, tmp_path / "mine")
    assert not (tmp_path / "new").exists()


def test_a_file_that_differs_is_refused(vae):
    made, _ = plain_functions.functions(vae, ["decode"], batch=None, encoder=False)

    def nearly(inputs):
        return {"x": made["decode"].function(inputs["z"])["x"].numpy() + 2e-3}

    with pytest.raises(InputError, match=matches("decode.onnx", "0.002")):
        plain_functions.measured(vae, made["decode"], nearly, "decode.onnx")


def test_the_extra_is_named_where_a_library_is_missing(vae, tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "tf2onnx", None)
    with pytest.raises(ModuleNotFoundError, match=r"tfvae\[onnx\]"):
        tfvae.export.to_onnx(vae, tmp_path / "new")


@pytest.mark.nightly
@pytest.mark.parametrize(
    "name",
    ["diagonal-vamp", "iaf-realnvp", "sphere-sphere", "categorical-categorical", "relaxed-relaxed"],
)
def test_every_signature_of_a_kind_of_model(name, tmp_path):
    """`to_onnx` itself refuses a file that differs from the model."""
    found = tfvae.export.to_onnx(zoo.BUILDERS[name]().vae, tmp_path / "x", include_encoder=True)
    assert set(found["signatures"]) >= {"decode", "sample", "draw", "encode", "reconstruct"}


@pytest.mark.nightly
def test_the_kinds_of_networks(tmp_path):
    for number, vae in enumerate((
        tfvae.conv_vae((16, 16, 3), 4, likelihood=tfvae.likelihoods.DiscretizedLogistic()),
        tfvae.conv1d_vae((16, 2), 4, likelihood=tfvae.likelihoods.Normal(0.1), condition=3),
        tfvae.hierarchical_vae((4, 4, 1), (4, 3), ladder=True),
    )):  # fmt: skip
        tfvae.export.to_onnx(vae, tmp_path / str(number), include_encoder=True)


# ---- Core ML


def test_core_ml_is_refused_by_name_where_it_cannot_run(vae, tmp_path, monkeypatch):
    monkeypatch.setattr(sys, "platform", "linux")
    with pytest.raises(InputError, match=matches("macOS", "linux", "to_tflite")):
        tfvae.export.to_coreml(vae, tmp_path / "new")
    assert not (tmp_path / "new").exists()


class Package:
    """What `coremltools.convert` gives, with the function itself in place of Core ML."""

    shift = 0.0

    def __init__(self, functions, **options):
        assert options["convert_to"] == "mlprogram"
        (self.function,) = functions

    def get_spec(self):
        names = ["Identity", "Identity_1"][: len(self.function.structured_outputs)]
        outputs = [types.SimpleNamespace(name=name) for name in names]
        return types.SimpleNamespace(description=types.SimpleNamespace(output=outputs))

    def predict(self, inputs):
        found = self.function(*inputs.values())
        values = [found[key].numpy() + self.shift for key in sorted(found)]
        # In another order than that of the description.
        return dict(reversed(list(zip(["Identity", "Identity_1"], values))))

    def save(self, path):
        with open(path, "w", encoding="utf-8") as file:
            file.write("a package")


def test_core_ml_packages_are_measured_on_a_mac(vae, tmp_path, monkeypatch):
    precision = types.SimpleNamespace(FLOAT32="float32")
    tools = types.SimpleNamespace(convert=Package, precision=precision)
    monkeypatch.setattr(coreml_folder.sys, "platform", "darwin")
    monkeypatch.setitem(sys.modules, "coremltools", tools)
    found = tfvae.export.to_coreml(vae, tmp_path / "new", include_encoder=True)
    assert found["encode"]["outputs"] == {"loc": "Identity", "scale": "Identity_1"}
    assert max(each["difference"] for each in found.values()) < 1e-5
    assert (tmp_path / "new" / "reconstruct.mlpackage").read_text() == "a package"

    monkeypatch.setattr(Package, "shift", 0.01)
    with pytest.raises(InputError, match=matches("decode.mlpackage")):
        tfvae.export.to_coreml(vae, tmp_path / "other")
    assert not (tmp_path / "other").exists()
