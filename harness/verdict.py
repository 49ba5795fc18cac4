"""What a run's exit code is, and why; pure."""

from __future__ import annotations

from harness.runfolder import DeviceCounts


def judge(
    requests: int,
    failures: int,
    exceptions: int,
    devices: DeviceCounts,
    lost_workers: int = 0,
    was_reset: bool = False,
) -> tuple[int, list[str]]:
    """Return the exit code of a run and the reasons for it.

    3: nothing was measured, or the suite itself failed. 1: answers were wrong. 0: all were right.
    """
    reasons = []
    if requests == 0:
        reasons.append("invalid: no request was made")
    if exceptions:
        reasons.append(f"invalid: {exceptions} exceptions in users, see locust_exceptions.csv")
    if was_reset:
        reasons.append("invalid: the statistics were reset in mid-run")
    if lost_workers:
        reasons.append(
            f"invalid: {lost_workers} workers were lost, and with them their last requests "
            "and the count of their devices"
        )
    if reasons:
        return 3, reasons
    if failures:
        reasons.append(f"{failures} of {requests} requests failed, see failures.csv")
    if devices.left_behind:
        reasons.append(f"{devices.left_behind} devices may still be on the server")
    return (1 if failures else 0), reasons
