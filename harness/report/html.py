"""Renders pages and Markdown: templates, styles, scripts, and a page's content security policy.

Importing it is cheap: plotly is imported only when a page with charts is rendered.
"""

from __future__ import annotations

import base64
import hashlib
import importlib
from collections.abc import Sequence
from functools import cache
from importlib import resources

import msgspec
from jinja2 import ChoiceLoader, Environment, PackageLoader, StrictUndefined
from markupsafe import Markup
from msgspec import Struct

from harness.report.charts import palette
from harness.results.formatting import clock, count, plain

OWN = "harness.report"
SIGNS = {"pass": "✅", "fail": "❌", "invalid": "⚠️", "good": "✅", "bad": "❌"}


class Plot(Struct, frozen=True, kw_only=True):
    """A chart of a page, as plotly's JSON; `description` is for people who cannot see it.

    On a screen narrower than `min_width_px` it scrolls in its own box.
    """

    id: str
    title: str
    description: str
    height_px: int
    figure: str
    min_width_px: int = 0


def environment(package: str = OWN, *, is_page: bool) -> Environment:
    """Return the Jinja2 environment with the templates of a package and the shared ones here.

    A page escapes every value. Jinja2 has no escaping for Markdown: there, each text needs the
    filter `plain` or `code`.
    """
    found = Environment(
        loader=ChoiceLoader([PackageLoader(name, ".") for name in dict.fromkeys((package, OWN))]),
        autoescape=is_page,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=not is_page,
    )
    found.filters.update(clock=clock, count=count, plain=plain, code=_code)
    style = Markup(read("report.css"))
    found.globals.update(signs=SIGNS, light=palette.LIGHT, dark=palette.DARK, style=style)
    return found


def page(
    template: str,
    plots: Sequence[Plot],
    values: dict[str, object],
    *,
    package: str = OWN,
    more_style: str = "",
) -> str:
    """Return a page that needs no network, and without charts no scripts.

    The contents of the files are untrusted. Jinja2 escapes them, the data of the charts is JSON
    without `<`, and the page's policy allows only its own two scripts, by their hashes.
    """
    scripts = [_plotly(), read("report.js")] if plots else []
    figures = {each.id: msgspec.Raw(each.figure.encode()) for each in plots}
    found = environment(package, is_page=True).get_template(template)
    return found.render(
        style=Markup(read("report.css") + more_style),
        figures=Markup(_data(figures)),
        dark_of=Markup(_data(palette.dark_of())),
        scripts=[Markup(script) for script in scripts],
        policy=_policy(scripts),
        **values,
    )


@cache
def read(name: str, package: str = OWN) -> str:
    """Return the text of a file in a package."""
    return resources.files(package).joinpath(name).read_text(encoding="utf-8")


def _code(text: str) -> str:
    """Return a text as code, by a tag: with backticks, a backtick in the text would end it."""
    return f"<code>{plain(text)}</code>"


def _data(value: object) -> str:
    """Return JSON that cannot end the script element around it."""
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
    script: str = importlib.import_module("plotly.offline").get_plotlyjs()
    assert "</script" not in script.lower()  # it would end the element around the library
    return script
