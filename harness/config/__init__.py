"""Configuration of a run: settings, TOML files, and the hosts that may be load-tested.

Invariants: `parsing` reads every number and duration, whether from `.env`, the command line, make
or TOML. An invalid value raises a ConfigurationError that says where it is and what is expected.
This package imports no other package of the harness.
"""

from harness.config.hosts import check_host
from harness.config.settings import Settings, load

__all__ = ["Settings", "check_host", "load"]
