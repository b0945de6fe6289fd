"""The base of what a VAE is composed of: posteriors, priors and likelihoods.

A piece is a Keras layer only so that Keras tracks its weights and writes them into
`.keras` files. It is never called: its methods take tensors and return TFP
distributions, which cannot pass through a layer's `call`. To write one, subclass
`Posterior`, `Prior` or `Likelihood`, decorate it with
`keras.saving.register_keras_serializable`, and return constructor arguments from
`get_config`.
"""

import inspect
import math

import tensorflow as tf

from tfvae._backend import keras
from tfvae.errors import invalid

# Where latents lie. A posterior and a prior over different sets have no rate.
REAL = "real vectors"
SPHERE = "unit vectors"
ONE_HOT = "one-hot vectors"
SIMPLEX = "points of the simplex"
LAYERS = "several layers of real vectors"


class Piece(keras.layers.Layer):
    """A part of the model that makes distributions, with or without weights of its own."""

    def __init__(self, **kwargs):
        super().__init__(**kwargs)

    def build(self, shape):
        """Creates weights. `shape` is the latent structure's or the event's, see subclasses."""
        del shape
        self.built = True

    def build_once(self, *shape):
        """Builds this piece, unless it is built for such a `shape`: then it is shared, with its weights.

        Raises:
            InputError: a piece that is built for another shape, of which it keeps something.
        """
        if not self.built:
            self._shape = shape
            self.build(*shape)
            return
        first = getattr(self, "_shape", shape)
        if self.kept(*first) != self.kept(*shape):
            raise invalid(f"a model of the size {self!r} is built for, {first}", f"{shape}", "make a new one for each")

    def kept(self, *shape):
        """What `build` keeps of `shape`: models that are equal in it may share this piece."""
        if type(self).build is Piece.build:
            return ()
        return tuple(tf.nest.flatten(shape))

    # The VAE builds its pieces itself, from its own networks, when it is constructed.
    def get_build_config(self):
        return None

    def build_from_config(self, config):
        pass

    @classmethod
    def from_config(cls, config):
        # Keras reads its own entry, the dtype policy, in a way that can be written again.
        own = {k: keras.saving.deserialize_keras_object(v) for k, v in config.items() if k != "dtype"}
        return super().from_config({**config, **own})

    def __repr__(self):
        arguments = inspect.signature(type(self).__init__).parameters
        settings = ", ".join(f"{k}={getattr(self, k)!r}" for k in self.get_config() if k in arguments)
        return f"{type(self).__name__}({settings})"


class Posterior(Piece):
    """Encoder output -> q(z|x).

    Attributes:
        support: where its z lie, in words; the prior's must be the same.
        reparameterized: whether a sample's gradient reaches the parameters.
        has_density: whether log q(z|x) exists, without which there is no bound.
        factorized: whether it is a `tfd.Independent` over the latents, of which some objectives want each.
    """

    support = REAL
    factorized = False
    reparameterized = True
    has_density = True

    def connect(self, vae):
        """Called by each `VAE` it is given to, before `build`; for posteriors that share its prior.

        Returns:
            The posterior for this model: itself, or None; of a second model another, so that the first's numbers stay.
        """

    def params_size(self, latent_dim):
        """How many numbers the encoder gives per example for a latent of `latent_dim`."""
        raise NotImplementedError

    def distribution(self, params):
        """Returns q(z|x), a `tfd.Distribution` of batch `[B]` over the latent `[D]`.

        A posterior with networks of its own takes `training=False` as well, and runs them so.

        Args:
            params: the encoder's output, `[B, P]`.
        """
        raise NotImplementedError

    def sample(self, params, noise):
        """z ~ q(z|x) from a `tfvae.random.Stream` of B samples, `[B, D]`."""
        raise NotImplementedError

    def location(self, params):
        """The z that stands for q(z|x) in a reconstruction, `[B, D]`: its mean, where it has one."""
        return self.distribution(params).mean()

    def summary(self, params):
        """What `encode` gives on a device: `{"loc": [B, D], "scale": [B, D]}`, mean and standard deviation."""
        return {"loc": self.location(params), "scale": self.distribution(params).stddev()}

    def between(self, a, b, weight):
        """The latent `[B, D]` a share `weight [B, 1]` of the way from a to b, for interpolation."""
        return a + weight * (b - a)

    def values(self, latent_dim):
        """Every value z can take, NumPy `[S, D]`, or None where they cannot be counted."""
        del latent_dim


class Prior(Piece):
    """p(z): a density, and a sampler of the counter-based stream that agrees with it.

    Attributes:
        support: where its z lie, in words.
        starts_from_data: whether `fit` is to call `initialize`.
        factorized: whether it is a `tfd.Independent` over the latents.
    """

    support = REAL
    factorized = False
    starts_from_data = False

    def connect(self, vae):
        """Called by each `VAE` it is given to, before `build`; for priors made of its parts.

        Raises:
            InputError: a model of other parts, where this prior is built with those of a first one.
        """

    def initialize(self, x, y=None):
        """Called by `fit` with data `[N, *event]` before the first step, where `starts_from_data`."""

    def latent_sizes(self, latent_dim):
        """The sizes of z, as a structure, given what the decoder takes of it."""
        return latent_dim

    def for_decoder(self, z):
        """What the decoder takes of z."""
        return z

    def frozen(self):
        """The same sampler with what its draws have in common computed once, for export."""
        return self

    def distribution(self, y=None):
        """Returns p(z), a `tfd.Distribution` over the latent, of batch `[]`, or `[B]` given y.

        Args:
            y: conditions `[B, ...]`, or None. With networks of its own it takes `training=False` as well.
        """
        raise NotImplementedError

    def sample(self, noise, y=None):
        """z for the samples of `noise`, a `tfvae.random.Stream` of B samples: `[B, D]`."""
        raise NotImplementedError


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
