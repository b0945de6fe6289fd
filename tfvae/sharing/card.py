"""Writes the card of a model, the README.md of its folder, from what is known of it."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from tfvae._version import __version__

if TYPE_CHECKING:
    from tfvae.models.vae import VAE

_PICTURES = (".png", ".jpg", ".svg")
_NATS = {
    "nll": ("NLL", "-log p(x), by importance sampling"),
    "elbo": ("ELBO", "a lower bound of log p(x)"),
    "rate": ("rate", "KL(q(z\\|x) \\|\\| p(z)), what the latent carries"),
    "distortion": ("distortion", "-E log p(x\\|z), what the decoder leaves"),
}


def text(vae: "VAE", report: Mapping[str, Any], license: str | None, files: Sequence[str]) -> str:
    """Returns the card of a model, in Markdown with a head of YAML, as hubs read it.

    Args:
        vae: the model.
        report: an evaluation by the names of `evaluation.Report`, or the report of a run.
        license: the identifier of the model's licence, or None.
        files: the names of the other files of the folder.
    """
    parts = [
        _head(license),
        "# A variational autoencoder",
        _model(vae),
        *_run(report),
        *_numbers(report.get("evaluation", report)),
        _use(vae),
        *_other_files(files),
        f"Written by tfvae {__version__}.",
    ]
    return "\n\n".join(parts) + "\n"


def _head(license):
    lines = ["library_name: keras", "tags:", "- tfvae", "- variational-autoencoder", "- tensorflow"]
    return "\n".join(["---", *([f"license: {license}"] if license else []), *lines, "---"])


def _model(vae):
    condition = "none" if vae.condition_shape is None else _condition(vae)
    rows = {
        "x, one example": f"`{list(vae.event_shape)}`",
        "z, its latent": f"`{vae.latent_dim}`",
        "condition y": condition,
        "posterior q(z\\|x)": f"`{vae.posterior!r}`",
        "prior p(z)": f"`{vae.prior!r}`",
        "likelihood p(x\\|z)": f"`{vae.likelihood!r}`",
        "objective": f"`{vae.objective!r}`",
        "numbers in the weights": f"{vae.count_params():,}",
        "steps of training": f"{int(vae.steps_trained.numpy()):,}",
    }
    return _table(("the model", ""), rows.items())


def _condition(vae):
    if vae.num_classes is not None:
        return f"a label from 0 to {vae.num_classes - 1}"
    return f"numbers `{list(vae.condition_shape)}`"


def _run(report):
    """Returns what a run's report says of data and training, in words; nothing without a run."""
    settings, data = report.get("settings"), report.get("data")
    if not settings or not data:
        return []
    counts = f"{data['train']:,} examples, {data['held_out']:,} held out"
    words = [
        f"Trained on `{settings['data']}`: {counts} ({data['note'] or 'as they are'}),"
        f" in {settings['epochs']} epochs of batches of {settings['batch_size']},"
        f" seed {settings['seed']}."
    ]
    versions = ", ".join(f"{name} {value}" for name, value in report.get("versions", {}).items())
    alarms = [f"- {alarm}" for alarm in report.get("alarms", ())]
    warned = ["What the training warned of:\n\n" + "\n".join(alarms)] if alarms else []
    return ["## Training", *words, f"With {versions}.", *warned]


def _numbers(found):
    """Returns the evaluation as a table, with standard errors; nothing without one."""
    if "nll" not in found:
        return []
    rows = []
    for name, (title, meaning) in _NATS.items():
        error = found.get(f"{name}_stderr")
        shown = f"{found[name]:.2f}" + ("" if error is None else f" ± {error:.2f}")
        rows.append((title, f"{shown} nats", meaning))
    if found.get("bits_per_dim") is not None:
        rows.append(("bits per dimension", f"{found['bits_per_dim']:.3f}", "of discrete data"))
    rows.append(("active units", f"{found['active_units']} of {found['latent_dim']}", ""))
    how = (
        f"Means over {found['num_examples']:,} held-out examples with their standard errors;"
        f" {found['num_samples']:,} importance samples of each, seed {found['seed']}."
    )
    binarized = [f"Binarized: {found['binarization']}."] if found.get("binarization") else []
    return ["## Evaluation", _table(("", "", ""), rows), " ".join([how, *binarized])]


def _use(vae):
    y = "" if vae.condition_shape is None else f", y={_some(vae)}"
    reads = 'vae = tfvae.VAE.from_pretrained("user/name")  # or the path of this folder'
    draws = f"x = vae.sample(4, seed=7{y})  # {[4, *vae.event_shape]}"
    lines = ["import tfvae", "", reads, draws]
    if y:
        lines.insert(0, "import numpy as np\n")
    code = "\n".join(lines)
    keras = 'After `import tfvae`, `keras.saving.load_model("hf://user/name")` reads it as well.'
    return f"## Use\n\n```python\n{code}\n```\n\n{keras}"


def _some(vae):
    """Returns conditions of four samples, as code."""
    if vae.num_classes is not None:
        return "np.zeros(4, np.int32)"
    return f"np.zeros({(4, *map(int, np.ravel(vae.condition_shape)))})"


def _other_files(files):
    if not files:
        return []
    pictures = [f"![{name}]({name})" for name in files if name.endswith(_PICTURES)]
    others = [f"- `{name}`" for name in files if not name.endswith(_PICTURES)]
    return ["## Files", *(["\n".join(others)] if others else []), *pictures]


def _table(head, rows):
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join(f"| {' | '.join(map(str, line))} |" for line in lines)
