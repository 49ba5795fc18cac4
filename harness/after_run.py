"""`python -m harness cleanup`: deletes what a run has left on its server, whoever died of it."""

from __future__ import annotations

import time
from pathlib import Path

from harness import ConfigurationError, gate
from harness.cleanup import identified, sweep
from harness.formatting import count
from harness.guard import check_host
from harness.ledger import LEDGER, Ledger, LedgerHeldError, read_left
from harness.master import GONE_AFTER_S
from harness.origin import Origin
from harness.result import checked_manifest, readable
from harness.runfolder import ENDING, Manifest
from harness.settings import Settings, redacted


def clean_up(folder: Path, settings: Settings) -> int:
    """Delete the devices of a run that its ledger does not know to be gone; say what came of it.

    Returns the exit code: 0 when nothing is left, 1 when something is. A HOST in the settings that
    is that of the run brings its credentials along.

    Raises:
        ConfigurationError: it is no run or goes on, or its host is refused or silent.
    """
    manifest = checked_manifest(folder)
    if not (folder / LEDGER).exists():
        raise ConfigurationError(f"{folder} has no {LEDGER}: the run never began to load its host")
    is_same = redacted(settings.host) == manifest.host
    host = check_host(settings.host if is_same else manifest.host, settings.allowed_hosts)
    with readable(folder, LEDGER):
        try:
            ledger = Ledger(folder)
        except LedgerHeldError:
            raise ConfigurationError(
                f"the run in {folder} goes on, or is being cleaned up; wait for its end"
            ) from None
    with ledger, readable(folder, LEDGER):
        left = identified(manifest.seed, read_left(folder))
        if not left:
            print("nothing is left of this run")
            return 0
        gate.check_target(host, settings)
        ended_s = _ended_s(folder, manifest, settings)
        doubts = dict.fromkeys(left, ended_s)
        swept = sweep(Origin(host, settings), left, doubts, ledger, settings, tell=_say)
    remaining = len(left) - len(swept.deleted) - len(swept.absent)
    deleted, absent = count(len(swept.deleted)), count(len(swept.absent))
    more = f"; {absent} more were reserved and not there" if swept.absent else ""
    print(f"devices: {deleted} deleted, {count(remaining)} left behind{more}")
    if remaining:
        print("run it again to go on; CLEANUP_TIMEOUT_S and CLEANUP_PER_S say how much it may do")
    return 1 if remaining else 0


def _say(text: str) -> None:
    print(text, flush=True)


def _ended_s(folder: Path, manifest: Manifest, settings: Settings) -> float:
    """Wait for workers; return when nothing of the run is under way, by `time.monotonic`."""
    has_ended = (folder / ENDING).exists()
    ago_s = time.time() - (folder / (ENDING if has_ended else LEDGER)).stat().st_mtime
    if not has_ended and manifest.workers and ago_s < GONE_AFTER_S:
        wait_s = min(GONE_AFTER_S, GONE_AFTER_S - ago_s)
        _say(f"waiting {wait_s:.0f} s until the workers of this run have stopped")
        time.sleep(wait_s)
        ago_s += wait_s
    return time.monotonic() - ago_s + settings.answer_timeout_s
