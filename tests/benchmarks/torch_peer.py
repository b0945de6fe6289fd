"""The same models by hand in PyTorch."""

import math

import torch
from torch import nn
from torch.nn import functional

from tests.benchmarks import data
from tests.benchmarks.worker import Work, cores

torch.set_num_threads(cores())
DEVICE = torch.device("cuda" if torch.cuda.is_available() else "cpu")


def mlp(widths):
    """Linear layers with ReLU between them."""
    layers = [[nn.Linear(i, o), nn.ReLU()] for i, o in zip(widths, widths[1:])]
    return nn.Sequential(*sum(layers, [])[:-1])


def networks(shape):
    """(encoder, decoder)."""
    if shape.network == "conv":
        return conv_encoder(shape), conv_decoder(shape)
    widths = (shape.pixels, *shape.hidden)
    return mlp((*widths, 2 * shape.latent)), mlp((shape.latent, *widths[::-1]))


def conv_encoder(shape):
    channels = (1, *shape.filters)
    layers = [[nn.Conv2d(i, o, 4, 2, 1), nn.ReLU()] for i, o in zip(channels, channels[1:])]
    return nn.Sequential(
        *sum(layers, []), nn.Flatten(), mlp((_flat(shape), *shape.hidden, 2 * shape.latent))
    )


def conv_decoder(shape):
    channels = (*shape.filters[::-1], 1)
    layers = [
        [nn.ConvTranspose2d(i, o, 4, 2, 1), nn.ReLU()] for i, o in zip(channels, channels[1:])
    ]
    small = shape.side // 2 ** len(shape.filters)
    dense = mlp((shape.latent, *shape.hidden[::-1], _flat(shape)))
    return nn.Sequential(
        dense, nn.ReLU(), nn.Unflatten(1, (channels[0], small, small)), *sum(layers, [])[:-1]
    )


def _flat(shape):
    return (shape.side // 2 ** len(shape.filters)) ** 2 * shape.filters[-1]


class Bound(nn.Module):
    """-ELBO with the closed-form KL for one sample, -IWAE for more; the mean over a batch."""

    def __init__(self, shape):
        super().__init__()
        self.encoder, self.decoder = networks(shape)
        self.samples = shape.samples

    def forward(self, x):
        mean, log_scale = self.encoder(x).chunk(2, -1)
        noise = torch.randn(self.samples, *mean.shape, device=x.device)
        z = mean + log_scale.exp() * noise
        logits = self.decoder(z.flatten(0, 1)).unflatten(0, z.shape[:2])
        cross_entropy = functional.binary_cross_entropy_with_logits
        log_p = -cross_entropy(logits, x.expand_as(logits), reduction="none").flatten(2).sum(-1)
        if self.samples == 1:
            kl = 0.5 * (mean**2 + (2 * log_scale).exp() - 1 - 2 * log_scale).sum(-1)
            return (kl - log_p[0]).mean()
        log_weights = log_p + (0.5 * noise**2 - 0.5 * z**2 + log_scale).sum(-1)
        return (math.log(self.samples) - log_weights.logsumexp(0)).mean()


def train(shape, compiled=False):
    """Steps on batches indexed from a tensor in memory; a unit is one epoch."""
    bound = Bound(shape).to(DEVICE)
    fused = {"fused": True} if compiled else {}
    optimizer = torch.optim.Adam(bound.parameters(), lr=1e-3, **fused)
    loss_of = torch.compile(bound) if compiled else bound
    values = data.binary(shape.examples)
    if shape.network != "mlp":
        values = values.reshape(-1, 1, shape.side, shape.side)
    x = torch.tensor(values, device=DEVICE)

    def run(epochs):
        for _ in range(epochs):
            order = torch.randperm(len(x), device=DEVICE)
            for first in range(0, len(x), shape.batch):
                optimizer.zero_grad()
                loss = loss_of(x[order[first : first + shape.batch]])
                loss.backward()
                optimizer.step()
        loss.item()  # waits for a GPU

    return work(run, shape.examples)


def work(run, amount, note=""):
    name = torch.cuda.get_device_name() if DEVICE.type == "cuda" else "CPU"
    return Work(run, amount, name, {"torch": torch.__version__}, note)
