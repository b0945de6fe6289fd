"""Draws the pictures of the pages: each script in `docs/pictures/` defines `figure()`.

`docs/pictures/NAME.py` is `pictures/NAME.svg` on the site, in a page `![words](pictures/NAME.svg)`.
"""

import io
import runpy

from mkdocs.structure.files import File
from repository_links import ROOT

FOLDER = ROOT / "docs" / "pictures"


def drawn(path):
    """Returns the SVG that a script draws, as bytes."""
    import matplotlib as mpl

    mpl.use("Agg")
    from matplotlib import pyplot

    figure = runpy.run_path(str(path))["figure"]()
    content = io.BytesIO()
    figure.savefig(content, format="svg", bbox_inches="tight", metadata={"Date": None})
    pyplot.close(figure)
    return content.getvalue()


def on_files(files, config):
    """Adds the pictures."""
    for path in sorted(FOLDER.glob("*.py")):
        place = f"pictures/{path.stem}.svg"
        files.append(File.generated(config, place, content=drawn(path)))
    return files
