"""The checks of pieces: right ones pass, and each deliberate mistake fails by its name."""

import inspect
import math
from pathlib import Path

import keras
import numpy as np
import pytest
import tensorflow as tf
import tensorflow_probability as tfp

import tfvae
from tests.conftest import matches
from tests.support import zoo
from tests.support.nightly import nightly
from tfvae import flows, likelihoods, objectives, pieces, posteriors, priors, testing

tfd = tfp.distributions
QUICK = {"fit": False, "export": False}
REGISTERED = keras.saving.register_keras_serializable("tests.testing")


def of_the_page():
    """The code of the page on writing pieces, and the class that it defines."""
    page = Path(__file__).parents[2] / "docs" / "writing_pieces.md"
    code, call = (part.split("```")[0] for part in page.read_text("utf-8").split("```python\n")[1:])
    found = {}
    exec(code, found)
    return found["LaplacePrior"], code, call


Laplace, CODE, CALL = of_the_page()


def test_the_prior_of_the_page_has_twenty_lines():
    assert len([line for line in CODE.split("@keras")[1].splitlines() if line.strip()]) <= 20
    assert "tfvae.testing.check_prior(LaplacePrior(0.5))" in CALL


@pytest.mark.nightly
def test_the_prior_of_the_page_passes_every_check():
    done = testing.check_prior(Laplace(0.5))
    assert {"config", "density", "draws", "keras file", "fit", "SavedModel", "TFLite"} <= set(done)


# ---- right ones


@REGISTERED
class OfLabels(priors.Prior):
    """p(z|y) = N(row y of a table, I)."""

    def build(self, latent_dim):
        self.table = self.add_weight(shape=(3, latent_dim), name="table")
        self.built = True

    def distribution(self, y=None):
        return tfd.Independent(tfd.Normal(tf.gather(self.table.value, y), 1.0), 1)

    def sample(self, noise, y=None):
        return tf.gather(self.table.value, y) + noise.normal(self.table.shape[1])


@REGISTERED
class Cauchy(pieces.Posterior):
    """q(z|x) of heavy tails, with a weight of its own."""

    def params_size(self, latent_dim):
        return latent_dim

    def build(self, latent_dim):
        self.log_scale = self.add_weight(shape=(), initializer="zeros", name="log_scale")
        self.built = True

    def distribution(self, params):
        return tfd.Independent(tfd.Cauchy(params, tf.exp(self.log_scale.value)), 1)

    def sample(self, params, noise):
        angle = math.pi * (noise.uniform(params.shape[-1]) - 0.5 + 2.0**-24)
        return params + tf.exp(self.log_scale.value) * tf.sin(angle) / tf.cos(angle)

    def point_estimate(self, params):
        return params

    def encode_outputs(self, params):
        return {"loc": params}


@REGISTERED
class Geometric(likelihoods.Likelihood):
    """p(x|z) over counts from 0."""

    support, discrete, value_range = "counts", True, (0.0, math.inf)

    def distribution(self, params):
        return tfd.Independent(tfd.Geometric(logits=params), 1)

    def draw(self, params, noise):
        log_failure = -tf.nn.softplus(params)  # log(1 - p)
        u = noise.uniform(params.shape[-1]) + 2.0**-24
        return tf.floor(tf.math.log(u) / log_failure)

    def in_support(self, x):
        return (x >= 0) & (x == np.floor(x))


@REGISTERED
class Gumbel(likelihoods.Likelihood):
    """p(x|z) over real numbers."""

    def distribution(self, params):
        return tfd.Independent(tfd.Gumbel(params, 1.0), 1)

    def draw(self, params, noise):
        return params - tf.math.log(-tf.math.log(noise.uniform(params.shape[-1]) + 2.0**-24))


@REGISTERED
class Stretch(flows.Flow):
    """y = exp(log_scale + context) x + shift."""

    def build(self, latent_dim, context_size=0):
        self.log_scale = self.add_weight(shape=(latent_dim,), initializer="zeros", name="a")
        self.shift = self.add_weight(shape=(latent_dim,), initializer="zeros", name="b")
        if context_size:
            self.kernel = self.add_weight(shape=(context_size, latent_dim), name="kernel")
        self.built = True

    def log_slopes(self, context):
        added = 0.0 if context is None else context @ self.kernel.value
        return self.log_scale.value + added

    def forward(self, x, context=None):
        y = tf.exp(self.log_slopes(context)) * x + self.shift.value
        return y, self.log_det(x, context)

    def inverse(self, y, context=None):
        x = tf.exp(-self.log_slopes(context)) * (y - self.shift.value)
        return x, -self.log_det(y, context)

    def log_det(self, x, context):
        return tf.reduce_sum(self.log_slopes(context) + tf.zeros_like(x), axis=-1)


@REGISTERED
class Halved(objectives.ELBO):
    """Half the loss."""

    def __call__(self, terms, step=0):
        return 0.5 * super().__call__(terms, step)


RIGHT = {
    "prior": lambda: testing.check_prior(Laplace(0.5), latent_dim=3, **QUICK),
    "prior of y": lambda: testing.check_prior(OfLabels(), condition=3, **QUICK),
    "prior of classes": lambda: testing.check_prior(
        priors.Categorical(3, learn_weights=True), latent_dim=6, **QUICK
    ),
    "posterior": lambda: testing.check_posterior(Cauchy(), fit=True, export=False),
    "posterior without density": lambda: testing.check_posterior(
        posteriors.Deterministic(), **QUICK
    ),
    "counts": lambda: testing.check_likelihood(Geometric(), event_shape=(1,), **QUICK),
    "numbers": lambda: testing.check_likelihood(Gumbel(), **QUICK),
    "flow": lambda: testing.check_flow(Stretch(), **QUICK),
    "flow of a context": lambda: testing.check_flow(Stretch(), context_size=2, **QUICK),
    "objective": lambda: testing.check_objective(Halved(num_samples=2), fit=False),
}


BY_NIGHT = ("prior of classes", "flow of a context")


@pytest.mark.parametrize("name", [nightly(n) if n in BY_NIGHT else n for n in RIGHT])
def test_a_right_piece_passes(name):
    done = RIGHT[name]()
    assert {"config", "construction", "training", "keras file"} <= set(done)
    if "objective" not in name and "without" not in name:
        assert {"density", "draws"} <= set(done)


NET = lambda a, b: keras.Sequential([keras.Input((a,)), keras.layers.Dense(b)])  # noqa: E731
LAYERED = {
    "Hierarchy": lambda: testing.check_prior(
        priors.Hierarchy([NET(2, 2)]), posterior=posteriors.Ladder(), latent_dim=1
    ),
    "BottomUp": lambda: testing.check_posterior(
        posteriors.BottomUp([NET(1, 4)]), prior=priors.Hierarchy([NET(2, 2)]), latent_dim=1
    ),
    "two layers": lambda: testing.check_prior(
        zoo.TwoStandardNormals(), posterior=zoo.TwoNormals(), latent_dim=[2, 1]
    ),
    "Conditional": lambda: testing.check_prior(
        priors.Conditional(NET(2, 10), None, 2), condition=(2,)
    ),
}
SHAPES = {"categorical": {"event_shape": (3,)}}
SHAPES["discretized_mixture"] = {"event_shape": (1, 1, 3), "mean_tolerance": 0.02}
ZOO = {
    **{
        f"prior {n}": lambda m=m: testing.check_prior(m(), latent_dim=3)
        for n, m in zoo.PRIORS.items()
    },
    **{
        f"posterior {n}": lambda m=m: testing.check_posterior(m(), latent_dim=3)
        for n, m in zoo.POSTERIORS.items()
    },
    **{
        f"likelihood {n}": lambda n=n, m=m: testing.check_likelihood(m[0](), **SHAPES.get(n, {}))
        for n, m in zoo.LIKELIHOODS.items()
    },
    **{
        f"flow {n}, {size}": lambda m=m, size=size: testing.check_flow(m(), context_size=size)
        for n, m in zoo.FLOWS.items()
        for size in (0, 2)
    },
    **{
        f"objective {n}": lambda m=m: testing.check_objective(m())
        for n, m in zoo.OBJECTIVES.items()
    },
    **LAYERED,
}


@pytest.mark.nightly
@pytest.mark.parametrize("name", ZOO)
def test_every_piece_of_the_package_passes(name):
    ZOO[name]()


# ---- wrong ones


class Off(tfd.Distribution):
    """Another distribution, with a constant added to its log-density."""

    def __init__(self, base, constant=0.1):
        self.base, self.constant = base, constant
        kind = base.reparameterization_type
        super().__init__(base.dtype, kind, False, True, {"base": base, "constant": constant})

    @classmethod
    def _parameter_properties(cls, dtype, num_classes=None):
        return {"base": tfp.util.BatchedComponentProperties()}

    def _event_shape(self):
        return self.base.event_shape

    def _log_prob(self, value):
        return self.base.log_prob(value) + self.constant

    def _sample_n(self, n, seed=None):
        return self.base.sample(n, seed=seed)

    def _mean(self):
        return self.base.mean()


def with_methods(base, **methods):
    """A registered class with other methods; each takes the method of `base` first."""

    def method(name, function):
        def changed(self, *args):
            return function(self, getattr(base, name).__get__(self), *args)

        return changed

    name = f"Wrong{base.__name__}{len(MADE)}"
    cls = type(name, (base,), {n: method(n, f) for n, f in methods.items()})
    MADE.append(REGISTERED(cls))
    return cls


MADE: list = []


def off(self, distribution, *args):
    return Off(distribution(*args))


def wider(self, draw, *args):
    return 1.3 * draw(*args)


def dependent(self, distribution, *args):
    return distribution(*args).distribution


def stopped(self, distribution, y=None):
    return tfd.Independent(tfd.Laplace(tf.stop_gradient(self.loc.value), self.scale), 1)


def mixing(self, distribution, y=None):
    loc = tf.gather(self.table.value, y)
    return tfd.Independent(tfd.Normal(loc - tf.reduce_mean(loc, axis=0), 1.0), 1)


def no_scale(self, get_config):
    return {key: value for key, value in get_config().items() if key != "scale"}


def unsaved(self, build, latent_dim):
    build(latent_dim)
    self.scale = self.scale * (1.0 + np.random.default_rng().uniform(0.1, 0.9))


def unseeded(self, sample, noise, *args):
    u = np.random.default_rng().uniform(size=2).astype(np.float32)
    return sample(noise, *args) + 0.0 * u + 1e-3 * tf.random.normal([1, 2])


class Unregistered(Laplace):
    pass


def raising(self, distribution, *args):
    raise RuntimeError("no such thing")


def by_numpy(self, distribution, y=None):
    return tfd.Independent(tfd.Laplace(self.loc.value + 0.0 * self.loc.numpy(), self.scale), 1)


def fewer_counts(self, draw, params, noise):
    return tf.maximum(draw(params, noise) - 1.0, 0.0)


def unrepeatable(self, prepare, x, seed):
    return prepare(x, seed) + np.random.default_rng().normal(size=x.shape).astype(np.float32)


def of_the_batch(self, loss, terms, step=0):
    return tf.reduce_mean(loss(terms, step))


def reversed_sign(self, log_det, x, context):
    return -log_det(x, context)


def scaled_twice(self, inverse, y, context=None):
    x, log_det = inverse(y, context)
    return 1.1 * x, log_det


def one_sided(self, forward, x, context=None):
    y, log_det = forward(x, context)
    return y, log_det - 0.1


@REGISTERED
class Idle(objectives.ELBO):
    """It holds a variable that its loss has no gradient by."""

    def __init__(self, num_samples=1):
        super().__init__(num_samples)
        self.idle = keras.Variable(1.0)

    def get_config(self):
        return {"num_samples": self.num_samples}


def prior(cls, **options):
    return lambda: testing.check_prior(cls(), **{**QUICK, **options})


def posterior(cls):
    return lambda: testing.check_posterior(cls(), **QUICK)


def likelihood(cls, event_shape=(2,)):
    return lambda: testing.check_likelihood(cls(), event_shape=event_shape, **QUICK)


def flow(cls):
    return lambda: testing.check_flow(cls(), **QUICK)


def objective(cls):
    return lambda: testing.check_objective(cls(), fit=False)


WRONG = {
    "prior, constant": (prior(with_methods(Laplace, distribution=off)), "density", ["1.10"]),
    "prior, draws": (prior(with_methods(Laplace, sample=wider)), "draws", ["by sample"]),
    "prior, Independent": (
        prior(with_methods(Laplace, distribution=dependent)),
        "shapes",
        ["Independent"],
    ),
    "prior, rows": (
        prior(with_methods(OfLabels, distribution=mixing), condition=3),
        "shapes",
        ["alone and in a batch"],
    ),
    "prior, argument": (prior(with_methods(Laplace, get_config=no_scale)), "config", ["'scale'"]),
    "prior, unregistered": (prior(Unregistered), "config", ["register_keras_serializable"]),
    "prior, weight": (
        prior(with_methods(Laplace, distribution=stopped)),
        "gradients",
        ["none at .*loc"],
    ),
    "prior, no weight": (prior(with_methods(Laplace, build=unsaved)), "keras file", ["add_weight"]),
    "prior, seed": (prior(with_methods(Laplace, sample=unseeded)), "keras file", ["difference"]),
    "prior, NumPy": (
        prior(with_methods(Laplace, distribution=by_numpy), fit=True),
        "fit",
        ["numpy"],
    ),
    "prior, raising": (
        prior(with_methods(Laplace, distribution=raising)),
        "shapes",
        ["RuntimeError: no such thing"],
    ),
    "posterior, constant": (posterior(with_methods(Cauchy, distribution=off)), "density", []),
    "posterior, draws": (posterior(with_methods(Cauchy, sample=wider)), "draws", ["by sample"]),
    "posterior, Independent": (
        posterior(with_methods(Cauchy, distribution=dependent)),
        "shapes",
        ["Independent"],
    ),
    "likelihood, constant": (likelihood(with_methods(Gumbel, distribution=off)), "density", []),
    "likelihood, draws": (likelihood(with_methods(Gumbel, draw=wider)), "draws", ["by draw"]),
    "likelihood, mean": (likelihood(with_methods(Gumbel, mean=wider)), "mean", ["draws of draw"]),
    "likelihood, probabilities": (
        likelihood(with_methods(Geometric, distribution=off), (1,)),
        "density",
        ["values that were drawn"],
    ),
    "likelihood, counts": (
        likelihood(with_methods(Geometric, draw=fewer_counts), (1,)),
        "draws",
        ["a value's share"],
    ),
    "likelihood, repeated": (
        likelihood(with_methods(Gumbel, prepare_for_training=unrepeatable)),
        "training",
        ["when repeated"],
    ),
    "flow, inverse": (flow(with_methods(Stretch, inverse=scaled_twice)), "inverse", ["the x"]),
    "flow, one side": (flow(with_methods(Stretch, forward=one_sided)), "inverse", ["det"]),
    "flow, jacobian": (flow(with_methods(Stretch, log_det=reversed_sign)), "jacobian", ["det"]),
    "objective, shape": (
        objective(with_methods(objectives.ELBO, __call__=of_the_batch)),
        "shapes",
        [r"shape \[8\]"],
    ),
    "objective, variable": (objective(Idle), "gradients", ["none at"]),
}


@pytest.mark.parametrize("name", WRONG)
def test_a_mistake_fails_by_its_name(name):
    call, check, words = WRONG[name]
    with pytest.raises(testing.CheckError, match=f"(?s)The check '{check}' of ") as failure:
        call()
    assert failure.value.check == check
    failure.match(matches(*words))


def test_each_check_that_the_page_lists_has_a_mistake():
    page = (Path(__file__).parents[2] / "docs" / "writing_pieces.md").read_text("utf-8")
    table = page.split("| promise | check |\n|---|---|\n")[1].split("\n\n")[0]
    listed = {word for row in table.splitlines() for word in row.split("|")[2].split("`")[1::2]}
    assert listed - {check for _, check, _ in WRONG.values()} == {"SavedModel", "TFLite"}


def test_a_sampler_that_no_device_has_fails_at_the_file():
    def drawn(self, sample, *args):
        return sample(*args) + 0.0 * tf.random.stateless_normal([1, 2], seed=[1, 2])

    wrong = with_methods(Laplace, sample=drawn)()
    vae = tfvae.mlp_vae((3,), 2, (4,), prior=wrong, seed=0)
    with (
        pytest.raises(testing.CheckError, match="The check 'TFLite'") as failure,
        testing.failure.checking("TFLite", wrong, []),
    ):
        testing.exports.check_tflite(vae)
    failure.match("ops")


def test_the_checks_need_no_test_framework():
    for path in (Path(tfvae.__file__).parent / "testing").glob("*.py"):
        text = path.read_text("utf-8")
        assert "pytest" not in text and "scipy" not in text and "unittest" not in text


def test_support_without_a_counterpart_asks_for_it():
    with pytest.raises(testing.CheckError, match=matches("posterior=", "several layers")):
        testing.check_prior(zoo.TwoStandardNormals(), latent_dim=[2, 1])


def test_each_check_has_the_options_that_the_page_names():
    page = (Path(__file__).parents[2] / "docs" / "writing_pieces.md").read_text("utf-8")
    for line in page.split("| call | what the piece defines |")[1].splitlines():
        if line.startswith("| `check_"):
            call = line.split("`")[1]
            parameters = inspect.signature(getattr(testing, call.split("(")[0])).parameters
            named = [part.split("=")[0].strip() for part in call.split("(", 1)[1].split(",")]
            named = [name.strip(") ") for name in named if name.strip(") ").isidentifier()]
            assert set(named) <= set(parameters), call
