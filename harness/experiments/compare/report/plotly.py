"""The charts of a comparison's page, drawn by plotly, with numbers under the pointer."""

from __future__ import annotations

import math
from html import escape

import plotly.graph_objects as go
from plotly.subplots import make_subplots

from harness.experiments.compare.conclusions import spread
from harness.experiments.compare.report import content
from harness.experiments.compare.report.content import (
    AXES,
    BOUNDS,
    CHARTS,
    CPU,
    P95,
    RATE,
    Bar,
    wrapped,
)
from harness.experiments.compare.report.data import ComparisonData
from harness.report.charts import plotly_style
from harness.report.charts.palette import DASHES, LIGHT
from harness.report.charts.plotly_style import NO_HOVER, rounded
from harness.report.html import Plot
from harness.results.formatting import count

SYMBOLS = ("circle", "square", "diamond", "triangle-up", "triangle-down", "cross", "x", "star")
DOTS = {"exact": "circle-open", "at least": "triangle-right", "fewer than": "triangle-left"}
COLUMN_PX = 230
BUTTONS_PX = 30
OVER_TIME_PX = 680
BELOW = {"y": -0.22, "yanchor": "top"}  # below the chart: plotly's buttons are above it
ERROR = {"type": "data", "symmetric": False, "thickness": 1.2, "width": 4}
BAND = {"fillcolor": LIGHT.band, "line_width": 0, "layer": "below"}
TEXT = {"showarrow": False, "font": {"size": 13, "color": LIGHT.text}}
EDGE = {"width": 1, "color": LIGHT.muted}
SWATCH = {"symbol": "square", "size": 12, "color": LIGHT.band, "line": EDGE}


def plots(data: ComparisonData) -> list[Plot]:
    """Return the charts of a comparison; none if it has no valid run."""
    if not data.all_steps:
        return []
    said = "; ".join(f"{bar.title}: {bar.text}" for bar in content.bars(data))
    return [
        Plot(
            id="carried-users-chart",
            title="Carried users, with 95 % intervals and single rounds",
            description=f"Bar chart of the carried users. {said}.",
            height_px=110 + 76 * len(data.comparison.variants),
            figure=plotly_style.json_of(_carried(data)),
        ),
        *(_by_users(data, key) for key in (RATE, P95, CPU)),
        Plot(
            id="over-time",
            title="Over time, on equal axes",
            description="Line charts over time, a column a variant: requests and failures per "
            "second, median and 95th percentile of the response times, and users.",
            height_px=OVER_TIME_PX,
            figure=plotly_style.json_of(_over_time(data)),
            min_width_px=COLUMN_PX * len(data.panels) + 60 if len(data.panels) > 1 else 0,
        ),
    ]


def _over_time(data: ComparisonData) -> go.Figure:
    panels, limit_ms = data.panels, data.p95_limit_ms
    end_s, unit, label = content.time_axis(panels)
    end = end_s / unit
    width = min(90 // len(panels), 40)  # characters of a title; columns are narrow on paper
    figure = make_subplots(
        rows=3,
        cols=len(panels),
        row_heights=[3, 3, 2],
        shared_xaxes="all",
        shared_yaxes=True,
        vertical_spacing=0.05,
        horizontal_spacing=min(0.03, 0.5 / len(panels)),
        column_titles=[_html(panel.title, width) for panel in panels],
    )
    times = [] if limit_ms is None else [limit_ms]
    for column, panel in enumerate(panels, 1):
        for curve in content.CURVES:
            at, values = content.over_time(panel, curve)
            dash = "dash" if curve.is_dashed else "solid"
            hover = "%{y:.3~g} ms" if curve.row == 1 else "%{y}"
            line = plotly_style.line_of(
                [s / unit for s in at], values, curve.name, curve.colour, dash, hover
            )
            line.update(legendgroup=curve.name, showlegend=column == 1, connectgaps=False)
            figure.add_trace(line, curve.row + 1, column)
            times += [value for value in values if value and curve.row == 1]
        if limit_ms is not None:
            line = _limit(limit_ms, [0, end])
            line.update(legendgroup="objective", showlegend=column == 1)
            figure.add_trace(line, 2, column)
        for stretch in panel.counted:
            ends = stretch.first_s / unit, stretch.end_s / unit
            figure.add_vrect(*ends, row="all", col=column, **BAND)
    swatch = go.Scatter(x=[None], y=[None], mode="markers", name="seconds that count")
    figure.add_trace(swatch.update(marker=SWATCH, **NO_HOVER), 3, 1)
    plotly_style.finished(figure, hovermode="x unified")
    if times:
        plotly_style.logarithmic_ms(lambda **axis: figure.update_yaxes(**axis, row=2), times)
    for row, key in ((1, "requests"), (3, "users")):
        figure.update_yaxes(range=[0, content.most_of(panels, key)], row=row)
    figure.update_yaxes(title_text="")
    for row, title in enumerate(AXES, 1):
        figure.update_yaxes(title_text=title, row=row, col=1)
    figure.update_xaxes(range=[0, end], unifiedhovertitle={"text": "%{x:.4~g}"})
    figure.update_xaxes(title_text=label, row=3, col=(len(panels) + 1) // 2)
    figure.update_annotations(font={"size": 12, "color": LIGHT.text})
    # From top to bottom: plotly's buttons, the legend, the titles of the columns.
    titles_px = 20 * max(len(wrapped(panel.title, width)) for panel in panels)
    legend = {"yref": "container", "y": 1 - BUTTONS_PX / OVER_TIME_PX, "yanchor": "top"}
    return figure.update_layout(legend=legend, margin={"t": BUTTONS_PX + 40 + titles_px})


def _by_users(data: ComparisonData, key: str) -> Plot:
    title, unit = CHARTS[key]
    figure, found = go.Figure(), content.lines(data, key)
    for place, line in enumerate(found):
        points = line.points
        above = [rounded(point.high - point.middle) for point in points]
        below = [rounded(point.middle - point.low) for point in points]
        figure.add_trace(
            go.Scatter(
                x=[rounded(point.at) for point in points],
                y=[rounded(point.middle) for point in points],
                error_y={**ERROR, "array": above, "arrayminus": below},
                customdata=[
                    f"{count(each.users)} users: {spread((each.low, each.middle, each.high))}"
                    f"<br>{count(each.runs)} valid runs"
                    for each in points
                ],
                hovertemplate="%{customdata}<extra>%{fullData.name}</extra>",
                name=_html(line.title, 34),
                mode="lines+markers",
                line={"color": line.colour, "dash": DASHES[place % len(DASHES)], "width": 2},
                marker={"symbol": SYMBOLS[place % len(SYMBOLS)], "size": 9, "color": line.colour},
            )
        )
    values, ends = content.extremes(found), content.ends(data.all_steps)
    if key == P95 and data.p95_limit_ms is not None:
        figure.add_trace(_limit(data.p95_limit_ms, list(ends)))
        values.append(data.p95_limit_ms)
    shown = content.ticks(data.all_steps)
    plotly_style.finished(figure, hovermode="closest")
    figure.update_xaxes(
        type="log",
        range=[math.log10(end) for end in ends],
        tickvals=shown,
        ticktext=[count(users) for users in shown],
        title_text="users, logarithmic",
    )
    if key == P95 and values:
        plotly_style.logarithmic_ms(figure.update_yaxes, values)
    else:
        figure.update_yaxes(title_text=unit, rangemode="tozero")
    what = "Median of the rounds' valid runs; bars from the lowest to the highest."
    return Plot(
        id=f"by-users-{key.replace('_', '-')}",
        title=title,
        description=f"Line chart, a line a variant. {what} The tables of steps have the numbers.",
        height_px=460,
        figure=plotly_style.json_of(figure.update_layout(margin={"r": 12}, legend=BELOW)),
    )


def _carried(data: ComparisonData) -> go.Figure:
    figure, found = go.Figure(), content.bars(data)
    for place, bar in enumerate(found):
        if bar.end is not None:
            figure.add_trace(_bar(place, bar, bar.end))
        text = escape(bar.text)
        figure.add_annotation(text=text, x=0, y=place - 0.38, xanchor="left", xshift=2, **TEXT)
    for bound, name in BOUNDS.items():
        dots = [dot for bar in found for dot in bar.dots if dot.bound == bound]
        if dots:
            figure.add_trace(
                go.Scatter(
                    x=[rounded(dot.users) for dot in dots],
                    y=[rounded(dot.height) for dot in dots],
                    mode="markers",
                    name=name,
                    marker={"symbol": DOTS[bound], "size": 8, "color": LIGHT.text},
                    customdata=[dot.number for dot in dots],
                    hovertemplate="round %{customdata}: "
                    f"{'' if bound == 'exact' else bound} %{{x:.4~g}} users<extra></extra>",
                )
            )
    plotly_style.finished(figure, hovermode="closest")
    end = content.axis_end(found) * 1.05
    figure.update_xaxes(range=[0, end], title_text="users", tickformat=",~g")
    figure.update_yaxes(
        tickvals=list(range(len(found))),
        ticktext=[_html(bar.title, 18) for bar in found],
        range=[len(found) - 0.55, -0.65],
        showgrid=False,
    )
    return figure.update_layout(margin={"r": 16})


def _bar(place: int, bar: Bar, end: float) -> go.Bar:
    low, high = bar.interval or (end, end)
    line = {"color": bar.colour, "width": 1.5}
    pattern = {"shape": "/" if bar.is_least else "", "fgcolor": bar.colour}
    whiskers = {
        "visible": bar.interval is not None,
        "array": [high - end],
        "arrayminus": [end - low],
    }
    return go.Bar(
        x=[rounded(end)],
        y=[place],
        orientation="h",
        width=0.5,
        marker={"color": bar.colour, "opacity": 0.45, "line": line, "pattern": pattern},
        error_x={**ERROR, **whiskers, "color": LIGHT.text, "thickness": 2, "width": 6},
        showlegend=False,
        hovertemplate=f"{_html(bar.title, 34)}<br>{escape(bar.text)} users<extra></extra>",
    )


def _limit(limit_ms: float, ends: list[float]) -> go.Scatter:
    label = content.limit_label(limit_ms)
    line = plotly_style.line_of(ends, [limit_ms, limit_ms], label, LIGHT.muted, "dot", "")
    return line.update(line={"width": 1.8}, **NO_HOVER)


def _html(title: str, width: int) -> str:
    """Return a title in short lines, escaped: plotly interprets some HTML tags."""
    return "<br>".join(escape(line, quote=False) for line in wrapped(title, width))
