"""Decide which hosts may be load-tested.

Invariant: load goes only to loopback and to hosts that ALLOWED_HOSTS names.
"""

from __future__ import annotations

import ipaddress
import unicodedata
from functools import lru_cache
from urllib.parse import urlsplit

from harness import ConfigurationError
from harness.config.settings import base_url, redacted


@lru_cache(maxsize=64)  # Locust's own client checks the host of every request
def check_host(url: str, allowed: tuple[str, ...]) -> str:
    """Return the base URL if its host is loopback or in `allowed`.

    Loopback is `localhost`, 127.0.0.0/8 and ::1, as written. Names are not resolved: an address
    can change between this check and the first request.

    Raises:
        ConfigurationError: the URL is invalid, or its host is refused.
    """
    url = base_url(url)
    name = (urlsplit(url).hostname or "").lower()
    if is_loopback(name) or _in_ascii(name) in map(_in_ascii, allowed):
        return url
    raise ConfigurationError(
        f"load against {redacted(url)} is refused: {name} is not this machine. "
        f"If you may load-test it, set ALLOWED_HOSTS={','.join([*allowed, name])} in .env"
    )


def _in_ascii(name: str) -> str:
    """Return a host name as requests writes it: xn--mller-kva.de for müller.de (RFC 3492)."""
    labels = unicodedata.normalize("NFKC", name).split(".")
    return ".".join(
        each if each.isascii() else f"xn--{each.encode('punycode').decode()}" for each in labels
    )


def is_loopback(name: str) -> bool:
    """Return True if a lower-case host name or address is loopback as written."""
    if name == "localhost":
        return True
    try:
        address = ipaddress.ip_address(name)
    except ValueError:
        return False
    # Python 3.11 does not count ::ffff:127.0.0.1 as loopback.
    if isinstance(address, ipaddress.IPv6Address) and address.ipv4_mapped:
        return address.ipv4_mapped.is_loopback
    return address.is_loopback
