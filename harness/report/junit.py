"""`junit.xml`: the validity rules and the objectives as test cases, for CI systems."""

from __future__ import annotations

import io
import re

from junitparser import Error, Failure, JUnitXml, TestCase, TestSuite

from harness.report.material import Material

UNWRITABLE = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
"""What XML 1.0 has no way to write."""


def render(material: Material) -> bytes:
    """Return JUnit's XML: a broken rule is an error, a missed objective a failure."""
    summary = material.summary
    rules = [
        _case(rule.name, "validity", None if rule.kept else Error(_text(rule.sentence), "invalid"))
        for rule in summary.validity
    ]
    objectives = [
        _case(
            each.key,
            f"objectives.{each.scope}",
            None if each.met else Failure(_text(each.sentence), "objective"),
        )
        for each in summary.objectives
    ]
    report = JUnitXml(f"load test {_text(summary.run_id)}")
    for name, cases in (("validity", rules), ("objectives", objectives)):
        suite = TestSuite(name)
        suite.add_testcases(cases)
        report.add_testsuite(suite)
    report.update_statistics()
    stream = io.BytesIO()
    report.write(stream, pretty=True)
    return stream.getvalue()


def _case(name: str, group: str, result: Error | Failure | None) -> TestCase:
    case = TestCase(_text(name), _text(group))
    if result is not None:
        case.result = [result]
    return case


def _text(text: str) -> str:
    return UNWRITABLE.sub("\N{REPLACEMENT CHARACTER}", text)
