"""Each flow is invertible, has its Jacobian's log-determinant, and integrates to one."""

import numpy as np
import pytest
import tensorflow as tf

from tests.conftest import largest_difference, matches
from tests.support import zoo
from tfvae import flows, posteriors, priors

SIZE, CONTEXT = 3, 4
every_flow = pytest.mark.parametrize("name", zoo.FLOWS)


def built(name, size=SIZE, context_size=0):
    """A flow away from the identity it starts as."""
    flow = zoo.FLOWS[name]()
    flow.build(size, context_size)
    rng = np.random.default_rng(4)
    for weight in flow.weights:
        weight.assign_add(rng.normal(0, 0.6, weight.shape).astype(np.float32))
    return flow


def inputs(*shape):
    return tf.constant(np.random.default_rng(5).normal(size=shape), tf.float32)


@every_flow
@pytest.mark.parametrize("context_size", [0, CONTEXT])
def test_the_inverse_undoes_the_map_and_its_log_determinant(name, context_size):
    flow = built(name, context_size=context_size)
    x = inputs(6, 5, SIZE)
    context = inputs(5, CONTEXT) if context_size else None
    y, log_det = flow.forward(x, context)
    back, inverse_log_det = flow.inverse(y, context)
    assert y.shape == x.shape and log_det.shape == x.shape[:-1]
    assert largest_difference(x, y) > 0.3
    assert largest_difference(back, x) < 2e-4
    assert largest_difference(log_det, -inverse_log_det) < 2e-4
    assert float(tf.math.reduce_std(log_det)) > 0.1


@every_flow
def test_the_log_determinant_is_that_of_the_jacobian_by_differentiation(name):
    flow = built(name)
    x = inputs(7, SIZE)
    for function in (flow.forward, flow.inverse):
        with tf.GradientTape() as tape:
            tape.watch(x)
            y, log_det = function(x)
        jacobian = tape.batch_jacobian(y, x)
        assert largest_difference(tf.linalg.slogdet(jacobian)[1], log_det) < 1e-4


@every_flow
def test_a_prior_by_a_flow_integrates_to_one(name):
    prior = priors.Flow(built(name, 2))
    prior.base.build(2)
    axis = np.linspace(-14, 14, 561, dtype=np.float32)
    grid = np.stack(np.meshgrid(axis, axis, indexing="ij"), axis=-1)
    density = np.exp(prior.distribution().log_prob(grid.reshape(-1, 2)).numpy().astype(np.float64))
    assert density.sum() * (axis[1] - axis[0]) ** 2 == pytest.approx(1.0, abs=0.01)


@every_flow
def test_a_flow_starts_as_the_identity_or_near_it(name):
    flow = zoo.FLOWS[name]()
    flow.build(SIZE, CONTEXT)
    x = inputs(5, SIZE)
    y, log_det = flow.forward(x, inputs(5, CONTEXT))
    assert largest_difference(x, y) < (0.2 if name == "planar" else 1e-6)
    assert largest_difference(log_det, tf.zeros(5)) < (0.2 if name == "planar" else 1e-6)


@pytest.mark.parametrize("hidden", [(), (8,), (16, 5)])
def test_autoregressive_networks_look_back_only(hidden):
    flow = flows.MaskedAutoregressive(1, hidden)
    flow.build(5)
    for weight in flow.weights:
        weight.assign_add(np.random.default_rng(6).normal(size=weight.shape).astype(np.float32))
    y = inputs(1, 5)
    with tf.GradientTape() as tape:
        tape.watch(y)
        shift = flow.networks[0].shift_and_log_scale(y, None)[0]
    jacobian = tape.batch_jacobian(shift, y)[0].numpy()
    assert (np.triu(jacobian) == 0).all()
    assert (np.abs(jacobian[np.tril_indices(5, -1)]) > 0).all()


@every_flow
def test_the_context_moves_the_map(name):
    flow = built(name, context_size=CONTEXT)
    x = inputs(5, SIZE)
    one, other = flow.forward(x, inputs(5, CONTEXT))[0], flow.forward(x, -inputs(5, CONTEXT))[0]
    assert largest_difference(one, other) > 0.05


@pytest.mark.parametrize("name", ["iaf", "planar", "realnvp"])
def test_a_posterior_knows_the_density_of_its_draws_and_of_others(name):
    """Together from the flow's forward pass, and by its inverse; with gradients that agree."""
    posterior = zoo.POSTERIORS[name]()
    posterior.build(SIZE)
    for weight in posterior.weights:
        weight.assign_add(np.random.default_rng(7).normal(0, 0.3, weight.shape).astype(np.float32))
    params = inputs(4, posterior.params_size(SIZE))
    with tf.GradientTape(persistent=True) as tape:
        tape.watch(params)
        q = posterior.distribution(params)
        z, together = q.experimental_sample_and_log_prob(6, seed=[1, 2])
        apart = posterior.distribution(params).log_prob(tf.identity(z))
    assert together.shape == (6, 4)
    assert largest_difference(together, apart) < 1e-3
    assert largest_difference(tape.gradient(together, params), tape.gradient(apart, params)) < 5e-3


@pytest.mark.parametrize(
    "make",
    [
        lambda: flows.RealNVP(0),
        lambda: flows.Planar(-1),
        lambda: flows.RealNVP().build(1),
        lambda: posteriors.Flow("iaf"),
        lambda: posteriors.Flow(flows.Planar(), posteriors.VonMisesFisher()),
        lambda: priors.Flow(posteriors.DiagonalNormal()),
        lambda: priors.Flow(flows.RealNVP(), priors.VampPrior(3)),
    ],
)
def test_settings_that_make_no_flow_are_refused(make):
    with pytest.raises(ValueError, match=matches()):
        make()
