"""The checks of each kind of piece."""

from typing import TYPE_CHECKING, Any

import numpy as np

from tfvae.pieces import ONE_HOT, REAL, SIMPLEX, SPHERE
from tfvae.testing import densities, exports, flow_maps, models, shapes, subjects
from tfvae.testing.failure import checking

if TYPE_CHECKING:
    from tfvae.flows import Flow
    from tfvae.gradients import Estimator
    from tfvae.likelihoods import Likelihood
    from tfvae.models.vae import VAE
    from tfvae.objectives import Objective
    from tfvae.posteriors import Posterior
    from tfvae.priors import Prior

_EVENT, _BATCH_SIZE = (3,), 8


def check_prior(
    prior: "Prior",
    *,
    latent_dim: Any = 2,
    condition: int | tuple[int, ...] | None = None,
    posterior: "Posterior | None" = None,
    fit: bool = True,
    export: bool = True,
) -> tuple[str, ...]:
    """Checks a prior: its density, its draws, and a small model with it.

    The prior is built and trained, so pass a new one. The checks are, in this order:

    - config: `get_config` returns every argument, and Keras can make the prior from it.
    - construction, shapes: a model takes it; log p(z) is `[K, B]`, draws are `[B, D]`.
    - density: the density integrates to 1, within 0.02 and 5 standard errors.
    - draws: those of `sample` and of the distribution follow the density, by Kolmogorov and
      Smirnov at a level of 1e-5.
    - gradients, training: a step reaches every trainable weight; `evaluate` adds up.
    - keras file: the model returns from it with the same numbers.
    - fit: two traced epochs. Left out with `fit=False`.
    - SavedModel, TFLite: both files sample as the model does, and the second with ops of devices
      alone. Left out with `export=False`, which saves most of the time.

    Args:
        prior: the prior, not built.
        latent_dim: D, or a list where the decoder takes several layers. The density is checked
            most sharply for few numbers.
        condition: the number of classes or the shape of y, for p(z|y); None without conditions.
        posterior: a posterior over the same set; default by the prior's `support`.
        fit: False to leave out traced training.
        export: False to leave out the exported files.

    Returns:
        The names of the checks, all passed.

    Raises:
        CheckError: the first check that failed, in its message and its attribute `check`.
    """
    done: list[str] = []
    with checking("config", prior, done):
        models.check_config(prior)
    with checking("construction", prior, done):
        posterior = posterior or _posterior_for(prior)
        vae = _model(latent_dim, condition, posterior, prior)
    models.move_weights(prior.trainable_weights, seed=1, spread=0.3)
    y = models.conditions(condition, _BATCH_SIZE, seed=3)
    with checking("shapes", prior, done):
        shapes.check_prior(prior, vae.latent_sizes, y)
    _check_distribution(prior, lambda: subjects.of_prior(prior, vae.latent_sizes, y), done)
    return _check_in_model(vae, prior, done, _real(_BATCH_SIZE), y, fit, export)


def check_posterior(
    posterior: "Posterior",
    *,
    latent_dim: Any = 2,
    condition: int | tuple[int, ...] | None = None,
    prior: "Prior | None" = None,
    fit: bool = True,
    export: bool = True,
) -> tuple[str, ...]:
    """Checks a posterior: its density, its draws, and a small model with it.

    The checks are those of `check_prior`. A posterior without a density has no check of it, and
    one without `sample` needs `export=False`.

    Args:
        posterior: the posterior, not built.
        latent_dim: D, or a list where the decoder takes several layers.
        condition: the number of classes or the shape of y, of a conditional model; or None.
        prior: a prior over the same set; default by the posterior's `support`.
        fit: False to leave out traced training.
        export: False to leave out the exported files.

    Returns:
        The names of the checks, all passed.

    Raises:
        CheckError: the first check that failed.
    """
    done: list[str] = []
    with checking("config", posterior, done):
        models.check_config(posterior)
    with checking("construction", posterior, done):
        vae = _model(latent_dim, condition, posterior, prior or _prior_for(posterior))
    models.move_weights(vae.posterior.trainable_weights, seed=1, spread=0.3)
    sizes = vae.latent_sizes
    with checking("shapes", posterior, done):
        shapes.check_posterior(vae.posterior, sizes)
    if posterior.has_density:
        _check_distribution(posterior, lambda: subjects.of_posterior(vae.posterior, sizes), done)
    y = models.conditions(condition, _BATCH_SIZE, seed=3)
    return _check_in_model(vae, posterior, done, _real(_BATCH_SIZE), y, fit, export, encoder=True)


def check_likelihood(
    likelihood: "Likelihood",
    *,
    event_shape: tuple[int, ...] = (2,),
    x: np.ndarray | None = None,
    mean_tolerance: float = 1e-3,
    fit: bool = True,
    export: bool = True,
) -> tuple[str, ...]:
    """Checks a likelihood: its density or probabilities, its draws, and a small model with it.

    The checks are those of `check_prior`; "mean" compares `mean` with the mean of the draws.

    Args:
        likelihood: the likelihood, not built.
        event_shape: shape of x; of few elements, since density and draws are checked over all.
        x: at least 8 examples to train on, `[N, *event]`; default draws of the likelihood.
        mean_tolerance: by how much `mean` may differ from the mean of the draws beside chance,
            where it is not exact; of numbers above 1 as their share.
        fit: False to leave out traced training.
        export: False to leave out the exported files.

    Returns:
        The names of the checks, all passed.

    Raises:
        CheckError: the first check that failed.
    """
    done: list[str] = []
    with checking("config", likelihood, done):
        models.check_config(likelihood)
    with checking("construction", likelihood, done):
        vae = _model(2, None, likelihood=likelihood, event_shape=event_shape)
    models.move_weights(likelihood.trainable_weights, seed=1, spread=0.3)
    with checking("shapes", likelihood, done):
        shapes.check_likelihood(likelihood, event_shape)
    subject = _check_distribution(
        likelihood, lambda: subjects.of_likelihood(likelihood, event_shape), done
    )
    with checking("mean", likelihood, done):
        mean = likelihood.mean(subjects.decoded(likelihood, event_shape, 1))
        densities.check_mean(subject, mean, mean_tolerance)
    if x is None:
        x = next(iter(subject.draws.values()))[:_BATCH_SIZE].reshape(-1, *event_shape)
    return _check_in_model(vae, likelihood, done, x, None, fit, export, encoder=True)


def check_flow(
    flow: "Flow",
    *,
    latent_dim: int = 2,
    context_size: int = 0,
    fit: bool = True,
    export: bool = True,
) -> tuple[str, ...]:
    """Checks a flow: its inverse, its Jacobian, and a small model with it.

    "inverse" asks that `inverse` undoes `forward` within 1e-3, and "jacobian" that both
    log-determinants are those of the Jacobian by differentiation. The others are those of
    `check_prior`, with the flow in a prior, or in a posterior where it takes a context.

    Args:
        flow: the flow, not built.
        latent_dim: D.
        context_size: H, how many numbers the context has; 0 without a context.
        fit: False to leave out traced training.
        export: False to leave out the exported files.

    Returns:
        The names of the checks, all passed.

    Raises:
        CheckError: the first check that failed.
    """
    from tfvae import posteriors, priors

    done: list[str] = []
    with checking("config", flow, done):
        models.check_config(flow)
    posterior = posteriors.Flow(flow, context_size=context_size) if context_size else None
    prior = None if context_size else priors.Flow(flow)
    with checking("construction", flow, done):
        vae = _model(latent_dim, None, posterior, prior)
    models.move_weights(flow.trainable_weights, seed=1, spread=0.3)
    with checking("inverse", flow, done):
        flow_maps.check_inverse(flow, latent_dim, context_size)
    with checking("jacobian", flow, done):
        flow_maps.check_jacobian(flow, latent_dim, context_size)

    piece: Any = posterior or prior
    subject = subjects.of_posterior if context_size else subjects.of_prior
    given = (latent_dim,) if context_size else (latent_dim, None)
    _check_distribution(piece, lambda: subject(piece, *given), done)
    return _check_in_model(vae, flow, done, _real(_BATCH_SIZE), None, fit, export)


def check_objective(
    objective: "Objective",
    *,
    estimator: "Estimator | None" = None,
    posterior: "Posterior | None" = None,
    prior: "Prior | None" = None,
    latent_dim: Any = 2,
    fit: bool = True,
) -> tuple[str, ...]:
    """Checks an objective in a small model: shape, gradients, training and files.

    "shapes" asks for a loss of each example, finite, `[B]`. The others are those of `check_prior`.

    Args:
        objective: the objective.
        estimator: the gradient estimator; default by the posterior.
        posterior: the posterior; default `DiagonalNormal()`.
        prior: the prior; default by the posterior's `support`.
        latent_dim: D, or a list where the decoder takes several layers.
        fit: False to leave out traced training.

    Returns:
        The names of the checks, all passed.

    Raises:
        CheckError: the first check that failed.
    """
    done: list[str] = []
    with checking("config", objective, done):
        models.check_config(objective)
    with checking("construction", objective, done):
        prior = prior or (posterior and _prior_for(posterior))
        given = {"objective": objective, "estimator": estimator}
        vae = _model(latent_dim, None, posterior, prior, **given)
    x = _real(_BATCH_SIZE)
    with checking("shapes", objective, done):
        shapes.check_loss(vae, x)
    return _check_in_model(vae, objective, done, x, None, fit, export=False)


def check_model(
    vae: "VAE", x: np.ndarray, y: Any = None, *, fit: bool = True, export: bool = True
) -> tuple[str, ...]:
    """Checks a model of any pieces and networks: what the other checks do with their small ones.

    The model is compiled and trained for a moment. Its weights are moved first, see
    `models.move_weights`.

    Args:
        vae: the model.
        x: at least 8 examples, `[N, *event]`.
        y: their conditions, of a conditional model, or None.
        fit: False to leave out traced training.
        export: False to leave out the exported files.

    Returns:
        The names of the checks, all passed.

    Raises:
        CheckError: the first check that failed.
    """
    return _check_in_model(vae, vae, [], x, y, fit, export, encoder=True)


def _check_distribution(piece, make, done):
    with checking("density", piece, done):
        subject = make()
        mass = densities.check_density(subject)
    with checking("draws", piece, done):
        densities.check_draws(subject, mass)
    return subject


# ---- models


def _model(latent_dim, condition, posterior=None, prior=None, likelihood=None, **options):
    """A small model of the pieces given, and of defaults."""
    from tfvae import ELBO, VAE, likelihoods, posteriors, priors

    posterior, prior = posterior or posteriors.DiagonalNormal(), prior or priors.StandardNormal()
    likelihood = likelihood or likelihoods.Normal()
    event_shape = options.pop("event_shape", _EVENT)
    if not posterior.has_density:
        options.setdefault("objective", ELBO(beta=0.0))
    sizes = posterior.params_size(prior.latent_sizes(latent_dim))
    params_shape = likelihood.params_shape(event_shape)
    networks = models.encoder_and_decoder(event_shape, sizes, latent_dim, params_shape, condition)
    return VAE(*networks, posterior, prior, likelihood, seed=1, **options)


def _check_in_model(vae, piece, done, x, y, fit, export, encoder=False):
    models.move_weights(vae.trainable_variables, seed=2)
    with checking("training", piece, done):
        models.check_training(vae, x, y)
    with checking("keras file", piece, done):
        models.check_keras_file(vae, x, y)
    if fit:
        with checking("fit", piece, done):
            models.check_fit(vae, x, y)
    if export:
        with checking("SavedModel", piece, done):
            exports.check_saved_model(vae, y)
        with checking("TFLite", piece, done):
            exports.check_tflite(vae, x if encoder else None, y)
    return tuple(done)


def _posterior_for(prior):
    from tfvae import posteriors

    kinds = (
        posteriors.DiagonalNormal,
        posteriors.VonMisesFisher,
        posteriors.Categorical,
        posteriors.RelaxedCategorical,
    )
    return _over_the_set_of(prior, "posterior", *kinds)


def _prior_for(posterior):
    from tfvae import priors

    kinds = (
        priors.StandardNormal,
        priors.UniformSphere,
        priors.Categorical,
        priors.RelaxedCategorical,
    )
    return _over_the_set_of(posterior, "prior", *kinds)


def _over_the_set_of(piece, argument, real, sphere, one_hot, on_simplex):
    """The counterpart of a piece, of the classes for each set."""
    kinds = {REAL: real, SPHERE: sphere, ONE_HOT: one_hot, SIMPLEX: on_simplex}
    if piece.support not in kinds:
        raise models.unknown_support(piece, argument)
    of_classes = piece.support in (ONE_HOT, SIMPLEX)
    given = [getattr(piece, "num_classes", None)] if of_classes else []
    return kinds[piece.support](*given)


def _real(count):
    return np.random.default_rng(0).normal(size=(count, *_EVENT)).astype(np.float32)
