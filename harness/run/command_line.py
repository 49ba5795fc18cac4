"""The command line: the suite's own options, and checks that run before the first request."""

from __future__ import annotations

import socket
from argparse import Namespace

from locust.argument_parser import LocustArgumentParser

from harness import ConfigurationError
from harness.config.parsing import RUN_TIME_S, SEED, SPAWN_RATE, USERS
from harness.config.settings import Settings

LOOPBACK = "127.0.0.1"


def add(parser: LocustArgumentParser, settings: Settings) -> None:
    """Add the suite's options; bind Locust's ports to this machine unless told otherwise."""
    parser.add_argument(
        "--seed",
        type=int,
        default=settings.seed,
        include_in_web_ui=False,
        help="Make the choices of every user repeatable (default: drawn, and written down)",
    )
    parser.add_argument(
        "--run-id",
        default=None,
        include_in_web_ui=False,
        help="Name of the folder under the results (default: the time of the start)",
    )
    parser.set_defaults(
        host=settings.host or None,
        web_host=LOOPBACK,
        master_bind_host=LOOPBACK,
        web_login=settings.web_login,
        # A user that was told to stop sends nothing more, but may wait for a response: for both
        # timeouts at most.
        stop_timeout=settings.connect_timeout_s + settings.answer_timeout_s + 1,
    )


def check_numbers(options: Namespace) -> None:
    """Check users, spawn rate, run time and seed.

    Raises:
        ConfigurationError: one of them is invalid.
    """
    for option, value, parse in (
        ("--users", options.num_users, USERS),
        ("--spawn-rate", options.spawn_rate, SPAWN_RATE),
        ("--run-time", options.run_time, RUN_TIME_S),
        ("--seed", options.seed, SEED),
    ):
        try:
            if value is not None:
                parse(str(value))
        except ConfigurationError as error:
            raise ConfigurationError(f"{option} {value}: {error}") from None


def check_port_is_free(what: str, host: str, port: int, option: str) -> None:
    """Check that a port can be bound; `option` is the one that changes it.

    Raises:
        ConfigurationError: it cannot.
    """
    with socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("" if host == "*" else host, port))
        except OverflowError:
            raise ConfigurationError(f"{option} {port}: a port is 1 to 65535") from None
        except OSError as error:
            raise ConfigurationError(
                f"the {what} cannot listen on {host}:{port} ({error.strerror}); "
                f"stop what is there or choose another with {option}"
            ) from None
