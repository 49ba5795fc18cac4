"""The charts of the page, which say their numbers under the pointer; by plotly.

They are made in the light colours; the page puts the dark ones in their place where it is dark.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from html import escape
from typing import Any

import plotly.graph_objects as go
from plotly.subplots import make_subplots

from harness.formatting import count, time_ms, width
from harness.report import contents
from harness.report.contents import COLOURS, Panel, colour_of, limit_label
from harness.report.material import Material
from harness.report.palette import LIGHT
from harness.report.scaffold import Plot
from harness.rows import name_of
from harness.runfolder import Objective

SYMBOLS = {"p50_ms": "circle", "p95_ms": "square", "p99_ms": "diamond", "max_ms": "line-ns"}
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


def plots(material: Material) -> list[Plot]:
    """Return the charts of a run; none when nothing was measured."""
    if not material.distributions:
        return []
    stretch, total = material.stretch, material.summary.total
    figures = total.steady if total.steady and total.steady.requests else total.whole_run
    said = (
        f"median {time_ms(figures.p50_ms)} ms, p95 {time_ms(figures.p95_ms)} ms, "
        f"p99 {time_ms(figures.p99_ms)} ms"
    )
    return [
        Plot(
            id="over-time",
            title="Over time",
            description="Line charts over time: requests and failures per second "
            f"({figures.requests_per_s:,.1f} requests/s on average), median and 95th percentile "
            f"of the response times, and users. The {stretch}: {said}.",
            height_px=620,
            figure=json_of(_panels(material, contents.OVER_TIME, 0.12)),
        ),
        Plot(
            id="distribution",
            title=f"Response times by percentile, {stretch}",
            description=f"Line chart of response times up to the 99.99th percentile: {said}.",
            height_px=440,
            figure=json_of(_distribution(material)),
        ),
        Plot(
            id="heat-map",
            title="Response times of all requests over time",
            description="Heat map: how many requests took how long, over time.",
            height_px=400,
            figure=json_of(_heat_map(material)),
        ),
        Plot(
            id="by-endpoint",
            title=f"Response times by endpoint, {stretch}",
            description="Median, p95, p99 and maximum of each endpoint; the same numbers are in "
            "the table of endpoints.",
            height_px=110 + 40 * len(contents.rows_of(material)),
            figure=json_of(_by_endpoint(material)),
        ),
        Plot(
            id="health",
            title="The generator over time",
            description="CPU of the generator in percent of a core, and how late its event loop "
            "was in ms, over time; the table has both.",
            height_px=360,
            figure=json_of(_panels(material, contents.HEALTH, 0.16)),
        ),
    ]


def _panels(material: Material, panels: Sequence[Panel], spacing: float) -> go.Figure:
    """Draw charts over time one above the other, each with its own legend."""
    rows, (unit_s, _) = len(panels), contents.unit(material)
    figure = make_subplots(rows=rows, shared_xaxes=True, vertical_spacing=spacing)
    at = [point.at_s / unit_s for point in material.points]
    for row, panel in enumerate(panels, 1):
        for each in panel.lines:
            values = each.values(material)
            line = line_of(at, values, each.name, each.colour, each.dash, each.hover)
            figure.add_trace(line, row, 1)
        fitting, above = contents.fitting_limits(material, panel)
        for objective in fitting:
            limit = limit_of(objective, material, "dot").update(line={"width": 1.5})
            figure.add_trace(limit, row, 1)
        if above:
            figure.add_trace(line_of([0, 0], [None, None], above, LIGHT.muted, "dot", ""), row, 1)
        figure.update_yaxes(title_text=panel.unit, rangemode="tozero", row=row, col=1)
    if material.bands:
        figure.add_trace(swatch("steady state"), rows, 1)
    for first_s, end_s in material.bands:
        figure.add_shape(
            type="rect",
            xref="x",
            yref="paper",
            x0=first_s / unit_s,
            x1=end_s / unit_s,
            y0=0,
            y1=1,
            fillcolor=LIGHT.band,
            line={"width": 0},
            layer="below",
        )
    title = _time_axis(figure, material) + contents.thinned(material)
    figure.update_xaxes(title_text=title, row=rows, col=1)
    finished(figure, hovermode="x unified")
    for trace in figure.data:
        trace.legend = f"legend{trace.yaxis[1:]}"
    for row in range(2, rows + 1):
        top = figure.layout[f"yaxis{row}"].domain[1]
        figure.update_layout({f"legend{row}": {**LEGEND, "y": top}})
    return figure.update_layout(legend={"y": 1.0})


def _time_axis(figure: go.Figure, material: Material) -> str:
    """Show seconds or minutes on the time axis; return its title."""
    unit_s, unit = contents.unit(material)
    figure.update_xaxes(
        range=[0, contents.end_s(material) / unit_s],
        unifiedhovertitle={"text": f"%{{x:.4~g}} {unit}"},
    )
    return f"{unit} since the start"


def _distribution(material: Material) -> go.Figure:
    figure = go.Figure()
    for place, (scope, curve) in enumerate(material.distributions.items()):
        shares, times_ms = zip(*curve, strict=True)
        over = [contents.over(share) for share in shares]
        hover = "%{customdata} %: %{y:,.3~r} ms"
        line = line_of(over, times_ms, _name(scope), *contents.look_of(place), hover)
        line.line.width = 1.6 if place else 3
        line.customdata = [f"{share * 100:.4g}" for share in shares]
        figure.add_trace(line)
    for at, objective in contents.percentile_limits(material):
        figure.add_trace(
            go.Scatter(
                x=[at],
                y=[objective.limit],
                mode="markers",
                marker={"symbol": "triangle-down", "size": 12, "color": colour_of(objective)},
                name=limit_label(objective),
                hovertemplate="%{fullData.name}<extra></extra>",
            )
        )
    figure.update_xaxes(
        type="log",
        range=[0, 4.03],
        tickvals=list(contents.TICKS),
        ticktext=list(contents.TICKS.values()),
        title_text="percentile",
    )
    shown = [value for trace in figure.data for value in trace.y if value]
    logarithmic_ms(figure.update_yaxes, shown)
    return finished(figure, hovermode="closest").update_layout(margin={"r": 28})


def _heat_map(material: Material) -> go.Figure:
    found, (unit_s, unit) = material.heat_map, contents.unit(material)
    most = max(max(row) for row in found.counts)
    ticks = [each for each in (1, 3, 10, 30, 100, 300, 1000, 3000, 10**4, 10**5) if each <= most]
    colours = LIGHT.heat[1:]
    figure = go.Figure(
        go.Heatmap(
            x=[rounded(at_s / unit_s) for at_s in found.columns_s],
            y=[rounded(edge) for edge in found.edges_ms],
            z=[[math.log10(n) if n else None for n in row] for row in found.counts],
            customdata=found.counts,
            zmin=0,
            zmax=max(math.log10(most), 0.3),
            colorscale=[[n / (len(colours) - 1), colour] for n, colour in enumerate(colours)],
            colorbar={
                "title": {"text": f"requests per {width(found.width_s)}", "side": "right"},
                "tickvals": [math.log10(tick) for tick in ticks],
                "ticktext": [count(tick) for tick in ticks],
                "thickness": 12,
                "outlinewidth": 0,
            },
            hovertemplate="%{customdata:,} requests<br>about %{y:,.3~r} ms<br>at %{x:.4~g} "
            f"{unit}<extra></extra>",
            hoverongaps=False,
        )
    )
    limits = contents.heat_limits(material)
    for objective in limits:
        figure.add_trace(limit_of(objective, material, "dash").update(showlegend=True))
    figure.update_xaxes(title_text=_time_axis(figure, material), showgrid=False)
    shown = [found.edges_ms[0], found.edges_ms[-1], *(each.limit for each in limits)]
    logarithmic_ms(figure.update_yaxes, shown)
    figure.update_yaxes(showgrid=False)
    return finished(figure, hovermode="closest")


def _by_endpoint(material: Material) -> go.Figure:
    figure, rows = go.Figure(), contents.rows_of(material)
    names = [_name(scope) for scope, _ in rows]
    for place, (_, figures) in enumerate(rows):
        figure.add_trace(
            go.Scatter(
                x=[figures.p50_ms, figures.max_ms],
                y=[place, place],
                mode="lines",
                line={"color": LIGHT.muted, "width": 1},
                showlegend=False,
                **NO_HOVER,
            )
        )
    for key, symbol in SYMBOLS.items():
        outline = {"width": 2 if key == "max_ms" else 0, "color": COLOURS[key]}
        figure.add_trace(
            go.Scatter(
                x=[getattr(each, key) for _, each in rows],
                y=list(range(len(rows))),
                mode="markers",
                name=name_of(key),
                marker={"symbol": symbol, "size": 9, "color": COLOURS[key], "line": outline},
                customdata=names,
                hovertemplate="%{customdata}<br>%{fullData.name} %{x:,.3~r} ms<extra></extra>",
            )
        )
    limits = [
        (place, each)
        for place, (scope, _) in enumerate(rows)
        for each in contents.time_objectives(material, scope)
    ]
    for is_met, name in ((True, "objective met"), (False, "objective missed")):
        some = [(place, each) for place, each in limits if each.met is is_met]
        if not some:
            continue
        colours = [colour_of(each) if is_met else LIGHT.failure for _, each in some]
        edge: dict[str, object] = {"width": 3, "color": colours}
        figure.add_trace(
            go.Scatter(
                x=[each.limit for _, each in some],
                y=[place for place, _ in some],
                mode="markers",
                name=name,
                marker={"symbol": "line-ns", "size": 22, "color": colours, "line": edge},
                customdata=[name_of(each.key) for _, each in some],
                hovertemplate="%{fullData.name}: %{customdata} ≤ %{x:,.4~r} ms<extra></extra>",
            )
        )
    found = [value for _, each in rows for value in (each.p50_ms, each.max_ms) if value]
    logarithmic_ms(figure.update_xaxes, [*found, *(each.limit for _, each in limits)], 1.7)
    figure.update_yaxes(
        tickvals=list(range(len(rows))),
        ticktext=names,
        range=[len(rows) - 0.5, -0.5],
        showgrid=False,
    )
    return finished(figure, hovermode="closest")


def _name(scope: str) -> str:
    """Return a name as plotly shows it: it takes a few HTML tags, which no name may bring in."""
    return escape(contents.short(scope), quote=False)


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
        line={"color": colour, "dash": dash, "width": 2 if len(x) <= contents.MANY else 1},
        hovertemplate=f"{hover}<extra>%{{fullData.name}}</extra>",
    )


def limit_of(objective: Objective, material: Material, dash: str) -> go.Scatter:
    """Return the objective of a time or rate as a line from the start to the end."""
    return line_of(
        [0, contents.end_s(material) / contents.unit(material)[0]],
        [objective.limit, objective.limit],
        limit_label(objective),
        colour_of(objective),
        dash,
        "",
    ).update(NO_HOVER)


def swatch(name: str) -> go.Scatter:
    """Return a trace without a point that names the shade behind the charts in the legend."""
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
        separators=".,",
    )
    axis = {"gridcolor": LIGHT.grid, "linecolor": LIGHT.muted, "automargin": True}
    number = {"separatethousands": True, "exponentformat": "none", "zeroline": False}
    figure.update_xaxes(**axis, **number, ticks="outside", tickcolor=LIGHT.muted)
    figure.update_yaxes(**axis, **number)
    return figure


def json_of(figure: go.Figure) -> str:
    """Return a figure as the page draws it; a wrong one raises here, and not in the browser."""
    text: str = figure.to_json(validate=True, pretty=False, remove_uids=True)
    return text


def rounded(value: float | None) -> float | None:
    """Return a value with five digits: the page grows by what nobody sees."""
    return None if value is None else float(f"{value:.5g}")
