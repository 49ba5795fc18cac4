"""`python -m bench.distributed`: what workers bring, and what they cost their master."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from msgspec.structs import replace

from bench import BENCH_DIR, process
from bench.command import Benchmark, base_parser, positive, read, run
from bench.distributed import chart, measuring, text
from bench.distributed.results import Scaling
from bench.server import Nginx
from harness import ConfigurationError
from harness.config.settings import PROJECT_DIR

DATA = "scaling.json"
PARTS = ("throughput", "master", "devices")
ROUNDS = 3
SERVER_WORKERS = 2
"""One nginx process may not be allowed to open a file for every connection."""
SERVER_ADDRESSES = 8
"""Linux is slow to find a free port beyond 14,000 connections to one address: half are taken."""
OTHER_FILES = 1_000
REPORT_INTERVAL_S = 3


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure, or render the last results again; return the exit code."""
    parser = base_parser("bench.distributed", __doc__ or "", seconds=6)
    parser.add_argument(
        "--part", choices=PARTS, nargs="+", default=PARTS, help="measure only these"
    )
    parser.add_argument("--rounds", type=positive, default=ROUNDS, help=f"({ROUNDS})")
    parser.add_argument(
        "--workers",
        type=positive,
        nargs="+",
        default=measuring.WORKERS,
        help="numbers of workers for the part master",
    )
    return run(BENCHMARK, parser.parse_args(arguments))


def _measure(options: argparse.Namespace, scratch: Path) -> Scaling:
    """Measure the parts that the options name; keep the last results of the others."""
    # Every sample has to contain equally many reports.
    if options.seconds % REPORT_INTERVAL_S:
        raise ConfigurationError(
            f"--seconds {options.seconds}: write a multiple of {REPORT_INTERVAL_S}"
        )
    process.two_cores()
    dry, known = options.dry, BENCH_DIR / DATA
    keep = set(options.part) < set(PARTS) and known.exists() and not dry
    results = read(known, Scaling) if keep else Scaling()
    rounds, seconds = (1, REPORT_INTERVAL_S) if dry else (options.rounds, options.seconds)
    throughput = measuring.THROUGHPUT[: 2 if dry else None]
    master = measuring.master_loads(options.workers)[: 2 if dry else None]
    devices = measuring.DEVICES[: 1 if dry else None]
    settle_s = measuring.DRY_SETTLE_S if dry else measuring.SETTLE_S
    devices_settle_s = settle_s if dry else measuring.DEVICES_SETTLE_S
    connections = max(load.users for load in (*throughput, *master))
    process.allow_open_files(connections // SERVER_WORKERS + OTHER_FILES)
    with Nginx(scratch, workers=SERVER_WORKERS, addresses=SERVER_ADDRESSES) as server:
        bench = measuring.Bench(server, scratch, _report, settle_s)
        if "throughput" in options.part:
            results = replace(results, throughput=bench.rounds(throughput, rounds, seconds))
        if "master" in options.part:
            results = replace(results, master=bench.rounds(master, rounds, seconds))
        if "devices" in options.part:
            results = replace(results, devices=bench.devices(devices, devices_settle_s))
    return results


def _report(line: str) -> None:
    print(line, flush=True)


BENCHMARK = Benchmark(
    kind=Scaling,
    data=DATA,
    document=PROJECT_DIR / "docs" / "scaling.md",
    chart="scaling.png",
    measure=_measure,
    sections=text.sections,
    draw=chart.draw,
)


if __name__ == "__main__":
    sys.exit(main())
