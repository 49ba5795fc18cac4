"""Computes the summary of a run from its folder.

Invariant: nothing but the files decides, so a run can be judged again with the same result.
"""

from __future__ import annotations

import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

import msgspec
from hdrh.codec import HdrCookieException, HdrLengthException

from harness import ConfigurationError
from harness.results import figures, objectives, run_folder, timeline, verdict
from harness.results.figures import EndpointHistograms, RunningFigures
from harness.results.run_folder import Manifest, RunEnd, Summary
from harness.results.timeline import Second

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
"""What reading a file can raise if somebody edited it or a full disk cut it short."""


class Judged(NamedTuple):
    """The result of a run and what it was computed from."""

    summary: Summary
    running: RunningFigures
    manifest: Manifest
    ending: RunEnd | None


def judge(
    folder: Path, on_second: Callable[[Second, EndpointHistograms], None] = lambda row, sums: None
) -> Judged:
    """Compute the figures of a run and judge it; call `on_second` with each second and its sums.

    Raises:
        ConfigurationError: the folder is no run, or a file is missing or broken; names it.
    """
    manifest = checked_manifest(folder)
    with readable(folder, run_folder.ENDING):
        ending = run_folder.read_ending(folder)
    wanted = objectives.load(folder / run_folder.OBJECTIVES)
    with readable(folder, f"{timeline.TIMELINE} or {timeline.HISTOGRAMS}"):
        running = figures.read(folder, wanted.saturation, manifest.warm_up_s, on_second)
    summary = verdict.summarize(manifest, running.figures(), ending, wanted)
    return Judged(summary, running, manifest, ending)


def checked_manifest(folder: Path) -> Manifest:
    """Read `run.json` of a folder that a user named.

    Raises:
        ConfigurationError: the folder is no run, or the file is broken.
    """
    if not folder.is_dir():
        raise ConfigurationError(f"there is no folder {folder}; give that of a run, results/ID")
    if not (folder / run_folder.MANIFEST).exists():
        raise ConfigurationError(f"{folder} is not the folder of a run: it has no run.json")
    with readable(folder, run_folder.MANIFEST):
        return run_folder.read_manifest(folder)


@contextmanager
def readable(folder: Path, name: str, what: str = "run") -> Iterator[None]:
    """Turn what reading a file raises into one line that names the file.

    `name` is the file, or several if it can be either; `what` is the kind of folder.

    Raises:
        ConfigurationError: the file is missing or broken.
    """
    try:
        yield
    except ConfigurationError:  # a ValueError, but it names the file already
        raise
    except FileNotFoundError as error:
        missing = Path(error.filename).name if error.filename else name
        raise ConfigurationError(f"{folder} is not a whole {what}: it has no {missing}") from None
    except BROKEN as error:
        reason = " ".join(str(error).split()) or type(error).__name__
        raise ConfigurationError(f"{folder / name} is broken: {reason}") from None
