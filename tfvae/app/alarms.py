"""Says in plain words what is wrong with a training, from its numbers alone.

Each function takes numbers and returns a sentence or two, or None where all is well.
"""

import math
from collections.abc import Mapping, Sequence
from statistics import fmean
from typing import Any

_MOST_PER_LATENT = 10.0  # nats; an encoder so sure of a latent puts it at a point
_COLLAPSED_RATE = 0.1  # nats of all latents, from where on they say nothing of x
_FEW_EFFECTIVE = 3.0  # samples; then the bias of log p(x) is about 1 / 6 nats and more
_GAP_SHARE, _GAP_ERRORS = 0.05, 5.0  # of the training's ELBO, and standard errors of the held-out
_PARTS = 5  # of a training, the last of which tells whether it has come to an end
_STILL_FALLING = 0.1  # of the whole fall of the loss, in the last fifth of the training
_NOTABLE = 0.005  # of the loss; less is no fall
_FEW_EXAMPLES, _FEW_HELD_OUT = 500, 50


def of_run(
    evaluation: Mapping[str, Any], history: Mapping[str, Sequence[float]], train: int, held_out: int
) -> dict[str, str]:
    """Returns all alarms of a run by name.

    Args:
        evaluation: the numbers of an `evaluation.Report` by name.
        history: numbers of each epoch by name, such as "loss", "elbo" and "rate".
        train: how many examples it was trained on.
        held_out: how many it was evaluated on.
    """
    elbo = history.get("elbo", ())
    found = {
        "collapsed": collapsed(
            evaluation["active_units"], evaluation["latent_dim"], history.get("rate", ())
        ),
        "rate": exploded(evaluation["rate"], evaluation["latent_dim"], history.get("rate", ())),
        "weights": untrusted(evaluation.get("effective_samples"), evaluation["num_samples"]),
        "overfitted": overfitted(
            elbo[-1] if elbo else math.nan, evaluation["elbo"], evaluation["elbo_stderr"] or 0.0
        ),
        "unfinished": unfinished(history.get("loss", ())),
        "few": few(train, held_out),
    }
    return {name: words for name, words in found.items() if words is not None}


def collapsed(active: int, latent_dim: int, rates: Sequence[float] = ()) -> str | None:
    """Says that latents carry nothing, if half of them or fewer are active.

    Args:
        active: how many are active.
        latent_dim: how many there are.
        rates: the rate of each epoch, in nats.
    """
    if active > latent_dim / 2:
        return None

    remedy = (
        "more steps help (--steps), or a bound that asks less of the rate at first, such as "
        "--objective 'ELBO(free_bits=0.1)' or 'ELBO(beta=0.5)'."
    )
    if active == 0:
        since = _since(rates)
        return (
            f"The latents are collapsed{since}: none of {latent_dim} tells one example from "
            f"another, so the model draws the same thing always. To mend it, {remedy}"
        )
    fewer = f"fewer are enough (--latent-dim {max(1, active)})"
    return f"Only {active} of {latent_dim} latents are active. Perhaps {fewer}. If not, {remedy}"


def exploded(rate: float, latent_dim: int, rates: Sequence[float] = ()) -> str | None:
    """Says that the rate is so large that the encoder stores examples in place of learning.

    Args:
        rate: KL(q(z|x) || p(z)) of the held-out examples, in nats.
        latent_dim: how many latents there are.
        rates: the rate of each epoch, in nats.
    """
    # It has doubled in the last fifth of a training; at first every rate grows, from near 0.
    last = len(rates) // _PARTS
    grown = last > 0 and rates[-1] > 2 * rates[-1 - last] and rate > latent_dim
    if rate <= _MOST_PER_LATENT * latent_dim and not grown:
        return None
    if not math.isfinite(rate):
        return "The rate is not finite: the encoder has run away. Lower --learning-rate."
    return (
        f"The rate is {rate:.0f} nats, {rate / latent_dim:.0f} for each latent"
        f"{' and still growing' if grown else ''}: the encoder marks each example in place of "
        "what it has in common with others, and samples will be worse than reconstructions. "
        "A lower --learning-rate helps, a larger --latent-dim, or a likelihood whose scale is "
        "learned."
    )


def untrusted(effective: float | None, num_samples: int) -> str | None:
    """Says that the NLL rests on so few importance samples that it is too large.

    Args:
        effective: how many samples carry the log-likelihood of the median example; None if the
            likelihood is exact.
        num_samples: importance samples per example.
    """
    if effective is None or effective >= min(_FEW_EFFECTIVE, num_samples / 2):
        return None
    return (
        f"The NLL rests on {effective:.1f} of {num_samples:,} importance samples of a usual "
        "example, so it is larger than the model's. tfvae evaluate RUN --num-samples "
        f"{10 * num_samples} tells by how much; a richer posterior helps, such as --posterior "
        "'Flow(flows.InverseAutoregressive())'."
    )


def overfitted(train: float, held_out: float, stderr: float) -> str | None:
    """Says that examples that were trained on are far likelier than others.

    Args:
        train: the ELBO of the last epoch's training, in nats.
        held_out: the ELBO of the held-out examples, in nats.
        stderr: its standard error.
    """
    gap = train - held_out
    error = stderr if math.isfinite(stderr) else 0.0
    if not gap > max(_GAP_SHARE * abs(train), _GAP_ERRORS * error, 0.5):
        return None
    return (
        f"The model has learned its training examples by heart: their ELBO is {train:.1f} nats, "
        f"that of held-out examples {held_out:.1f}. More data helps, a smaller network "
        "(--hidden, --filters), or --early-stopping."
    )


def unfinished(losses: Sequence[float]) -> str | None:
    """Says that a training has ended while its loss still fell.

    Args:
        losses: the loss of each epoch, in nats.
    """
    values = list(losses)
    if len(values) < 2 or not all(map(math.isfinite, values)):
        return None

    last = max(1, len(values) // _PARTS)  # epochs
    smoothed = max(1, last // 2)
    end = fmean(values[-smoothed:])
    before = fmean(values[-last - smoothed : len(values) - last])
    fall, whole = before - end, values[0] - end
    if fall <= _STILL_FALLING * whole or fall <= _NOTABLE * abs(end):
        return None
    return (
        f"The loss was still falling at the end, by {fall:.3g} nats in the last "
        f"{f'{last} epochs' if last > 1 else 'epoch'}. Train longer, with --epochs "
        f"{2 * len(values)}."
    )


def few(train: int, held_out: int) -> str | None:
    """Says that there are too few examples.

    Args:
        train: how many examples it was trained on.
        held_out: how many it was evaluated on.
    """
    if train < _FEW_EXAMPLES:
        return (
            f"{train:,} examples to train on are few: expect the likes of them, and little else. "
            f"{_FEW_EXAMPLES:,} and more are better."
        )
    if held_out < _FEW_HELD_OUT:
        return f"{held_out:,} held-out examples are few: the numbers may be off by chance."
    return None


def _since(rates):
    """Returns in words since when the rate has been near 0, where it was more before."""
    epoch = len(rates)
    while epoch and rates[epoch - 1] < _COLLAPSED_RATE:
        epoch -= 1
    if not rates or epoch == len(rates):
        return ""
    return f" since epoch {epoch + 1}" if epoch else " since the first epoch"
