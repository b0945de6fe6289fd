"""The folder for an app: its files, what stays untouched, and what its sources compute."""

import json
import re
import shutil

import numpy as np
import pytest

import tfvae
from tests.conftest import matches
from tests.support.app_toolchains import javascript
from tfvae.errors import InputError, InputTypeError
from tfvae.export import Sampler, app_sources, sidecar, tflite, to_app
from tfvae.export.schema import Ports

pytestmark = pytest.mark.xdist_group("export")  # one process makes the files they share

NAMES = ("DigitsSampler.kt", "DigitsSampler.swift", "DigitsSampler.js")


def described(event=(2, 2, 1), value_range=(0.0, 1.0), batch=1, latents=(3,), **changes):
    """A sidecar and the ports of a file that has only to be described."""
    names = ["z"] if len(latents) == 1 else [f"z_{i}" for i in range(len(latents))]
    metadata = {
        "event_shape": list(event),
        "value_range": None if value_range is None else list(value_range),
        "batch_sizes": [batch],
        "latent_sizes": list(latents),
        "latent_dim": latents[0] if len(latents) == 1 else list(latents),
        "condition_shape": None,
        "condition_dtype": None,
        "num_classes": None,
        "signatures": {"sample": ["seed", "index"], "decode": names},
        **changes,
    }
    y, x = {}, [batch, *event]
    if metadata["condition_shape"] is not None:
        y = {"y": [batch, *metadata["condition_shape"]]}
        for inputs in metadata["signatures"].values():
            inputs.append("y")
    z = {name: [batch, size] for name, size in zip(names, latents)}
    ports = {
        "sample": Ports({"seed": [1], "index": [1], **y}, {"x": x, **z}),
        "decode": Ports({**z, **y}, {"x": x}),
    }
    return metadata, ports


def written(folder, stem="digits", **options):
    """The paths of the sources of a described file: Kotlin, Swift and JavaScript."""
    folder.mkdir()
    texts = app_sources.sources(*described(**options), stem, "2.5.3")
    for name, text in texts.items():
        (folder / name).write_text(text, encoding="utf-8")
    return [folder / name for name in texts if name != "README.md"]


# The folder


def test_a_file_becomes_a_folder_for_an_app(exported, tmp_path):
    (tmp_path / "mine.txt").write_text("mine")
    metadata = to_app(exported / "batch_5_16.tflite", tmp_path, name="digits")
    assert {path.name for path in tmp_path.iterdir()} == {
        *NAMES, "mine.txt", "README.md", "digits.tflite", "digits.json", "tfvae-app.json"
    }  # fmt: skip
    assert Sampler(tmp_path / "digits.tflite").metadata == metadata
    texts = [(tmp_path / name).read_text() for name in (*NAMES, "README.md")]
    for text in texts:
        assert "$" not in re.sub(r"\$0", "", text)  # Swift's name for a closure's argument
        assert "digits.tflite" in text and "picture [8, 8, 1], values from 0 to 1" in text
    for text in texts[:3]:
        for signature in metadata["signatures"]:
            assert re.search(rf'"?{signature}"?\b', text)
        assert re.search(r"(?i)batch = 5\b", text) and re.search(r"(?i)latents = 8\b", text)
    assert "litert 1.0.0 and tflite 2.13.0" in texts[3]


def test_what_an_earlier_call_wrote_is_replaced_and_nothing_else(exported, tmp_path):
    file = exported / "batch_1.tflite"
    to_app(file, tmp_path, name="digits")
    to_app(exported / "batch_5_16.tflite", tmp_path, name="digits")
    assert "BATCH = 5" in (tmp_path / "DigitsSampler.kt").read_text()

    for name, text in ((NAMES[0], "// my changes"), ("README.md", "# My app")):
        kept = (tmp_path / name).read_text()
        (tmp_path / name).write_text(text)
        with pytest.raises(InputError, match=matches(re.escape(name), "did not write")):
            to_app(file, tmp_path, name="digits")
        assert (tmp_path / name).read_text() == text
        assert "BATCH = 5" in (tmp_path / "DigitsSampler.js").read_text()
        (tmp_path / name).write_text(kept)
    with pytest.raises(InputError, match=matches("README.md")):
        (tmp_path / "tfvae-app.json").unlink()
        to_app(file, tmp_path, name="other")


def test_a_model_is_exported_with_its_options(exported, digits_vae, tmp_path, monkeypatch):
    """The export itself, which takes seconds, is that of a file which is there."""
    calls = []

    def to_tflite(vae, path, **options):
        calls.append((vae, options))
        for ending in (".tflite", ".json"):
            shutil.copy(exported / f"batch_5_16{ending}", path.with_suffix(ending))
        return json.loads(path.with_suffix(".json").read_text())

    monkeypatch.setattr(tflite, "to_tflite", to_tflite)
    options = {"quantization": "int8", "batch_size": (5, 16), "include_encoder": True}
    options |= {"data": np.zeros((3, 8, 8, 1)), "data_y": None, "max_quality_loss": 0.5}
    metadata = to_app(digits_vae, tmp_path / "a" / "b", **options)
    assert calls == [(digits_vae, options)]
    assert Sampler(tmp_path / "a" / "b" / "model.tflite").metadata == metadata
    assert "class ModelSampler" in (tmp_path / "a" / "b" / "ModelSampler.swift").read_text()
    assert len(list((tmp_path / "a" / "b").iterdir())) == 7  # nothing temporary is left


@pytest.mark.parametrize(
    ("change", "word"),
    [
        ({"name": "3d model"}, "starts with a letter"),
        ({"name": 3}, "name to be a text"),
        ({"quantization": "int8"}, "quantization beside a file"),
        ({"batch_size": 2, "include_encoder": True}, "batch_size, include_encoder beside a file"),
    ],
)
def test_options_that_cannot_be_kept_are_refused(exported, tmp_path, change, word):
    with pytest.raises((InputError, InputTypeError), match=matches(word)):
        to_app(exported / "batch_1.tflite", tmp_path / "app", **change)
    assert not (tmp_path / "app").exists()


def test_a_file_without_samples_is_refused(exported, tmp_path):
    shutil.copy(exported / "batch_1.tflite", tmp_path / "m.tflite")
    told = json.loads((exported / "batch_1.json").read_text())
    del told["signatures"]["sample"], told["outputs"]["sample"]
    (tmp_path / "m.json").write_text(sidecar.dumps(told))
    with pytest.raises(InputError, match=matches("none named sample")):
        to_app(tmp_path / "m.tflite", tmp_path / "app")
    with pytest.raises(InputTypeError, match=matches("swap the two")):
        to_app(tmp_path, tfvae.mlp_vae((4,), 2, (4,), seed=0))


@pytest.mark.parametrize(
    ("stem", "name"),
    [("digits", "DigitsSampler"), ("my-model_v2", "MyModelV2Sampler"), ("VAE", "VAESampler")],
)
def test_a_class_has_the_name_of_the_file(stem, name):
    assert app_sources.class_name(stem) == name


# JavaScript

# In place of LiteRT.js: tensors that are counted, and a model that tells what it was given.
FAKE = """
const alive = new Set();
class Tensor {
  constructor(data, shape) { Object.assign(this, { data, shape }); alive.add(this); }
  toTypedArray() { return this.data; }
  delete() { alive.delete(this); }
}
const calls = [];
const run = (signature) => async (inputs) => {
  const told = ([name, { data, shape }]) => [name, data.constructor.name, [...data], shape];
  calls.push([signature, Object.entries(inputs).map(told)]);
  const made = (name) => [name, new Tensor(new Float32Array([1, 2]), [2])];
  return Object.fromEntries(app.SIGNATURES[signature].outputs.map(made));
};
const names = Object.keys(app.SIGNATURES);
const signatures = Object.fromEntries(names.map((name) => [name, { run: run(name) }]));
const sampler = new app.DigitsSampler({ Tensor }, { signatures });
const refused = (call) => call().then(() => null, (error) => error.message);
"""


def test_javascript_gives_the_model_what_it_takes(tmp_path):
    _, _, source = written(tmp_path / "app", batch=2, latents=(3, 2))
    program = """
    const x = await sampler.sample(2 ** 32 - 1, 4);
    await Promise.all([sampler.decode([1, 2, 3, 4, 5, 6], [7, 8, 9, 10]), sampler.sample(7, 0)]);
    const told = [];
    for (const call of [
      () => sampler.sample(2 ** 32, 0), () => sampler.sample(0.5, 0),
      () => sampler.sample(0, -1), () => sampler.sample(0, 2 ** 32),
      () => sampler.decode([1], [1]), () => sampler.run("other", {}),
    ]) told.push(await refused(call));
    console.log(JSON.stringify({ x: [...x], calls, alive: alive.size, told }));
    """
    found = javascript(source, FAKE + program)
    assert found["x"] == [1, 2] and found["alive"] == 0
    seven = [["seed", "Int32Array", [7], [1]], ["index", "Int32Array", [0], [1]]]
    first, decoded, last = found["calls"]
    assert first == [
        "sample",
        [["seed", "Int32Array", [-1], [1]], ["index", "Int32Array", [4], [1]]],
    ]
    assert decoded == ["decode", [
        ["z_0", "Float32Array", [1, 2, 3, 4, 5, 6], [2, 3]],
        ["z_1", "Float32Array", [7, 8, 9, 10], [2, 2]],
    ]]  # fmt: skip
    assert last == ["sample", seven]
    assert len(found["told"]) == 6 and all("expected" in words for words in found["told"])


@pytest.mark.parametrize(
    ("dtype", "classes", "right", "wrong"),
    [
        ("int32", 10, [[9, 0]], [[10, 0], [-1, 0], [0.5, 0], [1], None]),
        ("int32", None, [[99, 0]], [[-1, 0], [0.5, 0]]),
        ("float32", None, [[0.5, -3]], [[None, 0], [1, 2, 3]]),
    ],
)
def test_javascript_checks_conditions(tmp_path, dtype, classes, right, wrong):
    options = {"condition_shape": [], "condition_dtype": dtype, "num_classes": classes}
    _, _, source = written(tmp_path / "app", batch=2, **options)
    program = f"""
    const told = [];
    for (const y of {json.dumps([*right, *wrong])})
      told.push(await refused(() => sampler.sample(0, 0, y)));
    console.log(JSON.stringify({{ told, kind: calls[0][1].at(-1) }}));
    """
    found = javascript(source, FAKE + program)
    assert [words is None for words in found["told"]] == [True] * len(right) + [False] * len(wrong)
    kind = "Int32Array" if dtype == "int32" else "Float32Array"
    assert found["kind"] == ["y", kind, right[0], [2]]


def levels(x, low, high, shape):
    """The grey or colours of a picture, `[h, w, 3]`, by NumPy."""
    found = np.clip((np.reshape(x, (*shape[:2], -1)) - low) / (high - low), 0, 1) * 255
    return np.broadcast_to(np.round(found), (*shape[:2], 3)).astype(int)


PICTURES = [((2, 3, 1), (0.0, 1.0)), ((2, 2, 3), (-1.0, 1.0)), ((2, 3), None)]


@pytest.mark.parametrize(("event", "ends"), PICTURES)
def test_javascript_draws_each_picture(tmp_path, event, ends):
    _, _, source = written(tmp_path / "app", event=event, value_range=ends, batch=2)
    x = np.random.default_rng(0).normal(0.3, 1, (2, *event))
    low, high = ends or (x.min(), x.max())
    program = f"console.log(JSON.stringify([...app.colors({x.ravel().tolist()}, 1)]));"
    found = np.reshape(javascript(source, program), (*event[:2], 4))
    assert (found[..., :3] == levels(x[1], low, high, event)).all()
    assert (found[..., 3] == 255).all()


def test_what_is_no_picture_has_no_drawing(tmp_path):
    for path in written(tmp_path / "app", event=(12,)):
        text = path.read_text()
        assert "array [12]" in text and not re.search("Bitmap|CGImage|canvas", text)
    assert "draw" not in (tmp_path / "app" / "README.md").read_text()
