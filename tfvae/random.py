"""The counter-based random stream of every seeded sample, in ops that exist on the device.

Sample number `i` under a seed is a pure function of `(seed, i)`. Seed 7 draws the same picture
for every batch size, platform and order of calls.

The generator is Threefry-2x32 with 20 rounds [1], and the stream is that of `jax.random`. The key
words are `(0, seed)`, element `e` of a draw is at counter `(0, e)`, and its bits are the XOR of
the two output words. So `Stream(seed_key(s), indices).normal(d)` equals the rows `indices` of
`jax.random.normal(jax.random.key(s), (n, d))`.

In a file the state is kept in int32, whose ADD and MUL wrap in TensorFlow and in TFLite alike.
Only the right shift, which must be logical, is done in uint32. TFLite has no left shift and no
bitwise OR, so a rotation is a multiplication, a shift and an XOR.

References:
    [1] Salmon et al., Parallel Random Numbers: As Easy as 1, 2, 3. SC 2011.
    [2] Giles, Approximating the erfinv function. GPU Computing Gems 2, 2010 (table 5).
"""

import functools
from collections.abc import Sequence

import numpy as np
import tensorflow as tf

# One tag per purpose of noise, so that no two purposes share a stream. Never change a number:
# it would change every picture that was drawn with it.
TAGS = {
    # For samples, by `Stream.fold_in`. The latent's normals use the seed's key itself.
    "draw": 1,
    "component": 2,
    "layer": 3,
    "posterior_layer": 4,
    # For training and evaluation, by `seed_for`. First the call that draws, if it is not `fit`:
    "validation": 5,
    "terms": 6,
    "likelihood": 7,
    "imputation": 8,
    "aggregate": 9,
    # Then the quantity that is drawn:
    "binarization": 10,
    "latents": 11,
    "penalty": 12,
    "choice": 13,
    "angle": 14,
    "tangent": 15,
}

_ROTATIONS = np.array([(13, 15, 26, 6), (17, 29, 16, 24)] * 3)[:5]  # of the 5 groups of 4 rounds
_LEFT, _RIGHT = (1 << _ROTATIONS).astype(np.int32), (32 - _ROTATIONS).astype(np.int32)
_PARITY = 0x1BD11BDA
_ERFINV_CENTRAL = (  # for w < 5
    2.81022636e-08, 3.43273939e-07, -3.5233877e-06, -4.39150654e-06, 0.00021858087,
    -0.00125372503, -0.00417768164, 0.246640727, 1.50140941,
)  # fmt: skip
_ERFINV_TAIL = (
    -0.000200214257, 0.000100950558, 0.00134934322, -0.00367342844, 0.00573950773,
    -0.0076224613, 0.00943887047, 1.00167406, 2.83297682,
)  # fmt: skip


class Stream:
    """The noise of the samples `indices` under `key`.

    Args:
        key: two int32 scalars or `[1]` tensors, see `seed_key`.
        indices: int32 `[B]`, the numbers of the samples.
        unrolled: True to write the rounds out one by one. That makes large programs, and lets
            XLA fuse the rounds.
    """

    def __init__(
        self, key: Sequence[tf.Tensor], indices: tf.Tensor, *, unrolled: bool = False
    ) -> None:
        """Keeps the arguments."""
        self.key = key
        self.indices = indices
        self.unrolled = unrolled

    def bits(self, size: int) -> tf.Tensor:
        """Draws 32 random bits per element, int32 `[B, size]`."""
        counter = self.indices[:, None] * size + tf.range(size, dtype=tf.int32)[None, :]
        return _bits(self.key, counter, self.unrolled)

    def uniform(self, size: int) -> tf.Tensor:
        """Draws uniforms in [0, 1), multiples of 2^-23, float32 `[B, size]`."""
        return _from_zero_to_one(self.bits(size))

    def uniforms(self, count: int, size: int) -> list[tf.Tensor]:
        """Draws several uniforms for each element, as `uniform` does.

        Args:
            count: uniforms of one element.
            size: elements of a sample.

        Returns:
            `count` tensors, float32 `[B, size]`.
        """
        return tf.split(self.uniform(count * size), count, axis=-1)

    def normal(self, size: int) -> tf.Tensor:
        """Draws standard normals, float32 `[B, size]`."""
        # The product is exact, so a fused multiply-add changes nothing. u is never 0, 1 or -1.
        u = _mantissa(self.bits(size)) * np.float32(2.0**-22) - np.float32(0.99999994)
        return np.float32(1.41421354) * erfinv(u)

    def fold_in(self, tag: int) -> "Stream":
        """Returns the stream of another purpose for the same samples.

        Args:
            tag: a value of `TAGS`, or within such a stream a number, as of a layer.

        Returns:
            A stream that is independent of this one.
        """
        return Stream(fold_in(self.key, tag), self.indices, unrolled=self.unrolled)

    def side_by_side(self, tags: Sequence[int], rows: int = 1) -> "SideBySide":
        """Returns the streams of several purposes in one, whose draws lie side by side.

        A program that draws from each by itself is as many times as large.

        Args:
            tags: n numbers, as `fold_in` takes one.
            rows: of an event, into which the elements of each purpose are divided.

        Returns:
            A stream for events of `rows` times n times w elements. The elements `[:, i]` of
            `[rows, n, w]` are those that `fold_in(tags[i])` draws for `[rows, w]`.
        """
        key = fold_in(self.key, tags)
        return SideBySide(key, self.indices, rows=rows, unrolled=self.unrolled)


class SideBySide(Stream):
    """Several streams of the same samples, whose draws lie side by side.

    See `Stream.side_by_side`, which makes them.

    Args:
        key: two int32 `[n]` tensors.
        indices: as in `Stream`.
        rows: as in `Stream.side_by_side`.
        unrolled: as in `Stream`.
    """

    def __init__(
        self,
        key: Sequence[tf.Tensor],
        indices: tf.Tensor,
        *,
        rows: int = 1,
        unrolled: bool = False,
    ) -> None:
        """Keeps the arguments."""
        super().__init__(key, indices, unrolled=unrolled)
        self.rows = rows

    def of(self, places: Sequence[int]) -> Stream:
        """Returns some of the streams.

        Args:
            places: their numbers, from 0.

        Returns:
            One as it is alone, several side by side.
        """
        if len(places) == 1:
            key = [word[places[0]] for word in self.key]
            return Stream(key, self.indices, unrolled=self.unrolled)
        key = [tf.gather(word, places) for word in self.key]
        return SideBySide(key, self.indices, rows=self.rows, unrolled=self.unrolled)

    def bits(self, size: int) -> tf.Tensor:
        """Draws 32 random bits per element, int32 `[B, size]`."""
        return self._in_rows(self._bits_of_each(size // self._count), size)

    def uniforms(self, count: int, size: int) -> list[tf.Tensor]:
        """Draws several uniforms for each element, as `Stream.uniforms` does.

        Args:
            count: uniforms of one element.
            size: elements of a sample, of all streams.

        Returns:
            `count` tensors, float32 `[B, size]`.
        """
        parts = tf.split(self._bits_of_each(count * size // self._count), count, axis=-1)
        return [_from_zero_to_one(self._in_rows(part, size)) for part in parts]

    def fold_in(self, tag: int) -> "SideBySide":
        """Returns the streams of another purpose within each.

        Args:
            tag: as in `Stream.fold_in`.
        """
        key = fold_in(self.key, tag)
        return SideBySide(key, self.indices, rows=self.rows, unrolled=self.unrolled)

    @property
    def _count(self):
        return self.key[0].shape[0]

    def _bits_of_each(self, size):
        """Draws int32 `[B, n, size]`."""
        elements = tf.range(size, dtype=tf.int32)
        counter = self.indices[:, None, None] * size + elements[None, None, :]
        return _bits([word[:, None] for word in self.key], counter, self.unrolled)

    def _in_rows(self, bits, size):
        """Returns `[B, size]` in the order of the event's elements."""
        if self.rows > 1:
            width = size // (self._count * self.rows)
            bits = tf.reshape(bits, [-1, self._count, self.rows, width])
            bits = tf.transpose(bits, [0, 2, 1, 3])
        return tf.reshape(bits, [-1, size])


def seed_key(seed: int | tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
    """Returns the key words `(0, seed)` of an int32 seed, scalar or `[1]`, as two tensors."""
    seed = tf.convert_to_tensor(seed, tf.int32)
    return tf.zeros_like(seed), seed


def fold_in(key: Sequence[tf.Tensor], tag: int | Sequence[int]) -> tuple[tf.Tensor, tf.Tensor]:
    """Returns the key of another purpose: Threefry of the counter `(0, tag)` under `key`.

    Args:
        key: two int32 scalars, `[1]` or `[n]` tensors.
        tag: as in `Stream.fold_in`, or n of them.

    Returns:
        Two int32 tensors of the shape of the key's, or `[n]` for n tags.
    """
    low = tf.zeros_like(key[0]) + np.asarray(tag, np.int32)
    return threefry2x32(key, (tf.zeros_like(low), low))


def seed_for(seed: tf.Tensor, purpose: str) -> tf.Tensor:
    """Returns the seed of one purpose of training or evaluation, made from another seed.

    Args:
        seed: int32 `[2]`.
        purpose: a key of `TAGS`.

    Returns:
        int32 `[2]`.
    """
    return tf.random.split(seed, 1)[0] + tf.constant([0, TAGS[purpose]])


def _bits(key, counter, unrolled):
    """Draws 32 random bits for each element of a counter."""
    high, low = threefry2x32(key, (tf.zeros_like(counter), counter), unrolled=unrolled)
    return tf.bitwise.bitwise_xor(high, low)


def threefry2x32(
    key: Sequence[tf.Tensor], counter: Sequence[tf.Tensor], unrolled: bool = False
) -> tuple[tf.Tensor, tf.Tensor]:
    """Computes Threefry-2x32-20 [1]: two output words for two words of counter and two of key.

    Args:
        key: two int32 tensors of one element each, or of a shape `[n, ..., 1]` of several keys
            that broadcasts to the last axes of the counter's.
        counter: two int32 tensors of any shape.
        unrolled: as in `Stream`.

    Returns:
        Two int32 tensors of the shape of the counter's, with the keys of several.
    """
    if unrolled:
        return _unrolled(key, counter)
    several = _are_several(key)
    if tf.executing_eagerly():
        # Op by op it would take ten times as long.
        return _IN_ONE_CALL[several](tuple(key), tuple(counter))
    return _threefry2x32(key, counter, several)


def _are_several(key):
    return tf.TensorShape(key[0].shape).num_elements() != 1


def _threefry2x32(key, counter, several=False):
    """Computes the rounds in a loop: in a small exported file they would be the largest part."""
    keys = _three_words(key, several)
    # The numbers that each group of four rounds adds to the two words, `[5]` each.
    first = tf.stack([keys[(group + 1) % 3] for group in range(5)])
    second = tf.stack([keys[(group + 2) % 3] for group in range(5)])
    ordinals = np.arange(1, 6, dtype=np.int32)
    # Of several keys each is `[5, n, ..., 1]`, of a rank that need not be known.
    second = tf.transpose(tf.transpose(second) + ordinals) if several else second + ordinals

    def four_rounds(group, x0, x1):
        for left, right in zip(
            tf.unstack(tf.gather(_LEFT, group)), tf.unstack(tf.gather(_RIGHT, group))
        ):
            x0 = x0 + x1
            x1 = tf.bitwise.bitwise_xor(_rotate_left(x1, left, right), x0)
        return group + 1, x0 + tf.gather(first, group), x1 + tf.gather(second, group)

    start = (tf.constant(0), counter[0] + keys[0], counter[1] + keys[1])
    return tf.while_loop(lambda group, *_: group < 5, four_rounds, start, maximum_iterations=5)[1:]


def _unrolled(key, counter):
    """Computes the rounds one by one, in uint32, which has every operation that they need."""
    keys = [tf.cast(word, tf.uint32) for word in _three_words(key, _are_several(key))]
    x0, x1 = (tf.cast(part, tf.uint32) + word for part, word in zip(counter, keys))
    for group, rotations in enumerate(_ROTATIONS):
        for left in rotations:
            x0 = x0 + x1
            x1 = tf.bitwise.bitwise_xor(_rotated(x1, left), x0)
        x0, x1 = x0 + keys[(group + 1) % 3], x1 + keys[(group + 2) % 3] + np.uint32(group + 1)

    return tf.cast(x0, tf.int32), tf.cast(x1, tf.int32)


def _rotated(x, left):
    above = tf.bitwise.left_shift(x, np.uint32(left))
    return tf.bitwise.bitwise_or(above, tf.bitwise.right_shift(x, np.uint32(32 - left)))


def _three_words(key, several):
    third = tf.bitwise.bitwise_xor(tf.bitwise.bitwise_xor(*key), np.int32(_PARITY))
    return [word if several else tf.reshape(word, []) for word in (*key, third)]


_WORDS = (tf.TensorSpec(None, tf.int32),) * 2
_IN_ONE_CALL = {
    False: tf.function(_threefry2x32, input_signature=[_WORDS, _WORDS], autograph=False),
    True: tf.function(
        functools.partial(_threefry2x32, several=True), autograph=False, reduce_retracing=True
    ),
}


def erfinv(u: tf.Tensor) -> tf.Tensor:
    """Computes Giles' single-precision inverse error function [2], for -1 < u < 1."""
    w = -tf.math.log(1.0 - u * u)  # the textbook form (1 - u)(1 + u) differs from JAX by 2e-5
    central = _polynomial(_ERFINV_CENTRAL, w - 2.5)
    tail = _polynomial(_ERFINV_TAIL, tf.sqrt(w) - 3.0)
    return tf.where(w < 5.0, central, tail) * u


def _polynomial(coefficients, x):
    result = tf.fill(tf.shape(x), np.float32(coefficients[0]))
    for coefficient in coefficients[1:]:
        result = result * x + np.float32(coefficient)
    return result


def _rotate_left(x, left, right):
    # Multiplication by 2^r wraps in int32. It is the left shift that TFLite does not have.
    return tf.bitwise.bitwise_xor(x * left, _shift_right(x, right))


def _shift_right(x, r):
    return tf.cast(tf.bitwise.right_shift(tf.cast(x, tf.uint32), tf.cast(r, tf.uint32)), tf.int32)


def _from_zero_to_one(bits):
    return _mantissa(bits) * np.float32(2.0**-23)


def _mantissa(bits):
    """Returns the upper 23 bits as a float32, exactly."""
    return tf.cast(_shift_right(bits, 9), tf.float32)
