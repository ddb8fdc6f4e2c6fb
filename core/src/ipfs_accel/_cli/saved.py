"""A conversation in a file: `.save` writes it, `.load` goes on with it."""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from ipfs_accel._convert.messages import checked_messages
from ipfs_accel.errors import InvalidRequestError
from ipfs_accel.types import Message, Origin, Part

from .values import event_name, plain

__all__ = ["read", "write"]

_KINDS: dict[str, type[Any]] = {event_name(kind): kind for kind in Part.__args__}


def write(name: str, model: str | None, messages: Sequence[Message]) -> None:
    """Write a conversation to a new file."""
    document = {"model": model, "messages": plain(messages)}
    try:
        with Path(name).expanduser().open("x", encoding="utf-8") as file:
            json.dump(document, file, ensure_ascii=False, indent=2)
    except OSError as error:
        raise InvalidRequestError(f".save {name}: {error.strerror}") from None


def read(name: str) -> tuple[str | None, list[Message]]:
    """Return the model and the messages of a conversation that was saved.

    Raises:
        InvalidRequestError: The file cannot be read, or holds no conversation; says where that shows.
    """
    try:
        document = json.loads(Path(name).expanduser().read_text(encoding="utf-8"))
    except OSError as error:
        raise InvalidRequestError(f".load {name}: {error.strerror}") from None
    except ValueError as error:
        raise InvalidRequestError(f".load {name}: not valid JSON: {error}") from None
    try:
        if not isinstance(document, Mapping) or not isinstance(document.get("messages"), list):
            raise TypeError("it has no list of messages")
        found = [_message(each, f"messages[{index}]") for index, each in enumerate(document["messages"])]
        return document.get("model"), list(checked_messages(found))
    except (TypeError, ValueError, InvalidRequestError) as error:
        raise InvalidRequestError(f".load {name}: {error}", hint="it reads what .save writes") from None


def _message(value: Any, where: str) -> Message:
    fields = _fields(value, where)
    origin = fields.pop("origin", None)
    content = [_part(each, f"{where}.content[{index}]") for index, each in enumerate(fields.pop("content", ()))]
    known = {**fields, "content": content, "origin": origin and _made(Origin, origin, where)}
    message: Message = _made(Message, known, where)
    return message


def _part(value: Any, where: str) -> Any:
    fields = _fields(value, where)
    kind = _KINDS.get(fields.pop("type", ""))
    if kind is None:
        raise TypeError(f"{where}.type: it is none of {', '.join(_KINDS)}")
    if isinstance(fields.get("data"), str):
        fields["data"] = base64.b64decode(fields["data"], validate=True)
    if "content" in fields:
        fields["content"] = [_part(each, f"{where}.content[{index}]") for index, each in enumerate(fields["content"])]
    if "annotations" in fields:
        fields["annotations"] = tuple(fields["annotations"])
    return _made(kind, fields, where)


def _fields(value: Any, where: str) -> dict[str, Any]:
    if not isinstance(value, Mapping):
        raise TypeError(f"{where}: expected an object")
    return dict(value)


def _made(kind: type[Any], fields: Mapping[str, Any], where: str) -> Any:
    try:
        return kind(**fields)
    except TypeError as error:
        # Python says which name it does not know, or which it misses, and of what function, which is of no use.
        raise TypeError(f"{where}: {str(error).rpartition('() ')[2]}") from None
