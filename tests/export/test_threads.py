"""Several threads export at the same time, and nothing of the process changes meanwhile."""

import logging
import os
import sys
import threading
import time
import warnings
from concurrent.futures import ThreadPoolExecutor

import keras
import numpy as np
import pytest
import tensorflow as tf

import tfvae
from tfvae.export import Sampler, layer_losses, saved_model

THREADS = 3


def process():
    """What all threads share, and no export may touch."""
    levels = {
        name: logging.getLogger(name).level for name in ("", "absl", "tensorflow", "keras", "tfvae")
    }
    return (
        id(sys.stdout),
        id(sys.stderr),
        dict(os.environ),
        os.getcwd(),
        list(warnings.filters),
        levels,
        logging.root.manager.disable,
        tf.get_logger().level,
        keras.config.is_interactive_logging_enabled(),
        (keras.config.floatx(), keras.config.dtype_policy().name),
    )


@pytest.fixture
def writing(monkeypatch):
    """What each thread sees of the process as it writes, and how many write at the same time."""
    archive, seen, inside = type(keras.export.ExportArchive()), [], []
    meet = threading.Barrier(THREADS, timeout=60)
    write, add = archive.write_out, archive.add_endpoint

    def meeting(self, *args, **kwargs):
        added = add(self, *args, **kwargs)
        if not seen:
            meet.wait()
        return added

    def watched(self, *args, **kwargs):
        inside.append(self)
        seen.append((process(), len(inside)))
        time.sleep(0.05)  # for others to come in, if they can
        try:
            return write(self, *args, **kwargs)
        finally:
            inside.remove(self)

    monkeypatch.setattr(archive, "add_endpoint", meeting)
    monkeypatch.setattr(archive, "write_out", watched)
    return seen


def test_three_threads_leave_the_process_as_it_was(tmp_path, writing, capfd):
    vaes = [tfvae.mlp_vae((3,), 2, (4,), seed=seed) for seed in range(THREADS)]
    z, specs = tf.constant([[0.3, -1.0]]), [tf.TensorSpec([1, 2], name="z")]

    def export(i):
        def decode(z):
            return {"x": vaes[i].decode_batch(z, None, training=False)}

        saved_model.write_archive(vaes[i], tmp_path / f"{i}", {"decode": (decode, specs)})

    before = process()
    capfd.readouterr()
    with ThreadPoolExecutor(THREADS) as pool:
        list(pool.map(export, range(THREADS)))

    assert process() == before
    # TensorFlow silences warnings and absl while one thread writes, so no two may.
    assert [count for _, count in writing] == [1] * THREADS
    assert all(found == before for found, _ in writing)
    assert capfd.readouterr().out == ""
    for i, vae in enumerate(vaes):
        served = tf.saved_model.load(str(tmp_path / f"{i}")).signatures["decode"]
        assert np.allclose(served(z=z)["x"], vae.decode_batch(z, None, training=False), atol=1e-6)


@pytest.mark.nightly
def test_three_threads_write_the_files_of_one_model(tmp_path):
    vae = tfvae.mlp_vae((3,), 2, (4,), seed=0)
    before = process()

    def export(i):
        tfvae.export.to_saved_model(vae, tmp_path / f"saved{i}")
        return tfvae.export.to_tflite(vae, tmp_path / f"{i}.tflite")

    with ThreadPoolExecutor(THREADS) as pool:
        told = list(pool.map(export, range(THREADS)))

    assert process() == before
    expected = vae.sample(5, seed=1)
    for i, metadata in enumerate(told):
        sampler = Sampler(tmp_path / f"{i}.tflite")
        assert np.allclose(sampler.sample(5, seed=1), expected, atol=1e-5)
        assert metadata["quality"]["max_abs_error_x"] < 1e-5


def test_the_search_for_the_worst_layer_leaves_other_threads_their_weights(monkeypatch):
    vae = tfvae.mlp_vae((3,), 2, (4,), seed=0)
    before = vae.get_weights()
    decode, seen = vae.decode_batch, []

    def watched(*args, **kwargs):
        other = threading.Thread(target=lambda: seen.append(vae.get_weights()))
        other.start()
        other.join()
        return decode(*args, **kwargs)

    monkeypatch.setattr(vae, "decode_batch", watched)
    assert "layer that loses most" in layer_losses.worst_layer(vae)
    assert len(seen) > 2
    for weights in seen:
        assert all(map(np.array_equal, weights, before))
