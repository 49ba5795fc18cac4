"""`python -m bench`: the generators side by side, against the same server."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

from bench import REPORT, charts, machine, process, report
from bench.command import Benchmark, base_parser, positive, run
from bench.generators import GENERATORS, USERS, Generator, prove_k6_checks
from bench.measure import measure
from bench.results import Comparison, Sample, Series
from bench.server import Nginx
from harness import ConfigurationError
from harness.processes import find_program
from harness.results.formatting import rounded

PROGRAMS = ("nginx", "k6", "wrk", "hey")
MIN_ROUNDS = 3  # for a median between a lowest and a highest value


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure, or render the last results again; return the exit code."""
    parser = base_parser("bench", __doc__ or "", seconds=10)
    parser.add_argument("--rounds", type=positive, default=MIN_ROUNDS, help="at least 3")
    return run(BENCHMARK, parser.parse_args(arguments))


def _measure(options: argparse.Namespace, scratch: Path) -> Comparison:
    rounds, seconds = (1, 1) if options.dry else (options.rounds, options.seconds)
    if rounds < MIN_ROUNDS and not options.dry:
        raise ConfigurationError(f"--rounds {rounds}: at least {MIN_ROUNDS}, or --dry")
    generator_core, server_core = process.two_cores()
    found = {generator.name: find_program(generator.program) for generator in GENERATORS}
    for generator in GENERATORS:
        if found[generator.name] is None:
            print(f"missing: {generator.program}, so not measured: {generator.title}")
    samples: dict[str, list[Sample]] = {generator.name: [] for generator in GENERATORS}
    if find_program("k6"):  # before measuring: unequal checks would make the rows incomparable
        judged = prove_k6_checks(_made(scratch / "judge"))
        print(f"k6's checks agree with the suite's on {judged} responses, valid and invalid")
    with Nginx(_made(scratch / "nginx"), server_core) as server:
        for number in range(rounds):
            for generator in rotated(GENERATORS, number):
                program = found[generator.name]
                if program is None:
                    continue
                with TemporaryDirectory(dir=scratch) as own:
                    sample = measure(
                        generator, program, server, generator_core, seconds, Path(own)
                    )
                samples[generator.name].append(sample)
                print(
                    f"round {number + 1} of {rounds}  {generator.title:<38}"
                    f"{rounded(sample.requests_per_s):>9} requests/s"
                    f"{rounded(sample.cpu_us_per_request):>8} CPU-µs/request",
                    flush=True,
                )
    return Comparison(
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


def _made(folder: Path) -> Path:
    folder.mkdir()
    return folder


def rotated(generators: Sequence[Generator], number: int) -> list[Generator]:
    """Return the order for a round: each starts one further, every other one runs backwards."""
    step = -1 if number % 2 else 1
    count = len(generators)
    return [generators[(number + step * place) % count] for place in range(count)]


BENCHMARK = Benchmark(
    kind=Comparison,
    data="generators.json",
    document=REPORT,
    chart="generators.png",
    measure=_measure,
    sections=lambda results: {report.GENERATORS_MARK: report.comparison(results)},
    draw=charts.generators,
)


if __name__ == "__main__":
    sys.exit(main())
