"""Writes summary, charts and reports into the folder of a run, each file whole or not at all."""

from __future__ import annotations

import io
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from junitparser import Error, Failure, JUnitXml, TestCase, TestSuite

from harness import ConfigurationError
from harness.config import atomic
from harness.report import html, tables
from harness.report.charts.plotly import plots
from harness.report.charts.png import draw_all
from harness.report.run_data import RunData, gather
from harness.results import rows, run_folder
from harness.results.run_folder import Summary

CHARTS = "charts"
MAX_FAILURES = 20
"""Rows of the failures in the Markdown, which only counts the rest."""
UNWRITABLE = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
"""Characters that XML 1.0 cannot express, not even escaped."""


def draw(folder: Path) -> Summary:
    """Judge a run again from its files, and write its summary, charts and reports.

    Raises:
        ConfigurationError: the folder is no run, a file is missing or broken, or none can be
            written.
    """
    data = gather(folder)
    # Everything is rendered before the first file is written: an error changes nothing.
    files = {f"{CHARTS}/{name}": picture for name, picture in draw_all(data).items()}
    files |= {
        "report.html": page(data).encode(),
        "report.md": markdown(data).encode(),
        "junit.xml": junit(data),
    }
    with writable(folder):
        run_folder.write(folder, data.summary)
        write(folder, files)
    return data.summary


def page(data: RunData) -> str:
    """Return `report.html`: one file that needs no network, for light and dark and for paper."""
    charts = plots(data)
    values = _values(data) | {
        "highlights": tables.highlights(data),
        "plots": charts,
        "whole_run": tables.endpoints(data, is_steady=False),
        "generator": tables.generator(data),
    }
    return html.page("report.html.jinja", charts, values)


def markdown(data: RunData) -> str:
    """Return `report.md`, for a pull request or `$GITHUB_STEP_SUMMARY`."""
    template = html.environment(is_page=False).get_template("report.md.jinja")
    return template.render(_values(data), most_failures=MAX_FAILURES)


def _values(data: RunData) -> dict[str, object]:
    """Return the values that both templates use."""
    summary = data.summary
    objectives = [rows.objective_line(each) for each in summary.objectives]
    validity = [rows.rule_line(rule) for rule in summary.validity]
    steps = [tables.steps(data)] if len(summary.steps) > 1 else []
    return {
        "data": data,
        "summary": summary,
        "meaning": rows.MEANINGS[summary.verdict],
        "first": [rows.objectives_table(objectives), *steps],
        "endpoints": tables.endpoints(data, is_steady=data.is_steady),
        "failures": tables.failures(data),
        "validity": rows.validity_table(validity),
        "manifest": tables.manifest(data),
    }


def junit(data: RunData) -> bytes:
    """Return JUnit XML: a broken rule is an error, a missed objective a failure."""
    report = JUnitXml(f"load test {_text(data.summary.run_id)}")
    rules, objectives = TestSuite("validity"), TestSuite("objectives")
    for rule in data.summary.validity:
        error = None if rule.kept else Error(_text(rule.sentence), "invalid")
        rules.add_testcase(_case(rule.name, "validity", error))
    for each in data.summary.objectives:
        failure = None if each.met else Failure(_text(each.sentence), "objective")
        objectives.add_testcase(_case(each.key, f"objectives.{each.scope}", failure))
    report.add_testsuite(rules)
    report.add_testsuite(objectives)
    report.update_statistics()
    stream = io.BytesIO()
    report.write(stream, pretty=True)
    return stream.getvalue()


def _case(name: str, group: str, problem: Error | Failure | None) -> TestCase:
    case = TestCase(_text(name), _text(group))
    case.result = [problem] if problem else []
    return case


def _text(text: str) -> str:
    return UNWRITABLE.sub("\N{REPLACEMENT CHARACTER}", text)


def write(folder: Path, files: Mapping[str, bytes]) -> None:
    """Write files, named relative to the folder, such as "charts/heatmap.png"."""
    with writable(folder):
        for name, content in files.items():
            (folder / name).parent.mkdir(exist_ok=True)
            atomic.write(folder / name, content)


@contextmanager
def writable(folder: Path) -> Iterator[None]:
    """Turn an OSError into a ConfigurationError: the folder cannot be written to."""
    try:
        yield
    except OSError as error:
        raise ConfigurationError(f"cannot write to {folder}: {error.strerror}") from None
