"""`report.md`: the result for a pull request or `$GITHUB_STEP_SUMMARY`."""

from __future__ import annotations

import re
from collections.abc import Sequence

from jinja2 import Environment

from harness.report import scaffold, tables, wording
from harness.report.material import Material

SPECIAL = re.compile(r"[\\`*_{}\[\]<>|~#&$!^:]")
"""What could be markup, a table's end, a link, an emoji or a formula."""
SIGNS = {"pass": "✅", "fail": "❌", "invalid": "⚠️", "met": "✅", "missed": "❌"}
MOST_FAILURES = 20


def render(material: Material) -> str:
    """Return the result as GitHub's Markdown."""
    failures = tables.failures(material)
    steps = tables.steps(material) if len(material.summary.steps) > 1 else None
    endpoints = tables.endpoints(material, whole_run=not material.is_steady)
    return (
        environment()
        .get_template("report.md.jinja")
        .render(
            material=material,
            summary=material.summary,
            sign=SIGNS[material.summary.verdict],
            signs=SIGNS,
            meaning=tables.MEANINGS[material.summary.verdict],
            tables=[table for table in (tables.objectives(material), steps, endpoints) if table],
            failures=failures,
            most_failures=MOST_FAILURES,
            validity=tables.validity(material),
            manifest=tables.manifest(material),
        )
    )


def environment(package: str = scaffold.OWN) -> Environment:
    """Return where templates of Markdown are found; it has no escaping that Jinja2 knows.

    So every text goes through `plain` or `code`.
    """
    found = scaffold.environment(package, is_page=False)
    found.filters.update(plain=plain, code=code, rule=_rule)
    return found


def plain(text: str) -> str:
    """Return a text in one line that no Markdown reader takes for markup, or for a mention."""
    escaped = SPECIAL.sub(lambda found: f"&#{ord(found[0])};", wording.one_line(text))
    return escaped.replace("@", "&#64;\N{ZERO WIDTH SPACE}")


def code(text: str) -> str:
    """Return a text as code; backticks cannot, since a text may hold them."""
    return f"<code>{plain(text)}</code>"


def _rule(headings: Sequence[str], numbers: Sequence[int]) -> str:
    """Return the line below the headings of a table."""
    return "|".join("---:" if place in numbers else "---" for place in range(len(headings)))
