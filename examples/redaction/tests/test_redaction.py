"""Redaction: what goes out, what comes back, whole and in pieces, and what it says where it cannot search."""

from __future__ import annotations

import itertools
import json
import re
import time
from typing import Any

import anyio
import pytest
from hypothesis import given
from hypothesis import strategies as st
from ipfs_accel import AsyncClient, CacheConfig, Client, Config, EndpointConfig, Image, Message, hookimpl
from ipfs_accel.errors import ConfigError
from ipfs_accel.plans import Local
from ipfs_accel.testing import Connection, Scripted, json_reply, serve, sse_reply
from ipfs_accel.testing.stream_rules import check
from ipfs_accel.types import EmbedRequest, ModerateRequest, ModerateResponse, TextDelta, ToolCall, ToolCallDelta
from ipfs_accel_redaction import Redaction, UnseenError
from ipfs_accel_redaction._finder import KINDS, Finder
from ipfs_accel_redaction._vault import Vault

CARD = "4111 1111 1111 1111"
TEXT = f"Write to ada@example.com about card {CARD}."
HIDDEN = "Write to [EMAIL_1] about card [CARD_1]."
TOOL = {"name": "send", "parameters": {"type": "object", "properties": {}}}


class Echo(Scripted):
    """Repeats what it was asked, character by character, or calls a tool with it."""

    def __init__(self, name: str = "echo") -> None:
        super().__init__(self.say, name=name)

    def say(self, request: Any) -> Any:
        if isinstance(request, EmbedRequest):
            return [[len(text)] for text in request.inputs]
        if isinstance(request, ModerateRequest):
            return ModerateResponse(results=())
        text = f"echo {request.messages[-1].text}"
        if request.tools:
            return ToolCall(id="1", name=request.tools[0].name, arguments=json.dumps({"text": text}))
        return list(text)

    def note(self, given: str, answer: Any = None) -> Any:
        self.requests.append(given)
        return answer

    @hookimpl
    def delete_file(self, file: str) -> Any:
        return Local(run=lambda _job: self.note(file))

    @hookimpl
    def calls(self) -> Any:
        return {"shout": lambda _endpoint, *, text: Local(run=lambda _job: self.note(text, {"said": text.upper()}))}


def found(text: str, **patterns: str) -> list[tuple[str, str]]:
    pieces: list[tuple[str, str]] = []
    Finder(KINDS | patterns).replace(text, lambda kind, piece: pieces.append((kind, piece)) or "")  # type: ignore[func-returns-value]
    return pieces


@pytest.mark.parametrize(
    ("text", "kind", "piece"),
    [
        ("mail ada.lovelace+x@mail.example.co.uk.", "EMAIL", "ada.lovelace+x@mail.example.co.uk"),
        ("Ünïcode: jürgen@exämple.de", "EMAIL", "jürgen@exämple.de"),
        (f"card {CARD}!", "CARD", CARD),
        ("5500-0000-0000-0004", "CARD", "5500-0000-0000-0004"),
        ("378282246310005", "CARD", "378282246310005"),
        ("OPENAI_API_KEY=sk-proj-abcdefghijklmnop1234", "KEY", "sk-proj-abcdefghijklmnop1234"),
        ("ghp_" + "a1" * 18, "KEY", "ghp_" + "a1" * 18),
        ("AKIAIOSFODNN7EXAMPLE", "KEY", "AKIAIOSFODNN7EXAMPLE"),
        (
            "-----BEGIN RSA PRIVATE KEY-----\nMIIE\n-----END RSA PRIVATE KEY-----",
            "KEY",
            "-----BEGIN RSA PRIVATE KEY-----\nMIIE\n-----END RSA PRIVATE KEY-----",
        ),
    ],
)
def test_what_is_found(text: str, kind: str, piece: str) -> None:
    assert found(text) == [(kind, piece)]


@pytest.mark.parametrize(
    "text",
    ["4111 1111 1111 1112", "12345678901234567890123", "a @ b", "user@host", "task-force-sk-1", "3.14159265358979"],
)
def test_what_is_not(text: str) -> None:
    assert found(text) == []


def test_no_text_takes_long() -> None:
    began = time.process_time()  # of this process alone
    for text in ("a" * 10**5, "a@" * 10**5, "1 " * 10**5, "eyJ" * 10**5, "-----BEGIN PRIVATE KEY-----" * 1000):
        found(text)
    assert time.process_time() - began < 5


def run(operation: str, echo: Echo, *middleware: Any, **arguments: Any) -> tuple[list[Any], Any]:
    """Perform a call in both worlds; they have to agree."""

    async def awaited() -> tuple[list[Any], Any]:
        async with AsyncClient(plugins=[echo], middleware=middleware) as client:
            made: Any = getattr(client, operation)(**arguments)
            if operation != "stream":
                return [], await made
            async with made as stream:
                return [event async for event in stream], stream.response

    with Client(plugins=[echo], middleware=middleware) as client:
        made: Any = getattr(client, operation)(**arguments)
        events = [*made] if operation == "stream" else []
        answer = made.response if operation == "stream" else made
    assert anyio.run(awaited) == (events, answer)
    return events, answer


@pytest.mark.parametrize("operation", ["chat", "stream"])
def test_nothing_that_was_found_is_on_the_wire(operation: str) -> None:
    done = {"index": 0, "finish_reason": "stop"}
    if operation == "chat":
        reply = json_reply({"choices": [{**done, "message": {"role": "assistant", "content": "To [EMAIL_1]"}}]})
    else:
        pieces = [{"choices": [{"index": 0, "delta": {"content": piece}}]} for piece in ("To [EM", "AIL_", "1]")]
        reply = sse_reply(*pieces, {"choices": [{**done, "delta": {}}]})

    def handle(connection: Connection) -> None:
        while connection.request() is not None:
            connection.send(reply.sent())

    with serve(handle) as server:
        endpoint = EndpointConfig(backend="openai", base_url=server.url, key="test")
        config = Config(environ={}, endpoints={"here": endpoint})
        with Client(config, middleware=[Redaction()]) as client:
            found: Any = getattr(client, operation)("here/m", TEXT, user="ada@example.com")
            answer = found if operation == "chat" else found.read()
    assert answer.text == "To ada@example.com"
    sent = json.loads(server.bodies[0])
    assert (sent["messages"][0]["content"], sent["user"]) == (HIDDEN, "[EMAIL_1]")
    assert b"ada@" not in server.bodies[0]


@pytest.mark.parametrize("operation", ["chat", "stream"])
def test_placeholders_go_out_and_the_originals_come_back(operation: str) -> None:
    echo = Echo()
    events, answer = run(operation, echo, Redaction(), model="echo/m", messages=TEXT)
    assert echo.requests[0].messages[0].text == HIDDEN
    assert answer.text == f"echo {TEXT}"
    if events:
        assert "".join(each.text for each in events if isinstance(each, TextDelta)) == f"echo {TEXT}"
        check(events, answer)


def test_the_arguments_of_a_tool_call_come_back_as_json() -> None:
    text = 'say "E-1" for ada@example.com'
    redaction = Redaction(patterns={"QUOTED": '"E-[0-9]"'})
    events, answer = run("stream", Echo(), redaction, model="echo/m", messages=text, tools=[TOOL])
    (call,) = answer.tool_calls
    assert call.parse_arguments() == {"text": f"echo {text}"}
    pieces = "".join(each.arguments for each in events if isinstance(each, ToolCallDelta))
    assert ToolCall(id="", name="", arguments=pieces).parse_arguments() == {"text": f"echo {text}"}


def test_a_conversation_begins_the_same_each_time_and_tools_are_searched() -> None:
    echo = Echo()
    first = [Message.system("Be ada@example.com"), Message.user("Who is bob@example.com?")]
    more = [
        Message.assistant("bob@example.com", ToolCall(id="1", name="f", arguments='{"to": "eve@example.com"}')),
        Message.tool("1", "from ada@example.com"),
        Message.user("And?"),
    ]
    with Client(plugins=[echo], middleware=[Redaction()]) as client:
        client.chat("echo/m", first)
        client.chat("echo/m", [*first, *more])
    one, two = [each.messages for each in echo.requests]
    assert [each.text for each in one] == ["Be [EMAIL_1]", "Who is [EMAIL_2]?"]
    assert two[:2] == one
    assert two[2].tool_calls[0].arguments == '{"to": "[EMAIL_3]"}'
    assert two[3].content[0].content[0].text == "from [EMAIL_1]"


def test_other_operations_are_searched_and_ids_are_left_alone() -> None:
    echo = Echo()
    with Client(plugins=[echo], middleware=[Redaction()]) as client:
        client.embed("echo/m", ["ada@example.com", "b"])
        assert client.call("echo", "shout", text="ada@example.com") == {"said": "ada@example.com"}
        client.delete_file("echo", "4111111111111111")
    assert echo.requests[0].inputs == ("[EMAIL_1]", "b")
    assert echo.requests[1:] == ["[EMAIL_1]", "4111111111111111"]


def test_a_placeholder_that_stood_there_before_is_nobodys() -> None:
    echo = Echo()
    _, answer = run("stream", echo, Redaction(), model="echo/m", messages="[EMAIL_1] is ada@example.com [EMAIL_")
    assert echo.requests[0].messages[0].text == "[EMAIL_1] is [EMAIL_2] [EMAIL_"
    assert answer.text == "echo [EMAIL_1] is ada@example.com [EMAIL_"


def test_the_cache_works_for_all_who_ask_alike(tmp_path: Any) -> None:
    echo = Echo()
    config = Config(cache=CacheConfig(path=str(tmp_path / "cache"), sampled=True))
    with Client(config, plugins=[echo], middleware=[Redaction()]) as client:
        assert client.chat("echo/m", "Hi ada@example.com").text == "echo Hi ada@example.com"
        assert client.chat("echo/m", "Hi bob@example.com").text == "echo Hi bob@example.com"
    assert len(echo.requests) == 1


def test_settings_hold() -> None:
    echo = Echo()
    _, kept = run("chat", echo, Redaction(restore=False, kinds=("EMAIL",)), model="echo/m", messages=TEXT)
    assert kept.text == f"echo Write to [EMAIL_1] about card {CARD}."
    _, seen = run("chat", echo, Redaction(trusted=("echo",)), model="echo/m", messages=TEXT)
    assert (seen.text, echo.requests[-1].messages[0].text) == (f"echo {TEXT}", TEXT)


def test_who_is_trusted_is_so_only_without_a_fallback_to_others() -> None:
    echo, other = Echo(), Echo("other")
    with Client(plugins=[echo, other], middleware=[Redaction(trusted=("echo",))]) as client:
        client.chat(["echo/m", "other/m"], TEXT)
    assert echo.requests[0].messages[0].text == HIDDEN


@pytest.mark.parametrize(
    "content",
    [Image(url="https://example.com/a.png"), Message.user("Look", Image(url="https://example.com/a.png")).content[1]],
)
def test_what_cannot_be_searched_may_be_refused(content: Any) -> None:
    echo = Echo()
    with Client(plugins=[echo], middleware=[Redaction(unseen="refuse")]) as client:
        client.chat("echo/m", "text alone")
        with pytest.raises(UnseenError, match="pictures, sound and documents cannot be searched"):
            client.chat("echo/m", [Message.user("What is this?", content)])
        with pytest.raises(UnseenError):
            client.moderate("echo/m", content)
    assert len(echo.requests) == 1


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"kinds": ("NAME",)}, "kinds: 'NAME' is not one of KEY, EMAIL, CARD"),
        ({"patterns": {"BAD": "("}}, r"patterns\.BAD: '\(' is no regular expression"),
        ({"patterns": {"bad": "x"}}, r"patterns\.bad: names are of capital letters"),
    ],
)
def test_settings_are_checked(settings: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        Redaction(**settings)


@given(
    st.lists(
        st.sampled_from(["[EMAIL_1]", "[EMAIL_12]", "[EMAIL", "_1]", "[", "]", "a", "1", "[X_1]", " "]), max_size=12
    ),
    st.lists(st.integers(0, 40), max_size=6),
)
def test_however_a_stream_is_cut_it_reads_as_the_whole(pieces: list[str], cuts: list[int]) -> None:
    vault = Vault([])
    for number in range(12):
        vault.hide("EMAIL", f"user{number}@example.com")
    text = "".join(pieces)
    bounds = sorted({0, len(text), *[cut for cut in cuts if cut < len(text)]})
    shown, held = "", ""
    for begin, end in itertools.pairwise(bounds):
        whole, held = vault.cut(held + text[begin:end])
        shown += vault.show(whole)
    assert shown + held == vault.show(text)
    assert re.search(r"\[EMAIL_1?\d\]", shown) is None
