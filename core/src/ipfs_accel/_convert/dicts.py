"""Messages that are dicts, in the common wire form (that of OpenAI's chat completions) or as SDKs write their own."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from ipfs_accel._beside import THOUGHTS, beside_call
from ipfs_accel._suggest import did_you_mean
from ipfs_accel.errors import InvalidRequestError
from ipfs_accel.types import Audio, Document, Image, Message, Reasoning, Refusal, Text, ToolCall, ToolResult

if TYPE_CHECKING:
    from ipfs_accel.types import Part

__all__ = ["from_dict"]

_KEYS = {
    *("role", "content", "name", "tool_calls", "tool_call_id", "refusal", "annotations", "audio", "images"),
    *("tool_name", *THOUGHTS),
}
# What the SDKs' messages say beside that, which no server takes back.
_NOT_SENT = {"executed_tools", "parsed"}


def from_dict(message: Mapping[str, Any], before: Sequence[Message]) -> Message:
    """Read a message in the common wire form (that of OpenAI's chat completions), or as the SDK of a provider has it.

    Args:
        message: The dict.
        before: The messages before it.
    """
    role, content = message.get("role"), message.get("content")
    if len(message) == 2 and role is not None and role != "tool" and isinstance(content, str):  # noqa: PLR2004 - only these
        return Message(role=role, content=content)
    if message.get("type") == "message" or "parts" in message:
        from . import dumped  # noqa: PLC0415 - few callers have such messages

        return dumped.whole(message, before, _parts)
    # The SDKs' own messages, written as dicts, have null for what they do not say.
    unknown = {name: value for name, value in message.items() if name not in _KEYS and value is not None}
    if unknown and role != "assistant":
        _refuse_unknown(unknown)
    parts = _said(message)
    if role == "tool":
        call_id = _answered(message, before)
        return Message(role="tool", content=(ToolResult(tool_call_id=call_id, content=parts),))
    calls = message.get("tool_calls")
    if calls is not None and (isinstance(calls, str | Mapping) or not isinstance(calls, Iterable)):
        raise InvalidRequestError(f"tool_calls: expected a list of tool calls, got {type(calls).__name__}")
    for index, call in enumerate(calls or ()):
        parts = (*parts, _tool_call(call, index))
    # What a host said beside goes back to it; whoever keeps it in a dict has to know to which one.
    extra = {str(name): value for name, value in unknown.items() if name not in _NOT_SENT}
    return Message(role=role, content=parts, name=message.get("name"), extra=extra)  # type: ignore[arg-type]


def _refuse_unknown(names: Iterable[Any]) -> None:
    unknown = sorted(str(name) for name in names if name not in _NOT_SENT)
    if unknown:
        raise InvalidRequestError(f"{unknown[0]}: unknown key", hint=did_you_mean(unknown[0], _KEYS))


def _answered(message: Mapping[str, Any], before: Sequence[Message]) -> str:
    """Return the id of the call that a message with a result answers; some servers have none, or the tool's name."""
    call_id, name = message.get("tool_call_id"), message.get("tool_name")
    if call_id == "" or (call_id is None and name is not None):
        from . import dumped  # noqa: PLC0415 - few callers have such messages

        call_id = dumped.answered(name, before)
    if not isinstance(call_id, str):
        raise InvalidRequestError("tool_call_id: a tool message has to name the call that it answers")
    return call_id


def _said(message: Mapping[str, Any]) -> tuple[Part, ...]:
    """Return the parts of a message but for its tool calls."""
    parts = _parts(message.get("content"))
    notes = message.get("annotations")
    if notes and len(parts) == 1 and isinstance(parts[0], Text):
        parts = (Text(text=parts[0].text, annotations=_notes(notes)),)
    where = next((name for name in THOUGHTS if message.get(name)), None)
    if where is not None:
        parts = (Reasoning(text=message[where], field=where), *parts)
    images, audio = message.get("images"), message.get("audio")
    if images or audio is not None:
        from . import dumped  # noqa: PLC0415 - few callers have such messages

        parts = (*parts, *dumped.media(images or (), audio))
    refusal = message.get("refusal")
    return (*parts, Refusal(text=refusal)) if refusal else parts


def _parts(content: Any) -> tuple[Part, ...]:
    """Read the content of a message that is a dict."""
    if content is None:
        return ()
    if isinstance(content, str):
        return (Text(text=content),) if content else ()
    if not isinstance(content, Sequence) or isinstance(content, bytes):
        raise InvalidRequestError(f"content: expected a string or parts, got {type(content).__name__}")
    return tuple([part for index, each in enumerate(content) for part in _part(each, f"content[{index}]")])


def _part(part: Any, where: str) -> tuple[Part, ...]:  # noqa: PLR0911 - one for each type
    if not isinstance(part, Mapping):
        return (Text(text=part) if isinstance(part, str) else part,)
    kind = part.get("type")
    if not isinstance(kind, str):
        raise InvalidRequestError(f"{where}.type: expected a string, got {type(kind).__name__}")
    value = part.get(kind)
    if kind in {"text", "input_text", "output_text"} and isinstance(part.get("text"), str):
        notes = _notes(part.get("annotations") or part.get("citations"))
        return (Text(text=part["text"], annotations=notes),)
    if kind == "image_url" and isinstance(value, Mapping) and isinstance(value.get("url"), str):
        return (Image(url=value["url"], detail=value.get("detail")),)
    if kind == "input_audio" and isinstance(value, Mapping) and isinstance(value.get("data"), str):
        return (Audio(url=f"data:audio/{value.get('format', 'wav')};base64,{value['data']}"),)
    if kind == "file" and isinstance(value, Mapping) and isinstance(value.get("file_data", value.get("file_id")), str):
        return (Document(url=value.get("file_data"), file_id=value.get("file_id"), name=value.get("filename")),)
    if kind == "refusal" and isinstance(value, str):
        return (Refusal(text=value),)
    return _other_part(part, where)


def _notes(notes: Any) -> Any:
    """Return annotations as a part has them; whether they are some is checked with the part."""
    return tuple(notes) if isinstance(notes, list) else notes or ()


def _other_part(part: Mapping[str, Any], where: str) -> tuple[Part, ...]:
    kind = part.get("type")
    known = ["text", "image_url", "input_audio", "file", "refusal"]
    if kind in known:
        raise InvalidRequestError(f"{where}.{kind}: missing or not of the right form")
    from . import dumped  # noqa: PLC0415 - few callers have such parts

    found = dumped.block(part, where, _parts)
    if not found:
        hint = f"known types: {', '.join(known)}; or use ipfs_accel.Image and its like"
        raise InvalidRequestError(f"{where}.type: {kind!r} is not a type of message part", hint=hint)
    return found


def _tool_call(call: Any, index: int) -> ToolCall:
    where = f"tool_calls[{index}]"
    function = (call.get("function") or call.get("custom")) if isinstance(call, Mapping) else None
    if not isinstance(function, Mapping) or not isinstance(function.get("name"), str):
        raise InvalidRequestError(f"{where}.function.name: missing")
    arguments = function.get("arguments") or function.get("input") or ""
    if isinstance(arguments, Mapping) and "type" not in call:  # Ollama's form, in which they are an object
        from . import dumped  # noqa: PLC0415 - few callers have such calls

        arguments = dumped.json_text(arguments, f"{where}.function.arguments")
    if not isinstance(arguments, str):
        raise InvalidRequestError(
            f"{where}.function.arguments: expected JSON text, got {type(arguments).__name__}",
            hint="write it as text: json.dumps(…)",
        )
    # A call without an id gets the one that it has in our own answers.
    return ToolCall(
        id=call.get("id") or f"call_{index}", name=function["name"], arguments=arguments, extra=beside_call(call)
    )
