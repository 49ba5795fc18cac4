"""A login for Locust's web UI: one user, whose name and password are settings."""

from __future__ import annotations

import hmac
import secrets

from locust.web import WebUI

from flask import redirect, request, session, url_for
from flask_login import UserMixin, login_user
from werkzeug.wrappers import Response

from harness.config.settings import Settings

CALLBACK = "/notice-load/login"


class _Owner(UserMixin):  # type: ignore[misc]
    id = "owner"


def install(web_ui: WebUI, settings: Settings) -> None:
    """Require WEB_USERNAME and WEB_PASSWORD for the web UI."""
    app = web_ui.app
    assert app is not None
    app.secret_key = secrets.token_bytes(32)  # a restart logs everybody out
    # Locust's UI answers any origin (CORS): another site must not use the login.
    app.config["SESSION_COOKIE_SAMESITE"] = "Strict"
    web_ui.login_manager.user_loader(lambda user_id: _Owner() if user_id == _Owner.id else None)
    web_ui.auth_args = {"username_password_callback": CALLBACK}

    @app.post(CALLBACK)
    def login() -> Response:
        name, password = request.form.get("username", ""), request.form.get("password", "")
        # `&` compares both, so that the time does not reveal which one is wrong.
        is_right = _equal(name, settings.web_username) & _equal(password, settings.web_password)
        if not is_right:
            session["auth_error"] = "Wrong user name or password"
            return redirect(url_for("locust.login"))
        login_user(_Owner())
        return redirect(url_for("locust.index"))


def _equal(given: str, right: str) -> bool:
    return hmac.compare_digest(given.encode(), right.encode())
