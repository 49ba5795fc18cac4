"""The commands of `python -m harness`, one module each, with their options.

They add only what one Locust process cannot do: start servers and workers, compare runs, render a
report again, delete what an interrupted run left behind.
"""

__all__ = [
    "cleanup",
    "compare",
    "compare_options",
    "locustfile",
    "regression",
    "regression_options",
    "report",
    "run",
]
