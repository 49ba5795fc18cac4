"""Sends requests to the servers of a test, never through a proxy and never without a timeout.

`requests.get` uses the proxy in HTTP_PROXY even for 127.0.0.1, and has no timeout by default.
"""

from __future__ import annotations

import requests

from support.commands import PATIENCE_S


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
