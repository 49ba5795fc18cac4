"""`report.html` of a comparison: one file that needs no network, light and dark, on paper too."""

from __future__ import annotations

from harness.compare import tables
from harness.compare.picture import Picture
from harness.compare.plots import plots
from harness.report import scaffold

OWN = "harness.compare"


def render(picture: Picture) -> str:
    """Return the page."""
    charts = plots(picture)
    values = {
        "plan": picture.plan,
        "comparison": picture.comparison,
        "rounds": picture.rounds,
        "not_drawn": picture.not_drawn,
        "plots": charts,
        "variants": tables.variants(picture),
        "ratios": tables.ratios(picture),
        "steps": [
            tables.steps(each, place) for place, each in enumerate(picture.comparison.variants, 1)
        ],
        "runs": tables.runs(picture),
        "planned": tables.plan(picture),
        "commands": tables.commands(picture),
        "objectives": tables.objectives(picture),
    }
    style = scaffold.read("compare.css", OWN)
    return scaffold.page("compare.html.jinja", charts, values, package=OWN, more_style=style)
