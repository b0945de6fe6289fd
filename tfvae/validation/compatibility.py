"""Refuses pieces of a model that do not fit together."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from tfvae._keras.stateful import state_of
from tfvae.errors import invalid
from tfvae.pieces import LAYERS

if TYPE_CHECKING:
    from tfvae._keras.backend import keras
    from tfvae.models.vae import VAE
    from tfvae.objectives import Objective
    from tfvae.pieces import Piece
    from tfvae.posteriors import Posterior
    from tfvae.priors import Conditional, Prior


def check_pieces(posterior: "Posterior", prior: "Prior", objective: "Objective") -> None:
    """Refuses a posterior, a prior and an objective that do not fit together.

    Posterior and prior must have the same support. Some objectives need them to factorize over
    the latents.

    Args:
        posterior: q(z|x).
        prior: p(z).
        objective: the bound.

    Raises:
        InputError: two different supports, or a piece that does not factorize although the
            objective needs it.
    """
    # A posterior without a density is left to the estimator, whose refusal has a better reason.
    for name, piece in (("posterior", posterior), ("prior", prior)):
        if name in objective.needs_factorized and posterior.has_density and not piece.factorized:
            raise invalid(
                f"a {name} that is independent over the latents, for {objective!r}",
                repr(piece),
                "use DiagonalNormal() and StandardNormal(), or another objective, "
                "such as a beta schedule for free bits",
            )

    if posterior.support != prior.support:
        raise invalid(
            f"a prior over {posterior.support}, where {type(posterior).__name__} puts z",
            f"{type(prior).__name__}, a prior over {prior.support}",
            "choose a posterior and a prior over the same set, see the table of docs/pieces.md",
        )


def check_exchange(vae: "VAE", name: str, value: Any) -> None:
    """Refuses a new piece in a finished model, except objectives and estimators without state.

    Args:
        vae: the model.
        name: name of the piece, such as "objective".
        value: the new piece.

    Raises:
        InputError: a piece other than objective and estimator, one that holds variables, or one
            that does not fit the others.
    """
    if name not in ("objective", "estimator") or state_of(getattr(vae, name)) or state_of(value):
        raise invalid(
            f"the {name} that the model was made of, since the optimizer knows its weights",
            repr(value),
            "call with_prior(...)" if name == "prior" else "make a new VAE",
        )

    given = {"objective": vae.objective, "estimator": vae.estimator, name: value}
    check_pieces(vae.posterior, vae.prior, given["objective"])
    given["estimator"].check(given["objective"], vae.posterior, vae.latent_sizes)


def check_sphere(latent_dim: int) -> None:
    """Refuses a latent dimension too small for a sphere.

    Raises:
        InputError: a dimension below 2.
    """
    if latent_dim < 2:
        raise invalid(
            "a latent of at least 2 numbers for a sphere",
            f"latent size {latent_dim}",
            "pass latent_dim=3",
        )


def check_conditional(prior: "Conditional", latent_dim: int) -> None:
    """Refuses a prior p(z|y) of a family without one density, or with a network of another size.

    Args:
        prior: the prior.
        latent_dim: D.

    Raises:
        InputError: such a family, or another number of outputs; the message has both numbers.
    """
    family, count = prior.family, prior.num_components
    if not family.has_density or family.support == LAYERS:
        expected = f"a family of one layer with a density, for {type(prior).__name__}"
        raise invalid(expected, repr(family), "pass family=DiagonalNormal()")

    size = family.params_size(latent_dim)
    needed = size if count == 1 else count * (1 + size)
    for output in getattr(prior.network, "outputs", None) or []:
        if tuple(output.shape[1:]) != (needed,):
            raise invalid(
                f"{needed} outputs of the network of {type(prior).__name__}, for {family!r}, "
                f"{count} components and latent size {latent_dim}",
                f"outputs of shape {list(output.shape[1:])}",
                f"end it with Dense({needed}), or for labels with Embedding(classes, {needed})",
            )


def check_networks(
    owner: "Piece", networks: "Sequence[keras.Model]", expected: list[tuple[int, int]]
) -> None:
    """Refuses networks with other input and output sizes than expected.

    Args:
        owner: the piece that the networks belong to, for the message.
        networks: the networks between the layers of latents.
        expected: `[(inputs, outputs), ...]`.

    Raises:
        InputError: other sizes; the message has both lists.
    """
    got = [(network.input_shape[-1], network.output_shape[-1]) for network in networks]
    if got != expected:
        raise invalid(
            f"networks of {type(owner).__name__} with inputs and outputs {expected}",
            f"networks with {got}",
            "give each network 2 outputs for each number of the latent it leads to",
        )
