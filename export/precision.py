"""A model of mixed precision as the float32 model that devices run."""

_POLICY = "DTypePolicy"


def in_float32(vae):
    """`vae`, or where layers of it compute in a lower precision a float32 model of the same weights."""
    if all(layer.compute_dtype in (None, "float32") for layer in vae._flatten_layers()):
        return vae
    whole = type(vae).from_config(_with_float32(vae.get_config()))
    whole.set_weights(vae.get_weights())  # kept in float32 by every mixed policy
    return whole


def _with_float32(config):
    """A serialized object with every policy of types replaced."""
    if isinstance(config, dict):
        if config.get("class_name") == _POLICY:
            return {**config, "config": {**config["config"], "name": "float32"}}
        return {key: _with_float32(value) for key, value in config.items()}
    if isinstance(config, (list, tuple)):
        return type(config)(_with_float32(value) for value in config)
    return config
