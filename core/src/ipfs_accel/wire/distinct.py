"""Calls of tools that have one id in common, as some servers give it to all calls of an answer."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import attrs

from ipfs_accel.types import Message, ToolCall, ToolResult

from ._settled import tool_call_id

__all__ = ["distinct"]


def distinct(messages: Iterable[Message]) -> list[Message]:
    """Return a conversation in which each call of a turn has an id of its own.

    The results after the turn answer the calls of their id in the order in which they stand.
    """
    found: list[Message] = []
    waiting: dict[str, list[str]] = {}
    for message in messages:
        calls = message.tool_calls
        if calls:
            waiting = {}
            if len({call.id for call in calls}) < len(calls):
                message = _own_ids(message, waiting)  # noqa: PLW2901 - the same message, with other ids
        elif waiting:
            content = tuple([_answering(part, waiting) for part in message.content])
            message = attrs.evolve(message, content=content)  # noqa: PLW2901 - as above
        found.append(message)
    return found


def _own_ids(message: Message, waiting: dict[str, list[str]]) -> Message:
    parts: list[Any] = []
    used = {call.id for call in message.tool_calls}
    for part in message.content:
        if isinstance(part, ToolCall):
            known = waiting.setdefault(part.id, [])
            own = tool_call_id(part.id, len(parts), used) if known else part.id
            used.add(own)
            known.append(own)
            part = attrs.evolve(part, id=own)  # noqa: PLW2901 - the same call, with another id
        parts.append(part)
    return attrs.evolve(message, content=tuple(parts))


def _answering(part: Any, waiting: dict[str, list[str]]) -> Any:
    known = waiting.get(part.tool_call_id) if isinstance(part, ToolResult) else None
    if not known:
        return part
    return attrs.evolve(part, tool_call_id=known.pop(0) if len(known) > 1 else known[0])
