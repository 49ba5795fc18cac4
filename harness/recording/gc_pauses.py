"""Keep Python's garbage collector from blocking the event loop while a run is measured.

A full collection visits every object, and thousands of users have a million of them. It blocks
everything for hundreds of milliseconds, which appear in the response times as if the server had
been slow. Reference counting still frees memory; only cycles wait for the collector.
"""

from __future__ import annotations

import gc

YOUNG = 10_000
"""Net new objects before a collection of the young generation: about a millisecond of work."""
MIDDLE = 10
"""Collections of the young generation before one that includes the middle generation."""
OLD = 1_000
"""Collections of the middle generation before one of everything that is not frozen."""


def begin_run() -> None:
    """Collect what an earlier run left, then exclude the remaining objects from collections."""
    gc.unfreeze()  # the users of an earlier run were frozen, and may be cycles
    gc.collect()
    gc.freeze()
    gc.set_threshold(YOUNG, MIDDLE, OLD)


def after_ramp_up() -> None:
    """Exclude all present objects from collections: the users stay to the end of the run."""
    gc.freeze()
