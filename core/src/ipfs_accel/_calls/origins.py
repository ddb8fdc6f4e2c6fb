"""Whose words go where: what only a provider understands goes back to it, and to no other.

A message of a model knows where it is from. What else than text and calls it has - reasoning, signatures, opaque parts,
unknown members - goes back to the same host; what is signed for a model goes back to that model. A message that does
not know where it is from is sent as it is.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import attrs

from ipfs_accel.types import Audio, ChatRequest, Message, Opaque, Origin, Part, Reasoning, Text, ToolCall

if TYPE_CHECKING:
    from ipfs_accel.types import BatchRequest

__all__ = ["without_foreign"]

_DATE = re.compile(r"[-@](?:\d{8}|\d{4}-\d{2}-\d{2}|latest)$")
_SIGNED = {"signature", "thought_signature", "thoughtSignature", "reasoning_signature", "encrypted_content", "data"}
"""Members that only the model that wrote them can read, where they stand in what models think."""
_OWN_ONLY = {"redacted_thinking", "reasoning", "reasoning.encrypted"}
"""Types of parts that are thought and cannot be read by another model."""
_REMARKS = {"message", "function_call", "custom_tool_call", "tool_use"}
"""Types of opaque parts that may only add ids and the like to what stands in parts of its own."""


def without_foreign(request: Any, origin_of: Callable[[str], Origin]) -> tuple[Any, tuple[str, ...]]:
    """Return a chat, or a batch, without what is for others, and the names of what was left out.

    Args:
        request: The chat or the batch.
        origin_of: Gives whose words the answers of a model are, where the request goes.
    """
    if not isinstance(request, ChatRequest):
        return _batch_without_foreign(request, origin_of)
    messages, names = _conversation(request.messages, origin_of(request.model))
    return attrs.evolve(request, messages=messages), names


def _batch_without_foreign(
    request: BatchRequest, origin_of: Callable[[str], Origin]
) -> tuple[BatchRequest, tuple[str, ...]]:
    parts = [
        without_foreign(item.request, origin_of) if isinstance(item.request, ChatRequest) else (item.request, ())
        for item in request.items
    ]
    items = [attrs.evolve(item, request=kept) for item, (kept, _) in zip(request.items, parts, strict=True)]
    lost = [f"items[{index}].{name}" for index, (_, names) in enumerate(parts) for name in names]
    return attrs.evolve(request, items=tuple(items)), tuple(lost)


def _conversation(messages: Sequence[Message], here: Origin) -> tuple[tuple[Message, ...], tuple[str, ...]]:
    found: list[Message] = []
    lost: list[str] = []
    for index, message in enumerate(messages):
        origin = message.origin
        if origin is None or origin == here:
            found.append(message)
            continue
        is_same_host = (origin.backend, origin.host) == (here.backend, here.host)
        if is_same_host and _is_same_model(origin.model, here.model):
            found.append(message)
            continue
        keep = _unsigned if is_same_host else _plain
        kept, left_out = keep(message)
        found.append(kept)
        lost += [f"messages[{index}].{name}" for name in left_out]
    return tuple(found), tuple(lost)


def _is_same_model(one: str, other: str) -> bool:
    """Whether two ids are of one model: the results of a batch have the one with its date, requests often another."""
    return _DATE.sub("", one) == _DATE.sub("", other) and (_DATE.search(one) is None or _DATE.search(other) is None)


def _plain(message: Message) -> tuple[Message, list[str]]:
    """Return what of a message any provider may read: what was said and called."""
    lost = [*message.extra]
    content: list[Part] = []
    for part in message.content:
        if isinstance(part, Reasoning | Opaque):
            if not _is_remark(part):
                lost.append(_name(part))
        elif isinstance(part, ToolCall) and part.extra:
            lost += [f"tool_calls.{name}" for name in part.extra]
            content.append(attrs.evolve(part, extra={}))
        elif isinstance(part, Text) and (part.annotations or part.extra):
            lost += [f"text.{name}" for name in part.extra]
            content.append(Text(text=part.text))
        elif isinstance(part, Audio) and part.id is not None:
            content.append(attrs.evolve(part, id=None))
        else:
            content.append(part)
    return attrs.evolve(message, content=tuple(content), extra={}), lost


def _unsigned(message: Message) -> tuple[Message, list[str]]:
    """Return what of a message another model of the same host may read: all but what is signed."""
    lost: list[str] = []
    content: list[Part] = []
    # An id that a provider gave to a call stands for the thought that led to it, too.
    is_thoughtless = any(isinstance(part, Opaque) and _is_signed(part.data) for part in message.content)
    for part in message.content:
        if isinstance(part, Reasoning) and part.signature is not None:
            lost.append("reasoning")
        elif isinstance(part, Opaque) and (_is_signed(part.data) or (is_thoughtless and _is_remark(part))):
            lost += [] if _is_remark(part) else [_name(part)]
        elif isinstance(part, ToolCall | Text) and part.extra:
            extra, place = dict(_open(part.extra)), "text" if isinstance(part, Text) else "tool_calls"
            lost += [f"{place}.{name}" for name in part.extra if name not in extra]
            content.append(attrs.evolve(part, extra=extra))
        else:
            content.append(part)
    extra = dict(_open(message.extra))
    lost += [name for name in message.extra if name not in extra]
    return attrs.evolve(message, content=tuple(content), extra=extra), lost


def _open(extra: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    return ((name, value) for name, value in extra.items() if name not in _SIGNED and not _holds_signature(value))


def _holds_signature(value: Any) -> bool:
    """Whether a signature stands anywhere in what was said beside."""
    if isinstance(value, Mapping):
        return _is_signed(value) or any(_holds_signature(each) for each in value.values())
    return isinstance(value, list) and any(_holds_signature(each) for each in value)


def _is_signed(data: Mapping[str, Any]) -> bool:
    """Whether an object is what a model thought in a form that only it can read."""
    if data.get("type") in _OWN_ONLY:
        return any(data.get(name) for name in _SIGNED)
    return any(data.get(name) for name in _SIGNED if name not in {"data", "encrypted_content"})


def _is_remark(part: Part) -> bool:
    data = part.data if isinstance(part, Opaque) else {}
    return data.get("type") in _REMARKS and not data.keys() & {"content", "input", "arguments", "call_id"}


def _name(part: Part) -> str:
    return str(part.data.get("type", "part")) if isinstance(part, Opaque) else "reasoning"
