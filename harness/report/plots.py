"""The charts of the page, which say their numbers under the pointer; by plotly.

They are made in the light colours; the page puts the dark ones in their place where it is dark.
"""

from __future__ import annotations

import math

import plotly.graph_objects as go
from msgspec import Struct
from plotly.subplots import make_subplots

from harness.objectives import TOTAL
from harness.report import wording
from harness.report.contents import (
    COLOURS,
    FAR,
    NAMES,
    PERCENTILES,
    limit_label,
    rows_of,
    time_objectives,
    unit_s,
)
from harness.report.material import Material
from harness.report.palette import DASHES, LIGHT
from harness.report.traces import (
    LINES,
    NO_HOVER,
    colour_of,
    draw_bands,
    draw_limits,
    finished,
    json_of,
    line_of,
    logarithmic_ms,
    name_of,
    rounded,
    time_axis,
    with_legends,
)

SYMBOLS = {"p50_ms": "circle", "p95_ms": "square", "p99_ms": "diamond", "max_ms": "line-ns"}
SHARES = {"p50_ms": 0.5, "p95_ms": 0.95, "p99_ms": 0.99}


class Plot(Struct, frozen=True, kw_only=True):
    """A chart of the page.

    Attributes:
        id: in the page.
        title: above it.
        description: what it shows, for who cannot see it.
        height_px: on the page.
        figure: as plotly's JSON.
        min_width_px: below which it is scrolled in its own box; 0 when it fits any screen.
    """

    id: str
    title: str
    description: str
    height_px: int
    figure: str
    min_width_px: int = 0


def plots(material: Material) -> list[Plot]:
    """Return the charts of a run; none when nothing was measured."""
    if not material.distributions:
        return []
    stretch, total = material.stretch, material.summary.total
    figures = total.steady if total.steady and total.steady.requests else total.whole_run
    said = (
        f"median {wording.time_ms(figures.p50_ms)} ms, p95 {wording.time_ms(figures.p95_ms)} ms, "
        f"p99 {wording.time_ms(figures.p99_ms)} ms"
    )
    rows = len(rows_of(material))
    return [
        Plot(
            id="over-time",
            title="Over time",
            description="Line charts over time: requests and failures per second "
            f"({figures.requests_per_s:.1f} requests/s on average), median and 95th percentile of "
            f"the response times, and users. The {stretch}: {said}.",
            height_px=620,
            figure=json_of(_over_time(material)),
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
            height_px=110 + 40 * rows,
            figure=json_of(_by_endpoint(material)),
        ),
        Plot(
            id="health",
            title="The generator over time",
            description="CPU of the generator in percent of a core, and how late its event loop "
            "was in ms, over time; the table has both.",
            height_px=360,
            figure=json_of(_health(material)),
        ),
    ]


def _over_time(material: Material) -> go.Figure:
    figure = make_subplots(rows=3, shared_xaxes=True, vertical_spacing=0.12)
    points = material.points
    at = [point.at_s / unit_s(material) for point in points]
    rates = [
        ("requests/s", [point.requests_per_s for point in points], LIGHT.good, "solid"),
        ("failures/s", [point.failures_per_s for point in points], LIGHT.failure, "dash"),
    ]
    for name, values, colour, dash in rates:
        figure.add_trace(line_of(at, values, name, colour, dash, "%{y:.4~g}"), 1, 1)
    for key in ("p50_ms", "p95_ms"):
        values = [getattr(point, key) for point in points]
        line = line_of(at, values, NAMES[key], COLOURS[key], LINES[key], "%{y:.3~g} ms")
        figure.add_trace(line, 2, 1)
    users: list[float | None] = [point.users for point in points]
    figure.add_trace(line_of(at, users, "users", LIGHT.users, "solid", "%{y}"), 3, 1)
    for row, keys in ((1, ("requests_per_s",)), (2, tuple(COLOURS))):
        draw_limits(figure, material, keys, row)
    draw_bands(figure, material, rows=3)
    for row, title in enumerate(("per second", "ms", "users"), 1):
        figure.update_yaxes(title_text=title, rangemode="tozero", row=row, col=1)
    time_axis(figure, material, row=3)
    return with_legends(finished(figure, hovermode="x unified"), rows=3)


def _distribution(material: Material) -> go.Figure:
    figure = go.Figure()
    for number, each in enumerate(material.distributions):
        is_total = each.scope == TOTAL
        colour = LIGHT.good if is_total else LIGHT.scopes[(number - 1) % len(LIGHT.scopes)]
        dash = "solid" if is_total else DASHES[(number - 1) % len(DASHES)]
        line = line_of(
            [1 / (1 - share) for share, _ in each.curve],
            [time for _, time in each.curve],
            *(name_of(each.scope), colour, dash, "%{customdata} %: %{y:.3~g} ms"),
        )
        line.line.width = 3 if is_total else 1.6
        line.customdata = [f"{share * 100:.4g}" for share, _ in each.curve]
        figure.add_trace(line)
    for objective in time_objectives(material, TOTAL):
        if objective.key in SHARES:
            figure.add_trace(
                go.Scatter(
                    x=[1 / (1 - SHARES[objective.key])],
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
        tickvals=[1 / (1 - share) for share in PERCENTILES],
        ticktext=[f"{share * 100:.4g} %" for share in PERCENTILES],
        title_text="percentile",
    )
    shown = [value for trace in figure.data for value in trace.y if value]
    logarithmic_ms(figure.update_yaxes, shown)
    return finished(figure, hovermode="closest").update_layout(margin={"r": 28})


def _heat_map(material: Material) -> go.Figure:
    found = material.heat_map
    most = max(max(row) for row in found.counts)
    top = max(math.log10(most), 0.3)
    ticks = [each for each in (1, 3, 10, 30, 100, 300, 1000, 3000, 10**4, 10**5) if each <= most]
    colours = LIGHT.heat[1:]
    figure = go.Figure(
        go.Heatmap(
            x=[
                rounded(column * found.width_s / unit_s(material))
                for column in range(len(found.counts[0]) + 1)
            ],
            y=[rounded(edge) for edge in found.edges_ms],
            z=[[math.log10(n) if n else None for n in row] for row in found.counts],
            customdata=found.counts,
            zmin=0,
            zmax=top,
            colorscale=[[n / (len(colours) - 1), colour] for n, colour in enumerate(colours)],
            colorbar={
                "title": {
                    "text": f"requests per {wording.width(found.width_s)}",
                    "side": "right",
                },
                "tickvals": [math.log10(tick) for tick in ticks],
                "ticktext": [wording.count(tick) for tick in ticks],
                "thickness": 12,
                "outlinewidth": 0,
            },
            hovertemplate="%{customdata} requests<br>about %{y:.3~g} ms<br>at %{x:.4~g} "
            f"{'s' if unit_s(material) == 1 else 'min'}<extra></extra>",
            hoverongaps=False,
        )
    )
    end = len(found.counts[0]) * found.width_s / unit_s(material)
    shown = [found.edges_ms[0], found.edges_ms[-1]]
    for objective in time_objectives(material, TOTAL):
        if objective.limit > found.edges_ms[-1] * FAR:
            continue
        shown.append(objective.limit)
        limits: list[float | None] = [objective.limit] * 2
        name = limit_label(objective)
        line = line_of([0, end], limits, name, colour_of(objective), "dash", "")
        figure.add_trace(line.update(**NO_HOVER, showlegend=True))
    time_axis(figure, material, row=None)
    logarithmic_ms(figure.update_yaxes, shown)
    figure.update_xaxes(showgrid=False)
    figure.update_yaxes(showgrid=False)
    return finished(figure, hovermode="closest")


def _by_endpoint(material: Material) -> go.Figure:
    figure, rows = go.Figure(), rows_of(material)
    names = [name_of(scope) for scope, _ in rows]
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
        figure.add_trace(
            go.Scatter(
                x=[getattr(each, key) for _, each in rows],
                y=list(range(len(rows))),
                mode="markers",
                name=key.removesuffix("_ms"),
                marker={
                    **{"symbol": symbol, "size": 9, "color": COLOURS[key]},
                    "line": {"width": 2 if key == "max_ms" else 0, "color": COLOURS[key]},
                },
                customdata=names,
                hovertemplate="%{customdata}<br>%{fullData.name} %{x:.3~g} ms<extra></extra>",
            )
        )
    limits = [
        (place, each)
        for place, (scope, _) in enumerate(rows)
        for each in time_objectives(material, scope)
    ]
    for missed in (False, True):
        some = [(place, each) for place, each in limits if each.met is not missed]
        colours = [LIGHT.failure if missed else colour_of(each) for _, each in some]
        if not some:
            continue
        figure.add_trace(
            go.Scatter(
                x=[each.limit for _, each in some],
                y=[place for place, _ in some],
                mode="markers",
                name="objective missed" if missed else "objective met",
                marker={
                    **{"symbol": "line-ns", "size": 22, "color": colours},
                    "line": {"width": 3, "color": colours},
                },
                customdata=[each.key.removesuffix("_ms") for _, each in some],
                hovertemplate="%{fullData.name}: %{customdata} ≤ %{x:.4~g} ms<extra></extra>",
            )
        )
    found = [value for _, each in rows for value in (each.p50_ms, each.max_ms) if value]
    logarithmic_ms(figure.update_xaxes, [*found, *(each.limit for _, each in limits)], 1.7)
    figure.update_yaxes(
        tickvals=list(range(len(rows))),
        ticktext=names,
        range=[len(rows) - 0.5, -0.5],
        showgrid=False,
        zeroline=False,
    )
    return finished(figure, hovermode="closest")


def _health(material: Material) -> go.Figure:
    figure = make_subplots(rows=2, shared_xaxes=True, vertical_spacing=0.16)
    points = material.points
    at = [point.at_s / unit_s(material) for point in points]
    cpu = [point.cpu_percent for point in points]
    lag = [point.lag_ms for point in points]
    figure.add_trace(line_of(at, cpu, "CPU, % of a core", LIGHT.good, "solid", "%{y:.3~g}"), 1, 1)
    figure.add_trace(line_of(at, lag, "event loop late", LIGHT.p99, "dash", "%{y:.3~g} ms"), 2, 1)
    draw_bands(figure, material, rows=2)
    figure.update_yaxes(title_text="CPU, %", rangemode="tozero", row=1, col=1)
    figure.update_yaxes(title_text="ms", rangemode="tozero", row=2, col=1)
    time_axis(figure, material, row=2)
    return with_legends(finished(figure, hovermode="x unified"), rows=2)
