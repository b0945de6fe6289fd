"""What every posterior has."""

from tfvae.pieces import REAL, Piece


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
