"""`python -m bench`: the generators side by side, against the same server.

Exit codes: 0 measured, 1 a result that must not be believed, 2 wrong usage or something is not
installed, 3 interrupted.
"""

from __future__ import annotations

import argparse
import shutil
import signal
import sys
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from types import FrameType

from bench import BENCH_DIR, REPORT, BenchError, machine, process, report
from bench.generators import GENERATORS, USERS, Generator, prove_k6_checks
from bench.measure import measure
from bench.results import Comparison, Sample, Series, read, write
from bench.server import Nginx
from harness import ConfigurationError
from harness.processes import find_program

PROGRAMS = ("nginx", "k6", "wrk", "hey")
LEAST_ROUNDS = 3
JSON = "generators.json"


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure, or draw again; return the exit code."""
    options = _parser().parse_args(arguments)
    return run(lambda: _redraw() if options.redraw else _measure(options))


def run(command: Callable[[], None]) -> int:
    """Run a command of the bench; what goes wrong becomes one line and an exit code."""
    for name in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(name, _interrupt)
    try:
        command()
    except (ConfigurationError, BenchError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 2 if isinstance(error, ConfigurationError) else 1
    except KeyboardInterrupt:
        print("interrupted: nothing was written", file=sys.stderr)
        return 3
    return 0


def add_common_options(parser: argparse.ArgumentParser, seconds: int) -> None:
    """Add what both commands take."""
    parser.add_argument(
        "--seconds", type=positive, default=seconds, help=f"measured each time ({seconds})"
    )
    parser.add_argument(
        "--dry", action="store_true", help="short, into a temporary folder; the report stays"
    )
    parser.add_argument(
        "--redraw", action="store_true", help="measure nothing, draw again from the JSON file"
    )


def positive(text: str) -> int:
    """Read a whole number above 0.

    Raises:
        argparse.ArgumentTypeError: it is not one.
    """
    if not (text.isascii() and text.isdigit() and int(text)):
        raise argparse.ArgumentTypeError(f"{text!r} is not a whole number above 0")
    return int(text)


def destination(dry: bool) -> Path:
    """Return the folder that gets the results: the report's own, or a new temporary one."""
    return Path(tempfile.mkdtemp(prefix="notice-load-bench-")) if dry else BENCH_DIR


def _interrupt(_number: int, _frame: FrameType | None) -> None:
    raise KeyboardInterrupt


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    parser.add_argument("--rounds", type=positive, default=LEAST_ROUNDS, help="at least 3 (3)")
    add_common_options(parser, seconds=10)
    return parser


def _measure(options: argparse.Namespace) -> None:
    rounds, seconds = (1, 1) if options.dry else (options.rounds, options.seconds)
    if rounds < LEAST_ROUNDS and not options.dry:
        raise ConfigurationError(f"--rounds {rounds}: at least {LEAST_ROUNDS}, or --dry")
    generator_core, server_core = process.two_cores()
    found = {generator.name: find_program(generator.program) for generator in GENERATORS}
    for generator in GENERATORS:
        if found[generator.name] is None:
            print(f"missing: {generator.program}, so not measured: {generator.title}")
    samples: dict[str, list[Sample]] = {generator.name: [] for generator in GENERATORS}
    with tempfile.TemporaryDirectory(prefix="notice-load-bench-") as scratch:
        folder = Path(scratch)
        if find_program("k6"):
            judged = prove_k6_checks(_made(folder / "judge"))
            print(f"k6's checks judge {judged} answers, right and wrong, as the suite's do")
        with Nginx(_made(folder / "nginx"), server_core) as server:
            for number in range(rounds):
                for generator in rotated(GENERATORS, number):
                    program = found[generator.name]
                    if program is None:
                        continue
                    own = _made(folder / f"{number}-{generator.name}")
                    sample = measure(generator, program, server, generator_core, seconds, own)
                    samples[generator.name].append(sample)
                    print(
                        f"round {number + 1} of {rounds}  {generator.title:<34}"
                        f"{sample.requests_per_s:>9,.0f} requests/s"
                        f"{sample.cpu_us_per_request:>8.1f} CPU-µs/request",
                        flush=True,
                    )
                    shutil.rmtree(own)
    results = Comparison(
        conditions=machine.conditions(PROGRAMS),
        users=USERS,
        seconds=seconds,
        rounds=rounds,
        series=[
            Series(
                name=generator.name,
                title=generator.title,
                checked=generator.checked,
                goal=generator.goal,
                missing=None if found[generator.name] else f"{generator.program} not installed",
                samples=samples[generator.name],
            )
            for generator in GENERATORS
        ],
    )
    target = destination(options.dry)
    write(target / JSON, results)
    _draw(results, target)


def _made(folder: Path) -> Path:
    folder.mkdir()
    return folder


def rotated(generators: Sequence[Generator], number: int) -> list[Generator]:
    """Return the order of a round: each begins with another, and every other goes backwards."""
    step = -1 if number % 2 else 1
    count = len(generators)
    return [generators[(number + step * place) % count] for place in range(count)]


def _redraw() -> None:
    _draw(read(BENCH_DIR / JSON, Comparison), BENCH_DIR)


def _draw(results: Comparison, target: Path) -> None:
    from bench import charts  # the tests of all else need no matplotlib

    measured = report.comparison(results)
    report.update(REPORT, target / REPORT.name, report.GENERATORS_MARK, measured)
    charts.generators(results, target / "generators.png")
    print(f"\n{measured}\n\nwrote {REPORT.name}, {JSON} and generators.png in {target}")


if __name__ == "__main__":
    sys.exit(main())
