"""The command line: the suite's own options, and what cannot work is said before any request."""

from __future__ import annotations

import socket
from argparse import Namespace

from locust.argument_parser import LocustArgumentParser

from harness import ConfigurationError
from harness.parsing import RUN_TIME_S, SEED, SPAWN_RATE, USERS
from harness.settings import Settings

LOOPBACK = "127.0.0.1"


def add(parser: LocustArgumentParser, settings: Settings) -> None:
    """Add the suite's options; keep locust's ports on this machine unless told otherwise."""
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
        # A user that is told to stop sends no more, and waits for the answer under way.
        stop_timeout=settings.connect_timeout_s + settings.answer_timeout_s + 1,
    )


def check_numbers(options: Namespace) -> None:
    """Refuse a number of users, a rate, a time or a seed that no run can have.

    Raises:
        ConfigurationError: there is one.
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
    """Look whether something can listen on a port, which `option` would change.

    Raises:
        ConfigurationError: nothing can.
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
