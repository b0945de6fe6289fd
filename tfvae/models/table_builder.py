"""Builds VAEs of tables."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from tfvae._keras.backend import keras
from tfvae.errors import InputTypeError, invalid
from tfvae.likelihoods import (
    Bernoulli,
    Categorical,
    Columns,
    LogNormal,
    NegativeBinomial,
    Normal,
    Observed,
    Rescaled,
)
from tfvae.models import parts
from tfvae.models.vae import VAE

if TYPE_CHECKING:
    from collections.abc import Callable

    import pandas as pd
    import tensorflow as tf
    from typing_extensions import Unpack

    from tfvae.datasets.table import Column, Table
    from tfvae.likelihoods import Likelihood
    from tfvae.models.parts import RestWithPrior
    from tfvae.posteriors import Posterior

layers = keras.layers
_FIRST_SCALE = 0.5  # in standard deviations of a column
_EMBEDDED_FROM = 9  # categories, from where on the encoder sees an embedding of them


def table_vae(
    table: "Table | pd.DataFrame",
    latent_dim: int,
    hidden: Sequence[int] = (256, 256),
    activation: "str | Callable[[tf.Tensor], tf.Tensor]" = "relu",
    *,
    condition: int | Sequence[int] | None = None,
    posterior: "Posterior | None" = None,
    likelihood: "Likelihood | None" = None,
    **kwargs: "Unpack[RestWithPrior]",
) -> VAE:
    """Builds a `VAE` of the rows of a table, with fully connected networks.

        table = tfvae.datasets.Table.of(frame)
        vae = tfvae.table_vae(table, 8)
        vae.compile("adam")
        vae.fit(table.to_array(frame), epochs=50)
        rows = table.to_frame(vae.sample(1000, draw=True))

    Each column has a likelihood of its kind, in `likelihoods.Columns`: real numbers a normal and
    positive ones a log-normal, in units of the column's standard deviation, with a learned scale;
    binary ones a Bernoulli, categories a categorical, counts a negative binomial. Columns with
    missing cells are within `likelihoods.Observed`. The decoder begins with the mean of each
    column. Columns of nine categories and more reach the encoder as an embedding.

    Args:
        table: the columns, `tfvae.datasets.Table`, or the data frame to take them from.
        latent_dim: D.
        hidden: widths of the encoder's hidden layers; the decoder's are the same, reversed.
        activation: activation of the hidden layers.
        condition: as in `mlp_vae`.
        posterior: as in `mlp_vae`.
        likelihood: p(x|z) in place of that of the columns' kinds.
        **kwargs: as in `mlp_vae`.

    Returns:
        The model of rows `[B, E]`, not compiled yet.

    Raises:
        InputTypeError: no table, or a size that is not a whole number from 1.
        InputError: a column that cannot be used, or pieces that do not fit together.
    """
    table = _table(table)
    event_shape, (latent_dim,), hidden = parts.sizes(
        table.size, (latent_dim,), hidden, may_be_linear=True
    )
    begins_with_means = likelihood is None
    posterior, likelihood = parts.pieces(posterior, likelihood or columns_of(table))
    decoded = layers.Dense(likelihood.params_size(event_shape))
    ends = [*parts.dense(hidden, activation), layers.Dense(posterior.params_size(latent_dim))]

    encoder = parts.network("encoder", event_shape, condition, _embeddings(table), ends)
    outputs = [*parts.dense(reversed(hidden), activation), decoded]
    decoder = parts.network("decoder", (latent_dim,), condition, [], outputs)
    if begins_with_means:
        decoded.bias.assign(np.concatenate([_first(column) for column in table.columns]))
    return VAE(encoder, decoder, posterior=posterior, likelihood=likelihood, **kwargs)


def columns_of(table: "Table") -> Columns:
    """Returns the likelihood of the rows of a table, see `table_vae`.

    Args:
        table: the columns.
    """
    columns = table.columns
    return Columns(
        [_likelihood(column) for column in columns],
        widths=[column.width for column in columns],
        names=[column.name for column in columns],
        labels={column.name: list(column.labels) for column in columns if column.labels},
    )


def _table(table):
    from tfvae.datasets.table import Table

    if isinstance(table, Table):
        return table
    if hasattr(table, "iloc"):
        return Table.of(table)
    fix = "make one with tfvae.datasets.Table.of(frame)"
    received = type(table).__name__
    raise invalid("a tfvae.datasets.Table or a data frame", received, fix, InputTypeError)


def _likelihood(column):
    made = _KINDS[column.kind](column)
    return Observed(made, fill=_fill(column)) if column.missing else made


_KINDS: dict[str, Any] = {
    "real": lambda column: Rescaled(
        Normal(_FIRST_SCALE, learn_scale=True), column.offset, column.unit
    ),
    "positive": lambda column: Rescaled(
        LogNormal(max(_FIRST_SCALE * column.unit, 1e-3), learn_scale=True),
        0.0,
        float(np.exp(column.offset)),
    ),
    "binary": lambda column: Bernoulli(),
    "category": lambda column: Categorical(),
    "count": lambda column: NegativeBinomial(_dispersion(*column.typical)),
}


def _dispersion(mean, variance):
    """Returns the dispersion of counts, between nearly a Poisson's and a wide one."""
    return float(np.clip(mean**2 / max(variance - mean, 1e-6), 0.1, 100.0))


def _fill(column: "Column") -> float:
    """Returns what the encoder sees in place of a missing cell, in the column's units."""
    if column.kind == "positive":
        return float(np.exp(column.offset))
    if column.kind == "category":
        return 0.0  # in all elements of its vector
    return column.typical[0] if column.typical else column.offset


def _first(column: "Column") -> np.ndarray:
    """Returns the parameters of a column with which a decoder begins, `[width]`."""
    if column.kind in ("real", "positive"):
        return np.zeros(1)
    if column.kind == "count":
        return np.log(np.maximum(column.typical[:1], 1e-4))
    shares = np.clip(column.typical, 1e-4, None)
    if column.kind == "binary":
        share = np.minimum(shares, 1 - 1e-4)
        return np.log(share / (1 - share))
    return np.log(shares)


def _embeddings(table):
    """Returns the layer that shows categories of many values to the encoder as embeddings."""
    widths = [column.width for column in table.columns]
    if max(widths) < _EMBEDDED_FROM:
        return []

    def embedded(x):
        starts = np.cumsum([0, *widths[:-1]])
        shown = []
        for start, width in zip(starts.tolist(), widths):
            block = x[:, start : start + width]
            if width >= _EMBEDDED_FROM:
                # Of a one-hot vector, so that a missing category is the zero vector.
                block = layers.Dense(_embedding_size(width), use_bias=False)(block)
            shown.append(block)
        return layers.concatenate(shown) if len(shown) > 1 else shown[0]

    return [embedded]


def _embedding_size(categories):
    return min(50, round(1.6 * categories**0.56))
