"""A run folder -> its summary, from the files alone: as often as wanted, with the same result."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from harness import figures, objectives, runfolder, verdict
from harness.figures import Running, Sums
from harness.runfolder import Summary
from harness.timeseries import Second


def summarize(
    folder: Path, also: Callable[[Second, Sums], None] = lambda row, sums: None
) -> Summary:
    """Compute the figures of a run and judge it.

    Args:
        folder: of the run.
        also: is shown each second with its sums too, so that the files are read once.
    """
    return judge(folder, also)[0]


def judge(
    folder: Path, also: Callable[[Second, Sums], None] = lambda row, sums: None
) -> tuple[Summary, Running]:
    """Do the same, and return the histograms behind the figures too, for who draws them."""
    text = (folder / runfolder.OBJECTIVES).read_text(encoding="utf-8")
    wanted = objectives.parse(text, str(folder / runfolder.OBJECTIVES))
    manifest, ending = runfolder.read_manifest(folder), runfolder.read_ending(folder)
    running = figures.read(folder, wanted.saturation, manifest.warm_up_s, also)
    return verdict.summarize(manifest, running.figures(), ending, wanted), running
