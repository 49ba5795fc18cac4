"""`python -m harness cleanup`: deletes what a run has left on its server, however it ended."""

from __future__ import annotations

import time
from pathlib import Path

from harness import ConfigurationError
from harness.config.hosts import check_host
from harness.config.settings import Settings, redacted
from harness.devices.cleanup import delete_all, identified
from harness.devices.ledger import LEDGER, Ledger, LedgerHeldError, read_left
from harness.distributed.master import LEASE_ENDED_AFTER_S
from harness.http.suite import Suite
from harness.http.target import Target
from harness.results.formatting import count
from harness.results.judging import checked_manifest, readable
from harness.results.run_folder import ENDING, Manifest
from harness.run import start_checks


def clean_up(folder: Path, settings: Settings, suite: Suite) -> int:
    """Delete the devices that may be left according to a run's ledger, and print the result.

    If HOST in the settings is the host of the run, its credentials are used. Returns the exit
    code: 0 if nothing is left, 1 if something is.

    Raises:
        ConfigurationError: it is no folder of a run, the run is still going on, or its host is
            refused or unreachable.
    """
    manifest = checked_manifest(folder)
    if not (folder / LEDGER).exists():
        raise ConfigurationError(f"{folder} has no {LEDGER}: the run never began to load its host")
    # The manifest holds the host without credentials.
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
        assert suite.devices is not None
        target = Target(host, settings)
        start_checks.check_target(host, settings, suite.probe)
        ended_s = _ended_s(folder, manifest, settings)
        # The ledger does not know which registrations were confirmed, so all are in doubt.
        unconfirmed = dict.fromkeys(left, ended_s)
        outcome = delete_all(
            target, suite.devices, left, unconfirmed, ledger, settings, notify=_print
        )
    remaining = len(left) - len(outcome.deleted) - len(outcome.absent)
    deleted, absent = count(len(outcome.deleted)), count(len(outcome.absent))
    more = f"; {absent} more were reserved and not there" if outcome.absent else ""
    print(f"devices: {deleted} deleted, {count(remaining)} left behind{more}")
    if remaining:
        print("run it again to go on; CLEANUP_TIMEOUT_S and CLEANUP_PER_S say how much it may do")
    return 1 if remaining else 0


def _print(text: str) -> None:
    print(text, flush=True)


def _ended_s(folder: Path, manifest: Manifest, settings: Settings) -> float:
    """Return the time from which no request of the run can be in progress (`time.monotonic`).

    Workers whose master was killed stop by themselves after a while; this waits for them.
    """
    # The master touches the ledger every second, and a single process writes to it before each
    # POST; other files are written late when a worker is silent.
    has_ended = (folder / ENDING).exists()
    written_s = (folder / (ENDING if has_ended else LEDGER)).stat().st_mtime
    ago_s = max(time.time() - written_s, 0.0)  # the clock may have been set back since
    if not has_ended and manifest.workers and ago_s < LEASE_ENDED_AFTER_S:
        wait_s = LEASE_ENDED_AFTER_S - ago_s
        _print(f"waiting {wait_s:.0f} s until the workers of this run have stopped")
        time.sleep(wait_s)
        ago_s += wait_s
    return time.monotonic() - ago_s + settings.answer_timeout_s
