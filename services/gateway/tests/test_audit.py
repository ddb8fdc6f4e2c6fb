"""What is kept of what was said: nothing unless it is asked for, never a key, and redacted unless somebody says not."""

from __future__ import annotations

import asyncio
import gzip
import json
import logging
import stat
import threading
import time
from pathlib import Path
from typing import Any

import attrs
import httpx  # noqa: TID251 - a client that nobody here wrote
import pytest
from ipfs_accel import EndpointConfig, PluginPolicy, hookimpl
from ipfs_accel.errors import ConfigError
from ipfs_accel.middleware import Ask
from ipfs_accel.testing import Scripted
from ipfs_accel.testing.raw_server import Connection, answer, serve
from ipfs_accel.types import SpeakResponse
from ipfs_accel_gateway import read_settings
from ipfs_accel_gateway._audit import _Words
from ipfs_accel_gateway._audit_file import AuditFile
from ipfs_accel_gateway._callers import hash_of

from .gateways import Running, Start
from .wires import CHAT, chunk, connected, post

KEY = "ia-of-a-caller"
ADDRESS = "jane.roe@example.com"
BEHIND = PluginPolicy(middleware=("redaction", "audit"))
ASK = "/v1/chat/completions"


def body(model: str, text: str = f"Write to {ADDRESS}", **members: Any) -> dict[str, Any]:
    return {"model": model, "messages": [{"role": "user", "content": text}], **members}


def lines(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text().splitlines()]


def echo(request: Any) -> str:
    return f"I write to {request.messages[-1].text.split()[-1]}"


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "audit.jsonl"


@pytest.mark.parametrize("is_stream", [False, True], ids=["whole", "streamed"])
def test_what_is_kept_is_what_redaction_leaves(running: Start, http: httpx.Client, path: Path, is_stream: bool) -> None:
    keys = {"alice": {"hash": hash_of(KEY)}}
    at = running(Scripted(echo), plugins=BEHIND, settings={"audit": str(path), "keys": keys})
    asked = body("scripted/any", stream=is_stream)
    found = http.post(at.url + ASK, json=asked, headers={"authorization": f"Bearer {KEY}"})
    assert is_stream or ADDRESS in found.text  # the caller has it back
    http.post(at.url + ASK, json=asked, headers={"x-api-key": "unknown-key"})
    at.close()
    (line,) = lines(path)
    (said,) = line["said"]
    assert said["operation"] == ("stream" if is_stream else "chat")
    assert said["request"]["messages"][0]["content"] == [{"text": "Write to [EMAIL_1]"}]
    assert said["answer"]["choices"][0]["message"]["content"] == [{"text": "I write to [EMAIL_1]"}]
    assert (line["caller"], line["status"], line["lane"], line["model"]) == ("alice", 200, "translate", "scripted/any")
    assert not [word for word in (ADDRESS, KEY, "unknown-key") if word in path.read_text()]
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_what_could_be_passed_on_is_read_where_it_is_to_be_redacted(
    running: Start, http: httpx.Client, path: Path
) -> None:
    with serve(chats) as upstream:
        up = EndpointConfig(backend="openai", base_url=f"{upstream.url}/v1", key="sk-of-the-operator")
        at = running(endpoints={"up": up}, plugins=BEHIND, settings={"audit": str(path)})
        assert http.post(at.url + ASK, json=body("up/m")).headers["x-ipfs-accel-lane"] == "translate"
        at.close()
    assert "Hello." in json.dumps(lines(path)[0]["said"][0]["answer"])
    assert ADDRESS not in path.read_text()
    assert "sk-of-the-operator" not in path.read_text()


def chats(connection: Connection) -> None:
    while connection.request() is not None:
        connection.send(answer(CHAT, content_type="application/json"))


def test_as_it_is_nothing_is_in_the_way_of_what_is_passed_on(running: Start, http: httpx.Client, path: Path) -> None:
    with serve(chats) as upstream:
        up = EndpointConfig(backend="openai", base_url=f"{upstream.url}/v1", key="sk-of-the-operator")
        at = running(endpoints={"up": up}, settings={"audit": str(path), "audit_raw": True})
        asked = body("up/m", unknown={"to": "us"})
        found = http.post(at.url + ASK, content=gzip.compress(json.dumps(asked).encode()), headers=ZIPPED)
        assert (found.headers["x-ipfs-accel-lane"], found.content) == ("relay", CHAT)
        at.close()
    (line,) = lines(path)
    assert line["said"] == [{"operation": "chat", "request": asked, "answer": CHAT.decode()}]
    assert not [word for word in (KEY, "sk-of-the-operator") if word in path.read_text()]


ZIPPED = {"content-encoding": "gzip", "content-type": "application/json", "authorization": f"Bearer {KEY}"}


@pytest.mark.parametrize("is_raw", [False, True], ids=["redacted", "raw"])
def test_a_stream_is_not_held_back_and_what_came_of_one_that_was_left_is_kept(
    running: Start, http: httpx.Client, path: Path, is_raw: bool
) -> None:
    goes_on = threading.Event()

    def handle(connection: Connection) -> None:
        while connection.request() is not None:
            first = chunk("Hel")
            head = b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n"
            connection.send(head + b"%x\r\n%b\r\n" % (len(first), first))
            goes_on.wait(60)
            rest = chunk("lo", "stop") + b"data: [DONE]\n\n"
            connection.send(b"%x\r\n%b\r\n0\r\n\r\n" % (len(rest), rest))

    settings = {"audit": str(path), "audit_raw": is_raw}
    with serve(handle) as upstream:
        up = EndpointConfig(backend="openai", base_url=f"{upstream.url}/v1", key="any")
        policy = PluginPolicy() if is_raw else BEHIND
        at = running(endpoints={"up": up}, plugins=policy, settings=settings)
        with connected(at.url) as sock:  # who leaves
            sock.sendall(post(json.dumps(body("up/m", stream=True)).encode()))
            came = b""
            while b"Hel" not in came:
                came += sock.recv(4096)
        until(at, path, 1)
        with http.stream("POST", at.url + ASK, json=body("up/m", stream=True)) as stream:
            pieces = stream.iter_text()
            text = next(pieces)
            while "Hel" not in text:
                text += next(pieces)
            assert "lo" not in text.replace("Hello", "")
            goes_on.set()
            text += "".join(pieces)
        assert text.rstrip().endswith("[DONE]")
        at.close()
    left, whole = lines(path)
    assert (left["status"], left["error"], whole["error"]) == (499, "left", None)
    if is_raw:
        assert "Hel" in left["said"][0]["answer"]
        assert whole["said"][0]["answer"] == text
    else:
        assert left["said"][0]["partial"] == "Hel"
        assert whole["said"][0]["answer"]["choices"][0]["message"]["content"] == [{"text": "Hello"}]


def until(at: Running, path: Path, count: int) -> None:
    """Wait until so many lines are there; a gateway writes them in a thread of its own."""
    deadline = time.monotonic() + 60
    while len(path.read_bytes().splitlines()) < count:
        assert time.monotonic() < deadline
        at.call(lambda: None)


class Judge:
    """Middleware that asks a model about each answer."""

    api_version = 1

    @hookimpl
    def rewrite_answer(self, answer: Any) -> Any:
        yield Ask("chat", "scripted/judge", "Is that good?")
        return answer


def test_what_middleware_asks_is_kept_beside_and_not_instead(http: httpx.Client, path: Path) -> None:
    from ipfs_accel import Config

    scripted = Scripted(["an answer", "a judgement"])
    config = Config(endpoints={"scripted": EndpointConfig()}, plugins=PluginPolicy(middleware=("audit",)), environ={})
    at = Running(config, {"audit": str(path)}, (scripted,), (Judge(),))
    http.post(at.url + ASK, json=body("scripted/any", "Hi"))
    at.close()
    first, second = lines(path)[0]["said"]
    assert (first["request"]["messages"][0]["content"], second["request"]["messages"][0]["content"]) == (
        [{"text": "Hi"}],
        [{"text": "Is that good?"}],
    )
    assert "an answer" in json.dumps(first["answer"])
    assert "a judgement" in json.dumps(second["answer"])


@pytest.mark.parametrize(
    ("settings", "policy", "said"),
    [
        ({}, PluginPolicy(), "nothing would take out"),
        ({}, PluginPolicy(middleware=("redaction",)), "nothing would take out"),
        ({}, PluginPolicy(middleware=("audit", "redaction")), "nothing would take out"),
        ({}, PluginPolicy(middleware=("redaction", "audit"), deny=("redaction",)), "redaction is switched off"),
        ({}, PluginPolicy(middleware=("redaction", "audit"), deny=("audit",)), "audit is switched off"),
        ({"audit_raw": True}, BEHIND, "say one of them"),
    ],
)
def test_nothing_is_kept_by_mistake(
    running: Start, path: Path, settings: dict[str, Any], policy: PluginPolicy, said: str
) -> None:
    with pytest.raises(ConfigError, match=said):
        running(Scripted(), plugins=policy, settings={"audit": str(path), **settings})
    assert not path.exists()


@pytest.mark.parametrize("table", [{"audit_raw": "yes"}, {"audit_max_record": 0}, {"audit_max_file": -1}, {"audit": 1}])
def test_settings_that_are_none_are_named(table: dict[str, Any]) -> None:
    with pytest.raises(ConfigError, match=next(iter(table))):
        read_settings(table)


def test_it_is_told_when_the_gateway_starts(running: Start, path: Path, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING, "ipfs_accel_gateway"):
        running(Scripted(), plugins=BEHIND, settings={"audit": str(path)})
        running(Scripted(), settings={"audit": str(path), "audit_raw": True})
    redacted, raw = [record.getMessage() for record in caplog.records if "audit" in record.getMessage()]
    assert (
        redacted
        == f"gateway.audit: what is asked and answered is kept in {path}, as the middleware redaction leaves it"
    )
    assert raw == f"gateway.audit: what is asked and answered is kept in {path}, as it is"


def test_a_file_that_cannot_be_written_is_named(running: Start, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"gateway\.audit: cannot write .*: Is a directory"):
        running(Scripted(), settings={"audit": str(tmp_path), "audit_raw": True})


@pytest.mark.parametrize("is_raw", [False, True], ids=["redacted", "raw"])
def test_a_line_has_an_end(running: Start, http: httpx.Client, path: Path, is_raw: bool) -> None:
    policy = PluginPolicy() if is_raw else BEHIND
    settings = {"audit": str(path), "audit_raw": is_raw, "audit_max_record": 2000}
    at = running(Scripted(lambda _request: "answer " * 100_000), plugins=policy, settings=settings)
    http.post(at.url + ASK, json=body("scripted/any", "word " * 200_000))
    http.post(at.url + ASK, json=body("scripted/any", "word", messages=[{"role": "user", "content": "w"}] * 9999))
    at.close()
    long, many = path.read_bytes().splitlines()
    assert len(long) < 6000
    assert len(many) < 60_000
    assert "more letters>" in long.decode()


def test_what_is_no_text_is_told_by_its_size(running: Start, http: httpx.Client, path: Path) -> None:
    spoken = SpeakResponse(data=b"\x00\xff" * 50, media_type="audio/wav")
    at = running(Scripted([spoken]), settings={"audit": str(path), "audit_raw": True})
    asked = {"model": "scripted/any", "input": "Say it", "voice": "any"}
    assert len(http.post(f"{at.url}/v1/audio/speech", json=asked).content) == 100
    at.close()
    assert lines(path)[0]["said"] == [{"operation": "speak", "request": asked, "answer": "<100 bytes>"}]


def test_words_of_any_kind_become_json() -> None:
    deep: Any = "end"
    for _ in range(500):
        deep = [deep]
    found = _Words(10_000).plain({"a": (1, 2.5, None, True), "b": b"xyz", "c": object(), "d": deep, "e": "\ud800"})
    assert (found["a"], found["b"], found["c"], found["e"]) == ([1, 2.5, None, True], "<3 bytes>", "<object>", "\ud800")
    assert "<left out>" in json.dumps(found["d"])


def test_a_full_file_is_put_aside_and_one_that_was_moved_is_begun_anew(path: Path) -> None:
    file = AuditFile(str(path), 100)
    for number in range(5):
        file.add(b"%038d\n" % number)
    file.close()
    aside = path.with_name(f"{path.name}.1")
    assert [int(each) for each in aside.read_bytes().split()] == [2, 3]
    assert [int(each) for each in path.read_bytes().split()] == [4]
    file = AuditFile(str(path), 100)
    moved = path.rename(path.with_name("moved"))
    file.add(b"after\n")
    file.close()
    assert (moved.read_bytes()[-3:], path.read_bytes()) == (b"04\n", b"after\n")
    assert {stat.S_IMODE(each.stat().st_mode) for each in (path, aside)} == {0o600}


def test_a_file_that_others_may_read_is_closed_to_them(path: Path) -> None:
    path.write_text("before\n")
    path.chmod(0o644)
    AuditFile(str(path), 100).close()
    assert (stat.S_IMODE(path.stat().st_mode), path.read_text()) == (0o600, "before\n")


def test_a_disk_that_fails_is_told_once(path: Path, caplog: pytest.LogCaptureFixture) -> None:
    file = AuditFile(str(path), 100)
    path.rename(path.with_name("moved"))
    path.mkdir()
    with caplog.at_level(logging.ERROR, "ipfs_accel_gateway"):
        file.add(b"one\n")
        file.add(b"two\n")
        file.close()
    assert [record.getMessage() for record in caplog.records] == ["gateway.audit: lines are lost: Is a directory"]


def test_without_an_audit_nothing_is_kept_and_its_hook_does_nothing(running: Start, http: httpx.Client) -> None:
    at = running(Scripted(echo), plugins=PluginPolicy(middleware=("audit",)))
    assert "I write" in http.post(at.url + ASK, json=body("scripted/any")).text
    assert at.gateway._observers._layers == []


def test_a_configuration_that_would_keep_too_much_changes_nothing(
    running: Start, http: httpx.Client, path: Path
) -> None:
    at = running(Scripted(echo), plugins=BEHIND, settings={"audit": str(path)})
    http.post(at.url + ASK, json=body("scripted/any"))
    gateway, config = at.gateway, at.gateway._config

    def change(policy: PluginPolicy, **settings: Any) -> None:
        wanted = gateway.change(attrs.evolve(config, plugins=policy), attrs.evolve(gateway.settings, **settings))
        asyncio.run_coroutine_threadsafe(wanted, at.loop).result(60)

    with pytest.raises(ConfigError, match="nothing would take out"):
        change(PluginPolicy())
    http.post(at.url + ASK, json=body("scripted/any"))
    change(PluginPolicy(), audit=None)
    http.post(at.url + ASK, json=body("scripted/any"))
    change(BEHIND, audit=str(path))
    http.post(at.url + ASK, json=body("scripted/any"))
    at.close()
    assert [line["said"][0]["request"]["messages"][0]["content"] for line in lines(path)] == [
        [{"text": "Write to [EMAIL_1]"}]
    ] * 3
