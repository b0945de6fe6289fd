"""Puts the exported model into the page: where it starts, and what runs it in a browser."""

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from tfvae.app.report_page.subject import word
from tfvae.plots import events

if TYPE_CHECKING:
    from tfvae.app.report_page.subject import Subject
    from tfvae.export.in_page import Embedded

_SCRIPT = Path(__file__).parent / "live.js"


class Live(NamedTuple):
    """The exported model in the page.

    Attributes:
        told: what its script is told, as values for JSON: the `seed` of samples, the latent to
            `start` from and its `label`, the `order` of the latents, and how many `classes`.
        names: the names of the classes, none of a model without.
        files: what runs it.
    """

    told: dict[str, Any]
    names: list[str]
    files: "Embedded"


def why_not(found: "Subject | None", frames: dict[str, Any] | None) -> str:
    """Returns why a page cannot have the exported model, a sentence, or "".

    Args:
        found: what the page is about, None where the data are not there.
        frames: what the slider shows, None where there is none.
    """
    if found is None:
        return "it starts from a held-out example, of which there is none."
    from tfvae.pieces import REAL

    vae = found.vae
    if vae.posterior.support != REAL:
        return "its latent is no vector of which each number moves by itself."
    if found.kind not in (events.PICTURES, events.SIGNALS):
        return f"it shows pictures and signals, not {found.kind}."
    if vae.condition_shape is not None and not vae.num_classes:
        return "it is conditional on numbers, of which the page has none."
    if frames is None:
        return "it belongs to what each latent does, which is not shown."
    return ""


def of(found: "Subject", file: Path, litert: str | os.PathLike[str]) -> Live:
    """Returns the exported model for a page that can have it.

    Args:
        found: what the page is about.
        file: the exported file of the run.
        litert: a `node_modules` folder with LiteRT.js.

    Raises:
        InputError: no install of LiteRT.js of a version that is known, or a damaged file.
    """
    from tfvae.export import in_page
    from tfvae.plots import ways

    x, y = found.first(256)
    z, order, y = ways.base(found.vae, x, y, 0)
    told = {
        "seed": found.report["settings"]["seed"],
        "start": z.tolist(),
        "label": 0 if y is None else int(y[0]),
        "order": order.tolist(),
        "classes": found.vae.num_classes or 0,
    }
    names = [word(label, found.classes) for label in range(told["classes"])]
    script = _SCRIPT.read_text(encoding="utf-8")
    return Live(told, names, in_page.embedded(file, litert, _SCRIPT.name, script))
