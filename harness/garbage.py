"""Keeps Python's garbage collector from stopping the event loop while a run is measured.

A full collection looks at every object, and thousands of users are a million of them: it stops
everything for hundreds of milliseconds, which then stand in the response times as if the server
had been slow. Freed memory comes back by reference counts; only cycles wait for the collector.
"""

from __future__ import annotations

import gc

YOUNG = 10_000
"""Net new objects before the youngest are looked at: about a millisecond's work."""
MIDDLE = 10
"""Collections of the youngest before those that survived one are looked at too."""
OLD = 1_000
"""Collections of the middle before all that is not frozen is looked at."""


def begin_run() -> None:
    """Collect what an earlier run left behind, and set what is left aside."""
    gc.unfreeze()
    gc.collect()
    gc.freeze()
    gc.set_threshold(YOUNG, MIDDLE, OLD)


def users_are_there() -> None:
    """Set all that there is aside, since it stays to the end of the run."""
    gc.freeze()
