"""What is measured: shapes, contenders and targets. Nothing here imports a framework."""

import dataclasses

HERE = "tests.benchmarks"


@dataclasses.dataclass(frozen=True)
class Shape:
    """Sizes that every contender of a case builds from."""

    network: str = "mlp"
    hidden: tuple[int, ...] = (512, 512)
    filters: tuple[int, ...] = ()
    latent: int = 32
    batch: int = 128
    samples: int = 1  # latents per example
    examples: int = 20_480  # of one pass: whole batches
    pixels: int = 784
    side: int = 28


@dataclasses.dataclass(frozen=True)
class Contender:
    """One worker process: `function` of `module`, called with the shape and `options`."""

    name: str
    module: str
    function: str
    options: dict = dataclasses.field(default_factory=dict)
    note: str = ""

    @property
    def address(self):
        return {
            "module": f"{HERE}.{self.module}",
            "function": self.function,
            "options": self.options,
        }


@dataclasses.dataclass(frozen=True)
class Target:
    """Ours must reach `at_least` times the fastest of `of` in the median round."""

    of: tuple[str, ...]
    at_least: float
    title: str


@dataclasses.dataclass(frozen=True)
class Case:
    title: str
    shape: Shape
    contenders: tuple[Contender, ...]
    targets: tuple[Target, ...]
    unit: str = "examples/s"


LIMITS = ("limit TensorFlow", "limit JAX", "limit PyTorch")
_MLP = Shape()
_CONV = Shape("conv", (512,), (32, 64), examples=5_120)
_IWAE = Shape(hidden=(200, 200), latent=50, samples=50, examples=2_560)
_NLL = Shape(samples=5_000, examples=64)

_OURS = Contender("tfvae", "ours", "fit", note="fit as a user calls it")
_JAX = Contender(
    "JAX",
    "jax_peer",
    "per_step",
    note="Flax and optax, one jitted step per NumPy batch, state donated",
)
_TENSORFLOW = tuple(
    Contender(
        f"TensorFlow {name}",
        "tensorflow_peer",
        "train",
        {"by_xla": by_xla},
        f"one {kind} step per NumPy batch, Keras' Adam",
    )
    for name, by_xla, kind in (
        ("XLA", True, "tf.function(jit_compile=True)"),
        ("graph", False, "tf.function"),
    )
)
_TORCH = Contender("PyTorch", "torch_peer", "train", note="eager, torch.optim.Adam")
_TORCH_COMPILED = Contender(
    "PyTorch compiled", "torch_peer", "train", {"compiled": True}, "torch.compile, fused Adam"
)


def _limits(training):
    """The matrix products alone; the fastest is the limit."""
    modules = ("limit_tensorflow", "limit_jax", "limit_torch")
    return tuple(
        Contender(name, module, "products", {"training": training})
        for name, module in zip(LIMITS, modules)
    )


def _share(at_least):
    return Target(LIMITS, at_least, "the matrix-product limit")


CASES = {
    "mlp": Case(
        "fit of an MLP, 784-512-512, latent 32, binary data, batch 128",
        _MLP,
        (
            _OURS,
            Contender(
                "tfvae per step",
                "ours",
                "fit",
                {"compile": {"steps_per_execution": 1}},
                "compile(steps_per_execution=1)",
            ),
            _JAX,
            Contender(
                "JAX scan",
                "jax_peer",
                "scanned",
                note="the whole epoch as one lax.scan, data on the device",
            ),
            _TORCH,
            _TORCH_COMPILED,
            Contender(
                "pythae",
                "pythae_peer",
                "train",
                note="its trainer's epochs, without evaluation or checkpoints",
            ),
            *_limits(True),
        ),
        (
            Target(("JAX",), 1.15, "JAX per step"),
            Target(("PyTorch",), 2.0, "PyTorch eager"),
            Target(("pythae",), 1.6, "pythae"),
            _share(0.75),
        ),
    ),
    "mlp_binarized": Case(
        "the same from grey data, binarized afresh in every step",
        _MLP,
        (
            Contender(
                "tfvae", "ours", "fit", {"grey": True}, "Bernoulli(dynamic_binarization=True)"
            ),
            Contender("tfvae, binary data", "ours", "fit", note="the case mlp"),
        ),
        (Target(("tfvae, binary data",), 0.85, "fit of binary data"),),
    ),
    "conv": Case(
        "fit of a conv net, filters 32 and 64, dense 512, latent 32, batch 128",
        _CONV,
        (
            _OURS,
            Contender(
                "tfvae, XLA",
                "ours",
                "fit",
                {"compile": {"jit_compile": True}},
                "compile(jit_compile=True)",
            ),
            Contender(
                "tfvae, graph",
                "ours",
                "fit",
                {"compile": {"jit_compile": False}},
                "compile(jit_compile=False)",
            ),
            *_TENSORFLOW,
            _JAX,
            _TORCH,
            _TORCH_COMPILED,
            *_limits(True),
        ),
        (
            Target(("PyTorch",), 1.5, "PyTorch eager"),
            Target(
                tuple(c.name for c in _TENSORFLOW),
                1.0,
                "the faster of TensorFlow's two compilers, by hand",
            ),
            Target(LIMITS, 0.0, "the convolutions' and matrix products' limit"),
        ),
    ),
    "iwae": Case(
        "fit with IWAE, 50 samples, 784-200-200, latent 50, batch 128",
        _IWAE,
        (_OURS, _JAX, _TORCH, *_limits(True)),
        (_share(0.7),),
    ),
    "nll": Case(
        "log-likelihood of the model of mlp by 5,000 importance samples",
        _NLL,
        (
            Contender(
                "tfvae",
                "ours",
                "log_likelihood",
                note="evaluation.log_likelihood, 64 images a call",
            ),
            Contender("JAX", "jax_peer", "log_likelihood", note="one jitted lax.map over images"),
            Contender(
                "pythae",
                "pythae_peer",
                "log_likelihood",
                note="get_nll under no_grad, with its fastest batch size",
            ),
            *_limits(False),
        ),
        (Target(("pythae",), 4.0, "pythae"), _share(0.8)),
        "images/s",
    ),
}
