"""Refuses pieces of a model that do not go together."""

from tfvae._keras.stateful import state_of
from tfvae.errors import invalid


def check_pieces(posterior, prior, objective):
    """Refuses a prior over another set than the posterior's, and an objective that takes them apart.

    Raises:
        InputError: naming both sets, or the objective and the piece.
    """
    # Without a density the estimator refuses the objective, for a better reason.
    for name, piece in (("posterior", posterior), ("prior", prior)):
        if name in objective.needs_factorized and posterior.has_density and not piece.factorized:
            raise invalid(
                f"a {name} that is independent over the latents, for {objective!r}",
                repr(piece),
                "use DiagonalNormal() and StandardNormal(), or another objective, such as a beta schedule for free bits",
            )
    if posterior.support != prior.support:
        raise invalid(
            f"a prior over {posterior.support}, where {type(posterior).__name__} puts z",
            f"{type(prior).__name__}, a prior over {prior.support}",
            "choose a posterior and a prior over the same set, see the table of docs/pieces.md",
        )


def check_exchange(vae, name, value):
    """Refuses what cannot take the place of a piece of a model that is made.

    Args:
        vae: a `VAE`.
        name: of the piece.
        value: what is to take its place.

    Raises:
        InputError: another piece than objective and estimator, one with weights, or one that does not fit.
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


def check_sphere(latent_dim):
    """Refuses a latent too small for a sphere.

    Raises:
        InputError: a size below 2.
    """
    if latent_dim < 2:
        raise invalid(
            "a latent of at least 2 numbers for a sphere",
            f"latent size {latent_dim}",
            "pass latent_dim=3",
        )


def check_networks(owner, networks, expected):
    """Refuses networks of other sizes than `expected`, `[(inputs, outputs), ...]`.

    Raises:
        InputError: naming both lists.
    """
    got = [(network.input_shape[-1], network.output_shape[-1]) for network in networks]
    if got != expected:
        raise invalid(
            f"networks of {type(owner).__name__} with inputs and outputs {expected}",
            f"networks with {got}",
            "give each network 2 outputs for each number of the latent it leads to",
        )
