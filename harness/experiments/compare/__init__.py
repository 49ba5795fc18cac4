"""Which deployment carries more users: many short runs in random order, then a comparison.

`experiment` makes the runs, `step_search` chooses the load of the next one. `judging` computes
the result from the files alone, with intervals from `estimates` and sentences from `conclusions`.
`files` defines the file formats, `report` renders the result.
"""

from harness.experiments.compare.files import Comparison, Plan

__all__ = ["Comparison", "Plan"]
