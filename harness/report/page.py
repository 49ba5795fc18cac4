"""`report.html`: one file that needs no network, light and dark, on paper too."""

from __future__ import annotations

import base64
import hashlib
from functools import cache
from importlib import resources

import msgspec
from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup
from plotly.offline import get_plotlyjs

from harness.report import palette, tables
from harness.report.material import Material
from harness.report.plots import plots


def render(material: Material) -> str:
    """Return the page.

    What the files hold is foreign: Jinja2 escapes it, the data of the charts is JSON without `<`,
    and the page runs no scripts but the two whose hashes its own policy names.
    """
    charts = plots(material)
    scripts = [_plotly(), _read("report.js")] if charts else []
    environment = Environment(
        loader=PackageLoader("harness.report", "."),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    steps = tables.steps(material) if len(material.summary.steps) > 1 else None
    return environment.get_template("report.html.jinja").render(
        material=material,
        summary=material.summary,
        meaning=tables.MEANINGS[material.summary.verdict],
        highlights=tables.highlights(material),
        plots=[plot for plot in charts if plot.id != "health"],
        health=next((plot for plot in charts if plot.id == "health"), None),
        figures=Markup(_data({plot.id: msgspec.Raw(plot.figure.encode()) for plot in charts})),
        dark=Markup(_data(palette.dark_of())),
        first=[table for table in (tables.objectives(material), steps) if table],
        whole_run=tables.endpoints(material, whole_run=True),
        steady=tables.endpoints(material, whole_run=False) if material.is_steady else None,
        failures=tables.failures(material),
        validity=tables.validity(material),
        generator=tables.generator(material),
        manifest=tables.manifest(material),
        light_colours=palette.LIGHT,
        dark_colours=palette.DARK,
        style=Markup(_read("report.css")),
        scripts=[Markup(script) for script in scripts],
        policy=_policy(scripts),
    )


def _data(value: object) -> str:
    """Return JSON that cannot end the element it stands in."""
    text = msgspec.json.encode(value).decode()
    return text.replace("&", "\\u0026").replace("<", "\\u003c").replace(">", "\\u003e")


def _policy(scripts: list[str]) -> str:
    hashes = [base64.b64encode(hashlib.sha256(each.encode()).digest()) for each in scripts]
    allowed = " ".join(f"'sha256-{each.decode()}'" for each in hashes) or "'none'"
    return (
        f"default-src 'none'; script-src {allowed}; style-src 'unsafe-inline'; "
        "img-src data: blob:; base-uri 'none'; form-action 'none'"
    )


@cache
def _plotly() -> str:
    script: str = get_plotlyjs()
    assert "</script" not in script.lower()
    return script


@cache
def _read(name: str) -> str:
    return resources.files("harness.report").joinpath(name).read_text(encoding="utf-8")
