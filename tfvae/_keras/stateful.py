"""What is no Keras layer and yet holds variables of a model."""

import tensorflow as tf

from tfvae._keras.backend import keras


class Stateful:
    """The base of what is no Keras layer and yet may hold state: objectives, regularizers, estimators.

    What its constructor makes and keeps as an attribute, a `keras.Variable` or a built layer, becomes part of
    the model: among its `variables`, in its `.keras` files, and, where it is trainable, trained by the loss.
    """


def state_of(holder):
    """Returns the variables and layers that a `Stateful` holds, and those of what it is made of."""
    found = []
    for value in tf.nest.flatten(vars(holder)):
        if isinstance(value, (keras.Variable, keras.layers.Layer)):
            found.append(value)
        elif isinstance(value, Stateful):
            found.extend(state_of(value))
    return found
