import os
import subprocess
import sys

import pytest
from django.conf import settings as active
from django.core.exceptions import ImproperlyConfigured
from django.db import connection

from noticeboard import settings


def run_manage(*arguments, **variables):
    """Run manage.py as a person does, with these variables."""
    return subprocess.run(
        [sys.executable, "manage.py", *arguments],
        cwd=settings.BASE_DIR,
        env=os.environ | variables,
        capture_output=True,
        text=True,
        timeout=30,
    )


def test_the_database_is_sqlite_beside_manage_py_by_default(monkeypatch):
    monkeypatch.delenv("DATABASE_URL", raising=False)

    assert settings.database()["NAME"] == str(settings.BASE_DIR / "db.sqlite3")


def test_postgresql_keeps_connections_and_checks_them(monkeypatch):
    monkeypatch.setenv("DATABASE_URL", "postgres://u:p@db:5432/notices")

    config = settings.database()

    assert config["ENGINE"] == "django.db.backends.postgresql"
    assert (config["HOST"], config["NAME"]) == ("db", "notices")
    assert config["CONN_MAX_AGE"] == 600
    assert config["CONN_HEALTH_CHECKS"] is True


@pytest.mark.django_db
@pytest.mark.skipif(connection.vendor != "sqlite", reason="settings of SQLite")
@pytest.mark.parametrize(
    ("pragma", "value"), [("journal_mode", "wal"), ("synchronous", 1), ("busy_timeout", 20_000)]
)
def test_sqlite_is_ready_for_concurrent_writes(pragma, value):
    with connection.cursor() as cursor:
        cursor.execute(f"PRAGMA {pragma}")
        assert cursor.fetchone() == (value,)
    assert connection.transaction_mode == "IMMEDIATE"


@pytest.mark.parametrize(
    "url", ["nonsense", "mysql://u:secret@db/x", "oracle://x", "postgres://u:secret@db:port/x"]
)
def test_a_malformed_database_url_is_named_without_its_password(monkeypatch, url):
    monkeypatch.setenv("DATABASE_URL", url)

    with pytest.raises(ImproperlyConfigured, match=r"^DATABASE_URL is not .*sqlite:///") as error:
        settings.database()

    assert "secret" not in str(error.value)


@pytest.mark.parametrize(
    ("value", "fields"),
    [
        ("", ["alarm_switch"]),
        ("alarm_switch_sub,alarm_switch_key", ["alarm_switch_sub", "alarm_switch_key"]),
        (" alarm_switch , alarm_switch,", ["alarm_switch"]),
    ],
)
def test_alarm_fields_are_a_list_of_known_names(monkeypatch, value, fields):
    monkeypatch.setenv("ALARM_FIELDS", value)

    assert settings.alarm_fields() == fields


@pytest.mark.parametrize("value", ["alarm", "alarm_switch,colour", ","])
def test_unknown_alarm_fields_are_an_error(monkeypatch, value):
    monkeypatch.setenv("ALARM_FIELDS", value)

    with pytest.raises(ImproperlyConfigured, match=r"^ALARM_FIELDS .*alarm_switch_key"):
        settings.alarm_fields()


@pytest.mark.parametrize(("value", "expected"), [("", False), ("1", True), ("OFF", False)])
def test_debug_is_off_unless_switched_on(monkeypatch, value, expected):
    monkeypatch.setenv("DEBUG", value)

    assert settings.env_bool("DEBUG", "false") is expected


def test_debug_that_is_neither_on_nor_off_is_an_error(monkeypatch):
    monkeypatch.setenv("DEBUG", "maybe")

    with pytest.raises(ImproperlyConfigured, match=r"^DEBUG='maybe' is neither"):
        settings.env_bool("DEBUG", "false")


def test_allowed_hosts_is_a_comma_separated_list(monkeypatch):
    monkeypatch.setenv("HOSTS", "notices.example, *")

    assert settings.env_list("HOSTS", "localhost") == ["notices.example", "*"]


def test_a_wrong_setting_ends_manage_py_in_one_line():
    result = run_manage("migrate", ALARM_FIELDS="colour")

    assert result.returncode == 2
    assert result.stdout == ""
    assert result.stderr.splitlines() == [
        "manage.py: ALARM_FIELDS has unknown or no names ['colour']: "
        "choose from alarm_switch, alarm_switch_sub, alarm_switch_key."
    ]


def test_every_setting_reaches_django():
    code = (
        "from django.conf import settings as s;"
        "print(s.SECRET_KEY, s.DEBUG, s.ALLOWED_HOSTS, s.ALARM_FIELDS)"
    )
    result = run_manage(
        "shell",
        "--no-imports",
        "--command",
        code,
        SECRET_KEY="key",
        DEBUG="yes",
        DJANGO_ALLOWED_HOSTS="*",
        ALARM_FIELDS="alarm_switch_key",
    )

    assert result.stdout == "key True ['*'] ['alarm_switch_key']\n"


def test_a_secret_key_is_made_up_when_none_is_given():
    assert len(active.SECRET_KEY) >= 50


@pytest.mark.django_db
def test_the_models_have_no_changes_without_a_migration():
    result = run_manage("makemigrations", "--check", "--dry-run", DATABASE_URL="sqlite://:memory:")

    assert (result.returncode, result.stdout) == (0, "No changes detected\n")
