"""The layout keeps its measure: see `python -m tests.structure`."""

import ast

import pytest

from tests import structure
from tests.structure import ROOT

SOURCES = [*ROOT.glob("tfvae/**/*.py"), *ROOT.glob("export/*.py")]


@pytest.fixture(scope="module")
def found():
    return structure.measures(ROOT)


def test_the_root_is_small_and_lines_are_short(found):
    assert found["files at the root"] <= 13
    assert found["lines over 100 characters"] == 0


def test_imports_run_downwards(found):
    assert found["modules in a circle"] == 0
    assert found["rooms in a circle"] == 0
    assert found["floors of modules"] <= 11


def test_public_functions_are_annotated_and_documented(found):
    for name in ("of them annotated", "of them with a docstring"):
        assert found[name] == "100.0%", name
    assert found["of those of two arguments, with Args"] == "100.0%"


def test_bodies_are_short(found):
    assert found["body lines, median"] <= 5
    assert float(found["bodies under 22 lines"].rstrip("%")) >= 90


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: path.relative_to(ROOT).as_posix())
def test_a_file_is_at_most_250_lines_beside_its_docstrings(path):
    text = path.read_text(encoding="utf-8")
    documented = sum(map(_docstring_lines, ast.walk(ast.parse(text))))

    assert len(text.splitlines()) - documented <= 250


def _docstring_lines(node):
    """The lines of a node's docstring, 0 where it has none."""
    documentable = (ast.Module, ast.ClassDef, ast.FunctionDef)
    if not isinstance(node, documentable) or ast.get_docstring(node) is None:
        return 0
    first = node.body[0]
    return first.end_lineno - first.lineno + 1


def test_the_measure_of_a_file_leaves_out_docstrings_only():
    tree = ast.parse('"""One\ntwo."""\n\n\ndef f():\n    """Three."""\n    return """four"""\n')

    assert sum(map(_docstring_lines, ast.walk(tree))) == 3
