"""Measures how the code is laid out: `python -m tests.structure`.

For a comparison before and after a change.
"""

import ast
import statistics
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
_WIDE = 100
_LONG_BODY = 22
_FUNCTIONS = (ast.FunctionDef, ast.AsyncFunctionDef)


def main(root=ROOT):
    """Prints the measures of the package in a checkout."""
    for name, value in measures(Path(root)).items():
        print(f"{name:46} {value}")


def measures(root):
    """Returns the measures by name."""
    sources = {}
    for folder, package in (("tfvae", "tfvae"), ("export", "tfvae.export")):
        for path in sorted((root / folder).rglob("*.py")):
            relative = path.relative_to(root / folder)
            if "export" not in relative.parts:
                sources[_module(relative, package)] = path.read_text(encoding="utf-8")

    trees = {name: ast.parse(text) for name, text in sources.items()}
    lines = [line for text in sources.values() for line in text.splitlines()]
    lengths = [len(text.splitlines()) for text in sources.values()]
    found = {
        "files at the root": sum(path.is_file() for path in (root / "tfvae").iterdir()),
        "files": len(sources),
        "lines": len(lines),
        f"lines over {_WIDE} characters": sum(len(line) > _WIDE for line in lines),
        "file length, median and most": f"{statistics.median(lengths):.0f}, {max(lengths)}",
    }

    return {**found, **_of_functions(trees), **_of_imports(trees)}


def _module(path, package):
    parts = [part for part in path.with_suffix("").parts if part != "__init__"]
    return ".".join([package, *parts])


def _of_functions(trees):
    everything = [
        node for tree in trees.values() for node in ast.walk(tree) if isinstance(node, _FUNCTIONS)
    ]
    bodies = sorted(map(_body_length, everything))
    short = sum(length < _LONG_BODY for length in bodies) / len(bodies)
    public = [node for tree in trees.values() for node in _public(tree)]
    taking = [node for node in public if len(_parameters(node)) > 1]
    return {
        "functions": len(everything),
        "body lines, median": statistics.median(bodies),
        f"bodies under {_LONG_BODY} lines": f"{short:.1%}",
        "public functions": len(public),
        "of them annotated": f"{_share(public, _is_annotated):.1%}",
        "of them with a docstring": f"{_share(public, ast.get_docstring):.1%}",
        "of those of two arguments, with Args": f"{_share(taking, _has_args):.1%}",
    }


def _public(tree):
    """The functions and methods that a name without an underscore leads to."""
    for node in tree.body:
        if isinstance(node, _FUNCTIONS) and not node.name.startswith("_"):
            yield node
        elif isinstance(node, ast.ClassDef) and not node.name.startswith("_"):
            inner = (n for n in node.body if isinstance(n, _FUNCTIONS))
            yield from (n for n in inner if not n.name.startswith("_"))


def _parameters(function):
    arguments = function.args
    found = [*arguments.posonlyargs, *arguments.args, *arguments.kwonlyargs]
    return [argument for argument in found if argument.arg not in ("self", "cls")]


def _is_annotated(function):
    annotations = [argument.annotation for argument in _parameters(function)]
    return all(annotations) and function.returns is not None


def _has_args(function):
    return "Args:" in (ast.get_docstring(function) or "")


def _share(functions, holds):
    return sum(bool(holds(function)) for function in functions) / max(1, len(functions))


def _body_length(function):
    body = function.body
    first = body[0]
    if isinstance(first, ast.Expr) and isinstance(first.value, ast.Constant) and len(body) > 1:
        body = body[1:]

    return body[-1].end_lineno - body[0].lineno + 1


def _of_imports(trees):
    arrows = {name: _imported(name, tree, trees) for name, tree in trees.items()}
    rooms: dict = {}
    for name, targets in arrows.items():
        room = _room(name)
        others = {_room(target) for target in targets} - {room}
        rooms.setdefault(room, set()).update(others)

    return {
        "arrows between modules": sum(map(len, arrows.values())),
        "modules in a circle": len(_in_circles(arrows)),
        "floors of modules": _floors(arrows),
        "rooms": len(rooms),
        "arrows between rooms": sum(map(len, rooms.values())),
        "rooms in a circle": ", ".join(sorted(_in_circles(rooms))) or 0,
    }


def _room(module):
    """The folder of a module, or the module itself where it lies at the root."""
    return ".".join(module.split(".")[:2])


def _imported(name, tree, trees):
    """The modules of the package that one imports when it is itself imported."""
    found = set()
    for node in tree.body:
        if isinstance(node, ast.Import):
            found.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            for alias in node.names:
                inner = f"{node.module}.{alias.name}"
                found.add(inner if inner in trees else node.module)

    return {module for module in found if module in trees and module != name}


def _in_circles(arrows):
    return {start for start in arrows if start in _reached(start, arrows)}


def _reached(start, arrows):
    found: set = set()
    waiting = list(arrows[start])
    while waiting:
        name = waiting.pop()
        if name not in found:
            found.add(name)
            waiting.extend(arrows.get(name, ()))

    return found


def _floors(arrows):
    circles = _in_circles(arrows)
    heights: dict = {}

    def height(name):
        if name not in heights:
            below = (other for other in arrows[name] if other not in circles)
            heights[name] = 1 + max(map(height, below), default=0)
        return heights[name]

    return max(height(name) for name in arrows if name not in circles)


if __name__ == "__main__":
    main(*sys.argv[1:])
