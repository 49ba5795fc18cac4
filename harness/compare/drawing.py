"""A comparison as files for people, into its folder: each whole or not at all.

Nothing here knows the time or the machine: the same files give the same bytes again. Importing it
brings matplotlib and plotly along.
"""

from __future__ import annotations

from pathlib import Path

from harness.compare import charts, tables
from harness.compare.files import Comparison
from harness.compare.picture import Picture, gather
from harness.compare.plots import plots
from harness.report import scaffold, writing

OWN = "harness.compare"
DESCRIPTIONS = {
    "carried-users.png": "Carried users of each variant, with 95 % intervals",
    "steps.png": "Requests per second and 95th percentile of response times by users",
    "cpu.png": "CPU time of the server a request by users",
    "over-time.png": "Requests per second, response times and users over time, side by side",
}


def draw(folder: Path) -> Comparison:
    """Write `report.html`, `report.md` and `charts/` of a comparison.

    Raises:
        ConfigurationError: a file is missing or broken, or none can be written; says which.
    """
    picture = gather(folder)
    files = {f"{writing.CHARTS}/{name}": png for name, png in charts.draw_all(picture).items()}
    files |= {"report.html": page(picture).encode(), "report.md": markdown(picture).encode()}
    writing.write(folder, files)
    return picture.comparison


def page(picture: Picture) -> str:
    """Return `report.html`: one file that needs no network, light and dark, on paper too."""
    charts = plots(picture)
    values = {"picture": picture, "tables": tables, "plots": charts}
    style = scaffold.read("compare.css", OWN)
    return scaffold.page("compare.html.jinja", charts, values, package=OWN, more_style=style)


def markdown(picture: Picture) -> str:
    """Return `report.md`: the result for a pull request, with its charts, in GitHub's Markdown."""
    charts = [(f"{writing.CHARTS}/{name}", text) for name, text in DESCRIPTIONS.items()]
    template = scaffold.environment(OWN, is_page=False).get_template("compare.md.jinja")
    return template.render(picture=picture, tables=tables, charts=charts)
