"""Compiles and runs the sources that `to_app` writes, as far as compilers are installed."""

import json
import shutil
import subprocess

import pytest

# What the Kotlin uses of Android and of LiteRT, with the signatures of LiteRT's sources.
_STUBS = {
    "content.kt": """package android.content
class Context { val assets = android.content.res.AssetManager() }
""",
    "res.kt": """package android.content.res
class AssetManager
""",
    "graphics.kt": """package android.graphics
class Bitmap(val colors: IntArray, val width: Int, val height: Int) {
    enum class Config { ARGB_8888 }
    companion object {
        fun createBitmap(colors: IntArray, width: Int, height: Int, config: Config): Bitmap {
            require(config == Config.ARGB_8888)
            return Bitmap(colors, width, height)
        }
    }
}
""",
    "litert.kt": """package com.google.ai.edge.litert
enum class Accelerator { CPU, GPU }
class TensorBuffer : AutoCloseable {
    var told = ""
    fun writeInt(data: IntArray) { told = data.joinToString(" ") }
    fun writeFloat(data: FloatArray) { told = data.joinToString(" ") }
    fun readFloat(): FloatArray = floatArrayOf(0f, 0.5f, 1f, 2f)
    override fun close() { told = "closed" }
}
class CompiledModel(val asset: String) : AutoCloseable {
    class Options(vararg val accelerators: Accelerator)
    fun createInputBuffer(inputName: String, signature: String? = null) = TensorBuffer()
    fun createOutputBuffer(outputName: String, signature: String? = null) = TensorBuffer()
    fun run(
        inputs: Map<String, TensorBuffer>,
        outputs: Map<String, TensorBuffer>,
        signature: String? = null
    ) {
        println(signature + " " + inputs.map { it.key + "=" + it.value.told } + " " + outputs.keys)
    }
    override fun close() { println("closed " + asset) }
    companion object {
        fun create(
            assets: android.content.res.AssetManager,
            name: String,
            options: Options
        ): CompiledModel {
            require(options.accelerators.toList() == listOf(Accelerator.CPU))
            require(assets.toString() != "")
            return CompiledModel(name)
        }
    }
}
""",
}


def kotlin(folder, sources, main):
    """The lines that a Kotlin program prints, compiled with sources and stubs of what they import.

    Args:
        folder: for the program.
        sources: paths of `.kt` files.
        main: the statements of its `main`.
    """
    if not shutil.which("kotlinc") or not shutil.which("java"):
        pytest.skip("no Kotlin compiler: install kotlin")
    folder.mkdir()
    for name, text in _STUBS.items():
        (folder / name).write_text(text)
    (folder / "main.kt").write_text(f"import tfvae.*\nfun main() {{\n{main}\n}}\n")
    files = [str(path) for path in (*folder.glob("*.kt"), *sources)]
    jar = str(folder / "program.jar")
    compile_it = ["kotlinc", *files, "-include-runtime", "-d", jar]
    done = subprocess.run(compile_it, capture_output=True, text=True, check=False)
    assert done.returncode == 0 and "error:" not in done.stderr, done.stderr
    command = ["java", "-cp", jar, "MainKt"]
    ran = subprocess.run(command, capture_output=True, text=True, check=False)
    assert ran.returncode == 0, ran.stderr
    return ran.stdout.splitlines()


def javascript(source, program):
    """What a program prints as JSON that has the module `source` as `app`, under Node.js."""
    if not shutil.which("node"):
        pytest.skip("no Node.js")
    text = f"import * as app from {json.dumps(source.as_uri())};\n{program}"
    command = ["node", "--input-type=module", "-e", text]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def swift_errors(text):
    """The lines of Swift that tree-sitter cannot read."""
    parser = pytest.importorskip("tree_sitter", reason="no tree-sitter")
    grammar = pytest.importorskip("tree_sitter_swift", reason="no tree-sitter-swift")
    tree = parser.Parser(parser.Language(grammar.language())).parse(text.encode())
    found, open_nodes = [], [tree.root_node]
    while open_nodes:
        node = open_nodes.pop()
        if node.type == "ERROR" or node.is_missing:
            found.append(node.start_point[0] + 1)
        open_nodes.extend(node.children)
    return found
