from __future__ import annotations

import ssl
from collections.abc import Callable
from email.utils import formatdate
from pathlib import Path

import pytest
from ipfs_accel._cli.reach import reach
from ipfs_accel._config.config import Config
from ipfs_accel.testing.raw_server import Connection, answer, serve

from .tls_files import CERTIFICATE_AND_KEY

NOW = 1_800_000_000.0
DAY = 86400.0
ENDS = float(ssl.cert_time_to_seconds("Jan  1 00:00:00 2120 GMT"))


def answering(status: str = "200 OK", at: float | None = NOW, **headers: str) -> Callable[[Connection], None]:
    if at is not None:
        headers["date"] = formatdate(at, usegmt=True)

    def handle(connection: Connection) -> None:
        connection.request()
        connection.send(answer(b"ok", status, **headers))
        connection.wait()

    return handle


@pytest.fixture
def authority(tmp_path: Path) -> Path:
    path = tmp_path / "ca.pem"
    path.write_text(CERTIFICATE_AND_KEY)
    return path


@pytest.fixture
def context(authority: Path) -> ssl.SSLContext:
    made = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    made.load_cert_chain(authority)
    return made


def test_what_is_told_of_a_server() -> None:
    with serve(answering("401 Unauthorized", server="acme/2")) as server:
        found = reach([server.url, server.url], Config(), lambda: NOW)[server.url]
    assert (found.reached, found.status, found.server, found.clock_skew) == (True, 401, "acme/2", 0.0)
    assert (found.tls, found.proxy, found.problem, found.hint) == (None, None, None, None)
    assert len(server.heads) == 1
    assert "authorization" not in server.heads[0].lower()


def test_tls_is_told_with_its_issuer_and_end(context: ssl.SSLContext, authority: Path) -> None:
    with serve(answering(), context) as server:
        found = reach([server.url], Config(ca_file=str(authority)), lambda: NOW)[server.url]
    assert found.tls is not None
    assert (found.tls.version, found.tls.issuer, found.tls.expires) == ("TLSv1.3", "localhost", ENDS)
    assert found.tls.days_left == round((ENDS - NOW) / DAY, 1)
    assert found.problem is None


def test_a_certificate_about_to_end_is_a_problem(context: ssl.SSLContext, authority: Path) -> None:
    with serve(answering(at=None), context) as server:
        found = reach([server.url], Config(ca_file=str(authority)), lambda: ENDS - 7200)[server.url]
    assert found.problem == "its certificate ends in 2 h"


def test_a_certificate_of_nobody_known(context: ssl.SSLContext) -> None:
    with serve(answering(), context) as server:
        found = reach([server.url], Config(), lambda: NOW)[server.url]
    assert (found.reached, found.tls) == (False, None)
    assert found.problem is not None
    assert "its certificate is not trusted (self-signed certificate)" in found.problem
    assert found.hint is not None
    assert found.hint.startswith("set ca_file in the configuration")


@pytest.mark.parametrize(("seconds", "where"), [(95.0, "behind"), (-95.0, "ahead of")])
def test_a_wrong_clock_is_a_problem(seconds: float, where: str) -> None:
    with serve(answering(at=NOW + seconds)) as server:
        found = reach([server.url], Config(), lambda: NOW)[server.url]
    assert found.clock_skew is not None
    assert found.clock_skew == pytest.approx(-seconds, abs=1.0)
    assert f"this machine's clock is {abs(found.clock_skew):.0f} s {where} the server's" == found.problem


def test_the_age_of_a_cached_answer_is_no_skew() -> None:
    with serve(answering(at=NOW - 500, age="500")) as server:
        found = reach([server.url], Config(), lambda: NOW)[server.url]
    assert (found.clock_skew, found.problem) == (pytest.approx(0.0, abs=1.0), None)


@pytest.mark.parametrize("date", ["yesterday", "", "Mon, 99 Foo 2026"])
def test_a_date_that_is_none(date: str) -> None:
    with serve(answering(at=None, date=date)) as server:
        found = reach([server.url], Config(), lambda: NOW)[server.url]
    assert (found.reached, found.clock_skew) == (True, None)


def test_a_gateway_without_its_server_is_a_problem() -> None:
    with serve(answering("502 Bad Gateway")) as server:
        found = reach([server.url], Config(), lambda: NOW)[server.url]
    assert (found.reached, found.problem) == (True, "it answers HTTP 502")


def test_the_proxy_is_used_and_its_password_hidden() -> None:
    with serve(answering()) as proxy:
        through = Config(proxy=f"http://me:canary@{proxy.host}")
        found = reach(["http://far.example/v1"], through, lambda: NOW)["http://far.example/v1"]
    assert (found.reached, found.proxy) == (True, f"http://***@{proxy.host}")
    assert proxy.heads[0].startswith("GET http://far.example/v1 ")


def test_a_proxy_in_the_environment_is_not_used_and_that_is_said() -> None:
    found = reach(["http://far.invalid"], Config(environ={"https_proxy": "http://proxy:1"}))["http://far.invalid"]
    assert found.hint == "https_proxy is set but not used: set proxy in the configuration, or IPFS_ACCEL_PROXY"
