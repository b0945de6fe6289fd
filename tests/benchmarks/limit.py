"""The machine's limit: the matrix products and convolutions of a case and nothing else.

Each library runs the networks of a shape without biases, activations, loss and optimizer, and
for training the gradient of every weight and of every input but the data, in float32.
"""

import dataclasses
import functools
import itertools

import numpy as np

from tests.benchmarks.worker import fastest

COPIES = 4  # inputs taken in turn, so that no compiler computes the same product only once
STEPS = 8  # of one unit
# Rows decoded at once where only the decoder runs; the fastest counts.
ROWS = (5000, 2500, 1000, 500)


def layers(shape):
    """(encoder, decoder), each a list of steps.

    A step is ("dense" | "conv" | "deconv", inputs, outputs) or ("reshape", size).
    """
    if shape.network == "mlp":
        widths = (shape.pixels, *shape.hidden)
        return _dense(*widths, 2 * shape.latent), _dense(shape.latent, *widths[::-1])
    small, channels = shape.side // 2 ** len(shape.filters), (1, *shape.filters)
    flat = small * small * shape.filters[-1]
    encoder = [("conv", i, o) for i, o in itertools.pairwise(channels)]
    decoder = [("deconv", i, o) for i, o in itertools.pairwise(channels[::-1])]
    return (
        [*encoder, ("reshape", (flat,)), *_dense(flat, *shape.hidden, 2 * shape.latent)],
        [
            *_dense(shape.latent, *shape.hidden, flat),
            ("reshape", (small, small, shape.filters[-1])),
            *decoder,
        ],
    )


def _dense(*widths):
    return [("dense", i, o) for i, o in itertools.pairwise(widths)]


def chains(shape, training):
    """What runs: (layers, input shape, whether the input's gradient is needed) of each network."""
    encoder, decoder = layers(shape)
    pixels = (shape.pixels,) if shape.network == "mlp" else (shape.side, shape.side, 1)
    decoding = (decoder, (shape.batch * shape.samples, shape.latent), True)
    return [(encoder, (shape.batch, *pixels), False), decoding] if training else [decoding]


def forward(chain, x, weights, ops):
    """The output of a chain's network, by the functions of a library.

    Each is a function of (x, weight), and the one that reshapes of (x, size).
    """
    weights = iter(weights)
    for kind, *sizes in chain[0]:
        x = ops[kind](x, sizes[0] if kind == "reshape" else next(weights))
    return x


def arrays(chain):
    """(inputs `[COPIES, ...]`, weights) of one chain, so large that nothing over- or underflows."""
    steps, input_shape, _ = chain
    random = np.random.default_rng(0)
    shapes = [(i, o) if kind == "dense" else (4, 4, i, o) for kind, i, o in weighted(steps)]
    weights = [random.normal(0, np.prod(s[:-1]) ** -0.5, s).astype(np.float32) for s in shapes]
    return random.normal(size=(COPIES, *input_shape)).astype(np.float32), weights


def weighted(steps):
    return [step for step in steps if step[0] != "reshape"]


def variants(shape, training):
    """`{name: (shape, examples of one step)}`.

    To train, the shape as it is; else the decoder alone, its rows cut in several ways.
    """
    if training:
        return {"": (shape, shape.batch)}
    return {f"{rows} rows": (_with_rows(shape, rows), rows / shape.samples) for rows in ROWS}


def _with_rows(shape, rows):
    return dataclasses.replace(shape, batch=1, samples=rows)


def choose(shape, training, program, options, work):
    """The `Work` of the fastest program among the variants and options."""
    candidates, unit = {}, STEPS * shape.batch if training else 1
    choices = itertools.product(variants(shape, training).items(), options)
    for (name, (variant, examples)), option in choices:
        steps = round(unit / examples)
        run = program(chains(variant, training), training, option)
        candidates[" ".join(filter(None, (option, name)))] = functools.partial(_repeat, run, steps)
    run, name = fastest(candidates)
    return work(run, unit, name)


def _repeat(run, steps, times):
    run(steps * times)
