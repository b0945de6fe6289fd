"""The builders: conditions of any form reach both networks, hierarchies have the named layers."""

import keras
import numpy as np
import pytest

import tfvae
from tests.conftest import largest_difference, matches
from tests.support import zoo

BUILDERS = {
    "mlp": lambda condition: tfvae.mlp_vae((8, 8, 1), 2, (8,), condition=condition, seed=0),
    "conv": lambda condition: tfvae.conv_vae((8, 8, 1), 2, (4,), 8, condition=condition, seed=0),
}
CONDITIONS = {
    "labels": (3, np.arange(6) % 3),
    "tensor": ((2, 2), np.random.default_rng(0).normal(size=(6, 2, 2))),
}


@pytest.mark.parametrize("build", BUILDERS)
@pytest.mark.parametrize("condition", CONDITIONS)
def test_a_condition_reaches_encoder_and_decoder(build, condition):
    condition, y = CONDITIONS[condition]
    vae = BUILDERS[build](condition)
    x = zoo.binary(6, (8, 8, 1))
    vae.compile(run_eagerly=True)
    vae.fit(x, y, verbose=0)
    assert np.isfinite(tfvae.evaluation.log_likelihood(vae, x, 10, y=y)).all()
    other = np.roll(y, 1, axis=0)
    assert largest_difference(vae.encode(x, y).mean(), vae.encode(x, other).mean()) > 1e-4
    assert largest_difference(vae.sample(6, seed=1, y=y), vae.sample(6, seed=1, y=other)) > 1e-5


def test_labels_are_learned_by_the_conditional_digits(digits):
    """Most samples of a label look more like that digit's mean than like any other digit's."""
    likelihood = tfvae.likelihoods.Bernoulli(dynamic_binarization=True)
    vae = tfvae.mlp_vae(digits.event_shape, 4, (64,), condition=10, likelihood=likelihood, seed=0)
    vae.compile(keras.optimizers.Adam(3e-3), jit_compile=False)
    vae.fit(digits.x_train, digits.y_train, batch_size=100, epochs=20, verbose=0)
    labels = np.repeat(np.arange(10), 10)
    found = vae.sample(100, seed=1, y=labels).numpy().reshape(100, -1)
    means = [digits.x_train[digits.y_train == label].mean(0).ravel() for label in range(10)]
    means = np.stack(means)
    nearest = ((found[:, None] - means[None]) ** 2).sum(-1).argmin(1)
    assert (nearest == labels).mean() > 0.8


@pytest.mark.parametrize("y", [np.array([0, 1, 3]), np.array([-1, 0, 1])])
def test_labels_out_of_range_are_refused(y):
    vae = BUILDERS["mlp"](3)
    vae.compile()
    with pytest.raises(ValueError, match=matches("labels from 0 to 2")):
        vae.fit(zoo.binary(3, (8, 8, 1)), y)


@pytest.mark.parametrize("ladder", [False, True])
def test_a_hierarchy_has_the_layers_it_names(ladder):
    vae = tfvae.hierarchical_vae((4, 4, 1), (5, 3, 2), (8,), ladder=ladder)
    assert vae.latent_sizes == [2, 3, 5] and vae.latent_dim == 5
    assert [z.shape for z in vae.sample_latent(4, seed=1)] == [(4, 2), (4, 3), (4, 5)]
    assert vae.decode(vae.sample_latent(4, seed=1)[-1]).mean().shape == (4, 4, 4, 1)
    if ladder:  # compiling an evaluation takes seconds
        assert tfvae.evaluation.evaluate(vae, zoo.binary(4), 10).latent_dim == 10
