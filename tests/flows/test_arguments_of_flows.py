"""Each public argument of flows, and of pieces of several layers: see `test_public_arguments`."""

import keras
import numpy as np
import pytest
import scipy.special
import scipy.stats
import tensorflow as tf

from tests.conftest import largest_difference, matches
from tests.support.arguments import covers
from tests.support.noise import stream
from tfvae import flows, posteriors, priors


def built(piece, *shape):
    piece.build(*shape)
    return piece


# ---- flows


@covers(flows.RealNVP, "num_layers", "hidden")
@pytest.mark.parametrize("num_layers", [1, 2, 5])
@pytest.mark.parametrize("hidden", [(), (7,), (4, 6)])
def test_coupling_layers_change_the_halves_in_turn_by_networks_of_their_widths(num_layers, hidden):
    flow = flows.RealNVP(num_layers, hidden)
    flow.build(5)
    assert len(flow.networks) == num_layers
    for i, network in enumerate(flow.networks):
        sizes = [(2, 3)[i % 2], *hidden, 2 * (3, 2)[i % 2]]
        assert [k.shape for k in network.kernels] == list(zip(sizes[:-1], sizes[1:]))
    for weight in flow.weights:
        weight.assign_add(np.random.default_rng(3).normal(size=weight.shape).astype(np.float32))
    x = np.random.default_rng(4).normal(size=(6, 5)).astype(np.float32)
    moved = np.abs(flow.forward(x)[0] - x).max(axis=0) > 1e-3
    assert moved.tolist() == [num_layers > 1] * 2 + [True] * 3


@covers(flows.MaskedAutoregressive, "num_layers", "hidden")
@covers(flows.InverseAutoregressive, "num_layers", "hidden")
@pytest.mark.parametrize("make", [flows.MaskedAutoregressive, flows.InverseAutoregressive])
@pytest.mark.parametrize("num_layers", [1, 2, 3])
@pytest.mark.parametrize("hidden", [(), (7, 4)])
def test_autoregressive_layers_reverse_as_often_as_there_are_layers(make, num_layers, hidden):
    """As they start, with shifts of 0 and scales of 1, that is all that they do."""
    flow = make(num_layers, hidden)
    flow.build(3)
    assert len(flow.networks) == num_layers
    sizes = [3, *hidden, 6]
    assert [k.shape for k in flow.networks[-1].kernels] == list(zip(sizes[:-1], sizes[1:]))
    x = np.random.default_rng(4).normal(size=(6, 3)).astype(np.float32)
    expected = x[:, ::-1] if num_layers % 2 else x
    assert largest_difference(flow.forward(x)[0], expected) < 1e-6


@covers(flows.Planar, "num_layers")
@pytest.mark.parametrize("num_layers", [1, 3])
def test_planar_layers_are_composed_as_often_as_there_are_layers(num_layers):
    """Each of u, w, b by the flow's weights: three layers are one after another."""
    flow = flows.Planar(num_layers)
    flow.build(2)
    weights = np.random.default_rng(5).normal(size=(num_layers, 5)).astype(np.float32)
    flow.bias.assign(weights.ravel())
    x = y = np.random.default_rng(6).normal(size=(6, 2)).astype(np.float32)
    for layer in weights:
        one = flows.Planar(1)
        one.build(2)
        one.bias.assign(layer)
        y = one.forward(y)[0]
    assert largest_difference(flow.forward(x)[0], y) < 1e-5


@pytest.mark.parametrize("num_layers", [0, -1, 1.5])
@pytest.mark.parametrize("make", [flows.RealNVP, flows.MaskedAutoregressive, flows.Planar])
def test_numbers_of_layers_below_one_are_refused(make, num_layers):
    with pytest.raises(ValueError, match=matches("num_layers")):
        make(num_layers)


# ---- pieces made of layers and of flows


def affine(inputs, outputs, seed):
    """A network `[B, inputs] -> [B, 2 outputs]` and the mean and scale it gives, by hand."""
    rng = np.random.default_rng(seed)
    network = keras.Sequential([keras.Input((inputs,)), keras.layers.Dense(2 * outputs)])
    kernel, bias = 0.4 * rng.normal(size=(inputs, 2 * outputs)), rng.normal(size=2 * outputs)
    network.set_weights([kernel, bias])

    def normal(z):
        loc, raw = np.split(z @ kernel + bias, 2, axis=-1)
        return scipy.stats.norm(loc, np.log1p(np.exp(raw)))

    return network, normal


@covers(posteriors.BottomUp, "networks")
@covers(priors.Hierarchy, "networks", "top")
@pytest.mark.parametrize("top", [None, priors.GaussianMixture])
def test_layers_are_normals_by_their_networks_under_the_top(top):
    (down, p_below), (up, q_above) = affine(2, 3, 1), affine(3, 2, 2)
    top = top and top(4, spread=2.0)
    prior = built(priors.Hierarchy([down], top), [2, 3])
    posterior = built(posteriors.BottomUp([up]), [2, 3])
    rng = np.random.default_rng(3)
    z = [rng.normal(size=(5, size)).astype(np.float32) for size in (2, 3)]
    above = scipy.stats.norm.logpdf(z[0]).sum(-1)
    if top is not None:
        components = scipy.stats.norm(top.loc.numpy(), 1.0).logpdf(z[0][:, None]).sum(-1)
        above = scipy.special.logsumexp(components, axis=1) - np.log(4)
    expected = above + p_below(z[0]).logpdf(z[1]).sum(-1)
    assert prior.distribution().log_prob(z).numpy() == pytest.approx(expected, rel=1e-4)
    params = rng.normal(size=(5, 6)).astype(np.float32)
    loc, raw = np.split(params.astype(np.float64), 2, axis=-1)
    expected = scipy.stats.norm(loc, np.log1p(np.exp(raw))).logpdf(z[1]).sum(-1)
    expected += q_above(z[1]).logpdf(z[0]).sum(-1)
    found = posterior.distribution(params).log_prob(z).numpy()
    assert found == pytest.approx(expected, rel=1e-4)


class Shift(flows.Flow):
    """z + 2, plus the sum of the context where there is one."""

    def build(self, latent_dim, context_size=0):
        self.given = latent_dim, context_size
        self.built = True

    def _shift(self, context):
        return 2.0 + (0.0 if context is None else tf.reduce_sum(context, axis=-1, keepdims=True))

    def forward(self, x, context=None):
        return x + self._shift(context), tf.zeros_like(x[..., 0])

    def inverse(self, y, context=None):
        return y - self._shift(context), tf.zeros_like(y[..., 0])


@covers(posteriors.Flow, "flow", "base", "context_size")
@pytest.mark.parametrize("context_size", [0, 3])
@pytest.mark.parametrize("base", [None, posteriors.FullNormal])
def test_a_posterior_by_a_flow_has_its_base_its_map_and_its_context(base, context_size):
    base = base and base()
    posterior = built(posteriors.Flow(Shift(), base, context_size), 2)
    size = 4 if base is None else 5  # 2 D, or D + D (D + 1) / 2
    assert posterior.flow.given == (2, context_size)
    assert posterior.params_size(2) == size + context_size
    rng = np.random.default_rng(4)
    params = rng.normal(size=(6, size + context_size)).astype(np.float32)
    z = rng.normal(size=(6, 2)).astype(np.float32)
    moved = z - 2 - params[:, size:].sum(-1, keepdims=True)
    plain = (base or posteriors.DiagonalNormal()).distribution(params[:, :size])
    found, expected = posterior.distribution(params).log_prob(z), plain.log_prob(moved)
    assert largest_difference(found, expected) < 1e-4
    assert largest_difference(posterior.point_estimate(params), plain.mean() + z - moved) < 1e-5


@covers(priors.Flow, "flow", "base")
@pytest.mark.parametrize("base", [None, lambda: priors.GaussianMixture(3, spread=2.0)])
def test_a_prior_by_a_flow_has_its_base_and_its_map(base):
    base = base and base()
    prior = built(priors.Flow(Shift(), base), 2)
    plain = base or built(priors.StandardNormal(), 2)
    z = np.random.default_rng(5).normal(size=(6, 2)).astype(np.float32)
    expected = plain.distribution().log_prob(z - 2)
    assert largest_difference(prior.distribution().log_prob(z), expected) < 1e-5
    assert largest_difference(prior.sample(stream(6)), plain.sample(stream(6)) + 2) < 1e-5
