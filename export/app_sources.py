"""Fills in the sources of an app with one model's names, shapes and values."""

import math
from collections.abc import Iterable
from importlib import resources
from string import Template
from typing import Any

import tfvae.export.app_languages as app_languages
from tfvae._version import __version__
from tfvae.export.app_languages import JAVASCRIPT, KOTLIN, SWIFT
from tfvae.export.schema import Ports

LITERT_ANDROID = "2.3.0"  # whose sources the Kotlin and the Swift were written from
# How a picture is shown, in the README, where x is one.
_SHOWN = {
    KOTLIN: "    imageView.setImageBitmap({name}.bitmap(x))\n",
    SWIFT: "    let image = {name}.image(x)\n",
    JAVASCRIPT: '    draw(document.querySelector("canvas"), x);\n',
}
_LABELS = {KOTLIN: "intArrayOf({values})", SWIFT: "[{values}]", JAVASCRIPT: "[{values}]"}
_NUMBERS = {**_LABELS, KOTLIN: "floatArrayOf({values})"}


def sources(
    metadata: dict[str, Any], ports: dict[str, Ports], stem: str, litert_web: str
) -> dict[str, str]:
    """Returns the texts of an app's files by name.

    Args:
        metadata: the content of the sidecar.
        ports: the signatures of the file, by name.
        stem: the name of the file without its ending.
        litert_web: the version of LiteRT.js to name.
    """
    common = _common(metadata, stem)
    name = common["name"]
    found = {}
    for language in app_languages.ALL:
        values = {**common, **_of_language(language, metadata, ports)}
        found[name + language.ending] = _filled(f"sampler{language.ending}", values)
    versions = {"litert_web": litert_web, "litert_android": LITERT_ANDROID}
    told = {**common, **_of_readme(metadata, name), **versions}
    found["README.md"] = _filled("README.md", told)
    return found


def class_name(stem: str) -> str:
    """Returns the name of the class: `DigitsSampler` for `digits`, `MyModelSampler` for `my-model`.

    Args:
        stem: the name of the file without its ending.
    """
    words = stem.replace("-", "_").split("_")
    return "".join(word[:1].upper() + word[1:] for word in words) + "Sampler"


def is_picture(event: list[int]) -> bool:
    """True if x is drawn as a picture: `[h, w]`, `[h, w, 1]` or `[h, w, 3]`.

    Args:
        event: the shape of one x.
    """
    return len(event) == 2 or (len(event) == 3 and event[2] in (1, 3))


def _common(metadata, stem):
    """Returns the values that all the files have in common."""
    event = metadata["event_shape"]
    kind = "a picture" if is_picture(event) else "an array"
    ends = metadata["value_range"]
    within = "" if ends is None else f", values from {ends[0]:g} to {ends[1]:g}"
    return {
        "version": __version__,
        "file": f"{stem}.tflite",
        "stem": stem,
        "name": class_name(stem),
        "batch": metadata["batch_sizes"][0],
        "event_shape": _shape(event),
        "event_size": math.prod(event),
        "event_words": f"{kind} {_shape(event)}{within}",
        "latents": sum(metadata["latent_sizes"]),
    }


def _of_language(language, metadata, ports):
    """Returns the values that one language writes in its own way."""
    batch, whole = metadata["batch_sizes"][0], ["seed", "index", *_labels(metadata)]
    latents = [port for port in metadata["signatures"]["decode"] if port != "y"]
    checks = [
        language.check(port, math.prod(shape), "", f"{port} of {math.prod(shape)} values")
        for port, shape in ports["decode"].inputs.items()
        if port in latents
    ]
    conditional = metadata["condition_shape"] is not None
    entries = [language.signature(n, p, whole) for n, p in sorted(ports.items())]
    return {
        "z_parameters": _joined(language.parameter(port, False) for port in latents),
        "z_inputs": _joined(map(language.given, latents)),
        "z_check": "".join(checks),
        "y_parameter": f", {language.parameter('y', 'y' in whole)}" if conditional else "",
        "y_input": f", {language.given('y')}" if conditional else "",
        "y_check": _y_check(language, metadata, batch) if conditional else "",
        "outputs": language.between.join(entries),
        **_of_picture(language, metadata),
    }


def _y_check(language, metadata, batch):
    """Returns the line that refuses conditions which the model does not take."""
    size, classes = batch * math.prod(metadata["condition_shape"]), metadata["num_classes"]
    if not _labels(metadata):
        return language.check("y", size, language.finite, f"y of {size} finite numbers")
    words = f"y of {size} labels from 0" + ("" if classes is None else f" to {classes - 1}")
    return language.check("y", size, language.label(classes), words)


def _of_picture(language, metadata):
    """Returns the functions that draw x, and what they import; empty for other events."""
    event, ends = metadata["event_shape"], metadata["value_range"]
    if not is_picture(event):
        return {"picture": "", "imports": ""}
    low, high = (language.lowest, language.highest) if ends is None else map(language.number, ends)
    size = {"height": event[0], "width": event[1], "channels": event[2] if event[2:] else 1}
    text = _filled(f"picture{language.ending}", {**size, "low": low, "high": high})
    return {"picture": text, "imports": language.picture_imports}


def _of_readme(metadata, name):
    """Returns the values of the README."""
    picture = is_picture(metadata["event_shape"])
    found = {"import_js": ", draw" if picture else ""}
    for language, word in ((KOTLIN, "kotlin"), (SWIFT, "swift"), (JAVASCRIPT, "js")):
        shown = _SHOWN[language] if picture else ""
        found[f"show_{word}"] = shown.replace("{name}", name)
        found[f"y_example_{word}"] = _y_example(language, metadata)
    return {**found, "y_words": _y_words(metadata), "runtimes": _runtimes(metadata)}


def _y_example(language, metadata):
    if metadata["condition_shape"] is None:
        return ""
    count = metadata["batch_sizes"][0] * math.prod(metadata["condition_shape"])
    form = (_LABELS if _labels(metadata) else _NUMBERS)[language]
    zero = "0" if _labels(metadata) else language.number(0.0)
    values = form.replace("{values}", _joined([zero] * min(count, 3)) + ", ..." * (count > 3))
    return f", {'' if language is JAVASCRIPT else 'y = ' if language is KOTLIN else 'y: '}{values}"


def _y_words(metadata):
    """Returns a sentence on the conditions, or nothing."""
    if metadata["condition_shape"] is None:
        return ""
    shape = _shape([metadata["batch_sizes"][0], *metadata["condition_shape"]])
    if not _labels(metadata):
        return f"Every call takes conditions y, finite numbers {shape}.\n"
    most = metadata["num_classes"]
    return (
        f"Every call takes labels y {shape}, from 0{'' if most is None else f' to {most - 1}'}.\n"
    )


def _runtimes(metadata):
    """Returns words for the least runtimes that the sidecar names."""
    told = metadata.get("least_runtimes") or {}
    named = [f"{name} {version}" for name, version in sorted(told.items()) if version]
    return " and ".join(named) or "not known"


def _labels(metadata):
    """Returns `["y"]` if the conditions are labels, else an empty list."""
    dtype = metadata["condition_dtype"]
    return ["y"] if dtype is not None and dtype.startswith(("int", "uint")) else []


def _filled(name: str, values: dict[str, Any]) -> str:
    """Returns a template of the folder `app/` with its placeholders filled in."""
    file = resources.files("tfvae.export") / "app" / name
    return Template(file.read_text(encoding="utf-8")).substitute(values)


def _joined(words: Iterable[str]) -> str:
    return ", ".join(words)


def _shape(sizes):
    return f"[{', '.join(map(str, sizes))}]"
