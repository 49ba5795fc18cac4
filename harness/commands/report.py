"""`python -m harness report`: draws a run or a comparison again, from the files of its folder."""

from __future__ import annotations

from pathlib import Path

from harness.experiments.compare.files import PLAN


def run(folder: Path) -> int:
    """Write the report of a folder; return exit code 0, whatever the verdict.

    Raises:
        ConfigurationError: it is a folder of neither, or a file is missing or broken.
    """
    if (folder / PLAN).exists():
        from harness.commands import compare

        what = compare.judge(folder).finding.removesuffix(".")
    else:
        from harness.report.files import draw  # imports matplotlib, which a run does not need

        what = draw(folder).verdict
    print(f"{what}, report: {folder / 'report.html'}")
    return 0
