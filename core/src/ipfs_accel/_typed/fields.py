"""The members of classes that a JSON object can be made of, whatever made the class."""

from __future__ import annotations

import dataclasses
import enum
import inspect
import sys
import types
import typing
from collections.abc import Iterator, Mapping
from typing import Any

import attrs

from ipfs_accel._invalid import InvalidValueError

from .docstrings import described, summary

__all__ = [
    "Member",
    "description_of",
    "hints_of",
    "is_alias",
    "is_pydantic",
    "is_qualifier",
    "is_record",
    "members",
    "name_of",
    "origin_of",
    "substituted",
]


@attrs.frozen
class Member:
    """One member of a class.

    Attributes:
        name: In JSON: that of the argument with which the class is made.
        type: As it is annotated, with what `Annotated` adds.
        is_optional: Whether it may be left out, since the class has a default for it.
        description: What the class says of it.
    """

    name: str
    type: Any
    is_optional: bool
    description: str | None = None


def origin_of(kind: Any) -> Any:
    """Return the class of which a generic one is, and any other type itself."""
    return typing.get_origin(kind) or kind


def is_pydantic(kind: Any) -> bool:
    """Whether a class is a model of pydantic, which is never imported here."""
    return isinstance(kind, type) and hasattr(kind, "model_json_schema") and hasattr(kind, "model_validate")


def is_qualifier(origin: Any) -> bool:
    """Whether an annotation of a TypedDict's member says something of the member, and not of its type."""
    return origin in {typing.Required, typing.NotRequired} or str(origin).endswith(".ReadOnly")


def is_record(kind: Any) -> bool:
    """Whether a class (or a generic one with its arguments) has members that `members` knows."""
    origin = origin_of(kind)
    if not isinstance(origin, type):
        return False
    return (
        attrs.has(origin) or dataclasses.is_dataclass(origin) or typing.is_typeddict(origin) or _is_named_tuple(origin)
    )


def _is_named_tuple(kind: type) -> bool:
    return issubclass(kind, tuple) and hasattr(kind, "_fields")


def members(kind: Any) -> Iterator[Member]:
    """Return the members of a class that `is_record` says yes to.

    Raises:
        InvalidValueError: An annotation names what there is not.
    """
    origin = origin_of(kind)
    hints = hints_of(kind)
    said = described(_own_doc(origin), ("Attributes", "Args", "Parameters"))
    for name, alias, default, is_optional in _declared(origin, hints):
        written = default.get("description") if isinstance(default, Mapping) else None
        kind = hints.get(name, Any)
        kind = kind.type if isinstance(kind, dataclasses.InitVar) else kind
        yield Member(alias, kind, is_optional, written or said.get(alias) or said.get(name))


def _declared(origin: Any, hints: Mapping[str, Any]) -> Iterator[tuple[str, str, Any, bool]]:
    """Give name, name of the argument, the class's own notes, and whether there is a default, of each member."""
    if attrs.has(origin):
        for field in attrs.fields(origin):
            if field.init:
                yield field.name, field.alias or field.name, field.metadata, field.default is not attrs.NOTHING
    elif dataclasses.is_dataclass(origin):
        for each in origin.__dataclass_fields__.values():  # those, too, that are arguments alone
            if each.init and typing.get_origin(hints.get(each.name)) is not typing.ClassVar:
                none = dataclasses.MISSING
                yield each.name, each.name, each.metadata, each.default is not none or each.default_factory is not none
    elif typing.is_typeddict(origin):
        for name in origin.__annotations__:
            # Whether a text says Required, Python itself does not look.
            said = typing.get_origin(hints.get(name))
            is_told = said in {typing.Required, typing.NotRequired}
            yield name, name, None, said is typing.NotRequired if is_told else name in origin.__optional_keys__
    else:
        for name in origin._fields:
            yield name, name, None, name in origin._field_defaults


def hints_of(kind: Any) -> dict[str, Any]:
    """Return the annotations of a class or a function, those that are texts made what they name.

    Raises:
        InvalidValueError: One names what there is not.
    """
    origin = origin_of(kind)
    try:
        found = typing.get_type_hints(origin, include_extras=True)
    except (NameError, AttributeError, TypeError, SyntaxError) as error:
        hint = "annotations have to name what the module has when it runs, not what is imported for type checkers alone"
        raise InvalidValueError(f"{name_of(origin)}: its annotations cannot be read: {error}", hint=hint) from None
    return _specific(kind, found)


def _specific(kind: Any, found: Mapping[str, Any]) -> dict[str, Any]:
    """Return annotations with what the variables of a generic class stand for, and of those that it inherits from."""
    origin = origin_of(kind)
    given = dict(zip(getattr(origin, "__parameters__", ()), typing.get_args(kind), strict=False))
    made = {name: substituted(each, given) for name, each in found.items()}
    if not isinstance(origin, type) or not hasattr(origin, "__parameters__"):
        return made
    for base in reversed(vars(origin).get("__orig_bases__") or origin.__bases__):
        if not hasattr(origin_of(base), "__parameters__"):
            continue
        said = typing.get_type_hints(origin_of(base), include_extras=True)
        inherited = _specific(substituted(base, given), said)
        # What is annotated anew is what it says there.
        made |= {name: each for name, each in inherited.items() if found[name] == said[name]}
    return made


def substituted(kind: Any, given: Mapping[Any, Any]) -> Any:
    """Put the arguments of a generic class into an annotation; what got none becomes its bound, or anything."""
    if isinstance(kind, typing.TypeVar):
        return given.get(kind, kind.__bound__ if kind.__bound__ is not None else Any)
    parameters = getattr(kind, "__parameters__", ())
    if isinstance(kind, type) and typing.get_origin(kind) is None:
        return kind
    generic: Any = kind
    return generic[tuple([substituted(each, given) for each in parameters])] if parameters else kind


def name_of(kind: Any) -> str:
    """Return what a type is called in messages, without the modules of its parts."""
    origin, arguments = typing.get_origin(kind), typing.get_args(kind)
    if kind is None or kind is type(None):
        return "None"
    if origin is typing.Annotated:
        return name_of(arguments[0])
    if origin in {typing.Union, types.UnionType}:
        return " | ".join([name_of(each) for each in arguments])
    if origin is not None:
        inner = [repr(each) if origin is typing.Literal else name_of(each) for each in arguments]
        return f"{name_of(origin)}[{', '.join(inner)}]"
    name = getattr(kind, "__qualname__", None) or getattr(kind, "__name__", None) or str(kind).removeprefix("typing.")
    return str(name).rpartition("<locals>.")[2]


def description_of(kind: Any) -> str | None:
    """Return what a class says of itself in the first paragraph of its docstring."""
    return summary(_own_doc(origin_of(kind)))


def _own_doc(kind: Any) -> str | None:
    """Return a class's own docstring: none that it inherits, or that was made from its fields."""
    doc: Any = kind.__dict__.get("__doc__") if isinstance(kind, type) else None
    if not isinstance(doc, str):
        return None
    is_generated = hasattr(kind, "__dataclass_fields__") or _is_named_tuple(kind)
    if is_generated and doc.startswith(f"{kind.__name__}("):
        return None
    if issubclass(kind, enum.Enum) and doc == enum.Enum.__doc__:
        return None
    return inspect.cleandoc(doc)


if sys.version_info >= (3, 12):

    def is_alias(kind: Any) -> bool:
        """Whether a type was given a name by a `type` statement."""
        return isinstance(origin_of(kind), typing.TypeAliasType)

else:

    def is_alias(kind: Any) -> bool:
        """Whether a type was given a name as by a `type` statement."""
        return type(origin_of(kind)).__name__ == "TypeAliasType"
