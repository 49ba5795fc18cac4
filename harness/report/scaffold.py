"""What every page has: its parts, styles and scripts, and the policy that lets nothing else in."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Sequence
from functools import cache
from importlib import resources

import msgspec
from jinja2 import ChoiceLoader, Environment, PackageLoader, StrictUndefined
from markupsafe import Markup
from plotly.offline import get_plotlyjs

from harness.report import palette
from harness.report.plots import Plot

OWN = "harness.report"


def environment(package: str = OWN, *, is_page: bool) -> Environment:
    """Return where templates are found: in a package, and the common parts of all in this one.

    Args:
        package: that has the templates.
        is_page: whether it is HTML, so that all that is put in is escaped.
    """
    return Environment(
        loader=ChoiceLoader([PackageLoader(name, ".") for name in dict.fromkeys((package, OWN))]),
        autoescape=is_page,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=not is_page,
    )


def page(
    template: str,
    plots: Sequence[Plot],
    values: dict[str, object],
    *,
    package: str = OWN,
    more_style: str = "",
) -> str:
    """Return a page with charts.

    What the files hold is foreign: Jinja2 escapes it, the data of the charts is JSON without `<`,
    and the page runs no scripts but the two whose hashes its own policy names.

    Args:
        template: its name; it extends base.html.jinja.
        plots: its charts; without any it has no scripts.
        values: what the template puts in.
        package: that has the template.
        more_style: CSS behind that of all pages.
    """
    scripts = [_plotly(), read("report.js")] if plots else []
    return (
        environment(package, is_page=True)
        .get_template(template)
        .render(
            figures=Markup(_data({each.id: msgspec.Raw(each.figure.encode()) for each in plots})),
            dark=Markup(_data(palette.dark_of())),
            light_colours=palette.LIGHT,
            dark_colours=palette.DARK,
            style=Markup(read("report.css") + more_style),
            scripts=[Markup(script) for script in scripts],
            policy=_policy(scripts),
            **values,
        )
    )


@cache
def read(name: str, package: str = OWN) -> str:
    """Return a file of a package."""
    return resources.files(package).joinpath(name).read_text(encoding="utf-8")


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
