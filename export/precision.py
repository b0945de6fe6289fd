"""Turns a model of mixed precision into the float32 model that devices run."""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tfvae.models.vae import VAE

_POLICY = "DTypePolicy"


def in_float32(vae: "VAE") -> "VAE":
    """Returns a model of the same weights that computes in float32.

    Args:
        vae: the model. It is returned itself if all its layers compute in float32.
    """
    if all(layer.compute_dtype in (None, "float32") for layer in vae._flatten_layers()):
        return vae
    whole = type(vae).from_config(_with_float32(vae.get_config()))
    whole.set_weights(vae.get_weights())  # every mixed policy keeps weights in float32
    return whole


def _with_float32(config):
    """Returns a serialized object, with every dtype policy in it replaced by float32."""
    if isinstance(config, dict):
        if config.get("class_name") == _POLICY:
            return {**config, "config": {**config["config"], "name": "float32"}}
        return {key: _with_float32(value) for key, value in config.items()}
    if isinstance(config, (list, tuple)):
        return type(config)(_with_float32(value) for value in config)
    return config
