"""Defines what an exported file computes: parts, and signatures that chain them.

A part is a pure function. Each part is converted on its own, so that the decoder and the encoder
can be quantized while everything random stays in float32. A signature feeds the outputs of one
part to the next. The SavedModel chains parts as functions, and the TFLite file chains them as
graphs that share the weights.

Every input and output is float32 or int32 and has at least one dimension. Kotlin, Swift and
JavaScript have no more than that in common.
"""

import contextlib
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import tensorflow as tf

from tfvae import random

if TYPE_CHECKING:
    from tfvae.models.vae import VAE


class Part(NamedTuple):
    """A pure function of named tensors.

    Attributes:
        function: `{input: tensor} -> {output: tensor}`.
        specs: shapes and dtypes of the inputs.
        outputs: names of the outputs.
        network: True for the two networks of the model, which may be quantized.
    """

    function: Callable[[dict[str, tf.Tensor]], dict[str, tf.Tensor]]
    specs: list[tf.TensorSpec]
    outputs: list[str]
    network: bool = False


class Step(NamedTuple):
    """One part within a signature.

    Attributes:
        part: the name of the part.
        inputs: `{input of the part: its name in the signature}`.
        outputs: `{output of the part: its name in the signature}`.
    """

    part: str
    inputs: dict[str, str]
    outputs: dict[str, str]


class Signature(NamedTuple):
    """A chain of parts, which an exported file offers under one name.

    Attributes:
        specs: shapes and dtypes of the inputs.
        steps: the parts, in the order in which they run.
        outputs: names of the outputs.
    """

    specs: list[tf.TensorSpec]
    steps: list[Step]
    outputs: list[str]


def parts(vae: "VAE", batch: int | None = None, *, encoder: bool = True) -> dict[str, Part]:
    """Returns the parts of a model by name.

    Args:
        vae: the model.
        batch: the static batch size, or None for any. With a size, `index [1]` is the number of
            the first sample. With None, `index [B]` lists the numbers.
        encoder: True to include the parts that take x or the encoder's output.
    """
    prior, likelihood = vae.prior.for_export(), vae.likelihood
    params_shape = likelihood.params_shape(vae.event_shape)
    seeded = [
        _spec([1], "seed", tf.int32),
        _spec([batch if batch is None else 1], "index", tf.int32),
    ]
    condition, event = _condition(vae, batch), [_spec([batch, *vae.event_shape], "x")]
    latents, params = _latent_specs(vae, batch), [_spec([batch, *params_shape], "params")]

    # The parts take and return dictionaries of tensors, by the names of the ports.
    def noise(inputs):
        indices = inputs["index"] if batch is None else inputs["index"] + tf.range(batch)
        return random.Stream(random.seed_key(inputs["seed"]), indices)

    def latent(inputs):
        return _named("z", prior.sample(noise(inputs), inputs.get("y")))

    def decoder(inputs):
        z = tf.nest.pack_sequence_as(vae.latent_dim, [inputs[spec.name] for spec in latents])
        return {"params": vae.decode_batch(z, inputs.get("y"), training=False)}

    def draw(inputs):
        return {"x": likelihood.draw(inputs["params"], noise(inputs).fold_in(random.TAGS["draw"]))}

    found = {
        "latent": Part(latent, [*seeded, *condition], names("z", vae.latent_sizes)),
        "decoder": Part(decoder, [*latents, *condition], ["params"], network=True),
        "mean": Part(lambda inputs: {"x": likelihood.mean(inputs["params"])}, params, ["x"]),
        "draw": Part(draw, [*params, *seeded], ["x"]),
    }
    return (
        {**found, **_encoder_parts(vae, batch, [*event, *condition], seeded, noise)}
        if encoder
        else found
    )


def of_sizes(
    vae: "VAE", sizes: Sequence[int], *, encoder: bool = True
) -> tuple[dict[str, Part], dict[str, Signature]]:
    """Returns the parts and the signatures of a model for several batch sizes, by name.

    Those of the first size have their plain names. The others carry their size, as in the part
    `latent@16` and the signature `sample_16`.

    Args:
        vae: the model.
        sizes: the batch sizes.
        encoder: as in `parts`.
    """
    found, made = {}, {}
    for size in sizes:
        at, suffix = ("", "") if size == sizes[0] else (f"@{size}", f"_{size}")
        own = parts(vae, size, encoder=encoder)
        found.update({name + at: part for name, part in own.items()})
        for name, signature in signatures(vae, own, size).items():
            steps = [step._replace(part=step.part + at) for step in signature.steps]
            made[name + suffix] = signature._replace(steps=steps)
    return found, made


def _encoder_parts(vae, batch, inputs_of_encoder, seeded, noise):
    """Returns the encoder, and the parts that take its output, `code`."""
    sizes = vae.posterior.params_size(vae.latent_sizes)
    codes = [
        _spec([batch, size], name)
        for name, size in zip(names("code", sizes), tf.nest.flatten(sizes))
    ]
    latents = _latent_specs(vae, batch)
    posterior = vae.posterior

    def encoder(inputs):
        return _named("code", vae.encoder_params(inputs["x"], inputs.get("y"), training=False))

    def params(inputs):
        return tf.nest.pack_sequence_as(sizes, [inputs[spec.name] for spec in codes])

    def location(inputs):
        return _named("z", vae.prior.decoder_input(posterior.point_estimate(params(inputs))))

    def between(inputs):
        ends = [[inputs[f"{spec.name}_{end}"] for spec in latents] for end in ("from", "to")]
        weight = inputs["weight"][:, None]
        return {
            spec.name: posterior.interpolate(a, b, weight) for spec, a, b in zip(latents, *ends)
        }

    def sample(inputs):
        return _named("z", posterior.sample(params(inputs), noise(inputs)))

    ends = [_spec(spec.shape, f"{spec.name}_{end}") for end in ("from", "to") for spec in latents]
    summary = []
    with contextlib.suppress(NotImplementedError):  # `available` leaves the signature out
        summary = list(
            posterior.encode_outputs(_zeros(sizes))
        )  # sorted, loc_10 would precede loc_2
    drawn = names("z", vae.latent_sizes)
    return {
        "encoder": Part(encoder, inputs_of_encoder, [spec.name for spec in codes], network=True),
        "summary": Part(lambda inputs: posterior.encode_outputs(params(inputs)), codes, summary),
        "location": Part(location, codes, [spec.name for spec in latents]),
        "posterior": Part(sample, [*codes, *seeded], drawn),
        "between": Part(
            between, [*ends, _spec([batch], "weight")], [spec.name for spec in latents]
        ),
    }


def signatures(
    vae: "VAE", found: dict[str, Part], batch: int | None = None
) -> dict[str, Signature]:
    """Returns the signatures of a model by name.

    `sample` and `draw` give the samples `index ... index + batch - 1`. With any batch size, their
    `index [B]` lists the samples.

    Args:
        vae: the model.
        found: its parts, as `parts` returns them. Signatures of x are made if the encoder is
            among them.
        batch: the batch size of the parts, or None for any.
    """
    y = _condition(vae, batch)
    seeded = found["draw"].specs[1:]
    latents, drawn = [spec.name for spec in _latent_specs(vae, batch)], found["latent"].outputs
    # The decoder takes all layers of z, or the last one only.
    seen = drawn if len(latents) == len(drawn) else drawn[-1:]
    latent, mean = _step("latent", found), _step("mean", found)
    decoder = _step("decoder", found, dict(zip(latents, seen)))
    made = {
        "decode": Signature(found["decoder"].specs, [_step("decoder", found), mean], ["x"]),
        "sample": Signature([*seeded, *y], [latent, decoder, mean], ["x", *drawn]),
        "draw": Signature([*seeded, *y], [latent, decoder, _step("draw", found)], ["x", *drawn]),
    }
    if "encoder" in found:
        made.update(_encoder_signatures(vae, found, batch))

    return made


def _encoder_signatures(vae, found, batch):
    """Returns the signatures that take x."""
    specs, seeded = found["encoder"].specs, found["draw"].specs[1:]
    encoder, location = _step("encoder", found), _step("location", found)
    decode = [_step("decoder", found), _step("mean", found)]
    event, y = specs[0], specs[1:]

    ends, path = [], []
    for end in ("from", "to"):
        ends.append(_spec(event.shape, f"x_{end}"))
        codes = {name: f"{name}_{end}" for name in found["encoder"].outputs}
        path.append(_step("encoder", found, {"x": f"x_{end}"}, codes))
        path.append(
            _step(
                "location",
                found,
                codes,
                {name: f"{name}_{end}" for name in found["location"].outputs},
            )
        )
    between = [_step("between", found), *decode]

    drawn = found["posterior"].outputs
    sample = [encoder, _step("posterior", found)]
    return {
        "encode": Signature(specs, [encoder, _step("summary", found)], found["summary"].outputs),
        "encode_sample": Signature([*specs, *seeded], sample, drawn),
        "reconstruct": Signature(specs, [encoder, location, *decode], ["x"]),
        "interpolate": Signature([*ends, found["between"].specs[-1], *y], [*path, *between], ["x"]),
    }


def as_function(
    signature: Signature, found: dict[str, Part]
) -> Callable[..., dict[str, tf.Tensor]]:
    """Returns a signature as a function of positional tensors, for a SavedModel.

    Args:
        signature: the signature.
        found: the parts by name.
    """

    def function(*tensors):
        values = dict(zip((spec.name for spec in signature.specs), tensors))
        for step in signature.steps:
            given = {name: values[there] for name, there in step.inputs.items()}
            outputs = found[step.part].function(given)
            values.update({there: outputs[name] for name, there in step.outputs.items()})
        return {name: values[name] for name in signature.outputs}

    return function


def part_as_function(part: Part) -> Callable[..., dict[str, tf.Tensor]]:
    """Returns a part as a function of positional tensors."""

    def function(*tensors):
        outputs = part.function(dict(zip((spec.name for spec in part.specs), tensors)))
        # An output that is an input would have no operator in the graph.
        return {name: tf.identity(value) for name, value in outputs.items()}

    return function


def names(name: str, structure: Any) -> list[str]:
    """Returns the names of tensors: `z` for one, `z_0`, `z_1`, ... for several.

    Args:
        name: the stem, such as `z`.
        structure: the tensors or their sizes, nested as `tf.nest` allows.
    """
    count = len(tf.nest.flatten(structure))
    return [name] if count == 1 else [f"{name}_{i}" for i in range(count)]


def _step(part, found, inputs=None, outputs=None):
    """Returns a step in which ports keep their names, except those given by `{port: name}`."""
    taken = {spec.name: spec.name for spec in found[part].specs}
    given = {name: name for name in found[part].outputs}
    return Step(part, {**taken, **(inputs or {})}, {**given, **(outputs or {})})


def _named(name, structure):
    """Returns the tensors of a structure by their `names`."""
    return dict(zip(names(name, structure), tf.nest.flatten(structure)))


def _latent_specs(vae, batch):
    """Returns the specs of the latents that the decoder takes."""
    sizes = tf.nest.flatten(vae.latent_dim)
    return [_spec([batch, size], name) for name, size in zip(names("z", vae.latent_dim), sizes)]


def _condition(vae, batch):
    """Returns the spec of y in a list, which is empty for a model without conditions."""
    if vae.condition_shape is None:
        return []
    return [
        _spec(
            [batch, *vae.condition_shape],
            "y",
            tf.int32 if tf.as_dtype(vae.condition_dtype).is_integer else tf.float32,
        )
    ]


def _zeros(sizes):
    return tf.nest.map_structure(lambda size: tf.zeros([1, size]), sizes)


def _spec(shape, name, dtype=tf.float32):
    return tf.TensorSpec(shape, dtype, name)
