"""Benchmarks of the load generator: `python -m bench`, `bench.users` and `bench.distributed`.

Each starts nginx with fixed responses and puts load on it.

Invariant: nginx counts the requests. What a generator reports is only compared with that count.
"""

from __future__ import annotations

from pathlib import Path

BENCH_DIR = Path(__file__).resolve().parent
REPORT = BENCH_DIR / "README.md"


class BenchError(RuntimeError):
    """A measurement that is not credible; one line with the generator and the numbers."""
