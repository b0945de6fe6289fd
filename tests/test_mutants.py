"""The mutants of `python -m tests.mutation` still apply; none of them is run here."""

import ast
import re
from pathlib import Path

import pytest

from tests.mutation import mutant, mutants, trials

ROOT = Path(__file__).resolve().parents[1]
BY_AREA = mutants.by_area()
ALL = [mutant for area in BY_AREA.values() for mutant in area]


@pytest.mark.parametrize("area", BY_AREA)
def test_every_mutant_applies_exactly_once_and_is_still_python(area):
    for planted in BY_AREA[area]:
        changed = planted.applied((ROOT / planted.path).read_text(encoding="utf-8"))

        if planted.path.endswith(".py"):
            ast.parse(changed)


def test_names_are_unique_and_in_kebab_case():
    names = [mutant.name for mutant in ALL]

    assert len(set(names)) == len(names)
    assert all(re.fullmatch(r"[a-z0-9]+(-[a-z0-9]+)*", name) for name in names)


def test_there_are_at_least_eight_an_area_and_150_in_all():
    assert min(map(len, BY_AREA.values())) >= 8
    assert len(ALL) >= 150


def test_every_row_of_the_issue_is_planted():
    assert {mutant.row for mutant in ALL} - {""} == set(mutants.ROWS)


def _digest(text, folder):
    (folder / "a.py").write_text(text, encoding="utf-8")
    planted = mutant.Mutant("sign", "a.py", old="x + 1", new="x - 1", note="")
    return trials.digest_of(planted, folder)


def test_a_result_outlives_words_annotations_and_line_breaks_but_no_code(tmp_path):
    first = _digest("import a\ndef f(x):\n    return x + 1\n", tmp_path)
    documented = (
        'def f(x: int) -> int:\n    """Adds."""\n    # one\n    return (\n        x + 1\n    )\n'
    )

    assert _digest(documented, tmp_path) == first
    assert _digest("def f(x):\n    return 2 * (x + 1)\n", tmp_path) != first
    assert _digest("def f(x, y):\n    return x + 1\n", tmp_path) != first
