"""conf/slo.toml: what is read from it, and what each wrong line is answered with."""

from __future__ import annotations

from pathlib import Path

import pytest

from harness import ConfigurationError
from harness.config.settings import PROJECT_DIR
from harness.results.objectives import Saturation, load, parse
from notice_api.contract import ENDPOINTS

SCOPES = ("total", *(f"{each.method} {each.name}" for each in ENDPOINTS), "generator")


def refusal(text: str) -> str:
    with pytest.raises(ConfigurationError) as caught:
        parse(text, "slo.toml", SCOPES)
    message = str(caught.value)
    assert len(message.splitlines()) == 1
    return message


def test_limits_are_read_by_scope_and_key() -> None:
    wanted = parse('[total]\np95_ms = 500\n["GET /notice/list"]\nmax_ms = 1.5\n', "slo.toml")
    assert wanted.limits == {
        "total": {"fail_ratio": 0.0, "p95_ms": 500.0},
        "GET /notice/list": {"max_ms": 1.5},
    }
    assert wanted.saturation == Saturation()


def test_every_key_is_taken() -> None:
    keys = {"p50_ms": 1, "p95_ms": 2, "p99_ms": 3, "max_ms": 4, "requests_per_s": 5}
    text = "\n".join(f"{key} = {value}" for key, value in keys.items())
    wanted = parse(f"[total]\nfail_ratio = 0.25\n{text}", "slo.toml")
    assert wanted.limits["total"] == keys | {"fail_ratio": 0.25}


@pytest.mark.parametrize("text", ["", "# nothing\n", "[total]\n", "[generator]\nlag_ms = 5\n"])
def test_wrong_answers_miss_unless_the_file_allows_them(text: str) -> None:
    assert parse(text, "slo.toml").limits == {"total": {"fail_ratio": 0.0}}


def test_the_bounds_of_the_generator_are_read() -> None:
    text = "[generator]\ncpu_percent = 150\nlag_ms = 5.5\nsaturated_share = 0\n"
    bounds = Saturation(cpu_percent=150.0, lag_ms=5.5, saturated_share=0.0)
    assert parse(text, "slo.toml").saturation == bounds


@pytest.mark.parametrize("mark", ["", "\ufeff"])
@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_files_of_any_editor_are_read(tmp_path: Path, mark: str, end: str) -> None:
    path = tmp_path / "slo.toml"
    path.write_bytes(f"{mark}[total]{end}p95_ms = 5{end}".encode())
    assert load(path).limits == {"total": {"fail_ratio": 0.0, "p95_ms": 5.0}}


def test_the_text_is_kept_as_it_was() -> None:
    text = "# why\n[total]\np95_ms = 500 # agreed in May\n"
    assert parse(text, "slo.toml").text == text


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("[total]\n\np95 = 500\n", "line 3: unknown key 'p95'; did you mean 'p95_ms'?"),
        ("[total]\np95_s = 1\n", "line 2: unknown key 'p95_s'; did you mean 'p95_ms'?"),
        (
            "[total]\nzzz = 1\n",
            "line 2: unknown key 'zzz'; write one of p50_ms, p95_ms, p99_ms, max_ms, "
            "fail_ratio, requests_per_s",
        ),
        (
            '[total]\np95_ms = 5\n\n["GET /notice/lst"]\np95_ms = 5\n',
            "line 4: unknown table ['GET /notice/lst']; did you mean 'GET /notice/list'?",
        ),
        ("p95_ms = 5\n", "line 1: unknown table ['p95_ms']; write one of total, GET"),
        ("total = 5\n", "line 1: unknown table ['total']"),
        ('[total]\np95_ms = "500ms"\n', "line 2: p95_ms = '500ms': write a number, without a"),
        ("[total]\np95_ms = true\n", "line 2: p95_ms = True: write a number, without a unit"),
        ("[total]\np95_ms = nan\n", "line 2: p95_ms = nan: write a number, without a unit"),
        ("[total]\np95_ms = inf\n", "line 2: p95_ms = inf: write a number, without a unit"),
        ("[total]\np95_ms = [\n1,\n2]\n", "line 4: p95_ms = [1, 2]: write a number"),
        ("[total]\np95_ms = 0\n", "line 2: p95_ms = 0: write a number above 0"),
        ("[total]\np95_ms = -5\n", "line 2: p95_ms = -5: write a number above 0"),
        ("[total]\nfail_ratio = 2\n", "line 2: fail_ratio = 2: write a share from 0 to 1"),
        ("[total]\nfail_ratio = -0.1\n", "line 2: fail_ratio = -0.1: write a share from 0 to 1"),
        ("[generator]\ncpu = 5\n", "line 2: unknown key 'cpu'; write one of cpu_percent"),
        ("[generator]\nsaturated_share = 10\n", "line 2: saturated_share = 10: write a share"),
        ("total.p95 = 5\n", "line 1: unknown key 'p95'"),
        ("[total]\np95_ms 5\n", "slo.toml: Expected '=' after a key"),
        ("[total]\np95_ms = 1\np95_ms = 2\n", "slo.toml: Cannot overwrite a value (at line 3"),
    ],
)
def test_a_wrong_line_is_named_with_what_to_write(text: str, expected: str) -> None:
    assert expected in refusal(text)
    assert refusal(text).startswith("slo.toml")


def test_a_file_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match=r"cannot read .*none.toml: No such file .*SLO_F"):
        load(tmp_path / "none.toml")
    with pytest.raises(ConfigurationError, match="cannot read"):
        load(tmp_path)
    wrong = tmp_path / "slo.toml"
    wrong.write_bytes(b"[total]\n# \xff\n")
    with pytest.raises(ConfigurationError, match="is not UTF-8"):
        load(wrong)


def test_the_shipped_file_is_right() -> None:
    wanted = load(PROJECT_DIR / "conf" / "slo.toml")
    assert wanted.limits["total"] == {"fail_ratio": 0.0, "p95_ms": 500.0, "p99_ms": 1000.0}
    assert wanted.saturation == Saturation()
