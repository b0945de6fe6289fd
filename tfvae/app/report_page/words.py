"""Says in words what a run is, and what each of its numbers says."""

import math
import shlex
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, NamedTuple

from tfvae.app import config_file, screen
from tfvae.app.run_folder import MODEL, RECONSTRUCTIONS, REPORT, ROWS, SAMPLES, SAVED_MODEL, TFLITE
from tfvae.plots import events

if TYPE_CHECKING:
    from tfvae.models.vae import VAE

_FILES = {
    MODEL: "the whole model, to go on training in Python",
    SAVED_MODEL: "every signature, for servers",
    TFLITE: "sample, draw and decode, for phones and browsers",
    "decoder.json": "what decoder.tflite takes and gives, its hash and its measured quality",
    config_file.NAME: "the settings, to repeat the run",
    SAMPLES: "64 samples, drawn by LiteRT from decoder.tflite",
    RECONSTRUCTIONS: "held-out examples, each row above what the model makes of it",
    ROWS: "rows, drawn by LiteRT from decoder.tflite",
    REPORT: "all numbers of this page, and the SHA-256 of every file",
}


class Said(NamedTuple):
    """A number and what it says.

    Attributes:
        name: its name.
        value: the number with its standard error and unit.
        says: a sentence or two.
    """

    name: str
    value: str
    says: str


def about(report: Mapping[str, Any], vae: "VAE", kind: str) -> list[str]:
    """Returns sentences on what was trained on what.

    Args:
        report: the report of the run.
        vae: its model.
        kind: what the examples are, such as "pictures".
    """
    settings, data = report["settings"], report.get("data", {})
    shape = f"{' × '.join(map(str, vae.event_shape))} numbers"
    if kind == events.ROWS:
        shape = f"{len(events.features(vae))} columns"
    counts = ""
    if data:
        note = f" ({data['note']})" if data.get("note") else ""
        counts = (
            f"It learned from {data['train']:,} examples{note}, and the numbers below are of "
            f"{report['evaluation']['num_examples']:,} others that it has not seen. "
        )
    of_labels = " One model for all labels, p(x|z, y)." if settings.get("condition") else ""
    pieces = ", ".join(f"{name} {_piece(settings, vae, name)}" for name in _PIECES)
    seconds = report.get("seconds", {}).get("all")
    took = f" All of it took {screen.duration(seconds)}." if seconds else ""
    latents = report["evaluation"]["latent_dim"]
    return [
        f"A variational autoencoder of {kind}, each of {shape}. {counts}".strip(),
        f"A network ({settings['network']}) squeezes an example into {latents} "
        f"{'latent' if latents == 1 else 'latents'} z, and another makes it again: {pieces}."
        f"{of_labels}",
        f"It was trained by Adam for {settings['epochs']} epochs in batches of "
        f"{settings['batch_size']}, from seed {settings['seed']}.{took}",
    ]


_ENOUGH = 10  # effective samples
_PIECES = ("likelihood", "prior", "posterior", "objective")


def _piece(settings, vae, name):
    """Returns a piece in the words of the settings, else the name of its class."""
    return settings.get(name) or type(getattr(vae, name)).__name__


def numbers(found: Mapping[str, Any]) -> list[Said]:
    """Returns the numbers of an evaluation, and what each says.

    Args:
        found: the evaluation in the report of a run.
    """
    said = [
        Said("NLL", _nats(found, "nll"), _of_nll(found)),
        Said("ELBO", _nats(found, "elbo"), _of_elbo(found)),
        Said("rate", _nats(found, "rate"), _of_rate(found)),
        Said(
            "distortion",
            _nats(found, "distortion"),
            "What it still costs to describe an example once its latents are known: "
            "-E log p(x|z). The ELBO is minus the sum of rate and distortion.",
        ),
        _bits(found),
        _active(found),
    ]
    if found.get("effective_samples") is not None:
        said.append(_effective(found))
    if found.get("binarization"):
        says = f"Grey values became 0 and 1 before they were measured: {found['binarization']}."
        said.append(Said("binarization", "fixed", says))
    return said


def _nats(found, name):
    error = found.get(f"{name}_stderr")
    return f"{found[name]:,.2f}" + ("" if error is None else f" ± {error:,.2f}") + " nats"


def _of_nll(found):
    mean = (
        f"How improbable the model finds a held-out example: -log p(x), the mean over "
        f"{found['num_examples']:,} of them; lower is better. The ± is the standard error of that "
        "mean, from which examples happened to be held out. "
    )
    if found.get("exact"):
        return f"{mean}It is exact: all {found['num_samples']:,} values of z were counted."
    return (
        f"{mean}Estimated by {found['num_samples']:,} importance samples an example, it is an "
        "upper bound: more of them can only lower it."
    )


def _of_elbo(found):
    gap = found.get("gap")
    if gap is None:
        return "The lower bound of log p(x) that training raises."
    return (
        f"The lower bound of log p(x) that training raises. It lies {gap:.2f} nats below the "
        "estimate of log p(x): so far is the encoder's q(z|x) from the true posterior."
    )


def _of_rate(found):
    rate = found["rate"]
    kinds = f", as much as the choice of one among {math.exp(rate):,.0f}" if rate < 12 else ""
    return (
        f"How much the latents tell of an example, KL(q(z|x) || p(z)): {rate / math.log(2):.1f} "
        f"bits{kinds}. Near 0 they would tell nothing."
    )


def _bits(found):
    bits = found["bits_per_dim"]
    if bits is None:
        return Said(
            "bits per dimension",
            "none",
            "p(x|z) is a density, whose value depends on the units of x, so it has no length in "
            "bits. Compare NLL only with models of the same data in the same units.",
        )
    says = (
        "The NLL as the length of a lossless code, for each number of an example: comparable "
        "between data of other sizes. Raw 0 and 1 take 1 bit, raw 8-bit values 8."
    )
    return Said("bits per dimension", f"{bits:.3f}", says)


def _active(found):
    active, count = found["active_units"], found["latent_dim"]
    unused = count - active
    rest = "none is wasted" if not unused else f"the other {unused} could be left out"
    says = f"So many latents differ between examples (a variance of their means over 0.01); {rest}."
    return Said("active latents", f"{active} of {count}", says)


def _effective(found):
    count = found["effective_samples"]
    trust = "enough to trust it" if count >= _ENOUGH else "few, so that more would lower it still"
    says = (
        f"On so many of its importance samples the NLL of a usual example rests: {trust}. "
        f"{100 * count / found['num_samples']:.0f} % of them carry the estimate."
    )
    value = f"{count:,.0f} of {found['num_samples']:,}" if count >= 10 else f"{count:.1f}"
    return Said("effective samples", value, says)


def files(sizes: Mapping[str, int], export: Mapping[str, Any]) -> list[Said]:
    """Returns the files of a run, with their sizes and what they are.

    Args:
        sizes: bytes by name.
        export: the report's part on exported files.
    """
    said = []
    for name, size in sizes.items():
        what = _FILES.get(name, "")
        if name == TFLITE:
            what = f"{what}. {_quality(export['parity'])}"
        said.append(Said(name, _size(size), what))
    return said


def _quality(parity):
    return (
        f"Measured against the Keras model on {parity['samples']} samples: the largest difference "
        f"of a value is {parity['max_abs_error_x']:.1e}, and the distortion changes by "
        f"{parity['distortion_change_nats']:.4f} nats"
    )


def _size(size):
    if size < 1000:
        return f"{size} bytes"
    return f"{size / 1000:,.0f} kB" if size < 10**6 else f"{size / 10**6:,.1f} MB"


def command(settings: Mapping[str, Any], has_config: bool) -> str:
    """Returns the command that repeats a run.

    Args:
        settings: the settings of the run.
        has_config: whether the run has its settings in a file.
    """
    if has_config:
        path = shlex.quote(f"{settings['out']}/{config_file.NAME}")
        return f"tfvae train --config {path} --out AGAIN"
    options = [
        f"--{name.replace('_', '-')} {shlex.quote(_value(value))}"
        for name, value in settings.items()
        if name not in ("data", "out") and value is not None
    ]
    return f"tfvae train {shlex.quote(settings['data'])} {' '.join(options)} --out AGAIN"


def _value(value):
    return ",".join(map(str, value)) if isinstance(value, (list, tuple)) else str(value)
