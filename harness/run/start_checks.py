"""Checks at the start of a process, before the first request."""

from __future__ import annotations

import functools
from argparse import Namespace
from collections.abc import Callable
from typing import ParamSpec

from locust.argument_parser import LocustArgumentParser

from harness import ConfigurationError, exit_on_wrong_configuration
from harness.config.settings import Settings, redacted
from harness.http.request import Request
from harness.http.session import Session
from harness.http.target import Target
from harness.http.wire import Fault
from harness.patches import locust_internals
from harness.run import command_line

P = ParamSpec("P")


def configuring(listener: Callable[P, None]) -> Callable[P, None]:
    """Decorate a listener so that a wrong configuration ends the process with one line.

    Without it, Locust would log a traceback.
    """

    @functools.wraps(listener)
    def guarded(*args: P.args, **kwargs: P.kwargs) -> None:
        with exit_on_wrong_configuration():
            listener(*args, **kwargs)

    return guarded


def check_target(host: str | None, settings: Settings, probe: Request) -> None:
    """Check that something answers at the target, so that a typing error costs only a second.

    Raises:
        ConfigurationError: no host is set, or nothing there speaks HTTP.
    """
    if not host:
        raise ConfigurationError(
            "no host to test; give --host http://127.0.0.1:8000 or set HOST in .env"
        )
    session = Session(Target(host, settings))
    try:
        session.exchange(probe)
    except Fault as fault:
        raise ConfigurationError(
            f"the target {redacted(host)} does not answer ({fault}); is it running?"
        ) from None
    finally:
        session.close()


class MasterPort:
    """Checks the master's port once, before Locust binds it."""

    def __init__(self) -> None:
        self._is_checked = False

    def check_when_parsed(self, parser: LocustArgumentParser) -> None:
        """End the process with one line if the command line names a port in use."""
        locust_internals.call_when_parsed(parser, self._check)

    def _check(self, options: Namespace) -> None:
        # Only the first time: Locust parses its command line again after it has bound the port.
        if options.master and not self._is_checked:
            with exit_on_wrong_configuration():
                host, port = options.master_bind_host, options.master_bind_port
                command_line.check_port_is_free("master", host, port, "--master-bind-port")
        self._is_checked = True
