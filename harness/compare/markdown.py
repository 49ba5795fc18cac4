"""`report.md` of a comparison: the result for a pull request, with its charts."""

from __future__ import annotations

from collections.abc import Sequence

from harness.compare import tables
from harness.compare.page import OWN
from harness.compare.picture import Picture
from harness.report.markdown import SIGNS, environment


def render(picture: Picture, charts: Sequence[tuple[str, str]]) -> str:
    """Return the result as GitHub's Markdown.

    Args:
        picture: what is drawn.
        charts: names of the pictures beside it, and what they show.
    """
    return (
        environment(OWN)
        .get_template("compare.md.jinja")
        .render(
            plan=picture.plan,
            comparison=picture.comparison,
            rounds=picture.rounds,
            not_drawn=picture.not_drawn,
            tables=[tables.variants(picture), tables.ratios(picture)],
            objectives=tables.objectives(picture),
            charts=charts,
            signs=SIGNS,
        )
    )
