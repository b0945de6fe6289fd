"""Makes figures that need no display, in colours that can be told apart on black and on white."""

import functools
import io
import re
import warnings
from collections.abc import Callable, Sized
from typing import TYPE_CHECKING, Any, ParamSpec, TypeVar

from tfvae.errors import invalid

if TYPE_CHECKING:
    import numpy as np
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

# Each has a contrast of 3 and more with white and with the page's darkest paper.
COLOURS = (
    "#2f7ed8", "#d9622b", "#2f9e5f", "#9a63d1", "#d1497f",
    "#1f98a5", "#a08420", "#7b8494", "#d84f4f", "#6a8f2a",
)  # fmt: skip
INK = "#1b1f27"  # of text and axes; an SVG has the colour of the page's text in its place
QUIET = "#7b8494"

_STYLE = {
    "axes.edgecolor": INK,
    "axes.grid": True,
    "axes.labelcolor": INK,
    "axes.labelsize": 9,
    "axes.linewidth": 0.8,
    "axes.spines.right": False,
    "axes.spines.top": False,
    "axes.titlelocation": "left",
    "axes.titlesize": 10,
    "font.family": "DejaVu Sans",  # Matplotlib brings it
    "font.size": 9,
    "grid.alpha": 0.14,
    "grid.color": INK,
    "grid.linewidth": 0.8,
    "image.composite_image": False,
    "legend.fontsize": 8,
    "legend.frameon": False,
    "lines.linewidth": 1.6,
    "svg.fonttype": "none",
    "text.color": INK,
    "text.parse_math": False,  # names of columns and labels may have $
    "xtick.color": INK,
    "xtick.labelsize": 8,
    "ytick.color": INK,
    "ytick.labelsize": 8,
}

_Parameters = ParamSpec("_Parameters")
_Result = TypeVar("_Result")


def styled(function: Callable[_Parameters, _Result]) -> Callable[_Parameters, _Result]:
    """Returns a function that draws in the style of this package, and leaves Matplotlib's.

    Args:
        function: draws, or writes a figure.

    Raises:
        InputError: Matplotlib is not installed, when the function is called.
    """

    @functools.wraps(function)
    def drawn(*arguments: _Parameters.args, **options: _Parameters.kwargs) -> _Result:
        with _matplotlib().rc_context(_STYLE):
            return function(*arguments, **options)

    return drawn


def new(
    rows: int = 1, columns: int = 1, size: tuple[float, float] = (4.6, 3.1), **options: Any
) -> "tuple[Figure, np.ndarray]":
    """Returns an empty figure and its axes.

    Args:
        rows: rows of axes.
        columns: columns of axes.
        size: width and height of each of them, in inches.
        **options: as `Figure.subplots`.

    Returns:
        The figure, and its axes, flat `[rows * columns]`.
    """
    from matplotlib.figure import Figure

    width, height = size
    figure = Figure((width * columns, height * rows), layout="constrained", facecolor="none")
    axes = figure.subplots(rows, columns, squeeze=False, **options).ravel()
    for each in axes:
        each.set_facecolor("none")
    return figure, axes


def exact(
    width: float, height: float, left: float = 0.0, top: float = 0.0
) -> "tuple[Figure, Axes]":
    """Returns an empty figure with axes of an exact size.

    Args:
        width: width of the axes, in inches.
        height: their height.
        left: room left of them.
        top: room above them.
    """
    from matplotlib.figure import Figure

    whole = (width + left, height + top)
    figure = Figure(whole, facecolor="none")
    place = (left / whole[0], 0.0, width / whole[0], height / whole[1])
    return figure, figure.add_axes(place, facecolor="none")


def bare(axes: "Axes") -> None:
    """Takes ticks, frame and grid away from axes that hold examples."""
    axes.grid(visible=False)
    axes.set_xticks([])
    axes.set_yticks([])
    for spine in axes.spines.values():
        spine.set_visible(False)


def plain_ticks(axis: Any) -> None:
    """Gives the ticks of a scale of logarithms plain numbers.

    Args:
        axis: such as `axes.xaxis`.
    """
    from matplotlib.ticker import NullFormatter, StrMethodFormatter

    axis.set_major_formatter(StrMethodFormatter("{x:g}"))
    axis.set_minor_formatter(NullFormatter())


def whole_ticks(axis: Any) -> None:
    """Lets an axis have ticks at whole numbers alone.

    Args:
        axis: such as `axes.xaxis`.
    """
    from matplotlib.ticker import MaxNLocator

    axis.set_major_locator(MaxNLocator(integer=True, nbins="auto"))


@styled
def to_svg(figure: "Figure", name: str = "figure") -> str:
    """Returns a figure as an SVG element to lie in an HTML page.

    Text and axes take the colour of the page's text, so that it is legible on dark paper as well.

    Args:
        figure: a figure of this package.
        name: a word that no other figure of the page has; the names within the SVG begin with it.
    """
    file = io.StringIO()
    nothing = {"Creator": None, "Date": None, "Format": None, "Type": None}
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Glyph")  # the browser's fonts have them
        figure.savefig(file, format="svg", metadata=nothing)
    svg = file.getvalue()
    svg = svg[svg.index("<svg") :]
    svg = re.sub(r' xmlns(:xlink)?="[^"]*"', "", svg).replace(INK, "currentColor")
    svg = re.sub(r'\bid="', f'id="{name}-', svg)
    return re.sub(r'(url\(|href=")#', rf"\1#{name}-", svg)


def few(values: Sized, most: int, what: str, fix: str) -> None:
    """Refuses more values than a figure can show.

    Args:
        values: the values.
        most: how many it can.
        what: what they are, in words.
        fix: what to do, an imperative sentence.

    Raises:
        InputError: more of them.
    """
    if len(values) > most:
        raise invalid(f"at most {most} {what}", f"{len(values)}", fix)


def _matplotlib():
    try:
        import matplotlib
    except ModuleNotFoundError as error:
        fix = "pip install 'tfvae[app]'"
        raise invalid("Matplotlib, which draws figures", "it is not installed", fix) from error
    return matplotlib
