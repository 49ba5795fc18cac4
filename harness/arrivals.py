"""Which reports of which workers have come: what is still awaited, and what never came; pure.

A broken network delays what workers tell, and a connection that is reset loses what was on its
way. Neither may pass unnoticed: each report has a number.
"""

from __future__ import annotations

import math

from harness.timeseries import Report

LONGEST_WAIT_S = 30.0
"""A second waits no longer for a worker that is silent, and may be gone for good.

What a broken network held back is there within twice the time that it was broken: so long TCP may
wait before it sends again. A worker that cannot reach its master for longer than 15 s is as good
as lost.
"""


class Arrivals:
    """Keeps, for one run, how far each worker has told of it."""

    def __init__(self, run: str) -> None:
        """Begin before the first report of a run."""
        self._run = run
        self._workers: dict[str, _Worker] = {}

    def take(self, worker: str, report: Report, now_s: float) -> bool:
        """Note a report; return whether it counts: it is of this run, and is there once.

        Args:
            worker: who sent it.
            report: as it came.
            now_s: when it came, seconds since the epoch.
        """
        if report.run != self._run:  # of a worker that an earlier run had lost
            return False
        told = self._workers.setdefault(worker, _Worker())
        told.expect(report.number)
        if report.number not in told.missing:
            return False
        told.missing.remove(report.number)
        told.until, told.heard_s = max(report.until, told.until), now_s
        for number, clock_s in enumerate((report.sent_s, report.written_s)):
            if clock_s is not None:  # what is not its clock is its way, which takes time
                told.behind_s[number] = min(now_s - clock_s, told.behind_s[number])
        return True

    def end(self, worker: str, run: str, reports: int) -> None:
        """Note that a worker has sent all its reports, and how many they were."""
        if run == self._run:
            told = self._workers.setdefault(worker, _Worker())
            told.expect(reports)
            told.has_ended = True

    def complete_until(self, now_s: float) -> float:
        """Return the first second of which a worker may have more to tell, or infinity.

        It is never further back than the longest wait.
        """
        awaited = (
            told.until
            for told in self._workers.values()
            if not told.has_ended and now_s - told.heard_s < LONGEST_WAIT_S
        )
        return max(min(awaited, default=math.inf), now_s - LONGEST_WAIT_S)

    @property
    def lost(self) -> int | None:
        """How many reports are missing; None when no worker took part."""
        if not self._workers:
            return None
        return sum(len(told.missing) for told in self._workers.values())

    @property
    def clock_off_s(self) -> float | None:
        """By how much the worst clock is behind, or ahead when negative; None when none told.

        A clock ahead is worse: one that seems to be behind may be a message's long way.
        """
        behind_s = [each_s for told in self._workers.values() for each_s in told.behind_s]
        off_s = [each_s for each_s in behind_s if each_s < math.inf]
        return max(off_s, key=lambda each_s: max(each_s, -2 * each_s), default=None)


class _Worker:
    """How far a worker has told.

    `missing` are the numbers of reports that have not come; `behind_s` is of both its clocks.
    """

    __slots__ = ("behind_s", "has_ended", "heard_s", "last", "missing", "until")

    def __init__(self) -> None:
        self.last = 0
        self.missing: set[int] = set()
        self.until = 0
        self.heard_s = -math.inf
        self.has_ended = False
        self.behind_s = [math.inf, math.inf]

    def expect(self, last: int) -> None:
        """Expect reports up to this number."""
        self.missing.update(range(self.last + 1, last + 1))
        self.last = max(last, self.last)
