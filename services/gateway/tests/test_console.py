"""What the console's port tells, whom, and what it lets be done."""

from __future__ import annotations

import asyncio
import re
import signal
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from importlib.resources import files
from pathlib import Path
from typing import Any

import httpx  # noqa: TID251 - a client that nobody here wrote
import pytest
from ipfs_accel import AsyncClient, BreakerConfig, Config, EndpointConfig, ModelOverride, RouteConfig
from ipfs_accel.errors import APIConnectionError, ConfigError
from ipfs_accel.testing import Scripted
from ipfs_accel.types import ChatResponse, Choice, Message, Text, Usage
from ipfs_accel_gateway import read_settings
from ipfs_accel_gateway._callers import hash_of
from ipfs_accel_gateway._console.doors import SESSION_SECONDS, TICKET_SECONDS, Doors

from .gateways import Running, Start
from .processes import process

KEYS = {
    "alice": {"hash": hash_of("alice's"), "owner": "Alice", "models": ["fast", "team"], "requests_per_minute": 60},
    "play": {"hash": hash_of("play's"), "concurrency": 2, "tokens_per_month": 1_000_000, "group": "all"},
}
SETTINGS = {
    "console_port": 0,
    "console_key": "play",
    "keys": KEYS,
    "groups": {"all": {"budget_per_day": 2.0}},
    "unknown_price": "count_tokens",
}
SOON = BreakerConfig(min_calls=4, window=3600, open_for=3600, max_open_for=3600)
PRICED = ModelOverride(input_price=1.0, cached_input_price=0.5, output_price=2.0)


def answer(_request: object = None) -> ChatResponse:
    message = Message(role="assistant", content=(Text(text="Hello there."),))
    usage = Usage(input_tokens=10, cached_input_tokens=4, output_tokens=6)
    return ChatResponse(choices=(Choice(message=message, finish_reason="stop"),), model="m", usage=usage)


def config() -> Config:
    return Config(
        endpoints={
            "scripted": EndpointConfig(models={"any": PRICED}, breaker=SOON),
            "other": EndpointConfig(backend="openai", base_url="https://user:pass@there.example:1/secret/v1?k=secret"),
        },
        aliases={"fast": "scripted/any"},
        routes={"team": RouteConfig(targets=("scripted/any", "other/m"))},
        environ={},
    )


def site(at: Running) -> str:
    assert at.gateway.console_address is not None
    host, port = at.gateway.console_address
    return f"http://{host}:{port}"


def entered(at: Running, http: httpx.Client) -> httpx.Response:
    """Let a client in by a link, as the page does it."""
    link = at.call(at.gateway.console_link)
    url, _, ticket = link.partition("/#")
    assert url == site(at)
    return http.post(f"{url}/enter", content=ticket, headers={"origin": url})


@pytest.fixture
def at(tmp_path: Path) -> Iterator[Running]:
    running = Running(config(), {**SETTINGS, "spend_file": str(tmp_path / "spend")}, (Scripted(answer),))
    yield running
    running.close()


def ask(at: Running, http: httpx.Client, model: str = "fast", key: str = "alice's", **members: Any) -> httpx.Response:
    body = {"model": model, "max_tokens": 100, "messages": [{"role": "user", "content": "Hi"}], **members}
    return http.post(f"{at.url}/v1/chat/completions", json=body, headers={"authorization": f"Bearer {key}"})


def test_a_ticket_is_good_once_and_for_some_minutes_and_a_session_for_hours() -> None:
    now = 1000.0
    doors = Doors(lambda: now)
    ticket, late = doors.ticket(), doors.ticket()
    session = doors.enter(ticket)
    assert session is not None
    assert doors.enter(ticket) is None
    assert doors.knows(session)
    assert not doors.knows(ticket)
    assert doors.enter(session) is None
    now += TICKET_SECONDS
    assert doors.enter(late) is None
    assert doors.knows(session)
    now += SESSION_SECONDS
    assert not doors.knows(session)
    first = doors.ticket()
    for _ in range(8):
        doors.ticket()
    assert doors.enter(first) is None


def test_without_a_port_there_is_no_console_and_nothing_is_counted(running: Start) -> None:
    at = running(Scripted())
    assert at.gateway.console_address is None
    assert at.call(at.gateway.console_link) is None
    assert at.gateway.app._noting == ()


def test_nobody_is_told_anything_without_a_link(at: Running, http: httpx.Client) -> None:
    for method, path in (("GET", "/state"), ("GET", "/models"), ("POST", "/playground")):
        refused = http.request(method, site(at) + path, headers={"origin": site(at), "cookie": "a=b; c"})
        assert refused.status_code == 401, path
        assert "SIGUSR1" in refused.json()["error"]["message"]
    letting = entered(at, http)
    assert letting.status_code == 204
    port = site(at).rpartition(":")[2]
    said = letting.headers["set-cookie"]
    assert re.fullmatch(
        rf"ipfs-accel-console-{port}=[\w-]{{43}}; Path=/; HttpOnly; SameSite=Strict; Max-Age=43200", said
    )
    assert http.get(f"{site(at)}/state").status_code == 200
    http.cookies.clear()
    assert http.get(f"{site(at)}/state").status_code == 401


def test_a_link_lets_one_in_and_only_from_the_page_itself(at: Running, http: httpx.Client) -> None:
    ticket = at.call(at.gateway.console_link).partition("#")[2]
    for origin in ("http://evil.example", "null", site(at).replace("127.0.0.1", "localhost"), None):
        headers = {} if origin is None else {"origin": origin}
        assert http.post(f"{site(at)}/enter", content=ticket, headers=headers).status_code == 403
    own = {"origin": site(at)}
    assert http.post(f"{site(at)}/enter", content=ticket, headers=own).status_code == 204
    assert http.post(f"{site(at)}/enter", content=ticket, headers=own).status_code == 403
    assert http.post(f"{site(at)}/enter", content=b"\xff" * 40, headers=own).status_code == 403


def test_every_answer_says_what_a_browser_may_do_with_it(at: Running, http: httpx.Client) -> None:
    answers = [http.get(site(at) + path) for path in ("/", "/console.js", "/drawing.js", "/console.css", "/icon.svg")]
    assert {each.status_code for each in answers} == {200}
    answers += [http.get(f"{site(at)}/state"), entered(at, http), http.get(f"{site(at)}/state")]
    answers.append(http.post(f"{site(at)}/playground", content=b"{}", headers={"origin": site(at)}))
    assert [each.status_code for each in answers[-4:]] == [401, 204, 200, 400]
    for each in answers:
        policy = each.headers["content-security-policy"]
        assert policy.startswith("default-src 'none'; script-src 'self'; style-src 'self'; ")
        assert "frame-ancestors 'none'" in policy
        assert "unsafe" not in policy
        assert each.headers["x-content-type-options"] == "nosniff"
        assert each.headers["cache-control"] == "no-store"


def test_the_files_need_nothing_from_elsewhere() -> None:
    folder = files("ipfs_accel_gateway._console")
    for name in ("index.html", "console.css", "console.js", "drawing.js", "icon.svg"):
        text = (folder / name).read_text().replace('"http://www.w3.org/2000/svg"', "")
        assert "//" not in re.sub(r"^\s*//.*|\s// .*", "", text, flags=re.MULTILINE), name
        assert not re.search(r"innerHTML|\bstyle=|\bon\w+=\"|@import|url\(|eval", text), name


def test_names_that_somebody_else_gives_this_machine_lead_nowhere(at: Running, http: httpx.Client) -> None:
    entered(at, http)
    for path in ("/", "/state"):
        assert http.get(site(at) + path, headers={"host": "rebound.example"}).status_code == 421


@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH", "DELETE"])
def test_nothing_can_be_changed(method: str, at: Running, http: httpx.Client) -> None:
    entered(at, http)
    for path in ("/", "/state", "/models", "/console.js"):
        refused = http.request(method, site(at) + path, headers={"origin": site(at)})
        assert (refused.status_code, refused.headers["allow"]) == (405, "GET")
    assert http.get(f"{site(at)}/playground").status_code == 405


def test_how_it_is_is_told(at: Running, http: httpx.Client) -> None:
    for model in ("fast", "fast", "team"):
        assert ask(at, http, model).status_code == 200
    assert ask(at, http, "fast", "play's", stream=True).status_code == 200
    assert ask(at, http, "scripted/any").status_code == 403
    entered(at, http)
    told = http.get(f"{site(at)}/state").json()
    assert told["totals"] | {"cost": 0} == {
        "requests": 5, "input": 40, "cached": 16, "output": 24, "cost": 0, "unpriced": 0,
    }  # fmt: skip
    assert told["totals"]["cost"] == pytest.approx(4 * 20e-6)
    assert told["statuses"] == {"2xx": 4, "4xx": 1}
    assert (told["active"], told["playground"], told["address"]) == (0, "play", at.url.removeprefix("http://"))
    assert told["memory"] > 1e6
    assert 0 <= told["time"] - told["started"] < 600
    assert time.time() - told["time"] < 600
    served = {each["name"]: each for each in told["served"]}
    assert list(served) == ["team", "fast", "scripted/*", "other/*"]
    assert served["team"]["kind"] == "route, ordered"
    assert served["team"]["targets"] == ["scripted/any", "other/m"]
    assert served["fast"] == {
        "name": "fast", "kind": "alias", "targets": ["scripted/any"], "lanes": {"translate": 3}, "requests": 3,
        "failed": 0,
    }  # fmt: skip
    assert served["scripted/*"]["requests"] == 1
    ends = {each["name"]: each for each in told["endpoints"]}
    assert ends["other"] == {"name": "other", "backend": "openai", "host": "there.example:1", "used": False}
    (breaker,) = ends["scripted"]["breakers"]
    assert (breaker["model"], breaker["state"], ends["scripted"]["answered"]) == ("any", "closed", 4)
    keys = {each["name"]: each for each in told["keys"]}
    assert (keys["alice"]["owner"], keys["alice"]["requests"], keys["alice"]["input"]) == ("Alice", 4, 30)
    (limit,) = keys["alice"]["limits"]
    assert (limit["name"], limit["most"]) == ("requests_per_minute", 60)
    assert 57 <= limit["left"] < 60
    assert [(each["name"], each["group"], each["most"]) for each in keys["play"]["budgets"]] == [
        ("tokens_per_month", None, 1_000_000),
        ("budget_per_day", "all", 2),
    ]
    assert [each["spent"] for each in keys["play"]["budgets"]] == [16, pytest.approx(20e-6)]
    durations = told["times"]["models"]
    assert {name: sum(each["duration"]) for name, each in durations.items()} == {"": 4, "fast": 3, "team": 1}
    assert sum(durations[""]["first"]) == 1
    assert len(durations[""]["duration"]) == len(told["times"]["bounds"]["duration"]) + 1


def test_no_secret_is_told(at: Running, http: httpx.Client) -> None:
    entered(at, http)
    text = http.get(f"{site(at)}/state").text
    for secret in ("secret", "pass", "user", "sha256", *[each["hash"][7:] for each in KEYS.values()]):
        assert secret not in text, secret


def test_what_fails_and_where_is_told(http: httpx.Client) -> None:
    failing = Scripted(lambda _request: APIConnectionError("away"))
    at = Running(config(), {"console_port": 0, "models": ["fast", "scripted/a*"]}, (failing,))
    try:
        for _ in range(12):
            ask(at, http)
        entered(at, http)
        told = http.get(f"{site(at)}/state").json()
        assert [(each["name"], each["failed"]) for each in told["served"]] == [("fast", 12), ("scripted/a*", 0)]
        (breaker,) = next(each["breakers"] for each in told["endpoints"] if each["name"] == "scripted")
        assert breaker["state"] == "open"
        assert breaker["retry_after"] > 0
        (everybody,) = told["keys"]
        assert (everybody["name"], everybody["requests"]) == ("", 12)
        assert told["playground"] is None
        assert http.get(f"{site(at)}/models").json() == []
        refused = http.post(f"{site(at)}/playground", content=b"{}", headers={"origin": site(at)})
        assert (refused.status_code, "gateway.console_key" in refused.text) == (403, True)
    finally:
        at.close()


CHAT = {"model": "fast", "stream": True, "messages": [{"role": "user", "content": "Hi"}], "max_tokens": 100}


def test_the_playground_asks_as_its_key_and_shows_it_to_nobody(at: Running, http: httpx.Client) -> None:
    entered(at, http)
    own = {"origin": site(at)}
    with http.stream("POST", f"{site(at)}/playground", json=CHAT, headers=own) as streamed:
        text = streamed.read().decode()
    assert (streamed.status_code, streamed.headers["x-ipfs-accel-target"]) == (200, "scripted/any")
    assert streamed.headers["content-type"].startswith("text/event-stream")
    assert text.endswith("data: [DONE]\n\n")
    keys = {each["name"]: each for each in http.get(f"{site(at)}/state").json()["keys"]}
    assert (keys["play"]["requests"], keys["play"]["output"], keys["alice"]["requests"]) == (1, 6, 0)
    assert keys["play"]["budgets"][0]["spent"] == 16
    assert "play's" not in text + str(streamed.headers)
    assert "fast" in http.get(f"{site(at)}/models").json()
    for origin in ("http://evil.example", "http://127.0.0.1:1", ""):
        assert http.post(f"{site(at)}/playground", json=CHAT, headers={"origin": origin}).status_code == 403
    unknown = http.post(f"{site(at)}/playground", json={**CHAT, "model": "none"}, headers=own)
    assert (unknown.status_code, "not served here" in unknown.json()["error"]["message"]) == (404, True)


def test_the_playground_is_limited_as_its_key_is(http: httpx.Client) -> None:
    keys = {"play": {**KEYS["alice"], "requests_per_minute": 1}}
    at = Running(config(), {"console_port": 0, "console_key": "play", "keys": keys}, (Scripted(answer),))
    try:
        entered(at, http)
        asked = [http.post(f"{site(at)}/playground", json=CHAT, headers={"origin": site(at)}) for _ in range(2)]
        assert [each.status_code for each in asked] == [200, 429]
        other = http.post(
            f"{site(at)}/playground", json={**CHAT, "model": "scripted/any"}, headers={"origin": site(at)}
        )
        assert other.status_code == 403
    finally:
        at.close()


def test_who_stops_the_playground_ends_the_call(http: httpx.Client) -> None:
    begun, may_end = threading.Event(), threading.Event()

    def slowly(_request: object) -> list[str]:
        begun.set()
        may_end.wait(60)
        return ["Hel", "lo"]

    at = Running(config(), SETTINGS | {"groups": {"all": {}}}, (Scripted(slowly),))
    try:
        entered(at, http)
        with pytest.raises(httpx.ReadTimeout):
            http.post(f"{site(at)}/playground", json=CHAT, headers={"origin": site(at)}, timeout=0.5)
        assert begun.wait(60)
        may_end.set()
        end = time.monotonic() + 60
        while (told := http.get(f"{site(at)}/state").json())["active"] and time.monotonic() < end:
            pass
        assert (told["active"], told["statuses"]) == (0, {"left": 1})
    finally:
        at.close()


def test_what_the_playground_is_told_outlives_another_configuration(
    http: httpx.Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    begun, may_end = threading.Event(), threading.Event()
    closed: list[AsyncClient] = []
    close = AsyncClient.close

    async def noted(client: AsyncClient) -> None:
        closed.append(client)
        await close(client)

    monkeypatch.setattr(AsyncClient, "close", noted)

    def slowly(_request: object) -> ChatResponse:
        begun.set()
        may_end.wait(60)
        return answer()

    plain = Config(endpoints={"scripted": EndpointConfig()}, aliases={"fast": "scripted/any"}, environ={})
    at = Running(plain, SETTINGS | {"groups": {"all": {}}}, (Scripted(slowly),))
    try:
        entered(at, http)
        with ThreadPoolExecutor(1) as aside:
            own = {"origin": site(at)}
            asked = aside.submit(http.post, f"{site(at)}/playground", json=CHAT, headers=own, timeout=60)
            assert begun.wait(60)
            changing = at.gateway.change(plain, at.gateway.settings, anew=True)
            asyncio.run_coroutine_threadsafe(changing, at.loop).result(60)
            for _ in range(5):
                at.call(lambda: None)
            assert closed == []
            may_end.set()
            assert asked.result(60).text.endswith("data: [DONE]\n\n")
        assert http.get(f"{site(at)}/state").json()["playground"] == "play"
    finally:
        may_end.set()
        at.close()


@pytest.mark.parametrize(
    ("settings", "told"),
    [
        ({"console_port": -1}, "console_port: expected 0 to 65535"),
        ({"console_port": "4243"}, "console_port: expected a whole number"),
        ({"console_key": "nobody"}, r"gateway\.console_key: there is no key 'nobody'"),
    ],
    ids=["below", "text", "unknown-key"],
)
def test_what_is_wrong_with_its_settings_is_named(settings: dict[str, Any], told: str) -> None:
    with pytest.raises(ConfigError, match=told):
        read_settings({"keys": KEYS, "groups": {"all": {}}, **settings})


def test_a_port_that_is_taken_is_named(at: Running, running: Start) -> None:
    port = int(site(at).rpartition(":")[2])
    with pytest.raises(ConfigError, match=r"gateway\.console_port: cannot listen at 127\.0\.0\.1 port"):
        running(Scripted(), settings={"console_port": port})


@pytest.mark.skipif(not hasattr(signal, "SIGUSR1"), reason="this system has no such signal")
def test_the_command_prints_a_link_and_another_when_it_is_asked(tmp_path: Path, http: httpx.Client) -> None:
    path = tmp_path / "config.toml"
    path.write_text(
        '[endpoints.up]\nbackend = "openai"\nbase_url = "http://127.0.0.1:9/v1"\nkey_env = ""\n[gateway]\nport = 0\nconsole_port = 0\n'
    )
    with process(path) as found:
        assert found.told["console"].startswith("http://127.0.0.1:")
        found.send(signal.SIGUSR1)
        line = found.heard("console, once and within 10 minutes, at ")
        links = [found.told["console"], line.split(" at ")[1].strip()]
        assert links[0] != links[1]
        for link in links:
            url, _, ticket = link.partition("/#")
            assert http.post(f"{url}/enter", content=ticket, headers={"origin": url}).status_code == 204
        found.send(signal.SIGTERM)
        assert found.end() == 0
