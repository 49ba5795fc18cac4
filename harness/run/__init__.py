"""Everything that happens in a run, attached to Locust's events.

`lifecycle` is the entry point: `install(events, suite)` in a locustfile. It gives the process a
role (`roles`, `leading_roles`): a worker, the only process, or the master. `start_checks` checks
configuration and target, `record` writes the run folder, `terminal` and `web` show the run.
"""

from harness.run.lifecycle import install

__all__ = ["install"]
