"""Makes `keras.saving.load_model` know tfvae's classes after a bare `import tfvae`.

Keras finds the classes named in a `.keras` file in a registry that is filled when
those classes are defined. `import tfvae` defines none, because that would import
TensorFlow; so they are defined at the moment Keras itself has been imported. TensorFlow
imports Keras halfway through its own import, when it cannot be used yet: then they are
defined once TensorFlow is complete.
"""

import importlib
import importlib.abc
import importlib.util
import sys

_WATCHED = ("keras", "tensorflow")


def install():
    """Registers the classes now if Keras is here, else as soon as it is."""
    _register()
    if not any(isinstance(finder, _Finder) for finder in sys.meta_path):
        sys.meta_path.insert(0, _Finder())


def _register():
    if not _complete("keras") or ("tensorflow" in sys.modules and not _complete("tensorflow")):
        return
    # A process that uses another backend may import both packages; VAE refuses it when used.
    # When tfvae.vae is the one importing Keras, it is registering already.
    if sys.modules["keras"].config.backend() == "tensorflow" and "tfvae.vae" not in sys.modules:
        importlib.import_module("tfvae.vae")


def _complete(name):
    module = sys.modules.get(name)
    return module is not None and not getattr(module.__spec__, "_initializing", False)


class _Finder(importlib.abc.MetaPathFinder):
    """Finds the watched packages as everyone else would, and adds one step after their import."""

    def __init__(self):
        self.busy = False

    def find_spec(self, fullname, path=None, target=None):
        if fullname not in _WATCHED or self.busy:
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
