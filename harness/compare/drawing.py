"""A comparison as files for people, into its folder: each whole or not at all.

Nothing here knows the time or the machine: the same files give the same bytes again. Importing it
brings matplotlib and plotly along.
"""

from __future__ import annotations

from pathlib import Path

from harness.compare import charts, markdown, page
from harness.compare.files import Comparison
from harness.compare.picture import gather
from harness.report import writing

DESCRIPTIONS = {
    "carried-users.png": "Carried users of each variant, with 95 % intervals",
    "steps.png": "Requests per second and 95th percentile of response times by users",
    "cpu.png": "CPU time of the server a request by users",
    "over-time.png": "Requests per second, response times and users over time, side by side",
}


def draw(folder: Path) -> Comparison:
    """Write `report.html`, `report.md` and `charts/` of a comparison.

    Args:
        folder: with `plan.json`, `comparison.json`, `slo.toml` and `runs/`.

    Raises:
        ConfigurationError: it is no comparison, a file is missing or broken, or none can be
            written.
    """
    picture = gather(folder)
    pictures = charts.draw_all(picture)
    files = {f"{writing.CHARTS}/{name}": content for name, content in pictures.items()}
    described = [(f"{writing.CHARTS}/{name}", text) for name, text in DESCRIPTIONS.items()]
    files |= {
        "report.html": page.render(picture).encode(),
        "report.md": markdown.render(picture, described).encode(),
    }
    writing.write(folder, files)
    return picture.comparison
