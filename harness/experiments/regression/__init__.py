"""Has a change made the server slower? Compares two runs, before and after it.

`reading` loads the runs and refuses pairs that cannot be compared. `ratios` estimates each ratio
with a block bootstrap (`steady`, `bootstrap`), `slowdown` judges them, `table` prints the result.
`baseline` keeps a run for later comparisons.
"""

from harness.experiments.regression.slowdown import Judgement

__all__ = ["Judgement"]
