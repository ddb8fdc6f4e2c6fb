"""What `Annotated` says beside a type: descriptions, and bounds as keywords of JSON Schema.

Read by the names of attributes, so that the objects of annotated-types, pydantic and msgspec mean what they mean there,
and none of these is needed.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from ipfs_accel._invalid import InvalidValueError

__all__ = ["notes_of"]

# Their name to that in a schema: of numbers, texts, arrays and objects.
_BOUNDS = {
    "ge": ("minimum",),
    "gt": ("exclusiveMinimum",),
    "le": ("maximum",),
    "lt": ("exclusiveMaximum",),
    "multiple_of": ("multipleOf",),
    "pattern": ("pattern",),
    "min_length": ("minLength", "minItems", "minProperties"),
    "max_length": ("maxLength", "maxItems", "maxProperties"),
}
_PLACES = {"string": 0, "array": 1, "object": 2}
_SAYING = {"description", "title", "examples", "deprecated", "$comment", "default"}


def notes_of(notes: Iterable[Any], kind: Any, where: str) -> tuple[dict[str, Any], bool]:
    """Return what to add to a schema, and whether that bounds its values.

    Args:
        notes: What stands behind the type: a text describes it, a mapping has keywords of JSON Schema, and objects have
            attributes such as `ge` and `max_length`, or `documentation`.
        kind: The `type` of the schema, since a length is that of a text, an array or an object.
        where: The path, for errors.
    """
    found: dict[str, Any] = {}
    for note in notes:
        if isinstance(note, str):
            found["description"] = note
        elif isinstance(note, Mapping):
            if "$ref" in note:
                raise InvalidValueError(
                    f"{where}: $ref leads out of the type", hint="annotate it with the type that is meant"
                )
            found |= note
        else:
            found |= _read(note, kind, where)
            for inner in getattr(note, "metadata", ()) or ():  # where pydantic keeps the bounds of a Field
                found |= _read(inner, kind, where)
    return found, bool(found.keys() - _SAYING)


def _read(note: Any, kind: Any, where: str) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for name, names in _BOUNDS.items():
        value = getattr(note, name, None)
        if value is None or callable(value):
            continue
        place = _PLACES.get(kind, 0) if isinstance(kind, str) else 0
        value = getattr(value, "pattern", value)  # a compiled expression
        if not isinstance(value, str | int | float):
            raise InvalidValueError(f"{where}: {name}={value!r} cannot be written as JSON Schema")
        found[names[place if len(names) > 1 else 0]] = value
    said = getattr(note, "description", None) or getattr(note, "documentation", None)
    if isinstance(said, str):
        found["description"] = said
    return found
