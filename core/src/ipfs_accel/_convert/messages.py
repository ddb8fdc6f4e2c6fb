"""As `texts`, for the messages of chats: typed ones are checked, and those that `dicts` has read of dicts, too."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import groupby
from typing import TYPE_CHECKING, Any, TypeVar

from ipfs_accel._invalid import InvalidValueError
from ipfs_accel._suggest import short
from ipfs_accel.errors import InvalidRequestError
from ipfs_accel.types import (
    Audio,
    Document,
    Image,
    Message,
    Opaque,
    Origin,
    Reasoning,
    Refusal,
    Text,
    ToolCall,
    ToolResult,
)
from ipfs_accel.types._messages import PARTS, ROLES

from .dicts import from_dict

if TYPE_CHECKING:
    from ipfs_accel.types import Messages

__all__ = ["checked_media", "checked_messages"]

T = TypeVar("T")

_MEDIA = (Image, Audio, Document)
_PLAIN: frozenset[type] = frozenset({str, dict, Message})
"""What nearly all messages are, none of which is a medium."""
_SAID = {
    "image": 'Image(data=…, media_type="image/png")',
    "audio": 'Audio(data=…, media_type="audio/mp4")',
    "document": 'Document(data=…, media_type="text/plain"), or Image or Audio if it is one; a text is a string',
}
_WORDS = {"image": ("detail",), "audio": ("id", "transcript"), "document": ("name",)}


def checked_messages(messages: Messages) -> tuple[Message, ...]:
    """Return the messages of a chat from whatever callers may write.

    Raises:
        InvalidRequestError: Something of it is no message; names its place.
    """
    if isinstance(messages, str):
        return (Message.user(messages),)
    if isinstance(messages, Message | Mapping):
        return (_message(messages, "messages", ()),)
    every: Any = messages
    if type(messages) is not list:  # as most are
        if _is_medium(messages):
            return (_message(_turn((messages,), "messages"), "messages", ()),)
        if not isinstance(messages, Iterable):
            raise InvalidRequestError(f"messages: expected a string or messages, got {type(messages).__name__}")
        every = list(messages)
    found: list[Message] = []
    for index, message in enumerate(every) if _PLAIN.issuperset(map(type, every)) else _turns(every):
        found.append(_message(message, f"messages[{index}]", found))
    if not found:
        raise InvalidRequestError("messages: there is none")
    return tuple(found)


def _is_medium(value: object) -> bool:
    """Whether a value is a picture, a sound, a document or a file, which is no message by itself."""
    if isinstance(value, (*_MEDIA, Text)):
        return True
    from ipfs_accel.types._sources import is_source  # noqa: PLC0415 - few messages have files

    return is_source(value)


def _turns(messages: Sequence[Any]) -> Iterator[tuple[int, Any]]:
    """Return messages with their places, strings and media that stand side by side as one turn of the user."""
    for is_loose, group in groupby(enumerate(messages), lambda each: isinstance(each[1], str) or _is_medium(each[1])):
        run = list(group)
        if is_loose and not all(isinstance(each, str) for _, each in run):
            yield run[0][0], _turn([each for _, each in run], f"messages[{run[0][0]}]")
        else:
            yield from run


def _turn(loose: Iterable[Any], where: str) -> Message:
    try:
        return Message.user(*loose)
    except InvalidValueError as error:
        raise InvalidRequestError(f"{where}.{error}", hint=error.hint) from None


def checked_media(value: T, where: str) -> T:
    """Refuse a picture, sound or document that says nothing, two things, or something else than it is.

    Raises:
        InvalidRequestError: As said; names the place. What is no medium passes.
    """
    if not isinstance(value, _MEDIA):
        return value
    for name in ("url", "file_id", "media_type", *_WORDS.get(value.kind, ())):
        said = getattr(value, name)
        if said is not None and not isinstance(said, str):
            raise InvalidRequestError(f"{where}.{name}: expected a string, got {type(said).__name__}")
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
            hint=f"if the type cannot be told from the first bytes, say it: {_SAID[value.kind]}",
        )
    return value


def _message(message: Any, where: str, before: Sequence[Message]) -> Message:
    if isinstance(message, str):
        return Message.user(message)
    if isinstance(message, Mapping):
        try:
            message = from_dict(message, before)
        except InvalidRequestError as error:
            raise InvalidRequestError(f"{where}.{error.message}", hint=error.hint) from None
    if not isinstance(message, Message):
        hint = "pass message.model_dump()" if hasattr(message, "model_dump") else None
        kind = type(message).__name__
        raise InvalidRequestError(f"{where}: expected a Message, a dict or a string, got {kind}", hint=hint)
    if message.role not in ROLES:
        raise InvalidRequestError(f"{where}.role: {short(message.role)} is not one of {', '.join(ROLES)}")
    if message.name is not None:
        _check_text(message.name, f"{where}.name")
    if message.extra:
        _check_mapping(message.extra, f"{where}.extra")
    if message.origin is not None and not isinstance(message.origin, Origin):
        raise InvalidRequestError(f"{where}.origin: expected an Origin, got {type(message.origin).__name__}")
    _check_parts(message.content, where)
    return message


def _check_parts(parts: tuple[Any, ...], where: str) -> None:
    for index, part in enumerate(parts):
        # What nearly all of them are needs no more questions.
        if type(part) is not Text or type(part.text) is not str or part.annotations != ():
            _check_part(part, f"{where}.content[{index}]")


def _check_part(part: Any, where: str) -> None:
    if not isinstance(part, PARTS):
        raise InvalidRequestError(f"{where}: expected a string or a message part, got {type(part).__name__}")
    for name in next(names for kind, names in _TEXTS.items() if isinstance(part, kind)):
        _check_text(getattr(part, name), f"{where}.{name}")
    if isinstance(part, _MEDIA):
        checked_media(part, where)
    elif isinstance(part, Text):
        _check_notes(part.annotations, f"{where}.annotations")
    elif isinstance(part, ToolResult):
        _check_parts(part.content, where)
    else:
        _check_own(part, where)


def _check_own(part: Any, where: str) -> None:
    """Check what of a part only its provider understands."""
    if isinstance(part, Opaque):
        _check_mapping(part.data, f"{where}.data")
        _check_text(part.data.get("type", ""), f"{where}.data.type")
    elif isinstance(part, ToolCall):
        _check_mapping(part.extra, f"{where}.extra")
    elif isinstance(part, Reasoning):
        for name in ("signature", "field"):
            if getattr(part, name) is not None:
                _check_text(getattr(part, name), f"{where}.{name}")


def _check_mapping(value: Any, where: str) -> None:
    if not isinstance(value, Mapping):
        raise InvalidRequestError(f"{where}: expected a mapping, got {type(value).__name__}")


def _check_notes(notes: Any, where: str) -> None:
    if not isinstance(notes, tuple | list) or not all(isinstance(note, Mapping) for note in notes):
        raise InvalidRequestError(f"{where}: expected a tuple of dicts, got {short(notes)}")


def _check_text(value: Any, where: str) -> None:
    if not isinstance(value, str):
        is_json = where.endswith(".arguments")
        raise InvalidRequestError(
            f"{where}: expected {'JSON text' if is_json else 'a string'}, got {type(value).__name__}",
            hint="write it as text: json.dumps(…)" if is_json else None,
        )


# Which fields of a part have to be texts.
_TEXTS: dict[type[Any] | tuple[type[Any], ...], tuple[str, ...]] = {
    (Text, Reasoning, Refusal): ("text",),
    ToolCall: ("id", "name", "arguments"),
    ToolResult: ("tool_call_id",),
    Opaque: ("backend",),
    _MEDIA: (),
}
