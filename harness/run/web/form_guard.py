"""Checks input to Locust's web UI before Locust handles it."""

from __future__ import annotations

from collections.abc import Callable

from locust.env import Environment
from locust.web import WebUI

from flask import jsonify, request
from flask.typing import ResponseReturnValue
from flask_login import current_user

from harness import ConfigurationError
from harness.config.settings import redacted


def guard_form(
    web_ui: WebUI, environment: Environment, check_start: Callable[[str | None], None]
) -> None:
    """Refuse a start from the web UI for which `check_start(host)` raises a ConfigurationError."""
    assert web_ui.app is not None

    @web_ui.app.before_request
    def refuse() -> ResponseReturnValue | None:
        if web_ui.web_login and not current_user.is_authenticated:
            return None  # Locust redirects to the login
        try:
            # Both paths are below `--web-base-path`.
            if request.method == "POST" and request.path.endswith("/swarm"):
                check_start(request.form.get("host"))
                _take_no_old_run_time(environment)
            # Locust's route that edits a user class, also during a run.
            elif request.method == "POST" and request.path.endswith("/user"):
                host = (request.get_json(silent=True, force=True) or {}).get("host")
                if host is not None:
                    raise ConfigurationError("the host is that of the whole run; start anew")
        except ConfigurationError as error:
            shown = redacted(environment.host or "")
            return jsonify(success=False, message=str(error), host=shown)
        return None


def _take_no_old_run_time(environment: Environment) -> None:
    """Discard the run time of an earlier run if the field is empty, as Locust's own timer does.

    A load curve keeps it: its length is always that of the options.
    """
    if environment.shape_class is None and not request.form.get("run_time"):
        assert environment.parsed_options is not None
        environment.parsed_options.run_time = None
