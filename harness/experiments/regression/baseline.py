"""Keeps `results/baseline/`, a copy of the run that later runs are compared with."""

from __future__ import annotations

import shutil
from pathlib import Path

from harness import ConfigurationError
from harness.experiments.regression.reading import Run
from harness.results import judging, run_folder, timeline

NAME = "baseline"
PLANNED = (run_folder.MANIFEST, run_folder.OBJECTIVES, run_folder.ENDING)
RECORDED = (timeline.HISTOGRAMS, timeline.TIMELINE, timeline.FAILURES)
REPORTS = (run_folder.SUMMARY, "report.html", "report.md", "junit.xml", "charts")
"""Copied if they exist."""


def kept(results_dir: Path) -> Path:
    """Return the folder of the baseline.

    Raises:
        ConfigurationError: there is none; says how to keep one.
    """
    folder = results_dir / NAME
    if not (folder / run_folder.MANIFEST).exists():
        raise ConfigurationError(
            f"there is no {folder}: keep a run to compare with by "
            "make baseline RUN=results/RUN_ID, or name two runs"
        )
    return folder


def keep(run: Run, results_dir: Path) -> Path:
    """Make a copy of a run the baseline, in place of an older one, whole or not at all.

    Raises:
        ConfigurationError: the run is the baseline already, or cannot be copied there; says why.
    """
    folder = results_dir / NAME
    if folder.exists():
        if folder.resolve() == run.folder.resolve():
            raise ConfigurationError(f"{run.folder} is the baseline already")
        # A copy has the id of its run; this is a run that was started with the id "baseline".
        if judging.checked_manifest(folder).run_id == NAME:
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
        # A folder cannot be renamed over another that is not empty.
        if folder.exists():
            folder.rename(older)
        unfinished.rename(folder)
        shutil.rmtree(older, ignore_errors=True)
    except OSError as error:
        raise ConfigurationError(f"cannot write {folder}: {error.strerror}") from None
    return folder
