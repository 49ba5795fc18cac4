"""Asks the servers that the tests start, never through a proxy.

`requests.get` asks the proxy that HTTP_PROXY names even for 127.0.0.1, and waits for ever.
"""

from __future__ import annotations

import requests
from commands import PATIENCE_S


def session() -> requests.Session:
    made = requests.Session()
    made.trust_env = False
    return made


def get(url: str, **options: object) -> requests.Response:
    with session() as once:
        return once.get(url, **{"timeout": PATIENCE_S, **options})


def post(url: str, **options: object) -> requests.Response:
    with session() as once:
        return once.post(url, **{"timeout": PATIENCE_S, **options})
