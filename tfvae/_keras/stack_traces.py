"""Shortens the stack of calls that TensorFlow keeps with each operation of a graph.

It is what a message of TensorFlow says under "defined at". A step has some forty calls above each
of its operations, nearly all of Keras, TensorFlow and the loop, and for a program of XLA they stay
in memory for the life of the process, with their texts: 15 MB for each small model that was trained
and dropped. The calls of the user and of the pieces of a model are kept.

The filter is TensorFlow's (`tensorflow.python.util.tf_stack`, in TensorFlow 2.21).
"""

import functools
import sys
import types
from collections.abc import Callable
from typing import Any

import tensorflow as tf
from tensorflow.python.util import tf_stack

_LIBRARIES = ("tensorflow", "tensorflow_probability", "keras", "tfvae.training", "tfvae._keras")
_NOTEBOOKS = ("IPython", "ipykernel", "tornado", "asyncio")  # which call a user's cell
_LEFT_OUT = tuple(f"{package}." for package in (*_LIBRARIES, *_NOTEBOOKS))
# TensorFlow cuts off the innermost calls by their number, and these are what it cuts off.
_CUT_OFF = (
    "tensorflow.python.framework.ops",
    "tensorflow.python.util.tf_stack",
    "tensorflow.python.util.traceback_utils",
)


class _Shortened(tf_stack.StackTraceFilter):
    """Leaves out calls of the libraries. It is TensorFlow's kind of context, for one thread."""

    def get_filtered_filenames(self):
        return self.parent.get_filtered_filenames() | _files_left_out(len(sys.modules))


def shorten(function: Callable[..., Any]) -> Callable[..., Any]:
    """Returns a function whose operations keep short stacks where it makes them in a graph.

    `tf.debugging.disable_traceback_filtering` turns it off, as it does for tracebacks.

    Args:
        function: a function of any arguments.
    """

    @functools.wraps(function)
    def shortened(*arguments, **named):
        if tf.executing_eagerly() or not tf.debugging.is_traceback_filtering_enabled():
            return function(*arguments, **named)

        with _Shortened():
            return function(*arguments, **named)

    return shortened


@functools.lru_cache(maxsize=1)
def _files_left_out(number_of_modules):
    """Returns the files of the modules to leave out that are loaded.

    Args:
        number_of_modules: how many are loaded; they are gone through again if there are others.
    """
    modules = list(sys.modules.items())
    return frozenset(
        vars(module).get("__file__")
        for name, module in modules
        if isinstance(module, types.ModuleType) and _is_left_out(name)
    ) - {None}


def _is_left_out(name):
    return name not in _CUT_OFF and f"{name}.".startswith(_LEFT_OUT)
