"""Each argument of a piece comes back from a configuration, at a value other than its default."""

import inspect

import keras
import pytest

from tests.pieces.test_public_arguments import BUILDERS, public_arguments
from tfvae import flows, likelihoods, objectives, posteriors, priors, regularizers
from tfvae.gradients import Enumeration

RISE = keras.optimizers.schedules.PolynomialDecay(0.1, 10, end_learning_rate=1.0)
LAYERED = {"num_layers": 3, "hidden": [5, 6]}
SCALED = {"scale": 0.3, "learn_scale": True}
PER_ELEMENT = {"scale": 0.3, "per_element_scale": True}


def network():
    return keras.Sequential([keras.Input((3,)), keras.layers.Dense(8)])


CASES = [
    (flows.RealNVP, LAYERED),
    (flows.MaskedAutoregressive, LAYERED),
    (flows.InverseAutoregressive, LAYERED),
    (flows.Planar, {"num_layers": 3}),
    (Enumeration, {"max_values": 7}),
    (likelihoods.Bernoulli, {"dynamic_binarization": True}),
    (likelihoods.NegativeBinomial, {"dispersion": 0.3, "per_element_dispersion": True}),
    (likelihoods.DiscretizedLogistic, SCALED),
    (likelihoods.DiscretizedLogistic, PER_ELEMENT),
    (likelihoods.DiscretizedLogisticMixture, {"num_components": 3}),
    (likelihoods.Normal, SCALED),
    (likelihoods.Normal, PER_ELEMENT),
    (likelihoods.Normal, {"optimal_scale": True}),
    (likelihoods.Laplace, SCALED),
    (likelihoods.Laplace, PER_ELEMENT),
    (likelihoods.StudentT, {**SCALED, "df": 2.5}),
    (likelihoods.StudentT, PER_ELEMENT),
    (likelihoods.LogNormal, SCALED),
    (likelihoods.LogNormal, PER_ELEMENT),
    (likelihoods.Rescaled, {"base": likelihoods.Normal(0.3), "offset": [0.5, 1.0], "unit": 3.0}),
    (
        likelihoods.Columns,
        {
            "likelihoods": [likelihoods.Bernoulli(), likelihoods.Categorical()],
            "widths": [1, 3],
            "names": ["smokes", "job"],
            "labels": {"job": ["cook", "nurse", "pilot"]},
        },
    ),
    (likelihoods.Observed, {"base": likelihoods.Normal(0.3), "fill": 0.5}),
    (objectives.ELBO, {"num_samples": 3, "beta": 2.0, "free_bits": 0.3, "analytic_rate": False}),
    (objectives.ELBO, {"beta": RISE, "capacity": RISE}),
    (objectives.IWAE, {"num_samples": 3}),
    (objectives.CIWAE, {"num_samples": 3, "mix": 0.2}),
    (objectives.MIWAE, {"groups": 2, "group_size": 3}),
    (objectives.PIWAE, {"groups": 2, "group_size": 3}),
    (objectives.Renyi, {"num_samples": 3, "alpha": -1.5}),
    (objectives.TVO, {"num_samples": 3, "partitions": 4, "first": 0.01}),
    (posteriors.Categorical, {"num_classes": 3}),
    (posteriors.RelaxedCategorical, {"num_classes": 3, "initial_temperature": 0.9}),
    (
        posteriors.Flow,
        {"flow": flows.Planar(3), "base": posteriors.FullNormal(), "context_size": 5},
    ),
    (posteriors.BottomUp, {"networks": [network(), network()]}),
    (priors.Categorical, {"num_classes": 3, "learn_weights": True}),
    (priors.RelaxedCategorical, {"num_classes": 3, "temperature": 0.9, "learn_weights": True}),
    (priors.ExPostMixture, {"num_components": 3, "seed": 5}),
    (
        priors.Conditional,
        {"network": network(), "family": posteriors.FullNormal(), "num_components": 3},
    ),
    (priors.Flow, {"flow": flows.RealNVP(3), "base": priors.GaussianMixture(4)}),
    (priors.Hierarchy, {"networks": [network()], "top": priors.GaussianMixture(4)}),
    (priors.GaussianMixture, {"num_components": 3, "spread": 0.4}),
    (priors.VampPrior, {"num_components": 3, "seed": 5}),
    (regularizers.LatentNorm, {"weight": 0.2}),
    (regularizers.MMD, {"weight": 0.2}),
    (regularizers.TotalCorrelation, {"weight": 0.2, "dataset_size": 70}),
    (
        regularizers.Regularized,
        {"objective": objectives.IWAE(3), "regularizers": [regularizers.MMD(0.2)]},
    ),
]


def test_every_argument_has_a_case_at_another_value_than_its_default():
    tried = set()
    for cls, arguments in CASES:
        defaults = inspect.signature(cls.__init__).parameters
        tried.update((cls, name) for name in arguments if arguments[name] != defaults[name].default)

    assert {pair for pair in public_arguments() if pair[0] not in BUILDERS} <= tried


@pytest.mark.parametrize(("cls", "arguments"), CASES)
def test_a_piece_returns_from_its_configuration_with_every_argument(cls, arguments):
    first = keras.saving.serialize_keras_object(cls(**arguments))
    received = dict.fromkeys(arguments)

    class Noting(cls):
        def __init__(self, *positional, **named):
            bound = inspect.signature(cls.__init__).bind(self, *positional, **named)
            received.update(bound.arguments)
            super().__init__(*positional, **named)

    Noting.from_config(first["config"])
    again = keras.saving.serialize_keras_object(keras.saving.deserialize_keras_object(first))

    assert again == first
    for name, value in arguments.items():
        assert described(received[name]) == described(value), name


def described(value):
    """A number as it is, and what Keras would write of anything else."""
    if isinstance(value, (list, tuple)):
        return [described(part) for part in value]
    if isinstance(value, dict):  # as a class that makes its own parts from their configuration
        return {name: described(part) for name, part in value.items()}
    return keras.saving.serialize_keras_object(value)
