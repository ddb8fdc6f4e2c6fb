"""Tools at servers of one's own: choices that they do not heed, and calls that were cut."""

from __future__ import annotations

import json
from typing import Any

import pytest
from ipfs_accel._headers import Headers
from ipfs_accel.plans import Held, Http, HttpResponse, post_json
from ipfs_accel.types import ChatRequest, Message, Tool
from ipfs_accel.wire.openai_answers import read_chat
from ipfs_accel.wire.tools import asked, watched

F, G = Tool(name="f"), Tool(name="g")


def wanted(choice: str | None, *tools: Tool, **options: Any) -> ChatRequest:
    return ChatRequest(model="m", messages=(Message.user("hi"),), tools=tools, tool_choice=choice, **options)


ASKED = [
    # server, choice, names of the tools that are sent, choice that is sent, what is lost
    ("llama.cpp", None, "f g", None, ()),
    ("llama.cpp", "auto", "f g", "auto", ()),
    ("llama.cpp", "none", "f g", "none", ()),
    ("llama.cpp", "required", "f g", "required", ()),
    ("llama.cpp", "g", "g", "required", ()),
    ("llama.cpp's Messages route", "none", "", None, ()),
    ("llama.cpp's Messages route", "g", "g", "required", ()),
    ("Ollama", "auto", "f g", "auto", ()),
    ("Ollama", "none", "", None, ()),
    ("Ollama", "required", "f g", None, ("tool_choice",)),
    ("Ollama", "g", "g", None, ("tool_choice",)),
    ("vLLM", "g", "f g", "g", ()),
    (None, "g", "f g", "g", ()),
]


@pytest.mark.parametrize(("server", "choice", "names", "sent", "lost"), ASKED)
def test_what_a_server_is_asked(
    server: str | None, choice: str | None, names: str, sent: str | None, lost: tuple[str, ...]
) -> None:
    request, found, told = asked(server, wanted(choice, F, G))
    assert (" ".join([tool.name for tool in request.tools]), request.tool_choice, found) == (names, sent, lost)
    assert (told is not None) is (names == "g" and sent == "required")
    if told is not None:
        assert "(f) cannot be called in this turn" in told


def test_one_tool_that_is_chosen_loses_none_and_nothing_is_told() -> None:
    request, lost, told = asked("llama.cpp", wanted("g", G, parallel_tool_calls=True))
    assert (request.tools, request.tool_choice, request.parallel_tool_calls, lost, told) == (
        (G,),
        "required",
        True,
        (),
        None,
    )


def test_several_calls_at_once_are_lost_where_the_others_cannot_be_called() -> None:
    request, lost, _ = asked("llama.cpp", wanted("g", F, G, parallel_tool_calls=True))
    assert (request.parallel_tool_calls, lost) == (None, ("parallel_tool_calls",))


def test_a_tool_is_not_sent_alone_beside_the_servers_own() -> None:
    request, lost, _ = asked("llama.cpp", wanted("g", F, G, extra={"tools": [{"type": "x"}]}))
    assert (request.tools, request.tool_choice, lost) == ((F, G), None, ("tool_choice",))


def read(plan: Any, content: str, reason: str = "length", calls: Any = None) -> Any:
    message = {"role": "assistant", "content": content, "tool_calls": calls}
    body = json.dumps({"choices": [{"index": 0, "message": message, "finish_reason": reason}]}).encode()
    return plan.parse(HttpResponse(status=200, headers=Headers([]), body=body))


CUT = [
    ('<tool_call> {"name":"g', ""),
    ('So. <tool_call>\n{"name": "get', "So."),
    ('<tool_call>{"name": "f"}</tool_call>\n<tool_call>{"na', '<tool_call>{"name": "f"}</tool_call>'),
    ('[TOOL_CALLS][{"name', ""),
    ('Well <|python_tag|>{"na', "Well"),
    ("<\uff5ctool\u2581calls\u2581begin\uff5c><\uff5ctool", ""),
]


@pytest.mark.parametrize("choice", [None, "required"])
@pytest.mark.parametrize(("said", "text"), CUT, ids=range(len(CUT)))
def test_a_call_that_was_cut_before_its_name_is_no_text(said: str, text: str, choice: str | None) -> None:
    plan = watched(Http(send=post_json("/", {}), parse=read_chat), wanted(choice, F))
    assert isinstance(plan, Held)
    assert plan.doubt is not None
    answer = read(plan.plan, said)
    assert (answer.text, answer.finish_reason) == (text, "length")
    assert "before its name was whole" in str(plan.doubt(answer))


@pytest.mark.parametrize(
    ("content", "reason", "calls"),
    [
        ('<tool_call> {"name":"g', "stop", None),  # what the model wrote, and ended itself
        ("once upon a", "length", None),
        ('<tool_call>{"name": "f"}</tool_call> and', "length", None),
        ("", "length", [{"id": "a", "function": {"name": "f", "arguments": '{"x'}}]),
        ("", "tool_calls", [{"id": "a", "function": {"name": "f", "arguments": "{}"}}]),
    ],
    ids=["ended", "text", "whole", "its arguments", "called"],
)
def test_other_answers_stay_as_they_are(content: str, reason: str, calls: Any) -> None:
    plan = watched(Http(send=post_json("/", {}), parse=read_chat), wanted(None, F))
    answer = read(plan.plan, content, reason, calls)
    assert (answer.text, len(answer.tool_calls)) == (content, len(calls or ()))
    assert plan.doubt(answer) is None


def test_a_demanded_call_that_did_not_come_was_cut_in_a_stream_too() -> None:
    plan = watched("a stream's plan", wanted("required", F))
    answer = read(Http(send=post_json("/", {}), parse=read_chat), "")
    assert plan.plan == "a stream's plan"
    assert "max_tokens" in str(plan.doubt(answer))
    assert "before anything came of it" in str(watched("…", wanted("auto", F)).doubt(answer))
    assert watched("…", wanted("auto", F)).doubt(read(Http(send=post_json("/", {}), parse=read_chat), "so")) is None
