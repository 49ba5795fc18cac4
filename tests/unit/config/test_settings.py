"""The one door of the settings: what it lets in, and what it says to what it does not."""

from __future__ import annotations

import dataclasses
import re
import tempfile
from pathlib import Path

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from harness import ConfigurationError
from harness.config.settings import (
    COMPOSE_NAMES,
    NAMES,
    PROJECT_DIR,
    Settings,
    base_url,
    load,
    redacted,
)

REPEATABLE = settings(
    deadline=None, derandomize=True, max_examples=300, suppress_health_check=[HealthCheck.too_slow]
)
SECRET = "pine-apple"


@pytest.fixture
def dotenv(tmp_path: Path) -> Path:
    return tmp_path / ".env"


def one_line(error: ConfigurationError) -> str:
    message = str(error)
    assert message and len(message.splitlines()) == 1, message
    return message


def refusal(environment: dict[str, str] | None = None, dotenv: Path | None = None) -> str:
    with pytest.raises(ConfigurationError) as caught:
        load(environment or {}, dotenv)
    return one_line(caught.value)


def url_refusal(text: str) -> str:
    with pytest.raises(ConfigurationError) as caught:
        base_url(text)
    return one_line(caught.value)


# Values.


def test_the_defaults() -> None:
    told = load({}, None)
    assert told == Settings()
    assert dataclasses.asdict(told) == {
        "host": "",
        "allowed_hosts": (),
        "seed": None,
        "connect_timeout_s": 5.0,
        "answer_timeout_s": 10.0,
        "http_client": "session",
        "accept_gzip": False,
        "tls_verify": True,
        "tls_ca_file": "",
        "alarm_fields": ("alarm_switch",),
        "vary_data": False,
        "data_dir": PROJECT_DIR / "data",
        "slo_file": PROJECT_DIR / "conf" / "slo.toml",
        "warm_up_s": 0.0,
        "deployment": "",
        "deployments_file": PROJECT_DIR / "conf" / "deployments.toml",
        "draw_report": True,
        "results_dir": Path("results"),
        "device_pool_limit": 100_000,
        "audit_sample": 200,
        "keep_devices": False,
        "cleanup_timeout_s": 60.0,
        "cleanup_per_s": 500,
        "allow_worker_loss": False,
        "web_login": False,
        "web_username": "admin",
        "web_password": "",
    }


def test_settings_cannot_be_changed() -> None:
    with pytest.raises(dataclasses.FrozenInstanceError):
        Settings().seed = 1  # type: ignore[misc]


GOOD = [
    ("HOST", "http://127.0.0.1:8000/", "http://127.0.0.1:8000"),
    ("ALLOWED_HOSTS", "A.example, 10.0.0.1,,fd00::7 ", ("a.example", "10.0.0.1", "fd00::7")),
    ("ALLOWED_HOSTS", ",", ()),
    ("SEED", "0", 0),
    ("SEED", "007", 7),
    ("SEED", str(2**63 - 1), 2**63 - 1),
    ("CONNECT_TIMEOUT_S", "2.5", 2.5),
    ("ANSWER_TIMEOUT_S", "3600", 3600.0),
    ("AUDIT_SAMPLE", "0", 0),
    ("AUDIT_SAMPLE", "100000", 100_000),
    ("DEVICE_POOL_LIMIT", "1", 1),
    ("WARM_UP_S", "0", 0.0),
    ("WARM_UP_S", "0.0", 0.0),
    ("WARM_UP_S", "2.5", 2.5),
    ("DEPLOYMENT", "gunicorn", "gunicorn"),
    ("CLEANUP_TIMEOUT_S", ".001", 0.001),
    ("ANSWER_TIMEOUT_S", "1m2.5s", 62.5),
    ("CLEANUP_TIMEOUT_S", "10s", 10.0),
    (
        "ALARM_FIELDS",
        "alarm_switch_sub,alarm_switch_key",
        ("alarm_switch_sub", "alarm_switch_key"),
    ),
    ("ALARM_FIELDS", " Alarm_Switch ", ("alarm_switch",)),
    ("VARY_DATA", "1", True),
    ("VARY_DATA", "True", True),
    ("VARY_DATA", "YES", True),
    ("VARY_DATA", "0", False),
    ("VARY_DATA", "False", False),
    ("VARY_DATA", "no", False),
    ("DATA_DIR", "words", Path("words")),
    ("DATA_DIR", "/a b/c", Path("/a b/c")),
    ("RESULTS_DIR", "~/runs", Path.home() / "runs"),
    ("WEB_USERNAME", "운영자", "운영자"),
    ("WEB_PASSWORD", "a=b#c 'd'", "a=b#c 'd'"),
]


@pytest.mark.parametrize(("name", "text", "value"), GOOD)
def test_good_values(name: str, text: str, value: object) -> None:
    told = load({name: text}, None)
    assert getattr(told, name.lower()) == value
    assert told == dataclasses.replace(Settings(), **{name.lower(): value})
    assert load({name: f"  {text} "}, None) == told


DURATION = "write a duration such as 30s, 2.5s or 1m30s"
SECONDS = f"{DURATION}, more than 0, at most 1h"
WHOLE = "write a whole number, 0 or more"
ALARMS = "write one or more of alarm_switch, alarm_switch_sub, alarm_switch_key"

BAD = [
    ("HOST", "127.0.0.1:8000", "write http://127.0.0.1:8000"),
    ("SEED", "-1", WHOLE),
    ("SEED", "1.0", WHOLE),
    ("SEED", "one", WHOLE),
    ("SEED", "\u00b2", WHOLE),
    ("SEED", "\u0661", WHOLE),
    ("SEED", "0x10", WHOLE),
    ("CONNECT_TIMEOUT_S", "0", SECONDS),
    ("CONNECT_TIMEOUT_S", "-1", SECONDS),
    ("ANSWER_TIMEOUT_S", "3600.1", SECONDS),
    ("AUDIT_SAMPLE", "100001", "write a whole number from 0 to 100000"),
    ("AUDIT_SAMPLE", "-1", "write a whole number from 0 to 100000"),
    ("DEVICE_POOL_LIMIT", "0", "write a whole number from 1 to 10000000"),
    ("CLEANUP_PER_S", "2.5", "write a whole number from 1 to 100000"),
    ("WARM_UP_S", "-1", f"{DURATION}, at most 1h"),
    ("WARM_UP_S", ".", f"{DURATION}, at most 1h"),
    ("ANSWER_TIMEOUT_S", "inf", SECONDS),
    ("ANSWER_TIMEOUT_S", "nan", SECONDS),
    ("CLEANUP_TIMEOUT_S", "10 s", SECONDS),
    ("CLEANUP_TIMEOUT_S", "1e-3", SECONDS),
    ("CLEANUP_TIMEOUT_S", "1,5", SECONDS),
    ("ALARM_FIELDS", "alarm", ALARMS),
    ("ALARM_FIELDS", "alarm_switch,keywords", ALARMS),
    ("ALARM_FIELDS", ",", ALARMS),
    ("VARY_DATA", "2", "write 1 or 0"),
    ("VARY_DATA", "maybe", "write 1 or 0"),
    ("WEB_LOGIN", "on", "write 1 or 0"),
]


@pytest.mark.parametrize(("name", "text", "hint"), BAD)
def test_bad_values_say_which_where_and_what_to_do(
    name: str, text: str, hint: str, dotenv: Path
) -> None:
    message = refusal({name: text})
    assert message.startswith(f"{name}=") and text in message
    assert " in the environment: " in message and message.endswith(hint)
    dotenv.write_text(f"# a comment\n\n{name}={text}\n", encoding="utf-8")
    assert f" in {dotenv}, line 3: " in refusal(dotenv=dotenv)


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("SEED", "1\n2"),
        ("SEED", "9" * 5000),
        ("ALARM_FIELDS", "a\x85b"),
        ("HOST", "h\nx"),
        ("HOST", "http://h\u2028x"),
        ("VARY_DATA", "\x1b[31mred"),
    ],
)
def test_no_value_breaks_the_line(name: str, text: str) -> None:
    message = refusal({name: text})
    assert message.startswith(f"{name}=") and message.isprintable()


@pytest.mark.parametrize("name", ["DATA_DIR", "RESULTS_DIR"])
def test_a_home_that_nobody_has_stays_a_folder_name(name: str) -> None:
    told = load({name: "~no-such-user/x"}, None)
    assert getattr(told, name.lower()) == Path("~no-such-user/x")


def test_a_login_needs_a_password() -> None:
    assert "WEB_PASSWORD is empty" in refusal({"WEB_LOGIN": "1"})
    assert "WEB_PASSWORD is empty" in refusal({"WEB_LOGIN": "1", "WEB_PASSWORD": "  "})
    told = load({"WEB_LOGIN": "1", "WEB_PASSWORD": SECRET}, None)
    assert (told.web_login, told.web_password) == (True, SECRET)


# Precedence.


def test_environment_then_dotenv_then_default(dotenv: Path) -> None:
    dotenv.write_text("SEED=1\nANSWER_TIMEOUT_S=2\n")
    told = load({"SEED": "9"}, dotenv)
    assert (told.seed, told.answer_timeout_s, told.connect_timeout_s) == (9, 2.0, 5.0)


@pytest.mark.parametrize("nothing", ["", " ", "\t"])
def test_an_empty_value_means_the_next_one(nothing: str, dotenv: Path) -> None:
    dotenv.write_text("SEED=1\nCONNECT_TIMEOUT_S=\nANSWER_TIMEOUT_S='  '\n")
    told = load({"SEED": nothing, "CONNECT_TIMEOUT_S": nothing}, dotenv)
    assert told == Settings(seed=1)


def test_a_wrong_value_that_loses_is_not_read(dotenv: Path) -> None:
    dotenv.write_text("SEED=wrong\n")
    assert load({"SEED": "3"}, dotenv).seed == 3


def test_unknown_variables_of_the_environment_are_not_ours() -> None:
    assert load({"PATH": "/bin", "SEEDS": "x", "seed": "7"}, None) == Settings()


# The file.


def test_an_absent_file_is_an_empty_one(tmp_path: Path, dotenv: Path) -> None:
    assert load({}, dotenv) == Settings()
    dotenv.write_text("")
    assert load({}, dotenv) == Settings()


def test_the_usual_ways_to_write_a_line(dotenv: Path) -> None:
    dotenv.write_bytes(
        b"\xef\xbb\xbf# saved by an editor that marks UTF-8\r\n"
        b"export SEED=3\r\n"
        b"  ANSWER_TIMEOUT_S = 4  # seconds\r\n"
        b'WEB_USERNAME="two words"\r\n'
        b"ALLOWED_HOSTS='a.example,b.example'"
    )
    assert load({}, dotenv) == Settings(
        seed=3,
        answer_timeout_s=4.0,
        web_username="two words",
        allowed_hosts=("a.example", "b.example"),
    )


def test_names_of_docker_compose_may_stand_in_the_file(dotenv: Path) -> None:
    dotenv.write_text("".join(f"{name}=1\n" for name in COMPOSE_NAMES))
    assert load({}, dotenv) == Settings()


@pytest.mark.parametrize(
    ("before", "line"),
    [("", 1), ("SEED=1\n", 2), ("# a\n\n\n", 4), ("\n  \n\t\n", 4), ("\r\n", 2)],
)
@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("ANSWER_TIMEOUT=3", ("unknown setting", "did you mean ANSWER_TIMEOUT_S?")),
        ("seed=3", ("unknown setting", "seed")),
        ("QUITE_DIFFERENT=1", ("QUITE_DIFFERENT", "see .env.example for the names")),
        ("SEED", ("write NAME=value",)),
        ("SEED 3", ("write NAME=value",)),
        ("SEED: 3", ("write NAME=value",)),
        ("HOST='http://h", ("write NAME=value",)),
        ("CONNECT_TIMEOUT_S=x", ("CONNECT_TIMEOUT_S=", SECONDS)),
    ],
)
def test_a_wrong_line_is_named(
    before: str, line: int, text: str, says: tuple[str, ...], dotenv: Path
) -> None:
    dotenv.write_bytes(f"{before}{text}\nVARY_DATA=1\n".encode())
    message = refusal(dotenv=dotenv)
    assert re.search(rf"{re.escape(str(dotenv))}, line {line}\b", message)
    assert all(part in message for part in says)


def test_a_file_of_another_encoding_is_named(dotenv: Path) -> None:
    dotenv.write_bytes("WEB_USERNAME=운영자\n".encode("euc-kr"))
    assert refusal(dotenv=dotenv) == f"{dotenv} is not UTF-8; save it as UTF-8"


def test_a_file_that_cannot_be_read_is_named(tmp_path: Path, dotenv: Path) -> None:
    assert refusal(dotenv=tmp_path).startswith(f"cannot read {tmp_path}: ")
    dotenv.symlink_to(dotenv)
    assert refusal(dotenv=dotenv).startswith(f"cannot read {dotenv}: ")


FRAGMENTS = st.sampled_from(
    [
        "\n",
        "\r\n",
        "=",
        "'",
        '"',
        " ",
        "#",
        "\\",
        "\\n",
        "export ",
        "\x0b",
        "\u2028",
        "\x00",
        "SEED",
        "HOST",
        "WEB_LOGIN",
        "WEB_PASSWORD",
        "DATA_DIR",
        "SEDE",
        "x",
        "1",
        "http://",
        "@",
    ]
)


@REPEATABLE
@example(["'SE\nDE'=1"])
@example(["SEED='1\n2'"])
@example(["DATA_DIR=~x/y"])
@given(fragments=st.lists(FRAGMENTS, max_size=15))
def test_any_file_is_read_or_refused_in_one_line(fragments: list[str]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / ".env"
        path.write_bytes("".join(fragments).encode())
        try:
            told = load({}, path)
        except ConfigurationError as error:
            assert str(path) in one_line(error) or "WEB_LOGIN" in str(error)
        else:
            assert isinstance(told, Settings)


@REPEATABLE
@given(name=st.sampled_from([*NAMES]), text=st.text(max_size=20))
def test_any_value_is_taken_or_refused_in_one_line(name: str, text: str) -> None:
    try:
        load({name: text}, None)
    except ConfigurationError as error:
        assert one_line(error).startswith(("WEB_LOGIN", f"{name}="))


# Secrets.


def test_the_password_is_in_no_repr() -> None:
    told = load({"WEB_PASSWORD": SECRET}, None)
    assert told.web_password == SECRET
    assert SECRET not in repr(told) and SECRET not in str(told)


@pytest.mark.parametrize(
    "line",
    [
        f"WEB_PASSWORD {SECRET}",
        f"WEB_PASSWORD: {SECRET}",
        f"WEB_PASSWORD='{SECRET}",
        f'WEB_PASSWORD="{SECRET}',
        f"WEB_PASSWORD='{SECRET}'x",
        f"HOST http://admin:{SECRET}@h",
        f"WEB_PASSWROD={SECRET}",
        f"HOST=http://admin:{SECRET}@h:99999",
    ],
)
def test_a_wrong_line_does_not_tell_its_secret(line: str, dotenv: Path) -> None:
    dotenv.write_text(f"SEED=1\n{line}\n")
    message = refusal(dotenv=dotenv)
    assert f"{dotenv}, line 2" in message
    assert SECRET not in message


@pytest.mark.parametrize(
    "url",
    [
        f"admin:{SECRET}@h:8000",
        f"//admin:{SECRET}@h:8000",
        f"ftp://admin:{SECRET}@h",
        f"http://admin:{SECRET}@h:99999",
        f"http://admin:{SECRET}@[::1",
        f"http://admin:{SECRET}@h/?q",
        f"http://admin:{SECRET}@h h",
        f"http://admin:{SECRET}@",
        f"http://admin:x/{SECRET}@h",
        f"http://admin:{SECRET}/x@h",
        f"http://admin:{SECRET}#x@h",
        f"http://admin:{SECRET}?x@h",
    ],
)
def test_a_refused_host_does_not_tell_its_credentials(url: str, dotenv: Path) -> None:
    assert SECRET not in url_refusal(url)
    assert SECRET not in refusal({"HOST": url})


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("http://h", "http://h"),
        ("http://h:8000/base", "http://h:8000/base"),
        (f"http://admin:{SECRET}@h:8000/base", "http://h:8000/base"),
        (f"https://{SECRET}@h", "https://h"),
        (f"http://a:{SECRET}@b@h", "http://h"),
        ("http://admin:@[::1]:80", "http://[::1]:80"),
        (f"admin:{SECRET}@h", "h"),
    ],
)
def test_credentials_are_cut_out_of_a_url(url: str, shown: str) -> None:
    assert redacted(url) == shown


# Base URLs.


@pytest.mark.parametrize(
    ("text", "url"),
    [
        ("http://h", "http://h"),
        ("https://h/", "https://h"),
        ("http://h//", "http://h"),
        ("http://h:1", "http://h:1"),
        ("http://h:65535/", "http://h:65535"),
        ("HTTP://H", "HTTP://H"),
        ("http://127.0.0.1:8000/base/path/", "http://127.0.0.1:8000/base/path"),
        ("http://[::1]:8000/", "http://[::1]:8000"),
        ("http://user:word@h:80/base", "http://user:word@h:80/base"),
    ],
)
def test_base_urls(text: str, url: str) -> None:
    assert base_url(text) == url
    assert base_url(url) == url


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("h", "'h' has no scheme; write http://h"),
        ("h:8000", "has no scheme; write http://h:8000"),
        ("//h:8000", "has no scheme; write http://h:8000"),
        ("/base", "has no scheme"),
        ("", "has no scheme; write http://127.0.0.1:8000"),
        ("//", "has no scheme; write http://127.0.0.1:8000"),
        ("//h/http://", "has no scheme"),
        ("http:/h", "has no scheme"),
        ("http:h", "has no scheme"),
        ("ftp://h", "has the scheme 'ftp'; use http or https"),
        ("httpx://h", "has the scheme 'httpx'; use http or https"),
        ("://h", "scheme"),
        ("http://", "is not a URL with a host name"),
        ("http:///base", "is not a URL with a host name"),
        ("http://:8000", "is not a URL with a host name"),
        ("http://user@", "is not a URL with a host name"),
        ("http://h:99999", "Port out of range"),
        ("http://h:-1", "is not a URL: "),
        ("http://h:http", "is not a URL: "),
        ("http://[::1", "is not a URL: "),
        ("http://[::g]", "is not a URL: "),
        ("http://a b", "is not a URL with a host name"),
        ("http://h/a b", "is not a URL with a host name"),
        ("http://h\tx", "is not a URL with a host name"),
        ("http://h\n", "is not a URL with a host name"),
        ("http://h\\x", "is not a URL with a host name"),
        ("http://h/\\x", "is not a URL with a host name"),
        ("http://h?x=1", "must end before '?' and '#'"),
        ("http://h/base?x", "must end before '?' and '#'"),
        ("http://h#x", "must end before '?' and '#'"),
        ("http://h/?", "must end before '?' and '#'"),
        ("http://h#", "must end before '?' and '#'"),
    ],
)
def test_what_is_no_base_url(text: str, says: str) -> None:
    assert says in url_refusal(text)


@REPEATABLE
@given(text=st.text(max_size=20), scheme=st.sampled_from(["", "//", "http://", "https://h"]))
def test_any_text_is_a_base_url_or_refused_in_one_line(text: str, scheme: str) -> None:
    try:
        url = base_url(scheme + text)
    except ConfigurationError as error:
        one_line(error)
    else:
        assert url.lower().startswith(("http://", "https://"))
        assert not url.endswith("/") and "?" not in url and "#" not in url


# The example.

EXAMPLE = PROJECT_DIR / ".env.example"


def test_the_example_names_every_setting_once_and_nothing_else() -> None:
    text = EXAMPLE.read_text(encoding="utf-8")
    names = re.findall(r"^#?[ \t]*(?:export )?([A-Z][A-Z0-9_]*)=", text, flags=re.MULTILINE)
    assert sorted(name for name in names if name not in COMPOSE_NAMES) == sorted(NAMES)
    assert len(names) == len(set(names))


def test_the_example_copied_as_it_is_changes_nothing() -> None:
    assert load({}, EXAMPLE) == Settings()


def test_what_the_example_has_as_a_comment_is_right_too(dotenv: Path) -> None:
    text = EXAMPLE.read_text(encoding="utf-8")
    dotenv.write_text(re.sub(r"^#[ \t]*([A-Z][A-Z0-9_]*=)", r"\1", text, flags=re.MULTILINE))
    assert load({}, dotenv) == Settings()
