"""What every prior has."""

from tfvae.pieces import REAL, Piece


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
