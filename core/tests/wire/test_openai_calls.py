"""Tool calls in streams of OpenAI's dialect, however a host numbers and names their pieces."""

from __future__ import annotations

import json
from typing import Any

import pytest
from ipfs_accel._headers import Headers
from ipfs_accel.plans import HttpResponse
from ipfs_accel.types import BlockEnd, BlockStart, ToolCall, ToolCallDelta
from ipfs_accel.wire.assembler import chat_assembler
from ipfs_accel.wire.openai_answers import read_chat
from ipfs_accel.wire.openai_streams import ChatDecoder
from ipfs_accel.wire.sse import ServerSentEvent

Piece = dict[str, Any]


def piece(index: Any = 0, id: Any = None, name: Any = None, arguments: Any = "") -> Piece:  # noqa: A002 - the field's own name
    found = {"index": index, "id": id, "function": {"name": name, "arguments": arguments}}
    return {key: value for key, value in found.items() if value is not None}


def run(*deltas: Any, reason: str = "tool_calls") -> tuple[tuple[ToolCall, ...], list[Any]]:
    """Return the calls, and the events, of a stream with these `tool_calls` in its deltas."""
    out, decode = chat_assembler(merge=True), ChatDecoder()
    for delta in deltas:
        decode(
            ServerSentEvent(data=json.dumps({"id": 7, "choices": [{"index": 0, "delta": {"tool_calls": delta}}]})), out
        )
    decode(ServerSentEvent(data=json.dumps({"choices": [{"index": 0, "delta": {}, "finish_reason": reason}]})), out)
    answer = out.conclude()
    assert answer.id == "7"
    return answer.tool_calls, out.take()


A, B, C = ("a", "f", '{"x":1}'), ("b", "f", '{"x":2}'), ("c", "g", "{}")


def calls(*wanted: tuple[str, str, str]) -> tuple[ToolCall, ...]:
    return tuple([ToolCall(id=given, name=name, arguments=arguments) for given, name, arguments in wanted])


STREAMS: dict[str, tuple[list[tuple[str, str, str]], list[Any]]] = {
    "all 0, a chunk each": ([A, B, C], [[piece(0, *A)], [piece(0, *B)], [piece(0, *C)]]),
    "all 0, one chunk": ([A, C, B], [[piece(0, *A), piece(0, *C), piece(0, *B)]]),
    "all 0, in pieces": ([A, B], [[piece(0, "a", "f")], [piece(arguments=A[2])], [piece(0, "b", "f")], [piece(arguments=B[2])]]),
    "all 0, none with arguments": ([("a", "f", ""), ("b", "f", "")], [[piece(0, "a", "f")], [piece(0, "b", "f")]]),
    "all 0, told apart by id": ([A, C], [[piece(0, "a", "f", '{"x"')], [piece(0, *C)], [piece(0, "a", None, ":1}")]]),
    "all 0, without ids": ([("call_0", "f", "{}"), ("call_1", "g", "{}")], [[piece(0, None, "f", "{}")], [piece(0, None, "g", "{}")]]),
    "id and name in every piece": ([A], [[piece(0, "a", "f", '{"x"')], [piece(0, "a", "f", ":1}")]]),
    "another id in every piece": ([A], [[piece(0, "a", "f")], [piece(0, "y", None, '{"x"')], [piece(0, "z", "", ":1}")]]),
    "another id and the name": ([A], [[piece(0, "a", "f", '{"x"')], [piece(0, "y", "f", ":1}")]]),
    "another number for every piece": ([A, C], [[piece(0, "a", "f")], [piece(1, arguments='{"x"')], [piece(2, "a", None, ":1}")], [piece(3, *C)]]),
    "numbers from 1": ([A, C], [[piece(1, "a", "f")], [piece(1, arguments=A[2])], [piece(2, *C)]]),
    "the same id for two": ([("a", "f", ""), ("a_1", "g", "{}")], [[piece(0, "a", "f")], [piece(1, "a", "g", "{}")]]),
    "the same id, without index": ([A, ("a_1", "f", B[2]), ("a_2", "g", "{}")], [[piece(None, *A)], [piece(None, "a", *B[1:])], [piece(None, "a", "g", "{}")]]),
    "the same id and index": ([A, ("a_1", "f", B[2]), ("a_2", "g", "{}")], [[piece(0, *A)], [piece(0, "a", *B[1:])], [piece(0, "a", "g", "{}")]]),
    "the same id and index, in pieces": ([A, ("a_1", "g", B[2])], [[piece(0, "a", "f", '{"x"')], [piece(0, arguments=":1}")], [piece(0, "a", "g", '{"x"')], [piece(0, "a", None, ":2}")]]),
    "the same id, late": ([A, ("a_1", "f", B[2])], [[piece(0, "a", *A[1:])], [piece(1, None, "f", '{"x"')], [piece(1, "a", None, ":2}")]]),
    "the whole call again": ([A, C], [[piece(0, *A)], [piece(0, *A)], [piece(1, *C)], [piece(1, *C)]]),
    "name late": ([A], [[piece(0, "a", None, '{"x"')], [piece(0, None, "f", ":1}")]]),
    "name empty": ([A], [[piece(0, "a", "", "")], [piece(0, "a", "f", A[2])]]),
    "id late": ([A], [[piece(0, None, "f", '{"x"')], [piece(0, "a", None, ":1}")]]),
    "id empty": ([A], [[piece(0, "", "f")], [piece(0, "a", None, A[2])]]),
    "id late, without index": ([A], [[piece(None, None, "f", '{"x"')], [piece(None, "a", None, ":1}")]]),
    "ids that are numbers": ([("123", "f", "{}"), ("0", "g", "{}")], [[piece(0, 123, "f", "{}")], [piece(1, 0, "g", "{}")]]),
    "one object for a list": ([A], [piece(0, *A)]),
    "no object around name and arguments": ([A], [[{"index": 0, "id": "a", "name": "f", "arguments": A[2]}]]),
    "what is no call": ([A], [[None, piece(0, *A), 5]]),
}  # fmt: skip


@pytest.mark.parametrize("name", STREAMS)
@pytest.mark.parametrize("reason", ["tool_calls", "stop"])
def test_calls_come_whole(name: str, reason: str) -> None:
    wanted, deltas = STREAMS[name]
    found, events = run(*deltas, reason=reason)
    assert found == calls(*wanted)
    starts = [event for event in events if isinstance(event, BlockStart)]
    assert [(event.id, event.name) for event in starts] == [each[:2] for each in wanted]
    assert [event.part for event in events if isinstance(event, BlockEnd)] == list(calls(*wanted))
    for start, each in zip(starts, wanted, strict=True):
        pieces = [event for event in events if isinstance(event, ToolCallDelta) and event.block == start.block]
        assert "".join([event.arguments for event in pieces]) == each[2]
        assert all(events.index(start) < events.index(event) for event in pieces)


def test_a_name_that_never_comes_does_not_hold_the_call_back_for_ever() -> None:
    found, events = run([piece(0, "a", None, "{}")])
    assert found == calls(("a", "", "{}"))
    assert [type(event) for event in events[:3]] == [BlockStart, ToolCallDelta, BlockEnd]


def test_a_call_without_an_id_is_told_with_its_second_piece() -> None:
    out, decode = chat_assembler(merge=True), ChatDecoder()
    for arguments in ('{"x"', ":1"):
        delta = {"tool_calls": [piece(0, None, "f" if arguments[0] == "{" else None, arguments)]}
        decode(ServerSentEvent(data=json.dumps({"choices": [{"index": 0, "delta": delta}]})), out)
    first, *pieces = out.take()
    assert (first.id, first.name) == ("call_0", "f")
    assert "".join([event.arguments for event in pieces]) == '{"x":1'


def test_a_whole_answer_has_an_id_for_each_call() -> None:
    said = [{"id": "a", "function": {"name": name, "arguments": "{}"}} for name in ("f", "g", "h")]
    choice = {"index": 0, "message": {"content": None, "tool_calls": said}, "finish_reason": "tool_calls"}
    answer = read_chat(HttpResponse(status=200, headers=Headers([]), body=json.dumps({"choices": [choice]}).encode()))
    assert answer.tool_calls == calls(("a", "f", "{}"), ("a_1", "g", "{}"), ("a_2", "h", "{}"))


@pytest.mark.parametrize("arguments", [{}, {"arguments": None}, {"arguments": ""}], ids=["absent", "null", "empty"])
def test_a_call_without_arguments_has_none_whole_and_streamed(arguments: Piece) -> None:
    call = {"index": 0, "id": "a", "function": {"name": "f", **arguments}}
    choice = {"index": 0, "message": {"content": None, "tool_calls": [call]}, "finish_reason": "tool_calls"}
    whole = read_chat(HttpResponse(status=200, headers=Headers([]), body=json.dumps({"choices": [choice]}).encode()))
    streamed, _ = run([call])
    assert whole.tool_calls == streamed
    assert streamed[0].parse_arguments() == {}


@pytest.mark.parametrize("given", [123, "123"])
@pytest.mark.parametrize("as_list", [True, False])
def test_a_whole_answer_is_read_alike(given: Any, as_list: bool) -> None:
    call = {"id": given, "type": "function", "function": {"name": "f", "arguments": {"x": 1}}}
    message = {"content": None, "tool_calls": [call] if as_list else call}
    body = {"id": 77, "choices": [{"index": 0, "message": message, "finish_reason": "tool_calls"}]}
    answer = read_chat(HttpResponse(status=200, headers=Headers([]), body=json.dumps(body).encode()))
    assert (answer.id, answer.tool_calls) == ("77", calls(("123", "f", '{"x":1}')))
