"""POST /chat/completions with a body of the Responses API, as Cursor sends it; the answer is one of a chat.

Cursor takes what a tool is given as free text in the arguments of a function, and sends it back so
(github.com/icebear0828/codex-proxy/pull/708).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import attrs
from ipfs_accel.types import BlockEnd, BlockStart, ChatResponse, Part, ToolCall, ToolCallDelta

from ._openai import asks_for_usage
from ._responses_requests import conversation, options
from ._responses_tools import as_input, called
from .openai_chat import Chat, Writer

__all__ = ["CHAT_OF_ITEMS"]


class _ChatOfItems(Chat):
    name = "openai.chat.items"

    def read(self, members: Mapping[str, Any], *, lenient: bool) -> tuple[Any, dict[str, Any]]:
        """Return messages and options of a chat."""
        said = {name: value for name, value in members.items() if name != "messages"}
        found = options(said, lenient=lenient)
        return conversation(said, lenient=lenient), found

    def write(self, answer: ChatResponse, members: Mapping[str, Any], model: str) -> bytes:
        """Return a whole answer."""
        free = _free(members)
        if free and answer.tool_calls:
            choice = answer.choices[0]
            parts = [_as_text(part, free) for part in choice.message.content]
            message = attrs.evolve(choice.message, content=parts)
            answer = attrs.evolve(answer, choices=(attrs.evolve(choice, message=message),))
        return super().write(answer, members, model)

    def writer(self, members: Mapping[str, Any], model: str) -> Writer:
        """Return what writes the chunks of a stream."""
        return _Writer(model, _free(members), tells_usage=asks_for_usage(members))


CHAT_OF_ITEMS = _ChatOfItems()


def _free(members: Mapping[str, Any]) -> set[str]:
    return {name for name, how in called(members).items() if how.is_free}


def _as_text(part: Part, free: set[str]) -> Part:
    if isinstance(part, ToolCall) and part.name in free:
        return attrs.evolve(part, arguments=as_input(part))
    return part


class _Writer(Writer):
    """Tells what is free text once it is whole: as long as it comes it is JSON."""

    def __init__(self, model: str, free: set[str], *, tells_usage: bool) -> None:
        super().__init__(model, tells_usage=tells_usage)
        self._free = free
        self._held: set[int] = set()

    def event(self, event: Any) -> bytes:
        """Return a chunk."""
        kind = type(event)
        if kind is BlockStart and event.type == "tool_call" and event.name in self._free:
            self._held.add(event.block)
        elif kind is ToolCallDelta and event.block in self._held:
            return b""
        elif kind is BlockEnd and event.block in self._held:
            event = ToolCallDelta(as_input(event.part), event.choice, event.block)
        return super().event(event)
