"""Settings of the notice server, all of them from the environment.

A variable that is absent or blank takes its default; README.md lists them.
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
    """Return the variable without surrounding blanks, or the default when nothing is left."""
    return os.environ.get(name, "").strip() or default


def env_bool(name: str, default: str) -> bool:
    """Read a switch; anything but the usual words for on and off is an error."""
    value = env(name, default).lower()
    if value in {"1", "true", "yes", "on"}:
        return True
    if value in {"0", "false", "no", "off"}:
        return False
    raise ImproperlyConfigured(f"{name}={value!r} is neither true nor false.")


def env_list(name: str, default: str) -> list[str]:
    """Read a comma-separated list, without blanks, empty items and repetitions."""
    items = (item.strip() for item in env(name, default).split(","))
    return list(dict.fromkeys(item for item in items if item))


def alarm_fields() -> list[str]:
    """Read which alarm fields this server has."""
    fields = env_list("ALARM_FIELDS", "alarm_switch")
    unknown = [field for field in fields if field not in KNOWN_ALARM_FIELDS]
    if unknown or not fields:
        raise ImproperlyConfigured(
            f"ALARM_FIELDS has unknown or no names {unknown}: "
            f"choose from {', '.join(KNOWN_ALARM_FIELDS)}."
        )
    return fields


def database() -> dict[str, Any]:
    """Read DATABASE_URL and add what each database needs under concurrent requests.

    The URL itself is never part of an error: it may hold a password.
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
        # WAL lets readers go on while one writes. IMMEDIATE takes the write lock at BEGIN, where
        # the busy timeout applies; a lock wanted later, after a read, fails at once.
        options["timeout"] = 20
        options["transaction_mode"] = "IMMEDIATE"
        options["init_command"] = "PRAGMA journal_mode=WAL; PRAGMA synchronous=NORMAL;"
    elif engine == "django.db.backends.postgresql":
        config["CONN_MAX_AGE"] = 600
        config["CONN_HEALTH_CHECKS"] = True
    else:
        raise ImproperlyConfigured(
            "DATABASE_URL is not a URL of a database that this server knows: "
            "write sqlite:///PATH or postgres://USER:PASSWORD@HOST:PORT/NAME."
        )
    return config


# Nothing is signed here, so a key of this process alone does no harm.
SECRET_KEY = env("SECRET_KEY", "") or get_random_secret_key()
DEBUG = env_bool("DEBUG", "false")
ALLOWED_HOSTS = env_list("DJANGO_ALLOWED_HOSTS", "localhost,127.0.0.1,[::1]")
ALARM_FIELDS = alarm_fields()
DATABASES = {"default": database()}

INSTALLED_APPS = ["rest_framework", "notices", "accounts"]
MIDDLEWARE = ["django.middleware.common.CommonMiddleware"]
ROOT_URLCONF = "noticeboard.urls"
WSGI_APPLICATION = "noticeboard.wsgi.application"
APPEND_SLASH = False

TIME_ZONE = "Asia/Seoul"
USE_TZ = True
USE_I18N = False

REST_FRAMEWORK = {
    "DEFAULT_AUTHENTICATION_CLASSES": [],
    "DEFAULT_PERMISSION_CLASSES": [],
    "DEFAULT_RENDERER_CLASSES": ["rest_framework.renderers.JSONRenderer"],
    "DEFAULT_PARSER_CLASSES": ["rest_framework.parsers.JSONParser"],
    "TEST_REQUEST_DEFAULT_FORMAT": "json",
    "UNAUTHENTICATED_USER": None,
}

# Django's own default mails errors to the admins, and there are none. A 404 is a normal answer.
LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "handlers": {"console": {"class": "logging.StreamHandler"}},
    "loggers": {
        "django": {"handlers": ["console"], "level": "WARNING", "propagate": False},
        "django.request": {"level": "ERROR"},
    },
}
