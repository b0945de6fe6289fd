"""Makes `keras.saving.load_model` know tfvae's classes after a bare `import tfvae`.

Keras finds the classes named in a `.keras` file in a registry that is filled when
those classes are defined. `import tfvae` defines none, because that would import
TensorFlow; so they are defined at the moment Keras itself has been imported. Where that
happens inside another import that is not complete, TensorFlow's or that of a module of
this package, they are defined once that one is.
"""

import importlib
import importlib.abc
import importlib.util
import sys


def install():
    """Registers the classes now if Keras is here, else as soon as it is."""
    _register()
    if not any(isinstance(finder, _Finder) for finder in sys.meta_path):
        sys.meta_path.insert(0, _Finder())


def _register():
    if (
        "tfvae.models.vae" in sys.modules
        or "keras" not in sys.modules
        or any(map(_incomplete, list(sys.modules)))
    ):
        return
    # A process that uses another backend may import both packages; VAE refuses it when used.
    if sys.modules["keras"].config.backend() == "tensorflow":
        importlib.import_module("tfvae.models.vae")


def _watched(name):
    return name in ("keras", "tensorflow") or name.startswith("tfvae.")


def _incomplete(name):
    return _watched(name) and getattr(sys.modules[name].__spec__, "_initializing", False)


class _Finder(importlib.abc.MetaPathFinder):
    """Finds the watched packages as everyone else would, and adds one step after their import."""

    def __init__(self):
        self.busy = False

    def find_spec(self, fullname, path=None, target=None):
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
        spec._initializing = False  # what the import system sets next
        _register()

    spec.loader.exec_module = exec_module
