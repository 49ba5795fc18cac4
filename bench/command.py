"""What the three commands share: options, exit codes, result files and documents."""

from __future__ import annotations

import argparse
import signal
import sys
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from types import FrameType
from typing import Generic, TypeVar

import msgspec

from bench import BENCH_DIR, BenchError
from bench.report import replaced
from harness import ConfigurationError
from harness.config import atomic
from harness.config.parsing import argument, whole

EXIT_CODES = (
    "Exit codes: 0 measured, 1 the measurement is not credible, 2 wrong usage or a missing "
    "program, 3 interrupted."
)
SCRATCH_PREFIX = "notice-load-bench-"
positive = argument(whole(1))

Results = TypeVar("Results", bound=msgspec.Struct)


@dataclass(frozen=True, slots=True)
class Benchmark(Generic[Results]):
    """A command: how it measures and where its results go.

    Attributes:
        kind: type of the results.
        data: name of the JSON file in `bench/`.
        document: Markdown file with a pair of marks for each section.
        chart: name of the PNG beside the document.
        measure: takes the options and an empty scratch folder.
        sections: renders results as Markdown, keyed by mark.
        draw: draws results to a file.
    """

    kind: type[Results]
    data: str
    document: Path
    chart: str
    measure: Callable[[argparse.Namespace, Path], Results]
    sections: Callable[[Results], dict[str, str]]
    draw: Callable[[Results, Path], None]


def base_parser(module: str, description: str, seconds: int) -> argparse.ArgumentParser:
    """Return a parser for the common options.

    Args:
        module: the name after `python -m`.
        description: text for `--help`.
        seconds: default length of a measurement.
    """
    common = argparse.ArgumentParser(
        prog=f"python -m {module}", description=description, epilog=EXIT_CODES
    )
    common.add_argument(
        "--seconds", type=positive, default=seconds, help=f"length of a measurement ({seconds})"
    )
    common.add_argument("--dry", action="store_true", help="a short try into a temporary folder")
    common.add_argument(
        "--redraw", action="store_true", help="render the last results again, measure nothing"
    )
    return common


def run(benchmark: Benchmark[Results], options: argparse.Namespace) -> int:
    """Measure or render again, report errors in one line and return the exit code."""
    # Handled like Ctrl-C, so that context managers stop the child processes.
    for name in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(name, _interrupt)
    try:
        if options.redraw:
            _render(benchmark, read(BENCH_DIR / benchmark.data, benchmark.kind), None)
            return 0
        with tempfile.TemporaryDirectory(prefix=SCRATCH_PREFIX) as scratch:
            results = benchmark.measure(options, Path(scratch))
        # Written before it is rendered, so that an error in drawing loses no measurement.
        elsewhere = Path(tempfile.mkdtemp(prefix=SCRATCH_PREFIX)) if options.dry else None
        atomic.write_json((elsewhere or BENCH_DIR) / benchmark.data, results)
        _render(benchmark, results, elsewhere)
    except (ConfigurationError, BenchError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 2 if isinstance(error, ConfigurationError) else 1
    except KeyboardInterrupt:
        print("interrupted: nothing was written", file=sys.stderr)
        return 3
    return 0


def read(path: Path, kind: type[Results]) -> Results:
    """Read results from a JSON file.

    Raises:
        ConfigurationError: the file is missing, or another version of the bench wrote it.
    """
    try:
        return msgspec.json.decode(path.read_bytes(), type=kind)
    except FileNotFoundError:
        raise ConfigurationError(f"no {path.name} to draw from; measure first") from None
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise ConfigurationError(f"cannot read {path.name}: {error}") from None


def _interrupt(_number: int, _frame: FrameType | None) -> None:
    raise KeyboardInterrupt


def _render(benchmark: Benchmark[Results], results: Results, elsewhere: Path | None) -> None:
    folder = elsewhere or benchmark.document.parent
    text = benchmark.document.read_text(encoding="utf-8")
    for mark, section in benchmark.sections(results).items():
        text = replaced(text, mark, section)
        print(f"\n{section}")
    benchmark.draw(results, folder / benchmark.chart)
    atomic.write(folder / benchmark.document.name, text.encode())
    print(f"\nwrote {benchmark.document.name} and {benchmark.chart} to {folder}")
