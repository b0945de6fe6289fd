"""What a run is used for: reconstructions, latents, ways between examples, gaps, anomalies."""

from collections.abc import Iterator
from typing import Any

import numpy as np

from tfvae import plots
from tfvae.app import data_files, run_model, screen
from tfvae.errors import invalid

_PAGE = 256  # examples at once
_DRAWN = 64  # examples in a picture
_TABLES = (".npz", ".csv", ".parquet")


def reconstruct(
    run: str, data: str | None, count: int | None, out: str, data_dir: str | None = None
) -> dict[str, Any]:
    """Reconstructs examples: the mean of p(x|z) at the location of q(z|x).

    Args:
        run: folder of the run.
        data: name or path of the data; None for what the run has held out.
        count: how many examples, the first; None for all, or 64 in a picture.
        out: a picture, in which a row of examples lies above their reconstructions, or a `.npz`
            with both, or a table of the reconstructions.
        data_dir: folder of named data sets; default the one of the run.

    Returns:
        What was written, as values for JSON.

    Raises:
        InputError: a folder that is no run, data that do not fit, or a file that cannot be
            written.
    """
    suffix = data_files.suffix_of(out, (data_files.PICTURE, *_TABLES))
    vae, _, found, y = run_model.with_examples(run, data, data_dir)
    _check_picture(suffix, found.table, out)
    count = min(len(found.x), count or (_DRAWN if suffix == data_files.PICTURE else len(found.x)))
    x, y = _prepared(vae, found.x[:count]), None if y is None else y[:count]
    pages = [
        np.asarray(vae.reconstruct(x[rows], None if y is None else y[rows]))
        for rows in _pages(count, "Reconstructing")
    ]

    made = np.concatenate(pages)
    if suffix == data_files.PICTURE:
        sheet = plots.picture(plots.beside(x, made), 16, vae.likelihood.value_range)
        plots.save_png(out, sheet)
    elif found.table is not None and suffix != ".npz":
        data_files.save_frames(out, [found.table.to_frame(made)])
    else:
        both = {"x": x} if suffix == ".npz" else {}
        data_files.save(out, {**both, "reconstruction": made})
    return {"out": out, "examples": count, "source": found.source}


def encode(run: str, data: str | None, out: str, data_dir: str | None = None) -> dict[str, Any]:
    """Writes the numbers of q(z|x): most posteriors have means `loc` and scales `scale`.

    Args:
        run: folder of the run.
        data: name or path of the data; None for what the run has held out.
        out: the file, `.npz`, `.csv` or `.parquet`.
        data_dir: folder of named data sets; default the one of the run.

    Returns:
        What was written, as values for JSON.

    Raises:
        InputError: as `reconstruct`.
    """
    data_files.suffix_of(out, _TABLES)
    vae, _, found, y = run_model.with_examples(run, data, data_dir)
    x = _prepared(vae, found.x)
    pages = []
    for part in _pages(len(x), "Encoding"):
        condition = None if y is None else vae.condition(y[part])
        summary = vae.posterior.encode_outputs(
            vae.encoder_params(x[part], condition, training=False)
        )
        pages.append({name: np.asarray(value) for name, value in summary.items()})

    columns = {name: np.concatenate([page[name] for page in pages]) for name in pages[0]}
    labels = {} if found.y is None or found.y.ndim != 1 else {"label": found.y}
    files = {"file": np.array(found.files)} if found.files else {}
    data_files.save(out, {**files, **labels, **columns})
    shapes = {name: list(values.shape) for name, values in columns.items()}
    return {"out": out, "examples": len(x), "source": found.source, "arrays": shapes}


def interpolate(
    run: str,
    data: str | None,
    pairs: int,
    steps: int,
    out: str,
    data_dir: str | None = None,
) -> dict[str, Any]:
    """Draws strips of pictures on the way from one example to the next, through their latents.

    Args:
        run: folder of the run.
        data: name or path of the data; None for what the run has held out.
        pairs: how many strips: from the first example to the second, the third to the fourth ...
        steps: pictures in a strip, with the two ends' reconstructions.
        out: the picture; or a `.npz` with `x`, `[pairs, steps, *event]`.
        data_dir: folder of named data sets; default the one of the run.

    Returns:
        What was written, as values for JSON.

    Raises:
        InputError: as `reconstruct`, or too few examples.
    """
    suffix = data_files.suffix_of(out, (data_files.PICTURE, ".npz"))
    vae, _, found, y = run_model.with_examples(run, data, data_dir)
    _check_picture(suffix, found.table, out)
    if vae.condition_shape is not None:
        fix = "use tfvae sample, or VAE.decode in Python"
        raise invalid("a model without conditions to interpolate with", "one with them", fix)
    pairs = min(pairs, len(found.x) // 2)
    if pairs < 1:
        raise invalid("at least two examples to go between", "one", "give more data")

    x = _prepared(vae, found.x[: 2 * pairs])
    made = _between(vae, x[0::2], x[1::2], steps)
    if suffix == data_files.PICTURE:
        strips = made.reshape(-1, *vae.event_shape)
        plots.save_png(out, plots.picture(strips, steps, vae.likelihood.value_range))
    else:
        data_files.save(out, {"x": made})
    return {"out": out, "strips": pairs, "steps": steps, "source": found.source}


def impute(
    run: str,
    data: str,
    num_samples: int,
    draws: int | None,
    seed: int,
    out: str,
    data_dir: str | None = None,
) -> dict[str, Any]:
    """Fills in missing elements, NaN in the data, see `tfvae.imputation.impute`.

    Args:
        run: folder of a run whose likelihood is `Observed`.
        data: name or path of the data.
        num_samples: latents per example.
        draws: how many completed data sets to draw; None for the expectation.
        seed: seed of latents and draws.
        out: `.npz`, or a picture of the first 64 examples above their completions, or without
            draws a table.
        data_dir: folder of named data sets; default the one of the run.

    Returns:
        What was written, as values for JSON.

    Raises:
        InputError: as `reconstruct`, or a likelihood that knows no missing elements.
    """
    suffix = data_files.suffix_of(out, (data_files.PICTURE, *_TABLES))
    if draws is not None and suffix != ".npz":
        raise invalid("--draws with an --out that ends in .npz", out, "rename it")
    vae, _, found, y = run_model.with_examples(run, data, data_dir, _check_knows_gaps)
    from tfvae import imputation

    _check_picture(suffix, found.table, out)
    with screen.waiting("Filling in"):
        made = imputation.impute(vae, found.x, num_samples, seed, y, draws=draws)
    if suffix == data_files.PICTURE:
        pairs = plots.beside(found.x[:_DRAWN], made[:_DRAWN])
        sheet = plots.picture(pairs, 16, vae.likelihood.value_range)
        plots.save_png(out, sheet)
    elif found.table is not None and suffix != ".npz":
        data_files.save_frames(out, [found.table.to_frame(made)])
    else:
        data_files.save(out, {"x": made})
    missing = np.isnan(found.x)
    return {
        "out": out,
        "examples": len(found.x),
        "filled in": int(missing.sum()),
        "of": missing.size,
    }


def _check_knows_gaps(vae, settings):
    """Refuses a model whose likelihood does not know missing elements."""
    from tfvae.likelihoods import Observed

    parts = getattr(vae.likelihood, "likelihoods", [vae.likelihood])  # of columns, if it has some
    if not any(isinstance(part, Observed) for part in parts):
        fix = f'train with --likelihood "Observed({settings.likelihood})", on data with NaN'
        raise invalid("a model that knows missing elements", f"{settings.likelihood}", fix)


def _between(vae, first, second, steps):
    """Decodes latents on the way from examples to others, `[pairs, steps, *event]`."""
    import tensorflow as tf

    ends = [
        vae.posterior.point_estimate(vae.encoder_params(x, None, False)) for x in (first, second)
    ]
    made = []
    for weight in np.linspace(0, 1, steps, dtype=np.float32):
        share = tf.fill([len(first), 1], weight)
        parts = [
            vae.posterior.interpolate(a, b, share) for a, b in zip(*map(tf.nest.flatten, ends))
        ]
        z = tf.nest.pack_sequence_as(ends[0], parts)
        params = vae.decode_batch(vae.prior.decoder_input(z), None, training=False)
        made.append(np.asarray(vae.likelihood.mean(params)))
    return np.stack(made, axis=1)


def _check_picture(suffix, table, out):
    """Refuses pictures of rows."""
    if table is not None and suffix == data_files.PICTURE:
        raise invalid("a file of rows, for a table", out, "give --out NAME.npz or NAME.csv")


def _prepared(vae, x):
    """Returns examples as the likelihood models them; grey ones are binarized where it does."""
    return vae.likelihood.prepare_for_evaluation(x)[0]


def _pages(count: int, text: str) -> Iterator[slice]:
    """Yields slices of many examples, and tells how far they are."""
    with screen.waiting(text) as advance:
        for first in range(0, count, _PAGE):
            yield slice(first, min(first + _PAGE, count))
            advance(min(first + _PAGE, count), count)
