"""The short form of a JSON Schema on the command line: `name, age int: in years, tags str[]`."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from ipfs_accel._suggest import did_you_mean
from ipfs_accel.errors import InvalidRequestError

__all__ = ["is_short", "schema_of"]

_TYPES = {"str": "string", "int": "integer", "float": "number", "bool": "boolean"}
_NAME = re.compile(r"[^\W\d][\w-]*")
_SEVERAL = re.compile(r"[\s,]")
_FORM = "NAME [str|int|float|bool][[]][: DESCRIPTION], with commas or line breaks between the fields"


def is_short(text: str) -> bool:
    """Whether a text that names no file is a schema in the short form: a word alone is a file that is not there."""
    return _SEVERAL.search(text.strip()) is not None


def schema_of(text: str) -> dict[str, Any]:
    """Return the schema of an object with the fields that a text names; all of them have to be there.

    A field is a name, a type unless it is text, and after a colon what it means. A type with `[]` behind it is a list
    of such values. Where the text has several lines, a line is a field, and descriptions may have commas.

    Raises:
        InvalidRequestError: It is none; says at which character, from 1.
    """
    properties: dict[str, Any] = {}
    for place, field in _fields(text):
        name, value = _field(field, place)
        if name in properties:
            raise _wrong(place, f"there are two fields {name!r}")
        properties[name] = value
    return {
        "type": "object",
        "properties": properties,
        "required": list(properties),
        "additionalProperties": False,
    }


def _fields(text: str) -> Iterator[tuple[int, str]]:
    """Cut a text into fields, each with the position of its first character."""
    end = "\n" if "\n" in text.strip() else ","
    start = 0
    for piece in text.split(end):
        bare = piece.strip() if end == "," else piece.strip().rstrip(",").rstrip()
        place = start + len(piece) - len(piece.lstrip())
        if bare:
            yield place, bare
        elif end == ",":
            raise _wrong(start, "a field is missing here")
        start += len(piece) + 1


def _field(text: str, place: int) -> tuple[str, dict[str, Any]]:
    head, colon, description = text.partition(":")
    words = list(re.finditer(r"\S+", head))
    if not words or _NAME.fullmatch(words[0][0]) is None:
        raise _wrong(place, f"{words[0][0] if words else ':'!r} is no name of a field")
    value = _typed(words[1][0], place + words[1].start()) if len(words) > 1 else {"type": "string"}
    if len(words) > 2:  # noqa: PLR2004 - a name and a type
        raise _wrong(place + words[2].start(), f"{words[2][0]!r} is more than a name and a type")
    if colon and description.strip():
        value["description"] = description.strip()
    return words[0][0], value


def _typed(word: str, place: int) -> dict[str, Any]:
    bare = word.removesuffix("[]")
    if bare not in _TYPES:
        near = did_you_mean(bare, _TYPES)
        raise _wrong(place, f"{word!r} is no type: they are {', '.join(_TYPES)}, and such as str[] for lists", near)
    value = {"type": _TYPES[bare]}
    return value if bare == word else {"type": "array", "items": value}


def _wrong(place: int, what: str, near: str | None = None) -> InvalidRequestError:
    hint = f"a field is {_FORM}; a file of that name is not there, and JSON begins with {{"
    return InvalidRequestError(
        f"--schema, at character {place + 1}: {what}",
        hint=f"{near}{'' if near.endswith('?') else ';'} {hint}" if near else hint,
    )
