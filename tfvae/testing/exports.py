"""Checks of exported files: the numbers of the model, and ops that exist on devices."""

import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import tensorflow as tf

from tfvae.testing.failure import failed
from tfvae.testing.models import compare

if TYPE_CHECKING:
    from tfvae.models.vae import VAE

_COUNT = 7  # samples, over three pages of three


def check_saved_model(vae: "VAE", y: Any = None) -> None:
    """Checks that a SavedModel samples and decodes as the model does.

    Args:
        vae: the model.
        y: at least 7 conditions of a conditional model, or None.

    Raises:
        CheckError: a signature is missing, or gives other numbers.
    """
    from tfvae import export

    y = None if y is None else y[:_COUNT]
    given = {} if y is None else {"y": tf.constant(y)}
    with tempfile.TemporaryDirectory() as folder:
        export.to_saved_model(vae, folder + "/model")
        signatures = tf.saved_model.load(folder + "/model").signatures
        _check_signatures(vae, "SavedModel", list(signatures))
        seeded = {"seed": tf.constant([7]), "index": tf.range(_COUNT)}
        found = signatures["sample"](**seeded, **given)
        compare(vae, "sample", vae.sample(_COUNT, 7, y), found["x"], 1e-5, "SavedModel")


def check_tflite(
    vae: "VAE", x: np.ndarray | None = None, y: Any = None, *, optional: bool = False
) -> None:
    """Checks that a TFLite file draws, decodes and reconstructs as the model does.

    The export itself refuses ops that devices do not have, ops with state, and files whose
    numbers differ. Files of an `optional` export may lack signatures.

    Args:
        vae: the model.
        x: at least 7 examples `[N, *event]` to reconstruct, or None for a file without encoder.
        y: at least 7 conditions of a conditional model, or None.
        optional: True to take files without `sample` or `draw`.

    Raises:
        CheckError: a signature is missing, or gives other numbers.
    """
    from tfvae import export

    y = None if y is None else y[:_COUNT]
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "model.tflite"
        export.to_tflite(vae, path, batch_size=3, include_encoder=x is not None)
        sampler = export.Sampler(path)
        if not optional:
            _check_signatures(vae, "TFLite", sampler.metadata["signatures"])
        _check_samples(vae, sampler, y)
        if x is not None:
            x = vae.likelihood.prepare_for_evaluation(np.asarray(x)[:_COUNT])[0]
            ours, theirs = (part.reconstruct(x, y=y) for part in (vae, sampler))
            compare(vae, "reconstruct", ours, theirs, 1e-4, "TFLite")


def _check_samples(vae, sampler, y):
    signatures = sampler.metadata["signatures"]
    if "sample" in signatures:
        x, z = sampler.sample(_COUNT, seed=7, y=y, return_latent=True)
        compare(vae, "sample", vae.sample(_COUNT, seed=7, y=y), x, 1e-5, "TFLite")
        # The file writes softplus in another form, which rounds otherwise.
        compare(vae, "the latents", vae.sample_latent(_COUNT, seed=7, y=y), z, 5e-6, "TFLite")
        compare(vae, "decode", x, sampler.decode(vae.prior.decoder_input(z), y=y), 1e-5, "TFLite")
    if "draw" in signatures:
        ours = np.asarray(vae.sample(_COUNT, seed=7, y=y, draw=True))
        theirs, latents = sampler.sample(_COUNT, seed=7, y=y, draw=True, return_latent=True)
        if "sample" in signatures:
            compare(vae, "the latents of draw", z, latents, 0.0, "TFLite")
        # A uniform that falls between two values of one probability may draw the other.
        share = np.mean(np.abs(ours - theirs) > 1e-5)
        if not share < 0.01:
            fix = "draw by the noise alone, in ops that round alike everywhere"
            received = f"{share:.1%} of the elements differ"
            raise failed("TFLite", vae, "the model's draws of x from the file", received, fix)


def _check_signatures(vae, check, found):
    for name in ("sample", "draw", "decode"):
        if name not in found:
            fix = (
                "define sample(noise, ...) of the prior and draw(params, noise) of the likelihood, "
                "or pass export=False"
            )
            raise failed(check, vae, f"a file with the signature {name!r}", f"{list(found)}", fix)
