"""The charts of a comparison's page, which say their numbers under the pointer; by plotly."""

from __future__ import annotations

import math
from html import escape
from typing import Any

import plotly.graph_objects as go
from plotly.subplots import make_subplots

from harness.compare.contents import (
    CHARTS,
    COLOURS,
    CPU,
    P95,
    RATE,
    Bar,
    axis_end,
    bars,
    dodged,
    ends,
    limit_label,
    lines,
    over_time,
    positive,
    ticks,
    time_label,
    unit_s,
    wrapped,
)
from harness.compare.picture import Picture
from harness.report.palette import DASHES, LIGHT
from harness.report.plots import Plot
from harness.report.traces import (
    NO_HOVER,
    finished,
    json_of,
    line_of,
    logarithmic_ms,
    rounded,
)
from harness.report.wording import count

SYMBOLS = (*("circle", "square", "diamond", "triangle-up", "triangle-down", "cross", "x", "star"),)
ARROWS = {"exact": "circle-open", "at least": "triangle-right", "fewer than": "triangle-left"}
COLUMN_PX = 230
BUTTONS_PX = 30
OVER_TIME_PX = 680
BELOW = {"y": -0.22, "yanchor": "top"}  # of the chart, since above it are the buttons


def plots(picture: Picture) -> list[Plot]:
    """Return the charts of a comparison; none when nothing valid was measured."""
    if not picture.all_steps:
        return []
    said = "; ".join(f"{bar.title}: {bar.text}" for bar in bars(picture))
    return [
        Plot(
            id="carried-users-chart",
            title="Carried users, with 95 % intervals and single rounds",
            description=f"Bar chart of the carried users. {said}.",
            height_px=110 + 76 * len(picture.comparison.variants),
            figure=json_of(_carried(picture)),
        ),
        *(_by_users(picture, key) for key in (RATE, P95, CPU)),
        Plot(
            id="over-time",
            title="Over time, on equal axes",
            description="Line charts over time, a column a variant: requests and failures per "
            "second, median and 95th percentile of the response times, and users.",
            height_px=OVER_TIME_PX,
            figure=json_of(_over_time(picture)),
            min_width_px=COLUMN_PX * len(picture.panels) + 60 if len(picture.panels) > 1 else 0,
        ),
    ]


def _over_time(picture: Picture) -> go.Figure:
    panels = picture.panels
    width = min(90 // max(len(panels), 1), 40)  # on paper columns are narrow
    figure = make_subplots(
        **{"rows": 3, "cols": len(panels), "row_heights": [3, 3, 2], "vertical_spacing": 0.05},
        **{"shared_xaxes": "all", "shared_yaxes": True},
        horizontal_spacing=min(0.03, 0.5 / len(panels)),
        column_titles=[_lines_of(panel.title, width) for panel in panels],
    )
    unit = unit_s(panels)
    end = max((len(panel.seconds) for panel in panels), default=0) or 1
    for column, panel in enumerate(panels, 1):
        for row, name, colour, dash, hover, value in (
            (1, "requests/s", LIGHT.good, "solid", "%{y}", lambda row: row.requests),
            (1, "failures/s", LIGHT.failure, "dash", "%{y}", lambda row: row.failures),
            (2, "median", LIGHT.good, "solid", "%{y:.3~g} ms", lambda r: positive(r.p50_ms)),
            (
                2,
                "95th percentile",
                LIGHT.p95,
                "dash",
                "%{y:.3~g} ms",
                lambda r: positive(r.p95_ms),
            ),
            (3, "users", LIGHT.users, "solid", "%{y}", lambda row: row.users),
        ):
            at, values = over_time(panel, value)
            line = line_of([each / unit for each in at], values, name, colour, dash, hover)
            line.update(legendgroup=name, showlegend=column == 1, connectgaps=False)
            figure.add_trace(line, row, column)
        if picture.p95_limit_ms is not None:
            line = _limit(picture.p95_limit_ms, [0, end / unit])
            line.update(legendgroup="objective", showlegend=column == 1)
            figure.add_trace(line, 2, column)
        for row in (1, 2, 3):
            for stretch in panel.counted:
                figure.add_shape(
                    **{"type": "rect", "x0": stretch.first_s / unit, "x1": stretch.end_s / unit},
                    **{"y0": 0, "y1": 1, "yref": "y domain", "row": row, "col": column},
                    **{"fillcolor": LIGHT.band, "line": {"width": 0}, "layer": "below"},
                )
    figure.add_trace(_swatch("seconds that count"), 3, 1)
    finished(figure, hovermode="x unified")
    times = [
        value
        for panel in panels
        for each in panel.seconds
        for value in (each.p50_ms, each.p95_ms)
        if value
    ]
    highest = max((row.requests for panel in panels for row in panel.seconds), default=0) or 1
    most = max((row.users for panel in panels for row in panel.seconds), default=0) or 1
    for row, label, end_of in ((1, "per second", highest), (3, "users", most)):
        figure.update_yaxes(range=[0, end_of * 1.1], row=row)
        figure.update_yaxes(title_text=label, row=row, col=1)
    if times:
        limits = [] if picture.p95_limit_ms is None else [picture.p95_limit_ms]
        logarithmic_ms(lambda **axis: figure.update_yaxes(**axis, row=2), [*times, *limits])
    figure.update_yaxes(title_text="", row=2)
    figure.update_yaxes(title_text="ms, logarithmic", row=2, col=1)
    figure.update_xaxes(range=[0, end / unit], unifiedhovertitle={"text": "%{x:.4~g}"})
    middle = (len(panels) + 1) // 2
    figure.update_xaxes(title_text=time_label(panels), row=3, col=middle)
    figure.update_annotations(font={"size": 12, "color": LIGHT.text})
    # The legend is below the buttons and above the titles.
    titles_px = 20 * max((len(wrapped(panel.title, width)) for panel in panels), default=1)
    legend = {"yref": "container", "y": 1 - BUTTONS_PX / OVER_TIME_PX, "yanchor": "top"}
    return figure.update_layout(legend=legend, margin={"t": BUTTONS_PX + 40 + titles_px})


def _by_users(picture: Picture, key: str) -> Plot:
    title, unit = CHARTS[key]
    figure, found, steps = go.Figure(), lines(picture, key), picture.all_steps
    for place, line in enumerate(found):
        colour = COLOURS[place % len(COLOURS)]
        figure.add_trace(
            go.Scatter(
                x=[rounded(users) for users in dodged(line.users, place, len(found), steps)],
                y=[rounded(value) for value in line.middle],
                error_y={
                    "type": "data",
                    "symmetric": False,
                    "array": _distances(line.middle, line.high),
                    "arrayminus": _distances(line.low, line.middle),
                    "thickness": 1.2,
                    "width": 4,
                },
                customdata=[
                    [count(users), count(runs), f"{low:.3g}", f"{high:.3g}"]
                    for users, runs, low, high in zip(
                        line.users, line.runs, line.low, line.high, strict=True
                    )
                ],
                name=_lines_of(line.title, 34),
                mode="lines+markers",
                line={"color": colour, "dash": DASHES[place % len(DASHES)], "width": 2},
                marker={"symbol": SYMBOLS[place % len(SYMBOLS)], "size": 9, "color": colour},
                hovertemplate="%{customdata[0]} users: %{y:.3~g} (%{customdata[2]} to "
                "%{customdata[3]})<br>%{customdata[1]} valid runs<extra>%{fullData.name}</extra>",
            )
        )
    values = [value for line in found for value in (*line.low, *line.high) if value > 0]
    if key == P95 and picture.p95_limit_ms is not None:
        figure.add_trace(_limit(picture.p95_limit_ms, list(ends(steps))))
        values.append(picture.p95_limit_ms)
    shown = ticks(steps, 10)
    finished(figure, hovermode="closest")
    figure.update_xaxes(
        type="log",
        range=[math.log10(end) for end in ends(steps)],
        tickvals=shown,
        ticktext=[count(users) for users in shown],
        title_text="users, logarithmic",
    )
    if key == P95 and values:
        logarithmic_ms(figure.update_yaxes, values)
    figure.update_yaxes(title_text=unit, **({} if key == P95 else {"rangemode": "tozero"}))
    told = "Median of the rounds' valid runs; bars from the lowest to the highest."
    return Plot(
        id=f"by-users-{key.replace('_', '-')}",
        title=title,
        description=f"Line chart, a line a variant. {told} The tables of steps have the numbers.",
        height_px=460,
        figure=json_of(figure.update_layout(margin={"r": 12}, legend=BELOW)),
    )


def _carried(picture: Picture) -> go.Figure:
    figure, found = go.Figure(), bars(picture)
    for place, bar in enumerate(found):
        if bar.end is not None:
            figure.add_trace(_bar(place, bar, bar.end))
    dots = [
        (place + 0.02 + 0.21 * (number + 0.5) / len(bar.rounds), number, users, how)
        for place, bar in enumerate(found)
        for number, (users, how) in enumerate(bar.rounds, 0)
    ]
    for how, symbol in ARROWS.items():
        own = [dot for dot in dots if dot[3] == how]
        if own:
            figure.add_trace(
                go.Scatter(
                    x=[rounded(users) for _, _, users, _ in own],
                    y=[height for height, *_ in own],
                    mode="markers",
                    name="a round" if how == "exact" else f"a round, {how}",
                    marker={"symbol": symbol, "size": 8, "color": LIGHT.text},
                    customdata=[number + 1 for _, number, _, _ in own],
                    hovertemplate="round %{customdata}: "
                    f"{'' if how == 'exact' else how} %{{x:.4~g}} users<extra></extra>",
                )
            )
    for place, bar in enumerate(found):
        figure.add_annotation(
            **{"x": 0, "y": place - 0.38, "xanchor": "left", "xshift": 2},  # fits any screen
            **{"text": escape(bar.text), "showarrow": False},
            font={"size": 13, "color": LIGHT.text},
        )
    finished(figure, hovermode="closest")
    figure.update_xaxes(range=[0, axis_end(found) * 1.05], title_text="users", tickformat=",~g")
    figure.update_yaxes(
        tickvals=list(range(len(found))),
        ticktext=[_lines_of(bar.title, 18) for bar in found],
        range=[len(found) - 0.55, -0.65],
        showgrid=False,
    )
    return figure.update_layout(margin={"r": 16})


def _bar(place: int, bar: Bar, end: float) -> go.Bar:
    colour = COLOURS[place % len(COLOURS)]
    errors: dict[str, Any] = {"visible": False}
    if bar.interval is not None:
        low, high = bar.interval
        errors = {
            **{"type": "data", "symmetric": False, "thickness": 2, "width": 6},
            **{"array": [high - end], "arrayminus": [end - low], "color": LIGHT.text},
        }
    return go.Bar(
        x=[rounded(end)],
        y=[place],
        orientation="h",
        width=0.5,
        marker={
            **{"color": colour, "opacity": 0.45, "line": {"color": colour, "width": 1.5}},
            "pattern": {"shape": "/" if bar.is_least else "", "fgcolor": colour},
        },
        error_x=errors,
        showlegend=False,
        hovertemplate=f"{_lines_of(bar.title, 34)}<br>{escape(bar.text)} users<extra></extra>",
    )


def _limit(limit_ms: float, ends_of: list[float]) -> go.Scatter:
    line = line_of(ends_of, [limit_ms, limit_ms], limit_label(limit_ms), LIGHT.muted, "dot", "")
    return line.update(line={"width": 1.8}, **NO_HOVER)


def _swatch(name: str) -> go.Scatter:
    """Return a trace without a point that names the shade in the legend."""
    return go.Scatter(
        **{"x": [None], "y": [None], "mode": "markers", "name": name, **NO_HOVER},
        marker={
            **{"symbol": "square", "size": 12, "color": LIGHT.band},
            "line": {"width": 1, "color": LIGHT.muted},
        },
    )


def _distances(lower: list[float], upper: list[float]) -> list[float | None]:
    return [rounded(high - low) for low, high in zip(lower, upper, strict=True)]


def _lines_of(title: str, width: int) -> str:
    """Return a title in short lines as plotly shows it: it takes a few HTML tags, ours alone."""
    return "<br>".join(escape(line, quote=False) for line in wrapped(title, width))
