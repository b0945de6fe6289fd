"""The same models in pythae: its VAE, its trainer and its estimate of the likelihood."""

import importlib.metadata
import logging
import tempfile

import pythae
import torch
from pythae.data.datasets import BaseDataset
from pythae.models import VAE, VAEConfig
from pythae.models.base.base_utils import ModelOutput
from pythae.models.nn import BaseDecoder, BaseEncoder
from pythae.trainers import BaseTrainer, BaseTrainerConfig
from torch import nn

from tests.benchmarks import data, torch_peer
from tests.benchmarks.worker import Work, fastest

SAMPLES_AT_ONCE = (100, 500, 1000, 5000)  # among which its fastest is chosen
IMAGES = 4


class Encoder(BaseEncoder):
    def __init__(self, network):
        super().__init__()
        self.network = network

    def forward(self, x):
        mean, log_variance = self.network(x).chunk(2, -1)
        return ModelOutput(embedding=mean, log_covariance=log_variance)


class Decoder(BaseDecoder):
    def __init__(self, network):
        super().__init__()
        self.network = nn.Sequential(network, nn.Sigmoid())  # its cross-entropy takes probabilities

    def forward(self, z):
        return ModelOutput(reconstruction=self.network(z))


def model(shape):
    encoder, decoder = torch_peer.networks(shape)
    config = VAEConfig(
        input_dim=(shape.pixels,), latent_dim=shape.latent, reconstruction_loss="bce"
    )
    return VAE(config, Encoder(encoder), Decoder(decoder)).to(torch_peer.DEVICE)


def train(shape):
    """Epochs of its trainer; a unit is one.

    The copy of the best model after an epoch is left out.
    """
    logging.disable(logging.INFO)
    x = torch.tensor(data.binary(shape.examples))
    folder = tempfile.TemporaryDirectory()
    config = BaseTrainerConfig(
        output_dir=folder.name, per_device_train_batch_size=shape.batch, learning_rate=1e-3
    )
    trainer = BaseTrainer(model(shape), BaseDataset(x, torch.ones(len(x))), training_config=config)
    trainer.prepare_training()
    trainer.callback_handler.callbacks.clear()  # progress bars

    def run(epochs):
        for epoch in range(epochs):
            trainer.train_step(epoch)
        folder  # noqa: B018  kept until the last epoch

    return work(run, shape.examples)


def log_likelihood(shape):
    """`get_nll`; a unit is one call for a few images, since it takes them one by one."""
    vae = model(shape).eval()
    x = torch.tensor(data.binary(IMAGES), device=torch_peer.DEVICE)

    def with_batch(batch):
        def run(calls):
            with torch.no_grad():
                for _ in range(calls):
                    vae.get_nll(x, n_samples=shape.samples, batch_size=batch)

        return run

    run, batch = fastest({size: with_batch(size) for size in SAMPLES_AT_ONCE})
    return work(run, IMAGES, f"batch_size={batch}")


def work(run, amount, note=""):
    base = torch_peer.work(run, amount)
    version = importlib.metadata.version(pythae.__name__)
    return Work(run, amount, base.device, {**base.versions, "pythae": version}, note)
