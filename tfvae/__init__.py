"""Variational autoencoders in TensorFlow and Keras.

Names are loaded when first used (PEP 562), so that `import tfvae` costs
milliseconds and a machine with only LiteRT can use `tfvae.export.Sampler`.
"""

import importlib
from typing import TYPE_CHECKING

from tfvae._keras import import_hook
from tfvae._version import __version__

if TYPE_CHECKING:
    from typing import Any

    from tfvae import callbacks as callbacks
    from tfvae import datasets as datasets
    from tfvae import evaluation as evaluation
    from tfvae import export as export
    from tfvae import flows as flows
    from tfvae import gradients as gradients
    from tfvae import imputation as imputation
    from tfvae import likelihoods as likelihoods
    from tfvae import metrics as metrics
    from tfvae import objectives as objectives
    from tfvae import plots as plots
    from tfvae import posteriors as posteriors
    from tfvae import priors as priors
    from tfvae import random as random
    from tfvae import regularizers as regularizers
    from tfvae import sharing as sharing
    from tfvae import testing as testing
    from tfvae.models.builders import conv_vae as conv_vae
    from tfvae.models.builders import hierarchical_vae as hierarchical_vae
    from tfvae.models.builders import mlp_vae as mlp_vae
    from tfvae.models.files import load_model as load_model
    from tfvae.models.signal_builder import conv1d_vae as conv1d_vae
    from tfvae.models.table_builder import table_vae as table_vae
    from tfvae.models.vae import VAE as VAE
    from tfvae.objectives import ELBO as ELBO
    from tfvae.objectives import IWAE as IWAE

_MODULES = [
    "callbacks",
    "datasets",
    "evaluation",
    "export",
    "flows",
    "gradients",
    "imputation",
    "likelihoods",
    "metrics",
    "objectives",
    "plots",
    "posteriors",
    "priors",
    "random",
    "regularizers",
    "sharing",
    "testing",
]
_NAMES = {
    "VAE": "models.vae",
    "load_model": "models.files",
    "mlp_vae": "models.builders",
    "conv_vae": "models.builders",
    "conv1d_vae": "models.signal_builder",
    "table_vae": "models.table_builder",
    "hierarchical_vae": "models.builders",
    "ELBO": "objectives",
    "IWAE": "objectives",
}

__all__ = ["__version__", *_MODULES, *_NAMES]


def __getattr__(name: str) -> "Any":
    """Loads a module or a name of the package when it is first used.

    Raises:
        AttributeError: a name that the package does not have.
    """
    if name in _MODULES:
        return importlib.import_module(f"tfvae.{name}")
    if name in _NAMES:
        return getattr(importlib.import_module(f"tfvae.{_NAMES[name]}"), name)
    raise AttributeError(f"module 'tfvae' has no attribute {name!r}")


def __dir__() -> list[str]:
    """Returns the names of the package, those not loaded yet included."""
    return sorted({*globals(), *__all__})


import_hook.install()
