"""How all PNG charts look: style, axes, legend and fonts; the same in comparisons.

Figures are created directly and not by pyplot, which has global state and may look for a display.
"""

from __future__ import annotations

import importlib.util
import io
import math
from functools import cache
from pathlib import Path
from typing import Any

from matplotlib import font_manager
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter

from harness.report.charts.palette import LIGHT
from harness.results.formatting import number

DPI = 120
TICKS_S = (1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 14_400, 28_800, 86_400)
"""Distances between the ticks of a time axis."""
DASHES: dict[str, Any] = {
    "solid": "-",
    "dash": (0, (5, 1.5)),
    "dot": (0, (1.2, 1.2)),
    "dashdot": (0, (6, 1.5, 1.2, 1.5)),
}
STYLE = {
    "axes.axisbelow": True,
    "axes.edgecolor": LIGHT.muted,
    "axes.grid": True,
    "axes.labelcolor": LIGHT.text,
    "axes.spines.right": False,
    "axes.spines.top": False,
    "axes.titlelocation": "left",
    "axes.titlesize": 11,
    "axes.unicode_minus": False,
    "font.family": ["DejaVu Sans", "NanumGothic"],
    "font.size": 9,
    "grid.color": LIGHT.grid,
    "grid.linewidth": 0.7,
    "legend.fontsize": 8.5,
    "legend.frameon": False,
    "text.color": LIGHT.text,
    "text.parse_math": False,  # two dollar signs in a name would enclose a formula
    "xtick.color": LIGHT.muted,
    "xtick.labelcolor": LIGHT.text,
    "ytick.color": LIGHT.muted,
    "ytick.labelcolor": LIGHT.text,
}


def legend_above(axes: Any) -> None:
    """Put the legend above the chart, to the right of its title."""
    axes.legend(
        loc="lower right",
        bbox_to_anchor=(1, 0.99),
        ncols=5,
        borderaxespad=0.1,
        columnspacing=1.3,
        handlelength=1.9,
        handletextpad=0.6,
    )


def numbers(axis: Any) -> None:
    """Format the numbers of an axis as the tables do."""
    axis.set_major_formatter(FuncFormatter(lambda value, _: number(value)))


def plain_logarithm(axis: Any) -> None:
    """Label a logarithmic axis with plain numbers, such as 0.5, 20 and 1,000.

    Call it when everything is drawn: the ticks depend on the range.
    """
    low, high = axis.get_view_interval()
    wide = math.log10(high / low) > 2.2
    subs = (1.0,) if wide else (1.0, 2.0, 5.0)
    # More ticks than decades, or the locator leaves some decades out.
    axis.get_major_locator().set_params(subs=subs, numticks=20)
    numbers(axis)
    axis.set_minor_formatter(FuncFormatter(lambda value, _: ""))


def no_samples(axes: Any, words: str = "no samples") -> None:
    """Write across a chart that there is nothing to draw."""
    middle = {"transform": axes.transAxes, "ha": "center", "va": "center"}
    axes.text(0.5, 0.5, words, color=LIGHT.muted, fontsize=14, **middle)


def empty_figure(width: float, height: float) -> Figure:
    """Return a figure of this size in inches, on a canvas that needs no display."""
    figure = Figure(figsize=(width, height), layout="constrained", facecolor=LIGHT.paper)
    FigureCanvasAgg(figure)
    return figure


def png_of(figure: Figure) -> bytes:
    """Return a figure as PNG."""
    stream = io.BytesIO()
    # Without matplotlib's version, so that the same run gives the same bytes.
    figure.savefig(stream, format="png", dpi=DPI, metadata={"Software": None})
    return stream.getvalue()


@cache
def add_hangul() -> None:
    """Register the font NanumGothic. Importing its package would change global styles."""
    package = importlib.util.find_spec("koreanize_matplotlib")
    assert package is not None and package.origin is not None
    fonts = Path(package.origin).parent / "fonts"
    font_manager.fontManager.addfont(str(fonts / "NanumGothic.ttf"))
