"""Makes `keras.saving.load_model` know tfvae's classes after a bare `import tfvae`.

Keras looks up the classes named in a `.keras` file in a registry. A class enters it when it is
defined. `import tfvae` defines none, because that would import TensorFlow. So they are defined
as soon as Keras has been imported. If another import is not complete at that moment, TensorFlow's
or one of a module of this package, they are defined after that import. From then on the import
system is as it was.
"""

import importlib
import importlib.abc
import importlib.util
import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from importlib.machinery import ModuleSpec
    from types import ModuleType


def install() -> None:
    """Registers the classes now if Keras has been imported, else as soon as it is."""
    if not any(isinstance(finder, _Finder) for finder in sys.meta_path):
        sys.meta_path.insert(0, _Finder())
    _register()


def _register():
    if "keras" not in sys.modules or any(map(_incomplete, list(sys.modules))):
        return
    # A process may import both packages with another backend; `tfvae.VAE` then refuses that.
    if sys.modules["keras"].config.backend() == "tensorflow":
        importlib.import_module("tfvae.models.vae")
        sys.meta_path[:] = [found for found in sys.meta_path if not isinstance(found, _Finder)]


def _watched(name):
    return name in ("keras", "tensorflow") or name.startswith("tfvae.")


def _incomplete(name):
    return _watched(name) and getattr(sys.modules[name].__spec__, "_initializing", False)


class _Finder(importlib.abc.MetaPathFinder):
    """Finds the watched modules by the usual finders, and adds a step after their import."""

    def __init__(self) -> None:
        self.busy = False

    def find_spec(
        self,
        fullname: str,
        path: Sequence[str] | None = None,
        target: "ModuleType | None" = None,
    ) -> "ModuleSpec | None":
        """Finds a watched module; returns None for others, and during its own search.

        Args:
            fullname: name of the module.
            path: where the import system would search; not used.
            target: the module that is being reloaded; not used.
        """
        if self.busy or not _watched(fullname):
            return None

        self.busy = True
        try:
            spec = importlib.util.find_spec(fullname)
        finally:
            self.busy = False

        if spec is not None and spec.loader is not None:
            _then_register(spec)
        return spec


def _then_register(spec):
    execute = spec.loader.exec_module

    def exec_module(module):
        execute(module)
        # The import system sets this next. Until then, the module counts as incomplete.
        spec._initializing = False
        _register()

    spec.loader.exec_module = exec_module
