"""As `texts`, for the messages of chats: typed ones are checked, those in the common wire form are read."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, TypeVar

from ipfs_accel._suggest import did_you_mean
from ipfs_accel.errors import InvalidRequestError
from ipfs_accel.types import (
    Audio,
    Document,
    Image,
    Message,
    Messages,
    Part,
    Reasoning,
    Refusal,
    Text,
    ToolCall,
    ToolResult,
)
from ipfs_accel.types._messages import PARTS, ROLES

__all__ = ["checked_media", "checked_messages"]

T = TypeVar("T")

_MEDIA = (Image, Audio, Document)


def checked_messages(messages: Messages) -> tuple[Message, ...]:
    """Return the messages of a chat from whatever callers may write.

    Raises:
        InvalidRequestError: Something of it is no message; names its place.
    """
    if isinstance(messages, str):
        return (Message.user(messages),)
    if isinstance(messages, Message | Mapping):
        return (_message(messages, "messages"),)
    if not isinstance(messages, Iterable):
        raise InvalidRequestError(f"messages: expected a string or messages, got {type(messages).__name__}")
    found = tuple([_message(message, f"messages[{index}]") for index, message in enumerate(messages)])
    if not found:
        raise InvalidRequestError("messages: there is none")
    return found


def checked_media(value: T, where: str) -> T:
    """Refuse a picture, sound or document that says nothing, two things, or something else than it is.

    Raises:
        InvalidRequestError: As said; names the place. What is no medium passes.
    """
    if not isinstance(value, _MEDIA):
        return value
    if [value.data, value.url, value.file_id].count(None) != 2:  # noqa: PLR2004 - all but one
        raise InvalidRequestError(f"{where}: give exactly one of data=, url= and file_id= of {value.kind}")
    if value.url is not None and value.url.startswith("data:"):
        raise InvalidRequestError(f"{where}: the data: URL of {value.kind} does not hold valid base64")
    if value.data is not None and not isinstance(value.data, bytes | bytearray):
        raise InvalidRequestError(f"{where}: the data of {value.kind} has to be bytes, not {type(value.data).__name__}")
    kind = value.media_type
    if value.data is not None and (kind is None or not kind.startswith(value.family)):
        raise InvalidRequestError(
            f"{where}: the data of {value.kind} is {kind or 'of an unknown type'}, "
            f"expected {' or '.join(value.family)}",
            hint="pass media_type= if the type cannot be told from the first bytes",
        )
    return value


def _message(message: Any, where: str) -> Message:
    if isinstance(message, str):
        return Message.user(message)
    if isinstance(message, Mapping):
        try:
            message = _from_dict(message)
        except InvalidRequestError as error:
            raise InvalidRequestError(f"{where}.{error.message}", hint=error.hint) from None
    if not isinstance(message, Message):
        raise InvalidRequestError(f"{where}: expected a Message, a dict or a string, got {type(message).__name__}")
    if message.role not in ROLES:
        raise InvalidRequestError(f"{where}.role: {message.role!r} is not one of {', '.join(ROLES)}")
    _check_parts(message.content, where)
    return message


def _check_parts(parts: tuple[Any, ...], where: str) -> None:
    for index, part in enumerate(parts):
        if not isinstance(part, PARTS):
            kind = type(part).__name__
            raise InvalidRequestError(f"{where}.content[{index}]: expected a string or a message part, got {kind}")
        if isinstance(part, _MEDIA):
            checked_media(part, f"{where}.content[{index}]")
        elif isinstance(part, ToolResult):
            _check_parts(part.content, f"{where}.content[{index}]")


_MESSAGE_KEYS = {"role", "content", "name", "tool_calls", "tool_call_id", "refusal", "reasoning_content", "reasoning"}


def _from_dict(message: Mapping[str, Any]) -> Message:
    """Read a message in the common wire form (that of OpenAI's chat completions)."""
    # The SDKs' own messages, written as dicts, have null for what they do not say.
    unknown = sorted(name for name, value in message.items() if name not in _MESSAGE_KEYS and value is not None)
    if unknown:
        raise InvalidRequestError(f"{unknown[0]}: unknown key", hint=did_you_mean(unknown[0], _MESSAGE_KEYS))
    role, content = message.get("role"), message.get("content")
    parts = _parts(content)
    thought = message.get("reasoning_content") or message.get("reasoning")
    if thought:
        parts = (Reasoning(text=thought), *parts)
    if message.get("refusal"):
        parts = (*parts, Refusal(text=message["refusal"]))
    if role == "tool":
        call_id = message.get("tool_call_id")
        if not isinstance(call_id, str):
            raise InvalidRequestError("tool_call_id: a tool message has to name the call that it answers")
        return Message(role="tool", content=(ToolResult(tool_call_id=call_id, content=parts),))
    for index, call in enumerate(message.get("tool_calls") or ()):
        parts = (*parts, _tool_call(call, f"tool_calls[{index}]"))
    return Message(role=role, content=parts, name=message.get("name"))  # type: ignore[arg-type]


def _parts(content: Any) -> tuple[Part, ...]:
    if content is None:
        return ()
    if isinstance(content, str):
        return (Text(text=content),) if content else ()
    if not isinstance(content, Sequence):
        raise InvalidRequestError(f"content: expected a string or parts, got {type(content).__name__}")
    return tuple([_part(part, f"content[{index}]") for index, part in enumerate(content)])


def _part(part: Any, where: str) -> Part:
    if not isinstance(part, Mapping):
        return Text(text=part) if isinstance(part, str) else part
    kind = part.get("type")
    value = part.get(str(kind))
    if kind in {"text", "input_text", "output_text"} and isinstance(part.get("text"), str):
        return Text(text=part["text"])
    if kind == "image_url" and isinstance(value, Mapping) and isinstance(value.get("url"), str):
        return Image(url=value["url"], detail=value.get("detail"))
    if kind == "input_audio" and isinstance(value, Mapping) and isinstance(value.get("data"), str):
        return Audio(url=f"data:audio/{value.get('format', 'wav')};base64,{value['data']}")
    if kind == "file" and isinstance(value, Mapping) and isinstance(value.get("file_data", value.get("file_id")), str):
        return Document(url=value.get("file_data"), file_id=value.get("file_id"), name=value.get("filename"))
    if kind == "refusal" and isinstance(value, str):
        return Refusal(text=value)
    known = ["text", "image_url", "input_audio", "file", "refusal"]
    if kind in known:
        raise InvalidRequestError(f"{where}.{kind}: missing or not of the right form")
    hint = f"known types: {', '.join(known)}; or use ipfs_accel.Image and its like"
    raise InvalidRequestError(f"{where}.type: {kind!r} is not a type of message part", hint=hint)


def _tool_call(call: Any, where: str) -> ToolCall:
    function = (call.get("function") or call.get("custom")) if isinstance(call, Mapping) else None
    if not isinstance(function, Mapping) or not isinstance(function.get("name"), str):
        raise InvalidRequestError(f"{where}.function.name: missing")
    arguments = function.get("arguments") or function.get("input") or ""
    return ToolCall(id=str(call.get("id", "")), name=function["name"], arguments=arguments)
