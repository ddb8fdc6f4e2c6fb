"""Any request of a provider's API: what goes out, what comes back, and what is sent again."""

from __future__ import annotations

import functools
from collections.abc import Callable
from pathlib import Path
from typing import Any

import anyio
import attrs
import pytest
from ipfs_accel import AsyncClient, Client, Config, LimitsConfig, RetryConfig, RouteConfig, Timeout, hookimpl
from ipfs_accel import errors as e
from ipfs_accel.plans import below_base
from ipfs_accel.testing.raw_server import Connection, RawServer, answer, chunked, serve
from ipfs_accel.types import CallRecord, RawResponse, ServerEvent, Upload
from ipfs_accel.wire.raw import RawRequests, unversioned

from .acme import Acme
from .both_worlds import awaiting, blocking, fault, on_trio, scripted
from .fake_clock import FakeClock

World = Callable[..., Any]


class Open(Acme, RawRequests):
    """A backend whose users may send what they like."""


class Keyed(Open):
    """Its server does a repeated POST once."""

    @hookimpl
    def describe(self) -> Any:
        return attrs.evolve(super().describe(), idempotency_header="X-Once")


class Hearing:
    """Middleware that keeps the records."""

    api_version = 1

    def __init__(self) -> None:
        self.records: list[CallRecord] = []

    @hookimpl
    def call_finished(self, record: CallRecord) -> None:
        self.records.append(record)


@pytest.fixture(params=[blocking, awaiting, on_trio], ids=["sync", "asyncio", "trio"])
def world(request: pytest.FixtureRequest) -> World:
    return functools.partial(request.param, plugin=Open)


def fields_of(server: RawServer, index: int = -1) -> dict[str, str]:
    return dict(line.split(": ", 1) for line in server.heads[index].split("\r\n")[1:])


def asked(world: World, server: RawServer, *arguments: Any, **options: Any) -> Any:
    settings = options.pop("settings", {})
    named = dict(zip(("endpoint", "method", "path"), ("acme", *arguments), strict=False))
    ((found),) = world(server, ("request", {**named, **options}), **settings)
    return found.answer if found.error is None else found.error


# what comes back


def test_the_answer_is_as_it_came(world: World) -> None:
    with scripted(answer(b'{"a": "\xc3\xbc"}', "201 Created", x_id="r1", content_type="application/json")) as server:
        found = asked(world, server, "GET", "/things")
    assert isinstance(found, RawResponse)
    assert (found.status, found.text, found.json(), found.request_id) == (201, '{"a": "ü"}', {"a": "ü"}, "r1")
    assert found.headers["X-Id"] == "r1"
    assert (found.call.endpoint, found.call.attempts, found.call.key) == ("acme", 1, None)
    assert repr(found).startswith("RawResponse(status=201, body=<11 bytes>")


def test_a_body_that_is_no_json_is_told(world: World) -> None:
    with scripted(answer(b"<html>", content_type="text/html")) as server:
        found = asked(world, server, "GET", "/things")
    with pytest.raises(ValueError, match=r"the answer \(status 200, text/html\) is not valid JSON"):
        found.json()


def test_a_document_that_tells_of_an_error_is_an_answer(world: World) -> None:
    """A response that failed has a member of that name; what it means here, only the caller knows."""
    with scripted(answer(b'{"error": {"message": "it failed"}}')) as server:
        assert asked(world, server, "GET", "/responses/r").json()["error"] == {"message": "it failed"}


def test_an_error_is_read_by_the_backend(world: World) -> None:
    with scripted(fault(404, "gone")) as server:
        found = asked(world, server, "GET", "/things/1")
    assert type(found) is e.NotFoundError
    assert (found.message, found.code, found.endpoint, found.backend) == ("told", "gone", "acme", "acme")


def test_head_has_no_body(world: World) -> None:
    with scripted(b"HTTP/1.1 200 OK\r\ncontent-length: 7\r\n\r\n") as server:
        found = asked(world, server, "HEAD", "/things/1")
    assert (found.body, found.headers["content-length"]) == (b"", "7")


# what goes out


def test_bodies_are_what_they_are_given_as(world: World, tmp_path: Path) -> None:
    path = tmp_path / "notes.csv"
    path.write_bytes(b"a,b\n")
    bodies = [
        ({"json": {"a": [1, None]}}, "application/json", b'{"a":[1,null]}'),
        ({"json": []}, "application/json", b"[]"),
        ({"data": b"\x00\x01"}, "application/octet-stream", b"\x00\x01"),
        ({"data": path}, "text/csv", b"a,b\n"),
        ({"data": Upload.of(b"{}", name="a.json")}, "application/json", b"{}"),
        ({"data": b"a=b", "headers": {"Content-Type": "text/x-own"}}, "text/x-own", b"a=b"),
    ]
    for options, kind, body in bodies:
        with scripted(answer()) as server:
            asked(world, server, "PUT", "/things", **options)
        assert {name.lower(): value for name, value in fields_of(server).items()}["content-type"] == kind
        assert server.bodies == [body]
    with scripted(answer()) as server:
        asked(world, server, "POST", "/things", fields={"a": 1, "b": ["x", "y"]}, files={"f": [path, b"raw"]})
    kind, body = fields_of(server)["content-type"], server.bodies[0]
    assert kind.startswith("multipart/form-data; boundary=")
    assert body.count(kind.partition("boundary=")[2].encode()) == 6
    for piece in (b'name="a"\r\n\r\n1', b'name="b"\r\n\r\ny', b'name="f"; filename="notes.csv"', b"\r\n\r\nraw\r\n"):
        assert piece in body


def test_queries_and_headers_go_along(world: World) -> None:
    with scripted(answer()) as server:
        asked(
            world,
            server,
            "get",
            "/things/a%2Fb?x=1&y",
            params={"a[]": ["1", 2], "b": True, "c": None, "d": "ä&"},
            headers={"x-own": "1", "User-Agent": "mine", "x-fixed": "call"},
            settings={"endpoint": {"headers": {"X-Fixed": "endpoint", "x-other": "2"}}},
        )
    assert server.heads[0].split(" ")[:2] == ["GET", "/things/a%2Fb?x=1&y=&a%5B%5D=1&a%5B%5D=2&b=true&d=%C3%A4%26"]
    fields = fields_of(server)
    assert {"x-own": "1", "User-Agent": "mine", "x-fixed": "call", "x-other": "2"}.items() <= fields.items()
    assert not {"X-Fixed", "user-agent"} & set(fields)
    assert "content-length" not in fields


@pytest.mark.parametrize(
    ("options", "field"),
    [
        ({"method": "CONNECT"}, "method"),
        ({"method": 1}, "method"),
        ({"path": b"/x"}, "path"),
        ({"path": "/../x"}, "path"),
        ({"json": {}, "data": b""}, "data"),
        ({"json": {}, "fields": {"a": "b"}}, "fields"),
        ({"json": {"a": float("nan")}}, "json.a"),
        ({"json": {"a": "\ud800"}}, "json.a"),
        ({"json": {"a": object()}}, "json.a"),
        ({"data": "/no/such/file"}, "data"),
        ({"files": {"f": "/no/such/file"}}, "files['f']"),
        ({"files": 1}, "files"),
        ({"params": "a=b"}, "params"),
        ({"params": {"a": {}}}, "params['a']"),
        ({"headers": {"a b": "1"}}, "headers['a b']"),
        ({"headers": {"a": "1\r\nb: 2"}}, "headers['a']"),
        ({"headers": {"Host": "elsewhere"}}, "headers['Host']"),
        ({"headers": {"authorization": "Bearer x"}}, "headers['authorization']"),
        ({"idempotent": 1}, "idempotent"),
        ({"extra": {}}, "extra"),
        ({"parms": {}}, "parms"),
        ({"cache": True}, "cache"),
        ({"timeout": -1}, "timeout"),
        ({"endpoint": ["acme/a", "acme/b"]}, "model"),
    ],
)
def test_what_cannot_be_sent_is_refused_by_name(options: dict[str, Any], field: str) -> None:
    with scripted(answer()) as server:
        named = {"endpoint": "acme", "method": "POST", "path": "/x", **options}
        (found,) = blocking(server, ("request", named), plugin=Open)
    assert isinstance(found.error, e.InvalidRequestError), found
    assert found.error.message.startswith(f"{field}:"), found.error.message
    assert not server.heads


@pytest.mark.parametrize(
    "path", ["/%" + "25" * 20 + "2e%2e/x", "/a/%2E%2E", "/a%5C..%5Cb", "/ /..", "/%00", "x", "/a b"]
)
def test_no_way_of_reading_a_path_leads_up(path: str) -> None:
    with pytest.raises(e.InvalidRequestError, match="path:"):
        below_base(path)


@pytest.mark.parametrize(
    "path", ["/", "/a", "/a/", "/a..b/.c/d.", "/a%2Fb/%E2%82%AC", "/m:generate", "/a//b", "/a;b=c"]
)
def test_other_paths_are_left_as_they_are(path: str) -> None:
    assert below_base(path) == (path, ())


def test_a_version_is_not_said_twice() -> None:
    assert unversioned("https://x/v1", "/v1/a") == "/a"
    assert unversioned("https://x/api/v1beta2", "/v1beta2/a") == "/a"
    assert unversioned("https://x/v1", "/v1a/b") == "/v1a/b"
    assert unversioned("https://x/v1", "/v2/a") == "/v2/a"
    assert unversioned("https://x", "/v1/a") == "/v1/a"


# what is sent again


def broken(connection: Connection) -> None:
    """Hang up on a request that was read: whoever sent it cannot know what became of it."""
    connection.reset()


@pytest.mark.parametrize(
    ("method", "options", "plugin", "requests"),
    [
        ("GET", {}, Open, 2),
        ("HEAD", {}, Open, 2),
        ("POST", {}, Open, 1),
        ("PUT", {}, Open, 1),
        ("DELETE", {}, Open, 1),
        ("DELETE", {"idempotent": True}, Open, 2),
        ("POST", {"idempotent": True}, Open, 2),
        ("POST", {}, Keyed, 2),
        ("POST", {"headers": {"x-once": "mine"}}, Keyed, 2),
        ("PATCH", {}, Keyed, 1),
    ],
)
@pytest.mark.parametrize("operation", ["request", "stream_request"])
def test_only_what_does_no_harm_is_repeated(
    world: World, operation: str, method: str, options: dict[str, Any], plugin: type[Open], requests: int
) -> None:
    named = {"endpoint": "acme", "method": method, "path": "/x", **options}
    with scripted(broken, answer()) as server:
        (found,) = world(server, (operation, named), plugin=plugin, endpoint={"retry": RetryConfig()})
    assert len(server.heads) == requests
    if requests == 1:
        assert isinstance(found.error, e.APIConnectionError)
        assert found.error.maybe_billed
        return
    assert found.error is None
    keys = [line for head in server.heads for line in head.split("\r\n") if line.lower().startswith("x-once")]
    assert len(keys) == (2 if plugin is Keyed else 0)
    assert len(set(keys)) <= 1
    if "headers" in options:
        assert keys[0] == "x-once: mine"


def test_what_the_server_has_refused_is_asked_again(world: World) -> None:
    """It says itself that it has not acted."""
    with scripted(fault(429), answer(b"done")) as server:
        found = asked(world, server, "POST", "/x", settings={"endpoint": {"retry": RetryConfig()}})
    assert (found.body, found.call.attempts) == (b"done", 2)


def test_nothing_falls_back() -> None:
    routes = {"both": RouteConfig(targets=("acme/a", "acme/b"))}
    with scripted(fault(503)) as server:
        config = Config(environ={}, routes=routes)
        (found,) = blocking(server, ("request", ("both", "GET", "/x")), plugin=Open, config=config)
    assert isinstance(found.error, e.InvalidRequestError)
    assert not server.heads


def test_nothing_is_kept(tmp_path: Path) -> None:
    config = Config(environ={}, cache=_cache(tmp_path))
    with scripted(answer(b"1"), answer(b"2")) as server:
        found = blocking(server, *[("request", ("acme", "GET", "/x"))] * 2, plugin=Open, config=config)
    assert [each.answer.body for each in found] == [b"1", b"2"]


def _cache(folder: Path) -> Any:
    from ipfs_accel._resilience.optional import CacheConfig

    return CacheConfig(path=str(folder / "kept.sqlite3"), sampled=True)


def test_a_record_has_no_content(world: World) -> None:
    hearing = Hearing()
    secret = "what nobody else has to know"
    with scripted(answer(secret.encode(), x_id="r7"), fault(500)) as server:
        named = {"endpoint": "acme", "method": "POST", "path": f"/x?q={secret.replace(' ', '+')}", "json": [secret]}
        world(server, ("request", named), ("stream_request", named), middleware=[hearing])
    first, second = hearing.records
    assert (first.operation, first.endpoint, first.request_id, first.error) == ("request", "acme", "r7", None)
    assert (second.operation, second.is_stream, second.error, second.status) == (
        "stream_request",
        True,
        "InternalServerError",
        500,
    )
    assert secret not in repr(hearing.records)
    assert "nobody" not in repr(hearing.records)


# streams and files


def test_a_stream_that_stalls_ends_in_time() -> None:
    def stall(connection: Connection) -> None:
        connection.request()
        connection.send(chunked(b"data: 1\n\n", end=False, content_type="text/event-stream"))
        connection.wait()

    with serve(stall) as server, Client(plugins=[Open(server.url)]) as client:
        limits = Timeout(idle=0.05)
        with client.stream_request("acme", "GET", "/x", timeout=limits) as stream:
            assert next(stream) == ServerEvent("1")
            with pytest.raises(e.StreamInterrupted) as caught:
                next(stream)
        assert caught.value.phase == "read"
        assert client._world.transport.stats().active == 0


def test_leaving_a_stream_closes_the_connection() -> None:
    def endless(connection: Connection) -> None:
        connection.request()
        connection.send(chunked(b"data: 1\n\n", end=False, content_type="text/event-stream"))
        connection.wait()

    async def run(server: RawServer) -> None:
        async with AsyncClient(plugins=[Open(server.url)]) as client:
            async with client.stream_request("acme", "GET", "/x") as stream:
                assert (await anext(stream)).data == "1"
            assert client._world.transport.stats().active == 0

    with serve(endless) as server:
        anyio.run(run, server)


def test_a_large_answer_goes_to_a_file(tmp_path: Path) -> None:
    to = tmp_path / "video.mp4"
    pieces = [bytes([number]) * 65_536 for number in range(40)]

    async def run(server: RawServer) -> Any:
        async with AsyncClient(plugins=[Open(server.url)]) as client:
            return await client.request_to_file("acme", "GET", "/x", to)

    with scripted(chunked(*pieces, content_type="application/jsonl", x_kind="video")) as server:
        with Client(plugins=[Open(server.url)]) as client:
            done = client.request_to_file("acme", "GET", "/x", str(to))
        assert (done.size, done.headers["x-kind"], to.read_bytes()) == (40 * 65_536, "video", b"".join(pieces))
        to.unlink()
        assert anyio.run(run, server).size == 40 * 65_536
    assert to.read_bytes() == b"".join(pieces)


def test_a_file_that_breaks_off_does_not_appear(tmp_path: Path) -> None:
    with (
        scripted(b"HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\nhalf", broken) as server,
        Client(plugins=[Open(server.url)]) as client,
        pytest.raises(e.APIError),
    ):
        client.request_to_file("acme", "GET", "/x", tmp_path / "f", timeout=Timeout(idle=0.05))
    assert not list(tmp_path.iterdir())


def test_an_upload_tells_how_far_it_is(world: World, tmp_path: Path) -> None:
    told: list[tuple[int, int]] = []
    path = tmp_path / "big.bin"
    path.write_bytes(bytes(600_000))
    with scripted(answer()) as server:
        asked(world, server, "POST", "/x", data=path, on_upload=lambda done, total: told.append((done, total)))
    assert (told[0], told[-1]) == ((0, 600_000), (600_000, 600_000))
    assert len(server.bodies[0]) == 600_000


# who has none


def test_a_backend_without_requests_says_so() -> None:
    with Client(plugins=[Acme("http://127.0.0.1:9")]) as client:
        assert client.supports("acme", "request").value == "no"
        with pytest.raises(e.UnsupportedOperationError, match="does not implement 'request'"):
            client.request("acme", "GET", "/x")


def test_a_call_of_that_name_is_pointed_to() -> None:
    class Own(Acme):
        @hookimpl
        def calls(self) -> Any:
            return {"request": lambda endpoint: None}

    with (
        Client(plugins=[Own("http://127.0.0.1:9")]) as client,
        pytest.raises(e.UnsupportedOperationError) as caught,
    ):
        client.request("acme", "GET", "/x")
    assert "client.call('acme', 'request', …)" in str(caught.value.hint)


def test_an_event_reads_its_json() -> None:
    assert ServerEvent('{"a": 1}').json() == {"a": 1}
    with pytest.raises(ValueError, match="the data of the event 'message' is not valid JSON"):
        ServerEvent("[DONE]").json()


def test_limits_and_keys_are_those_of_any_call(world: World) -> None:
    clock = FakeClock()
    settings = {"key": "sk-endpoint-key", "limits": LimitsConfig(requests_per_minute=1)}
    named = {"endpoint": "acme", "method": "GET", "path": "/x"}
    with scripted(answer()) as server:
        world(
            server,
            *[("request", named), ("request", {**named, "key": "sk-call-key-123"})],
            clock=clock,
            endpoint=settings,
        )
    keys = [fields_of(server, index)["authorization"] for index in (0, 1)]
    assert keys == ["Bearer sk-endpoint-key", "Bearer sk-call-key-123"]
    assert sum(clock.slept) >= 50
