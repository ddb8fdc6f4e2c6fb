"""Nothing that a server said is lost on its way back to it, and none of it goes to another one."""

from __future__ import annotations

import copy
import json
import pickle
import warnings
from collections.abc import Callable, Iterator
from typing import Any

import anyio
import pytest
from ipfs_accel import AsyncClient, Client, Config, EndpointConfig, Message, Tool, UnsupportedParameterWarning
from ipfs_accel.errors import StreamIncomplete
from ipfs_accel.testing.raw_server import Connection, RawServer, answer, serve
from ipfs_accel.types import BatchItem, ChatRequest, ChatResponse, Reasoning, ToolCall

Json = dict[str, Any]
TOOLS = [Tool(name="look", parameters={"type": "object", "properties": {}})]
SIGNATURE = {"google": {"thought_signature": "c2lnbmF0dXJl"}}
CALL = {"id": "c1", "type": "function", "function": {"name": "look", "arguments": "{}"}}


def sse(*chunks: Json) -> bytes:
    lines = [f"data: {json.dumps(chunk)}\n\n" for chunk in chunks]
    return answer("".join([*lines, "data: [DONE]\n\n"]).encode(), content_type="text/event-stream")


def whole(message: Json, **beside: Any) -> bytes:
    choice = {"index": 0, "message": {"role": "assistant", **message}, "finish_reason": "stop", **beside}
    return answer(json.dumps({"id": "a", "model": "m", "choices": [choice]}).encode())


def streamed(*deltas: Json, **beside: Any) -> bytes:
    chunks = [{"choices": [{"index": 0, "delta": delta}]} for delta in deltas]
    return sse(*chunks, {"choices": [{"index": 0, "delta": {}, "finish_reason": "stop", **beside}]})


class Host:
    """A server that says one thing after the other and keeps what it was sent."""

    def __init__(self, *replies: bytes) -> None:
        self.replies = list(replies)
        self.asked: list[Json] = []

    def __call__(self, connection: Connection) -> None:
        while connection.request() is not None:
            self.asked.append(json.loads(connection.server.bodies[-1]))
            connection.send(self.replies.pop(0))

    @property
    def turn(self) -> Json:
        """The model's turn as it came back."""
        found: Json = next(each for each in self.asked[-1]["messages"] if each["role"] == "assistant")
        return found


def settings(server: RawServer, backend: str, **options: Any) -> EndpointConfig:
    base = server.url + ("" if backend in {"claude", "groq", "ollama"} else "/v1")
    return EndpointConfig(backend=backend, base_url=base, key="k", options=options)


def blocking(config: dict[str, EndpointConfig], *calls: tuple[bool, Any, Callable[[Any], Any]]) -> Any:
    reply: Any = None
    with Client(Config(), endpoints=config) as client:
        for streams, model, messages in calls:
            if streams:
                with client.stream(model, messages(reply), tools=TOOLS) as stream:
                    reply = stream.read()
            else:
                reply = client.chat(model, messages(reply), tools=TOOLS)
    return reply


def awaiting(config: dict[str, EndpointConfig], *calls: tuple[bool, Any, Callable[[Any], Any]]) -> Any:
    async def run() -> Any:
        reply: Any = None
        async with AsyncClient(Config(), endpoints=config) as client:
            for streams, model, messages in calls:
                if streams:
                    async with client.stream(model, messages(reply), tools=TOOLS) as stream:
                        reply = await stream.read()
                else:
                    reply = await client.chat(model, messages(reply), tools=TOOLS)
        return reply

    return anyio.run(run)


def first(_reply: Any) -> Any:
    return "Go"


def then(reply: ChatResponse) -> list[Message]:
    return [Message.user("Go"), reply.message, Message.user("on")]


@pytest.fixture(params=[blocking, awaiting], ids=["sync", "async"])
def ask(request: pytest.FixtureRequest) -> Any:
    return request.param


@pytest.fixture(autouse=True)
def _loud() -> Iterator[None]:
    """What is left out is a warning, and here that is an error unless it is expected."""
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        yield


DETAILS = [{"type": "reasoning.text", "text": "hm, so", "signature": "s", "index": 0}, {"type": "reasoning.encrypted", "data": "xx", "index": 1}]  # fmt: skip
SAID: dict[str, tuple[Json, list[Json]]] = {  # the message whole, and the deltas of the same as a stream
    "reasoning_content": ({"content": "a", "reasoning_content": "hm"}, [{"reasoning_content": "h"}, {"reasoning_content": "m"}, {"content": "a"}]),
    "reasoning": ({"content": "a", "reasoning": "hm"}, [{"reasoning": "h"}, {"content": "", "reasoning": "m"}, {"content": "a"}]),
    "reasoning_text": ({"content": "a", "reasoning_text": "hm", "reasoning_opaque": "xx"}, [{"reasoning_text": "hm"}, {"reasoning_opaque": "xx"}, {"content": "a"}]),
    "reasoning_details": (
        {"content": "a", "reasoning": "hm, so", "reasoning_details": DETAILS},
        [
            {"reasoning": "hm", "reasoning_details": [{"type": "reasoning.text", "text": "hm", "index": 0}]},
            {"reasoning": ", so", "reasoning_details": [{"type": "reasoning.text", "text": ", so", "index": 0}]},
            {"reasoning_details": [{"type": "reasoning.text", "signature": "s", "index": 0}]},
            {"reasoning_details": [{"type": "reasoning.encrypted", "data": "xx", "index": 1}]},
            {"content": "a"},
        ],
    ),
    "thinking in content": (
        {"content": [{"type": "thinking", "thinking": [{"type": "text", "text": "hm"}]}, {"type": "text", "text": "a"}]},
        [{"content": [{"type": "thinking", "thinking": [{"type": "text", "text": "h"}]}]}, {"content": [{"type": "thinking", "thinking": [{"type": "text", "text": "m"}]}]}, {"content": "a"}],
    ),
    "beside a call": ({"content": None, "tool_calls": [{**CALL, "extra_content": SIGNATURE}]}, [{"tool_calls": [{"index": 0, **CALL, "extra_content": SIGNATURE}]}]),
    "beside a call, later": (
        {"content": None, "tool_calls": [{**CALL, "extra_content": SIGNATURE}]},
        [{"tool_calls": [{"index": 0, **CALL, "function": {"name": "look", "arguments": ""}}]}, {"tool_calls": [{"index": 0, "function": {"arguments": "{}"}, "extra_content": SIGNATURE}]}],
    ),
    "in its function": (
        {"content": None, "tool_calls": [{**CALL, "function": {**CALL["function"], "thought_signature": "s"}}]},  # type: ignore[dict-item]
        [{"tool_calls": [{"index": 0, **CALL, "function": {**CALL["function"], "thought_signature": "s"}}]}],  # type: ignore[dict-item]
    ),
    "a call of another type": ({"content": None, "tool_calls": [{**CALL, "type": "builtin_function"}]}, [{"tool_calls": [{"index": 0, **CALL, "type": "builtin_function"}]}]),
    "a new object": ({"content": "a", "news": {"of": {"x": "hi", "n": 2}, "list": [1, 2]}}, [{"news": {"of": {"x": "h", "n": 1}}}, {"news": {"of": {"x": "i", "n": 2}}, "content": "a"}, {"news": {"list": [1, 2]}}]),
    "a tag in each piece": ({"content": "ab", "channel": "final"}, [{"content": "a", "channel": "final"}, {"content": "b", "channel": "final"}]),
}  # fmt: skip


@pytest.mark.parametrize("streams", [False, True], ids=["chat", "stream"])
@pytest.mark.parametrize("said", SAID)
def test_what_was_said_goes_back_as_it_was(said: str, streams: bool, ask: Any) -> None:
    message, deltas = SAID[said]
    host = Host(streamed(*deltas) if streams else whole(message), whole({"content": "end"}))
    with serve(host) as server:
        reply = ask({"x": settings(server, "openai")}, (streams, "x/m", first), (False, "x/m", then))
    assert reply.text == "end"
    assert host.turn == {"role": "assistant", **message}


@pytest.mark.parametrize("said", SAID)
def test_a_dict_sends_what_its_fields_say(said: str) -> None:
    message = {"role": "assistant", **SAID[said][0]}
    host = Host(whole({"content": "end"}))
    with serve(host) as server:
        blocking({"x": settings(server, "openai")}, (False, "x/m", lambda _reply: [message, Message.user("on")]))
    assert host.turn == message


def test_what_stands_beside_an_answer_is_kept_whole_and_streamed(ask: Any) -> None:
    host = Host(whole({"content": "a"}, stop_reason=7, filter={"a": 1}), streamed({"content": "a"}, stop_reason=7, filter={"a": 1}))  # fmt: skip
    with serve(host) as server:
        config = {"x": settings(server, "openai")}
        for streams in (False, True):
            assert ask(config, (streams, "x/m", first)).choices[0].extra == {"stop_reason": 7, "filter": {"a": 1}}


@pytest.mark.parametrize("streams", [False, True], ids=["chat", "stream"])
@pytest.mark.parametrize("said", SAID)
def test_to_another_host_only_what_anyone_may_read(said: str, streams: bool, ask: Any) -> None:
    message, deltas = SAID[said]
    there, here = Host(streamed(*deltas) if streams else whole(message)), Host(whole({"content": "end"}))
    with serve(there) as one, serve(here) as other:
        config = {"x": settings(one, "openai"), "y": settings(other, "openai")}
        with pytest.warns(UnsupportedParameterWarning, match=r"'y' is not told .* messages\[1\]"):
            ask(config, (streams, "x/m", first), (False, "y/m", then))
    plain = {"role": "assistant", "tool_calls": [CALL], "content": None}
    content = "ab" if said == "a tag in each piece" else "a"
    assert here.turn == (plain if "tool_calls" in message else {"role": "assistant", "content": content})


def test_another_model_of_the_host_gets_what_is_not_signed(ask: Any) -> None:
    message = {
        "content": "a",
        "reasoning": "hm",
        "reasoning_details": DETAILS,
        "tool_calls": [{**CALL, "extra_content": SIGNATURE, "note": 1}],
    }
    host = Host(whole(message), whole({"content": "end"}))
    with (
        serve(host) as server,
        pytest.warns(
            UnsupportedParameterWarning,
            match=r"messages\[1\]\.tool_calls\.extra_content, messages\[1\]\.reasoning_details",
        ),
    ):
        ask({"x": settings(server, "openai")}, (False, "x/m", first), (False, "x/other", then))
    assert host.turn == {"role": "assistant", "content": "a", "reasoning": "hm", "tool_calls": [{**CALL, "note": 1}]}


def test_on_a_fallback_what_cannot_travel_is_left_out_and_named(ask: Any) -> None:
    there, here = Host(whole({"content": "a", "reasoning": "hm"}), answer(b"{}", "503 Full")), Host(whole({"content": "end"}))  # fmt: skip
    with serve(there) as one, serve(here) as other:
        config = {"x": settings(one, "openai"), "y": settings(other, "openai")}
        with pytest.warns(UnsupportedParameterWarning, match=r"'y' is not told .* messages\[1\]\.reasoning"):
            reply = ask(config, (False, "x/m", first), (False, ["x/m", "y/m"], then))
    assert (reply.text, reply.call.endpoint) == ("end", "y")
    assert there.turn["reasoning"] == "hm"
    assert "reasoning" not in here.turn


@pytest.mark.parametrize(
    ("backend", "options", "sent"),
    [
        ("openai", {}, {"reasoning_content": "hm"}),
        ("openai", {"reasoning_field": "reasoning"}, {"reasoning": "hm"}),
        ("openai", {"reasoning_field": "content"}, {"content": [{"type": "thinking", "thinking": [{"type": "text", "text": "hm"}]}, {"type": "text", "text": "a"}]}),
        ("openai", {"reasoning_field": ""}, None),
        ("groq", {}, {"reasoning": "hm"}),
        ("ollama", {}, {"thinking": "hm"}),
        ("claude", {}, {"content": [{"type": "thinking", "thinking": "hm"}, {"type": "text", "text": "a"}]}),
        ("tgi", {}, None),
    ],
)  # fmt: skip
def test_reasoning_written_by_hand(backend: str, options: Json, sent: Json | None) -> None:
    message = Message(role="assistant", content=(Reasoning(text="hm"), "a"))
    replies = {
        "ollama": answer(json.dumps({"message": {"role": "assistant", "content": "end"}, "done": True}).encode()),
        "claude": answer(json.dumps({"id": "m", "type": "message", "role": "assistant", "content": [{"type": "text", "text": "end"}], "stop_reason": "end_turn", "usage": {}}).encode()),
    }  # fmt: skip
    host = Host(replies.get(backend, whole({"content": "end"})))
    with serve(host) as server, warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always")
        reply = blocking({"x": settings(server, backend, **options)}, (False, "x/m", lambda _reply: [message, Message.user("on")]))  # fmt: skip
    assert reply.text == "end"
    assert [str(each.message).rpartition(": ")[2] for each in told] == ([] if sent else ["messages[0].reasoning"])
    usual = {"role": "assistant", "content": "a"}
    assert host.turn == {**usual, **(sent or {})}


def test_a_host_that_refuses_what_it_does_not_know_is_not_sent_it() -> None:
    message = {"content": "a", "news": 1, "tool_calls": [{**CALL, "extra_content": SIGNATURE}]}
    host = Host(whole(message), whole({"content": "end"}))
    with (
        serve(host) as server,
        pytest.warns(
            UnsupportedParameterWarning, match=r"messages\[1\]\.tool_calls\.extra_content, messages\[1\]\.news"
        ),
    ):
        blocking({"x": settings(server, "openai", replays_extra=False)}, (False, "x/m", first), (False, "x/m", then))
    assert host.turn == {"role": "assistant", "content": "a", "tool_calls": [CALL]}


@pytest.mark.parametrize("streams", [False, True], ids=["chat", "stream"])
def test_what_ollama_says_beside_goes_back(streams: bool, ask: Any) -> None:
    call = {"id": "c1", "kind": "x", "function": {"index": 0, "name": "look", "arguments": {}, "signature": "s"}}
    message = {"role": "assistant", "content": "a", "tool_calls": [call], "news": {"of": 1}}
    body = {"model": "m", "message": message, "done": True, "done_reason": "stop"}
    end = {"model": "m", "message": {"role": "assistant", "content": "end"}, "done": True, "done_reason": "stop"}
    said, ended = ((json.dumps(each) + "\n").encode() for each in (body, end))
    host = Host(answer(said, content_type="application/x-ndjson") if streams else answer(said), answer(ended))
    with serve(host) as server:
        reply = ask({"x": settings(server, "ollama")}, (streams, "x/m", first), (False, "x/m", then))
    assert reply.text == "end"
    assert host.turn == message


BATCHES = {
    "openai": [{"id": "file-1", "object": "file"}, {"id": "b", "object": "batch", "status": "validating"}],
    "claude": [{"id": "b", "type": "message_batch", "processing_status": "in_progress", "request_counts": {}}],
}


@pytest.mark.parametrize("backend", BATCHES)
def test_a_batch_tells_nobody_what_another_said(backend: str) -> None:
    there, replies = Host(whole({"content": "a", "reasoning": "hm", "news": 1})), iter(BATCHES[backend])

    def here(connection: Connection) -> None:
        while connection.request() is not None:
            connection.send(answer(json.dumps(next(replies)).encode()))

    with serve(there) as one, serve(here) as other:
        config = {"x": settings(one, "openai"), "y": settings(other, backend)}
        with Client(Config(), endpoints=config) as client:
            said = then(client.chat("x/m", "Go"))
            item = BatchItem(id="1", request=ChatRequest(model="m", messages=tuple(said), max_tokens=5))
            named = r"'y' is not told .*: items\[0\]\.messages\[1\]\.news, items\[0\]\.messages\[1\]\.reasoning$"
            with pytest.warns(UnsupportedParameterWarning, match=named):
                client.create_batch("y/m", [item])
    sent = b"".join(other.bodies)
    assert b'"assistant"' in sent
    assert b"hm" not in sent
    assert b"news" not in sent


def test_thinking_without_a_signature_goes_back_to_its_host_alone(ask: Any) -> None:
    content = [{"type": "thinking", "thinking": "hm"}, {"type": "text", "text": "a"}]
    said = answer(json.dumps({"id": "m", "type": "message", "role": "assistant", "content": content, "stop_reason": "end_turn", "usage": {}}).encode())  # fmt: skip
    there, here = Host(said, said, said), Host(said)
    with serve(there) as one, serve(here) as other:
        config = {"x": settings(one, "claude"), "y": settings(other, "claude")}
        ask(config, (False, "x/m", first), (False, "x/m", then))
        with pytest.warns(UnsupportedParameterWarning, match=r"messages\[1\]\.reasoning"):
            ask(config, (False, "x/m", first), (False, "y/m", then))
    assert there.asked[1]["messages"][1]["content"] == content
    assert here.turn["content"] == "a"


def claude(*content: Json, model: str = "m") -> Json:
    return {"id": "a", "type": "message", "role": "assistant", "model": model, "content": [*content], "stop_reason": "end_turn", "usage": {}}  # fmt: skip


def claude_events(*blocks: tuple[Json, list[Json]]) -> bytes:
    events: list[Json] = [{"type": "message_start", "message": {**claude(), "stop_reason": None}}]
    for index, (block, deltas) in enumerate(blocks):
        events.append({"type": "content_block_start", "index": index, "content_block": block})
        events += [{"type": "content_block_delta", "index": index, "delta": delta} for delta in deltas]
        events.append({"type": "content_block_stop", "index": index})
    events += [{"type": "message_delta", "delta": {"stop_reason": "end_turn"}, "usage": {}}, {"type": "message_stop"}]
    lines = [f"event: {each['type']}\ndata: {json.dumps(each)}\n\n" for each in events]
    return answer("".join(lines).encode(), content_type="text/event-stream")


NOTED: Json = {"type": "text", "text": "ab", "note": {"x": 1}, "signature": "s"}
NOTED_DELTAS: list[Json] = [{"type": "text_delta", "text": "a", "note": {"x": 1}}, {"type": "text_delta", "text": "b"}]


@pytest.mark.parametrize("streams", [False, True], ids=["chat", "stream"])
def test_what_claude_says_beside_a_text_goes_back_to_who_said_it(streams: bool, ask: Any) -> None:
    begun = {"type": "text", "text": "", "citations": None, "signature": "s"}
    last = {"type": "text", "text": "c"}
    whole_answer = answer(json.dumps(claude(NOTED, last)).encode())
    said = claude_events((begun, NOTED_DELTAS), ({**last, "text": ""}, [{"type": "text_delta", "text": "c"}])) if streams else whole_answer  # fmt: skip
    there, here = Host(*[said, whole_answer] * 3), Host(whole_answer)
    with serve(there) as one, serve(here) as other:
        config = {"x": settings(one, "claude"), "y": settings(other, "claude")}
        ask(config, (streams, "x/m", first), (False, "x/m", then))
        assert there.turn["content"] == [NOTED, last]
        with pytest.warns(UnsupportedParameterWarning, match=r": messages\[1\]\.text\.signature$"):
            ask(config, (streams, "x/m", first), (False, "x/other", then))
        assert there.turn["content"] == [{name: each for name, each in NOTED.items() if name != "signature"}, last]
        with pytest.warns(UnsupportedParameterWarning, match=r"messages\[1\]\.text\.(signature|note), messages"):
            ask(config, (streams, "x/m", first), (False, "y/m", then))
    assert here.turn["content"] == [{"type": "text", "text": "ab"}, last]


@pytest.mark.parametrize("asked", ["m", "m-20260102", "m-20260103", "other"])
def test_results_of_a_batch_know_whose_words_they_are(asked: str, ask: Any) -> None:
    thought = {"type": "thinking", "thinking": "hm", "signature": "s"}
    text = {"type": "text", "text": "a"}
    result = {"custom_id": "1", "result": {"type": "succeeded", "message": claude(thought, text, model="m-20260102")}}
    url: list[str] = []

    def there(connection: Connection) -> None:
        while connection.request() is not None:
            if connection.server.bodies[-1]:
                connection.send(answer(json.dumps(claude(text)).encode()))
            elif "/results" in connection.server.heads[-1]:
                connection.send(answer((json.dumps(result) + "\n").encode(), content_type="application/x-jsonl"))
            else:
                counts = {"succeeded": 1, "errored": 0, "canceled": 0, "expired": 0, "processing": 0}
                batch = {"id": "b", "type": "message_batch", "processing_status": "ended", "request_counts": counts}
                connection.send(answer(json.dumps({**batch, "results_url": f"{url[0]}/v1/messages/batches/b/results"}).encode()))  # fmt: skip

    with serve(there) as server:
        url.append(server.url)
        config = {"x": settings(server, "claude")}
        with Client(Config(), endpoints=config) as client, client.batch_results("x", "b") as results:
            message = next(iter(results)).response.message  # type: ignore[union-attr]
        assert message.origin.model == "m-20260102"
        with warnings.catch_warnings(record=True) as told:
            warnings.simplefilter("always")
            ask(config, (False, f"x/{asked}", lambda _reply: [Message.user("Go"), message, Message.user("on")]))
    sent = json.loads(server.bodies[-1])["messages"][1]["content"]
    is_its_model = asked in {"m", "m-20260102"}
    assert sent == ([thought, text] if is_its_model else "a")
    assert bool(told) is not is_its_model


def test_messages_with_an_origin_can_be_copied_and_compared(ask: Any) -> None:
    host = Host(whole({"content": "a", "news": 1, "tool_calls": [{**CALL, "note": {"a": 1}}]}))
    with serve(host) as server:
        message = ask({"x": settings(server, "openai")}, (False, "x/m", first)).message
    for made in (copy.deepcopy(message), pickle.loads(pickle.dumps(message))):  # noqa: S301 - our own
        assert made == message
        assert (made.extra, made.origin, made.tool_calls[0].extra) == ({"news": 1}, message.origin, {"note": {"a": 1}})
    assert message == Message.assistant("a", ToolCall(id="c1", name="look", arguments="{}"))
    assert message.origin.model == "m"


def test_an_answer_that_broke_off_knows_where_it_is_from(ask: Any) -> None:
    body = json.dumps({"choices": [{"index": 0, "delta": {"content": "a"}}]})
    host = Host(answer(f"data: {body}\n\n".encode(), content_type="text/event-stream"))
    with serve(host) as server, pytest.raises(StreamIncomplete) as caught:
        ask({"x": settings(server, "openai")}, (True, "x/m", first))
    assert caught.value.partial.message.origin.host == server.url  # type: ignore[attr-defined]
