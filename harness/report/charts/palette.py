"""The colours of a report, light and dark.

As in Locust's web UI, green is for what goes well, red for failures and yellow for the 95th
percentile. The hues are those of Okabe and Ito, which people with any kind of colour blindness can
tell apart; lines differ in their dashes too. https://jfly.uni-koeln.de/color/

Invariant: no light colour occurs twice, since the page finds the dark colour by the light one.
Two that should look the same differ in their last digit.
"""

from __future__ import annotations

from msgspec import Struct
from msgspec.structs import astuple

# Lines can be told apart without their colours.
DASHES = ("solid", "dash", "dot", "dashdot")


class Palette(Struct, frozen=True, kw_only=True):
    """The colour of each thing drawn, as `#rrggbb`."""

    paper: str = "#ffffff"
    text: str = "#1f2933"
    muted: str = "#5f6b76"
    grid: str = "#e3e8ec"
    good: str = "#00805e"
    failure: str = "#c73e0a"
    p95: str = "#c08400"
    p99: str = "#7a4fa3"
    most: str = "#46525e"
    band: str = "#e7f3ee"
    users: str = "#00805d"
    heat: tuple[str, ...] = ("#eef6f2", "#b9dfcf", "#6fbd9d", "#2b9573", "#0a6650", "#033b30")
    scopes: tuple[str, ...] = (
        "#0072b2",
        "#c73e09",
        "#7a4fa2",
        "#c08401",
        "#008fb5",
        "#b5407f",
        "#6b7f1b",
        "#5f6b75",
    )


LIGHT = Palette()
DARK = Palette(
    paper="#14191e",
    text="#e6eaee",
    muted="#9aa7b3",
    grid="#2a333c",
    good="#2fc49a",
    failure="#ff8157",
    p95="#f0b840",
    p99="#bd9af0",
    most="#c3ccd5",
    band="#1a2b27",
    users="#2fc49b",
    heat=("#1b2a27", "#1f4d42", "#24725f", "#2e9c80", "#5fcdb0", "#d3fff0"),
    scopes=(
        "#5bb4ec",
        "#ff8158",
        "#bd9af1",
        "#f0b841",
        "#63d3ec",
        "#f290c4",
        "#b9cf5a",
        "#9aa7b4",
    ),
)


def dark_of() -> dict[str, str]:
    """Return the dark colour for each light one."""
    found: dict[str, str] = {}
    for light, dark in zip(astuple(LIGHT), astuple(DARK), strict=True):
        several = ((light, dark),) if isinstance(light, str) else zip(light, dark, strict=True)
        found.update(several)
    return found
