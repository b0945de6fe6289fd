"""NumPy's numbers are numbers and booleans are not, in every constructor alike."""

import keras
import numpy as np
import pytest

import tfvae
from tests.conftest import largest_difference, matches
from tests.support import zoo
from tfvae import flows, gradients, likelihoods, objectives, posteriors, priors, regularizers
from tfvae.validation import arguments

# Each whole number a constructor takes: how it is passed, where it is found, the least accepted.
WHOLE = {
    "ELBO": (lambda n: objectives.ELBO(num_samples=n), "num_samples", 1),
    "IWAE": (objectives.IWAE, "num_samples", 1),
    "MIWAE": (lambda n: objectives.MIWAE(n, 2), "groups", 1),
    "PIWAE": (lambda n: objectives.PIWAE(2, n), "group_size", 1),
    "CIWAE": (objectives.CIWAE, "num_samples", 1),
    "TotalCorrelation": (
        lambda n: regularizers.TotalCorrelation(dataset_size=n),
        "dataset_size",
        1,
    ),
    "Enumeration": (gradients.Enumeration, "max_values", 1),
    "RealNVP": (flows.RealNVP, "num_layers", 1),
    "MaskedAutoregressive": (flows.MaskedAutoregressive, "num_layers", 1),
    "InverseAutoregressive": (flows.InverseAutoregressive, "num_layers", 1),
    "Planar": (flows.Planar, "num_layers", 1),
    "GaussianMixture": (priors.GaussianMixture, "num_components", 1),
    "VampPrior": (priors.VampPrior, "num_components", 1),
    "VampPrior seed": (lambda n: priors.VampPrior(2, seed=n), "seed", 0),
    "ExPostMixture": (priors.ExPostMixture, "num_components", 1),
    "ExPostMixture seed": (lambda n: priors.ExPostMixture(2, seed=n), "seed", 0),
    "priors.Categorical": (priors.Categorical, "num_classes", 2),
    "priors.RelaxedCategorical": (priors.RelaxedCategorical, "num_classes", 2),
    "posteriors.Categorical": (posteriors.Categorical, "num_classes", 2),
    "posteriors.RelaxedCategorical": (posteriors.RelaxedCategorical, "num_classes", 2),
    "posteriors.Flow": (
        lambda n: posteriors.Flow(flows.Planar(), context_size=n),
        "context_size",
        0,
    ),
    "DiscretizedLogisticMixture": (likelihoods.DiscretizedLogisticMixture, "num_components", 1),
    "VAE": (lambda n: tfvae.mlp_vae(4, 2, (4,), seed=n), "seed", 0),
}
POSITIVE = {
    "GaussianMixture": (lambda v: priors.GaussianMixture(2, spread=v), "spread"),
    "priors.RelaxedCategorical": (
        lambda v: priors.RelaxedCategorical(temperature=v),
        "temperature",
    ),
    "posteriors.RelaxedCategorical": (
        lambda v: posteriors.RelaxedCategorical(initial_temperature=v),
        "initial_temperature",
    ),
    "Normal": (likelihoods.Normal, "scale"),
    "Laplace": (likelihoods.Laplace, "scale"),
    "StudentT": (likelihoods.StudentT, "scale"),
    "StudentT df": (lambda v: likelihoods.StudentT(df=v), "df"),
    "DiscretizedLogistic": (likelihoods.DiscretizedLogistic, "scale"),
    "NegativeBinomial": (likelihoods.NegativeBinomial, "dispersion"),
}
FROM_0 = {
    "beta": (lambda v: objectives.ELBO(beta=v), "beta"),
    "free_bits": (lambda v: objectives.ELBO(free_bits=v), "free_bits"),
    "capacity": (lambda v: objectives.ELBO(capacity=v), "capacity"),
    "mix": (lambda v: objectives.CIWAE(mix=v), "mix"),
}
FINITE = {
    "MMD": (regularizers.MMD, "weight"),
    "LatentNorm": (regularizers.LatentNorm, "weight"),
    "TotalCorrelation": (regularizers.TotalCorrelation, "weight"),
    "Observed": (lambda v: likelihoods.Observed(likelihoods.Normal(), fill=v), "fill"),
}
NO_NUMBERS = [True, False, np.True_, "2", None, [2], np.array([2, 3]), 2j]


def refuses(make, value, name):
    with pytest.raises((ValueError, TypeError), match=matches(name, "number")):
        make(value)


@pytest.mark.parametrize("case", WHOLE)
def test_whole_numbers_of_any_integer_type_are_taken_and_nothing_else(case):
    make, name, least = WHOLE[case]
    for value in (3, np.int64(3), np.int32(3), np.uint8(3), np.prod((3, 1))):
        found = getattr(make(value), name)
        assert found == 3 and type(found) is int  # which JSON can hold
    optional = name in ("num_classes",) or case == "VAE"
    for value in [2.0, np.float32(2), float("nan"), least - 1, *NO_NUMBERS]:
        if not (value is None and optional):
            refuses(make, value, name)


@pytest.mark.parametrize("case", {**POSITIVE, **FROM_0, **FINITE})
def test_real_numbers_of_any_type_are_taken_if_they_are_finite(case):
    make, name = {**POSITIVE, **FROM_0, **FINITE}[case]
    for value in (0.5, np.float32(0.5), np.float64(0.5), np.float16(0.5)):
        found = getattr(make(value), name)
        assert found == 0.5 and type(found) is float
    assert getattr(make(np.int64(1)), name) == 1
    wrong = [float("inf"), float("nan"), np.float32("inf")]
    wrong += [v for v in NO_NUMBERS if not (v is None and name == "capacity")]
    wrong += [-0.5] if case not in FINITE else []
    wrong += [0, 0.0] if case in POSITIVE else []
    wrong += [1.5] if name == "mix" else []
    for value in wrong:
        refuses(make, value, name)


def test_the_ends_of_a_range_are_in_it_and_what_lies_beyond_is_not():
    assert arguments.real_number("a", 1, 0, 1) == 1 and arguments.real_number("a", 0, 0, 1) == 0
    assert arguments.whole_number("a", -3) == -3
    for call in (
        lambda: arguments.real_number("a", 1.0001, 0, 1),
        lambda: arguments.real_number("a", -1e-9, 0, 1),
    ):
        with pytest.raises(ValueError, match=matches("from 0 to 1")):
            call()


@pytest.mark.parametrize("builder", ["mlp", "conv", "hierarchical"])
def test_sizes_may_be_what_numpy_computes(builder, tmp_path):
    shape = np.array([8, 8, 1])
    build = {
        "mlp": lambda: tfvae.mlp_vae(
            np.prod(shape), np.int32(2), np.array([8]), condition=np.int64(3), seed=np.int64(1)
        ),
        "conv": lambda: tfvae.conv_vae(shape, np.int32(2), (np.int64(4),), np.int64(8), seed=1),
        "hierarchical": lambda: tfvae.hierarchical_vae(
            shape, np.array([3, 2]), (np.int64(8),), seed=1
        ),
    }[builder]
    vae = build()
    vae.save(tmp_path / "model.keras")
    y = np.arange(3) if builder == "mlp" else None
    loaded = tfvae.load_model(tmp_path / "model.keras")
    found = vae.sample(np.int64(3), seed=np.int64(1), y=y)
    assert largest_difference(loaded.sample(3, seed=1, y=y), found) == 0
    two = None if y is None else y[:2]
    assert vae.sample(np.int64(2), start=np.int32(1), seed=1, y=two).shape[0] == 2


def test_counts_of_samples_may_be_numpys_and_not_booleans(small):
    vae, x, _ = small
    found = tfvae.evaluation.log_likelihood(vae, x, np.int64(10))
    assert np.array_equal(found, tfvae.evaluation.log_likelihood(vae, x, 10))
    report = tfvae.evaluation.evaluate(vae, x, np.int64(10))
    assert type(report.num_samples) is int
    for count in (True, 10.0):
        refuses(lambda n: tfvae.evaluation.log_likelihood(vae, x, n), count, "num_samples")
    observed, data, _ = zoo.BUILDERS["observed-elbo-pathwise"]()
    filled = [
        tfvae.imputation.impute(observed, data, n, draws=d)
        for n, d in ((20, 2), (np.int64(20), np.int64(2)))
    ]
    assert np.array_equal(*filled)
    refuses(lambda d: tfvae.imputation.impute(observed, data, 20, draws=d), True, "draws")


def test_networks_without_inputs_take_numpys_sizes():
    encoder = keras.Sequential([keras.layers.Flatten(), keras.layers.Dense(4)])
    decoder = keras.Sequential([keras.layers.Dense(6)])
    vae = tfvae.VAE(encoder, decoder, event_shape=np.prod((2, 3)), latent_dim=np.int64(2))
    assert vae.event_shape == (6,) and type(vae.latent_dim) is int


def test_a_weight_of_numpys_multiplies_a_regularizer():
    found = np.float32(0.5) * regularizers.MMD()
    assert isinstance(found, regularizers.MMD) and found.weight == 0.5
