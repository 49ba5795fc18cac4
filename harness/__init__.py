"""The machinery of the load test: it sends the requests and records what a run measures.

pyproject.toml says which module may import which; `make lint` checks it.
"""

__version__ = "0.1.0"


class ConfigurationError(ValueError):
    """Something that a user can put right; its one line says what, where, and what to do."""
