"""Recordings of real exchanges: made at a server, replayed without it and without a key, in each world."""

from __future__ import annotations

import functools
import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import anyio
import pytest
from ipfs_accel import AsyncClient, BackendInfo, Client, Config, EndpointConfig, RetryConfig, hookimpl
from ipfs_accel import errors as e
from ipfs_accel.hookspecs import KeyHeader
from ipfs_accel.testing import Recorded, UnexpectedCallError
from ipfs_accel.testing._hidden import Hiding
from ipfs_accel.testing.raw_server import Connection, answer, chunked, serve
from ipfs_accel.wire.raw import RawRequests

from .acme import Acme
from .both_worlds import fault, fine, scripted, streamed

KEY = "sk-a-real-key-0123456789"


class Keyed(Acme):
    """Needs a key, and has it go where nobody expects one."""

    def __init__(self, base_url: str, header: str = "X-Pass") -> None:
        super().__init__(base_url)
        self.header = header

    @hookimpl
    def describe(self) -> BackendInfo:
        return BackendInfo(
            name="acme",
            base_url=self.base_url,
            key_env=("ACME_KEY",),
            key_header=KeyHeader(name=self.header, prefix=""),
            needs_key=True,
            read_error=lambda response: super(Keyed, self).describe().read_error(response),  # type: ignore[misc]
        )


def blocking(plugin: Any, recording: Any, *calls: Any, **more: Any) -> list[Any]:
    with Client(Config(environ=more.pop("environ", {}), **more), plugins=[plugin], recording=recording) as client:
        return [_call(client, *call) for call in calls]


def _call(client: Client, name: str, *arguments: Any, **options: Any) -> Any:
    try:
        found = getattr(client, name)(*arguments, **options)
        return ([*found], found.response) if name.startswith("stream") else found
    except e.AccelError as error:
        return error


def awaiting(plugin: Any, recording: Any, *calls: Any, library: str = "asyncio", **more: Any) -> list[Any]:
    async def one(client: AsyncClient, name: str, *arguments: Any) -> Any:
        try:
            found = getattr(client, name)(*arguments)
            if name.startswith("stream"):
                return [event async for event in found], found.response
            return await found
        except e.AccelError as error:
            return error

    async def run() -> list[Any]:
        config = Config(environ=more.pop("environ", {}), **more)
        async with AsyncClient(config, plugins=[plugin], recording=recording) as client:
            return [await one(client, *call) for call in calls]

    return anyio.run(run, backend=library)


WORLDS: dict[str, Callable[..., Any]] = {
    "sync": blocking,
    "asyncio": awaiting,
    "trio": functools.partial(awaiting, library="trio"),
}


@pytest.fixture(params=WORLDS)
def world(request: pytest.FixtureRequest) -> Any:
    return WORLDS[request.param]


CHAT = ("chat", "acme/m", "q")
STREAM = ("stream", "acme/m", "q")


class Server:
    """Records at a server and replays where nobody listens, at the same address."""

    def __init__(self, path: Path, world: Any, *steps: Any, **more: Any) -> None:
        self.path, self.world, self.more = path, world, more
        self.steps = steps

    def record(self, *calls: Any, record: Any = "once", **more: Any) -> list[Any]:
        with scripted(*self.steps) as server:
            self.url = server.url
            found: list[Any] = self.world(
                Keyed(server.url),
                Recorded(self.path, record=record),
                *calls,
                environ={"ACME_KEY": KEY},
                **{**self.more, **more},
            )
            self.heads = server.heads
        return found

    def replay(self, *calls: Any, record: Any = "never", **more: Any) -> list[Any]:
        self.recorded = Recorded(self.path, record=record)
        found: list[Any] = self.world(Keyed(self.url), self.recorded, *calls, **{**self.more, **more})
        return found


def test_a_chat_is_replayed_without_server_and_key(world: Any, tmp_path: Path) -> None:
    server = Server(tmp_path / "folder" / "chat.json", world, fine("blue", x_id="r-1"))
    (first,) = server.record(CHAT)
    (second,) = server.replay(CHAT)
    assert (second, second.request_id, second.raw) == (first, "r-1" if first.request_id else None, first.raw)
    assert f"X-Pass: {KEY}" in server.heads[0]
    assert server.recorded.left == 0
    value = json.loads(server.path.read_text())
    assert value["exchanges"][0] == {
        "request": {"method": "POST", "url": f"{server.url}/chat", "json": {"model": "m", "ask": "q"}},
        "response": {"status": 200, "headers": {"x-id": "r-1"}, "json": {"answer": "blue", "used": 3}},
    }


def test_a_stream_is_replayed_in_the_pieces_in_which_it_came(world: Any, tmp_path: Path) -> None:
    server = Server(tmp_path / "stream.json", world, streamed("blue", "-", "über", "END"))
    ((events, first),) = server.record(STREAM)
    ((again, second),) = server.replay(STREAM)
    assert (events, first.text) == (again, "blue-über")
    assert second == first
    told = json.loads(server.path.read_text())["exchanges"][0]["response"]
    assert "".join(told["pieces"]) == "blue\n-\nüber\nEND\n"
    assert "end" not in told


def test_an_error_and_what_a_retry_got_are_replayed_without_a_wait(world: Any, tmp_path: Path) -> None:
    retry = RetryConfig(attempts=3, base=0, throttle_base=0)
    server = Server(tmp_path / "429.json", world, fault(429, "slow", retry_after="0"), fine("blue"))
    (first,) = server.record(CHAT, retry=retry)
    text = server.path.read_text()
    server.path.write_text(text.replace('"retry-after": "0"', '"retry-after": "40"'))
    (second,) = server.replay(CHAT, retry=RetryConfig(attempts=3))
    for found in (first, second):
        assert (found.text, found.call.attempts, found.call.tried[0].status) == ("blue", 2, 429)
    assert (first.call.tried[0].waited, second.call.tried[0].waited >= 40) == (0, True)
    assert second.call.timing.total < 40


def test_each_recorded_exchange_answers_once_and_in_any_order(world: Any, tmp_path: Path) -> None:
    server = Server(tmp_path / "two.json", world, fine("one"), fine("two"), fine("other"))
    other = ("chat", "acme/m", "p")
    server.record(CHAT, CHAT, other)
    third, first, second, more = server.replay(other, CHAT, CHAT, CHAT)
    assert [each.text for each in (third, first, second)] == ["other", "one", "two"]
    assert isinstance(more, UnexpectedCallError)
    assert isinstance(more, AssertionError)
    assert f"POST {server.url}/chat was recorded 2 times and is asked once more" in more.message
    assert f"record it anew: Recorded({str(server.path)!r}, record='all')" in (more.hint or "")


@pytest.mark.parametrize("operation", ["chat", "stream"])
def test_a_request_without_a_recording_says_what_differs(world: Any, tmp_path: Path, operation: str) -> None:
    server = Server(tmp_path / "a.json", world, fine("one") if operation == "chat" else streamed("x", "END"))
    long = "The same words at the beginning, for longer than a line. "
    server.record((operation, "acme/m", f"{long}And then A."), (operation, "acme/n", "another"))
    retry = RetryConfig(attempts=3)
    fallback = (operation, ["acme/m", "acme/n"], f"{long}And then B.")
    (error,) = server.replay(fallback, retry=retry)
    assert isinstance(error, UnexpectedCallError)
    place = "/chat" if operation == "chat" else "/stream"
    assert error.message == (
        f"{server.path}: POST {server.url}{place} was not recorded; in the nearest, exchange 1, "
        "json.ask was '... line. And then A.' and is '... line. And then B.'"
    )
    assert error.endpoint == "acme"
    (error,) = server.replay((operation, "acme/o", "another"))
    assert "exchange 2, json.model was 'n' and is 'o'" in error.message


def test_modes(world: Any, tmp_path: Path) -> None:
    server = Server(tmp_path / "m.json", world, fine("one"), fine("two"))
    with pytest.raises(e.InvalidValueError, match="cannot be read: No such file") as caught:
        Recorded(server.path, record="never")
    assert caught.value.hint == "let it be recorded: record='once'"
    with pytest.raises(e.InvalidValueError, match="record: 'twice' is not one of once, never, all"):
        Recorded(server.path, record="twice")  # type: ignore[arg-type]
    assert not Recorded(server.path).replays
    server.record(CHAT, CHAT)
    assert len(json.loads(server.path.read_text())["exchanges"]) == 2
    (found,) = server.replay(CHAT, record="once")
    assert found.text == "one"
    server.record(CHAT, record="all")
    assert len(json.loads(server.path.read_text())["exchanges"]) == 1


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{", "is not JSON"),
        ("[]", "its format is not"),
        ('{"format": "x"}', "its format is not 'ipfs-accel recording 1'"),
    ],
    ids=["cut", "list", "format"],
)
def test_a_file_that_is_no_recording_is_refused(tmp_path: Path, text: str, message: str) -> None:
    path = tmp_path / "x.json"
    path.write_text(text)
    with pytest.raises(e.InvalidValueError, match=message):
        Recorded(path)


def test_a_stream_that_was_left_is_replayed_as_far_as_it_was_read(tmp_path: Path) -> None:
    path = tmp_path / "left.json"

    def handle(connection: Connection) -> None:
        connection.request()
        connection.send(chunked(b"one\n", end=False, content_type="application/x-ndjson"))
        connection.wait()

    with serve(handle) as server:
        config = Config(environ={})
        with (
            Client(config, plugins=[Acme(server.url)], recording=Recorded(path)) as client,
            client.stream("acme/m", "q") as stream,
        ):
            assert next(stream.text_stream) == "one"
        with (
            Client(config, plugins=[Acme(server.url)], recording=Recorded(path)) as client,
            client.stream("acme/m", "q") as stream,
        ):
            assert next(stream.text_stream) == "one"
            with pytest.raises(UnexpectedCallError, match="more of this answer is read than was when it was recorded"):
                stream.read()
    assert json.loads(path.read_text())["exchanges"][0]["response"]["end"] == "left"


@pytest.mark.parametrize("operation", ["stream", "chat"])
def test_an_answer_that_broke_off_breaks_off_again(world: Any, tmp_path: Path, operation: str) -> None:
    whole = answer(b'{"answer": "blue"}')[:-4]
    step = whole if operation == "chat" else streamed("one", end=False)

    def cut(connection: Connection) -> None:
        connection.send(step)
        connection.close()

    server = Server(tmp_path / "cut.json", world, cut, retry=RetryConfig(attempts=1))
    (first,) = server.record((operation, "acme/m", "q"))
    (second,) = server.replay((operation, "acme/m", "q"))
    assert type(first) is type(second)
    assert (first.phase, second.phase, first.partial) == ("read", "read", second.partial)


# keys


@pytest.mark.parametrize("header", ["X-Pass", "authorization", "Api-Key"])
def test_what_repeats_a_key_is_written_down_without_it(world: Any, tmp_path: Path, header: str) -> None:
    def gossip(connection: Connection) -> None:
        text = f"you sent {KEY}"
        said = json.dumps({"answer": text, "used": 1, "access_token": "short-lived"}).encode()
        connection.send(answer(said, set_cookie="session=abc", x_api_token="tt", x_echo=KEY, x_ratelimit_tokens="7"))
        connection.request()
        half = len(KEY) // 2
        kind = "application/x-ndjson"
        connection.send(chunked(KEY[:half].encode(), f"{KEY[half:]}\nEND\n".encode(), content_type=kind))
        connection.wait()

    path = tmp_path / "k.json"
    with scripted(gossip) as server:
        plugin = Keyed(server.url, header)
        asking = ("chat", "acme/m", f"my key is {KEY}")
        first, (_, streamed_answer) = world(plugin, Recorded(path), asking, STREAM, environ={"ACME_KEY": KEY})
        assert first.text == f"you sent {KEY}"
        assert streamed_answer.text == KEY
    text = path.read_text()
    assert KEY not in text
    assert KEY[: len(KEY) // 2] not in text
    for secret in ("short-lived", "session=abc", '"tt"'):
        assert secret not in text
    exchange = json.loads(text)["exchanges"][0]
    assert exchange["request"]["json"]["ask"] == "my key is ***"
    assert exchange["response"]["headers"] == {"x-echo": "***", "x-ratelimit-tokens": "7"}
    assert exchange["response"]["json"] == {"answer": "you sent ***", "used": 1, "access_token": "***"}
    world(plugin, Recorded(path), ("chat", "acme/m", "my key is ***"), STREAM)


def test_a_key_that_a_network_cut_in_two_is_hidden_too() -> None:
    hiding = Hiding()
    hiding.look_at("http://h/", [("authorization", f"Bearer {KEY}")])
    assert hiding.pieces([b"a " + KEY[:5].encode(), KEY[5:].encode() + b" b", b"c"]) == [b"a *** bc"]
    assert hiding.pieces([b"a", b" " + KEY.encode(), b"c"]) == [b"a", b" ***", b"c"]
    assert hiding.data(b"\xff" + KEY.encode()) == b"\xff***"


def test_what_says_how_an_answer_was_sent_is_not_said_of_what_is_kept() -> None:
    sent = [("content-encoding", "gzip"), ("content-length", "5"), ("vary", "a"), ("vary", "b")]
    assert Hiding().headers(sent) == {"vary": "a, b"}
    assert Hiding().headers(sent[1:2]) == {"content-length": "5"}


class Open(RawRequests):
    """Takes any request."""

    api_version = 1

    def __init__(self, url: str) -> None:
        self.url = url

    @hookimpl
    def describe(self) -> BackendInfo:
        return BackendInfo(name="open", base_url=self.url, key_env=("OPEN_KEY",))


def test_keys_of_urls_and_what_a_test_hides_are_not_in_the_file(tmp_path: Path) -> None:
    path = tmp_path / "u.json"
    with scripted(answer(b'{"owner": "Acme Corp"}', content_type="application/json")) as server:

        def ask() -> Any:
            recording = Recorded(path, hide=["Acme Corp"])
            with Client(Config(environ={}), plugins=[Open(server.url)], recording=recording) as client:
                first = client.request("open", "GET", "/x?key=abc&page=2", headers={"X-Session-Token": "0123456789"})
                second = client.request("open", "POST", "/y", json={"for": "Acme Corp", "t": "0123456789"})
            return first, second

        ask()
        count = len(server.heads)
        first, _ = ask()
        assert len(server.heads) == count
    text = path.read_text()
    assert "abc" not in text
    assert "Acme Corp" not in text
    assert "0123456789" not in text
    assert json.loads(text)["exchanges"][0]["request"]["url"] == f"{server.url}/x?key=***&page=2"
    assert first.json() == {"owner": "***"}


# forms of bodies


def replayed(tmp_path: Path, *steps: bytes, **request: Any) -> tuple[Any, Any, dict[str, Any]]:
    """Return the answer to a raw request, the same from the recording, and what the file has."""
    path = tmp_path / "b.json"
    method = request.pop("method", "POST")
    with scripted(*steps) as server:
        found = []
        for _ in range(2):
            with Client(Config(environ={}), plugins=[Open(server.url)], recording=Recorded(path)) as client:
                found.append(client.request("open", method, "/x", **request))
        assert len(server.heads) == 1
    return found[0], found[1], json.loads(path.read_text())["exchanges"][0]


@pytest.mark.parametrize(
    ("body", "kept"),
    [
        (b'{"a": [1, 2.5], "b": "\xc3\xbc"}', {"json": {"a": [1, 2.5], "b": "ü"}}),
        (b'{"a": 0.12345678901234567890}', {"text": '{"a": 0.12345678901234567890}'}),
        (b'{"a": 1, "a": 2}', {"text": '{"a": 1, "a": 2}'}),
        (b"plain", {"text": "plain"}),
        (b"\xff", {"base64": "/w=="}),
        (b"a\x00", {"base64": "YQA="}),
        (b"", {}),
    ],
    ids=["json", "exact", "twice", "text", "bytes", "zero", "nothing"],
)
def test_a_body_is_written_down_so_that_it_can_be_read_and_nothing_is_lost(
    tmp_path: Path, body: bytes, kept: dict[str, Any]
) -> None:
    first, second, exchange = replayed(tmp_path, answer(body), json={"q": 1})
    told = exchange["response"]
    assert {name: told[name] for name in told if name not in {"status", "headers"}} == kept
    if "json" in kept:
        assert first.json() == second.json()
    else:
        assert first.body == second.body == body
    assert exchange["request"]["json"] == {"q": 1}


def test_a_file_that_is_sent_is_known_by_its_hash_and_a_form_whatever_it_is_cut_by(tmp_path: Path) -> None:
    file = tmp_path / "a.bin"
    file.write_bytes(b"\xff" * 1000)
    _, _, exchange = replayed(tmp_path, answer(b"{}"), files={"file": file}, fields={"purpose": "x"})
    assert set(exchange["request"]) == {"method", "url", "bytes", "sha256"}


def test_a_list_of_numbers_takes_a_line(tmp_path: Path) -> None:
    path = tmp_path / "v.json"
    vectors = {"data": [[0.25, -1, 3e-05], [], [1]], "text": "[\n  1,\n  2\n]"}
    with scripted(answer(json.dumps(vectors).encode())) as server:
        recording = Recorded(path)
        with Client(Config(environ={}), plugins=[Open(server.url)], recording=recording) as client:
            client.request("open", "GET", "/x")
    assert "[0.25, -1, 3e-05]" in path.read_text()
    assert json.loads(path.read_text())["exchanges"][0]["response"]["json"] == vectors


def test_an_answer_that_came_packed_is_kept_unpacked(world: Any, tmp_path: Path) -> None:
    import gzip

    packed = gzip.compress(b'{"answer": "blue", "used": 3}')
    server = Server(tmp_path / "z.json", world, answer(packed, content_encoding="gzip"))
    (first,) = server.record(CHAT)
    (second,) = server.replay(CHAT)
    assert first == second
    assert json.loads(server.path.read_text())["exchanges"][0]["response"]["headers"] == {}


# where it stands


def test_a_key_that_a_function_gives_is_not_asked_for_and_a_file_of_keys_not_read(tmp_path: Path) -> None:
    server = Server(tmp_path / "f.json", blocking, fine("blue"))
    server.record(CHAT)
    endpoint = EndpointConfig(backend="acme", key=lambda: pytest.fail("the key was asked for"))
    (found,) = server.replay(CHAT, endpoints={"acme": endpoint})
    assert found.text == "blue"


def test_threads_record_and_replay(tmp_path: Path) -> None:
    from concurrent.futures import ThreadPoolExecutor

    def echo(connection: Connection) -> None:
        while True:
            asked = json.loads(connection.server.bodies[-1])["ask"]
            connection.send(fine(asked))
            if connection.request() is None:
                return

    path = tmp_path / "t.json"
    with serve(lambda connection: connection.request() and echo(connection)) as server:

        def ask(recording: Recorded) -> list[str]:
            with (
                Client(Config(environ={}), plugins=[Acme(server.url)], recording=recording) as client,
                ThreadPoolExecutor(4) as pool,
            ):
                return list(pool.map(lambda number: client.chat("acme/m", f"q{number}").text, range(24)))

        with Client(Config(environ={}), plugins=[Acme(server.url)], recording=Recorded(path)) as client:
            for number in range(24):
                client.chat("acme/m", f"q{number}")
        recorded = Recorded(path)
        assert ask(recorded) == [f"q{number}" for number in range(24)]
        assert recorded.left == 0
        ask(Recorded(path, record="all"))
    assert len(json.loads(path.read_text())["exchanges"]) == 24


def test_pytest_is_not_needed_and_nothing_of_it_is_loaded_without_a_recording(tmp_path: Path) -> None:
    code = (
        "import sys\nsys.modules['pytest'] = None\nfrom ipfs_accel import Client, Config\n"
        "client = Client(Config(environ={}))\n"
        "print([name for name in sys.modules if 'testing' in name or 'recording' in name])\n"
        "from ipfs_accel.testing import Recorded\n"
        f"print(Recorded({str(tmp_path / 'x.json')!r}).replays)\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\nFalse\n"
