"""What models said in a conversation beside text and calls: how it goes back, and what a server does not take."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING, Any, TypeAlias

from ipfs_accel._beside import beside_call
from ipfs_accel.types import Audio, ChatRequest, Document, Image, Message, Reasoning, ToolCall

if TYPE_CHECKING:
    from ipfs_accel.types import BatchRequest, Request

__all__ = ["Takes", "beside_call", "joined_call", "kept_back", "kept_back_of_batch"]

Medium: TypeAlias = Image | Audio | Document
Takes: TypeAlias = Callable[[Message, Reasoning | Medium], bool]
"""Whether a server takes a thought, or a picture, sound or file, of a model's turn."""


def joined_call(call: dict[str, Any], extra: Mapping[str, Any]) -> dict[str, Any]:
    """Return a tool call as it goes back with what was said beside it, which `beside_call` read."""
    if not extra:
        return call
    joined = {**call, **extra}
    if isinstance(beside := extra.get("function"), Mapping):
        joined["function"] = {**beside, **call["function"]}
    return joined


def kept_back(messages: Iterable[Message], takes: Takes, *, extra: bool) -> tuple[str, ...]:
    """Name what a backend leaves out of models' turns, for the `kept_back` of a plan.

    Args:
        messages: The conversation.
        takes: Asked for each thought with a text, and for each medium but a sound that has an id to go back by.
        extra: Whether what else was said in messages and of calls goes back.
    """
    found: list[str] = []
    for index, message in enumerate(messages):
        if message.role != "assistant":
            continue
        lost: list[str] = []
        for part in message.content:
            if isinstance(part, ToolCall):
                lost += () if extra else [f"tool_calls.{name}" for name in part.extra]
            elif isinstance(part, Reasoning):
                lost += ["reasoning"] if part.text and not takes(message, part) else ()
            elif isinstance(part, Medium) and getattr(part, "id", None) is None and not takes(message, part):
                lost.append(part.kind)
        lost += () if extra else message.extra
        found += [f"messages[{index}].{name}" for name in lost]
    return tuple(found)


def kept_back_of_batch(request: BatchRequest, named: Callable[[ChatRequest], Iterable[str]]) -> tuple[str, ...]:
    """Name the same for a batch, given what names it for one of its chats."""
    asked: list[Request] = [item.request for item in request.items]
    chats = [(index, each) for index, each in enumerate(asked) if isinstance(each, ChatRequest)]
    return tuple([f"items[{index}].{name}" for index, chat in chats for name in named(chat)])
