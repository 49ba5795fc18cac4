"""Everything that is drawn, into the folder of a run: each file whole or not at all."""

from __future__ import annotations

import io
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from junitparser import Error, Failure, JUnitXml, TestCase, TestSuite

from harness import ConfigurationError, atomic, rows, runfolder
from harness.report import scaffold, tables
from harness.report.charts import draw_all
from harness.report.material import Material, gather
from harness.report.plots import plots
from harness.runfolder import Summary

CHARTS = "charts"
MOST_FAILURES = 20
"""Rows of failures in the Markdown."""
UNWRITABLE = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
"""What XML 1.0 has no way to write."""


def draw(folder: Path) -> Summary:
    """Judge a run again by its files, and write its summary, charts and reports.

    Raises:
        ConfigurationError: it is no run, a file is missing or broken, or none can be written.
    """
    material = gather(folder)
    files = {f"{CHARTS}/{name}": picture for name, picture in draw_all(material).items()}
    files |= {
        "report.html": page(material).encode(),
        "report.md": markdown(material).encode(),
        "junit.xml": junit(material),
    }
    with writable(folder):
        runfolder.write(folder, material.summary)
        write(folder, files)
    return material.summary


def page(material: Material) -> str:
    """Return `report.html`: one file that needs no network, light and dark, on paper too."""
    charts = plots(material)
    values = _values(material) | {
        "highlights": tables.highlights(material),
        "plots": charts,
        "whole_run": tables.endpoints(material, is_steady=False),
        "generator": tables.generator(material),
    }
    return scaffold.page("report.html.jinja", charts, values)


def markdown(material: Material) -> str:
    """Return `report.md`: the result for a pull request or `$GITHUB_STEP_SUMMARY`."""
    template = scaffold.environment(is_page=False).get_template("report.md.jinja")
    return template.render(_values(material), most_failures=MOST_FAILURES)


def _values(material: Material) -> dict[str, object]:
    """Return what both say."""
    summary = material.summary
    objectives = [rows.objective_line(each) for each in summary.objectives]
    validity = [rows.rule_line(rule) for rule in summary.validity]
    steps = [tables.steps(material)] if len(summary.steps) > 1 else []
    return {
        "material": material,
        "summary": summary,
        "meaning": rows.MEANINGS[summary.verdict],
        "first": [rows.objectives_table(objectives), *steps],
        "endpoints": tables.endpoints(material, is_steady=material.is_steady),
        "failures": tables.failures(material),
        "validity": rows.validity_table(validity),
        "manifest": tables.manifest(material),
    }


def junit(material: Material) -> bytes:
    """Return JUnit's XML: a broken rule is an error, a missed objective a failure."""
    report = JUnitXml(f"load test {_text(material.summary.run_id)}")
    rules, objectives = TestSuite("validity"), TestSuite("objectives")
    for rule in material.summary.validity:
        error = None if rule.kept else Error(_text(rule.sentence), "invalid")
        rules.add_testcase(_case(rule.name, "validity", error))
    for each in material.summary.objectives:
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
    """Write files by their names in a folder, such as "charts/heatmap.png"."""
    with writable(folder):
        for name, content in files.items():
            (folder / name).parent.mkdir(exist_ok=True)
            atomic.write(folder / name, content)


@contextmanager
def writable(folder: Path) -> Iterator[None]:
    """Say in one line that a folder cannot be written to."""
    try:
        yield
    except OSError as error:
        raise ConfigurationError(f"cannot write to {folder}: {error.strerror}") from None
