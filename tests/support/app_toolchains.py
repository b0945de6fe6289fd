"""Compiles, runs and reads the sources that `to_app` and `export/README.md` give to apps.

A compiler that is not installed skips its tests. Where TFVAE_KOTLINC or TFVAE_CXX names it, as in
`.ci/run`, nothing is skipped.
"""

import importlib
import json
import os
import shutil
import subprocess
from pathlib import Path

import pytest

_STUBS = Path(__file__).parent / "app_stubs"


def _compiler(variable, name):
    """The path of a compiler; skips where it is neither installed nor named."""
    named = os.environ.get(variable)
    if named is None and not shutil.which(name):
        pytest.skip(f"no {name}: install it, or name it in {variable}")
    found = shutil.which(named or name)
    assert found, f"{variable} names no compiler"
    return found


def _printed(*command):
    """The lines that a command prints."""
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0 and "error:" not in done.stderr, done.stderr
    return done.stdout.splitlines()


def kotlin(folder, sources, main):
    """The lines that a Kotlin program prints, compiled with sources and stubs of what they import.

    Args:
        folder: for the program.
        sources: paths of `.kt` files.
        main: the statements of its `main`.
    """
    compiler = _compiler("TFVAE_KOTLINC", "kotlinc")
    folder.mkdir()
    (folder / "main.kt").write_text(f"import tfvae.*\nfun main() {{\n{main}\n}}\n")
    files = [folder / "main.kt", *(_STUBS / "kotlin").glob("*.kt"), *sources]
    jar = str(folder / "program.jar")
    _printed(compiler, *map(str, files), "-include-runtime", "-d", jar)
    return _printed("java", "-cp", jar, "MainKt")


def cpp(folder, source, main):
    """The lines that a C++ program prints, compiled with stubs of LiteRT's headers.

    Args:
        folder: for the program.
        source: the text that comes before its `main`.
        main: the statements of its `main`.
    """
    compiler = _compiler("TFVAE_CXX", "g++")
    text = f"#include <cstdio>\n{source}\nint main() {{\n{main}\n}}\n"
    (folder / "main.cc").write_text(text)
    program = str(folder / "program")
    options = ["-std=c++17", "-Wall", "-Werror", f"-I{_STUBS / 'cpp'}", "-o", program]
    _printed(compiler, *options, str(folder / "main.cc"))
    return _printed(program)


def javascript(source, program):
    """What a program prints as JSON that has the module `source` as `app`, under Node.js."""
    if not shutil.which("node"):
        pytest.skip("no Node.js")
    text = f"import * as app from {json.dumps(source.as_uri())};\n{program}"
    return json.loads("\n".join(_printed("node", "--input-type=module", "-e", text)))


def syntax_errors(language, text):
    """The lines of Kotlin or Swift that the language's grammar cannot read."""
    tree_sitter = importlib.import_module("tree_sitter")
    grammar = tree_sitter.Language(importlib.import_module(f"tree_sitter_{language}").language())
    tree = tree_sitter.Parser(grammar).parse(text.encode())
    found, open_nodes = [], [tree.root_node]
    while open_nodes:
        node = open_nodes.pop()
        if node.type == "ERROR" or node.is_missing:
            found.append(node.start_point[0] + 1)
        open_nodes.extend(node.children)
    return found
