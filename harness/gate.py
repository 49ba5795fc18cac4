"""What is refused before the first request: at the start, and in the form of the web UI."""

from __future__ import annotations

import functools
import sys
from argparse import Namespace
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, ParamSpec

from locust.argument_parser import LocustArgumentParser
from locust.env import Environment
from locust.web import WebUI

from flask import jsonify, request
from flask.typing import ResponseReturnValue
from flask_login import current_user

from harness import ConfigurationError, command_line, contract
from harness.origin import Origin
from harness.session import Session
from harness.settings import Settings, redacted
from harness.wire import Fault

P = ParamSpec("P")


@contextmanager
def exit_on_wrong_configuration() -> Iterator[None]:
    """End the process with one line and exit code 2 when the configuration is wrong."""
    try:
        yield
    except ConfigurationError as error:
        print(f"error: {error}", file=sys.stderr)
        sys.exit(2)


def configuring(listener: Callable[P, None]) -> Callable[P, None]:
    """Let a listener end the process with one line when the configuration is wrong."""

    @functools.wraps(listener)
    def guarded(*args: P.args, **kwargs: P.kwargs) -> None:
        with exit_on_wrong_configuration():
            listener(*args, **kwargs)

    return guarded


def check_target(host: str | None, settings: Settings) -> None:
    """Ask once whether anything answers at the target, so that a typing error costs a second.

    Raises:
        ConfigurationError: no host is set, or nothing there speaks HTTP.
    """
    if not host:
        raise ConfigurationError(
            "no host to test; give --host http://127.0.0.1:8000 or set HOST in .env"
        )
    session = Session(Origin(host, settings))
    try:
        session.exchange(contract.list_boards())
    except Fault as fault:
        raise ConfigurationError(
            f"the target {redacted(host)} does not answer ({fault}); is it running?"
        ) from None
    finally:
        session.close()


def guard_form(
    web_ui: WebUI, environment: Environment, check_start: Callable[[str | None], None]
) -> None:
    """Refuse a start from the web UI for which `check_start(host)` raises a ConfigurationError."""
    assert web_ui.app is not None

    @web_ui.app.before_request
    def refuse() -> ResponseReturnValue | None:
        if web_ui.web_login and not current_user.is_authenticated:
            return None  # locust sends strangers to the login
        try:
            if request.method == "POST" and request.path.endswith("/swarm"):
                check_start(request.form.get("host"))
                _take_no_old_run_time(environment)
            elif request.method == "POST" and request.path.endswith("/user"):
                host = (request.get_json(silent=True, force=True) or {}).get("host")
                if host is not None:
                    raise ConfigurationError("the host is that of the whole run; start anew")
        except ConfigurationError as error:
            shown = redacted(environment.host or "")
            return jsonify(success=False, message=str(error), host=shown)
        return None


def _take_no_old_run_time(environment: Environment) -> None:
    """Forget the run time of an earlier run when the field is left empty, as locust's timer does.

    A load curve is as long as the options say, whoever set them.
    """
    if environment.shape_class is None and not request.form.get("run_time"):
        assert environment.parsed_options is not None
        environment.parsed_options.run_time = None


class MasterPort:
    """Looks at the master's port once, before locust binds it: there is no event in between."""

    def __init__(self) -> None:
        self._is_looked_at = False

    def check_when_parsed(self, parser: LocustArgumentParser) -> None:
        """End the process with one line when a parsed command line names a port in use."""
        parse_args = parser.parse_args

        def checked(*args: Any, **kwargs: Any) -> Namespace:
            options: Namespace = parse_args(*args, **kwargs)
            if options.master and not self._is_looked_at:
                with exit_on_wrong_configuration():
                    host, port = options.master_bind_host, options.master_bind_port
                    command_line.check_port_is_free("master", host, port, "--master-bind-port")
            self._is_looked_at = True
            return options

        parser.parse_args = checked
