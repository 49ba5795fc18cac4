"""Which hosts may be load-tested."""

from __future__ import annotations

import pytest

from harness import ConfigurationError
from harness.config.hosts import check_host


def refusal(url: str, *allowed: str) -> str:
    with pytest.raises(ConfigurationError) as caught:
        check_host(url, allowed)
    message = str(caught.value)
    assert len(message.splitlines()) == 1
    return message


@pytest.mark.parametrize(
    "url",
    [
        "http://localhost",
        "http://LOCALHOST:8000",
        "https://LocalHost/base",
        "http://127.0.0.1",
        "http://127.0.0.1:8000",
        "http://127.9.9.9:1",
        "http://127.255.255.255",
        "http://[::1]",
        "http://[::1]:8000/base",
        "http://[0:0:0:0:0:0:0:1]",
        "http://[::ffff:127.0.0.1]:8000",
        "http://user:word@127.0.0.1:8000",
    ],
)
def test_loopback_needs_no_permission(url: str) -> None:
    assert check_host(url, ()) == url
    assert check_host(f"{url}/", ()) == url


@pytest.mark.parametrize(
    ("url", "name"),
    [
        ("http://0.0.0.0:8000", "0.0.0.0"),
        ("http://[::]:8000", "::"),
        ("http://10.0.0.1", "10.0.0.1"),
        ("http://126.255.255.255", "126.255.255.255"),
        ("http://128.0.0.1", "128.0.0.1"),
        ("http://192.168.0.1", "192.168.0.1"),
        ("http://169.254.169.254", "169.254.169.254"),
        ("http://[::2]", "::2"),
        ("http://[::ffff:10.0.0.1]", "::ffff:10.0.0.1"),
        ("http://[fe80::1]", "fe80::1"),
        ("http://example.com", "example.com"),
        ("http://localhost.example.com", "localhost.example.com"),
        ("http://127.0.0.1.example.com", "127.0.0.1.example.com"),
        ("http://notlocalhost", "notlocalhost"),
        ("http://localhost.localdomain", "localhost.localdomain"),
        ("http://127.0.0.1@example.com/", "example.com"),
        ("http://localhost:80@example.com", "example.com"),
        ("http://example.com/127.0.0.1", "example.com"),
        ("http://127.1", "127.1"),
        ("http://2130706433", "2130706433"),
        ("http://0x7f000001", "0x7f000001"),
        ("http://0177.0.0.1", "0177.0.0.1"),
        ("http://127.0.0.256", "127.0.0.256"),
        ("http://①②⑦.0.0.1", "①②⑦.0.0.1"),
    ],
)
def test_any_other_host_is_refused_by_name(url: str, name: str) -> None:
    message = refusal(url)
    assert f"is refused: {name} is not this machine" in message
    assert message.endswith(f"set ALLOWED_HOSTS={name} in .env")


@pytest.mark.parametrize(
    "url",
    [
        "http://example.com#127.0.0.1",
        "http://example.com?127.0.0.1",
        "http://localhost\\@example.com",
        "http://localhost#@example.com/",
        "http://localhost?@example.com/",
        "http://local host",
        "http://127.0.0.1\n.example.com",
        "127.0.0.1:8000",
        "localhost",
        "//127.0.0.1",
        "ftp://127.0.0.1",
        "http://127.0.0.1:99999",
        "http://",
        "",
    ],
)
def test_what_is_no_plain_base_url_is_refused_whatever_it_holds(url: str) -> None:
    refusal(url, "example.com", "localhost")


@pytest.mark.parametrize(
    "url",
    [
        "http://load.example.com",
        "https://load.example.com:8443/base",
        "http://LOAD.Example.COM:80",
        "http://user:word@load.example.com",
        "http://10.0.0.7:8000",
        "http://[fd00::7]:8000",
    ],
)
def test_named_hosts_are_allowed_on_every_port(url: str) -> None:
    assert check_host(url, ("load.example.com", "10.0.0.7", "fd00::7")) == url


@pytest.mark.parametrize(
    "url",
    [
        "http://example.com",
        "http://sub.load.example.com",
        "http://load.example.com.evil.example",
        "http://xload.example.com",
        "http://10.0.0.70",
        "http://load.example.com@evil.example",
    ],
)
def test_only_the_very_name_is_allowed(url: str) -> None:
    refusal(url, "load.example.com", "10.0.0.7")


def test_a_path_does_not_name_the_host() -> None:
    refusal("http://example.com/@localhost")
    refusal("http://example.com/user@127.0.0.1:80/")


def test_the_refusal_keeps_the_names_that_are_there() -> None:
    message = refusal("http://third.example:8000", "one.example", "10.0.0.2")
    assert message.endswith("set ALLOWED_HOSTS=one.example,10.0.0.2,third.example in .env")


def test_the_refusal_keeps_credentials_to_itself() -> None:
    message = refusal("http://admin:secret@third.example:8000/base")
    assert "http://third.example:8000/base" in message
    assert "secret" not in message and "admin" not in message


def test_a_permission_can_be_taken_back() -> None:
    url = "http://load.example.com"
    assert check_host(url, ("load.example.com",)) == url
    refusal(url)


@pytest.mark.parametrize("name", ["müller.example", "xn--mller-kva.example", "MÜLLER.example"])
@pytest.mark.parametrize("allowed", ["müller.example", "xn--mller-kva.example"])
def test_a_host_is_the_same_in_letters_and_in_ascii(name: str, allowed: str) -> None:
    assert check_host(f"http://{name}", (allowed,)).lower() == f"http://{name}".lower()


def test_a_name_that_only_looks_encoded_is_another_host() -> None:
    with pytest.raises(ConfigurationError, match="is refused"):
        check_host("http://xn--example-.com", ("example.com",))
