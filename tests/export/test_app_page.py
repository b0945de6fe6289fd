"""The page for app developers: every name, shape and type in it is that of a real file."""

import json
import re
from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf

import tfvae
from tests.conftest import largest_difference
from tfvae.export.runtime import InterpreterRuntime

pytestmark = pytest.mark.xdist_group("export")  # one process makes the files they share

PAGE = (Path(__file__).parents[2] / "export" / "README.md").read_text(encoding="utf-8")
SNIPPETS = re.findall(r"^## (.*?)\n(?:(?!^## )[\s\S])*?```(\w+)\n([\s\S]*?)```", PAGE, re.MULTILINE)
INTS = (
    r"(?:intArrayOf\((?:seed|index)\)"
    r"|bytes\(\[(?:seed|index)\]\)"
    r"|new Tensor\(new Int32Array\(\[(?:seed|index)\]\), \[1\]\))"
)
# What each language names, by snippet: signatures, inputs written as one int32, outputs read.
PATTERNS = {
    "Android: Kotlin, `CompiledModel`": (
        (r'create(?:In|Out)putBuffer\("\w+", "(\w+)"\)', r'\), "(\w+)"\)$'),
        (
            r'val (\w+)Buffer = model.createInputBuffer\("\1"',
            r"(\w+)Buffer\.writeInt\(intArrayOf\(\1\)\)",
            r'"(seed|index)" to \1B',
        ),
        (r'val (\w+)Buffer = model.createOutputBuffer\("\1"', r'"([xz])" to \1Buffer'),
    ),
    "Android: Kotlin, `Interpreter`": (
        (r'\), "(\w+)"\)$',),
        (rf'"(\w+)" to {INTS}',),
        (r'"(\w+)" to \w+[,)]',),
    ),
    "iOS: Swift": (
        (r'signatureRunner\(with: "(\w+)"\)',),
        (rf'"(\w+)": {INTS}',),
        (r'output\(named: "(\w+)"\)',),
    ),
    "C++": (
        (r'GetSignatureRunner\("(\w+)"\)',),
        (r'input_tensor\("(\w+)"\)->data\.i32\[0\]',),
        (r'output_tensor\("(\w+)"\)->data\.f\b',),
    ),
    "Web: JavaScript": (
        (r'signatures\["(\w+)"\]',),
        (rf"(\w+): {INTS}",),
        (r'outputs\["(\w+)"\]',),
    ),
}
DTYPES = {"float32": np.float32, "int32": np.int32}


@pytest.fixture(scope="module")
def model():
    """A model of the page's shapes."""
    return tfvae.mlp_vae((8, 8, 1), 16, (8,), seed=0)


@pytest.fixture(scope="module")
def exported(model, tmp_path_factory):
    folder = tmp_path_factory.mktemp("page")
    data = np.zeros((4, 8, 8, 1), np.float32)
    metadata = tfvae.export.to_tflite(
        model, folder / "m.tflite", None, (1, 16), include_encoder=True, data=data
    )
    runtime = InterpreterRuntime((folder / "m.tflite").read_bytes())
    ports = {}
    for name in metadata["signatures"]:
        runner = runtime._interpreter.get_signature_runner(name)
        sides = (runner.get_input_details(), runner.get_output_details())
        ports[name] = [
            {port: (d["dtype"], tuple(d["shape"])) for port, d in side.items()} for side in sides
        ]
    return metadata, ports, runtime


def described_ports(text, batch):
    """`{port: (dtype, shape)}` of a cell of the table, for a file of this batch size."""
    ports = {}
    for port, dtype, shape in re.findall(r"`(\w+)` (\w+) \[(.*?)\]", text):
        sizes = tuple(batch if n == "B" else int(n) for n in shape.split(", "))
        ports[port] = (DTYPES[dtype], sizes)
    return ports


def test_the_table_of_signatures_is_the_files(exported):
    _, ports, _ = exported
    rows = re.findall(r"^\| `(\w+)` \| (.*) \| (.*) \|$", PAGE, re.MULTILINE)
    described = {}
    for name, *sides in rows:
        for batch, suffix in ((1, ""), (16, "_16")):
            described[name + suffix] = [described_ports(side, batch) for side in sides]
    assert described == ports


def test_the_sidecars_keys_are_described(exported):
    metadata, _, _ = exported
    table = PAGE.split("| keys | |")[1].split("\n\n")[0]
    keys = set()
    for row in table.splitlines():
        if row.startswith("| `"):
            keys.update(re.findall(r"`(\w+)`", row.split("|")[1]))
    assert keys == {*metadata, "columns"}  # the last one of tables alone


def test_every_language_is_checked():
    assert {heading for heading, language, _ in SNIPPETS if language != "json"} == set(PATTERNS)
    languages = [language for _, language, _ in SNIPPETS]
    assert languages == ["kotlin", "kotlin", "swift", "cpp", "js", "json"]
    last = PAGE[PAGE.index("## What is compiled, and what is not") :]
    assert "No compiler has seen the Swift" in last and "compiled" not in PAGE[: -len(last)]


@pytest.mark.parametrize("heading", PATTERNS)
def test_a_snippet_uses_the_ports_of_a_signature(exported, heading):
    _, ports, _ = exported
    (code,) = (code for found, _, code in SNIPPETS if found == heading)
    signatures, inputs, outputs = (
        [set(re.findall(pattern, code, re.MULTILINE)) for pattern in patterns]
        for patterns in PATTERNS[heading]
    )
    assert set.union(*signatures) == {"sample"} and all(signatures)
    given, read = ports["sample"]
    assert all(found == set(given) for found in inputs)  # each as int32 [1]
    assert set(given.values()) == {(np.int32, (1,))}
    assert all(found and found <= set(read) for found in outputs)
    assert "x" in set.union(*outputs) and all(dtype == np.float32 for dtype, _ in read.values())
    sizes = [tuple(map(int, found.split(" * "))) for found in re.findall(r"\d+(?: \* \d+)+", code)]
    for name, nested in re.findall(r"val ([xz]) = (Array\(.*)", code):
        assert tuple(map(int, re.findall(r"Array\((\d+)\)", nested))) == read[name][1]
        sizes += [read["x"][1]]
    assert sizes and set(sizes) == {read["x"][1]}


def test_the_request_to_a_server_gives_the_models_samples(model, tmp_path):
    tfvae.export.to_saved_model(model, tmp_path / "digits" / "1")
    ((body,),) = ([code for _, language, code in SNIPPETS if language == "json"],)
    request = json.loads(body)
    assert set(request) == {"signature_name", "inputs"}
    run = tf.saved_model.load(str(tmp_path / "digits" / "1")).signatures[request["signature_name"]]
    dtypes = {name: spec.dtype for name, spec in run.structured_input_signature[1].items()}
    assert dtypes.keys() == request["inputs"].keys()
    inputs = {name: tf.constant(v, dtypes[name]) for name, v in request["inputs"].items()}
    found = run(**inputs)
    index, (seed,) = request["inputs"]["index"], request["inputs"]["seed"]
    expected = tf.gather(model.sample_latent(max(index) + 1, seed=seed), index)
    assert set(found) == {"x", "z"}
    assert largest_difference(found["z"], expected) < 1e-5
    assert largest_difference(found["x"], model.decode(expected).mean()) < 1e-5


def test_the_first_of_the_next_call_follows_the_last(exported):
    """As the page says: add B to `index`."""
    _, _, runtime = exported
    seed = np.array([7], np.int32)
    sixteen = runtime.run("sample_16", {"seed": seed, "index": np.array([32], np.int32)})["x"]
    one = runtime.run("sample", {"seed": seed, "index": np.array([37], np.int32)})["x"]
    assert largest_difference(sixteen[5], one[0]) < 1e-6
