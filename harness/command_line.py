"""The command line: the suite's own options, and what cannot work is said before any request."""

from __future__ import annotations

import socket
from argparse import Namespace
from collections.abc import Iterable

from locust import User
from locust.argument_parser import LocustArgumentParser

from harness import ConfigurationError
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
    wrong = None
    if options.num_users is not None and options.num_users < 1:
        wrong = f"--users {options.num_users}: write a whole number, 1 or more"
    elif options.spawn_rate is not None and not 0 < options.spawn_rate < float("inf"):
        wrong = f"--spawn-rate {options.spawn_rate}: write users per second, more than 0"
    elif options.run_time is not None and options.run_time <= 0:
        wrong = f"--run-time {options.run_time}: write a duration such as 30s, 5m or 1h30m"
    elif options.seed is not None and options.seed < 0:
        wrong = f"--seed {options.seed}: write a whole number, 0 or more"
    if wrong:
        raise ConfigurationError(wrong)


def check_tags(options: Namespace, user_classes: Iterable[type[User]]) -> None:
    """Refuse a tag that no task has.

    Raises:
        ConfigurationError: there is one.
    """
    tasks = [task for user in user_classes for task in user.tasks]
    known = {tag for task in tasks for tag in getattr(task, "locust_tag_set", ())}
    unknown = {*(options.tags or ()), *(options.exclude_tags or ())} - known
    if unknown:
        raise ConfigurationError(
            f"unknown tags: {', '.join(sorted(unknown))}; there are {', '.join(sorted(known))}"
        )


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
