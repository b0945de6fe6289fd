"""The products of `limit` in TensorFlow, as one loop under each of its two compilers."""

import tensorflow as tf

from tests.benchmarks import limit, ours


def products(shape, training):
    return limit.choose(shape, training, program, ("XLA", "graph"), ours.work)


def program(chains, training, compiler):
    """A function of a count of steps."""
    given = [tuple(tf.nest.map_structure(tf.constant, limit.arrays(chain))) for chain in chains]

    @tf.function(jit_compile=compiler == "XLA", autograph=False)
    def loop(count, given):
        def body(i, *_):
            return i + 1, *step(chains, training, i, given)

        kept = [tf.zeros_like(part) for part in step(chains, training, 0, given)]
        kept = tf.while_loop(lambda i, *_: i < count, body, (0, *kept))[1:]
        # One number of every product leaves the loop, so that none is dropped.
        return [tf.reshape(part, [-1])[0] for part in kept]

    return lambda count: loop(tf.constant(count), given)[0].numpy()


def step(chains, training, i, given):
    """All products of one step, as a flat list."""
    run = gradients if training else outputs
    made = []
    for chain, (x, weights) in zip(chains, given):
        made.append(run(chain, x[i % limit.COPIES], list(weights)))
    return tf.nest.flatten(made)


def outputs(chain, x, weights):
    return limit.forward(chain, x, weights, OPS)


def gradients(chain, x, weights):
    with tf.GradientTape() as tape:
        tape.watch([x, *weights])
        y = outputs(chain, x, weights)
    return tape.gradient(y, [*weights, x] if chain[2] else weights, tf.stop_gradient(y))


def deconv(x, weight):
    rows, height, width, _ = x.shape
    size = [rows, 2 * height, 2 * width, weight.shape[-1]]
    return tf.nn.conv2d_transpose(x, tf.transpose(weight, [0, 1, 3, 2]), size, 2, "SAME")


OPS = {
    "reshape": lambda x, size: tf.reshape(x, [-1, *size]),
    "dense": tf.matmul,
    "conv": lambda x, weight: tf.nn.conv2d(x, weight, 2, "SAME"),
    "deconv": deconv,
}
