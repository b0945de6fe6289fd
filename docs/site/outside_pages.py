"""Makes pages of Markdown files that lie elsewhere in the repository."""

from mkdocs.structure.files import File
from repository_links import OUTSIDE, ROOT


def on_files(files, config):
    """Adds the pages, each as its file is."""
    for place, source in OUTSIDE.items():
        text = (ROOT / source).read_text(encoding="utf-8")
        files.append(File.generated(config, place, content=text))
    return files
