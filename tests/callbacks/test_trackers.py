"""Trackers through their own Keras callbacks, offline: the examples of docs/watching.md."""

import keras
import numpy as np
import pytest

import tfvae

pytestmark = pytest.mark.nightly

LOGGED = {"loss", "elbo", "rate", "distortion", "val_loss", "val_elbo"}


@pytest.fixture
def fit():
    """Trains a small model for two epochs with a callback, and returns the history."""
    x = np.random.default_rng(0).integers(0, 2, (40, 6)).astype(np.float32)
    vae = tfvae.mlp_vae((6,), 2, (8,), likelihood=tfvae.likelihoods.Bernoulli(), seed=0)
    vae.compile(keras.optimizers.Adam(0.01), jit_compile=False)

    def run(callback):
        return vae.fit(
            x, batch_size=20, epochs=2, verbose=0, validation_data=x[:20], callbacks=[callback]
        ).history

    return run


def test_wandb_logs_every_epoch_offline(fit, tmp_path, monkeypatch):
    wandb = pytest.importorskip("wandb")
    from wandb.integration.keras import WandbMetricsLogger

    monkeypatch.setenv("WANDB_SILENT", "true")
    with wandb.init(project="digits", mode="offline", dir=tmp_path) as run:
        history = fit(WandbMetricsLogger())
        last = dict(run.summary)
    for name in LOGGED:
        assert last[f"epoch/{name}"] == pytest.approx(history[name][-1], rel=1e-6)
    assert list(tmp_path.glob("wandb/offline-run-*/*.wandb"))


def test_mlflow_logs_every_epoch_into_a_folder(fit, tmp_path, monkeypatch):
    mlflow = pytest.importorskip("mlflow")
    from mlflow.keras import MlflowCallback

    monkeypatch.setenv("MLFLOW_ALLOW_FILE_STORE", "true")
    mlflow.set_tracking_uri(tmp_path.as_uri())
    mlflow.set_experiment("digits")
    with mlflow.start_run() as run:
        history = fit(MlflowCallback())
    client = mlflow.MlflowClient()
    for name in LOGGED:
        values = [each.value for each in client.get_metric_history(run.info.run_id, name)]
        assert values == pytest.approx(history[name], rel=1e-6)
