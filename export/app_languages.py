"""How Kotlin, Swift and JavaScript write a model's ports, shapes and checks in their sources."""

import json
from collections.abc import Callable, Sequence
from typing import NamedTuple

from tfvae.export.schema import Ports


class Language(NamedTuple):
    """The parts of a source that depend on the model, as one language writes them.

    Attributes:
        ending: of the files, such as `.kt`.
        picture_imports: lines that a source with pictures needs.
        lowest: the lowest value of x, for a model whose values have no range.
        highest: the highest value of x, likewise.
        number: `0.5` as the language writes it.
        parameter: the parameter of a name, for integers (True) or numbers.
        given: an input of a signature, by its name.
        check: a line that refuses a parameter of another length, with a condition on each value
            or none, and words.
        label: the condition that a value is from 0, and below a number of classes if it is known.
        finite: the condition that a value is a finite number.
        signature: the entry of one signature, by its name and ports.
        between: what stands between entries.
    """

    ending: str
    picture_imports: str
    lowest: str
    highest: str
    number: Callable[[float], str]
    parameter: Callable[[str, bool], str]
    given: Callable[[str], str]
    check: Callable[[str, int, str, str], str]
    label: Callable[[int | None], str]
    finite: str
    signature: Callable[[str, Ports, Sequence[str]], str]
    between: str


def _names(ports):
    return ", ".join(f'"{name}"' for name in ports)


def _js_signature(name, ports, whole):
    """Returns the shapes and kinds of a signature's inputs, and the names of its outputs."""
    kinds = {True: "Int32Array", False: "Float32Array"}
    inputs = ", ".join(
        f"{port}: {{ kind: {kinds[port in whole]}, shape: {json.dumps(shape)} }}"
        for port, shape in ports.inputs.items()
    )
    return f"{name}: {{ inputs: {{ {inputs} }}, outputs: [{_names(ports.outputs)}] }}"


KOTLIN = Language(
    ending=".kt",
    picture_imports="import android.graphics.Bitmap\nimport kotlin.math.roundToInt\n",
    lowest="x.fold(Float.MAX_VALUE) { a, b -> minOf(a, b) }",
    highest="x.fold(-Float.MAX_VALUE) { a, b -> maxOf(a, b) }",
    number=lambda value: f"{value!r}f",
    parameter=lambda name, whole: f"{name}: {'IntArray' if whole else 'FloatArray'}",
    given=lambda name: f'"{name}" to {name}',
    check=lambda name, size, each, words: (
        f"        require({name}.size == {size}{each and f' && {name}.all {{ {each} }}'}) "
        f'{{ "{words}" }}\n'
    ),
    label=lambda classes: "it >= 0" if classes is None else f"it in 0 until {classes}",
    finite="!it.isNaN() && !it.isInfinite()",
    signature=lambda name, ports, whole: f'"{name}" to listOf({_names(ports.outputs)})',
    between=",\n            ",
)
SWIFT = Language(
    ending=".swift",
    picture_imports="import CoreGraphics\n",
    lowest="x.min() ?? 0",
    highest="x.max() ?? 1",
    number=lambda value: f"{value!r}",
    parameter=lambda name, whole: f"{name}: [{'Int32' if whole else 'Float32'}]",
    given=lambda name: f'"{name}": Self.bytes({name})',
    check=lambda name, size, each, words: (
        f"    precondition({name}.count == {size}"
        f"{each and f' && {name}.allSatisfy {{ {each} }}'}, "
        f'"{words}")\n'
    ),
    label=lambda classes: "$0 >= 0" if classes is None else f"(0..<{classes}).contains($0)",
    finite="$0.isFinite",
    signature=lambda name, ports, whole: f'"{name}": [{_names(ports.outputs)}]',
    between=",\n    ",
)
JAVASCRIPT = Language(
    ending=".js",
    picture_imports="",
    lowest="x.reduce((a, b) => Math.min(a, b), Infinity)",
    highest="x.reduce((a, b) => Math.max(a, b), -Infinity)",
    number=lambda value: f"{value!r}",
    parameter=lambda name, whole: name,
    given=lambda name: name,
    check=lambda name, size, each, words: (
        f"    check({name}?.length === {size}"
        f"{each and f' && Array.from({name}).every((value) => {each})'}, "
        f'"{words}");\n'
    ),
    label=lambda classes: (
        "Number.isInteger(value) && value >= 0"
        + ("" if classes is None else f" && value < {classes}")
    ),
    finite="Number.isFinite(value)",
    signature=_js_signature,
    between=",\n  ",
)
ALL = (KOTLIN, SWIFT, JAVASCRIPT)
