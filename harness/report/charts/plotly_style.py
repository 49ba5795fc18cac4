"""How all charts of a page look: lines, hover text, axes and legend; the same in comparisons."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import plotly.graph_objects as go

from harness.report.charts import content
from harness.report.charts.palette import LIGHT

# A hover template would override `hoverinfo`.
NO_HOVER: dict[str, Any] = {"hoverinfo": "skip", "hovertemplate": None}
LEGEND = {
    "orientation": "h",
    "x": 0,
    "xanchor": "left",
    "yanchor": "bottom",
    "entrywidth": 0,
    "bgcolor": "rgba(0,0,0,0)",
    "itemsizing": "trace",
}


def line_of(
    x: Sequence[float],
    y: Sequence[float | None],
    name: str,
    colour: str,
    dash: str,
    hover: str,
) -> go.Scatter:
    """Return a line; of a single point a marker, since a line needs two."""
    return go.Scatter(
        x=[rounded(value) for value in x],
        y=[rounded(value) for value in y],
        name=name,
        mode="lines" if len(x) > 1 else "markers",
        line={
            "color": colour,
            "dash": dash,
            "width": 2 if len(x) <= content.THIN_LINE_POINTS else 1,
        },
        hovertemplate=f"{hover}<extra>%{{fullData.name}}</extra>",
    )


def swatch(name: str) -> go.Scatter:
    """Return a trace without points that explains the shaded band in the legend."""
    return go.Scatter(
        x=[None],
        y=[None],
        mode="markers",
        name=name,
        marker={
            "symbol": "square",
            "size": 12,
            "color": LIGHT.band,
            "line": {"width": 1, "color": LIGHT.muted},
        },
        **NO_HOVER,
    )


def logarithmic_ms(update: Any, values: Sequence[float], fine_decades: float = 3.2) -> None:
    """Set up a logarithmic axis for these values, with margins and readable ticks.

    Over fewer than `fine_decades` the ticks are at 1, 2 and 5, else at powers of ten.
    """
    low, high = math.log10(min(values)), math.log10(max(values))
    margin = max((high - low) * 0.04, 0.02)  # not 0 if all values are equal
    update(
        type="log",
        title_text="ms, logarithmic",
        range=[low - margin, high + margin],
        dtick="D2" if high - low < fine_decades else 1,
        tickformat=",~g",
    )


def finished(figure: go.Figure, hovermode: str) -> go.Figure:
    """Give a figure the style that all share."""
    figure.update_layout(
        template="none",
        autosize=True,
        hovermode=hovermode,
        hoverdistance=30,
        paper_bgcolor=LIGHT.paper,
        plot_bgcolor="rgba(0,0,0,0)",
        font={"family": "system-ui, sans-serif", "size": 12, "color": LIGHT.text},
        hoverlabel={
            "bgcolor": LIGHT.paper,
            "bordercolor": LIGHT.muted,
            "font": {"color": LIGHT.text},
            "namelength": -1,  # the whole name
        },
        legend={**LEGEND, "y": 1.01},
        margin={"l": 8, "r": 8, "t": 30, "b": 8},
        separators=".,",
    )
    axis = {"gridcolor": LIGHT.grid, "linecolor": LIGHT.muted, "automargin": True}
    number = {"separatethousands": True, "exponentformat": "none", "zeroline": False}
    figure.update_xaxes(**axis, **number, ticks="outside", tickcolor=LIGHT.muted)
    figure.update_yaxes(**axis, **number)
    return figure


def json_of(figure: go.Figure) -> str:
    """Return a figure as JSON, validated: a wrong one raises here and not in the browser."""
    text: str = figure.to_json(validate=True, pretty=False, remove_uids=True)
    return text


def rounded(value: float | None) -> float | None:
    """Round a value to five digits; more would only make the page larger."""
    return None if value is None else float(f"{value:.5g}")
