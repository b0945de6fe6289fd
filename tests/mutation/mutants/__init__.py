"""The mutants: a module for each area, written from the source without a look at the tests."""

import importlib

# The order of a run, from what is quickly tested to what is not.
AREAS = (
    "terms",
    "objectives",
    "gradients",
    "regularizers",
    "flows",
    "random",
    "evaluation",
    "imputation",
    "datasets",
    "priors",
    "posteriors",
    "likelihoods",
    "vae",
    "loop",
    "stepping",
    "keeping",
    "runs",
    "export",
    "page",
)

# What issue 15 has planted, and nothing has noticed.
ROWS = (
    "held-out examples are trained on",
    "evaluation takes training data for held-out",
    "`--num-samples` and `--num-examples` swapped",
    "`tfvae sample --seed` ignored",
    "`sample_weight` ignored in the training loss",
    "schedules of beta and capacity stay at step 0 in `fit`",
    "binarization and latents share a seed",
    "a second `compile` keeps the first optimizer's update",
    "every chunk of latents has the same seed",
    "latents beyond `num_samples` counted in the last chunk",
    "the encoder in training mode in an evaluation",
    "standard error with ddof 0",
    "all lower layers of a `Hierarchy` share one noise",
    "`VampPrior` keeps the conditions of other examples",
    "optimal scale counts missing elements",
    "the leave-one-out baseline divides by K",
    "`max_quality_loss=0.0` refuses nothing",
    "the page multiplies z by the square root of the temperature",
    "shows the first 16 samples at any other",
)


def by_area():
    """`{area: [Mutant, ...]}`, in the order of a run."""
    return {area: importlib.import_module(f"{__name__}.{area}").MUTANTS for area in AREAS}
