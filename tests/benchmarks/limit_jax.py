"""The products of `limit` in JAX, as one compiled loop and as calls of one compiled step."""

import jax

from tests.benchmarks import jax_peer, limit


def products(shape, training):
    return limit.choose(shape, training, program, ("loop", "calls"), jax_peer.work)


def program(chains, training, form):
    """A function of a count of steps."""
    given = jax.device_put([limit.arrays(chain) for chain in chains])

    def step(i, given):
        run = gradients if training else outputs
        return [
            run(chain, x[i % limit.COPIES], weights) for chain, (x, weights) in zip(chains, given)
        ]

    def loop(count, given):
        shapes = jax.eval_shape(step, 0, given)
        kept = jax.tree.map(lambda part: jax.numpy.zeros(part.shape, part.dtype), shapes)
        return jax.lax.fori_loop(0, count, lambda i, _: step(i, given), kept)

    compiled = jax.jit(loop if form == "loop" else step)

    def run(count):
        for i in (count,) if form == "loop" else range(count):
            made = compiled(i, given)
        jax.block_until_ready(made)

    return run


def outputs(chain, x, weights):
    return limit.forward(chain, x, weights, OPS)


def gradients(chain, x, weights):
    if chain[2]:
        y, back = jax.vjp(lambda x, weights: outputs(chain, x, weights), x, weights)
    else:
        y, back = jax.vjp(lambda weights: outputs(chain, x, weights), weights)
    return back(y)


_LAYOUT = ("NHWC", "HWIO", "NHWC")
OPS = {
    "reshape": lambda x, size: x.reshape(-1, *size),
    "dense": jax.numpy.matmul,
    "conv": lambda x, weight: jax.lax.conv_general_dilated(
        x, weight, (2, 2), "SAME", dimension_numbers=_LAYOUT
    ),
    "deconv": lambda x, weight: jax.lax.conv_transpose(
        x, weight, (2, 2), "SAME", dimension_numbers=_LAYOUT
    ),
}
