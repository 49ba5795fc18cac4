"""How fast is the generator itself, beside its peers: `python -m bench`, `python -m bench.users`.

A program of its own beside the suite: it starts nginx with fixed answers, loads it with one
generator after the other, and believes the server's counter, not the generators.
"""

from __future__ import annotations

from pathlib import Path

BENCH_DIR = Path(__file__).resolve().parent
REPORT = BENCH_DIR / "README.md"


class BenchError(RuntimeError):
    """A result that must not be believed; its one line names the generator and the numbers."""
