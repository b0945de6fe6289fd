"""The base of objects that hold variables of a model without being Keras layers."""

import tensorflow as tf

from tfvae._keras.backend import keras


class Stateful:
    """The base of objectives, regularizers and estimators, which are not Keras layers.

    A subclass may hold state: its constructor makes `keras.Variable`s or built layers and keeps
    them as attributes. They become part of the model. They are among its `variables` and in its
    `.keras` files, and the loss trains those that are trainable.
    """


def state_of(holder: Stateful) -> list[keras.Variable | keras.layers.Layer]:
    """Returns the variables and layers of an object and of the `Stateful` parts in it."""
    found = []
    for value in tf.nest.flatten(vars(holder)):
        if isinstance(value, (keras.Variable, keras.layers.Layer)):
            found.append(value)
        elif isinstance(value, Stateful):
            found.extend(state_of(value))
    return found
