"""`python -m bench.distributed`: what workers bring, what their master costs, where one ends.

Exit codes: 0 measured, 1 a result that must not be believed, 2 wrong usage or something is not
installed, 3 interrupted.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from msgspec.structs import replace

from bench import BENCH_DIR, process
from bench.__main__ import add_common_options, destination, positive, run
from bench.distributed import master_text, measuring, model_text, text
from bench.distributed.model import can_be_fitted
from bench.distributed.results import JSON, Scaling
from bench.report import replaced
from bench.results import read, write
from bench.server import Nginx
from harness import ConfigurationError
from harness.settings import PROJECT_DIR

DOCUMENT = PROJECT_DIR / "docs" / "scaling.md"
PARTS = ("carried", "master", "pool")
CARRIED_ROUNDS, MASTER_ROUNDS = 3, 2
SERVER_WORKERS = 2
"""One process may often not have the files open that 20 000 connections take."""
SERVER_ADDRESSES = 8
"""Linux looks long for a free port once half of those to one address are taken, 14 000."""
OTHER_FILES = 1_000
REPORT_INTERVAL_S = 3


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure, or draw again; return the exit code."""
    options = _parser().parse_args(arguments)
    return run(lambda: _redraw() if options.redraw else _measure(options))


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m bench.distributed", description=__doc__)
    parser.add_argument(
        "--part", choices=PARTS, nargs="+", default=PARTS, help="only these (all three)"
    )
    parser.add_argument(
        "--rounds", type=positive, help=f"({CARRIED_ROUNDS} and {MASTER_ROUNDS} of the master)"
    )
    add_common_options(parser, seconds=9)
    return parser


def _measure(options: argparse.Namespace) -> None:
    """Measure the parts asked for; the others stay as they were.

    A window is a multiple of the reports' interval, so that the same number is in each.
    """
    dry = options.dry
    if options.seconds % REPORT_INTERVAL_S:
        raise ConfigurationError(
            f"--seconds {options.seconds}: write a multiple of {REPORT_INTERVAL_S}"
        )
    process.two_cores()
    target = destination(dry)
    results = Scaling() if dry or not (BENCH_DIR / JSON).exists() else _known()
    loads = (
        (measuring.DRY_CARRIED, measuring.DRY_MASTER, measuring.DRY_POOL)
        if dry
        else (measuring.CARRIED, measuring.MASTER, measuring.POOL)
    )
    connections = max(load.users for load in (*loads[0], *loads[1]) if not load.replayed)
    process.allow_open_files(connections // 2 + OTHER_FILES)
    seconds = REPORT_INTERVAL_S if dry else options.seconds
    with tempfile.TemporaryDirectory(prefix="notice-load-bench-") as scratch:
        folder = Path(scratch)
        (folder / "nginx").mkdir()
        with Nginx(folder / "nginx", workers=SERVER_WORKERS, addresses=SERVER_ADDRESSES) as server:
            settle_s = measuring.DRY_SETTLE_S if dry else measuring.SETTLE_S
            bench = measuring.Bench(server, folder, lambda line: print(line, flush=True), settle_s)
            if "carried" in options.part:
                rounds = 1 if dry else options.rounds or CARRIED_ROUNDS
                results = replace(results, carried=bench.part(loads[0], rounds, seconds))
                write(target / JSON, results)
            if "master" in options.part:
                rounds = 1 if dry else options.rounds or MASTER_ROUNDS
                results = replace(results, master=bench.part(loads[1], rounds, seconds))
                write(target / JSON, results)
            if "pool" in options.part:
                settle_s = settle_s if dry else measuring.POOL_SETTLE_S
                results = replace(results, pool=bench.pool(loads[2], settle_s))
                write(target / JSON, results)
    _draw(results, target)


def _known() -> Scaling:
    return read(BENCH_DIR / JSON, Scaling)


def _redraw() -> None:
    _draw(_known(), BENCH_DIR)


def _draw(results: Scaling, target: Path) -> None:
    from bench.distributed import chart  # the tests of all else need no matplotlib

    document = (DOCUMENT if target == BENCH_DIR else target / DOCUMENT.name).resolve()
    report_text = DOCUMENT.read_text(encoding="utf-8")
    for mark, measured in sections(results).items():
        report_text = replaced(report_text, mark, measured)
        print(f"\n{measured}")
    document.write_text(report_text, encoding="utf-8")
    chart.draw(results, document.with_suffix(".png"))
    print(f"\nwrote {document.name} and {document.stem}.png in {document.parent}")


def sections(results: Scaling) -> dict[str, str]:
    """Return the measured parts of the document by their marks."""
    found = {}
    if results.carried is not None:
        found["carried"] = text.carried(results.carried)
    if results.master is not None:
        found["master"] = master_text.master(results.master)
    if results.master is not None and can_be_fitted(results.master.to_fit()):
        found["headline"] = model_text.headline(results)
        found["model"] = model_text.model(results)
        found["limits"] = model_text.limits(results)
    if results.pool is not None:
        found["pool"] = text.pool(results.pool)
    return found


if __name__ == "__main__":
    sys.exit(main())
