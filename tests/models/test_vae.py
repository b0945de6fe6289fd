"""The model as Keras users know it, and as researchers take it apart."""

import subprocess
import sys

import keras
import numpy as np
import pytest
import tensorflow as tf

import tfvae
from tests.conftest import largest_difference, matches
from tests.support import zoo
from tests.support.nightly import nightly


def test_fit_lowers_the_loss_and_logs_the_terms(digits):
    likelihood = tfvae.likelihoods.Bernoulli(dynamic_binarization=True)
    vae = tfvae.mlp_vae(digits.event_shape, 4, (32,), likelihood=likelihood)
    vae.compile(keras.optimizers.Adam(1e-2), jit_compile=False)
    options = {"validation_data": digits.x_test, "epochs": 3, "batch_size": 100, "verbose": 0}
    history = vae.fit(digits.x_train, **options).history
    names = {"loss", "elbo", "rate", "distortion"}
    assert set(history) == names | {"val_" + name for name in names}
    assert history["loss"][-1] < history["loss"][0] - 3
    assert history["val_loss"][-1] < history["val_loss"][0]
    assert history["loss"] == pytest.approx([-elbo for elbo in history["elbo"]], rel=1e-5)


# Other forms are by day in the differential test of the loop, tests/training/test_same_as_keras.py.
@pytest.mark.parametrize(
    "form",
    [
        "generator",
        "bool",
        *(nightly(f) for f in ("tensor", "dataset", "pydataset")),
    ],
)
def test_fit_takes_what_keras_takes(small, form):
    vae, x, _ = small

    class Batches(keras.utils.PyDataset):
        def __len__(self):
            return 2

        def __getitem__(self, i):
            return (x[6 * i : 6 * i + 6],)

    forms = {
        "tensor": lambda: tf.constant(x),
        "dataset": lambda: tf.data.Dataset.from_tensor_slices(x).batch(6),
        "generator": lambda: ((x[i : i + 6],) for i in (0, 6)),
        "pydataset": Batches,
        "bool": lambda: x.astype(bool),
    }
    batches = {"batch_size": 6} if form in ("tensor", "bool") else {}
    data, validation = forms[form](), {"validation_data": forms[form]()}
    history = vae.fit(data, verbose=0, shuffle=False, **batches, **validation).history
    assert np.isfinite([*history["loss"], *history["val_loss"]]).all()
    assert int(vae.optimizer.iterations) == 2


def test_callbacks_see_the_validation_loss_and_can_stop(small):
    vae, x, _ = small
    stop = keras.callbacks.EarlyStopping("val_loss", min_delta=1e9, patience=1)
    logs = vae.fit(x, validation_split=0.5, epochs=9, callbacks=[stop], verbose=0).history
    assert len(logs["loss"]) == 2


def test_sample_weights_weight_the_examples(small):
    vae, x, _ = small
    weight = np.zeros(len(x), np.float32)
    weight[:6] = 1
    alone = vae.evaluate(x[:6], batch_size=6, verbose=0, return_dict=True)
    weighted = vae.evaluate(x, sample_weight=weight, batch_size=6, verbose=0, return_dict=True)
    assert weighted == pytest.approx(alone, rel=1e-5)


def test_predict_and_reconstruct_are_the_same_and_deterministic(small):
    vae, x, _ = small
    expected = vae.decode(vae.encode(x).mean()).mean()
    assert largest_difference(vae.predict(x, verbose=0), expected) < 1e-6
    assert largest_difference(vae.reconstruct(x), expected) < 1e-6


def test_dynamic_binarization_draws_anew_each_step_and_the_same_for_the_same_seed():
    def losses(seed):
        keras.utils.set_random_seed(0)
        likelihood = tfvae.likelihoods.Bernoulli(dynamic_binarization=True)
        vae = tfvae.mlp_vae(zoo.SHAPE, 2, (4,), likelihood=likelihood, seed=seed)
        vae.compile(keras.optimizers.SGD(0.0), jit_compile=False)  # what differs is the draw
        x = np.full((4096, *zoo.SHAPE), 0.3, np.float32)
        return vae.fit(x, batch_size=4096, epochs=3, verbose=0).history["distortion"], vae, x

    first, vae, x = losses(seed=5)
    assert len(set(first)) == 3
    assert losses(seed=5)[0] == first
    assert losses(seed=6)[0] != first
    drawn = vae.likelihood.prepare_for_training(x, tf.constant([1, 2]))
    assert set(np.unique(drawn)) == {0.0, 1.0}
    assert float(tf.reduce_mean(drawn)) == pytest.approx(0.3, abs=0.01)


def test_samples_have_numbers(digits_vae):
    whole = digits_vae.sample(300, seed=7)  # more than one page
    assert whole.shape == (300, *digits_vae.event_shape)
    assert largest_difference(digits_vae.sample(3, seed=7, start=257), whole[257:260]) < 1e-6
    assert largest_difference(digits_vae.sample(3, seed=8), whole[:3]) > 0.1
    assert largest_difference(digits_vae.sample(2), digits_vae.sample(2)) > 0.01


def test_draws_are_binary_and_average_to_the_mean(digits_vae):
    mean, draws = (digits_vae.sample(4000, seed=3, draw=d) for d in (False, True))
    assert set(np.unique(draws)) == {0.0, 1.0}
    difference = largest_difference(tf.reduce_mean(draws, 0), tf.reduce_mean(mean, 0))
    assert difference < 5 * 0.5 / np.sqrt(4000)


def test_normal_draws_have_the_scale_of_the_likelihood():
    vae, _, _ = zoo.BUILDERS["normal_fixed-elbo-pathwise"]()
    residual = np.asarray(vae.sample(2000, seed=1, draw=True) - vae.sample(2000, seed=1))
    assert residual.std() == pytest.approx(0.5, rel=0.02)
    assert residual.mean() == pytest.approx(0.0, abs=0.01)


def test_log_weights_of_one_seed_are_the_same_and_those_of_another_not(small):
    vae, x, _ = small
    first = vae.log_weights(x, 3, seed=1)
    assert largest_difference(vae.log_weights(x, 3, seed=1), first) == 0
    assert largest_difference(vae.log_weights(x, 3, seed=2), first) > 0.01


def test_decode_takes_any_leading_shape(small):
    z = np.random.default_rng(0).normal(size=(5, 2, zoo.LATENT)).astype(np.float32)
    assert largest_difference(small.vae.decode(z).mean()[3], small.vae.decode(z[3]).mean()) < 1e-6


GOES_ON = """
import sys, numpy as np, tfvae
assert not sys.argv[2:] or "tensorflow" not in sys.modules
import keras
vae = keras.saving.load_model(sys.argv[1] + "/model.keras", safe_mode=True)
x = np.load(sys.argv[1] + "/x.npy")
np.save(sys.argv[1] + "/before.npy", vae.sample(5, seed=7))
vae.fit(x, batch_size=4, epochs=2, shuffle=False, verbose=0)
weights = [np.asarray(w) for w in vae.weights]
np.savez(sys.argv[1] + "/after.npz", *weights, int(vae.optimizer.iterations))
"""


@pytest.mark.parametrize("where", ["here", nightly("afresh")])
def test_a_saved_model_goes_on_as_it_would_have_without_its_file(where, tmp_path, monkeypatch):
    """Same outputs, optimizer and random state, with safe_mode on.

    In a fresh process with `import tfvae` alone.
    """
    vae, x, _ = zoo._mlp("diagonal", "standard", "bernoulli_dynamic", "elbo_schedule", "pathwise")
    schedule = keras.optimizers.schedules.CosineDecay(1e-2, 100)
    vae.compile(keras.optimizers.Adam(schedule), jit_compile=False)
    vae.fit(x, batch_size=4, epochs=2, shuffle=False, verbose=0)
    vae.save(tmp_path / "model.keras")
    np.save(tmp_path / "x.npy", x)
    if where == "here":
        monkeypatch.setattr(sys, "argv", ["", str(tmp_path)])
        exec(GOES_ON, {})
    else:
        subprocess.run([sys.executable, "-c", GOES_ON, str(tmp_path), where], check=True)
    assert largest_difference(np.load(tmp_path / "before.npy"), vae.sample(5, seed=7)) < 1e-6
    vae.fit(x, batch_size=4, epochs=2, shuffle=False, verbose=0)
    after = np.load(tmp_path / "after.npz")
    *weights, iterations = (after[f"arr_{i}"] for i in range(len(after.files)))
    assert iterations == int(vae.optimizer.iterations) == 12
    for ours, theirs in zip(vae.weights, weights):
        assert largest_difference(ours, theirs) < 1e-6


def test_load_model_refuses_another_model(tmp_path):
    model = keras.Sequential([keras.Input((2,)), keras.layers.Dense(1)])
    model.save(tmp_path / "other.keras")
    with pytest.raises(TypeError, match=matches("VAE")):
        tfvae.load_model(tmp_path / "other.keras")


def test_mixed_precision_keeps_log_probabilities_in_float32():
    keras.mixed_precision.set_global_policy("mixed_bfloat16")
    try:
        vae, x, _ = zoo.BUILDERS["diagonal-standard"]()
    finally:
        keras.mixed_precision.set_global_policy("float32")
    vae.compile(jit_compile=False)
    assert np.isfinite(vae.fit(x, verbose=0).history["loss"]).all()
    assert vae.log_weights(x, 2).dtype == tf.float32


def test_networks_without_inputs_are_built_from_stated_shapes(tmp_path):
    encoder = keras.Sequential([keras.layers.Flatten(), keras.layers.Dense(2 * zoo.LATENT)])
    decoder = keras.Sequential([keras.layers.Dense(16), keras.layers.Reshape(zoo.SHAPE)])
    vae = tfvae.VAE(encoder, decoder, event_shape=zoo.SHAPE, latent_dim=zoo.LATENT)
    vae.save(tmp_path / "model.keras")
    loaded = tfvae.load_model(tmp_path / "model.keras")
    assert largest_difference(loaded.sample(2, seed=1), vae.sample(2, seed=1)) < 1e-6


@pytest.mark.xla
def test_jit_is_chosen_by_network_and_kept_when_stated(tmp_path):
    dense, convolutional = (zoo.BUILDERS[name]().vae for name in ("diagonal-standard", "conv"))
    for vae in (dense, convolutional):
        vae.compile()
    on_gpu = bool(tf.config.list_physical_devices("GPU"))
    assert (dense.jit_compile, convolutional.jit_compile) == (True, on_gpu)
    convolutional.compile(jit_compile=True)
    assert convolutional.jit_compile
    assert convolutional.get_compile_config()["jit_compile"] is True
    dense.save(tmp_path / "model.keras")
    assert tfvae.load_model(tmp_path / "model.keras").get_compile_config()["jit_compile"] == "auto"
