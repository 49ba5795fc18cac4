"""`results/baseline/`: a copy of the run that later ones are compared with."""

from __future__ import annotations

import shutil
from pathlib import Path

from harness import ConfigurationError, result, runfolder, timeseries
from harness.two_runs.reading import Run

NAME = "baseline"
PLANNED = (runfolder.MANIFEST, runfolder.OBJECTIVES, runfolder.ENDING)
RECORDED = (timeseries.HISTOGRAMS, timeseries.TIMELINE, timeseries.FAILURES)
REPORTS = (runfolder.SUMMARY, "report.html", "report.md", "junit.xml", "charts")
"""Copied as far as they are there."""


def kept(results_dir: Path) -> Path:
    """Return the folder of the run that was kept.

    Raises:
        ConfigurationError: none was; says how to.
    """
    folder = results_dir / NAME
    if not (folder / runfolder.MANIFEST).exists():
        raise ConfigurationError(
            f"there is no {folder}: keep a run to compare with by "
            "make baseline RUN=results/RUN_ID, or name two runs"
        )
    return folder


def keep(run: Run, results_dir: Path) -> Path:
    """Copy a run to where `kept` finds it, in the place of an older one; whole or not at all.

    Raises:
        ConfigurationError: it is there already, or cannot take that place; says why.
    """
    folder = results_dir / NAME
    if folder.exists():
        if folder.resolve() == run.folder.resolve():
            raise ConfigurationError(f"{run.folder} is the baseline already")
        if result.checked_manifest(folder).run_id == NAME:
            raise ConfigurationError(f"{folder} is a run of its own; give it another name first")
    unfinished, older = folder.with_name(f".{NAME}.tmp"), folder.with_name(f".{NAME}.old")
    try:
        for leftover in (unfinished, older):
            shutil.rmtree(leftover, ignore_errors=True)
        unfinished.mkdir(parents=True)
        for name in (*PLANNED, *RECORDED, *REPORTS):
            source = run.folder / name
            if source.is_dir():
                shutil.copytree(source, unfinished / name)
            elif name not in REPORTS or source.exists():
                shutil.copy2(source, unfinished / name)
        if folder.exists():
            folder.rename(older)
        unfinished.rename(folder)
        shutil.rmtree(older, ignore_errors=True)
    except OSError as error:
        raise ConfigurationError(f"cannot write {folder}: {error.strerror}") from None
    return folder
