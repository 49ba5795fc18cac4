"""Formats numbers, durations and untrusted text for terminal, files, reports and live page."""

from __future__ import annotations

import re

MARKUP = re.compile(r"[\\`*_{}\[\]<>|~#&$!^]|:(?! )")
"""Characters that Markdown may read as markup, a table separator, a link, an emoji or a formula.

A colon before a space is plain punctuation, and common in error messages.
"""
NONE = "\N{EN DASH}"
TIMES = "\N{MULTIPLICATION SIGN}"


def count(number: int) -> str:
    """Format an integer with commas between thousands."""
    return f"{number:,}"


def number(value: float) -> str:
    """Format a value with four digits, as an integer from 1,000 on.

    Four digits are enough to tell a measured value from its limit.
    """
    # From 999.95 on, four digits have no decimals, and "g" would write 9,999.5 as 1e+04.
    return count(round(value)) if abs(value) >= 999.95 else f"{value:.4g}"


def rounded(value: float) -> str:
    """Format an estimate with three significant digits, then zeros, such as 1,230."""
    value = float(f"{value:.3g}")
    return count(round(value)) if abs(value) >= 1000 else f"{value:g}"


def time_ms(value: float | None) -> str:
    """Format a response time with three digits, all that histograms keep; integer from 1,000."""
    if value is None:
        return NONE
    # From 999.5 on, ".3g" would write 1e+03.
    return count(round(value)) if value >= 999.5 else f"{value:.3g}"


def percent(ratio: float) -> str:
    """Format a ratio in percent. Only 0 appears as 0."""
    return "0" if not ratio else f"{ratio * 100:.4g}"


def factor(value: float) -> str:
    """Format a ratio: below 2 with two decimals, where they matter."""
    return f"{value:.2f}" if value < 2 else f"{value:.1f}" if value < 10 else count(round(value))


def clock(seconds: float) -> str:
    """Format a time within the run as 00:05, 05:00 or 1:30:00."""
    minutes, rest = divmod(int(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes:02}:{rest:02}"


def duration(seconds: float) -> str:
    """Format a duration as 90 s, 05:00 or 1:30:00."""
    return f"{seconds:.0f} s" if seconds < 120 else clock(round(seconds))


def width(seconds: int) -> str:
    """Format the width of a time bucket as 15 s, 2 min or 1 h."""
    for unit_s, unit in ((3600, "h"), (60, "min")):
        if seconds >= unit_s and seconds % unit_s == 0:
            return f"{seconds // unit_s} {unit}"
    return f"{seconds} s"


def one_line(text: str) -> str:
    """Return untrusted text as one line, with U+FFFD in place of unprintable characters."""
    line = " ".join(text.split())
    return "".join(sign if sign.isprintable() else "\N{REPLACEMENT CHARACTER}" for sign in line)


def plain(text: str) -> str:
    """Escape untrusted text for Markdown: one line, no markup, no mentions."""
    escaped = MARKUP.sub(lambda found: f"&#{ord(found[0])};", one_line(text))
    # GitHub looks for mentions in the rendered text, where an entity is an @ again.
    return escaped.replace("@", "&#64;\N{ZERO WIDTH SPACE}")
