"""How numbers, durations and foreign texts are written: terminal, files, reports and live page."""

from __future__ import annotations

import re

MARKUP = re.compile(r"[\\`*_{}\[\]<>|~#&$!^]|:(?! )")
"""What Markdown could take for markup, a table's end, a link, an emoji or a formula."""
NONE = "\N{EN DASH}"
TIMES = "\N{MULTIPLICATION SIGN}"


def count(number: int) -> str:
    """Write a whole number with commas between its thousands."""
    return f"{number:,}"


def number(value: float) -> str:
    """Write a value with four digits, whole from 1,000 on: enough to tell it from its limit."""
    return count(round(value)) if abs(value) >= 999.95 else f"{value:.4g}"


def rounded(value: float) -> str:
    """Write a value with three digits and zeros behind them, for what is only estimated."""
    value = float(f"{value:.3g}")
    return count(round(value)) if abs(value) >= 1000 else f"{value:g}"


def time_ms(value: float | None) -> str:
    """Write a response time with three digits, as many as histograms keep; whole from 1,000 on."""
    if value is None:
        return NONE
    return count(round(value)) if value >= 999.5 else f"{value:.3g}"


def percent(ratio: float) -> str:
    """Write a share in percent; what is not 0 does not look like 0."""
    return "0" if not ratio else f"{ratio * 100:.4g}"


def factor(value: float) -> str:
    """Write a ratio: near 1 with two decimals, where they matter."""
    return f"{value:.2f}" if value < 2 else f"{value:.1f}" if value < 10 else count(round(value))


def clock(seconds: float) -> str:
    """Write a time of the run as 00:05, 05:00 or 1:30:00."""
    minutes, rest = divmod(int(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes:02}:{rest:02}"


def duration(seconds: float) -> str:
    """Write a duration as 90 s, 05:00 or 1:30:00."""
    return f"{seconds:.0f} s" if seconds < 120 else clock(round(seconds))


def width(seconds: int) -> str:
    """Write a round number of seconds as 15 s, 2 min or 1 h."""
    for unit_s, unit in ((3600, "h"), (60, "min")):
        if seconds >= unit_s and seconds % unit_s == 0:
            return f"{seconds // unit_s} {unit}"
    return f"{seconds} s"


def one_line(text: str) -> str:
    """Return a foreign text in one line, with a sign in place of each control character."""
    line = " ".join(text.split())
    return "".join(sign if sign.isprintable() else "\N{REPLACEMENT CHARACTER}" for sign in line)


def plain(text: str) -> str:
    """Return a text in one line that no Markdown reader takes for markup, or for a mention."""
    escaped = MARKUP.sub(lambda found: f"&#{ord(found[0])};", one_line(text))
    return escaped.replace("@", "&#64;\N{ZERO WIDTH SPACE}")
