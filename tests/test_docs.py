"""The pages of the documentation: their code runs, their commands exist, their links lead on.

The blocks of a page share one set of names, as a reader's session does. They run as they are
written in the nightly tests; in the others on the first examples, for one epoch, without compiling.
"""

import contextlib
import json
import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

import keras
import numpy as np
import pandas as pd
import pytest
import tensorflow as tf
import typer
from PIL import Image

import tfvae
from tfvae.app import cli

pytestmark = pytest.mark.xdist_group("docs")

ROOT = Path(__file__).parents[1]
DOCS = ROOT / "docs"
MOST = 32  # examples, where a page is run quickly
ELSEWHERE = {
    "index.md": "the README's lines: `test_the_first_page_shows_the_first_example`",
    "writing_pieces.md": "tests/testing/test_checks.py",
}
BLOCK = re.compile(r"(?P<nightly><!-- nightly -->\n)?```python\n(?P<code>.*?)```", re.DOTALL)
PAGES = [p for p in sorted(DOCS.glob("*.md")) if BLOCK.search(p.read_text("utf-8"))]
RUN_HERE = [page for page in PAGES if page.name not in ELSEWHERE]
RUN_QUICKLY = [
    page
    for page in RUN_HERE
    if not all(block["nightly"] for block in BLOCK.finditer(page.read_text("utf-8")))
]


@pytest.fixture
def names(digits, tmp_path, monkeypatch):
    """What every page may use without having said what it is."""
    monkeypatch.chdir(tmp_path)
    vae = tfvae.mlp_vae(
        digits.event_shape,
        4,
        (16,),
        likelihood=tfvae.likelihoods.Bernoulli(dynamic_binarization=True),
        seed=0,
    )
    vae.compile("adam")
    return {
        "tfvae": tfvae,
        "keras": keras,
        "np": np,
        "x": digits.x_train[:MOST],
        "y": digits.y_train[:MOST],
        "x_test": digits.x_test[:32],
        "shape": digits.event_shape,
        "grey": tfvae.likelihoods.Bernoulli(dynamic_binarization=True),
        "folder": tmp_path,
        "frame": pd.DataFrame({"age": [31.0, None] * 32, "plan": ["free", "paid"] * 32}),
        "vae": vae,
    }


@pytest.fixture
def quickly(monkeypatch):
    """Lets `fit` see a few examples once, and runs everything eagerly."""
    compiled, fit, load = tfvae.VAE.compile, tfvae.VAE.fit, tfvae.datasets.load

    def short_compile(self, *arguments, **options):
        compiled(self, *arguments, **{**options, "run_eagerly": True})

    def short_fit(self, *data, **options):
        data = [part if isinstance(part, tf.data.Dataset) else part[:MOST] for part in data]
        return fit(self, *data, **{**options, "epochs": 1})

    def short_load(*arguments, **options):
        found = load(*arguments, **options)
        for name in ("x_train", "x_test", "y_train", "y_test"):
            part = getattr(found, name)
            object.__setattr__(found, name, None if part is None else part[:MOST])
        return found

    monkeypatch.setattr(tfvae.VAE, "compile", short_compile)
    monkeypatch.setattr(tfvae.VAE, "fit", short_fit)
    monkeypatch.setattr(tfvae.datasets, "load", short_load)
    tf.config.run_functions_eagerly(True)
    yield
    tf.config.run_functions_eagerly(False)


def run_blocks(page, names, nightly):
    """Runs the blocks of a page in order; the traceback of a failure has the page's line."""
    text = page.read_text("utf-8")
    for block in BLOCK.finditer(text):
        if nightly or not block["nightly"]:
            line = text[: block.start("code")].count("\n")
            exec(compile("\n" * line + block["code"], page, "exec"), names)


@pytest.mark.parametrize("page", RUN_QUICKLY, ids=lambda page: page.name)
def test_the_code_of_a_page_runs(page, names, quickly):
    run_blocks(page, names, nightly=False)


@pytest.mark.nightly
@pytest.mark.parametrize("page", RUN_HERE, ids=lambda page: page.name)
def test_the_code_of_a_page_runs_as_it_is_written(page, names):
    if page.name == "device.md":
        tfvae.export.to_tflite(names["vae"], "decoder.tflite")
    run_blocks(page, names, nightly=True)


def test_pages_that_are_run_elsewhere_are_there():
    assert set(ELSEWHERE) <= {page.name for page in PAGES}


def test_the_first_page_shows_the_first_example():
    (block,) = BLOCK.findall((DOCS / "index.md").read_text("utf-8"))
    example = (ROOT / "examples" / "first_vae.py").read_text("utf-8").splitlines()
    assert [line for line in block[1].splitlines() if line and line not in example] == []


def test_the_readme_has_at_most_700_words_and_code_in_its_first_lines():
    text = (ROOT / "README.md").read_text("utf-8")
    assert len(text.split()) <= 700
    assert text.index("```python") < 400
    pictures = re.findall(r"!\[[^\]]+\]\(([^)]+)\)", text)
    assert pictures
    assert all((ROOT / path).stat().st_size < 300_000 for path in pictures)


# ---- the command


def shown_commands():
    """The calls of `tfvae` in all pages and the README, with the page of each."""
    found = []
    for page in (ROOT / "README.md", *sorted(DOCS.glob("*.md"))):
        text = page.read_text("utf-8")
        lines = re.findall(r"^(?: {4}|\$ )(?:.*&& )?(tfvae [a-z].*)$", text, re.MULTILINE)
        lines += re.findall(r"`(tfvae [a-z][^`]*)`", text)
        found += [(page.name, line) for line in lines]
    return found


def words_of(line):
    """The words of a call as a shell has them, without comments, brackets and what is piped."""
    line = re.sub(r"\s+#.*|[\[\]]| > .*| \.\.\.", " ", line.replace("&& ", ""))
    return shlex.split(line)[1:]


def unknown_options(words):
    """The options among the words of a call that its command does not have."""
    commands = typer.main.get_command(cli.app).commands
    known = {option for parameter in commands[words[0]].params for option in parameter.opts}
    return {word.split("=")[0] for word in words if word.startswith("--")} - known - {"--help"}


def test_every_command_of_the_pages_exists():
    wrong = []
    for page, line in shown_commands():
        words = words_of(line)
        commands = typer.main.get_command(cli.app).commands
        if words and (words[0] not in commands or unknown_options(words)):
            wrong.append((page, line))
    assert wrong == []
    assert len(shown_commands()) > 50


def test_an_unknown_option_is_noticed():
    assert unknown_options(words_of("tfvae train mnist --epoch 20  # a comment")) == {"--epoch"}


# ---- the site


@pytest.fixture(scope="module")
def hooks():
    """The modules that make pages, as MkDocs imports them."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sys, "path", [str(DOCS / "site"), *sys.path])
        import api_pages
        import command_page
        import example_pages
        import repository_links

        patch.undo()  # as MkDocs does
        yield {m.__name__: m for m in (api_pages, command_page, example_pages, repository_links)}
        for name in (
            "api_pages",
            "command_page",
            "example_pages",
            "repository_links",
            "script_runner",
        ):
            sys.modules.pop(name)


@pytest.fixture(scope="module")
def site_config():
    from mkdocs.config import load_config

    with contextlib.chdir(ROOT) if hasattr(contextlib, "chdir") else contextlib.nullcontext():
        return load_config(str(ROOT / "mkdocs.yml"))


def places(nav):
    """The places of pages in a navigation, in order."""
    if isinstance(nav, str):
        return [nav]
    parts = nav.values() if isinstance(nav, dict) else nav
    return [place for part in parts for place in places(part)]


def test_the_navigation_lists_every_page_once(site_config, hooks):
    listed = places(site_config["nav"])
    written = {page.name for page in DOCS.glob("*.md")} - {"examples.md"}

    assert len(listed) == len(set(listed))
    assert set(listed) == written | set(hooks["repository_links"].OUTSIDE)


def test_no_page_is_more_than_two_clicks_from_the_first(site_config):
    """By links in the text, without the navigation; the reference has its own list of pages."""

    def linked(place):
        text = (DOCS / place).read_text("utf-8") if (DOCS / place).exists() else ""
        return {link.split("#")[0] for link in re.findall(r"\]\(([^)\s]+\.md[^)\s]*)\)", text)}

    near = linked("index.md")
    reached = {"index.md"} | near.union(*map(linked, near))
    assert set(places(site_config["nav"])) <= reached
    assert {"quickstart.md", "own_data.md", "examples.md", "command.md", "device.md"} <= near


def test_the_reference_has_every_public_name(hooks):
    found = hooks["api_pages"]
    assert found.modules() == ["tfvae", *(f"tfvae.{name}" for name in tfvae._MODULES)]
    for module in found.modules():
        owner = tfvae if module == "tfvae" else getattr(tfvae, module.partition(".")[2])
        assert found.names(module), module
        for name in found.names(module):
            assert f"::: {module}.{name}" in found.page(module)
            assert hasattr(owner, name)
    for name in ("priors", "posteriors", "likelihoods", "flows", "objectives", "gradients"):
        classes = [
            key
            for key, value in vars(getattr(tfvae, name)).items()
            if isinstance(value, type) and not key.startswith("_")
        ]
        assert set(classes) <= set(found.names(f"tfvae.{name}"))


def test_tables_of_pieces_lead_to_the_reference(hooks):
    class page:
        class file:
            src_uri = "pieces.md"

    text = (
        "| `tfvae.priors` | p(z) |\n|---|---|\n| `VampPrior`, `None` | a mixture |\n\n`VampPrior`"
    )
    made = hooks["api_pages"].on_page_markdown(text, page, None, None)
    assert "| [`VampPrior`](api/tfvae.priors.md#tfvae.priors.VampPrior), `None` |" in made
    assert made.endswith("\n`VampPrior`")


def test_links_lead_to_pages_of_the_site(hooks):
    class page:
        class file:
            src_uri = "app_developers.md"

    def rewritten(text):
        return hooks["repository_links"].on_page_markdown(text, page, None, None)

    # As they stand in export/README.md.
    assert rewritten("[a](../docs/device.md#in-an-app)") == "[a](device.md#in-an-app)"
    assert rewritten("[b](../examples/first_vae.py)") == "[b](examples/first_vae.md)"
    assert rewritten("![c](../.github/images/web.png)") == "![c](images/web.png)"
    assert rewritten("[d](web.py)") == "`d`"
    assert rewritten("[e](https://keras.io)") == "[e](https://keras.io)"
    assert rewritten("```\n[f](web.py)\n```") == "```\n[f](web.py)\n```"
    with pytest.raises(ValueError, match="no file of the repository"):
        rewritten("[g](gone.py)")


def test_links_of_the_readme_lead_somewhere():
    for page in (ROOT / "README.md", ROOT / "SECURITY.md", ROOT / ".github" / "CONTRIBUTING.md"):
        links = re.findall(r"\]\(([^)#\s]+)", page.read_text("utf-8"))
        inside = [link for link in links if "://" not in link]
        assert [link for link in inside if not (page.parent / link).exists()] == []


def test_every_example_is_a_page(hooks):
    made = hooks["example_pages"]
    for path in made.scripts():
        text, _ = made.page(path)
        assert text.startswith(f"# {made.title(path)}\n")
        assert "# %%" not in text
        code = "\n".join(
            body for is_words, body in made.cells(path.read_text("utf-8")) if not is_words
        )
        for line in code.splitlines():
            assert line in text
        assert f"({path.stem}.ipynb)" in text
        cells = json.loads(made.notebook(path))["cells"]
        kinds = [kind for kind, _ in made.cells(path.read_text("utf-8"))]
        assert [cell["cell_type"] == "markdown" for cell in cells] == kinds
    assert made.scripts()[0].name == "first_vae.py"


SCRIPT = """# %% [markdown]
# # A title
# One sentence. Another one.

# %%
print("it ran")
open("picture.png", "wb").write(b"drawn")
open("runs.txt", "a").write("x")
"""


@pytest.fixture
def little(hooks, tmp_path, monkeypatch):
    """The hook of the examples, of one script of a moment and of a package of one file."""
    made = hooks["example_pages"]
    (tmp_path / "examples").mkdir()
    (tmp_path / "examples" / "little.py").write_text(SCRIPT)
    (tmp_path / "package" / "part").mkdir(parents=True)
    (tmp_path / "package" / "part" / "one.py").write_text("ONE = 1")
    monkeypatch.setattr(made, "EXAMPLES", tmp_path / "examples")
    monkeypatch.setattr(made, "CACHE", tmp_path / "cache")
    monkeypatch.setattr(made, "ROOT", tmp_path)
    monkeypatch.setattr(made, "SOURCES", [tmp_path / "package"])
    monkeypatch.setattr(made, "_command", "build")
    monkeypatch.setattr(made.File, "generated", lambda config, place, content: place)
    monkeypatch.delenv("TFVAE_DRAW_EXAMPLES", raising=False)
    made._of_sources.cache_clear()
    yield made
    made._of_sources.cache_clear()


def test_the_pictures_of_an_example_are_drawn_at_build_and_once(little):
    made = [f"examples/little{end}" for end in (".md", ".ipynb", "-picture.png")]
    for _ in range(2):
        assert little.on_files([], None) == made
    (folder,) = little.CACHE.iterdir()
    assert (folder / "runs.txt").read_text() == "x"
    text, pictures = little.page(little.scripts()[0])
    assert "it ran" in text and "](little-picture.png)" in text
    assert pictures == {"little-picture.png": b"drawn"}


@pytest.mark.parametrize("changed", ["examples/little.py", "package/part/one.py", "package/two.js"])
def test_an_example_runs_again_where_it_or_the_package_has_changed(little, tmp_path, changed):
    little.draw()
    (before,) = little.CACHE.iterdir()
    with (tmp_path / changed).open("a") as file:
        file.write("\n")
    little._of_sources.cache_clear()
    assert little.kept(little.scripts()[0]) is None
    little.draw()
    (after,) = little.CACHE.iterdir()  # what was kept before is gone
    assert after != before and (after / "runs.txt").read_text() == "x"


@pytest.mark.parametrize(
    ("command", "value", "is_drawn"),
    [
        ("build", None, True),
        ("build", "0", False),
        ("build", "1", True),
        ("serve", None, False),
        ("serve", "1", True),
    ],
)
def test_examples_run_at_a_build_unless_they_are_left_out(
    little, monkeypatch, command, value, is_drawn
):
    if value is not None:
        monkeypatch.setenv("TFVAE_DRAW_EXAMPLES", value)
    little.on_startup(command, dirty=False)
    assert ("examples/little-picture.png" in little.on_files([], None)) == is_drawn


def test_an_example_that_fails_ends_the_build(little, tmp_path):
    from mkdocs.exceptions import PluginError

    (tmp_path / "examples" / "little.py").write_text(SCRIPT + "raise ValueError('its reason')\n")
    for _ in range(2):  # what it left is not taken for what it was to leave
        with pytest.raises(PluginError, match="(?s)little.py.*its reason"):
            little.draw()


@pytest.mark.nightly
def test_the_site_is_built_with_a_picture_of_every_example(hooks, tmp_path):
    """Examples run where nothing is kept of them: about four minutes on two processors."""
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "NO_MKDOCS_2_WARNING": "1"}
    environment.pop("TFVAE_DRAW_EXAMPLES", None)
    command = [sys.executable, "-m", "mkdocs", "build", "--strict", "--site-dir", str(tmp_path)]
    done = subprocess.run(
        command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr[-3000:]
    for path in hooks["example_pages"].scripts():
        text = (tmp_path / "examples" / f"{path.stem}.html").read_text("utf-8")
        shown = re.findall(r'<img[^>]* src="([^"]+\.png)"', text)
        assert shown, path
        for name in shown:
            picture = np.asarray(Image.open(tmp_path / "examples" / name).convert("L"))
            assert picture.std() > 15, name


def test_the_page_of_the_command_has_every_option(hooks):
    made = hooks["command_page"]
    text = made.on_page_markdown("<!-- commands -->", None, None, None)
    for name, command in made.commands().items():
        assert f"## tfvae {name}" in text
        for parameter in command.params:
            assert parameter.param_type_name == "argument" or f"`{parameter.opts[0]}`" in text
