"""What goes wrong between a caller and a server: names, proxies, TLS, uploads, other protocols; in every world."""

from __future__ import annotations

import gc
import socket
import ssl
import threading
import traceback
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from ipfs_accel import Config, RetryConfig, Timeout, hookimpl
from ipfs_accel import errors as e
from ipfs_accel.testing.raw_server import Connection, RawServer, answer, chunked, serve
from ipfs_accel.types import CallRecord

from .acme import Acme
from .both_worlds import awaiting, blocking, fault, fine, on_trio, outcome, scripted, streamed
from .tls_files import CERTIFICATE_AND_KEY, EXPIRED_CERTIFICATE_AND_KEY

World = Callable[..., Any]
Ask = Callable[..., Any]
AT_ONCE = RetryConfig(base=0.0)
CANARY = "canary-0123456789"


@pytest.fixture(params=[blocking, awaiting, on_trio], ids=["sync", "asyncio", "trio"])
def world(request: pytest.FixtureRequest) -> Any:
    return request.param


@pytest.fixture(params=["chat", "stream"])
def ask(world: World, request: pytest.FixtureRequest) -> Ask:
    """Make a call of one kind in one world, tried again at once; both worlds end with no connection in use."""

    def call(server: RawServer, **more: Any) -> Any:
        config = {"environ": {}, "retry": AT_ONCE, **more.pop("config", {})}
        return outcome(world, server, request.param, config=Config(**config), **more)

    return call


def good(connection: Connection) -> None:
    """Answer in the form that the path asks for, again and again."""
    while (head := connection.request()) is not None:
        connection.send(streamed("blue", "END") if " /stream " in head or "/stream " in head else fine())


class Far(Acme):
    """Lies at a host that only a proxy, or a resolver of the test's own, knows."""

    def __init__(self, _url: str) -> None:
        super().__init__("http://far.invalid")


class FarAndSecure(Acme):
    def __init__(self, _url: str) -> None:
        super().__init__("https://far.invalid")


def everything(error: BaseException) -> str:
    """Return all that can be read of an error."""
    return "".join(traceback.format_exception(error)) + repr(vars(error))


# names


class Resolver:
    """Answers for far.invalid with an error, or with this machine once it may."""

    def __init__(self) -> None:
        self.says: OSError | threading.Event = threading.Event()
        self.says.set()
        self.asked = 0
        self._truth = socket.getaddrinfo

    def __call__(self, host: Any, port: Any, *arguments: Any, **options: Any) -> Any:
        if host not in {"far.invalid", b"far.invalid"}:
            return self._truth(host, port, *arguments, **options)
        flags = options.get("flags", arguments[3] if len(arguments) > 3 else 0)
        if flags & socket.AI_NUMERICHOST:
            raise socket.gaierror(socket.EAI_NONAME, "it is no number")
        self.asked += 1
        if isinstance(self.says, OSError):
            raise self.says
        self.says.wait(60)
        return self._truth("127.0.0.1", port, type=socket.SOCK_STREAM)


@pytest.fixture
def resolver(monkeypatch: pytest.MonkeyPatch) -> Resolver:
    found = Resolver()
    monkeypatch.setattr(socket, "getaddrinfo", found)
    return found


def test_a_name_that_does_not_exist_is_looked_up_once(ask: Ask, resolver: Resolver) -> None:
    resolver.says = socket.gaierror(socket.EAI_NONAME, "unknown")
    with scripted(fine()) as server:
        error = ask(server, plugin=Far)
    assert type(error) is e.APIConnectionError
    assert "could not connect to far.invalid:80: the host name cannot be resolved" in str(error)
    assert (resolver.asked, error.attempts, error.sent) == (1, 1, False)


def test_a_proxy_of_the_environment_is_not_used_and_hinted_at(ask: Ask, resolver: Resolver) -> None:
    resolver.says = socket.gaierror(socket.EAI_NONAME, "unknown")
    with scripted(fine()) as server:
        error = ask(server, plugin=Far, config={"environ": {"HTTP_PROXY": f"http://me:{CANARY}@{server.host}"}})
        assert not server.heads
    assert str(error.hint).startswith("HTTP_PROXY is set, and is not read: for a proxy set proxy = ")
    assert CANARY not in everything(error)


def test_a_resolver_that_has_no_answer_now_is_asked_again(ask: Ask, resolver: Resolver) -> None:
    resolver.says = socket.gaierror(socket.EAI_AGAIN, "later")
    with scripted(fine()) as server:
        error = ask(server, plugin=Far)
    assert (type(error), error.attempts, resolver.asked) == (e.APIConnectionError, 3, 3)


class Over:
    """Sets an event when a call is over."""

    api_version = 1

    def __init__(self, event: threading.Event) -> None:
        self.event = event

    @hookimpl
    def call_finished(self, record: CallRecord) -> None:
        self.event.set()


def test_a_resolver_that_stalls_is_bounded_by_the_connect_limit(ask: Ask, resolver: Resolver) -> None:
    over = resolver.says = threading.Event()
    once = {"retry": RetryConfig(attempts=1)}
    with scripted(fine()) as server:
        error = ask(server, plugin=Far, timeout=Timeout(connect=0.05), config=once, middleware=[Over(over)])
    assert (type(error), error.phase, error.sent) == (e.APITimeoutError, "connect", False)
    assert "could not connect to far.invalid:80 within 0.05 s" in str(error)


# proxies


@pytest.mark.parametrize(("status", "attempts"), [(502, 3), (503, 3), (504, 3)])
def test_a_proxy_that_answers_for_the_server(status: int, attempts: int, ask: Ask) -> None:
    with scripted(fault(status)) as proxy:
        error = ask(proxy, plugin=Far, config={"proxy": f"http://me:{CANARY}@{proxy.host}"})
    assert isinstance(error, e.APIStatusError)
    assert (error.status, error.attempts) == (status, attempts)
    assert CANARY not in everything(error)


@pytest.mark.parametrize(("status", "attempts"), [(502, 3), (503, 3), (504, 3), (407, 1), (403, 1)])
def test_a_proxy_that_gives_no_tunnel(status: int, attempts: int, ask: Ask) -> None:
    with scripted(fault(status)) as proxy:
        error = ask(proxy, plugin=FarAndSecure, config={"proxy": f"http://me:{CANARY}@{proxy.host}"})
    assert type(error) is e.APIConnectionError
    assert f"the proxy {proxy.host} gave no connection to far.invalid:443: it answered {status}" in str(error)
    assert (error.attempts, error.sent) == (attempts, False)
    assert CANARY not in everything(error)


def test_a_proxy_that_drops_idle_connections(world: World) -> None:
    call = ("chat", {"model": "acme/m", "messages": "q"})
    with scripted(fine(), lambda connection: connection.close(), fine()) as proxy:
        config = Config(environ={}, proxy=proxy.url)
        results = world(proxy, call, call, plugin=Far, config=config)
    assert [result.answer.call.attempts for result in results] == [1, 1]


# TLS


@contextmanager
def secure(pem: Path, handler: Callable[[Connection], Any] = good, **settings: Any) -> Iterator[RawServer]:
    """Run a server with a certificate; the settings are those of its TLS context."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(pem)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # old protocols are what a test is about
        for name, value in settings.items():
            setattr(context, name, value)
    with serve(handler, context) as server:
        yield server


@pytest.fixture
def pem(tmp_path: Path) -> Path:
    path = tmp_path / "localhost.pem"
    path.write_text(CERTIFICATE_AND_KEY)
    return path


def test_a_certificate_that_has_expired(ask: Ask, tmp_path: Path) -> None:
    pem = tmp_path / "expired.pem"
    pem.write_text(EXPIRED_CERTIFICATE_AND_KEY)
    with secure(pem) as server:
        error = ask(server, config={"ca_file": str(pem)})
    assert (type(error), error.attempts, error.sent) == (e.APIConnectionError, 1, False)
    assert "its certificate is not trusted (certificate has expired)" in str(error)
    assert "clock" in error.hint


@pytest.mark.usefixtures("resolver")
def test_a_certificate_for_another_host(ask: Ask, pem: Path) -> None:
    class Elsewhere(Acme):
        def __init__(self, url: str) -> None:
            super().__init__(url.replace("127.0.0.1", "far.invalid"))

    with secure(pem) as server:
        error = ask(server, plugin=Elsewhere, config={"ca_file": str(pem)})
    assert (type(error), error.attempts) == (e.APIConnectionError, 1)
    assert "its certificate is not trusted (Hostname mismatch" in str(error)
    assert "base_url" in error.hint


def test_a_certificate_of_nobody(ask: Ask, pem: Path) -> None:
    with secure(pem) as server:
        error = ask(server)
    assert (type(error), error.attempts) == (e.APIConnectionError, 1)
    assert "its certificate is not trusted (self-signed certificate)" in str(error)
    assert "ca_file" in error.hint


def test_a_protocol_that_is_too_old(ask: Ask, pem: Path) -> None:
    with secure(pem, maximum_version=ssl.TLSVersion.TLSv1_1) as server:
        error = ask(server, config={"ca_file": str(pem)})
    assert (type(error), error.attempts, error.sent) == (e.APIConnectionError, 1, False)
    assert "TLS error" in str(error)
    assert "TLS 1.2" in error.hint


@pytest.mark.parametrize(
    "page",
    [
        b"<html><center>The plain HTTP request was sent to HTTPS port</center></html>",
        b"Client sent an HTTP request to an HTTPS server.\n",
        b"<p>Reason: You're speaking plain HTTP to an SSL-enabled server port.<br /></p>",
    ],
    ids=["nginx", "go", "apache"],
)
def test_plain_http_to_a_server_that_wants_tls(ask: Ask, page: bytes) -> None:
    with serve(lambda connection: connection.request() and connection.send(answer(page, "400 Bad Request"))) as server:
        error = ask(server)
    assert (error.status, error.attempts) == (400, 1)
    assert "https://" in error.hint


def test_an_end_that_tls_does_not_know_of(ask: Ask, pem: Path) -> None:
    """The connection is torn down below TLS in the middle of an answer, as by somebody on the way."""

    def cut(connection: Connection) -> None:
        head = connection.request() or ""
        whole = streamed("a", "b", end=False) if "/stream" in head else fine()[:-5]
        connection.send(whole)
        connection.sock.unwrap = None  # type: ignore[method-assign, assignment]
        socket.socket(fileno=connection.sock.detach()).close()

    with secure(pem, cut) as server:
        error = ask(server, config={"ca_file": str(pem), "retry": RetryConfig(attempts=1)})
    assert isinstance(error, e.APIConnectionError | e.StreamInterrupted)
    assert error.maybe_billed


def test_only_http_1_is_offered(ask: Ask, pem: Path) -> None:
    chosen: list[str | None] = []

    def handle(connection: Connection) -> None:
        assert isinstance(connection.sock, ssl.SSLSocket)
        chosen.append(connection.sock.selected_alpn_protocol())
        good(connection)

    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(pem)
    context.set_alpn_protocols(["h2", "http/1.1"])
    with serve(handle, context) as server:
        assert ask(server, config={"ca_file": str(pem)}).text == "blue"
    assert chosen == ["http/1.1"]


SETTINGS = b"\0\0\x06\x04\0\0\0\0\0\0\x03\0\0\0\x64"
GOAWAY = b"\0\0\x08\x07\0\0\0\0\0\0\0\0\0\0\0\0\0"


@pytest.mark.parametrize("frames", [SETTINGS, GOAWAY, SETTINGS + GOAWAY])
def test_a_server_that_speaks_http_2_unasked(frames: bytes, ask: Ask) -> None:
    with scripted(lambda connection: connection.send(frames + bytes(64))) as server:
        error = ask(server)
    assert (type(error), error.attempts, error.retryable) == (e.APIConnectionError, 1, False)
    assert "does not answer in HTTP/1.1" in str(error)


# requests


def test_a_server_that_does_not_read(ask: Ask) -> None:
    over = threading.Event()

    def handle(connection: Connection) -> None:
        connection.head()
        over.wait(60)

    long = "q" * 20_000_000
    limits = Timeout(first_event=0.2, total=0.4)
    with serve(handle) as server:
        error = ask(server, options={"messages": long}, timeout=limits, config={"retry": RetryConfig(attempts=1)})
        over.set()
    assert isinstance(error, e.APITimeoutError)
    assert error.phase in {"write", "total"}
    del error
    gc.collect()  # its traceback holds the request


def test_an_answer_before_the_request_was_read(ask: Ask) -> None:
    def refuse(connection: Connection) -> None:
        connection.head()
        connection.send(answer(b'{"problem": "too large"}', "413 Too Large"))
        connection.close()

    with serve(refuse) as server:
        error = ask(server, options={"messages": "q" * 4_000_000})
    assert isinstance(error, e.APIStatusError)
    assert (error.status, error.attempts, error.message) == (413, 1, "too large")


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
@pytest.mark.parametrize("scheme", ["http", "https"])
def test_no_redirect_is_followed_wherever_it_leads(status: int, scheme: str, ask: Ask) -> None:
    with scripted(fine()) as elsewhere:
        place = f"{scheme}://{elsewhere.host}/stream"
        with scripted(answer(b"", f"{status} Moved", location=place)) as server:
            error = ask(server, endpoint={"key": CANARY, "retry": AT_ONCE})
    assert (error.status, error.attempts, elsewhere.connections) == (status, 1, 0)
    assert elsewhere.host in str(error)
    assert CANARY not in everything(error)


def test_a_redirect_in_a_circle_is_one_request(ask: Ask) -> None:
    with scripted(answer(b"", "302 Found", location="/chat")) as server:
        error = ask(server)
    assert (error.status, len(server.heads)) == (302, 1)


@pytest.mark.parametrize(
    "body",
    [
        b'{"answer": "42"',
        b'{"answer": NaN, "used": 1}',
        b'{"answer": "42", "used": ' + b"9" * 5000 + b"}",
        b"[" * 200_000 + b"]" * 200_000,
        b'{"a":' * 100_000 + b"1" + b"}" * 100_000,
        b'"just text"',
        b"[]",
        b"{}",
        b"null",
        b"\xff\xfe",
    ],
    ids=["cut", "NaN", "huge number", "deep list", "deep object", "text", "list", "empty object", "null", "no UTF-8"],
)
def test_json_that_is_not_the_answer(body: bytes, world: World) -> None:
    with scripted(answer(body, content_type="application/json")) as server:
        found = outcome(world, server)
    assert isinstance(found, e.InvalidResponseError), found
    assert (found.status, found.attempts) == (200, 1)
    assert len(repr(found.body)) < 2000


def test_the_last_of_two_equal_names_counts(world: World) -> None:
    with scripted(answer(b'{"answer": "red", "answer": "blue", "used": 1}')) as server:
        assert outcome(world, server).text == "blue"


def test_chunked_answers_are_whole_or_none(ask: Ask) -> None:
    broken = chunked(b'{"answer": "42", "used": 1}\n', end=False)
    with scripted(lambda connection: connection.send(broken)) as server:
        error = ask(server, config={"retry": RetryConfig(attempts=1)})
    assert isinstance(error, e.APIConnectionError | e.StreamInterrupted)
