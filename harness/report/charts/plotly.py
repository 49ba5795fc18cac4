"""The charts of the page, drawn by plotly, with numbers under the pointer.

They have the light colours; the page's script replaces them in dark mode.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from html import escape

import plotly.graph_objects as go
from plotly.subplots import make_subplots

from harness.report.charts import content
from harness.report.charts.content import COLOURS, Panel, colour_of, limit_label
from harness.report.charts.palette import LIGHT
from harness.report.charts.plotly_style import (
    LEGEND,
    NO_HOVER,
    finished,
    json_of,
    line_of,
    logarithmic_ms,
    rounded,
    swatch,
)
from harness.report.html import Plot
from harness.report.run_data import RunData
from harness.results.formatting import count, time_ms, width
from harness.results.rows import name_of
from harness.results.run_folder import Objective

SYMBOLS = {"p50_ms": "circle", "p95_ms": "square", "p99_ms": "diamond", "max_ms": "line-ns"}


def plots(data: RunData) -> list[Plot]:
    """Return the charts of a run; none if nothing was measured."""
    if not data.distributions:
        return []
    stretch, total = data.stretch, data.summary.total
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
            figure=json_of(_panels(data, content.OVER_TIME, 0.12)),
        ),
        Plot(
            id="distribution",
            title=f"Response times by percentile, {stretch}",
            description=f"Line chart of response times up to the 99.99th percentile: {said}.",
            height_px=440,
            figure=json_of(_distribution(data)),
        ),
        Plot(
            id="heat-map",
            title="Response times of all requests over time",
            description="Heat map: how many requests took how long, over time.",
            height_px=400,
            figure=json_of(_heat_map(data)),
        ),
        Plot(
            id="by-endpoint",
            title=f"Response times by endpoint, {stretch}",
            description="Median, p95, p99 and maximum of each endpoint; the same numbers are in "
            "the table of endpoints.",
            height_px=110 + 40 * len(content.rows_of(data)),
            figure=json_of(_by_endpoint(data)),
        ),
        Plot(
            id="health",
            title="The generator over time",
            description="CPU of the generator in percent of a core, and how late its event loop "
            "was in ms, over time; the table has both.",
            height_px=360,
            figure=json_of(_panels(data, content.HEALTH, 0.16)),
        ),
    ]


def _panels(data: RunData, panels: Sequence[Panel], spacing: float) -> go.Figure:
    """Draw charts over time, one above the other, each with its own legend."""
    rows, (unit_s, _) = len(panels), content.unit(data)
    figure = make_subplots(rows=rows, shared_xaxes=True, vertical_spacing=spacing)
    at = [point.at_s / unit_s for point in data.points]
    for row, panel in enumerate(panels, 1):
        for each in panel.lines:
            values = each.values(data)
            line = line_of(at, values, each.name, each.colour, each.dash, each.hover)
            figure.add_trace(line, row, 1)
        fitting, above = content.fitting_limits(data, panel)
        for objective in fitting:
            limit = limit_of(objective, data, "dot").update(line={"width": 1.5})
            figure.add_trace(limit, row, 1)
        if above:  # a line without points is only in the legend
            figure.add_trace(line_of([0, 0], [None, None], above, LIGHT.muted, "dot", ""), row, 1)
        figure.update_yaxes(title_text=panel.unit, rangemode="tozero", row=row, col=1)
    if data.bands:
        figure.add_trace(swatch("steady state"), rows, 1)
    for first_s, end_s in data.bands:
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
    title = _time_axis(figure, data) + content.thinned(data)
    figure.update_xaxes(title_text=title, row=rows, col=1)
    finished(figure, hovermode="x unified")
    # plotly names the legends like the axes: what is on axis y2 goes into legend2.
    for trace in figure.data:
        trace.legend = f"legend{trace.yaxis[1:]}"
    for row in range(2, rows + 1):
        top = figure.layout[f"yaxis{row}"].domain[1]
        figure.update_layout({f"legend{row}": {**LEGEND, "y": top}})
    return figure.update_layout(legend={"y": 1.0})


def _time_axis(figure: go.Figure, data: RunData) -> str:
    """Set the range of the time axis in seconds or minutes; return its title."""
    unit_s, unit = content.unit(data)
    figure.update_xaxes(
        range=[0, content.end_s(data) / unit_s],
        unifiedhovertitle={"text": f"%{{x:.4~g}} {unit}"},
    )
    return f"{unit} since the start"


def _distribution(data: RunData) -> go.Figure:
    figure = go.Figure()
    for place, (scope, curve) in enumerate(data.distributions.items()):
        shares, times_ms = zip(*curve, strict=True)
        percentile_position = [content.percentile_position(share) for share in shares]
        hover = "%{customdata} %: %{y:,.3~r} ms"
        line = line_of(
            percentile_position, times_ms, _name(scope), *content.style_of(place), hover
        )
        line.line.width = 1.6 if place else 3
        line.customdata = [f"{share * 100:.4g}" for share in shares]
        figure.add_trace(line)
    for at, objective in content.percentile_limits(data):
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
        range=[0, 4.03],  # in decades: p0 to p99.99, and room for the width of a line
        tickvals=list(content.TICKS),
        ticktext=list(content.TICKS.values()),
        title_text="percentile",
    )
    shown = [value for trace in figure.data for value in trace.y if value]
    logarithmic_ms(figure.update_yaxes, shown)
    return finished(figure, hovermode="closest").update_layout(margin={"r": 28})


def _heat_map(data: RunData) -> go.Figure:
    found, (unit_s, unit) = data.heat_map, content.unit(data)
    most = max(max(row) for row in found.counts)
    ticks = [each for each in (1, 3, 10, 30, 100, 300, 1000, 3000, 10**4, 10**5) if each <= most]
    colours = LIGHT.heat[1:]  # the first is hard to tell from the paper
    figure = go.Figure(
        go.Heatmap(
            x=[rounded(at_s / unit_s) for at_s in found.columns_s],
            y=[rounded(edge) for edge in found.edges_ms],
            # plotly has no logarithmic colour scale; None leaves the paper where there is nothing.
            z=[[math.log10(n) if n else None for n in row] for row in found.counts],
            customdata=found.counts,
            zmin=0,
            zmax=max(math.log10(most), 0.3),  # if no count is above 1, up to 2, not an empty range
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
    limits = content.heat_limits(data)
    for objective in limits:
        figure.add_trace(limit_of(objective, data, "dash").update(showlegend=True))
    figure.update_xaxes(title_text=_time_axis(figure, data), showgrid=False)
    shown = [found.edges_ms[0], found.edges_ms[-1], *(each.limit for each in limits)]
    logarithmic_ms(figure.update_yaxes, shown)
    figure.update_yaxes(showgrid=False)
    return finished(figure, hovermode="closest")


def _by_endpoint(data: RunData) -> go.Figure:
    figure, rows = go.Figure(), content.rows_of(data)
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
        # The symbol "line-ns" is nothing but its outline.
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
        for each in content.time_objectives(data, scope)
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
        range=[len(rows) - 0.5, -0.5],  # downwards, as in the table
        showgrid=False,
    )
    return finished(figure, hovermode="closest")


def _name(scope: str) -> str:
    """Escape a scope: plotly interprets some HTML tags in names and tick labels."""
    return escape(content.short(scope), quote=False)


def limit_of(objective: Objective, data: RunData, dash: str) -> go.Scatter:
    """Return an objective for a time or rate as a line across the time axis."""
    return line_of(
        [0, content.end_s(data) / content.unit(data)[0]],
        [objective.limit, objective.limit],
        limit_label(objective),
        colour_of(objective),
        dash,
        "",
    ).update(NO_HOVER)
