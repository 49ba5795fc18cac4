"""May this host be load-tested? Loopback always, any other only when its owner was named."""

from __future__ import annotations

import ipaddress
import unicodedata
from functools import lru_cache
from urllib.parse import urlsplit

from harness import ConfigurationError
from harness.settings import base_url, redacted


@lru_cache(maxsize=64)
def check_host(url: str, allowed: tuple[str, ...]) -> str:
    """Return the base URL when load may be sent to it: to loopback, or to a host in `allowed`.

    Loopback is `localhost`, 127.0.0.0/8 and ::1, as written: a name is not resolved, since what it
    resolves to can change between this check and the first request.

    Raises:
        ConfigurationError: the URL is wrong, or its host is refused.
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
    """Return a host name as requests asks for it: xn--mller-kva.de for müller.de (RFC 3492)."""
    labels = unicodedata.normalize("NFKC", name).split(".")
    return ".".join(
        each if each.isascii() else f"xn--{each.encode('punycode').decode()}" for each in labels
    )


def is_loopback(name: str) -> bool:
    """Say whether a host name or address, in lower case, is this machine as it is written."""
    if name == "localhost":
        return True
    try:
        address = ipaddress.ip_address(name)
    except ValueError:
        return False
    if isinstance(address, ipaddress.IPv6Address) and address.ipv4_mapped:
        return address.ipv4_mapped.is_loopback
    return address.is_loopback
