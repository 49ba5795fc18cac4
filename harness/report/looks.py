"""The looks of the PNG files, and the parts that several of them have."""

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

from harness.report import wording
from harness.report.contents import unit_s
from harness.report.material import Material
from harness.report.palette import LIGHT

DPI = 120
TICKS_S = (1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 14_400, 28_800, 86_400)
STYLE = {
    "axes.axisbelow": True,
    "axes.edgecolor": LIGHT.muted,
    "axes.grid": True,
    "axes.labelcolor": LIGHT.text,
    "axes.linewidth": 0.8,
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
    "text.parse_math": False,  # a name may hold two dollar signs
    "xtick.color": LIGHT.muted,
    "xtick.labelcolor": LIGHT.text,
    "ytick.color": LIGHT.muted,
    "ytick.labelcolor": LIGHT.text,
}


def legend_above(axes: Any) -> None:
    """Name the lines above the chart, on the right of its title."""
    axes.legend(
        loc="lower right",
        bbox_to_anchor=(1, 0.99),
        ncols=5,
        borderaxespad=0.1,
        columnspacing=1.3,
        handlelength=1.9,
        handletextpad=0.6,
    )


def time_axis(axes: Any, material: Material, remark: str = "") -> None:
    """Show seconds or minutes since the start."""
    end_s = max(material.points[-1].at_s + material.width_s if material.points else 0, 1)
    axes.set_xlim(0, end_s)
    step = next((each for each in TICKS_S if end_s <= each * 10), TICKS_S[-1])
    axes.set_xticks(range(0, end_s + 1, step))
    unit = unit_s(material)
    axes.xaxis.set_major_formatter(FuncFormatter(lambda at, _: f"{at / unit:g}"))
    label = f"{'seconds' if unit == 1 else 'minutes'} since the start"
    axes.set_xlabel(label + remark)


def plain_logarithm(axis: Any) -> None:
    """Write 0.5, 20 and 1 000 on an axis, as many as a few decades leave room for."""
    low, high = axis.get_view_interval()
    wide = math.log10(high / low) > 2.2
    subs = (1.0,) if wide else (1.0, 2.0, 5.0)
    axis.get_major_locator().set_params(subs=subs, numticks=20)
    axis.set_major_formatter(FuncFormatter(lambda value, _: wording.number(value)))
    axis.set_minor_formatter(FuncFormatter(lambda value, _: ""))


def no_samples(axes: Any, words: str = "no samples") -> None:
    """Say that there is nothing to draw."""
    axes.text(
        *(0.5, 0.5, words),
        **{"transform": axes.transAxes, "ha": "center", "va": "center"},
        **{"color": LIGHT.muted, "fontsize": 14},
    )


def empty_figure(width: float, height: float) -> Figure:
    """Return a figure of so many inches, on a canvas that needs no display."""
    figure = Figure(figsize=(width, height), layout="constrained", facecolor=LIGHT.paper)
    FigureCanvasAgg(figure)
    return figure


def png_of(figure: Figure) -> bytes:
    """Return a figure as PNG."""
    stream = io.BytesIO()
    # Without the name of the software: the same run gives the same bytes.
    figure.savefig(stream, format="png", dpi=DPI, metadata={"Software": None})
    return stream.getvalue()


@cache
def add_hangul() -> None:
    """Make NanumGothic known: the font alone, since the package's own code sets global styles."""
    package = importlib.util.find_spec("koreanize_matplotlib")
    assert package is not None and package.origin is not None
    fonts = Path(package.origin).parent / "fonts"
    font_manager.fontManager.addfont(str(fonts / "NanumGothic.ttf"))
