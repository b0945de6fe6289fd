"""Figures of trainings, examples and latents: what is drawn is what the model gives."""

import importlib.util
import json

import numpy as np
import pytest
from matplotlib import rcParams

import tfvae
from tests.conftest import matches
from tfvae import likelihoods, plots
from tfvae.plots import figures

RANDOM = np.random.default_rng(0)
HISTORY = {"loss": [5.0, 4.0, 3.5], "rate": [1.0, 2.0, 2.0], "distortion": [4.0, 2.0, 1.5]}


@pytest.fixture(scope="module")
def real():
    """An untrained model of pictures with real values, and examples."""
    likelihood = likelihoods.Normal(0.5)
    vae = tfvae.mlp_vae((4, 5), 2, (8,), likelihood=likelihood, seed=0)
    return vae, RANDOM.normal(size=(40, 4, 5)).astype(np.float32)


@pytest.fixture(scope="module")
def wide():
    """An untrained model of pictures with four latents, two of which are nearly dead."""
    vae = tfvae.mlp_vae((4, 5), 4, (8,), likelihood=likelihoods.Normal(0.5), seed=1)
    kernel, bias = vae.encoder.get_weights()[-2:]
    kernel[:, 1:3] *= 1e-3
    vae.encoder.set_weights([*vae.encoder.get_weights()[:-2], kernel, bias])
    return vae, RANDOM.normal(size=(100, 4, 5)).astype(np.float32)


@pytest.fixture(scope="module")
def rows():
    """An untrained model of rows without names."""
    vae = tfvae.mlp_vae((3,), 2, (8,), likelihood=likelihoods.Normal(0.5), seed=0)
    return vae, RANDOM.normal(size=(60, 3)).astype(np.float32)


def images(figure):
    """What lies in the cells of a sheet, in their order."""
    return [np.asarray(image.get_array()) for image in figure.axes[0].images]


def test_samples_are_those_of_the_seed_in_the_models_own_range():
    vae = tfvae.mlp_vae((4, 5, 1), 2, (8,), likelihood=likelihoods.Bernoulli(), seed=0)
    figure = plots.samples(vae, 6, seed=3)
    assert np.allclose(images(figure), vae.sample(6, seed=3).numpy()[..., 0])
    assert {image.get_clim() for image in figure.axes[0].images} == {(0.0, 1.0)}


def test_reconstructions_lie_below_their_originals_with_their_labels(real):
    vae, x = real
    figure = plots.reconstructions(vae, x[:5], labels=list("abcde"), columns=3)
    made = vae.reconstruct(x[:5]).numpy()
    assert np.allclose(images(figure), np.concatenate([x[:3], made[:3], x[3:5], made[3:5]]))
    assert len({image.get_clim() for image in figure.axes[0].images}) == 1
    written = [text.get_text() for text in figure.axes[0].texts]
    assert [word for word in written if word in list("abcde")] == list("abcde")


def test_a_traversal_changes_one_latent_and_starts_from_the_first_example(real):
    vae, x = real
    figure = plots.traversals(vae, x, dimensions=[1], steps=3, span=2.0)
    z = np.repeat(vae.posterior.point_estimate(vae.encoder_params(x[:1], None, False)), 3, axis=0)
    z[:, 1] = [-2.0, 0.0, 2.0]
    assert np.allclose(images(figure), vae.decode(z).mean(), atol=1e-6)


def test_ways_of_both_kinds_end_at_the_reconstructions(real):
    vae, x = real
    shown = images(plots.interpolation(vae, x[:2], x[2:4], steps=4, method="both"))
    cells = np.reshape(shown, (2, 2, 4, 4, 5))  # [pairs, methods, steps, h, w]
    for method in range(2):
        assert np.allclose(cells[:, method, 0], vae.reconstruct(x[:2]), atol=1e-5)
        assert np.allclose(cells[:, method, -1], vae.reconstruct(x[2:4]), atol=1e-5)
    ends = [vae.posterior.point_estimate(vae.encoder_params(part, None, False)).numpy() for part in
            (x[:1], x[2:3])]  # fmt: skip
    assert np.allclose(cells[0, 0, 1], vae.decode((2 * ends[0] + ends[1]) / 3).mean()[0], atol=1e-5)
    turned = slerp(ends[0][0], ends[1][0], 1 / 3)
    assert np.allclose(cells[0, 1, 1], vae.decode(turned[None]).mean()[0], atol=1e-5)


def slerp(a, b, share):
    """By rotation in the plane of both, and the length in proportion, as by Shoemake 1985."""
    angle = np.arccos(a @ b / np.linalg.norm(a) / np.linalg.norm(b))
    return (np.sin((1 - share) * angle) * a + np.sin(share * angle) * b) / np.sin(angle)


def test_a_latent_of_two_is_mapped_as_it_is_and_of_more_by_pca(real, wide):
    from sklearn.decomposition import PCA

    vae, x = real
    axes = plots.latent_map(vae, x, np.arange(40) % 2, classes=("a", "b")).axes[0]
    found = np.concatenate([part.get_offsets() for part in axes.collections])
    z = vae.posterior.point_estimate(vae.encoder_params(x, None, False)).numpy()
    assert np.allclose(found, np.concatenate([z[0::2], z[1::2]]), atol=1e-6)

    axes = plots.latent_map(*wide).axes[0]
    z = wide[0].encode(wide[1]).mean().numpy()
    expected = PCA(2).fit_transform(z.astype(np.float64))
    found = np.asarray(axes.collections[0].get_offsets())
    assert np.allclose(np.abs(found), np.abs(expected), atol=1e-4)
    assert f"{np.var(expected[:, 0]) / z.var(axis=0).sum():.0%}" in axes.get_xlabel()


def test_activity_has_the_variances_and_a_rate_that_adds_up(wide):
    vae, x = wide
    variances, rates = plots.activity(vae, x).axes
    q = vae.encode(x)
    loc, scale = (np.asarray(part, np.float64) for part in (q.mean(), q.stddev()))
    rate = 0.5 * (loc**2 + scale**2 - 1 - 2 * np.log(scale)).sum(axis=-1).mean()
    assert sum(bar.get_height() for bar in rates.patches) == pytest.approx(rate, rel=1e-4)
    heights = [bar.get_height() for bar in variances.patches]
    assert np.allclose(heights, sorted(loc.var(axis=0), reverse=True), rtol=1e-4)
    assert variances.get_title("left").endswith("2 of 4 latents active")


def test_a_right_likelihood_is_on_the_diagonal_and_a_narrow_one_is_not():
    """Draws of the model itself, and the same with three times the noise."""
    vae = tfvae.mlp_vae((6,), 1, (4,), likelihood=likelihoods.Normal(0.5), seed=0)
    for part in (vae.encoder, vae.decoder):
        part.set_weights([0 * weight for weight in part.get_weights()])
    for factor, low, high in ((1, 0.0, 0.05), (3, 0.12, 0.5)):
        x = (factor * 0.5 * RANDOM.normal(size=(500, 6))).astype(np.float32)
        axes = plots.calibration(vae, x).axes[0]
        levels, observed = next(line for line in axes.lines if len(line.get_xdata()) > 2).get_data()
        assert low <= np.abs(observed - levels).max() < high


def test_the_weights_end_at_the_estimate_of_log_p(wide):
    vae, x = wide[0], wide[1][:30]
    effective, bound = plots.weight_health(vae, x, num_samples=50, seed=1).axes
    log_weights = vae.log_weights(x, 50, seed=1).numpy().astype(np.float64)
    expected = np.log(np.exp(log_weights).mean(axis=0)).mean()
    assert bound.lines[0].get_ydata()[-1] == pytest.approx(expected, rel=1e-4)
    shares = np.exp(log_weights) / np.exp(log_weights).sum(axis=0)
    median = np.median(1 / (shares**2).sum(axis=0))
    assert effective.lines[0].get_xdata()[0] == pytest.approx(median, rel=1e-3)


def test_correlations_are_those_of_examples_and_draws(rows):
    vae, x = rows
    x = x @ np.array([[1, 0.8, 0], [0, 0.6, 0], [0, 0, 1]], np.float32)
    shown = [axes.images[0].get_array() for axes in plots.correlations(vae, x).axes[:3]]
    drawn = vae.sample(len(x), seed=0, draw=True).numpy()
    expected = [np.corrcoef(part.T) for part in (x, drawn)]
    assert np.allclose(shown, [*expected, expected[1] - expected[0]], atol=1e-5)


def test_missing_cells_are_left_out_of_correlations(rows):
    _, x = rows
    vae = tfvae.mlp_vae((3,), 2, (8,), likelihood=likelihoods.Observed(likelihoods.Normal(0.5)))
    x = np.where(RANDOM.random(x.shape) < 0.2, np.nan, x)
    shown = plots.correlations(vae, x, drawn=x).axes[0].images[0].get_array()
    both = ~np.isnan(x[:, :2]).any(axis=1)
    a, b = (x[both, i] - np.nanmean(x[:, i]) for i in range(2))
    assert shown[0, 1] == pytest.approx((a @ b) / np.sqrt((a @ a) * (b @ b)), abs=1e-5)


def test_a_training_is_drawn_from_each_of_its_forms(tmp_path):
    report = {"history": HISTORY, "evaluation": {"rate": 2.5, "rate_stderr": 0.25}}
    (tmp_path / "report.json").write_text(json.dumps(report))
    for form in (HISTORY, type("History", (), {"history": HISTORY})(), tmp_path):
        axes = plots.training_curves(form).axes
        drawn = [list(each.lines[0].get_ydata()) for each in axes]
        assert drawn == [HISTORY["loss"], HISTORY["rate"], HISTORY["distortion"]]
    assert axes[1].containers[0].lines[0].get_data() == ([3], [2.5])

    with_held_out = {**HISTORY, "val_rate": [1.5, 2.5, 2.75]}
    axes = plots.training_curves(with_held_out, "rate").axes
    assert [list(line.get_ydata()) for line in axes[0].lines] == [[1, 2, 2], [1.5, 2.5, 2.75]]


def test_evaluations_are_points_in_the_order_of_their_rates():
    points = {"beta 1": {"rate": 5.0, "distortion": 2.0}, "beta 4": {"rate": 1.0, "distortion": 4}}
    axes = plots.rate_distortion(points).axes[0]
    x, y = axes.containers[0].lines[0].get_data()
    assert (list(x), list(y)) == ([1, 5], [4, 2])
    path = plots.rate_distortion(HISTORY).axes[0].lines[0]
    assert (list(path.get_xdata()), list(path.get_ydata())) == ([1, 2, 2], [4, 2, 1.5])


WRONG = {
    "no model": (lambda vae, x: plots.samples(x), "tfvae.VAE"),
    "other examples": (lambda vae, x: plots.reconstructions(vae, x[:, :3]), "shape"),
    "labels of another number": (
        lambda vae, x: plots.reconstructions(vae, x[:3], labels=[1, 2]),
        "3 labels",
    ),
    "too many": (lambda vae, x: plots.samples(vae, 1000), "256"),
    "no such latent": (lambda vae, x: plots.traversals(vae, dimensions=[2]), "0 to 1"),
    "one step": (lambda vae, x: plots.traversals(vae, steps=1), "steps"),
    "pairs": (lambda vae, x: plots.interpolation(vae, x[:2], x[:3]), "2 and 3"),
    "a method": (lambda vae, x: plots.interpolation(vae, x, x, method="bent"), "spherical"),
    "a map": (lambda vae, x: plots.latent_map(vae, x, method="tsne"), "umap"),
    "one example": (lambda vae, x: plots.latent_map(vae, x[:1]), "2 examples"),
    "three for umap": (lambda vae, x: plots.latent_map(vae, x[:3], method="umap"), "4 examples"),
    "umap": (lambda vae, x: plots.latent_map(vae, x, method="umap"), "umap-learn"),
    "pictures": (lambda vae, x: plots.correlations(vae, x), "rows of a table"),
    "y": (lambda vae, x: plots.calibration(vae, x, np.zeros(40)), "targets"),
    "no history": (lambda vae, x: plots.training_curves(3), "History"),
    "ragged": (lambda vae, x: plots.training_curves({"loss": []}), "each epoch"),
    "no number": (lambda vae, x: plots.training_curves(HISTORY, ["kl"]), "loss, rate"),
    "no run": (lambda vae, x: plots.training_curves("nowhere"), "report.json"),
    "no rate": (lambda vae, x: plots.rate_distortion({"loss": [1.0]}), "distortion"),
}


@pytest.mark.parametrize("name", WRONG)
def test_what_cannot_be_drawn_is_refused_in_three_parts(real, name):
    call, word = WRONG[name]
    if name == "umap" and importlib.util.find_spec("umap"):
        pytest.skip("umap-learn is there")
    with pytest.raises((ValueError, TypeError), match=matches(word)):
        call(*real)


@pytest.mark.nightly
@pytest.mark.filterwarnings("error")
def test_umap_keeps_neighbours_of_the_latent_together_and_follows_its_seed(digits, digits_vae):
    pytest.importorskip("umap")
    from sklearn.manifold import trustworthiness

    def mapped(count, seed=0):
        figure = plots.latent_map(
            digits_vae, x[:count], digits.y_test[:count], method="umap", seed=seed
        )
        parts = [np.asarray(part.get_offsets()) for part in figure.axes[0].collections]
        assert not figure.axes[0].get_xticks().size
        return np.concatenate(parts)

    x = digits_vae.likelihood.prepare_for_evaluation(digits.x_test)[0]
    points, again, other = mapped(299), mapped(299), mapped(299, seed=1)
    assert np.array_equal(points, again) and not np.allclose(points, other)
    assert mapped(4).shape == (4, 2)

    # The points come by label, in the order of the examples.
    order = np.argsort(digits.y_test, kind="stable")
    z = digits_vae.encode(x).mean().numpy()[order]
    centred = z - z.mean(axis=0)
    by_pca = centred @ np.linalg.svd(centred, full_matrices=False)[2][:2].T
    found = trustworthiness(z, points, n_neighbors=5)
    assert found > 0.9 and found > trustworthiness(z, by_pca, n_neighbors=5) + 0.05


def test_a_figure_leaves_matplotlib_as_it_was_and_its_svg_takes_the_pages_colour(real):
    before = dict(rcParams)
    svg = figures.to_svg(plots.latent_map(*real, np.arange(40) % 2, classes=("$a", "b")), "one")
    assert dict(rcParams) == before
    assert svg.startswith("<svg") and "xmlns" not in svg and figures.INK not in svg
    assert 'id="one-figure_1"' in svg and "currentColor" in svg and ">$a<" in svg


def test_colours_can_be_told_from_white_and_from_the_pages_dark_paper():
    """Contrasts of 3 and more (WCAG 2.2, 1.4.11)."""
    for colour in (*figures.COLOURS, figures.QUIET):
        for paper in ("#ffffff", "#1c2027"):
            light, dark = sorted([luminance(colour), luminance(paper)], reverse=True)
            assert (light + 0.05) / (dark + 0.05) >= 3, (colour, paper)


def luminance(colour):
    parts = np.array([int(colour[i : i + 2], 16) for i in (1, 3, 5)]) / 255
    linear = np.where(parts <= 0.04045, parts / 12.92, ((parts + 0.055) / 1.055) ** 2.4)
    return float(linear @ [0.2126, 0.7152, 0.0722])
