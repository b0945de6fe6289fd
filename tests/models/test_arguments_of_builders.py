"""Each public argument of the builders of models: see `test_public_arguments`."""

import keras
import numpy as np
import pytest

import tfvae
from tests.conftest import largest_difference, matches
from tests.support.arguments import covers
from tfvae import datasets, likelihoods, posteriors, priors

ACTIVATIONS = {
    "relu": lambda x: np.maximum(x, 0.0),
    "tanh": np.tanh,
    "softplus": lambda x: np.logaddexp(0.0, x),
}


def shapes(network):
    return [tuple(w.shape) for w in network.weights if len(w.shape) > 1]


def chain(*sizes):
    """The shapes of the kernels between layers of these sizes."""
    return list(zip(sizes[:-1], sizes[1:]))


def of_kind(network, kind):
    return [layer for layer in network.layers if isinstance(layer, kind)]


def dense(x, network, activation, inputs=()):
    """What a network of dense layers gives, by hand."""
    x = np.concatenate([x.reshape(len(x), -1), *inputs], axis=1).astype(np.float64)
    *hidden, last = [layer.get_weights() for layer in of_kind(network, keras.layers.Dense)]
    for kernel, bias in hidden:
        x = ACTIVATIONS[activation](x @ kernel + bias)
    return x @ last[0] + last[1]


HIDDEN = [((), "relu"), ((5,), "tanh"), ((7, 5), "softplus")]
widths_and_activations = pytest.mark.parametrize(("hidden", "activation"), HIDDEN)


def random_events(*shape):
    return np.random.default_rng(0).normal(size=shape).astype(np.float32)


# ---- mlp_vae


@covers(tfvae.mlp_vae, "event_shape", "latent_dim", "hidden", "activation")
@pytest.mark.parametrize("event_shape", [6, (6,), (2, 3), (3, 2, 1)])
@pytest.mark.parametrize("latent_dim", [1, 4])
@widths_and_activations
def test_an_mlp_has_dense_layers_of_its_widths(event_shape, latent_dim, hidden, activation):
    vae = tfvae.mlp_vae(event_shape, latent_dim, hidden, activation)
    event = event_shape if isinstance(event_shape, tuple) else (event_shape,)
    assert (vae.event_shape, vae.latent_dim) == (event, latent_dim)
    assert shapes(vae.encoder) == chain(6, *hidden, 2 * latent_dim)
    assert shapes(vae.decoder) == chain(latent_dim, *hidden[::-1], 6)
    x, z = random_events(3, *event), random_events(3, latent_dim)
    assert largest_difference(vae.encoder(x), dense(x, vae.encoder, activation)) < 1e-5
    expected = dense(z, vae.decoder, activation).reshape(3, *event)
    assert largest_difference(vae.decoder(z), expected) < 1e-5


def test_an_mlp_has_the_hidden_layers_of_its_defaults():
    assert shapes(tfvae.mlp_vae(6, 2).encoder) == chain(6, 512, 512, 4)


PIECES = {
    "full": (lambda: {"posterior": posteriors.FullNormal()}, 5, 6),
    "scaled": (lambda: {"likelihood": likelihoods.Normal(per_element_scale=True)}, 4, 12),
    "counts": (lambda: {"likelihood": likelihoods.Poisson()}, 4, 6),
}


@covers(tfvae.mlp_vae, "posterior", "likelihood")
@covers(tfvae.conv_vae, "posterior", "likelihood")
@covers(tfvae.conv1d_vae, "posterior", "likelihood")
@pytest.mark.parametrize("name", PIECES)
@pytest.mark.parametrize("build", [tfvae.mlp_vae, tfvae.conv_vae, tfvae.conv1d_vae])
def test_networks_end_with_the_sizes_that_posterior_and_likelihood_need(build, name):
    make, params, outputs = PIECES[name]
    pieces = make()
    rest = {
        "prior": priors.GaussianMixture(2),
        "objective": tfvae.IWAE(3),
        "estimator": tfvae.gradients.Pathwise(),
        "seed": 8,
    }
    shape = (3, 2) if build is tfvae.conv1d_vae else (3, 2, 1)
    vae = build(shape, 2, (4,), **pieces, **rest)
    assert vae.encoder.output_shape == (None, params)
    assert np.prod(vae.decoder.output_shape[1:]) == outputs
    for piece, value in {**pieces, **rest}.items():
        assert getattr(vae, piece) is value


# ---- conditions, of labels and of numbers

CONDITIONS = {
    "labels": (3, np.array([0, 2, 1]), np.eye(3)[[0, 2, 1]]),
    "numbers": ((2, 2), random_events(3, 2, 2), random_events(3, 4)),
}


@covers(tfvae.mlp_vae, "condition")
@pytest.mark.parametrize("name", CONDITIONS)
def test_a_condition_joins_the_inputs_of_both_networks(name):
    condition, y, joined = CONDITIONS[name]
    vae = tfvae.mlp_vae((6,), 2, (5,), "tanh", condition=condition)
    x, z = random_events(3, 6), random_events(3, 2)
    found, expected = vae.encoder([x, y]), dense(x, vae.encoder, "tanh", [joined])
    assert largest_difference(found, expected) < 1e-5
    found, expected = vae.decoder([z, y]), dense(z, vae.decoder, "tanh", [joined])
    assert largest_difference(found, expected) < 1e-5
    assert vae.num_classes == (3 if name == "labels" else None)
    assert all(weight.shape != (3, 3) for weight in vae.trainable_weights)


@covers(tfvae.conv_vae, "condition")
@pytest.mark.parametrize("name", CONDITIONS)
def test_a_condition_joins_images_before_the_dense_layer_and_the_latent(name):
    condition, y, joined = CONDITIONS[name]
    vae = tfvae.conv_vae((4, 4, 1), 2, (3,), 5, "tanh", condition=condition)
    x, z = random_events(3, 4, 4, 1), random_events(3, 2)
    (convolution,) = of_kind(vae.encoder, keras.layers.Conv2D)
    images = np.asarray(convolution(x))
    found, expected = vae.encoder([x, y]), dense(images, vae.encoder, "tanh", [joined])
    assert largest_difference(found, expected) < 1e-5
    first = of_kind(vae.decoder, keras.layers.Dense)[0]
    assert first.kernel.shape == (2 + joined.shape[1], 5)
    other = np.roll(y, 1, axis=0)
    assert largest_difference(vae.decoder([z, y]), vae.decoder([z, other])) > 1e-4


# ---- conv_vae


@covers(tfvae.conv_vae, "event_shape", "latent_dim", "filters", "dense", "activation")
@pytest.mark.parametrize("event_shape", [(8, 8), (8, 8, 1), (5, 7, 3), (1, 1, 1)])
@pytest.mark.parametrize(("filters", "units"), [((3,), 5), ((2, 4), 6), ((2, 3, 4), 1)])
def test_convolutions_halve_images_of_any_size_and_double_them_again(event_shape, filters, units):
    vae = tfvae.conv_vae(event_shape, 2, filters, units, "tanh")
    channels = event_shape[2] if len(event_shape) == 3 else 1
    height, width = (int(np.ceil(n / 2 ** len(filters))) for n in event_shape[:2])
    sizes = [(4, 4, a, b) for a, b in chain(channels, *filters)]
    flat = height * width * filters[-1]
    assert shapes(vae.encoder) == [*sizes, (flat, units), (units, 4)]
    back = [(4, 4, b, a) for a, b in chain(*filters[::-1], channels)]  # of transposed convolutions
    assert shapes(vae.decoder) == [(2, units), (units, flat), *back]
    assert vae.decoder.output_shape == (None, *event_shape)
    for network in (vae.encoder, vae.decoder):
        *hidden, last = [layer for layer in network.layers if hasattr(layer, "activation")]
        assert last.activation is keras.activations.linear
        assert {layer.activation for layer in hidden} == {keras.activations.tanh}


@covers(tfvae.conv_vae, "residual")
@pytest.mark.parametrize("event_shape", [(8, 8), (5, 7, 3)])
def test_a_residual_network_begins_as_the_plain_one_with_more_layers(event_shape):
    """With zeros in the second convolution of each block it is the plain network."""
    plain = tfvae.conv_vae(event_shape, 2, (3, 4), 5, "tanh")
    residual = tfvae.conv_vae(event_shape, 2, (3, 4), 5, "tanh", residual=True)
    for a, b in ((plain.encoder, residual.encoder), (plain.decoder, residual.decoder)):
        kernels = [w for w in b.weights if w.shape[:2] == (3, 3)]
        assert sorted(tuple(w.shape[2:]) for w in kernels) == 2 * [(3, 3)] + 2 * [(4, 4)]
        rest = [layer for layer in b.layers if not _is_of_a_block(layer)]
        for mine, other in zip([layer for layer in a.layers if layer.weights], rest):
            other.set_weights(mine.get_weights())
        x = random_events(3, *b.input_shape[1:])
        assert largest_difference(a(x), b(x)) > 1e-4
        for layer in b.layers:
            if (
                layer.weights
                and _is_of_a_block(layer)
                and layer.activation is keras.activations.linear
            ):
                layer.set_weights([0 * w for w in layer.get_weights()])
        assert largest_difference(a(x), b(x)) < 1e-5


def _is_of_a_block(layer):
    return not layer.weights or getattr(layer, "kernel_size", None) == (3, 3)


@pytest.mark.parametrize(
    ("event_shape", "filters", "smallest"),
    [
        ((28, 28, 1), (32, 64), (7, 7)),
        ((8, 9), (32,), (4, 5)),
        ((3, 3, 1), (32,), (2, 2)),
        ((32, 32, 3), (32, 64, 128), (4, 4)),
        ((105, 105), (32, 64, 128, 128), (7, 7)),
        ((64, 100, 3), (32, 64, 128, 128), (4, 7)),
        ((62, 62, 3), (32, 64, 128, 128), (4, 4)),
        ((56, 57, 1), (32, 64, 128), (7, 8)),
    ],
)
def test_images_are_halved_to_four_to_seven_pixels_unless_said_otherwise(
    event_shape, filters, smallest
):
    vae = tfvae.conv_vae(event_shape, 2, dense=3)
    found = [layer for layer in vae.encoder.layers if isinstance(layer, keras.layers.Conv2D)]
    assert [layer.filters for layer in found] == list(filters)
    assert found[-1].output.shape[1:3] == smallest


@pytest.mark.parametrize(
    ("event_shape", "word"),
    [
        ((3, 32, 32), "moveaxis"),
        ((1, 28, 28), "moveaxis"),
        ((128, 1), "conv1d_vae"),
        ((2, 64), "conv1d_vae"),
    ],
)
def test_channels_first_and_signals_are_no_images(event_shape, word):
    with pytest.raises(ValueError, match=matches("images", word)):
        tfvae.conv_vae(event_shape, 2)


def test_images_of_another_rank_are_refused():
    for event_shape in (8, (8, 8, 1, 1)):
        with pytest.raises(ValueError, match=matches("images of shape")):
            tfvae.conv_vae(event_shape, 2)


# ---- conv1d_vae


@covers(tfvae.conv1d_vae, "event_shape", "latent_dim", "filters", "dense", "activation")
@pytest.mark.parametrize("event_shape", [(9,), (8, 1), (11, 3)])
@pytest.mark.parametrize(("filters", "units"), [((3,), 5), ((2, 3, 4), 1)])
def test_convolutions_halve_signals_of_any_length(event_shape, filters, units):
    vae = tfvae.conv1d_vae(event_shape, 2, filters, units, "tanh")
    channels = event_shape[1] if len(event_shape) == 2 else 1
    flat = int(np.ceil(event_shape[0] / 2 ** len(filters))) * filters[-1]
    sizes = [(4, a, b) for a, b in chain(channels, *filters)]
    assert shapes(vae.encoder) == [*sizes, (flat, units), (units, 4)]
    back = [(4, b, a) for a, b in chain(*filters[::-1], channels)]
    assert shapes(vae.decoder) == [(2, units), (units, flat), *back]
    assert vae.decoder.output_shape == (None, *event_shape)
    for network in (vae.encoder, vae.decoder):
        *hidden, last = [layer for layer in network.layers if hasattr(layer, "activation")]
        assert last.activation is keras.activations.linear
        assert {layer.activation for layer in hidden} == {keras.activations.tanh}


@pytest.mark.parametrize(
    ("steps", "filters"),
    [
        (128, (32, 64, 128, 128)),
        (8, (32,)),
        (3, (32,)),
        (1000, (32, 64, *5 * (128,))),
        (127, (32, 64, 128, 128)),
    ],
)
def test_signals_are_halved_to_eight_to_fifteen_steps_unless_said_otherwise(steps, filters):
    vae = tfvae.conv1d_vae((steps, 2), 2, dense=3)
    found = of_kind(vae.encoder, keras.layers.Conv1D)
    assert [layer.filters for layer in found] == list(filters)


@covers(tfvae.conv1d_vae, "condition")
def test_a_condition_joins_signals_before_the_dense_layer():
    vae = tfvae.conv1d_vae((8, 1), 2, (3,), 5, "tanh", condition=3)
    x, y = random_events(3, 8, 1), np.array([0, 2, 1])
    (convolution,) = of_kind(vae.encoder, keras.layers.Conv1D)
    signals = np.asarray(convolution(x))
    expected = dense(signals, vae.encoder, "tanh", [np.eye(3)[y]])
    assert largest_difference(vae.encoder([x, y]), expected) < 1e-5
    assert of_kind(vae.decoder, keras.layers.Dense)[0].kernel.shape == (2 + 3, 5)


def test_images_are_no_signals():
    with pytest.raises(ValueError, match=matches("signals of shape", "conv_vae")):
        tfvae.conv1d_vae((8, 8, 1), 2)


# ---- table_vae

TABLE = datasets.Table(
    (
        datasets.Column("height", "real", offset=170.0, unit=9.0),
        datasets.Column("town", "category", labels=("a", "b", "c"), typical=(0.2, 0.3, 0.5)),
    )
)


@covers(tfvae.table_vae, "table", "latent_dim", "hidden", "activation")
@pytest.mark.parametrize("latent_dim", [1, 4])
@widths_and_activations
def test_the_model_of_a_table_has_dense_layers_of_its_widths(latent_dim, hidden, activation):
    vae = tfvae.table_vae(TABLE, latent_dim, hidden, activation)
    assert (vae.event_shape, vae.latent_dim) == ((4,), latent_dim)
    assert shapes(vae.encoder) == chain(4, *hidden, 2 * latent_dim)
    x, z = random_events(3, 4), random_events(3, latent_dim)
    assert largest_difference(vae.encoder(x), dense(x, vae.encoder, activation)) < 1e-5
    assert largest_difference(vae.decoder(z), dense(z, vae.decoder, activation)) < 1e-5
    height, town = vae.likelihood.likelihoods
    assert (height.offset, height.unit) == (170.0, 9.0)
    assert isinstance(town, likelihoods.Categorical)
    assert vae.likelihood.labels == {"town": ["a", "b", "c"]}


@covers(tfvae.table_vae, "condition", "posterior", "likelihood")
def test_the_model_of_a_table_has_the_pieces_and_the_condition_given():
    posterior, likelihood = posteriors.FullNormal(), likelihoods.Normal(per_element_scale=True)
    made = {"posterior": posterior, "likelihood": likelihood, "condition": 3}
    vae = tfvae.table_vae(TABLE, 2, (5,), "tanh", **made)
    assert (vae.posterior, vae.likelihood) == (posterior, likelihood)
    x, y = random_events(3, 4), np.array([0, 2, 1])
    expected = dense(x, vae.encoder, "tanh", [np.eye(3)[y]])
    assert largest_difference(vae.encoder([x, y]), expected) < 1e-5
    assert vae.encoder.output_shape == (None, 5) and vae.decoder.output_shape == (None, 8)


# ---- hierarchical_vae


@covers(tfvae.hierarchical_vae, "event_shape", "latent_dims", "hidden", "activation", "ladder")
@pytest.mark.parametrize("event_shape", [6, (3, 2)])
@pytest.mark.parametrize("latent_dims", [(3, 2), (1, 4, 2)])
@widths_and_activations
def test_a_hierarchy_has_networks_between_layers(event_shape, latent_dims, hidden, activation):
    shape = event_shape if isinstance(event_shape, tuple) else (event_shape,)
    upwards = chain(*latent_dims)
    for ladder in (False, True):
        vae = tfvae.hierarchical_vae(event_shape, latent_dims, hidden, activation, ladder=ladder)
        assert (vae.event_shape, vae.latent_sizes) == (shape, list(latent_dims[::-1]))
        assert shapes(vae.decoder) == chain(latent_dims[0], *hidden[::-1], 6)
        networks = vae.prior.networks
        expected = [chain(above, *hidden, 2 * below) for below, above in upwards[::-1]]
        assert [shapes(network) for network in networks] == expected
        z = random_events(3, latent_dims[-1])
        assert largest_difference(networks[0](z), dense(z, networks[0], activation)) < 1e-5
        if ladder:
            assert isinstance(vae.posterior, posteriors.Ladder)
            ends = [out.shape[-1] for out in vae.encoder.outputs]
            assert ends == [2 * size for size in latent_dims[::-1]]
            layers = of_kind(vae.encoder, keras.layers.Dense)
            found = sorted(keras.activations.serialize(layer.activation) for layer in layers)
            inner, outer = [activation] * len(hidden), ["linear"]
            assert found == sorted(len(latent_dims) * (inner + outer))
            continue
        assert isinstance(vae.posterior, posteriors.BottomUp)
        assert shapes(vae.encoder) == chain(6, *hidden, 2 * latent_dims[0])
        expected = [chain(below, *hidden, 2 * above) for below, above in upwards]
        assert [shapes(network) for network in vae.posterior.networks] == expected


@covers(tfvae.hierarchical_vae, "top", "condition", "likelihood")
@pytest.mark.parametrize("ladder", [False, True])
def test_a_hierarchy_has_the_top_the_likelihood_and_the_condition_given(ladder):
    top, likelihood = priors.GaussianMixture(3), likelihoods.Normal(per_element_scale=True)
    pieces = {"top": top, "likelihood": likelihood, "objective": tfvae.IWAE(3), "seed": 4}
    vae = tfvae.hierarchical_vae((6,), (3, 2), (5,), "tanh", ladder=ladder, condition=3, **pieces)
    assert (vae.prior.top, vae.likelihood, vae.seed) == (top, likelihood, 4)
    assert vae.decoder.output_shape == (None, 12)
    y, joined = np.array([0, 2, 1]), np.eye(3)[[0, 2, 1]]
    z = random_events(3, 3)
    expected = dense(z, vae.decoder, "tanh", [joined])
    assert largest_difference(vae.decoder([z, y]), expected) < 1e-5
    x = random_events(3, 6)
    found, other = vae.encoder([x, y]), vae.encoder([x, np.roll(y, 1)])
    assert largest_difference(keras.tree.flatten(found)[0], keras.tree.flatten(other)[0]) > 1e-4


@pytest.mark.parametrize("build", [tfvae.mlp_vae, tfvae.conv_vae])
@pytest.mark.parametrize(
    "wrong",
    [
        {"latent_dim": 0},
        {"latent_dim": 2.0},
        {"latent_dim": True},
        {"event_shape": (4, 0)},
        {"event_shape": ()},
        {"sizes": (4, -1)},
    ],
)
def test_sizes_that_are_not_whole_and_from_one_are_refused(build, wrong):
    given = {"event_shape": (4, 4), "latent_dim": 2, "sizes": (4,), **wrong}
    with pytest.raises(TypeError, match=matches("whole numbers from 1")):
        build(*given.values())


def test_a_convolutional_network_halves_once_at_least():
    with pytest.raises(TypeError, match=matches("layer sizes of whole numbers from 1")):
        tfvae.conv_vae((4, 4), 2, ())
