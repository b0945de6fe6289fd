"""The products of `limit` in PyTorch, images in each of its two layouts."""

import torch
from torch.nn import functional

from tests.benchmarks import limit, torch_peer

# From (height, width, inputs, outputs).
_AXES = {"conv": (3, 2, 0, 1), "deconv": (2, 3, 0, 1), "dense": (0, 1)}


def products(shape, training):
    options = ("channels_last", "contiguous_format") if shape.network == "conv" else ("",)
    return limit.choose(shape, training, program, options, torch_peer.work)


def program(chains, training, layout):
    """A function of a count of steps."""
    layout = getattr(torch, layout or "contiguous_format")
    given = [tensors(chain, layout) for chain in chains]
    step = gradients if training else outputs

    def run(count):
        with torch.set_grad_enabled(training):
            for i in range(count):
                for chain, (x, weights) in zip(chains, given):
                    step(chain, x[i % limit.COPIES], weights)
        if torch_peer.DEVICE.type == "cuda":
            torch.cuda.synchronize()

    return run


def outputs(chain, x, weights):
    return limit.forward(chain, x, weights, OPS)


def gradients(chain, x, weights):
    y = outputs(chain, x, weights)
    return torch.autograd.grad(y, [*weights, x] if chain[2] else weights, y.detach())


def tensors(chain, layout):
    """(inputs, weights) in PyTorch's order of axes."""
    x, weights = limit.arrays(chain)
    weights = [w.transpose(_AXES[step[0]]) for w, step in zip(weights, limit.weighted(chain[0]))]
    x = [part.transpose(0, 3, 1, 2) if part.ndim == 4 else part for part in x]
    inputs = [on_device(part, layout, chain[2]) for part in x]
    return inputs, [on_device(w, layout, True) for w in weights]


def on_device(array, layout, gradient):
    tensor = torch.tensor(array.copy(), device=torch_peer.DEVICE)
    tensor = tensor.contiguous(memory_format=layout) if tensor.ndim == 4 else tensor
    return tensor.requires_grad_(gradient)


def reshape(x, size):
    return x.reshape(-1, *(size[-1:] + size[:-1]))  # channels come first


OPS = {
    "reshape": reshape,
    "dense": torch.matmul,
    "conv": lambda x, weight: functional.conv2d(x, weight, stride=2, padding=1),
    "deconv": lambda x, weight: functional.conv_transpose2d(x, weight, stride=2, padding=1),
}
