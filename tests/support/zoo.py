"""Every composition of public pieces, small: `BUILDERS[name]() -> Specimen`.

A new piece is added here once; the conformance tests then take it through fit, evaluate,
sample, `.keras` and export.
"""

from typing import Any, NamedTuple

import keras
import numpy as np
import tensorflow_probability as tfp

import tfvae
from tfvae import (
    datasets,
    flows,
    gradients,
    likelihoods,
    objectives,
    pieces,
    posteriors,
    priors,
    regularizers,
)

tfd = tfp.distributions
LATENT = 3
SHAPE = (4, 4, 1)


class Specimen(NamedTuple):
    vae: Any
    x: np.ndarray
    y: Any = None


def binary(n=12, shape=SHAPE):
    return np.random.default_rng(0).integers(0, 2, (n, *shape)).astype(np.float32)


def grey(n=12, shape=SHAPE):
    return np.random.default_rng(0).random((n, *shape)).astype(np.float32)


def real(n=12, shape=SHAPE):
    return np.random.default_rng(0).normal(size=(n, *shape)).astype(np.float32)


def incomplete(n=12, shape=SHAPE):
    missing = np.random.default_rng(1).random((n, *shape)) < 0.3
    return np.where(missing, np.nan, binary(n, shape)).astype(np.float32)


def eight_bit(n=12, shape=SHAPE):
    return np.random.default_rng(0).integers(0, 256, (n, *shape)).astype(np.float32) / 255


def counts(n=12, shape=SHAPE):
    return np.random.default_rng(0).poisson(2.0, (n, *shape)).astype(np.float32)


def one_hot(n=12, shape=(4, 3)):
    categories = np.random.default_rng(0).integers(0, shape[-1], (n, *shape[:-1]))
    return np.eye(shape[-1], dtype=np.float32)[categories]


def positive(n=12, shape=SHAPE):
    return np.exp(real(n, shape))


def rows(n=12):
    """Rows of a real number, a positive one, a binary one, three categories and a count."""
    missing = np.random.default_rng(1).random((n, 1)) < 0.3
    parts = [
        np.where(missing, np.nan, real(n, (1,))),
        positive(n, (1,)),
        binary(n, (1,)),
        one_hot(n, (3,)),
        counts(n, (1,)),
    ]
    return np.concatenate(parts, axis=1).astype(np.float32)


def columns():
    return likelihoods.Columns(
        [
            likelihoods.Observed(likelihoods.Rescaled(likelihoods.Normal(), 0.1, 2.0), fill=0.1),
            likelihoods.LogNormal(),
            likelihoods.Bernoulli(),
            likelihoods.Categorical(),
            likelihoods.NegativeBinomial(),
        ],
        widths=[1, 1, 1, 3, 1],
        names=["height", "income", "smokes", "job", "children"],
        labels={"smokes": ["no", "yes"], "job": ["cook", "nurse", "pilot"]},
    )


def all_in_columns():
    """Every likelihood that takes its parameters along the last axis, as columns of a table."""
    makers = {name: make for name, (make, _) in LIKELIHOODS.items()}
    for name in ("columns", "discretized_mixture"):
        del makers[name]
    return likelihoods.Columns(
        [make() for make in makers.values()], widths=[3] * len(makers), names=list(makers)
    )


FLOWS = {
    "realnvp": lambda: flows.RealNVP(3, (8,)),
    "maf": lambda: flows.MaskedAutoregressive(2, (8,)),
    "iaf": lambda: flows.InverseAutoregressive(2, (8,)),
    "planar": lambda: flows.Planar(4),
}
POSTERIORS = {
    "diagonal": posteriors.DiagonalNormal,
    "full": posteriors.FullNormal,
    "iaf": lambda: posteriors.Flow(FLOWS["iaf"](), context_size=4),
    "planar": lambda: posteriors.Flow(FLOWS["planar"](), posteriors.FullNormal(), context_size=4),
    "realnvp": lambda: posteriors.Flow(FLOWS["realnvp"](), context_size=0),
    "sphere": posteriors.VonMisesFisher,
    "categorical": posteriors.Categorical,
    "relaxed": posteriors.RelaxedCategorical,
    "deterministic": posteriors.Deterministic,
}
PRIORS = {
    "standard": priors.StandardNormal,
    "mixture": lambda: priors.GaussianMixture(4),
    "vamp": lambda: priors.VampPrior(5),
    "realnvp": lambda: priors.Flow(FLOWS["realnvp"]()),
    "maf": lambda: priors.Flow(FLOWS["maf"](), priors.GaussianMixture(2)),
    "expost": lambda: priors.ExPostMixture(2),
    "sphere": priors.UniformSphere,
    "categorical": lambda: priors.Categorical(learn_weights=True),
    "relaxed": lambda: priors.RelaxedCategorical(learn_weights=True),
}


def fitting(posterior, prior):
    """Whether a posterior and a prior are over the same set.

    A VampPrior is made of posteriors, so the posterior must have a density.
    """
    if prior == "vamp":
        return posterior != "deterministic"
    return POSTERIORS[posterior]().support == PRIORS[prior]().support


LIKELIHOODS = {
    "bernoulli": (likelihoods.Bernoulli, binary),
    "bernoulli_dynamic": (lambda: likelihoods.Bernoulli(dynamic_binarization=True), grey),
    "normal_fixed": (lambda: likelihoods.Normal(0.5), real),
    "normal_learned": (lambda: likelihoods.Normal(0.5, learn_scale=True), real),
    "normal_per_element": (lambda: likelihoods.Normal(per_element_scale=True), real),
    "normal_optimal": (lambda: likelihoods.Normal(optimal_scale=True), real),
    "laplace": (lambda: likelihoods.Laplace(0.5), real),
    "student": (lambda: likelihoods.StudentT(0.5, df=3.0, learn_scale=True), real),
    "continuous_bernoulli": (likelihoods.ContinuousBernoulli, grey),
    "observed": (lambda: likelihoods.Observed(likelihoods.Bernoulli()), incomplete),
    "discretized_logistic": (
        lambda: likelihoods.DiscretizedLogistic(0.3, learn_scale=True),
        eight_bit,
    ),
    "discretized_mixture": (
        lambda: likelihoods.DiscretizedLogisticMixture(2),
        lambda: eight_bit(shape=(4, 4, 3)),
    ),
    "log_normal": (lambda: likelihoods.LogNormal(0.5, learn_scale=True), positive),
    "rescaled": (lambda: likelihoods.Rescaled(likelihoods.Laplace(0.5), 2.0, 3.0), real),
    "columns": (columns, rows),
    "categorical": (likelihoods.Categorical, one_hot),
    "poisson": (likelihoods.Poisson, counts),
    "negative_binomial": (likelihoods.NegativeBinomial, counts),
    "negative_binomial_per_element": (
        lambda: likelihoods.NegativeBinomial(per_element_dispersion=True),
        counts,
    ),
}
_SCHEDULE = keras.optimizers.schedules.PolynomialDecay(0.1, 10, end_learning_rate=1.0)
OBJECTIVES = {
    "elbo": objectives.ELBO,
    "elbo_schedule": lambda: objectives.ELBO(num_samples=2, beta=_SCHEDULE),
    "elbo_monte_carlo": lambda: objectives.ELBO(num_samples=2, analytic_rate=False),
    "elbo_free_bits": lambda: objectives.ELBO(free_bits=0.1),
    "elbo_free_bits_sampled": lambda: objectives.ELBO(2, free_bits=0.1, analytic_rate=False),
    "elbo_capacity": lambda: objectives.ELBO(beta=5.0, capacity=_SCHEDULE),
    "iwae": lambda: objectives.IWAE(num_samples=3),
    "miwae": lambda: objectives.MIWAE(2, 3),
    "piwae": lambda: objectives.PIWAE(2, 3),
    "ciwae": lambda: objectives.CIWAE(3, mix=0.2),
    "renyi": lambda: objectives.Renyi(0.7, num_samples=3),
    "tvo": lambda: objectives.TVO(3, num_samples=3),
    "autoencoder": lambda: objectives.ELBO(beta=0.0) + 0.1 * regularizers.LatentNorm(),
    "wae": lambda: objectives.ELBO(beta=0.0) + 10.0 * regularizers.MMD(),
    "beta_tc": lambda: (
        objectives.ELBO() + 4.0 * regularizers.TotalCorrelation() + regularizers.MMD()
    ),
}
ESTIMATORS = {
    "pathwise": gradients.Pathwise,
    "sticking": gradients.StickingTheLanding,
    "doubly": gradients.DoublyReparameterized,
    "score": gradients.ScoreFunction,
    "enumeration": gradients.Enumeration,
}
_NOT_BY_SCORE = {
    "elbo",
    "elbo_free_bits",
    "elbo_free_bits_sampled",
    "elbo_capacity",
    "piwae",
    "autoencoder",
    "wae",
    "beta_tc",
}
# What each estimator is right for; the rest is refused at construction.
SENSIBLE = {
    "pathwise": set(OBJECTIVES),
    "sticking": {"elbo", "elbo_schedule", "elbo_monte_carlo"},
    "doubly": {"iwae"},
    "score": set(OBJECTIVES) - _NOT_BY_SCORE,
    "enumeration": set(),  # only for classes, see below
}


def _mlp(posterior, prior, likelihood, objective, estimator):
    make, data = LIKELIHOODS[likelihood]
    x = data()
    vae = tfvae.mlp_vae(
        x.shape[1:],
        LATENT,
        (8,),
        posterior=POSTERIORS[posterior](),
        prior=PRIORS[prior](),
        likelihood=make(),
        objective=OBJECTIVES[objective](),
        estimator=estimator and ESTIMATORS[estimator](),
        seed=1,
    )
    return Specimen(vae, x)


def _pair(posterior, prior):
    objective = "autoencoder" if posterior == "deterministic" else "elbo"
    return _mlp(posterior, prior, "bernoulli", objective, None)


def _score_function():
    """Classes too many to enumerate, in a bound of several samples."""
    vae = tfvae.mlp_vae(
        SHAPE,
        12,
        (8,),
        posterior=posteriors.Categorical(4),
        prior=priors.Categorical(4),
        objective=objectives.IWAE(3),
        estimator=gradients.ScoreFunction(),
        seed=1,
    )
    return Specimen(vae, binary())


def _hierarchical(**kwargs):
    y = np.arange(12) % 10 if "condition" in kwargs else None
    return Specimen(tfvae.hierarchical_vae(SHAPE, (4, 3, 2), (8,), seed=1, **kwargs), binary(), y)


def _conv(shape, **options):
    made = tfvae.conv_vae(shape, LATENT, (4, 8), 8, seed=1, **options)
    return Specimen(made, binary(shape=shape))


def _conv1d(shape, **options):
    data = real(shape=shape)
    likelihood = likelihoods.Rescaled(likelihoods.Normal(0.5, learn_scale=True), 0.1, 1.1)
    made = tfvae.conv1d_vae(shape, LATENT, (4, 8), 8, likelihood=likelihood, seed=1, **options)
    return Specimen(made, data)


def _table():
    """Of mixed columns, one of them of so many categories that it gets an embedding."""
    rng = np.random.default_rng(0)
    shares = {"labels": tuple("abcdefghij"), "typical": (0.1,) * 10, "missing": True}
    table = datasets.Table(
        (
            datasets.Column("income", "positive", offset=0.1, unit=0.9),
            datasets.Column("town", "category", **shares),
            datasets.Column("visits", "count", typical=(2.0, 3.0)),
        )
    )
    towns = one_hot(12, (10,))
    towns[rng.random(12) < 0.3] = np.nan
    x = np.concatenate([positive(12, (1,)), towns, counts(12, (1,))], axis=1)
    return Specimen(tfvae.table_vae(table, LATENT, (8,), prior=PRIORS["expost"](), seed=1), x)


def _conditional_vamp():
    vae = tfvae.mlp_vae(SHAPE, LATENT, (8,), condition=10, prior=priors.VampPrior(4), seed=1)
    return Specimen(vae, binary(), np.arange(12) % 10)


def _conditional_prior(family="diagonal", num_components=1, condition=10):
    """p(z|y) by a table of labels, or by a dense layer of numbers."""
    family = POSTERIORS[family]()
    size = family.params_size(LATENT)
    size = size if num_components == 1 else num_components * (1 + size)
    if isinstance(condition, int):
        layers = [keras.Input((), dtype="int32"), keras.layers.Embedding(condition, size)]
        y = np.arange(12) % condition
    else:
        layers = [keras.Input(condition), keras.layers.Dense(size)]
        y = real(shape=condition)
    prior = priors.Conditional(keras.Sequential(layers), family, num_components)
    posterior = type(family)()
    pieces = {"condition": condition, "prior": prior, "posterior": posterior}
    return Specimen(tfvae.mlp_vae(SHAPE, LATENT, (8,), **pieces, seed=1), binary(), y)


def _conditional():
    x, y = keras.Input(SHAPE), keras.Input((), dtype="int32")
    hidden = keras.layers.concatenate([keras.layers.Flatten()(x), keras.layers.Embedding(10, 4)(y)])
    encoder = keras.Model([x, y], keras.layers.Dense(2 * LATENT)(hidden))
    z, y = keras.Input((LATENT,)), keras.Input((), dtype="int32")
    hidden = keras.layers.concatenate([z, keras.layers.Embedding(10, 4)(y)])
    decoder = keras.Model([z, y], keras.layers.Reshape(SHAPE)(keras.layers.Dense(16)(hidden)))
    return Specimen(tfvae.VAE(encoder, decoder, seed=1), binary(), np.arange(12) % 10)


@keras.saving.register_keras_serializable("tests")
class TwoNormals(pieces.Posterior):
    """q(z_0, z_1 | x) of two independent layers: `vae.py` needs no change for a new structure."""

    support = pieces.LAYERS

    def params_size(self, latent_dim):
        return [2 * size for size in latent_dim]

    def distribution(self, params):
        return tfd.JointDistributionSequential(
            [posteriors.DiagonalNormal().distribution(p) for p in params]
        )

    def encode_outputs(self, params):
        return {f"loc_{i}": loc for i, loc in enumerate(self.point_estimate(params))}


@keras.saving.register_keras_serializable("tests")
class TwoStandardNormals(pieces.Prior):
    support = pieces.LAYERS

    def build(self, latent_dim):
        self.parts = [priors.StandardNormal() for _ in latent_dim]
        for part, size in zip(self.parts, latent_dim):
            part.build(size)
        self.built = True

    def distribution(self, y=None):
        return tfd.JointDistributionSequential([part.distribution() for part in self.parts])

    def sample(self, noise, y=None):
        return [part.sample(noise.fold_in(100 + i)) for i, part in enumerate(self.parts)]


def _two_layers():
    x = keras.Input(SHAPE)
    flat = keras.layers.Flatten()(x)
    encoder = keras.Model(x, [keras.layers.Dense(4)(flat), keras.layers.Dense(6)(flat)])
    z = [keras.Input((2,)), keras.Input((3,))]
    pixels = keras.layers.Dense(16)(keras.layers.concatenate(z))
    decoder = keras.Model(z, keras.layers.Reshape(SHAPE)(pixels))
    vae = tfvae.VAE(encoder, decoder, TwoNormals(), TwoStandardNormals(), seed=1)
    return Specimen(vae, binary())


def _named(*names):
    return "-".join(names)


def _crossed(likelihood, objective, estimator):
    """Whether a triple is in the zoo.

    Every objective is there with every estimator, and every likelihood with three such pairs.
    """
    if objective not in SENSIBLE[estimator]:
        return False
    # One of these is plain, one is fitted to its batch, one has several parameters an element.
    if likelihood in ("bernoulli", "normal_optimal", "discretized_mixture"):
        return True
    pairs = {("elbo", "pathwise"), ("iwae", "doubly"), ("piwae", "pathwise")}
    return (objective, estimator) in pairs


# The design by which every piece is composed in few models: each row brings a likelihood that no
# row before it has, in turn with the posteriors, priors, objectives and estimators, so that most
# of these meet in pairs that the sweeps by night do not have. A new piece takes a place in a row,
# or a row of its own; a test says when one is missing.
COVERING = (
    ("diagonal", "standard", "bernoulli", "elbo", "pathwise"),
    ("diagonal", "mixture", "bernoulli_dynamic", "iwae", "doubly"),
    ("full", "vamp", "normal_learned", "elbo", "sticking"),
    ("iaf", "realnvp", "normal_per_element", "elbo_monte_carlo", "sticking"),
    ("planar", "maf", "laplace", "miwae", "pathwise"),
    ("realnvp", "expost", "student", "piwae", "pathwise"),
    ("sphere", "sphere", "continuous_bernoulli", "elbo_schedule", "pathwise"),
    ("sphere", "vamp", "poisson", "iwae", "pathwise"),
    ("categorical", "categorical", "observed", "elbo_capacity", "enumeration"),
    ("categorical", "vamp", "discretized_logistic", "tvo", "score"),
    ("relaxed", "relaxed", "discretized_mixture", "ciwae", "pathwise"),
    ("deterministic", "standard", "log_normal", "autoencoder", "pathwise"),
    ("deterministic", "expost", "normal_fixed", "wae", "pathwise"),
    ("diagonal", "realnvp", "normal_optimal", "iwae", "doubly"),
    ("diagonal", "standard", "rescaled", "elbo_free_bits", "pathwise"),
    ("diagonal", "standard", "negative_binomial", "elbo_free_bits_sampled", "pathwise"),
    ("diagonal", "maf", "categorical", "iwae", "score"),
    ("diagonal", "vamp", "columns", "beta_tc", "pathwise"),
    ("full", "mixture", "negative_binomial_per_element", "renyi", "pathwise"),
)

# Every pair of (prior, posterior), the triples that `_crossed` chooses, and the rows above.
BUILDERS = {
    **{
        _named(posterior, prior): lambda a=posterior, b=prior: _pair(a, b)
        for posterior in POSTERIORS
        for prior in PRIORS
        if fitting(posterior, prior)
    },
    **{
        _named(likelihood, objective, estimator): lambda a=likelihood, b=objective, c=estimator: (
            _mlp("diagonal", "standard", a, b, c)
        )
        for likelihood in LIKELIHOODS
        for objective in OBJECTIVES
        for estimator in ESTIMATORS
        if _crossed(likelihood, objective, estimator)
    },
    **{_named(*row): lambda row=row: _mlp(*row) for row in COVERING},
    "conv": lambda: _conv((8, 8, 1)),
    "conv_odd_size": lambda: _conv(
        (7, 10, 3), posterior=posteriors.FullNormal(), prior=PRIORS["vamp"]()
    ),
    "conv_without_channel": lambda: _conv((8, 6)),
    "conv_residual": lambda: _conv((8, 8, 1), residual=True, prior=PRIORS["maf"]()),
    "conv1d": lambda: _conv1d((10, 2), posterior=POSTERIORS["iaf"](), prior=PRIORS["vamp"]()),
    "conv1d_without_channel": lambda: _conv1d((9,)),
    "table": _table,
    "conditional": _conditional,
    "conditional_vamp": _conditional_vamp,
    "conditional_prior": _conditional_prior,
    "conditional_prior_mixture": lambda: _conditional_prior("full", 2, (2,)),
    "conditional_prior_classes": lambda: _conditional_prior("categorical"),
    "score_function": _score_function,
    **{
        f"enumeration_{name}": lambda name=name: _mlp(
            "categorical", "categorical", "bernoulli", name, "enumeration"
        )
        for name in ("elbo_schedule", "elbo_monte_carlo", "elbo_capacity")
    },
    "bottom_up": _hierarchical,
    "ladder": lambda: _hierarchical(ladder=True),
    "ladder_conditional": lambda: _hierarchical(
        ladder=True, condition=10, top=priors.GaussianMixture(3)
    ),
    "ladder_doubly": lambda: _hierarchical(
        ladder=True,
        condition=10,
        top=priors.GaussianMixture(3),
        objective=objectives.IWAE(3),
        estimator=gradients.DoublyReparameterized(),
    ),
    "two_layers": _two_layers,
}


# Composed by day: the rows of `COVERING`, a network over time, and each kind of condition and of
# structure; a network of pictures is trained by the tests of other files, and exported below.
FEW = (
    *(_named(*row) for row in COVERING),
    "conv1d",
    "conditional",
    "conditional_prior_mixture",
    "score_function",
    "ladder",
    "two_layers",
)
# What differs in a compiled evaluation: how q and p are drawn. One of the ways by day.
COMPILED = ("categorical-vamp-discretized_logistic-tvo-score",)
# Dense, convolutional and conditional networks in files, each with another prior; the likelihoods'
# parts are converted on their own. Tables, layers, other priors and posteriors by night.
EXPORTED = (
    "relaxed-relaxed-discretized_mixture-ciwae-pathwise",
    "conv_residual",
    "conditional_prior_mixture",
)
# What XLA compiles in pieces: how a step draws and weighs. Other ways, and hierarchies, by night.
IN_PIECES = (
    "diagonal-mixture-bernoulli_dynamic-iwae-doubly",
    "categorical-vamp-discretized_logistic-tvo-score",
)
# By night: what of these is in several compositions that are less mixed.
COMPILED_BY_NIGHT = (
    "relaxed-relaxed-discretized_mixture-ciwae-pathwise",
    "sphere-vamp-poisson-iwae-pathwise",
    "ladder_doubly",
    "diagonal-mixture",
    "diagonal-realnvp",
    "diagonal-maf",
    "diagonal-expost",
    "full-vamp",
    "iaf-vamp",
    "sphere-sphere",
    "categorical-categorical",
    "relaxed-relaxed",
    "bottom_up",
    "discretized_mixture-elbo-pathwise",
    "negative_binomial_per_element-elbo-pathwise",
    "conv_odd_size",
    "conv_without_channel",
    "table",
    "conditional",
    "conditional_vamp",
    "conditional_prior_mixture",
    "conv_residual",
    "conv1d",
    "two_layers",
)
EXPORTED_BY_NIGHT = (
    *(name for name in COMPILED_BY_NIGHT if name not in EXPORTED),
    "sphere-vamp",
    "categorical-vamp-discretized_logistic-tvo-score",
    "deterministic-standard",
    "deterministic-standard-log_normal-autoencoder-pathwise",
    "bernoulli-renyi-pathwise",
    "columns-elbo-pathwise",
    "continuous_bernoulli-elbo-pathwise",
    "normal_per_element-elbo-pathwise",
)
IN_PIECES_BY_NIGHT = (
    "iaf-realnvp-normal_per_element-elbo_monte_carlo-sticking",
    "sphere-vamp-poisson-iwae-pathwise",
    "relaxed-relaxed-discretized_mixture-ciwae-pathwise",
    "ladder_doubly",
    *(f"{likelihood}-iwae-doubly" for likelihood in LIKELIHOODS),
    *(
        f"bernoulli-{objective}"
        for objective in ("elbo-sticking", "iwae-pathwise", "iwae-score", "piwae-pathwise")
    ),
    "full-vamp",
    "iaf-vamp",
    "sphere-sphere",
    "categorical-categorical",
    "deterministic-standard",
    "ladder_conditional",
    "full-vamp-normal_learned-elbo-sticking",
    "realnvp-expost-student-piwae-pathwise",
    "diagonal-realnvp-normal_optimal-iwae-doubly",
    "diagonal-vamp-columns-beta_tc-pathwise",
    "conv",
)
