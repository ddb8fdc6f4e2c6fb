"""JSON Schema of Python's types, in the form in which servers enforce schemas.

All members of an object are required and no others are allowed, as the servers want it that enforce a schema to the
letter (OpenAI's Structured Outputs, 2024-08; Claude's, 2025-11). So a member that may be left out can be null instead,
and null then means that it was left out.
"""

from __future__ import annotations

import collections
import datetime as dt
import decimal
import enum
import pathlib
import types
import typing
import uuid
from collections import abc
from collections.abc import Iterable, Mapping
from typing import Any

from ipfs_accel._invalid import InvalidValueError

from . import pydantic_models
from .fields import (
    Member,
    description_of,
    is_alias,
    is_pydantic,
    is_qualifier,
    is_record,
    members,
    name_of,
    origin_of,
    substituted,
)
from .notes import notes_of

__all__ = ["LISTS", "MAPPINGS", "Written", "is_fixed", "is_union", "object_of", "parts_of", "written"]

Json = dict[str, Any]

_SCALARS: dict[Any, Json] = {
    str: {"type": "string"},
    bool: {"type": "boolean"},
    int: {"type": "integer"},
    float: {"type": "number"},
    type(None): {"type": "null"},
    None: {"type": "null"},
    dt.datetime: {"type": "string", "format": "date-time"},
    dt.date: {"type": "string", "format": "date"},
    dt.time: {"type": "string", "format": "time"},
    uuid.UUID: {"type": "string", "format": "uuid"},
    decimal.Decimal: {"type": "string", "description": "A decimal number."},
    pathlib.Path: {"type": "string"},
    pathlib.PurePath: {"type": "string"},
    pathlib.PurePosixPath: {"type": "string"},
}
LISTS = frozenset(
    [
        *(list, tuple, set, frozenset, collections.deque),
        *(abc.Sequence, abc.MutableSequence, abc.Collection, abc.Iterable, abc.Set, abc.MutableSet),
    ]
)
"""Types that a JSON array becomes."""
MAPPINGS = frozenset([dict, abc.Mapping, abc.MutableMapping, collections.OrderedDict])
_TYPES = {str: "string", bool: "boolean", int: "integer", float: "number", type(None): "null"}
_USUAL_WAY_OUT = (
    "use JSON's types, lists, dicts, enums, or a class of attrs, dataclasses, pydantic, TypedDict, NamedTuple"
)
_WAYS_OUT: dict[Any, str] = {
    bytes: "JSON has no bytes: use str, in base64 for example",
    complex: "JSON has no complex numbers: use two floats",
    dt.timedelta: "use a float of seconds",
}


class Written(typing.NamedTuple):
    """The schema of a type.

    Attributes:
        schema: The schema, whole.
        has_keywords: Whether anything of it is not a matter of types: lengths, bounds, patterns.
        is_object: Whether its root is an object with members.
    """

    schema: Json
    has_keywords: bool
    is_object: bool


def written(kind: Any, where: str = "$") -> Written:
    """Write the schema of a type.

    Raises:
        InvalidValueError: Something of it cannot be written; the message has the path.
    """
    writer = _Writer()
    return writer.whole(writer.write(kind, where))


def object_of(found: Iterable[Member], where: str) -> Written:
    """Write an object of these members, of which those without a default are required: for arguments of a function.

    Raises:
        InvalidValueError: Something of it cannot be written; the message has the path.
    """
    writer = _Writer()
    known = list(found)
    properties = {each.name: writer.member(each, f"{where}.{each.name}") for each in known}
    needed = [each.name for each in known if not each.is_optional]
    schema: Json = {"type": "object", "properties": properties}
    return writer.whole({**schema, **({"required": needed} if needed else {}), "additionalProperties": False})


class _Writer:
    def __init__(self) -> None:
        self.defs: dict[str, Json] = {}
        self.has_keywords = False
        self._names: dict[Any, str] = {}

    def write(self, kind: Any, where: str) -> Json:
        """Write a type; a class that has a name becomes a reference to its definition."""
        origin, arguments = typing.get_origin(kind), typing.get_args(kind)
        if origin is typing.Annotated:
            return self._annotated(arguments, where)
        if is_qualifier(origin):
            return self.write(arguments[0], where)
        if origin is typing.Literal:
            return _enumerated(arguments, where)
        if is_union(kind):
            return self._union(arguments, where)
        scalar = {} if kind is Any or kind is object else _SCALARS.get(kind) if _is_hashable(kind) else None
        return self._container(kind, origin or kind, arguments, where) if scalar is None else dict(scalar)

    def _container(self, kind: Any, origin: Any, arguments: tuple[Any, ...], where: str) -> Json:
        if _has_name(kind):
            return self._named(kind, where)
        if origin in LISTS:
            return self._list(kind, arguments, where)
        if origin in MAPPINGS:
            return self._mapping(arguments, where)
        if isinstance(kind, typing.TypeVar):
            return self.write(kind.__bound__ if kind.__bound__ is not None else Any, where)
        hint = next((text for each, text in _WAYS_OUT.items() if kind is each), _USUAL_WAY_OUT)
        raise InvalidValueError(f"{where}: {name_of(kind)} cannot be written as JSON Schema", hint=hint)

    def _annotated(self, arguments: tuple[Any, ...], where: str) -> Json:
        kind, *notes = arguments
        found = self.write(kind, where)
        added, has_keywords = notes_of(notes, found.get("type"), where)
        self.has_keywords = self.has_keywords or has_keywords
        if "$ref" in found and added:
            return {"anyOf": [found], **added}  # beside a reference nothing else may stand at some servers
        return {**found, **added}

    def _union(self, arguments: Iterable[Any], where: str) -> Json:
        arms: list[Json] = []
        for each in parts_of(arguments):
            arm = self.write(each, where)
            if arm not in arms:
                arms.append(arm)
        null = {"type": "null"}
        if null in arms:  # last, as everybody writes it
            arms.remove(null)
            arms.append(null)
        return arms[0] if len(arms) == 1 else {"anyOf": arms}

    def _list(self, kind: Any, arguments: tuple[Any, ...], where: str) -> Json:
        if is_fixed(kind):
            size = len(arguments)
            parts = [self.write(each, f"{where}[{index}]") for index, each in enumerate(arguments)]
            same = all(part == parts[0] for part in parts)
            found: Json = {"items": parts[0] if parts else {"type": "null"}} if same else {"prefixItems": parts}
            return {"type": "array", **found, "minItems": size, "maxItems": size}
        return {"type": "array", "items": self.write(arguments[0] if arguments else Any, f"{where}[]")}

    def _mapping(self, arguments: tuple[Any, ...], where: str) -> Json:
        key, value = arguments or (str, Any)
        if key is not str:
            raise InvalidValueError(
                f"{where}: the keys of an object are texts, not {name_of(key)}", hint="use dict[str, …]"
            )
        return {"type": "object", "additionalProperties": self.write(value, f"{where}.*")}

    def _named(self, kind: Any, where: str) -> Json:
        """Return a reference to the definition of a class or of an alias, which is written once."""
        known = self._names.get(kind)
        if known is None:
            known = self._names[kind] = self._free_name(kind)
            self.defs[known] = self._definition(kind, where)
        return {"$ref": f"#/$defs/{known}"}

    def _definition(self, kind: Any, where: str) -> Json:
        if is_alias(kind):
            alias = origin_of(kind)
            given = dict(zip(alias.__type_params__, typing.get_args(kind), strict=False))
            return self.write(substituted(alias.__value__, given), where)
        if hasattr(kind, "__supertype__"):
            return self.write(kind.__supertype__, where)
        if is_pydantic(kind):
            own, inner = pydantic_models.schema_of(kind, self._names[kind], where)
            self.defs |= inner
            return own
        found = self._enum(kind, where) if issubclass(origin_of(kind), enum.Enum) else self._record(kind, where)
        said = description_of(kind)
        return {**found, "description": said} if said else found

    def _enum(self, kind: Any, where: str) -> Json:
        if issubclass(kind, enum.Flag):
            raise InvalidValueError(f"{where}: {name_of(kind)} is a set of flags", hint="use a list of an Enum")
        return _enumerated([member.value for member in kind], f"{where} ({name_of(kind)})")

    def _record(self, kind: Any, where: str) -> Json:
        properties: Json = {}
        for each in members(kind):
            inner = self.member(each, f"{where}.{each.name}")
            properties[each.name] = _nullable(inner) if each.is_optional else inner
        return {"type": "object", "properties": properties, "required": [*properties], "additionalProperties": False}

    def member(self, member: Member, where: str) -> Json:
        """Write one member of an object, with what is said of it."""
        inner = self.write(member.type, where)
        if member.description is None or "description" in inner:
            return inner
        inner = {"anyOf": [inner]} if "$ref" in inner else inner
        return {**inner, "description": member.description}

    def whole(self, found: Json) -> Written:
        """Return a schema with the definitions that it needs."""
        root = self._resolved(found)
        used = self._used_in(root)
        if used:
            root = {**root, "$defs": {name: self.defs[name] for name in used}}
        return Written(root, self.has_keywords, root.get("type") == "object")

    def _free_name(self, kind: Any) -> str:
        base = (
            "".join([each if each.isalnum() or each in "_-" else "_" for each in name_of(kind)]).strip("_") or "value"
        )
        name, number = base, 2
        while name in self.defs or name in self._names.values():
            name, number = f"{base}_{number}", number + 1
        return name

    def _resolved(self, schema: Json) -> Json:
        """Return a schema with the definitions put in that are used once and not within themselves, in its root too."""
        uses = collections.Counter(_references([schema, self.defs]))
        once = {name for name, count in uses.items() if count == 1 and name not in self._used_in(self.defs[name])}

        def put_in(value: Any) -> Any:
            if isinstance(value, list):
                return [put_in(each) for each in value]
            if not isinstance(value, dict):
                return value
            name = _referred(value)
            if name in once:
                return put_in(self.defs[name])
            found = {key: put_in(each) for key, each in value.items()}
            only = found.get("anyOf")
            if isinstance(only, list) and len(only) == 1 and "$ref" not in only[0]:
                return {**only[0], **{key: each for key, each in found.items() if key != "anyOf"}}
            return found

        self.defs = {name: put_in(each) for name, each in self.defs.items()}
        root = put_in(schema)
        name = _referred(root)
        return dict(self.defs[name]) if name is not None else root

    def _used_in(self, schema: Json) -> list[str]:
        """Return the definitions that a schema refers to, directly or not, in the order in which they were made."""
        found: set[str] = set()
        left = list(_references(schema))
        while left:
            name = left.pop()
            if name not in found:
                found.add(name)
                left += _references(self.defs[name])
        return [name for name in self.defs if name in found]


def _referred(value: Mapping[str, Any]) -> str | None:
    target = value.get("$ref")
    return target.removeprefix("#/$defs/") if isinstance(target, str) else None


def _references(value: Any) -> Iterable[str]:
    if isinstance(value, list):
        for each in value:
            yield from _references(each)
    elif isinstance(value, dict):
        name = _referred(value)
        if name is not None:
            yield name
        for each in value.values():
            yield from _references(each)


def _has_name(kind: Any) -> bool:
    """Whether a type is one that is defined once and referred to."""
    is_named = is_alias(kind) or hasattr(kind, "__supertype__") or is_pydantic(kind) or is_record(kind)
    return is_named or (isinstance(kind, type) and issubclass(kind, enum.Enum))


def _is_hashable(kind: Any) -> bool:
    try:
        hash(kind)
    except TypeError:
        return False
    return True


def is_union(kind: Any) -> bool:
    """Whether a type is one of several."""
    return typing.get_origin(kind) in {typing.Union, types.UnionType}


def is_fixed(kind: Any) -> bool:
    """Whether a type is a tuple of so many, none included."""
    arguments = typing.get_args(kind)
    return typing.get_origin(kind) is tuple and Ellipsis not in arguments


def parts_of(arguments: Iterable[Any]) -> Iterable[Any]:
    """Return the types of which a union is one, those of unions within it too."""
    for each in arguments:
        if is_union(each):
            yield from parts_of(typing.get_args(each))
        else:
            yield each


def _nullable(schema: Json) -> Json:
    if not schema or schema.get("type") == "null":
        return schema
    said = {name: schema[name] for name in ("description",) if name in schema}
    rest = {name: each for name, each in schema.items() if name not in said}
    arms: list[Json] = rest["anyOf"] if rest.keys() == {"anyOf"} else [rest]
    null = {"type": "null"}
    return schema if null in arms else {"anyOf": [*arms, null], **said}


def _enumerated(values: Iterable[Any], where: str) -> Json:
    found: list[Any] = []
    for value in values:
        plain = value.value if isinstance(value, enum.Enum) else value
        if type(plain) not in _TYPES:
            raise InvalidValueError(
                f"{where}: {plain!r} is no value of JSON", hint="give the members texts, numbers, booleans or None"
            )
        found.append(plain)
    # One type after the other: not all servers take a list of types.
    kinds = list(dict.fromkeys([_TYPES[type(each)] for each in found]))
    arms = [{"type": kind, "enum": [each for each in found if _TYPES[type(each)] == kind]} for kind in kinds]
    arms = [{"type": "null"} if arm["type"] == "null" else arm for arm in arms]
    return arms[0] if len(arms) == 1 else {"anyOf": arms}
