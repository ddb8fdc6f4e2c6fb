"""From JSON to values of a class, by cattrs, without guesses: a text is no number, and what is unknown is a fault."""

from __future__ import annotations

import collections
import datetime as dt
import decimal
import enum
import functools
import pathlib
import typing
import uuid
from collections.abc import Callable, Iterable, Iterator, Mapping
from collections.abc import Set as AbstractSet
from typing import Any

import cattrs
from cattrs import cols
from cattrs.errors import IterableValidationNote

from .faults import Fault, MisfitError, shown
from .fields import is_alias, is_pydantic, is_qualifier, is_record, members, name_of, origin_of, substituted
from .pydantic_models import without_nulls
from .schema import LISTS, MAPPINGS, is_fixed, is_union, parts_of

__all__ = ["is_nullable", "structured"]

Hook = Callable[[Any, Any], Any]
_KINDS = {
    str: "a text",
    bool: "true or false",
    int: "an integer",
    float: "a number",
    list: "an array",
    dict: "an object",
}
_FROM_TEXT: dict[type[Any], tuple[Callable[[str], Any], str]] = {
    dt.datetime: (dt.datetime.fromisoformat, "a date and time such as 2026-01-31T12:00:00Z"),
    dt.date: (dt.date.fromisoformat, "a date such as 2026-01-31"),
    dt.time: (dt.time.fromisoformat, "a time such as 12:00:00"),
    uuid.UUID: (uuid.UUID, "a UUID"),
    decimal.Decimal: (decimal.Decimal, "a decimal number, as a text"),
}


def structured(value: Any, kind: Any) -> Any:
    """Return what a JSON value is as a value of a type that has a schema.

    Raises:
        MisfitError: It is none; with the path of each place where it does not fit.
    """
    kind = _bare(kind)
    try:
        return _kept(kind, repr(kind))(value, kind)
    except RecursionError:
        raise MisfitError([Fault("$", "it is nested too deeply")]) from None
    except Exception as error:  # classes refuse values by whatever they raise
        raise MisfitError(_faults(error, "$")) from error


@functools.lru_cache(maxsize=256)
def _kept(kind: Any, _order: str) -> Hook:
    # A converter of its own, as that keeps every class for good that it has seen; of equal unions each has its order.
    return _hook(kind, _converter())


def _converter() -> cattrs.Converter:
    made = cattrs.Converter(forbid_extra_keys=True)
    for kind in (str, bool, int, float):
        made.register_structure_hook(kind, functools.partial(_scalar, kind))
    made.register_structure_hook_func(lambda kind: kind is None or kind is type(None), _null)
    for kind, (make, wanted) in _FROM_TEXT.items():
        made.register_structure_hook(kind, functools.partial(_from_text, make, wanted))
    made.register_structure_hook_func(_is_path, lambda value, kind: kind(_scalar(str, value, str)))
    made.register_structure_hook_func(_is_enum, _enum_member)
    made.register_structure_hook_func(lambda kind: kind is Any or kind is object, lambda value, _kind: value)
    for is_it, factory in (
        (is_record, _record),
        (lambda kind: origin_of(kind) in LISTS, _list),
        (lambda kind: origin_of(kind) in MAPPINGS, _mapping),
        (lambda kind: origin_of(kind) is typing.Literal, lambda kind, _made: functools.partial(_literal, kind)),
        (is_union, _union),
        (is_alias, _alias),
        (lambda kind: hasattr(kind, "__supertype__"), lambda kind, made: _hook(kind.__supertype__, made)),
    ):
        made.register_structure_hook_factory(is_it, _with_converter(factory, made))
    made.register_structure_hook_func(is_pydantic, _model)
    return made


def _with_converter(factory: Callable[[Any, cattrs.Converter], Hook], made: cattrs.Converter) -> Callable[[Any], Hook]:
    return lambda kind: factory(kind, made)


# values without parts


def _scalar(wanted: type[Any], value: Any, kind: Any) -> Any:
    if _is_enum(kind):  # an IntEnum is found as the int that it is
        return _enum_member(value, kind)
    if type(value) is wanted:
        return value
    if wanted is float and type(value) is int:
        return float(value)
    if wanted is int and type(value) is float and value.is_integer():
        return int(value)  # JSON knows no integers: 2.0 is one
    raise ValueError(_expected(wanted, value))


def _expected(wanted: type[Any], value: Any) -> str:
    return f"expected {_KINDS[wanted]}, got {shown(value)}"


def _null(value: Any, _kind: Any) -> None:
    if value is not None:
        raise ValueError(f"expected null, got {shown(value)}")


def _from_text(make: Callable[[str], Any], wanted: str, value: Any, _kind: Any) -> Any:
    try:
        found = make(_scalar(str, value, str))
    except (ValueError, ArithmeticError):
        found = None
    if found is None or (make is decimal.Decimal and not found.is_finite()):  # NaN is a text as JSON has it
        raise ValueError(f"expected {wanted}, got {shown(value)}")
    return found


def _is_path(kind: Any) -> bool:
    return isinstance(kind, type) and issubclass(kind, pathlib.PurePath)


def _is_enum(kind: Any) -> bool:
    return isinstance(kind, type) and issubclass(kind, enum.Enum)


def _enum_member(value: Any, kind: Any) -> Any:
    found = [member for member in kind if type(member.value) is type(value) and member.value == value]
    if found:
        return found[0]
    raise ValueError(_one_of([member.value for member in kind], value))


def _literal(kind: Any, value: Any, _kind: Any) -> Any:
    values = typing.get_args(kind)
    for each, plain in zip(values, _plain(values), strict=True):
        if type(plain) is type(value) and plain == value:
            return each
    raise ValueError(_one_of(_plain(values), value))


def _plain(values: Iterable[Any]) -> list[Any]:
    """Return constants as JSON has them."""
    return [each.value if isinstance(each, enum.Enum) else each for each in values]


def _one_of(values: Iterable[Any], value: Any) -> str:
    return f"expected one of {', '.join([repr(each) for each in values])}, got {shown(value)}"


# values with parts


def _record(kind: Any, made: cattrs.Converter) -> Hook:
    origin = origin_of(kind)
    make: Callable[..., Any] = dict if typing.is_typeddict(origin) else origin
    known = {each.name: each for each in members(kind)}
    may_be_null = {name for name, each in known.items() if each.is_optional and not is_nullable(each.type)}
    hooks: dict[str, Hook] = {}

    def structure(value: Any, _kind: Any) -> Any:
        if not isinstance(value, dict):
            raise ValueError(_expected(dict, value))  # noqa: TRY004 - a fault as any other
        if not hooks:  # found late, as the class may be within itself
            hooks.update({name: _hook(each.type, made) for name, each in known.items()})
        found: dict[str, Any] = {}
        faults: list[Fault] = []
        for name, each in value.items():
            if name not in known:
                faults.append(Fault(f"$.{name}", "unknown member"))
            elif each is not None or name not in may_be_null:  # a null for what may be left out says that it was
                try:
                    found[name] = hooks[name](each, known[name].type)
                except RecursionError:
                    raise
                except Exception as error:  # noqa: BLE001
                    faults += _faults(error, f"$.{name}")
        faults += [
            Fault(f"$.{name}", "missing") for name, each in known.items() if not each.is_optional and name not in value
        ]
        if faults:
            raise MisfitError(faults)
        return make(**found)

    return structure


def _hook(kind: Any, made: cattrs.Converter) -> Hook:
    kind = _bare(kind)
    hook: Hook = made.get_structure_hook(kind)
    return lambda value, _kind: hook(value, kind)


def _bare(kind: Any) -> Any:
    """Return a type without what `Annotated` and the like say beside it, which may be what has no hash."""
    origin, arguments = typing.get_origin(kind), typing.get_args(kind)
    if origin is typing.Annotated or is_qualifier(origin):
        return _bare(arguments[0])
    try:
        hash(kind)
    except TypeError:
        inner = tuple([_bare(each) for each in arguments])
        return typing.Union[inner] if is_union(kind) else origin[inner]  # noqa: UP007
    return kind


def is_nullable(kind: Any) -> bool:
    """Whether None is a value of a type."""
    if kind is None or kind is type(None) or kind is Any or kind is object:
        return True
    origin, arguments = typing.get_origin(kind), typing.get_args(kind)
    if origin is typing.Annotated or is_qualifier(origin):
        return is_nullable(arguments[0])
    if is_alias(kind):
        return is_nullable((origin or kind).__value__)
    return (is_union(kind) and any(is_nullable(each) for each in arguments)) or (
        origin is typing.Literal and None in arguments
    )


def _list(kind: Any, made: cattrs.Converter) -> Hook:
    origin, arguments = origin_of(kind), typing.get_args(kind)
    if is_fixed(kind):
        return _tuple(arguments, made)
    wanted: Any = list[_bare(arguments[0]) if arguments else Any]  # type: ignore[misc]
    items = cols.list_structure_factory(wanted, made)
    make: Any = (
        origin
        if origin in {tuple, set, frozenset, collections.deque}
        else set
        if issubclass(origin, AbstractSet)
        else list
    )

    def structure(value: Any, _kind: Any) -> Any:
        if not isinstance(value, list):
            raise ValueError(_expected(list, value))  # noqa: TRY004
        found = items(value, list)
        return found if make is list else make(found)

    return structure


def _tuple(kinds: tuple[Any, ...], made: cattrs.Converter) -> Hook:
    def structure(value: Any, _kind: Any) -> Any:
        if not isinstance(value, list):
            raise ValueError(_expected(list, value))  # noqa: TRY004
        if len(value) != len(kinds):
            raise ValueError(f"expected {len(kinds)} items, got {len(value)}")
        found: list[Any] = []
        faults: list[Fault] = []
        for index, (each, wanted) in enumerate(zip(value, kinds, strict=True)):
            try:
                found.append(_hook(wanted, made)(each, wanted))
            except Exception as error:  # noqa: BLE001
                faults += _faults(error, f"$[{index}]")
        if faults:
            raise MisfitError(faults)
        return tuple(found)

    return structure


def _mapping(kind: Any, made: cattrs.Converter) -> Hook:
    origin, arguments = origin_of(kind), typing.get_args(kind)
    wanted: Any = dict[str, _bare(arguments[1]) if arguments else Any]  # type: ignore[misc]
    inner: Hook = cols.mapping_structure_factory(wanted, made)

    def structure(value: Any, _kind: Any) -> Any:
        if not isinstance(value, dict):
            raise ValueError(_expected(dict, value))  # noqa: TRY004
        found = inner(value, dict)
        return collections.OrderedDict(found) if origin is collections.OrderedDict else found

    return structure


def _alias(kind: Any, made: cattrs.Converter) -> Hook:
    alias = origin_of(kind)
    inner = substituted(alias.__value__, dict(zip(alias.__type_params__, typing.get_args(kind), strict=False)))
    return lambda value, _kind: _hook(inner, made)(value, inner)  # looked up late, as it may be within itself


def _model(value: Any, kind: Any) -> Any:
    try:
        return kind.model_validate(without_nulls(value, kind))
    except ValueError as error:
        told = getattr(error, "errors", None)
        if not callable(told):
            raise
        found: Any = told()
        raise MisfitError([Fault(_path(each["loc"]), each["msg"]) for each in found]) from None


def _path(places: Iterable[Any]) -> str:
    return "$" + "".join([f"[{each}]" if isinstance(each, int) else f".{each}" for each in places])


# one of several


def _union(kind: Any, made: cattrs.Converter) -> Hook:
    arms = list(parts_of(typing.get_args(kind)))
    others = [each for each in arms if each is not None and each is not type(None)]

    def structure(value: Any, _kind: Any) -> Any:
        likely = sorted(arms, key=lambda arm: -_likeness(value, arm))
        faults: list[Exception] = []
        for arm in likely:
            try:
                return _hook(arm, made)(value, arm)
            except Exception as error:  # noqa: BLE001
                faults.append(error)
        first, second = ([*[_likeness(value, each) for each in likely], 0.0])[:2]
        if first > second or len(others) == 1:  # it was meant to be that
            raise faults[likely.index(others[0])] if len(others) == 1 else faults[0]
        raise ValueError(f"it is none of {', '.join([name_of(each) for each in arms])}: {shown(value)}")

    return structure


def _likeness(value: Any, kind: Any) -> float:
    """Return how much a value looks like one of a type: 0 is not at all."""
    origin, arguments = origin_of(kind), typing.get_args(kind)
    if origin is typing.Annotated:
        return _likeness(value, arguments[0])
    if kind is Any or kind is object:
        return 0.1
    if isinstance(value, dict):
        return 1.0 + _shared(value, kind) if is_record(kind) or is_pydantic(kind) else float(origin in MAPPINGS)
    if isinstance(value, list):
        return float(origin in LISTS)
    return _scalar_likeness(value, kind)


def _scalar_likeness(value: Any, kind: Any) -> float:
    if typing.get_origin(kind) is typing.Literal or _is_enum(kind):
        values = typing.get_args(kind) or tuple(kind)
        return 4.0 if any(type(each) is type(value) and each == value for each in _plain(values)) else 0.5
    if kind is type(value) or (kind is None and value is None):
        return 2.0
    if isinstance(value, str):
        return 3.0 if kind in _FROM_TEXT else 2.0 if _is_path(kind) else 0.0  # a text that is a date is meant as one
    return float({kind, type(value)} == {int, float})


def _shared(value: Mapping[str, Any], kind: Any) -> float:
    """Return how many members an object shares with a class; a constant that is another one rules it out."""
    if is_pydantic(kind):
        kinds = {each.alias or name: each.annotation for name, each in kind.model_fields.items()}
    else:
        kinds = {each.name: each.type for each in members(kind)}
    score = 0.0
    for name, each in value.items():
        if name not in kinds:
            score -= 0.5
            continue
        kind_of_it = kinds[name]
        if typing.get_origin(kind_of_it) is typing.Annotated:
            kind_of_it = typing.get_args(kind_of_it)[0]
        is_constant = typing.get_origin(kind_of_it) is typing.Literal
        if is_constant and each not in _plain(typing.get_args(kind_of_it)):
            return -0.9
        score += 10.0 if is_constant else 1.0
    return score


# faults


def _faults(error: BaseException, path: str) -> Iterator[Fault]:
    """Give every place that a failure of cattrs tells of."""
    if isinstance(error, MisfitError):
        for each in error.faults:
            yield Fault(path + each.path.removeprefix("$"), each.message)
        return
    inner = getattr(error, "exceptions", None)
    if inner is not None:
        for each in inner:
            yield from _faults(each, path + _place(each))
        return
    yield Fault(path, str(error) or type(error).__name__)


def _place(error: BaseException) -> str:
    for note in getattr(error, "__notes__", ()):
        if isinstance(note, IterableValidationNote):
            return f"[{note.index}]" if isinstance(note.index, int) else f".{note.index}"
    return ""
