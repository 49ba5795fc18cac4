"""How numbers and foreign texts are written, everywhere alike."""

from __future__ import annotations

NONE = "\N{EN DASH}"


def one_line(text: str) -> str:
    """Return a text in one line, without the signs that steer a reader instead of being read."""
    line = " ".join(text.split())
    return "".join(sign if sign.isprintable() else "\N{REPLACEMENT CHARACTER}" for sign in line)


def count(number: int) -> str:
    """Write a count with spaces between its thousands, which every language reads alike."""
    return f"{number:,}".replace(",", "\N{NARROW NO-BREAK SPACE}")


def number(value: float) -> str:
    """Write a value with four digits; whole from 1 000 on."""
    return count(round(value)) if abs(value) >= 1000 else f"{value:.4g}"


def time_ms(value: float | None) -> str:
    """Write a response time: three digits, as many as the histograms keep."""
    if value is None:
        return NONE
    return count(round(value)) if value >= 999.5 else f"{value:.3g}"


def clock(seconds: float) -> str:
    """Write a duration such as 90 s, 05:00 or 1:30:00."""
    if seconds < 120:
        return f"{seconds:.0f} s"
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes:02}:{rest:02}"


def width(seconds: int) -> str:
    """Write the width of a slice, which is a round one: 15 s, 2 min or 1 h."""
    for unit_s, unit in ((3600, "h"), (60, "min")):
        if seconds >= unit_s and seconds % unit_s == 0:
            return f"{seconds // unit_s} {unit}"
    return f"{seconds} s"


def percent(ratio: float) -> str:
    """Write a share in percent; what is not 0 does not look like it."""
    return "0" if not ratio else f"{ratio * 100:.3g}"
