"""What requests cost their keys: on every route, in both lanes, however they end; and that it outlives the process."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx  # noqa: TID251 - a client that nobody here wrote
import pytest
from ipfs_accel import Config, EndpointConfig, ModelOverride, RetryConfig
from ipfs_accel.errors import ConfigError
from ipfs_accel.testing.raw_server import Connection, RawServer, answer, serve
from ipfs_accel_gateway._budgets import DOLLAR
from ipfs_accel_gateway._callers import hash_of
from ipfs_accel_gateway._spend import Row, Store, read

from .gateways import Running
from .test_leaving import LANES, STREAM, until
from .wires import CHAT, PATIENCE, asked, chunk, connected, post, rest

KEY = "ia-of-a-caller"
PRICES = {"input_price": 1.0, "output_price": 10.0}
USED = 1 * 1000 + 3 * 10_000
"""Billionths that the answer of `CHAT` costs: one token in, three out."""


def usage_chunk(into: int, out: int) -> bytes:
    """Return the event of a stream that tells the usage."""
    usage = {"prompt_tokens": into, "completion_tokens": out, "total_tokens": into + out}
    value = {"id": "c", "object": "chat.completion.chunk", "created": 1, "model": "m", "choices": [], "usage": usage}
    return b"data: " + json.dumps(value).encode() + b"\n\n"


DONE = b"data: [DONE]\n\n"
WHOLE_STREAM = STREAM + chunk("Hello") + chunk(".", "stop") + usage_chunk(1, 3) + DONE


def whole(body: bytes, **headers: str) -> Callable[[Connection], None]:
    """Return what answers each request with a body."""

    def handle(connection: Connection) -> None:
        while connection.request() is not None:
            connection.send(answer(body, content_type="application/json", **headers))

    return handle


def once(sent: bytes) -> Callable[[Connection], None]:
    """Return what answers one request with bytes, and hangs up."""

    def handle(connection: Connection) -> None:
        connection.request()
        connection.send(sent)

    return handle


class Spending:
    """A gateway with one key, and the file of what it spends."""

    def __init__(self, running: Running, server: RawServer, path: Path) -> None:
        self.url = running.url
        self.running = running
        self.server = server
        self.path = path
        self._http = httpx.Client(timeout=PATIENCE, trust_env=False, limits=httpx.Limits(max_connections=200))

    def close(self) -> None:
        self._http.close()
        self.running.close()

    def ask(self, body: bytes | None = None, path: str = "/v1/chat/completions", **members: Any) -> httpx.Response:
        content = asked(**members) if body is None else body
        headers = {"authorization": f"Bearer {KEY}", "content-type": "application/json"}
        return self._http.post(f"{self.url}{path}", content=content, headers=headers)

    def counts(self) -> dict[str, tuple[int, int]]:
        """Return what is spent and reserved, by unit, of the one limit of each."""
        book = self.running.gateway.app._ledger._book  # type: ignore[union-attr]
        return {place[2]: (count.spent, count.reserved) for place, count in book._counts.items()}

    def spent(self) -> int:
        """Return the billionths that are spent, once nothing is reserved any more."""
        until(lambda: self.running.call(self.counts)["dollars"][1] == 0)
        return int(self.running.call(self.counts)["dollars"][0])

    def rows(self) -> list[Row]:
        """End the gateway, and return what its file has."""
        self.close()
        return all_rows(self.path)


def all_rows(path: Path) -> list[Row]:
    return read(path, "20")[0]


@pytest.fixture
def spending(tmp_path: Path) -> Iterator[Callable[..., Any]]:
    """Start gateways: `with spending(handler, lane, budget_per_day=…, settings=…) as at:`."""

    @contextmanager
    def start(
        handler: Callable[[Connection], Any],
        lane: str = "relay",
        *,
        settings: dict[str, Any] | None = None,
        prices: dict[str, float] | None = None,
        endpoint: dict[str, Any] | None = None,
        **key: Any,
    ) -> Iterator[Spending]:
        path = tmp_path / "spend.sqlite3"
        with serve(handler) as server:
            up = EndpointConfig(
                backend="openai",
                base_url=f"{server.url}/v1",
                key="sk-of-the-operator",
                models={} if prices == {} else {"m": ModelOverride(**(prices or PRICES))},
                retry=RetryConfig(attempts=1),
                **(endpoint or {}),
            )
            table = {"keys": {"alice": {"hash": hash_of(KEY), **key}}, "spend_file": str(path), **(settings or {})}
            running = Running(Config(endpoints={"up": up}, environ={}), table, middleware=LANES[lane])
            found = Spending(running, server, path)
            try:
                yield found
            finally:
                found.close()

    return start


@pytest.mark.parametrize("lane", LANES)
@pytest.mark.parametrize("is_stream", [False, True], ids=["whole", "stream"])
def test_an_answer_costs_what_it_used(spending: Any, lane: str, *, is_stream: bool) -> None:
    handler = once(WHOLE_STREAM) if is_stream else whole(CHAT)
    with spending(handler, lane, budget_per_day=1.0, tokens_per_month=10**6) as at:
        members = {"stream": True, "stream_options": {"include_usage": True}} if is_stream else {}
        assert at.ask(**members).status_code == 200
        assert at.spent() == USED
        assert at.running.call(at.counts)["tokens"] == (4, 0)
        (row,) = at.rows()
    assert row[1:] == ("alice", "up", "m", 1, 1, 3, USED, 0, 0)


ASKED_FOR = b'"stream_options":{"include_usage":true}'


def test_usage_is_asked_for_and_taken_out(spending: Any) -> None:
    with spending(once(WHOLE_STREAM), budget_per_day=1.0) as at:
        said = at.ask(stream=True)
        (sent,) = at.server.bodies
        assert json.loads(sent) == {**json.loads(asked(stream=True)), **json.loads(b"{%b}" % ASKED_FOR), "model": "m"}
        assert said.content == chunk("Hello") + chunk(".", "stop") + DONE
        assert at.spent() == USED
        (row,) = at.rows()
    assert (row.output_tokens, row.estimated) == (3, 0)


def test_usage_that_is_asked_for_is_told(spending: Any) -> None:
    with spending(once(WHOLE_STREAM), budget_per_day=1.0) as at:
        said = at.ask(stream=True, stream_options={"include_usage": True})
        assert said.content == WHOLE_STREAM.removeprefix(STREAM)


@pytest.mark.parametrize(
    ("key", "options", "is_asked"),
    [
        ({"tokens_per_minute": 1000}, {}, True),
        ({}, {}, False),
        ({"tokens_per_minute": 1000}, {"stream_usage": False}, False),
    ],
    ids=["limit", "nothing", "unknown there"],
)
def test_usage_is_asked_for_where_somebody_wants_it(
    key: dict[str, Any], options: dict[str, Any], *, is_asked: bool
) -> None:
    with serve(once(WHOLE_STREAM)) as server:
        up = EndpointConfig(backend="openai", base_url=f"{server.url}/v1", key="sk-of-the-operator", options=options)
        table = {"keys": {"alice": {"hash": hash_of(KEY), **key}}}
        running = Running(Config(endpoints={"up": up}, environ={}), table)
        try:
            with connected(running.url) as sock:
                sock.sendall(post(asked(stream=True), f"authorization: Bearer {KEY}", "connection: close"))
                came, _ = rest(sock)
        finally:
            running.close()
        assert (ASKED_FOR in server.bodies[-1]) == is_asked
        assert (b'"usage"' in came) != is_asked


@pytest.mark.parametrize("lane", LANES)
@pytest.mark.parametrize(
    ("path", "body", "said", "cost"),
    [
        (
            "/v1/embeddings",
            {"model": "up/m", "input": "Hi"},
            {
                "object": "list",
                "model": "m",
                "data": [{"object": "embedding", "index": 0, "embedding": [0.5, 0.25]}],
                "usage": {"prompt_tokens": 2, "total_tokens": 2},
            },
            2000,
        ),
        (
            "/v1/completions",
            {"model": "up/m", "prompt": "Hi"},
            {
                "id": "c",
                "object": "text_completion",
                "created": 1,
                "model": "m",
                "choices": [{"index": 0, "text": "Ho", "finish_reason": "stop", "logprobs": None}],
                "usage": {"prompt_tokens": 1, "completion_tokens": 1, "total_tokens": 2},
            },
            11_000,
        ),
        (
            "/v1/images/generations",
            {"model": "up/m", "prompt": "A cat"},
            {
                "created": 1,
                "data": [{"b64_json": "aGVsbG8="}],
                "usage": {"input_tokens": 2, "output_tokens": 4, "total_tokens": 6},
            },
            42_000,
        ),
    ],
    ids=["embeddings", "completions", "images"],
)
def test_every_route_costs(
    spending: Any, lane: str, path: str, body: dict[str, Any], said: dict[str, Any], cost: int
) -> None:
    with spending(whole(json.dumps(said).encode()), lane, budget_per_month=10.0) as at:
        assert at.ask(json.dumps(body).encode(), path).status_code == 200
        assert at.spent() == cost


def test_speech_is_settled_at_its_estimate(spending: Any) -> None:
    with spending(once(answer(b"sound" * 100, content_type="audio/mpeg")), budget_per_month=10.0) as at:
        body = json.dumps({"model": "up/m", "input": "Hi", "voice": "v"}).encode()
        assert at.ask(body, "/v1/audio/speech").status_code == 200
        assert at.spent() > 0
        (row,) = at.rows()
    assert (row.requests, row.estimated) == (1, 1)


@pytest.mark.parametrize("lane", LANES)
@pytest.mark.parametrize("status", ["400 Bad Request", "429 Too Many Requests", "500 Internal Server Error"])
def test_what_fails_costs_nothing(spending: Any, lane: str, status: str) -> None:
    with spending(once(answer(b'{"error":{"message":"no"}}', status)), lane, budget_per_day=1.0) as at:
        assert at.ask().status_code == int(status[:3])
        assert at.spent() == 0


@pytest.mark.parametrize("lane", LANES)
@pytest.mark.parametrize("beginning", [b"", STREAM + chunk("a")], ids=["silence", "stream"])
def test_who_leaves_gives_back_what_was_not_used(spending: Any, lane: str, beginning: bytes) -> None:
    came, may_end = threading.Semaphore(0), threading.Event()

    def handle(connection: Connection) -> None:
        connection.request()
        connection.send(beginning)
        came.release()
        connection.wait()
        may_end.set()

    with spending(handle, lane, budget_per_day=1.0) as at:
        with connected(at.url) as sock:
            sock.sendall(post(asked(stream=True, max_tokens=50_000), f"authorization: Bearer {KEY}"))
            assert came.acquire(timeout=PATIENCE)
            if beginning:
                assert sock.recv(1)
            assert at.running.call(at.counts)["dollars"][1] > 500_000_000
        assert may_end.wait(PATIENCE)
        assert 0 < at.spent() < 1_000_000
        (row,) = at.rows()
    assert (row.requests, row.estimated) == (1, 1)


def test_a_stream_without_usage_is_settled_by_what_came(spending: Any, tmp_path: Path) -> None:
    log = tmp_path / "log"
    text = "".join(map(str, range(1000)))
    stream = once(STREAM + b"".join(chunk(text[at : at + 10]) for at in range(0, 1000, 10)) + chunk("", "stop") + DONE)
    with spending(stream, budget_per_day=1.0, settings={"access_log": str(log)}) as at:
        assert at.ask(stream=True, max_tokens=1000).status_code == 200
        (row,) = at.rows()
    assert 200 < row.output_tokens <= 1000
    left = {"budget_per_day": pytest.approx(1.0 - row.cost / DOLLAR)}
    assert json.loads(log.read_text())["bill"] == {"by": "estimate", "cost": row.cost / DOLLAR, "left": left}


def test_a_budget_that_is_reached_is_told_in_every_dialect(spending: Any) -> None:
    with spending(whole(CHAT), budget_per_day=0.0003) as at:
        assert at.ask(max_tokens=1).status_code == 200
        said = at.ask(max_tokens=10)
        assert said.status_code == 429
        assert said.json()["error"]["code"] == "budget_exceeded"
        assert said.json()["error"]["type"] == "insufficient_quota"
        assert "budget_per_day of the key 'alice'" in said.json()["error"]["message"]
        assert 0 < int(said.headers["retry-after"]) <= 24 * 3600
        assert said.headers["x-should-retry"] == "false"
        claude = {"model": "up/m", "messages": [{"role": "user", "content": "Hi"}], "max_tokens": 10}
        said = at.ask(json.dumps(claude).encode(), "/v1/messages")
        assert (said.status_code, said.json()["error"]["type"]) == (429, "rate_limit_error")
        gemini = {
            "contents": [{"role": "user", "parts": [{"text": "Hi"}]}],
            "generationConfig": {"maxOutputTokens": 10},
        }
        said = at.ask(json.dumps(gemini).encode(), "/v1beta/models/up/m:generateContent")
        assert (said.status_code, said.json()["error"]["status"]) == (429, "RESOURCE_EXHAUSTED")
        assert len(at.server.bodies) == 1


def test_the_limit_is_looked_for_where_the_dialect_has_it(spending: Any) -> None:
    """What another API calls its limit bounds nothing here, so that it must not make the estimate smaller."""
    with spending(whole(CHAT), budget_per_day=0.005) as at:
        assert at.ask(options={"num_predict": 1}, max_output_tokens=1).status_code == 429
        assert at.ask(max_tokens=1, n=1000).status_code == 429
        assert at.ask(max_tokens=1, max_completion_tokens=1000).status_code == 429
        assert at.ask(max_tokens=100).status_code == 200


def test_a_model_without_a_price(spending: Any) -> None:
    with spending(whole(CHAT), prices={}, budget_per_day=1.0) as at:
        said = at.ask(max_tokens=1)
        assert (said.status_code, said.json()["error"]["code"]) == (403, "unknown_price")
        assert "no price is known of up/m" in said.json()["error"]["message"]
        assert '[endpoints.up.models."m"]' in said.json()["error"]["message"]
        assert at.server.bodies == []


def test_a_model_without_a_price_may_count_by_tokens(spending: Any) -> None:
    count = {"unknown_price": "count_tokens"}
    with spending(whole(CHAT), prices={}, settings=count, budget_per_day=1.0, tokens_per_day=2000) as at:
        assert at.ask(max_tokens=1).status_code == 200
        assert at.ask(max_tokens=2000).status_code == 429
        (row,) = at.rows()
    assert row[1:] == ("alice", "up", "m", 1, 1, 3, 0, 1, 0)
    with spending(whole(CHAT), prices={}, settings=count, budget_per_day=1.0) as at:
        assert at.ask(max_tokens=1).json()["error"]["code"] == "unknown_price"


def test_an_unusual_tier_has_no_price(spending: Any) -> None:
    with spending(whole(CHAT), budget_per_day=1.0) as at:
        assert at.ask(max_tokens=1, service_tier="priority").json()["error"]["code"] == "unknown_price"
        assert at.ask(max_tokens=1, service_tier="default").status_code == 200


def test_a_hundred_at_once_do_not_overspend(spending: Any) -> None:
    """Half of them fail; what is let in at once has room for all that it may use, and all of it is counted."""
    may_answer = threading.Event()
    numbers = iter(range(10**6))

    def handle(connection: Connection) -> None:
        connection.request()
        may_answer.wait(PATIENCE)
        sent = answer(CHAT, content_type="application/json")
        connection.send(answer(b"{}", "400 Bad Request") if next(numbers) % 2 else sent)

    most = 0.0025  # of which each may take 10 thousandths for its answer, and some for its question
    with spending(handle, budget_per_day=most) as at, ThreadPoolExecutor(100) as threads:
        waiting = [threads.submit(at.ask, max_tokens=10) for _ in range(100)]
        until(lambda: sum(each.done() for each in waiting) + len(at.server.bodies) == 100)
        spent, reserved = at.running.call(at.counts)["dollars"]
        assert spent == 0
        assert 0 < reserved <= most * DOLLAR
        let_in = len(at.server.bodies)
        may_answer.set()
        statuses = [each.result().status_code for each in waiting]
        served = statuses.count(200)
        expected = {200: let_in // 2 + let_in % 2, 400: let_in // 2, 429: 100 - let_in}
        assert Counter(statuses) == expected, [each.result().text for each in waiting]
        assert at.spent() == served * USED
        (row,) = [row for row in at.rows() if row.cost]
    assert (row.requests - row.estimated, row.cost) == (row.requests, served * USED)


def test_keys_of_a_group_share_its_budget(spending: Any) -> None:
    settings = {"groups": {"team": {"budget_per_month": 0.0003}}}
    with spending(whole(CHAT), group="team", settings=settings) as at:
        assert at.ask(max_tokens=1).status_code == 200
        said = at.ask(max_tokens=10)
        assert said.status_code == 429
        assert "budget_per_month of the group 'team'" in said.json()["error"]["message"]


def test_what_was_spent_is_known_after_a_restart(spending: Any) -> None:
    for _ in range(2):
        with spending(whole(CHAT), budget_per_day=0.0005) as at:
            assert at.ask(max_tokens=10).status_code == 200
    with spending(whole(CHAT), budget_per_day=0.00025) as at:
        assert at.ask(max_tokens=10).status_code == 429
    assert [row.cost for row in all_rows(at.path)] == [2 * USED]


def test_a_budget_that_is_new_knows_what_was_spent_before(spending: Any) -> None:
    with spending(whole(CHAT)) as at:
        assert at.ask().status_code == 200
    with spending(whole(CHAT), budget_per_month=0.00003) as at:
        assert "is used up until" in at.ask(max_tokens=1).json()["error"]["message"]


def test_two_gateways_do_not_share_a_file(spending: Any, tmp_path: Path) -> None:
    with spending(whole(CHAT), budget_per_day=1.0) as at:
        with pytest.raises(ConfigError, match=r"another gateway has .*spend\.sqlite3 open"):
            Store(at.path)
        assert at.ask().status_code == 200
        assert all_rows(at.path) is not None  # who only reads may
    Store(at.path).close()
    (tmp_path / "other").write_text("of something else, and long enough to be seen as no database" * 20)
    with pytest.raises(ConfigError, match=r"gateway\.spend_file: cannot open .*other"):
        Store(tmp_path / "other")


def test_nothing_is_sent_that_cannot_be_noted(spending: Any, caplog: pytest.LogCaptureFixture) -> None:
    with spending(whole(CHAT), budget_per_day=1.0) as at:
        store = at.running.gateway.app._ledger._store
        at.running.call(lambda: store._db.execute("PRAGMA query_only = 1").close())
        said = at.ask(max_tokens=1)
        assert (said.status_code, at.server.bodies) == (503, [])
        at.running.call(lambda: store._db.execute("PRAGMA query_only = 0").close())
        assert at.ask(max_tokens=1).status_code == 200
        assert at.spent() == USED
    assert "cannot write" in caplog.text


CONFIG = """
[endpoints.up]
backend = "openai"
base_url = "{url}/v1"
key_env = "UP_KEY"

[endpoints.up.models.m]
input_price = 1.0
output_price = 10.0

[gateway]
port = 0
spend_file = "{spend}"

[gateway.keys.alice]
hash = "{hash}"
budget_per_month = {budget}
"""


class Process:
    """What starts `ipfs-accel serve` with one key, in a process of its own, and tells of its spend file."""

    def __init__(self, folder: Path, upstream: str, budget: float) -> None:
        config = folder / "config.toml"
        spend = folder / "spend.sqlite3"
        config.write_text(CONFIG.format(url=upstream, spend=spend, hash=hash_of(KEY), budget=budget))
        self._environ = {**os.environ, "IPFS_ACCEL_CONFIG": str(config), "UP_KEY": "sk-of-the-operator"}

    @contextmanager
    def serving(self) -> Iterator[tuple[str, Any]]:
        command = [sys.executable, "-m", "ipfs_accel", "--json", "serve"]
        with subprocess.Popen(command, env=self._environ, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as gateway:
            assert gateway.stdout is not None
            try:
                yield json.loads(gateway.stdout.readline())["url"], gateway
            finally:
                gateway.kill()

    def told(self) -> Any:
        command = [sys.executable, "-m", "ipfs_accel", "serve", "spend", "--json"]
        return json.loads(subprocess.run(command, env=self._environ, capture_output=True, check=True).stdout)


def _ask(http: httpx.Client, url: str, **members: Any) -> httpx.Response:
    return http.post(f"{url}/v1/chat/completions", content=asked(**members), headers={"authorization": f"Bearer {KEY}"})


def test_a_hundred_at_once_at_a_process(tmp_path: Path) -> None:
    """Whole and streamed, served, failed and broken off, in rounds until nothing more is let in."""
    numbers, served = iter(range(10**6)), []

    def handle(connection: Connection) -> None:
        while connection.request() is not None:
            number = next(numbers)
            if number % 5 == 4:
                connection.send(answer(b"{}", "400 Bad Request"))
            elif b'"stream"' in connection.server.bodies[-1]:
                served.append(number)
                connection.send(WHOLE_STREAM)
                return
            else:
                served.append(number)
                connection.send(answer(CHAT, content_type="application/json"))

    budget = 0.004
    limits = httpx.Limits(max_connections=200)
    with serve(handle) as server, httpx.Client(timeout=PATIENCE, trust_env=False, limits=limits) as http:
        process = Process(tmp_path, server.url, budget)
        with process.serving() as (url, gateway), ThreadPoolExecutor(100) as threads:
            statuses: Counter[int] = Counter()
            while statuses[429] < 100:
                waiting = [
                    threads.submit(_ask, http, url, max_tokens=10, **({"stream": True} if number % 2 else {}))
                    for number in range(100)
                ]
                statuses = Counter([each.result().status_code for each in waiting])
                assert set(statuses) <= {200, 400, 429}
            gateway.send_signal(signal.SIGTERM)
            gateway.wait(PATIENCE)
        told = process.told()
    (row,) = [row for row in told["spend"] if row["cost"]]
    assert row["cost"] * DOLLAR == pytest.approx(len(served) * USED)
    assert told["budgets"][0]["spent"] == pytest.approx(row["cost"])
    assert budget * 0.9 < row["cost"] <= budget


def test_a_gateway_that_is_killed_has_counted_what_was_under_way(tmp_path: Path) -> None:
    """Killed in the middle of a stream, after an answer that it had settled."""
    came = threading.Event()

    def handle(connection: Connection) -> None:
        while connection.request() is not None:
            if b'"stream"' in connection.server.bodies[-1]:
                connection.send(STREAM + chunk("a"))
                came.set()
                connection.wait()
                return
            connection.send(answer(CHAT, content_type="application/json"))

    with serve(handle) as server, httpx.Client(timeout=PATIENCE, trust_env=False) as http:
        process = Process(tmp_path, server.url, 1.0)
        with process.serving() as (url, gateway), connected(url) as sock:
            assert _ask(http, url, max_tokens=10).status_code == 200
            sock.sendall(post(asked(stream=True, max_tokens=50_000), f"authorization: Bearer {KEY}"))
            assert came.wait(PATIENCE)
            assert sock.recv(1)
            os.kill(gateway.pid, signal.SIGKILL)
            gateway.wait(PATIENCE)
        with process.serving() as (url, gateway):
            said = _ask(http, url, max_tokens=50_000)
            assert (said.status_code, said.json()["error"]["code"]) == (429, "budget_exceeded")
            gateway.send_signal(signal.SIGTERM)
            gateway.wait(PATIENCE)
        told = process.told()
    (budget,) = told["budgets"]
    assert 0.5 + USED / DOLLAR < budget["spent"] < 0.52
    assert sum(row["cost"] for row in told["spend"]) == pytest.approx(budget["spent"])
    assert ("alice", "", "") in [(row["key"], row["endpoint"], row["model"]) for row in told["spend"]]
