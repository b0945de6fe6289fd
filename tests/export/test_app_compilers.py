"""The Kotlin, Swift, C++ and JavaScript for apps, compiled, run or read as far as tools are there.

Of `to_app` and of `export/README.md`. `tests/browser/test_app.py` runs JavaScript on a real file.
"""

import json
import re

import numpy as np
import pytest

from tests.export.test_app_folder import PICTURES, levels, written
from tests.export.test_app_page import SNIPPETS
from tests.support.app_toolchains import cpp, javascript, kotlin, syntax_errors

CONDITIONS = {"condition_shape": [2], "condition_dtype": "float32"}
EVENTS = [*PICTURES, ((12,), None)]
KOTLIN_CALLS = """
    val sampler = DigitsSampler(android.content.Context())
    println(sampler.sample(-1, 4, intArrayOf(9, 0)).toList())
    sampler.decode(FloatArray(6) { it.toFloat() }, FloatArray(4), intArrayOf(1, 2))
    for (call in listOf<() -> Any>(
        { sampler.sample(0, -1, intArrayOf(1, 2)) }, { sampler.sample(0, 0, intArrayOf(1)) },
        { sampler.sample(0, Int.MAX_VALUE, intArrayOf(1, 2)) },
        { sampler.sample(0, 0, intArrayOf(10, 2)) }, { sampler.run("other", mapOf()) },
        { sampler.decode(FloatArray(5), FloatArray(4), intArrayOf(1, 2)) }
    )) println(try { call() } catch (error: IllegalArgumentException) { "refused" })
    sampler.close()
    val x = FloatArray(24) { it / 10f - 0.5f }
    println(DigitsSampler.bitmap(x, 1).colors.toList())
"""
OTHER_CALLS = """
    for (event in listOf(V0Sampler.EVENT, V1Sampler.EVENT, V2Sampler.EVENT, V3Sampler.EVENT))
        println(event)
    val digits = DigitSampler(android.content.Context())
    println(digits.sample(7, 3).toList())
    digits.close()
    println(sample(java.io.File("decoder.tflite"), 7, 3)[0][7][7][0])
"""


def snippets(language):
    """The snippets of a language on the page for app developers."""
    return [code for _, found, code in SNIPPETS if found == language]


def test_the_kotlin_compiles_and_gives_the_model_what_it_takes(tmp_path):
    """One program of sources of each kind and of the page's snippets: compilers start slowly."""
    source, _, _ = written(
        tmp_path / "app", event=(2, 2, 3), value_range=(-1.0, 1.0), batch=2, latents=(3, 2),
        condition_shape=[], condition_dtype="int32", num_classes=10,
    )  # fmt: skip
    sources = [source]
    for i, (event, ends) in enumerate(EVENTS):
        options = {"event": event, "value_range": ends, **CONDITIONS}
        sources.append(written(tmp_path / f"v{i}", f"v{i}", **options)[0])
    for i, code in enumerate(snippets("kotlin")):
        sources.append(tmp_path / f"Page{i}.kt")
        sources[-1].write_text(code)

    lines = kotlin(tmp_path / "program", sources, KOTLIN_CALLS + OTHER_CALLS)
    assert lines[:3] == [
        "sample [seed=-1, index=4, y=9 0] [x, z_0, z_1]",
        "[0.0, 0.5, 1.0, 2.0]",
        "decode [z_0=0.0 1.0 2.0 3.0 4.0 5.0, z_1=0.0 0.0 0.0 0.0, y=1 2] [x]",
    ]
    assert lines[3:10] == ["refused"] * 6 + ["closed digits.tflite"]
    x = np.arange(12, 24) / 10 - 0.5
    packed = 255 << 24 | levels(x, -1, 1, (2, 2, 3)) @ np.array([1 << 16, 1 << 8, 1])
    assert json.loads(lines[10]) == packed.astype(np.uint32).view(np.int32).ravel().tolist()
    assert lines[11:15] == ["6", "12", "6", "12"]
    assert lines[15:] == [
        "sample [seed=7, index=3] [x, z]",
        "[0.0, 0.5, 1.0, 2.0]",
        "closed decoder.tflite",
        "decoder.tflite sample [seed=7, index=3] [x, z]",
        "closed decoder.tflite",
        "0.5",
    ]


def test_the_pages_cpp_compiles_and_gives_the_model_what_it_takes(tmp_path):
    (code,) = snippets("cpp")
    main = """
    const std::vector<float> x = Sample("decoder.tflite", 7, 3);
    std::printf("%zu %g %g\\n", x.size(), x.front(), x.back());
    std::printf("%zu\\n", Sample("other.tflite", 7, 3).size());
    """
    assert cpp(tmp_path, code, main) == ["64 7300 7363", "0"]


def test_the_pages_javascript_gives_the_model_what_it_takes(tmp_path):
    (code,) = snippets("js")
    library = tmp_path / "node_modules" / "@litertjs" / "core"
    library.mkdir(parents=True)
    (library / "package.json").write_text('{"type": "module", "main": "index.js"}')
    (library / "index.js").write_text("""
    export const told = [];
    export class Tensor {
      constructor(data, shape) { Object.assign(this, { data, shape }); }
      toTypedArray() { return this.data; }
      delete() { this.data.fill(0); told.push("deleted"); }
    }
    export const loadLiteRt = async (path) => told.push(path);
    export const loadAndCompile = async (path, options) => {
      told.push(path, options.accelerator);
      const run = async ({ seed, index }) => {
        for (const { data, shape } of [seed, index])
          told.push([data.constructor.name, ...data, shape]);
        const z = new Tensor(new Float32Array(3), [3]);
        return { x: new Tensor(new Float32Array([1, 2]), [2]), z };
      };
      return { signatures: { sample: { run } } };
    };
    """)
    source = tmp_path / "page.mjs"
    source.write_text(code + 'export { sample }; export { told } from "@litertjs/core";')
    program = "console.log(JSON.stringify([[...(await app.sample(7, 3))], app.told]));"
    x, told = javascript(source, program)
    assert x == [1, 2]
    assert told[:3] == ["/wasm/", "/decoder.tflite", "wasm"]
    assert told[3:] == [["Int32Array", 7, [1]], ["Int32Array", 3, [1]], *["deleted"] * 4]


@pytest.mark.parametrize(("event", "ends"), EVENTS)
def test_sources_are_read_by_the_grammars(tmp_path, event, ends):
    sources = written(tmp_path / "app", event=event, value_range=ends, **CONDITIONS)
    for language, path in zip(("kotlin", "swift"), sources):
        text = path.read_text()
        assert syntax_errors(language, text) == []


MISTAKES = {
    "a brace too few": (r"\}\s*$", ""),
    "a comma too many": (r"\((\w)", r"(,\1"),
    "an equals sign too many": (" = ", " = = "),
}


@pytest.mark.parametrize("mistake", MISTAKES)
@pytest.mark.parametrize("language", ["kotlin", "swift"])
def test_a_mistake_in_a_snippet_is_found_by_the_grammar(language, mistake):
    for code in snippets(language):
        assert syntax_errors(language, code) == []
        assert syntax_errors(language, re.sub(*MISTAKES[mistake], code, count=1)) != []
