"""Exchanges in OpenAI's dialect, for backends whose server speaks it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from .openai_media import MEDIA
from .replies import json_reply, sse_reply
from .trials import Exchange

__all__ = ["openai_exchanges"]

_USAGE = {"prompt_tokens": 3, "completion_tokens": 2, "total_tokens": 5}
_MODEL = {"id": "m", "object": "model", "created": 1_700_000_000, "owned_by": "acme"}


def _chunk(delta: dict[str, Any], finish_reason: str | None = None, **more: Any) -> dict[str, Any]:
    choice = {"index": 0, "delta": delta, "finish_reason": finish_reason}
    return {"id": "c1", "object": "chat.completion.chunk", "model": "m", "choices": [choice], **more}


def _chat(message: dict[str, Any], finish_reason: str) -> dict[str, Any]:
    choice = {"index": 0, "message": {"role": "assistant", **message}, "finish_reason": finish_reason}
    return {"id": "c1", "object": "chat.completion", "model": "m", "choices": [choice], "usage": _USAGE}


def _text_chunk(text: str, finish_reason: str | None = None) -> dict[str, Any]:
    choice = {"index": 0, "text": text, "finish_reason": finish_reason}
    return {"id": "c1", "object": "text_completion", "model": "m", "choices": [choice]}


def _tool(arguments: str, **first: Any) -> dict[str, Any]:
    name = {"name": "look"} if first else {}
    return {"tool_calls": [{"index": 0, **first, "function": {**name, "arguments": arguments}}]}


def _chat_call(client: Any, at: str) -> Any:
    return client.chat(f"{at}/m", "Hello", max_tokens=9)


def _stream_call(client: Any, at: str) -> Any:
    return client.stream(f"{at}/m", "Hello", max_tokens=9)


def _says(text: str) -> Callable[[Any], bool]:
    return lambda answer: (answer.text, answer.usage.input_tokens, answer.usage.output_tokens) == (text, 3, 2)


def _calls(answer: Any) -> bool:
    (call,) = answer.tool_calls
    return bool((call.id, call.name, call.parse_arguments()) == ("t1", "look", {"at": "ÄÖ"}))


_LAST = {"id": "c1", "object": "chat.completion.chunk", "model": "m", "choices": [], "usage": _USAGE}

_ALL = (
    Exchange(
        operation="chat",
        call=_chat_call,
        replies=json_reply(_chat({"content": "Grüß Gott"}, "stop")),
        check=_says("Grüß Gott"),
    ),
    Exchange(
        operation="chat",
        call=_chat_call,
        replies=json_reply(
            _chat(
                {
                    "content": None,
                    "tool_calls": [
                        {"id": "t1", "type": "function", "function": {"name": "look", "arguments": '{"at": "ÄÖ"}'}}
                    ],
                },
                "tool_calls",
            )
        ),
        check=_calls,
    ),
    Exchange(
        operation="stream",
        call=_stream_call,
        # The finish reason is the terminal signal already: what follows may be missing.
        replies=sse_reply(
            _chunk({"role": "assistant", "content": "Grüß"}),
            _chunk({"content": " Gott"}),
            _chunk({}, "stop"),
            _LAST,
            ends_with=3,
        ),
        check=_says("Grüß Gott"),
    ),
    Exchange(
        operation="stream",
        call=_stream_call,
        replies=sse_reply(
            _chunk(_tool("", id="t1", type="function")),
            _chunk(_tool('{"at"')),
            _chunk(_tool(': "ÄÖ"}')),
            _chunk({}, "tool_calls"),
            _LAST,
            ends_with=3,
        ),
        check=_calls,
    ),
    Exchange(
        operation="complete",
        call=lambda client, at: client.complete(f"{at}/m", "Once", max_tokens=9),
        replies=json_reply({**_text_chunk(" upon", "length"), "usage": _USAGE}),
        check=_says(" upon"),
    ),
    Exchange(
        operation="stream_complete",
        call=lambda client, at: client.stream_complete(f"{at}/m", "Once", max_tokens=9),
        replies=sse_reply(
            _text_chunk(" up"), _text_chunk("on"), _text_chunk("", "length"), {**_LAST, "choices": []}, ends_with=3
        ),
        check=_says(" upon"),
    ),
    Exchange(
        operation="embed",
        call=lambda client, at: client.embed(f"{at}/m", ["a", "b"]),
        replies=json_reply(
            {
                "object": "list",
                "model": "m",
                # Out of order on purpose: the index counts.
                "data": [
                    {"object": "embedding", "index": 1, "embedding": [0.5, 0.25]},
                    {"object": "embedding", "index": 0, "embedding": [1.0, -1.0]},
                ],
                "usage": {"prompt_tokens": 2, "total_tokens": 2},
            }
        ),
        check=lambda answer: [list(vector) for vector in answer.vectors] == [[1.0, -1.0], [0.5, 0.25]],
    ),
    Exchange(
        operation="list_models",
        call=lambda client, at: client.list_models(at),
        replies=json_reply({"object": "list", "data": [_MODEL]}),
        check=lambda models: [model.id for model in models] == ["m"],
    ),
    Exchange(
        operation="show_model",
        call=lambda client, at: client.show_model(f"{at}/m"),
        replies=json_reply(_MODEL),
        check=lambda model: bool(model.id == "m"),
    ),
    Exchange(
        operation="healthcheck",
        call=lambda client, at: client.healthcheck(at),
        replies=json_reply({"object": "list", "data": [_MODEL]}),
        check=lambda health: bool(health.ok),
    ),
)


def openai_exchanges(*, without: tuple[str, ...] = (), more: tuple[str, ...] = ()) -> tuple[Exchange, ...]:
    """Return an exchange or two for each operation of `ipfs_accel.wire.openai.OpenAICompatible`.

    Args:
        without: Operations that the server lacks, or answers in its own way.
        more: Operations of the dialect's other parts (`OpenAIAudio`, `OpenAIImages`, `OpenAIFiles`, and `moderate`).
    """
    for argument, names, known in (("without", without, _ALL), ("more", more, MEDIA)):
        unknown = set(names) - {each.operation for each in known}
        if unknown:
            raise ValueError(f"{argument}: {', '.join(sorted(unknown))} is not among them")
    wanted = [each for each in _ALL if each.operation not in without]
    return (*wanted, *[each for each in MEDIA if each.operation in more])
