"""Nearest-rank percentiles by NumPy, as `harness.histograms` has them of a single histogram."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray


def ranks(shares: Sequence[float], totals: ArrayLike) -> NDArray[np.float64]:
    """Return which of so many ordered values each share (0 to 1) of them is, counted from 1.

    Args:
        shares: one a row of the result.
        totals: how many values there are; a number or an array, whose shape follows.
    """
    # Rounded first, since 0.07 * 100 is more than 7 in binary.
    return np.maximum(np.ceil(np.round(np.multiply.outer(shares, totals), 6)), 1)
