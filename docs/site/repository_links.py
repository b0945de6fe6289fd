"""Lets the pages link to each other as files of the repository, and as pages of the site.

A link such as `../export/README.md` is right where the repository is read. On the site it leads to
the page made of that file, to a copy of that picture, or, where a file has neither, nowhere: its
words stay, in the type of code.
"""

import posixpath
import re
from pathlib import Path

from mkdocs.structure.files import File

ROOT = Path(__file__).parents[2]
# The pages that are files elsewhere, by their place on the site.
OUTSIDE = {
    "app_developers.md": "export/README.md",
    "way_of_a_batch.md": "tfvae/training/README.md",
    "benchmarks.md": "tests/benchmarks/README.md",
    "contributing.md": ".github/CONTRIBUTING.md",
    "security.md": "SECURITY.md",
    "changelog.md": "CHANGELOG.md",
}
_IMAGES = ".github/images/"
_LINK = re.compile(r"(?P<image>!?)\[(?P<words>[^\]]*)\]\((?P<to>[^)\s]+)\)")


def on_files(files, config):
    """Adds the pictures of the repository."""
    for path in sorted((ROOT / _IMAGES).iterdir()):
        files.append(File.generated(config, f"images/{path.name}", content=path.read_bytes()))
    return files


def on_page_markdown(markdown, page, config, files):
    """Rewrites the links of a page."""
    place = page.file.src_uri
    source = OUTSIDE.get(place, f"docs/{place}")

    def rewritten(match):
        to, _, anchor = match["to"].partition("#")
        if "://" in to or to.startswith("mailto:") or not to:
            return match[0]
        found = site_place(posixpath.normpath(posixpath.join(posixpath.dirname(source), to)))
        if found is None:
            return f"`{match['words'].strip('`')}`"
        relative = posixpath.relpath(found, posixpath.dirname(place) or ".")
        end = f"#{anchor}" if anchor else ""
        return f"{match['image']}[{match['words']}]({relative}{end})"

    parts = re.split(r"(```.*?```)", markdown, flags=re.DOTALL)
    parts[::2] = [_LINK.sub(rewritten, part) for part in parts[::2]]
    return "".join(parts)


def site_place(path):
    """Returns where a file of the repository is on the site, or None.

    Args:
        path: the path of the file within the repository.
    """
    places = {source: place for place, source in OUTSIDE.items()}
    if path in places:
        return places[path]
    if path.startswith(_IMAGES):
        return "images/" + path.removeprefix(_IMAGES)
    if path.startswith("examples/") and path.endswith(".py"):
        return path.removesuffix(".py") + ".md"
    if not (ROOT / path).exists() and not path.startswith("docs/"):
        raise ValueError(f"a link to {path}, which is no file of the repository")
    return path.removeprefix("docs/") if path.startswith("docs/") else None
