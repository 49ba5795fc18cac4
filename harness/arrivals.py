"""Which reports of which workers have come: what is still awaited, and what never came; pure.

A broken network delays what workers tell, and a connection that is reset loses what was on its
way. Neither may pass unnoticed: each report has a number.
"""

from __future__ import annotations

import math
from collections import deque

from harness.timeseries import Report

CLOCK_REPORTS = 5
"""Of so many reports in a row one at least took no time to speak of: it shows the clock."""
LONGEST_WAIT_S = 30.0
"""A second waits no longer for a worker that is silent, and may be gone for good.

What a broken network held back is there within twice the time that it was broken: so long TCP may
wait before it sends again. A worker that cannot reach its master for longer than 20 s is as good
as lost.
"""


class Arrivals:
    """Keeps, for one run, how far each worker has told of it."""

    def __init__(self, run: str) -> None:
        self._run = run
        self._workers: dict[str, _Worker] = {}

    def begin(self, worker: str, now_s: float) -> None:
        """Note that a worker is about to have users: its first report is awaited from now on."""
        told = self._workers.setdefault(worker, _Worker())
        told.until, told.heard_s = max(int(now_s), told.until), max(now_s, told.heard_s)

    def take(self, worker: str, report: Report, now_s: float) -> bool:
        """Note a report that came at `now_s`; return whether it counts: of this run, and new."""
        if report.run != self._run:  # of a worker that an earlier run had lost
            return False
        told = self._workers.setdefault(worker, _Worker())
        told.expect(report.number)
        if report.number not in told.missing:
            return False
        told.missing.remove(report.number)
        told.until, told.heard_s = max(report.until, told.until), now_s
        for clock, clock_s in zip(told.clocks, (report.sent_s, report.written_s), strict=True):
            if clock_s is not None:
                clock.take(now_s - clock_s)
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
        clocks = [clock for told in self._workers.values() for clock in told.clocks]
        off_s = [each_s for clock in clocks for each_s in (clock.least_s, clock.most_s)]
        told_s = [each_s for each_s in off_s if each_s is not None]
        return max(told_s, key=lambda each_s: max(each_s, -2 * each_s), default=None)


class _Clock:
    """How far a clock of a worker seems to be behind ours, at the least and at the most.

    What a report says of it is too much by the time that the report was on its way: so the least
    of all is as far ahead as the clock ever was. It may also fall behind in mid-run: of each few
    reports in a row the least is taken, and the most of these.
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
    """How far a worker has told.

    `missing` are the numbers of reports that have not come; of its clocks the first is its
    machine's, the second its journal's.
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
        """Expect reports up to this number."""
        self.missing.update(range(self.last + 1, last + 1))
        self.last = max(last, self.last)
