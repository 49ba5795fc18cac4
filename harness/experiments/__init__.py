"""Experiments: several runs, compared with confidence intervals.

`deployments` starts a server as conf/deployments.toml describes it. `compare` finds out which
deployment carries more users, `regression` whether a server became slower between two runs.
"""

from harness.experiments.deployments import Deployment, Server

__all__ = ["Deployment", "Server"]
