"""Spike: everybody comes at once."""

from harness.users.load_shapes import Curve


class Spike(Curve):
    """A tenth of the peak, within a twentieth of the time all of it, then back to a tenth."""

    points = ((0, 0.1), (0.3, 0.1), (0.35, 1.0), (0.6, 1.0), (0.65, 0.1), (1, 0.1))
