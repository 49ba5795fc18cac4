"""The reference server with a delay before every response; its workers determine its capacity."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterable
from typing import Any

from noticeboard.wsgi import application as prompt

DELAY_S = float(os.environ["DELAY_S"])


def application(environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
    """Respond after the delay."""
    time.sleep(DELAY_S)
    return prompt(environ, start_response)
