"""`report.html`: one file that needs no network, light and dark, on paper too."""

from __future__ import annotations

from harness.report import scaffold, tables
from harness.report.material import Material
from harness.report.plots import plots


def render(material: Material) -> str:
    """Return the page."""
    charts = plots(material)
    steps = tables.steps(material) if len(material.summary.steps) > 1 else None
    values = {
        "material": material,
        "summary": material.summary,
        "meaning": tables.MEANINGS[material.summary.verdict],
        "highlights": tables.highlights(material),
        "plots": [plot for plot in charts if plot.id != "health"],
        "health": next((plot for plot in charts if plot.id == "health"), None),
        "first": [table for table in (tables.objectives(material), steps) if table],
        "whole_run": tables.endpoints(material, whole_run=True),
        "steady": tables.endpoints(material, whole_run=False) if material.is_steady else None,
        "failures": tables.failures(material),
        "validity": tables.validity(material),
        "generator": tables.generator(material),
        "manifest": tables.manifest(material),
    }
    return scaffold.page("report.html.jinja", charts, values)
