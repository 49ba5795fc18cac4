"""Read `.env` and the environment into one frozen, typed `Settings` object.

Invariants: no other module reads these settings from their source. No message shows a password or
the credentials of a URL.
"""

from __future__ import annotations

import dataclasses
import difflib
import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

from dotenv.parser import parse_stream

from harness import ConfigurationError
from harness.config.parsing import POSITIVE_S, SEED, duration_s, whole

PROJECT_DIR = Path(__file__).resolve().parents[2]

# Names allowed in `.env` for docker compose, which reads the same file.
COMPOSE_NAMES = frozenset({"POSTGRES_PASSWORD", "WEB_PORT"})
MAX_S = 3600  # longest timeout or warm-up, in seconds
SECONDS = duration_s(POSITIVE_S, MAX_S)
DEFAULT_PORTS = {"http": 80, "https": 443}
HTTP_CLIENTS = ("session", "requests")
ALARM_FIELDS = ("alarm_switch", "alarm_switch_sub", "alarm_switch_key")


def base_url(text: str) -> str:
    """Validate `scheme://[user:password@]host[:port][/base/path]`; drop trailing slashes.

    Raises:
        ConfigurationError: the scheme is not http or https, the host name is missing, or the port
            is invalid.
    """
    shown = redacted(text)
    if "?" in text or "#" in text:
        raise ConfigurationError(f"the host {shown!r} must end before '?' and '#'")
    # urlsplit drops tabs and line breaks, and other parsers take a backslash for a slash: the host
    # checked here could differ from the one requested.
    if not text.isprintable() or " " in text or "\\" in text:
        raise ConfigurationError(f"the host {shown!r} is not a URL with a host name")
    if text.startswith("//") or "://" not in text:
        guess = shown.lstrip("/") or "127.0.0.1:8000"
        raise ConfigurationError(f"the host {shown!r} has no scheme; write http://{guess}")
    # An unescaped "/" in a password would end the host there.
    if "@" in text.partition("://")[2].partition("/")[2]:
        raise ConfigurationError(f"the host {shown!r} has a '/' before '@'; write %2F for it")
    try:
        url = urlsplit(text)
        name, _ = url.hostname, url.port  # `port` raises if it is invalid
    except ValueError as error:
        raise ConfigurationError(f"the host {shown!r} is not a URL: {error}") from None
    if url.scheme not in ("http", "https"):
        raise ConfigurationError(
            f"the host {shown!r} has the scheme {url.scheme!r}; use http or https"
        )
    if not name:
        raise ConfigurationError(f"the host {shown!r} is not a URL with a host name")
    return text.rstrip("/")


def redacted(url: str) -> str:
    """Return a URL without its credentials, for messages and files."""
    # Greedy, up to the last "@": a password may contain "@", "/" or a line break.
    return re.sub(r"^([a-z][a-z0-9+.-]*://|//)?.*@", r"\1", url, flags=re.I | re.S)


def _flag(text: str) -> bool:
    known = {"1": True, "true": True, "yes": True, "0": False, "false": False, "no": False}
    if text.lower() not in known:
        raise ConfigurationError("write 1 or 0")
    return known[text.lower()]


def _names(text: str) -> tuple[str, ...]:
    return tuple(name.strip().lower() for name in text.split(",") if name.strip())


def _alarm_fields(text: str) -> tuple[str, ...]:
    names = _names(text)
    if not names or not set(names) <= set(ALARM_FIELDS):
        raise ConfigurationError(f"write one or more of {', '.join(ALARM_FIELDS)}")
    return names


def _http_client(text: str) -> str:
    if text not in HTTP_CLIENTS:
        raise ConfigurationError(f"write one of {', '.join(HTTP_CLIENTS)}")
    return text


def _readable_file(text: str) -> str:
    try:
        with open(os.path.expanduser(text), "rb"):  # fail at startup, not at the first request
            return os.path.expanduser(text)
    except OSError as error:
        raise ConfigurationError(f"cannot be read: {error.strerror}") from None


def _path(text: str) -> Path:
    return Path(os.path.expanduser(text))  # keeps "~name" if there is no such user


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """The settings of a run; a setting's name is its field's name in capitals.

    Durations are in seconds. `.env.example` describes every setting and its default.
    """

    host: str = field(default="", metadata={"parse": base_url})
    allowed_hosts: tuple[str, ...] = field(default=(), metadata={"parse": _names})
    seed: int | None = field(default=None, metadata={"parse": SEED})
    connect_timeout_s: float = field(default=5.0, metadata={"parse": SECONDS})
    answer_timeout_s: float = field(default=10.0, metadata={"parse": SECONDS})
    http_client: str = field(default="session", metadata={"parse": _http_client})
    accept_gzip: bool = field(default=False, metadata={"parse": _flag})
    tls_verify: bool = field(default=True, metadata={"parse": _flag})
    tls_ca_file: str = field(default="", metadata={"parse": _readable_file})
    alarm_fields: tuple[str, ...] = field(
        default=("alarm_switch",), metadata={"parse": _alarm_fields}
    )
    vary_data: bool = field(default=False, metadata={"parse": _flag})
    data_dir: Path = field(default=PROJECT_DIR / "data", metadata={"parse": _path})
    warm_up_s: float = field(default=0.0, metadata={"parse": duration_s(0, MAX_S)})
    deployment: str = field(default="", metadata={"parse": str})
    deployments_file: Path = field(
        default=PROJECT_DIR / "conf" / "deployments.toml", metadata={"parse": _path}
    )
    slo_file: Path = field(default=PROJECT_DIR / "conf" / "slo.toml", metadata={"parse": _path})
    draw_report: bool = field(default=True, metadata={"parse": _flag})
    results_dir: Path = field(default=Path("results"), metadata={"parse": _path})
    device_pool_limit: int = field(default=100_000, metadata={"parse": whole(1, 10_000_000)})
    audit_sample: int = field(default=200, metadata={"parse": whole(0, 100_000)})
    keep_devices: bool = field(default=False, metadata={"parse": _flag})
    cleanup_timeout_s: float = field(default=60.0, metadata={"parse": SECONDS})
    cleanup_per_s: int = field(default=500, metadata={"parse": whole(1, 100_000)})
    allow_worker_loss: bool = field(default=False, metadata={"parse": _flag})
    web_login: bool = field(default=False, metadata={"parse": _flag})
    web_username: str = field(default="admin", metadata={"parse": str})
    web_password: str = field(default="", metadata={"parse": str}, repr=False)


NAMES = {setting.name.upper(): setting for setting in dataclasses.fields(Settings)}


def load(
    environment: Mapping[str, str] = os.environ, dotenv: Path | None = Path(".env")
) -> Settings:
    """Read the settings; the environment overrides `.env`, and an empty value is ignored.

    Raises:
        ConfigurationError: a line of the file, a name in it or a value is invalid; says which.
    """
    values: dict[str, object] = {}
    from_file = _read_dotenv(dotenv) if dotenv is not None else {}
    for name, setting in NAMES.items():
        text, where = environment.get(name, ""), "the environment"
        if not text.strip() and name in from_file:
            text, where = from_file[name]
        if not text.strip():
            continue
        try:
            values[setting.name] = setting.metadata["parse"](text.strip())
        except ConfigurationError as error:
            # `redacted` would not hide a password.
            shown = "" if "password" in setting.name else f"={redacted(text)!r}"
            raise ConfigurationError(f"{name}{shown} in {where}: {error}") from None
    settings = Settings(**values)  # type: ignore[arg-type]
    if settings.web_login and not settings.web_password:
        raise ConfigurationError("WEB_LOGIN is on but WEB_PASSWORD is empty; set it in .env")
    return settings


def _read_dotenv(path: Path) -> dict[str, tuple[str, str]]:
    """Return `{name: (value, "file, line N")}` of a `.env` file; a missing file is empty."""
    try:
        with path.open(encoding="utf-8") as stream:
            bindings = list(parse_stream(stream))
    except FileNotFoundError:
        return {}
    except UnicodeDecodeError:
        raise ConfigurationError(f"{path} is not UTF-8; save it as UTF-8") from None
    except OSError as error:
        raise ConfigurationError(f"cannot read {path}: {error.strerror}") from None
    values = {}
    for binding in bindings:
        original = binding.original.string
        # The parser counts blank lines as part of the binding that follows them.
        blank_lines = original[: len(original) - len(original.lstrip())].count("\n")
        where = f"{path}, line {binding.original.line + blank_lines}"
        # A value of None is a name without "=".
        if binding.error or (binding.key is not None and binding.value is None):
            raise ConfigurationError(f"{where}: cannot read this line; write NAME=value")
        if binding.key is None:
            continue
        if binding.key not in NAMES and binding.key not in COMPOSE_NAMES:
            close = difflib.get_close_matches(binding.key, NAMES, n=1)
            hint = f"did you mean {close[0]}?" if close else "see .env.example for the names"
            raise ConfigurationError(f"{where}: unknown setting {binding.key!r}; {hint}")
        values[binding.key] = (binding.value or "", where)
    return values
