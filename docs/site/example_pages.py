"""Makes a page of each script in `examples/`: its words, its code, and the pictures it drew.

The scripts are in the percent format of Jupytext: a cell begins with `# %%`, a cell of words with
`# %% [markdown]`. `TFVAE_DRAW_EXAMPLES=1 mkdocs build --strict` runs each script that was changed
since it last ran, in `.docs_cache/`, and shows what it printed and drew. Without the variable the
page shows what is there of an earlier run, and else the code alone.
"""

import hashlib
import os
import re
import subprocess
import sys

from mkdocs.exceptions import PluginError
from mkdocs.structure.files import File
from repository_links import ROOT

EXAMPLES = ROOT / "examples"
_CACHE = ROOT / ".docs_cache" / "examples"
_LAST_LINES = 40
_INDEX = "<!-- examples -->"


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
    folder = _run(path, text)
    parts = [body if is_words else _fenced(body, "python") for is_words, body in cells(text)]
    parts.append(f"`python examples/{path.name}` runs it.")
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


def on_config(config):
    """Lists the examples in the navigation, after the first part."""
    pages = [{title(path): f"examples/{path.stem}.md"} for path in scripts()]
    config.nav.insert(1, {"Examples": [{"All examples": "examples.md"}, *pages]})
    return config


def on_files(files, config):
    """Adds the pages of the examples with their pictures."""
    for path in scripts():
        text, pictures = page(path)
        files.append(File.generated(config, f"examples/{path.stem}.md", content=text))
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


def _run(path, text):
    """Returns the folder of what a script left, or None if it did not run as it is now."""
    digest = hashlib.sha256(text.encode()).hexdigest()[:16]
    folder = _CACHE / f"{path.stem}-{digest}"
    if (folder / "output").is_file():
        return folder
    if not os.environ.get("TFVAE_DRAW_EXAMPLES"):
        return None

    folder.mkdir(parents=True, exist_ok=True)
    environment = {**os.environ, "MPLBACKEND": "Agg", "TF_CPP_MIN_LOG_LEVEL": "3"}
    done = subprocess.run(
        [sys.executable, str(path)],
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        raise PluginError(f"{path.name} ended with status {done.returncode}:\n{done.stderr}")
    (folder / "output").write_text(done.stdout, encoding="utf-8")
    return folder
