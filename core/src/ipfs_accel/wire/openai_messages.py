"""OpenAI's dialect, inward: what stands in a message, or in the delta of one, wherever hosts put it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from ipfs_accel import types
from ipfs_accel._beside import THOUGHTS

from .fields import rest
from .halves import written

if TYPE_CHECKING:
    from ipfs_accel.types import Image

__all__ = [
    "CHOICE",
    "MESSAGE",
    "calls_of",
    "finish_reason",
    "function_of",
    "pictures",
    "plain",
    "thought_in",
    "thoughts",
    "unknown_in",
]

Json = dict[str, Any]

MESSAGE = frozenset(
    {"role", "content", "refusal", "audio", "images", "annotations", "tool_calls", "function_call", "name", *THOUGHTS}
)
"""What is read of a message or of a delta; everything else goes into the message's `extra`."""
CHOICE = frozenset({"index", "message", "delta", "text", "finish_reason", "logprobs", "usage", "error"})
"""What is read of a choice, likewise."""


def thought_in(message: Json) -> tuple[str | None, str]:
    """Return where a message or a delta has what the model thought, and the text; nothing if it has none."""
    for name in THOUGHTS:
        thought = message.get(name)
        if thought and type(thought) is str:
            return name, thought
    return None, ""


def unknown_in(message: Json) -> Json:
    """Return what a message or a delta says beside what is read here: it is kept, and goes back with the message."""
    found = rest(message, MESSAGE)
    for name in THOUGHTS:
        if (thought := message.get(name)) and not isinstance(thought, str):
            found[name] = thought
    return found


def calls_of(message: Json) -> list[Json]:
    """Return the tool calls of a message or of a delta; some hosts send one alone instead of a list."""
    calls = message.get("tool_calls") or ()
    return [call for call in ([calls] if isinstance(calls, dict) else calls) if isinstance(call, dict)]


def plain(content: Any) -> str:
    """Return the text of a message's content, whole or in parts."""
    if isinstance(content, list):
        return "".join([part.get("text") or "" for part in content if isinstance(part, dict)])
    return content or ""


def thoughts(content: Any) -> str:
    """Return what a model thought where that stands among the parts of its content, as Mistral has it."""
    found = [part for part in content if isinstance(part, dict)] if isinstance(content, list) else ()
    return "".join([plain(part.get("thinking")) for part in found if part.get("type") == "thinking"])


def pictures(message: Json) -> Iterator[Image]:
    """Return the pictures of a message or of a delta: OpenRouter's in `images`, or parts of the content."""
    content = message.get("content")
    found = (*(message.get("images") or ()), *(content if isinstance(content, list) else ()))
    for item in found:
        where = item.get("image_url") if isinstance(item, dict) else None
        url = where.get("url") if isinstance(where, dict) else where
        if isinstance(url, str) and url:
            yield types.Image(url=url)


def function_of(call: Json) -> tuple[str | None, str]:
    """Return name and arguments; MLC gives the arguments as an object, custom tools give free text."""
    function = call.get("function") or call.get("custom") or call
    arguments = function.get("arguments", function.get("input"))
    if arguments is not None and not isinstance(arguments, str):
        arguments = written(arguments)
    return function.get("name"), arguments or ""


def finish_reason(reason: Any) -> str | None:
    """Return why an answer ended, in OpenAI's words; what is in nobody's is kept as it is."""
    return _FINISH.get(reason, reason) or None


# Together; Mistral, Z.ai; Z.ai.
_FINISH = {
    "eos": "stop",
    "model_length": "length",
    "model_context_window_exceeded": "length",
    "sensitive": "content_filter",
}
