"""Samples and latents of a model measured as a whole, and the features that are used."""

import keras
import numpy as np
import pytest

import tfvae
from tests.conftest import matches
from tfvae import datasets, metrics


@pytest.fixture(scope="module")
def classifier(digits):
    return metrics.classifier_features(
        digits.x_train, digits.y_train, steps=200, held_out=(digits.x_test, digits.y_test)
    )


def test_real_digits_are_better_samples_than_noise(classifier, digits):
    others = metrics.sample_quality(digits.x_train[-299:], digits, classifier)
    assert others.num_real == others.num_generated == 299
    assert abs(others.kid) < 4 * others.kid_stderr
    assert min(others.precision, others.recall) > 0.6
    assert "10 classes" in others.features and "% right" in others.features
    assert "biased" in others.note

    noise = np.random.default_rng(0).random(digits.x_test.shape)
    found = metrics.sample_quality(noise, digits, classifier)
    assert found.fid > 5 * found.fid_of_data
    assert found.kid > 10 * found.kid_stderr
    assert found.recall < 0.1


def test_training_the_classifier_is_repeatable_and_leaves_global_generators_alone(digits):
    before = np.random.get_state()[1].copy()
    x, y = digits.x_train[:300].reshape(300, 64), digits.y_train[:300]
    first, again = (metrics.classifier_features(x, y, seed=3, steps=5)(x[:9]) for _ in range(2))
    assert np.array_equal(first, again)
    assert np.array_equal(np.random.get_state()[1], before)
    assert first.shape == (9, 64)


def test_a_model_draws_as_many_samples_as_there_are_examples(digits_vae, digits):
    found = metrics.sample_quality(digits_vae, digits.x_test[:100], num_examples=80, seed=7)
    drawn = digits_vae.sample(80, seed=7)
    projected = metrics.projection_features((8, 8, 1), seed=7)
    assert (found.num_real, found.num_generated, found.num_features) == (80, 80, 64)
    assert found.features == projected.description
    assert found.fid == metrics.fid(projected(digits.x_test[:80]), projected(drawn))
    assert found.fid_of_data is None


def test_a_network_can_be_passed(digits):
    network = keras.Sequential([keras.Input((8, 8, 1)), keras.layers.AveragePooling2D(4)])
    found = metrics.sample_quality(digits.x_train[:50], digits.x_test, network)
    assert found.num_features == 4
    assert "passed" in found.features


def test_data_without_classes_get_projections(digits):
    unlabelled = datasets.Dataset("some", digits.x_train, digits.x_test)
    found = metrics.sample_quality(digits.x_train[:60], unlabelled, num_examples=60)
    assert "projections" in found.features


WRONG = {
    "another shape": ((np.zeros((9, 4)), np.zeros((9, 5))), "shape"),
    "too few": ((np.zeros((2, 4)), np.zeros((9, 4))), "features"),
    "NaN": ((np.full((9, 4), np.nan), np.zeros((9, 4))), "finite"),
    "none": ((np.zeros((9, 4)), np.zeros((0, 4))), "examples"),
}


@pytest.mark.parametrize("pair, word", WRONG.values(), ids=WRONG)
def test_samples_that_cannot_be_measured_are_refused(pair, word):
    with pytest.raises(ValueError, match=matches(word)):
        metrics.sample_quality(*pair)


def test_features_need_something_to_call():
    with pytest.raises(TypeError, match=matches("network")):
        metrics.Features("inception")


@pytest.mark.parametrize("y", [np.zeros(9, int), np.zeros(8, int), np.zeros((9, 2))])
def test_a_classifier_needs_classes(y):
    with pytest.raises(ValueError, match=matches("(class|label)")):
        metrics.classifier_features(np.zeros((9, 4)), y)


@pytest.fixture(scope="module")
def few_shapes():
    return datasets.shapes(size=8, scales=2, orientations=2, positions=3)


def test_codes_that_are_the_factors_are_disentangled(few_shapes):
    found = metrics.disentanglement(few_shapes.factors, few_shapes)
    assert found.mig == pytest.approx(1)
    assert found.factor_vae == 1
    assert found.sap > 0.6  # a line tells one of three shapes no better than a guess
    assert found.dci_disentanglement > 0.7
    assert found.factors == ("shape", "scale", "orientation", "x", "y")


def test_the_codes_of_a_model_are_the_means_of_its_posterior(few_shapes):
    vae = tfvae.mlp_vae((8, 8, 1), 3, (16,), likelihood=tfvae.likelihoods.Normal(0.1), seed=0)
    found = metrics.disentanglement(vae, few_shapes)
    codes = vae.encode(few_shapes.x).mean()
    assert found.mig == pytest.approx(metrics.mig(codes, few_shapes.factors), abs=1e-6)
    assert found.sap == pytest.approx(metrics.sap(codes, few_shapes.factors, [0]), abs=1e-6)
    assert (found.latent_dim, found.num_examples) == (3, 108)
