"""Stress: five equal steps up to the peak, and one look at how the server recovers."""

from harness.users.load_shapes import Curve


class Stress(Curve):
    """A fifth of the peak more every sixth of the time; the last sixth goes back to one fifth."""

    points = (
        (0, 0.2),
        (1 / 6, 0.2),
        (0.18, 0.4),
        (2 / 6, 0.4),
        (0.35, 0.6),
        (3 / 6, 0.6),
        (0.52, 0.8),
        (4 / 6, 0.8),
        (0.69, 1.0),
        (5 / 6, 1.0),
        (0.85, 0.2),
        (1, 0.2),
    )
