"""Makes a page of each script in `examples/`: its words, its code, and the pictures it drew.

The scripts are in the percent format of Jupytext: a cell begins with `# %%`, a cell of words with
`# %% [markdown]`. `mkdocs build` runs them, in as many processes as there are processors, and
shows what it printed and drew. What a script left is kept in `.docs_cache/`, by a hash of the
script and of the package's sources, so that nothing is run twice.

`TFVAE_DRAW_EXAMPLES=0` runs none: a page shows what is kept of its script as it is now, and else
the code alone. So does `mkdocs serve`, unless the variable is 1.
"""

import concurrent.futures
import contextlib
import functools
import hashlib
import logging
import multiprocessing
import os
import pathlib
import re
import shutil
import sys

import jupytext
import script_runner
from mkdocs.exceptions import PluginError
from mkdocs.structure.files import File
from repository_links import ROOT

EXAMPLES = ROOT / "examples"
CACHE = ROOT / ".docs_cache" / "examples"
SOURCES = [ROOT / "tfvae", ROOT / "export"]
_LAST_LINES = 40
_INDEX = "<!-- examples -->"
_MOST_AT_ONCE = 4  # each takes about a gigabyte
_SAID = {"0": False, "1": True}  # values of the variable

_log = logging.getLogger("mkdocs.hooks.example_pages")
_command = "build"


def scripts():
    """Returns the paths of the scripts, the first one first."""
    return sorted(EXAMPLES.glob("*.py"), key=lambda path: (path.stem != "first_vae", path.stem))


def cells(text):
    """Returns the cells of a script.

    Args:
        text: the script.

    Returns:
        Pairs of True for a cell of words, and its text.
    """
    found = []
    for cell in re.split(r"^# %%", text, flags=re.MULTILINE)[1:]:
        head, _, body = cell.partition("\n")
        is_words = "[markdown]" in head
        if is_words:
            body = re.sub(r"^# ?", "", body, flags=re.MULTILINE)
        if body.strip():
            found.append((is_words, body.strip("\n")))
    return found


def page(path):
    """Returns the Markdown of an example's page, and its pictures by name."""
    text = path.read_text(encoding="utf-8")
    folder = kept(path)
    parts = [body if is_words else _fenced(body, "python") for is_words, body in cells(text)]
    parts.append(f"`python examples/{path.name}` runs it. [As a notebook]({path.stem}.ipynb)")
    pictures = sorted(folder.glob("*.png")) if folder else []
    if folder and (folder / "output").read_text(encoding="utf-8").strip():
        lines = (folder / "output").read_text(encoding="utf-8").strip().splitlines()
        parts.append(
            "It prints, at the end:\n\n" + _fenced("\n".join(lines[-_LAST_LINES:]), "text")
        )
    parts += [
        f"![What the script draws: {each.stem}]({path.stem}-{each.name})" for each in pictures
    ]
    return "\n\n".join(parts) + "\n", {f"{path.stem}-{p.name}": p.read_bytes() for p in pictures}


def notebook(path):
    """Returns a script as a Jupyter notebook, not run."""
    return jupytext.writes(jupytext.read(path, fmt="py:percent"), fmt="ipynb")


def kept(path):
    """Returns the folder of what a script left as it is now, or None if it has not run."""
    folder = _place(path)
    return folder if (folder / "output").is_file() else None


def draw():
    """Runs the scripts of which nothing is kept.

    Raises:
        PluginError: a script that ends with an error.
    """
    # The last ones take longest, so that they come first.
    waiting = {path: _emptied(path) for path in reversed(scripts()) if kept(path) is None}
    if not waiting:
        return
    _log.info("Running %d examples for their pictures: docs/site/example_pages.py", len(waiting))
    count = min(os.cpu_count() or 1, _MOST_AT_ONCE, len(waiting))
    with _importable(), _pool(count) as pool:
        runs = {pool.submit(script_runner.run, *pair): pair[0] for pair in waiting.items()}
        for done in concurrent.futures.as_completed(runs):
            if done.result():
                pool.shutdown(cancel_futures=True)
                raise PluginError(f"{runs[done].name} failed: {done.result()}")
            _log.info("Drawn: %s", runs[done].name)


def _pool(count):
    spawn = multiprocessing.get_context("spawn")
    return concurrent.futures.ProcessPoolExecutor(count, spawn, script_runner.begin)


@contextlib.contextmanager
def _importable():
    """Lets other processes import from this folder, as MkDocs lets this one for a moment only."""
    folder = str(pathlib.Path(__file__).parent)
    sys.path.append(folder)
    try:
        yield
    finally:
        sys.path.remove(folder)


def on_startup(command, dirty):
    """Remembers whether the site is built or served."""
    global _command
    _command = command


def on_config(config):
    """Lists the examples in the navigation, after the first part."""
    pages = [{title(path): f"examples/{path.stem}.md"} for path in scripts()]
    config.nav.insert(1, {"Examples": [{"All examples": "examples.md"}, *pages]})
    return config


def on_files(files, config):
    """Adds the pages of the examples with their pictures."""
    if _SAID.get(os.environ.get("TFVAE_DRAW_EXAMPLES", ""), _command == "build"):
        draw()
    for path in scripts():
        text, pictures = page(path)
        files.append(File.generated(config, f"examples/{path.stem}.md", content=text))
        book = f"examples/{path.stem}.ipynb"
        files.append(File.generated(config, book, content=notebook(path)))
        for name, content in pictures.items():
            files.append(File.generated(config, f"examples/{name}", content=content))
    return files


def on_page_markdown(markdown, page, config, files):
    """Lists the examples where a page asks for it: the title, and the sentence below it."""
    if _INDEX not in markdown:
        return markdown
    return markdown.replace(_INDEX, "\n".join(map(_row, scripts())))


def title(path):
    """Returns the title of an example."""
    return _opening(path)[0]


def _row(path):
    heading, words = _opening(path)
    return f"- [{heading}](../examples/{path.name}): {words}"


def _opening(path):
    """Returns the title of an example and the paragraph below it."""
    is_words, words = cells(path.read_text(encoding="utf-8"))[0]
    heading, _, rest = words.partition("\n")
    if not is_words or not heading.startswith("# "):
        raise PluginError(f"{path.name} begins with no cell of words that begins with a title")
    return heading[2:], " ".join(rest.strip().split("\n\n")[0].split())


def _fenced(text, language):
    return f"```{language}\n{text}\n```"


def _place(path):
    """Returns the folder for what a script leaves, by its content and the package's."""
    found = hashlib.sha256(path.read_bytes())
    found.update(_of_sources())
    return CACHE / f"{path.stem}-{found.hexdigest()[:16]}"


@functools.cache
def _of_sources():
    """Returns a hash of the package's sources, and of what runs the scripts."""
    found = hashlib.sha256()
    for module in (__file__, script_runner.__file__):
        found.update(pathlib.Path(module).read_bytes())
    files = (path for folder in SOURCES for path in sorted(folder.rglob("*")))
    for path in files:
        if path.is_file() and "__pycache__" not in path.parts and path.suffix != ".md":
            found.update(str(path.relative_to(ROOT)).encode() + b"\0" + path.read_bytes())
    return found.digest()


def _emptied(path):
    """Returns a new folder for what a script leaves, in place of what it left before."""
    for earlier in CACHE.glob(f"{path.stem}-{'[0-9a-f]' * 16}"):
        shutil.rmtree(earlier)
    folder = _place(path)
    folder.mkdir(parents=True)
    return folder
