"""A run folder -> its summary, from the files alone: as often as wanted, with the same result."""

from __future__ import annotations

import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

import msgspec
from hdrh.codec import HdrCookieException, HdrLengthException

from harness import ConfigurationError, figures, objectives, runfolder, timeseries, verdict
from harness.figures import Running, Sums
from harness.runfolder import Ending, Manifest, Summary
from harness.timeseries import Second

BROKEN = (
    ValueError,
    TypeError,
    IndexError,
    OSError,
    zlib.error,
    msgspec.MsgspecError,
    HdrCookieException,
    HdrLengthException,
)
"""What reading a file may raise that somebody else wrote to, or that a full disk cut."""


class Judged(NamedTuple):
    """The result of a run, and what it was computed from."""

    summary: Summary
    running: Running
    manifest: Manifest
    ending: Ending | None


def judge(folder: Path, also: Callable[[Second, Sums], None] = lambda row, sums: None) -> Judged:
    """Compute the figures of a run and judge it; `also` is shown each second with its sums too.

    Raises:
        ConfigurationError: it is no run, or a file is missing or broken; says which.
    """
    manifest = checked_manifest(folder)
    with readable(folder, runfolder.ENDING):
        ending = runfolder.read_ending(folder)
    wanted = objectives.load(folder / runfolder.OBJECTIVES)
    with readable(folder, f"{timeseries.TIMELINE} or {timeseries.HISTOGRAMS}"):
        running = figures.read(folder, wanted.saturation, manifest.warm_up_s, also)
    summary = verdict.summarize(manifest, running.figures(), ending, wanted)
    return Judged(summary, running, manifest, ending)


def checked_manifest(folder: Path) -> Manifest:
    """Read `run.json` of a folder that somebody named.

    Raises:
        ConfigurationError: it is no folder of a run, or the file is broken.
    """
    if not folder.is_dir():
        raise ConfigurationError(f"there is no folder {folder}; give that of a run, results/ID")
    if not (folder / runfolder.MANIFEST).exists():
        raise ConfigurationError(f"{folder} is not the folder of a run: it has no run.json")
    with readable(folder, runfolder.MANIFEST):
        return runfolder.read_manifest(folder)


@contextmanager
def readable(folder: Path, name: str, what: str = "run") -> Iterator[None]:
    """Turn what reading a file raises into one line that says which is missing or broken.

    `name` is that of the file, or of both when it may be either; `what` the folder is of.

    Raises:
        ConfigurationError: that line.
    """
    try:
        yield
    except ConfigurationError:
        raise
    except FileNotFoundError as error:
        missing = Path(error.filename).name if error.filename else name
        raise ConfigurationError(f"{folder} is not a whole {what}: it has no {missing}") from None
    except BROKEN as error:
        reason = " ".join(str(error).split()) or type(error).__name__
        raise ConfigurationError(f"{folder / name} is broken: {reason}") from None
