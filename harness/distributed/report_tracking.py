"""Which reports of which workers have arrived, are still expected, or are lost; pure.

A broken network delays reports, and a connection reset loses those in transit. Neither may go
unnoticed, so each report has a number.
"""

from __future__ import annotations

import math
from collections import deque

from harness.recording.samples import Report

CLOCK_REPORTS = 5
"""Of this many reports in a row, at least one is hardly delayed and shows the worker's clock."""
LONGEST_WAIT_S = 30.0
"""How long a second of the run waits for a silent worker, which may be gone for good.

What a broken network held back arrives within twice the duration of the break, since TCP may wait
that long before it sends again. A worker that cannot reach its master for 20 s is as good as lost.
"""


class ReportTracker:
    """Tracks how far each worker has reported on one run."""

    def __init__(self, run: str) -> None:
        self._run = run
        self._workers: dict[str, _Worker] = {}

    def begin(self, worker: str, now_s: float) -> None:
        """Expect reports of a worker from now on: it is about to get users."""
        worker_state = self._workers.setdefault(worker, _Worker())
        worker_state.until = max(int(now_s), worker_state.until)
        worker_state.heard_s = max(now_s, worker_state.heard_s)

    def take(self, worker: str, report: Report, now_s: float) -> bool:
        """Note a report that arrived at `now_s`; return True if it is new and of this run."""
        if report.run != self._run:  # from a worker that an earlier run had lost
            return False
        worker_state = self._workers.setdefault(worker, _Worker())
        worker_state.expect(report.number)
        if report.number not in worker_state.missing:
            return False
        worker_state.missing.remove(report.number)
        worker_state.until, worker_state.heard_s = max(report.until, worker_state.until), now_s
        for clock, clock_s in zip(
            worker_state.clocks, (report.sent_s, report.written_s), strict=True
        ):
            if clock_s is not None:
                clock.take(now_s - clock_s)
        return True

    def end(self, worker: str, run: str, reports: int) -> None:
        """Note that a worker has sent all of its reports, and how many."""
        if run == self._run:
            worker_state = self._workers.setdefault(worker, _Worker())
            worker_state.expect(reports)
            worker_state.has_ended = True

    def complete_until(self, now_s: float) -> float:
        """Return the first second that a worker may still report on, or infinity.

        It is never further back than the longest wait.
        """
        awaited = (
            worker_state.until
            for worker_state in self._workers.values()
            if not worker_state.has_ended and now_s - worker_state.heard_s < LONGEST_WAIT_S
        )
        return max(min(awaited, default=math.inf), now_s - LONGEST_WAIT_S)

    @property
    def lost(self) -> int | None:
        """Number of missing reports; None if no worker took part."""
        if not self._workers:
            return None
        return sum(len(worker_state.missing) for worker_state in self._workers.values())

    @property
    def clock_off_s(self) -> float | None:
        """Offset of the worst clock: positive if it is behind, negative if ahead; None if unknown.

        A clock ahead weighs double: one that seems to be behind may be a report's time in transit.
        """
        clocks = [
            clock for worker_state in self._workers.values() for clock in worker_state.clocks
        ]
        off_s = [each_s for clock in clocks for each_s in (clock.least_s, clock.most_s)]
        known_s = [each_s for each_s in off_s if each_s is not None]
        return max(known_s, key=lambda each_s: max(each_s, -2 * each_s), default=None)


class _Clock:
    """The smallest and the largest offset by which a worker's clock seems to be behind ours.

    An offset includes the time that the report was in transit, so the smallest of all shows how
    far the clock was ever ahead. The clock may also fall behind during the run: the largest offset
    is the maximum over the minima of every few consecutive reports.
    """

    __slots__ = ("_latest_s", "least_s", "most_s")

    def __init__(self) -> None:
        self._latest_s: deque[float] = deque(maxlen=CLOCK_REPORTS)
        self.least_s: float | None = None
        self.most_s: float | None = None

    def take(self, behind_s: float) -> None:
        self._latest_s.append(behind_s)
        self.least_s = behind_s if self.least_s is None else min(behind_s, self.least_s)
        if len(self._latest_s) == CLOCK_REPORTS:
            least_s = min(self._latest_s)
            self.most_s = least_s if self.most_s is None else max(least_s, self.most_s)


class _Worker:
    """How far a worker has reported.

    `missing` are the numbers of reports that have not arrived. The first of `clocks` is the clock
    of its machine, the second that of its write history.
    """

    __slots__ = ("clocks", "has_ended", "heard_s", "last", "missing", "until")

    def __init__(self) -> None:
        self.last = 0
        self.missing: set[int] = set()
        self.until = 0
        self.heard_s = -math.inf
        self.has_ended = False
        self.clocks = _Clock(), _Clock()

    def expect(self, last: int) -> None:
        """Expect all reports up to this number."""
        self.missing.update(range(self.last + 1, last + 1))
        self.last = max(last, self.last)
