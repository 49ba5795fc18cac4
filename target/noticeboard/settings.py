"""Settings of the notice server, all from the environment; README.md lists them.

A variable that is missing or blank takes its default. A malformed one stops the start.
"""

import os
from pathlib import Path
from typing import Any

import dj_database_url
from django.core.exceptions import ImproperlyConfigured
from django.core.management.utils import get_random_secret_key

BASE_DIR = Path(__file__).resolve().parent.parent

KNOWN_ALARM_FIELDS = ("alarm_switch", "alarm_switch_sub", "alarm_switch_key")


def env(name: str, default: str) -> str:
    """Return a variable without surrounding spaces, or the default if it is missing or blank."""
    return os.environ.get(name, "").strip() or default


def env_bool(name: str, default: str) -> bool:
    """Read a boolean; reject anything but the usual words for true and false."""
    value = env(name, default).lower()
    if value in {"1", "true", "yes", "on"}:
        return True
    if value in {"0", "false", "no", "off"}:
        return False
    raise ImproperlyConfigured(f"{name}={value!r} is neither true nor false.")


def env_list(name: str, default: str) -> list[str]:
    """Read a comma-separated list; drop spaces, empty items and duplicates."""
    items = (item.strip() for item in env(name, default).split(","))
    return list(dict.fromkeys(item for item in items if item))


def alarm_fields() -> list[str]:
    """Read ALARM_FIELDS, the alarm fields of this server."""
    fields = env_list("ALARM_FIELDS", "alarm_switch")
    unknown = [field for field in fields if field not in KNOWN_ALARM_FIELDS]
    if unknown or not fields:
        raise ImproperlyConfigured(
            f"ALARM_FIELDS has unknown or no names {unknown}: "
            f"choose from {', '.join(KNOWN_ALARM_FIELDS)}."
        )
    return fields


def database() -> dict[str, Any]:
    """Read DATABASE_URL and add the options that concurrent requests need.

    An error never contains the URL, which may hold a password.
    """
    try:
        config: dict[str, Any] = dict(
            dj_database_url.parse(env("DATABASE_URL", f"sqlite:///{BASE_DIR / 'db.sqlite3'}"))
        )
    except ValueError:
        config = {}
    engine = config.get("ENGINE", "")
    options = config.setdefault("OPTIONS", {})
    if engine == "django.db.backends.sqlite3":
        # WAL allows reads during a write. IMMEDIATE takes the write lock at BEGIN, where SQLite
        # waits for the busy timeout; a read transaction that turns into a write may fail at once.
        options["timeout"] = 20
        options["transaction_mode"] = "IMMEDIATE"
        options["init_command"] = "PRAGMA journal_mode=WAL; PRAGMA synchronous=NORMAL;"
    elif engine == "django.db.backends.postgresql":
        # Django opens a connection per request by default; a reused one may have been closed.
        config["CONN_MAX_AGE"] = 600
        config["CONN_HEALTH_CHECKS"] = True
    else:
        raise ImproperlyConfigured(
            "DATABASE_URL is not a URL of a database that this server knows: "
            "write sqlite:///PATH or postgres://USER:PASSWORD@HOST:PORT/NAME."
        )
    return config


# Django requires a key, but this server signs nothing: a random one per process is enough.
SECRET_KEY = env("SECRET_KEY", "") or get_random_secret_key()
DEBUG = env_bool("DEBUG", "false")
ALLOWED_HOSTS = env_list("DJANGO_ALLOWED_HOSTS", "localhost,127.0.0.1,[::1]")
ALARM_FIELDS = alarm_fields()
DATABASES = {"default": database()}

INSTALLED_APPS = ["rest_framework", "notices", "accounts"]
# Rejects hosts that are not in ALLOWED_HOSTS and sets Content-Length.
MIDDLEWARE = ["django.middleware.common.CommonMiddleware"]
ROOT_URLCONF = "noticeboard.urls"
WSGI_APPLICATION = "noticeboard.wsgi.application"
APPEND_SLASH = False  # a path with a trailing slash is 404, not a redirect

TIME_ZONE = "Asia/Seoul"
USE_TZ = True
USE_I18N = False

REST_FRAMEWORK = {
    "DEFAULT_AUTHENTICATION_CLASSES": [],
    "DEFAULT_PERMISSION_CLASSES": [],
    "DEFAULT_RENDERER_CLASSES": ["rest_framework.renderers.JSONRenderer"],
    "DEFAULT_PARSER_CLASSES": ["rest_framework.parsers.JSONParser"],
    "TEST_REQUEST_DEFAULT_FORMAT": "json",
    "UNAUTHENTICATED_USER": None,  # the default needs django.contrib.auth
}

# Django's default emails errors to admins, of whom there are none. A 404 is a normal response, so
# django.request does not warn about it.
LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "handlers": {"console": {"class": "logging.StreamHandler"}},
    "loggers": {
        "django": {"handlers": ["console"], "level": "WARNING", "propagate": False},
        "django.request": {"level": "ERROR"},
    },
}
