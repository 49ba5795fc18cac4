"""The looks of the charts of the page, and the parts that several of them have."""

from __future__ import annotations

import math
from collections.abc import Sequence
from html import escape
from typing import Any

import plotly.graph_objects as go

from harness.report.contents import (
    COLOURS,
    MANY,
    fitting_limits,
    limit_label,
    short,
    thinned,
    unit_s,
)
from harness.report.material import Material
from harness.report.palette import LIGHT
from harness.runfolder import Objective

LINES = {"p50_ms": "solid", "p95_ms": "dash", "p99_ms": "dot"}
NO_HOVER: dict[str, Any] = {"hoverinfo": "skip", "hovertemplate": None}
LEGEND = {
    **{"orientation": "h", "x": 0, "xanchor": "left", "yanchor": "bottom", "entrywidth": 0},
    **{"bgcolor": "rgba(0,0,0,0)", "itemsizing": "trace"},
}


def line_of(
    x: Sequence[float],
    y: Sequence[float | None],
    name: str,
    colour: str,
    dash: str,
    hover: str,
) -> go.Scatter:
    """Return a line; a point alone is one too."""
    return go.Scatter(
        x=[rounded(value) for value in x],
        y=[rounded(value) for value in y],
        name=name,
        mode="lines" if len(x) > 1 else "markers",
        line={"color": colour, "dash": dash, "width": 2 if len(x) <= MANY else 1},
        hovertemplate=f"{hover}<extra>%{{fullData.name}}</extra>",
    )


def draw_limits(figure: go.Figure, material: Material, keys: Sequence[str], row: int) -> None:
    """Draw the objectives of all requests that leave the lines readable."""
    traces = [each for each in figure.data if each.yaxis == f"y{row if row > 1 else ''}"]
    highest = max((value for each in traces for value in each.y if value is not None), default=0)
    ends = [0, (material.points[-1].at_s + material.width_s) / unit_s(material)]
    fitting, above = fitting_limits(material, keys, highest)
    for objective in fitting:
        limits: list[float | None] = [objective.limit] * 2
        line = line_of(ends, limits, limit_label(objective), colour_of(objective), "dot", "")
        line.update(line={"width": 1.5}, **NO_HOVER)
        figure.add_trace(line, row, 1)
    if above:
        figure.add_trace(line_of(ends, [None, None], above, LIGHT.muted, "dot", ""), row, 1)


def draw_bands(figure: go.Figure, material: Material, rows: int) -> None:
    """Shade the steady state behind all charts, and name the shade once."""
    if not material.bands:
        return
    figure.add_trace(
        go.Scatter(
            x=[None],
            y=[None],
            mode="markers",
            name="steady state",
            marker={
                **{"symbol": "square", "size": 12, "color": LIGHT.band},
                "line": {"width": 1, "color": LIGHT.muted},
            },
            **NO_HOVER,
        ),
        rows,
        1,
    )
    unit = unit_s(material)
    for band in material.bands:
        figure.add_shape(
            type="rect",
            xref="x",
            yref="paper",
            **{"x0": band.first_s / unit, "x1": band.end_s / unit, "y0": 0, "y1": 1},
            **{"fillcolor": LIGHT.band, "line": {"width": 0}, "layer": "below"},
        )


def time_axis(figure: go.Figure, material: Material, row: int | None) -> None:
    """Show seconds or minutes since the start; below the last row, what a point stands for."""
    unit = "seconds" if unit_s(material) == 1 else "minutes"
    title = f"{unit} since the start" + ("" if row is None else thinned(material))
    place = {} if row is None else {"row": row, "col": 1}
    figure.update_xaxes(title_text=title, **place)
    end = (material.points[-1].at_s + material.width_s) / unit_s(material)
    figure.update_xaxes(range=[0, end], zeroline=False)
    figure.update_xaxes(unifiedhovertitle={"text": f"%{{x:.4~g}} {unit}"})


def logarithmic_ms(update: Any, values: Sequence[float], fine_decades: float = 3.2) -> None:
    """Give an axis for these values room at both ends, and as many ticks as stay apart."""
    low, high = math.log10(min(values)), math.log10(max(values))
    margin = max((high - low) * 0.04, 0.02)
    update(
        type="log",
        title_text="ms, logarithmic",
        range=[low - margin, high + margin],
        dtick="D2" if high - low < fine_decades else 1,
        tickformat=",~g",
    )


def with_legends(figure: go.Figure, rows: int) -> go.Figure:
    """Give each of several charts in a figure its own legend, above it."""
    for trace in figure.data:
        trace.legend = f"legend{trace.yaxis[1:]}"
    for row in range(2, rows + 1):
        top = figure.layout[f"yaxis{row}"].domain[1]
        figure.update_layout({f"legend{row}": {**LEGEND, "y": top}})
    return figure.update_layout(legend={"y": 1.0})


def finished(figure: go.Figure, hovermode: str) -> go.Figure:
    """Give a figure the looks that all have."""
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
            "namelength": -1,
        },
        legend={**LEGEND, "y": 1.01},
        margin={"l": 8, "r": 8, "t": 30, "b": 8},
        separators=".\N{NARROW NO-BREAK SPACE}",
    )
    axis = {"gridcolor": LIGHT.grid, "linecolor": LIGHT.muted, "automargin": True}
    figure.update_xaxes(**axis, zeroline=False, ticks="outside", tickcolor=LIGHT.muted)
    figure.update_yaxes(**axis, zeroline=False)
    return figure


def json_of(figure: go.Figure) -> str:
    """Return a figure as the page draws it; a wrong one raises here, and not in the browser."""
    text: str = figure.to_json(validate=True, pretty=False, remove_uids=True)
    return text


def colour_of(objective: Objective) -> str:
    """Return the colour of the percentile that an objective limits."""
    return COLOURS.get(objective.key, LIGHT.good)


def name_of(text: str) -> str:
    """Return a name as plotly shows it: it takes a few HTML tags, which no name may bring in."""
    return escape(short(text), quote=False)


def rounded(value: float | None) -> float | None:
    """Return a value with five digits: the page grows by what nobody sees."""
    return None if value is None else float(f"{value:.5g}")
