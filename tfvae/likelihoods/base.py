"""What every likelihood has."""

import math

import tensorflow as tf

from tfvae.pieces import Piece


class Likelihood(Piece):
    """Decoder output -> p(x|z), the support it models, and its draws.

    Attributes:
        support: the values it gives a density or a probability, in words.
        value_range: `(low, high)` of those values, or None where they have no bounds.
        elementwise: whether the mean of each element is one function of one number of the decoder's.
    """

    support = "finite numbers"
    elementwise = False
    value_range: tuple | None = None

    def params_shape(self, event_shape):
        """Shape of the decoder's output for one example, a tuple."""
        return tuple(event_shape)

    def params_size(self, event_shape):
        """How many numbers that is."""
        return math.prod(self.params_shape(event_shape))

    def distribution(self, params):
        """`params [..., *params_shape]` -> a `tfd.Distribution` of batch `[...]` over one event."""
        raise NotImplementedError

    def training_distribution(self, params, x, example_weights=None):
        """`distribution(params)` as the training step takes it, for likelihoods that fit a number to the batch.

        Args:
            params: `[K, B, *params_shape]`.
            x: the batch, `[B, *event]`.
            example_weights: `[B]`, or None where all count 1; one of weight 0 has no part in what is fitted.
        """
        del x, example_weights
        return self.distribution(params)

    @property
    def fits_batches(self):
        """Whether `training_distribution` may change weights of its own, and so be computed only once in a step."""
        return type(self).training_distribution is not Likelihood.training_distribution

    def encoder_view(self, x):
        """What the encoder is shown of `x [B, *event]`, a tensor of the same shape."""
        return x

    def dimensions(self, event_shape):
        """How many numbers one example counts for in bits per dimension."""
        return math.prod(event_shape)

    def mean(self, params):
        """E[x|z], `[..., *event]`."""
        return self.distribution(params).mean()

    def draw(self, params, noise):
        """x ~ p(x|z) from a `tfvae.random.Stream` of B samples: `[B, *event]`."""
        raise NotImplementedError

    def in_support(self, x):
        """Which elements of `x` the likelihood can model: a Boolean array or tensor like `x`.

        Written with operators only, so that it serves NumPy arrays and tensors.
        """
        return (x == x) & (abs(x) != float("inf"))

    def prepare(self, x, seed):
        """Training data as the likelihood models it, float32.

        Args:
            x: a batch within `in_support`, any dtype.
            seed: int32 `[2]`, new in every step, for likelihoods that randomize their data.
        """
        del seed
        return tf.cast(x, tf.float32)

    def prepare_fixed(self, x):
        """The same for evaluation, the same for every call: an array of x's shape and a note.

        Returns:
            (x, note): note is None, or says in words what was done, for reports.
        """
        return x, None

    def hint(self, x):
        """The likely fix where `x`, a NumPy array, lies outside the support."""
        del x
        return "remove or repair these values"


class Elements(Likelihood):
    """Independent elements: of an event's shape it keeps only how many axes there are.

    Attributes:
        event_rank: that number.
    """

    def build(self, event_shape):
        self.event_rank = len(event_shape)
        self.built = True

    def kept(self, event_shape):
        return len(event_shape)
