"""Models as files: SavedModel for servers, TFLite (LiteRT) for phones and browsers, apps, a page.

Each name is imported at its first use, so that `Sampler` needs NumPy and LiteRT only. The modules
of this folder import each other by their full names, for which nobody asks here.
"""

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from tfvae.export.app_folder import to_app as to_app
    from tfvae.export.coreml_folder import to_coreml as to_coreml
    from tfvae.export.onnx_folder import to_onnx as to_onnx
    from tfvae.export.sampler import Sampler as Sampler
    from tfvae.export.saved_model import to_saved_model as to_saved_model
    from tfvae.export.tflite import to_tflite as to_tflite
    from tfvae.export.web import to_web as to_web

_NAMES = {
    "Sampler": "sampler",
    "to_app": "app_folder",
    "to_coreml": "coreml_folder",
    "to_onnx": "onnx_folder",
    "to_saved_model": "saved_model",
    "to_tflite": "tflite",
    "to_web": "web",
}

__all__ = [*_NAMES]


def __getattr__(name: str) -> Any:
    """Imports a public name at its first use."""
    if name in _NAMES:
        return getattr(importlib.import_module(f"tfvae.export.{_NAMES[name]}"), name)
    raise AttributeError(f"module 'tfvae.export' has no attribute {name!r}")


def __dir__() -> list[str]:
    """Lists the names of the module, those not yet imported included."""
    return sorted({*globals(), *__all__})
