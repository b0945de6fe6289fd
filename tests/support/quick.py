"""Makes traces and steps of small models quick, at the cost of what no test asks for."""

import contextlib
import os

import tensorflow as tf
from tensorflow.python.client import pywrap_tf_session
from tensorflow.python.util import tf_stack

if not os.environ.get("TFVAE_TESTS_BY_XLA"):
    # A graph that runs a few times takes longer to optimize than to run.
    tf.config.optimizer.set_experimental_options({"disable_meta_optimizer": True})

# It empties TensorFlow's cache of kernels, which takes a fifth of the time of the tests to fill
# again. So none may draw by an operation with a state, such as tf.random.normal outside a graph.
tf.random.set_seed(0)
tf.random.set_seed = lambda seed: None

_EXTRACT, _SET = tf_stack.extract_stack, pywrap_tf_session.TF_SetOpStackTrace


def _without_stacks():
    tf_stack.extract_stack = lambda stacklevel=1: None
    pywrap_tf_session.TF_SetOpStackTrace = lambda operation, stack: None


@contextlib.contextmanager
def with_stacks():
    """Lets the operations of graphs keep the stacks of calls that made them."""
    tf_stack.extract_stack, pywrap_tf_session.TF_SetOpStackTrace = _EXTRACT, _SET
    try:
        yield
    finally:
        _without_stacks()


# Each operation of a graph keeps the stack of calls that made it, for messages of TensorFlow's own.
# To walk the hundred frames of a test takes a sixth of the time of a trace.
_without_stacks()
