"""Benchmarks of the generator: `python -m bench`, `bench.users` and `bench.distributed`.

Each starts nginx with fixed responses and loads it. The number of requests is what nginx counted;
what a generator reports is only compared with it.
"""

from __future__ import annotations

from pathlib import Path

BENCH_DIR = Path(__file__).resolve().parent
REPORT = BENCH_DIR / "README.md"


class BenchError(RuntimeError):
    """A measurement that is not credible; its one line names the generator and the numbers."""
