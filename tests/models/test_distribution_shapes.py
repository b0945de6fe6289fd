"""A piece whose distribution has another event or batch than the model's is refused."""

import keras
import numpy as np
import pytest
import scipy.stats
import tensorflow as tf
import tensorflow_probability as tfp

import tfvae
from tests.conftest import matches
from tests.support import zoo
from tfvae import likelihoods, posteriors, priors

tfd = tfp.distributions
B = D = 3  # of one size, so that what is wrong broadcasts and trains


class Forgetful(priors.Prior):
    """p(z) of one normal for each latent."""

    def __init__(self, shape=(D,), independent=0, **kwargs):
        super().__init__(**kwargs)
        self.shape, self.independent = shape, independent

    def distribution(self, y=None):
        return tfd.Independent(tfd.Normal(tf.zeros(self.shape), 1.0), self.independent)

    def sample(self, noise, y=None):
        return noise.normal(D)


class GivenClasses(Forgetful):
    """p(z|y), of one normal for each class and latent."""

    def distribution(self, y=None):
        loc = tf.tile(tf.cast(y, tf.float32)[:, None], [1, D])
        return tfd.Independent(tfd.Normal(loc, 1.0), self.independent)


class Elements(likelihoods.Likelihood):
    """p(x|z) of one normal for each element, of which some axes are an event's."""

    def __init__(self, independent, **kwargs):
        super().__init__(**kwargs)
        self.independent = independent

    def distribution(self, params):
        return tfd.Independent(tfd.Normal(params, 1.0), self.independent)


class Fitted(Elements):
    """Right in evaluation, and wrong where it fits a scale to the batch."""

    def training_distribution(self, params, x, example_weights=None):
        return tfd.Normal(params, tf.math.reduce_std(x - params))


class Latents(posteriors.Posterior):
    def __init__(self, independent, **kwargs):
        super().__init__(**kwargs)
        self.independent = independent

    def params_size(self, latent_dim):
        return latent_dim

    def distribution(self, params):
        return tfd.Independent(tfd.Normal(params, 1.0), self.independent)


def built(**pieces):
    pieces = {"likelihood": likelihoods.Normal(), "seed": 0, **pieces}
    return tfvae.mlp_vae((D,), D, (4,), **pieces)


@pytest.mark.parametrize(
    ("pieces", "words"),
    [
        ({"prior": Forgetful()}, [r"shape \[3\]", r"shape \[\]"]),
        ({"prior": Forgetful((B, D), 1)}, [r"batches of shape \[1\], \[\]", r"shape \[3\]"]),
        ({"prior": Forgetful((1, D), 2)}, [r"events of shape \[3\]", r"\[1, 3\]"]),
        ({"prior": GivenClasses(), "condition": 4}, [r"shape \[3\]", r"shape \[\]"]),
        ({"prior": GivenClasses((), 2), "condition": 4}, [r"shape \[3\]", r"\[3, 3\]"]),
        ({"likelihood": Elements(0)}, [r"shape \[3\]", r"shape \[\]"]),
        ({"likelihood": Elements(2)}, [r"shape \[3\]", r"\[3, 3\]"]),
        ({"likelihood": Fitted(1)}, [r"shape \[3\]", r"shape \[\]"]),
        ({"posterior": Latents(0)}, [r"shape \[3\]", r"shape \[\]"]),
        ({"posterior": Latents(2)}, [r"shape \[3\]", r"\[3, 3\]"]),
    ],
)
def test_a_wrong_event_or_batch_is_refused_at_construction(pieces, words):
    piece = next(p for name, p in pieces.items() if name != "condition")
    with pytest.raises(ValueError, match=matches(type(piece).__name__, "Independent", *words)):
        built(**pieces)


def test_a_wrong_top_of_a_hierarchy_and_a_wrong_layer_are_refused():
    with pytest.raises(ValueError, match=matches("Forgetful", "Independent")):
        tfvae.hierarchical_vae((4,), (2, D), (4,), top=Forgetful())

    class TwoForgetful(zoo.TwoStandardNormals):
        def distribution(self, y=None):
            first, second = super().distribution().model
            return tfd.JointDistributionSequential(
                [first, tfd.Normal(tf.zeros(3), 1.0), second][:2]
            )

    layered = zoo.BUILDERS["two_layers"]().vae
    with pytest.raises(ValueError, match=matches("TwoForgetful", r"\[2\], \[\]")):
        tfvae.VAE(layered.encoder, layered.decoder, zoo.TwoNormals(), TwoForgetful())


def test_pieces_of_the_right_shapes_give_the_density_that_scipy_gives():
    vae = built(
        prior=GivenClasses((), 1), condition=4, likelihood=Elements(1), posterior=Latents(1)
    )
    x, y = zoo.real(B, (D,)), np.array([0, 3, 1])
    terms = vae.terms(x, 2, seed=0, y=y)
    z = terms.z.numpy().astype(np.float64)
    expected = scipy.stats.norm(y[:, None], 1.0).logpdf(z).sum(-1)
    assert terms.log_prior.numpy() == pytest.approx(expected, abs=1e-4)
    params = vae.decoder([z.reshape(-1, D).astype(np.float32), np.tile(y, 2)]).numpy()
    expected = scipy.stats.norm(params.reshape(2, B, D), 1.0).logpdf(x).sum(-1)
    assert terms.log_likelihood.numpy() == pytest.approx(expected, abs=1e-4)


def test_what_a_piece_does_not_tell_is_left_to_training():
    class OfUnknownShape(Elements):
        def distribution(self, params):
            return super().distribution(tf.reshape(params, tf.shape(params)))

    class Undefined(priors.Prior):
        def sample(self, noise, y=None):
            return noise.normal(D)

    built(prior=Forgetful((1, D), 1))  # which is right as it is
    built(likelihood=OfUnknownShape(1))
    built(prior=Undefined())


def test_penalties_of_networks_and_numbers_of_draws_are_as_without_the_check():
    """The check runs a VampPrior's encoder, in a graph whose tensors must not stay."""
    x = keras.Input((D,))
    encoder = keras.Model(x, keras.layers.Dense(2 * D, activity_regularizer="l2")(x))
    decoder = keras.Sequential([keras.Input((D,)), keras.layers.Dense(D)])
    parts = {"likelihood": likelihoods.Normal(optimal_scale=True), "seed": 0}
    vae = tfvae.VAE(encoder, decoder, prior=priors.VampPrior(2), **parts)
    assert all(tf.is_tensor(loss) and loss.shape == () for loss in vae.losses)
    assert float(vae.likelihood.variance_weight) == 0.0
    np.random.seed(5)
    first = np.random.random()
    np.random.seed(5)
    built()
    assert np.random.random() == first
