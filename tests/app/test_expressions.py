"""Pieces from the words of the command line: what they make, and that nothing else is run."""

import pytest

from tests.conftest import matches
from tfvae import flows, gradients, likelihoods, objectives, posteriors, priors, regularizers
from tfvae.app import expressions

MADE = [
    ("DiscretizedLogisticMixture(10)", likelihoods.DiscretizedLogisticMixture(10)),
    ("bernoulli", likelihoods.Bernoulli()),
    ("discretized_logistic", likelihoods.DiscretizedLogistic()),
    ("Normal(0.1, learn_scale=True)", likelihoods.Normal(0.1, learn_scale=True)),
    ("Observed(Normal(0.1), fill=-1)", likelihoods.Observed(likelihoods.Normal(0.1), fill=-1)),
    ("VampPrior(100)", priors.VampPrior(100)),
    ("priors.Flow(flows.RealNVP())", priors.Flow(flows.RealNVP())),
    ("Flow(RealNVP(hidden=(8, 4)))", priors.Flow(flows.RealNVP(hidden=(8, 4)))),
    (
        "Flow(flows.InverseAutoregressive())",
        posteriors.Flow(flows.InverseAutoregressive()),
    ),
    ("ELBO(beta=4.0) + 10.0 * MMD()", objectives.ELBO(beta=4.0) + 10.0 * regularizers.MMD()),
    ("IWAE(50)", objectives.IWAE(50)),
    ("ScoreFunction", gradients.ScoreFunction()),
]


def module_of(made):
    bases = {
        "likelihoods": likelihoods.Likelihood,
        "priors": priors.Prior,
        "posteriors": posteriors.Posterior,
        "objectives": objectives.Objective,
        "gradients": gradients.Estimator,
    }
    return next(name for name, base in bases.items() if isinstance(made, base))


@pytest.mark.parametrize(("text", "expected"), MADE, ids=[text for text, _ in MADE])
def test_words_make_the_piece_that_python_makes_of_them(text, expected):
    found = expressions.piece(text, module_of(expected))
    assert type(found) is type(expected)
    assert repr(found) == repr(expected)


def test_a_schedule_of_keras_is_a_setting():
    found = expressions.piece("ELBO(beta=PolynomialDecay(0.0, 100, 1.0))", "objectives")
    assert float(found.beta(50)) == pytest.approx(0.5)


def test_every_piece_of_a_module_is_known_by_its_name():
    assert {"StandardNormal", "VampPrior", "Hierarchy"} <= set(expressions.names("priors"))
    assert "Prior" not in expressions.names("priors")
    assert "Terms" not in expressions.names("objectives")


@pytest.mark.parametrize(
    ("text", "module", "words"),
    [
        ("VampPrio(3)", "priors", ["VampPrior", "is it"]),
        ("Bernouli", "likelihoods", ["is it Bernoulli", "Bernouli"]),
        ("vamp", "priors", ["VampPrior", "StandardNormal"]),
        ("Normal()", "priors", ["a prior", "Normal is none"]),
        ("MMD()", "objectives", ["an objective", "MMD is none"]),
        ("IWAE(-3)", "objectives", ["num_samples", "-3"]),
        ("ELBO(bta=3)", "objectives", ["bta"]),
        ("3", "priors", ["int is none"]),
        ("", "priors", ["a prior"]),
        ("(", "priors", ["never closed"]),
        ("ELBO() if 1 else 2", "objectives", ["neither a name"]),
        ("__import__('os').system('true')", "priors", ["not known"]),
        ("ELBO.__init__.__globals__", "objectives", ["not known"]),
        ("likelihoods.keras", "likelihoods", ["not known"]),
        ("[ELBO for _ in 'ab'][0]", "objectives", ["neither a name"]),
        ("(lambda: ELBO())()", "objectives", ["not known"]),
        ("ELBO(**{'beta': 2})", "objectives", ["neither a name"]),
        ("'a' * 1000000000", "objectives", ["only numbers"]),
        ("(1,) * 1000000000", "objectives", ["only numbers"]),
        ("-MMD()", "objectives", ["operand"]),
        ("(" * 400 + ")" * 400, "objectives", ["an objective"]),
        ("ELBO(" + "1" * 600 + ")", "objectives", ["longer than"]),
        ("Prior()", "priors", ["not known"]),
    ],
)
def test_what_is_no_piece_is_refused_with_the_nearest_name(text, module, words):
    with pytest.raises(ValueError, match=matches(*words)):
        expressions.piece(text, module)
