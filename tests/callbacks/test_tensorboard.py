"""What the callback writes for TensorBoard, read from its files without TensorBoard."""

from pathlib import Path

import keras
import numpy as np
import pytest
import tensorflow as tf

import tfvae
from tests.conftest import matches
from tfvae import callbacks, plots

LABELS = np.arange(40) % 3


def model():
    keras.utils.set_random_seed(1)
    made = tfvae.mlp_vae((6, 5, 1), 3, (8,), likelihood=tfvae.likelihoods.Bernoulli(), seed=0)
    made.compile(keras.optimizers.Adam(0.01), jit_compile=False)
    return made


@pytest.fixture(scope="module")
def x():
    return np.random.default_rng(0).integers(0, 2, (40, 6, 5, 1)).astype(np.float32)


@pytest.fixture(scope="module")
def watched(x, tmp_path_factory):
    """A model that was watched in every second of four epochs, and the run of the pictures."""
    folder = tmp_path_factory.mktemp("watched")
    watcher = callbacks.TensorBoardPictures(folder, x, labels=LABELS, count=16, every=2, seed=3)
    vae = model()
    vae.fit(x, batch_size=20, epochs=4, verbose=0, callbacks=[watcher])
    return vae, folder / "pictures"


def written(folder):
    """The summaries in a folder: `{(tag, step): tensor}`."""
    found = {}
    for path in Path(folder).glob("events.out.tfevents.*"):
        for record in tf.data.TFRecordDataset(str(path)):
            event = tf.compat.v1.Event.FromString(record.numpy())
            for value in event.summary.value:
                found[value.tag, event.step] = tf.make_ndarray(value.tensor)
    return found


def test_pictures_histograms_and_the_projector_are_written(watched, x):
    vae, folder = watched
    found = written(folder)
    tags = ["samples", "reconstructions", "latents/0", "latents/1", "latents/2"]
    assert set(found) == {(tag, step) for tag in tags for step in (1, 3)}

    sheet = plots.picture(np.asarray(vae.sample(16, seed=3)), 8, (0, 1))
    factor = 320 // max(sheet.shape)
    image = tf.io.decode_png(found["samples", 3][2]).numpy()[..., 0]
    assert np.array_equal(image[::factor, ::factor], sheet)

    codes = np.loadtxt(folder / "latents.tsv")
    wanted = np.asarray(vae.encode(x).mean())
    assert np.abs(codes - wanted).max() < 1e-5
    bins = found["latents/1", 3]  # [left, right, count]
    assert bins[:, 2].sum() == 40
    assert bins[0, 0] == pytest.approx(wanted[:, 1].min(), abs=1e-5)


def test_the_projector_has_labels_and_thumbnails_in_their_places(watched, x):
    _, folder = watched
    text = (folder / "projector_config.pbtxt").read_text()
    for line in ('tensor_path: "latents.tsv"', 'metadata_path: "labels.tsv"'):
        assert line in text
    assert "single_image_dim: 5 single_image_dim: 6" in text  # width, then height
    assert (folder / "labels.tsv").read_text().split() == list(map(str, LABELS))
    sprite = tf.io.decode_png((folder / "sprite.png").read_bytes()).numpy()[..., 0]
    assert sprite.shape == (7 * 6, 7 * 5)
    assert np.array_equal(sprite[6:12, 10:15], 255 * x[9, ..., 0])  # row 1, column 2 of 7


def test_watching_does_not_change_the_training(watched, x):
    alone = model()
    alone.fit(x, batch_size=20, epochs=4, verbose=0)
    pairs = zip(alone.get_weights(), watched[0].get_weights())
    assert all(np.array_equal(a, b) for a, b in pairs)


def test_a_conditional_model_is_drawn_with_its_conditions(x, tmp_path):
    likelihood = tfvae.likelihoods.Bernoulli()
    vae = tfvae.mlp_vae((6, 5, 1), 2, (8,), likelihood=likelihood, condition=3, seed=0)
    y = LABELS.astype(np.int32)
    watcher = callbacks.TensorBoardPictures(tmp_path, x, y)
    watcher.set_model(vae)
    watcher.on_train_begin()
    watcher.on_epoch_end(0)
    samples = written(tmp_path / "pictures")["samples", 0]
    sheet = plots.picture(np.asarray(vae.sample(40, seed=0, y=y)), 8, (0, 1))
    factor = 320 // max(sheet.shape)
    assert np.array_equal(tf.io.decode_png(samples[2])[::factor, ::factor, 0], sheet)
    assert np.array_equal(watcher.labels, y)


@pytest.mark.parametrize(
    "options, words",
    [
        ({"x": np.zeros((0, 6, 5, 1))}, ["examples x"]),
        ({"labels": LABELS[:3]}, ["labels", "40 examples"]),
        ({"every": 0}, ["every"]),
        ({"count": 2.5}, ["count"]),
        ({"seed": 2**40}, ["seed"]),
    ],
)
def test_wrong_arguments_are_refused(x, tmp_path, options, words):
    with pytest.raises((ValueError, TypeError), match=matches(*words)):
        callbacks.TensorBoardPictures(tmp_path, **{"x": x, **options})


def test_what_cannot_be_drawn_is_told_before_the_first_step(x, tmp_path):
    wrong = callbacks.TensorBoardPictures(tmp_path, x[:, :4])
    with pytest.raises(ValueError, match=matches("6, 5, 1")):
        model().fit(x, epochs=1, verbose=0, callbacks=[wrong])
    assert not any(tmp_path.iterdir())
    network = keras.Sequential([keras.Input((6, 5, 1)), keras.layers.Flatten()])
    with pytest.raises(TypeError, match=matches("tfvae.VAE")):
        callbacks.TensorBoardPictures(tmp_path, x).set_model(network)


@pytest.mark.nightly
def test_tensorboard_reads_what_is_written(x, tmp_path):
    accumulators = pytest.importorskip("tensorboard.backend.event_processing.event_accumulator")
    watchers = [
        keras.callbacks.TensorBoard(tmp_path),
        callbacks.TensorBoardPictures(tmp_path, x, labels=LABELS, count=16),
    ]
    model().fit(x, batch_size=20, epochs=2, verbose=0, callbacks=watchers)
    found = accumulators.EventAccumulator(str(tmp_path / "pictures"))
    found.Reload()
    plugins = {
        tag: found.SummaryMetadata(tag).plugin_data.plugin_name for tag in found.Tags()["tensors"]
    }
    assert plugins["samples"] == "images" and plugins["latents/0"] == "histograms"
    losses = accumulators.EventAccumulator(str(tmp_path / "train"))
    losses.Reload()
    assert set(losses.Tags()["tensors"]) >= {"epoch_loss", "epoch_rate"}

    # The plugins themselves: what the browser is given.
    from tensorboard.backend.event_processing import data_provider, plugin_event_multiplexer
    from tensorboard.context import RequestContext

    runs = plugin_event_multiplexer.EventMultiplexer()
    runs.AddRunsFromDirectory(str(tmp_path))
    runs.Reload()
    provider = data_provider.MultiplexerDataProvider(runs, str(tmp_path))
    context = RequestContext()
    images = provider.list_blob_sequences(context, experiment_id="", plugin_name="images")[
        "pictures"
    ]
    assert images["samples"].max_step == 1
    histograms = provider.list_tensors(context, experiment_id="", plugin_name="histograms")
    assert set(histograms["pictures"]) == {"latents/0", "latents/1", "latents/2"}

    from google.protobuf import text_format
    from tensorboard.plugins.projector import projector_config_pb2

    text = (tmp_path / "pictures" / "projector_config.pbtxt").read_text()
    config = text_format.Parse(text, projector_config_pb2.ProjectorConfig())
    assert list(config.embeddings[0].sprite.single_image_dim) == [5, 6]
