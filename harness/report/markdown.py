"""`report.md`: the result for a pull request or `$GITHUB_STEP_SUMMARY`."""

from __future__ import annotations

from collections.abc import Sequence

from jinja2 import Environment

from harness.formatting import plain
from harness.report import scaffold, tables
from harness.report.material import Material

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


def code(text: str) -> str:
    """Return a text as code; backticks cannot, since a text may hold them."""
    return f"<code>{plain(text)}</code>"


def _rule(headings: Sequence[str], numbers: Sequence[int]) -> str:
    """Return the line below the headings of a table."""
    return "|".join("---:" if place in numbers else "---" for place in range(len(headings)))
