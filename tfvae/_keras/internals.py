"""What is read of Keras' privates, each as it is in Keras 3.15; `tests/test_keras_internals.py` names one that has moved."""

from tfvae._keras.backend import keras


def flatten_layers(model):
    """Returns a model and all layers within it (`Layer._flatten_layers`)."""
    return list(model._flatten_layers())


def penalties(layer):
    """Returns the list in which a layer keeps the penalties of its last call (`Layer._losses`)."""
    return layer._losses


def supports_jit(model):
    """Returns True if no layer of a model says that XLA cannot compile it (`Layer.supports_jit`)."""
    return all(getattr(layer, "supports_jit", True) for layer in flatten_layers(model))


def first_epoch(model, stated):
    """Returns the epoch to begin with: what `BackupAndRestore` has set, or what is stated.

    `BackupAndRestore.on_train_begin` writes `Model._initial_epoch`, which Keras' own `fit` reads.
    """
    return getattr(model, "_initial_epoch", None) or stated


def metrics_in_order(model, logs):
    """Returns logs as the list or number that `evaluate` gives (`Trainer._flatten_metrics_in_order`)."""
    return model._flatten_metrics_in_order(logs)


def build(model, element_spec):
    """Builds a model, its metrics and its optimizer for batches of a spec (`Trainer._symbolic_build`).

    Args:
        model: a compiled Keras model.
        element_spec: the spec of a batch as a step takes it, x or (x, y) or (x, y, sample_weight).
    """
    x, y, sample_weight = keras.utils.unpack_x_y_sample_weight(element_spec)
    model._symbolic_build(data_batch=(x, y, sample_weight))


def epoch_logs(model, logs):
    """Returns the logs of an epoch (`Trainer._get_metrics_result_or_logs`).

    They are the model's metrics, or what the last step returned where that has other names.
    """
    return model._get_metrics_result_or_logs(logs)


def update_counter(optimizer):
    """Returns the variable that counts an optimizer's steps (`Optimizer._iterations`)."""
    return optimizer._iterations


def adam_moments(optimizer, variable):
    """Returns Adam's two moments of a variable (`Adam._momentums`, `Adam._velocities`, by `Optimizer._get_variable_index`)."""
    index = optimizer._get_variable_index(variable)
    return optimizer._momentums[index], optimizer._velocities[index]


def profiles(tensorboard):
    """Returns True if a `TensorBoard` callback profiles batches (`TensorBoard._should_trace`)."""
    return bool(tensorboard._should_trace)
