"""Writes the report of a comparison into its folder, each file whole or not at all.

Invariant: nothing here knows the time or the machine, so the same files give the same bytes.
Importing this module imports matplotlib and plotly.
"""

from __future__ import annotations

from pathlib import Path

from harness.experiments.compare.files import Comparison
from harness.experiments.compare.report import png, tables
from harness.experiments.compare.report.data import ComparisonData, gather
from harness.experiments.compare.report.plotly import plots
from harness.report import files as report_files
from harness.report import html

OWN = "harness.experiments.compare.report"
DESCRIPTIONS = {
    "carried-users.png": "Carried users of each variant, with 95 % intervals",
    "steps.png": "Requests per second and 95th percentile of response times by users",
    "cpu.png": "CPU time of the server a request by users",
    "over-time.png": "Requests per second, response times and users over time, side by side",
}


def draw(folder: Path) -> Comparison:
    """Write `report.html`, `report.md` and `charts/` of a comparison.

    Raises:
        ConfigurationError: a file is missing or broken, or none can be written; names it.
    """
    data = gather(folder)
    files = {f"{report_files.CHARTS}/{name}": png for name, png in png.draw_all(data).items()}
    files |= {"report.html": page(data).encode(), "report.md": markdown(data).encode()}
    report_files.write(folder, files)
    return data.comparison


def page(data: ComparisonData) -> str:
    """Return `report.html`: one file that needs no network, for light and dark and for paper."""
    charts = plots(data)
    values = {"data": data, "tables": tables, "plots": charts}
    style = html.read("compare.css", OWN)
    return html.page("compare.html.jinja", charts, values, package=OWN, more_style=style)


def markdown(data: ComparisonData) -> str:
    """Return `report.md`, with charts, in GitHub's Markdown for a pull request."""
    charts = [(f"{report_files.CHARTS}/{name}", text) for name, text in DESCRIPTIONS.items()]
    template = html.environment(OWN, is_page=False).get_template("compare.md.jinja")
    return template.render(data=data, tables=tables, charts=charts)
