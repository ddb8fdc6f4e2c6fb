"""From JSON to values of a class, by cattrs, without guesses: a text is no number, and what is unknown is a fault."""

from __future__ import annotations

import collections
import functools
import typing
from collections.abc import Callable, Iterable, Iterator, Mapping
from collections.abc import Set as AbstractSet
from typing import Any

import cattrs
from cattrs import cols
from cattrs.errors import IterableValidationNote

from .faults import Fault, MisfitError, shown
from .fields import Member, is_alias, is_pydantic, is_qualifier, is_record, members, name_of, origin_of, substituted
from .pydantic_models import without_nulls
from .scalars import (
    FROM_TEXT,
    constants,
    enum_member,
    expected,
    from_text,
    is_enum,
    is_path,
    literal,
    null,
    scalar,
)
from .schema import LISTS, MAPPINGS, is_fixed, is_union, parts_of

__all__ = ["by_member", "is_nullable", "structured", "without_left_out"]

Hook = Callable[[Any, Any], Any]


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
    made = cattrs.Converter()
    for kind in (str, bool, int, float):
        made.register_structure_hook(kind, functools.partial(scalar, kind))
    made.register_structure_hook_func(lambda kind: kind is None or kind is type(None), null)
    for kind, (make, wanted) in FROM_TEXT.items():
        made.register_structure_hook(kind, functools.partial(from_text, make, wanted))
    made.register_structure_hook_func(is_path, lambda value, kind: kind(scalar(str, value, str)))
    made.register_structure_hook_func(is_enum, enum_member)
    made.register_structure_hook_func(lambda kind: kind is Any or kind is object, lambda value, _kind: value)
    for is_it, factory in (
        (is_record, _record),
        (lambda kind: origin_of(kind) in LISTS, _list),
        (lambda kind: origin_of(kind) in MAPPINGS, _mapping),
        (lambda kind: origin_of(kind) is typing.Literal, lambda kind, _made: functools.partial(literal, kind)),
        (is_union, _union),
        (is_alias, _alias),
        (lambda kind: hasattr(kind, "__supertype__"), lambda kind, made: _hook(kind.__supertype__, made)),
    ):
        made.register_structure_hook_factory(is_it, _with_converter(factory, made))
    made.register_structure_hook_func(is_pydantic, _model)
    return made


def _with_converter(factory: Callable[[Any, cattrs.Converter], Hook], made: cattrs.Converter) -> Callable[[Any], Hook]:
    return lambda kind: factory(kind, made)


def _record(kind: Any, made: cattrs.Converter) -> Hook:
    origin = origin_of(kind)
    make: Callable[..., Any] = dict if typing.is_typeddict(origin) else origin
    known = {each.name: each for each in members(kind)}
    hooks: dict[str, Hook] = {}

    def structure(value: Any, _kind: Any) -> Any:
        if not isinstance(value, dict):
            raise ValueError(expected(dict, value))  # noqa: TRY004 - a fault as any other
        if not hooks:  # found late, as the class may be within itself
            hooks.update({name: _hook(each.type, made) for name, each in known.items()})
        return make(**by_member(without_left_out(value, known), known, lambda name, each: hooks[name](each, None)))

    return structure


def without_left_out(value: Mapping[str, Any], known: Mapping[str, Member]) -> dict[str, Any]:
    """Return an object without the nulls that say of members that they are left out."""
    return {
        name: each
        for name, each in value.items()
        if each is not None or name not in known or not known[name].is_optional or is_nullable(known[name].type)
    }


def by_member(
    value: Mapping[str, Any], known: Mapping[str, Member], read: Callable[[str, Any], Any], what: str = "member"
) -> dict[str, Any]:
    """Return the members of an object as `read` makes them, given name and value.

    Raises:
        MisfitError: One does not fit, is missing, or is none of those known.
    """
    found: dict[str, Any] = {}
    faults: list[Fault] = []
    for name, each in value.items():
        if name not in known:
            faults.append(Fault(f"$.{name}", f"unknown {what}"))
            continue
        try:
            found[name] = read(name, each)
        except RecursionError:
            raise
        except Exception as error:  # noqa: BLE001 - as above
            faults += _faults(error, f"$.{name}")
    faults += [
        Fault(f"$.{name}", "missing") for name, each in known.items() if not each.is_optional and name not in value
    ]
    if faults:
        raise MisfitError(faults)
    return found


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
            raise ValueError(expected(list, value))  # noqa: TRY004
        found = items(value, list)
        return found if make is list else make(found)

    return structure


def _tuple(kinds: tuple[Any, ...], made: cattrs.Converter) -> Hook:
    def structure(value: Any, _kind: Any) -> Any:
        if not isinstance(value, list):
            raise ValueError(expected(list, value))  # noqa: TRY004
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
            raise ValueError(expected(dict, value))  # noqa: TRY004
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
    others = [index for index, each in enumerate(arms) if each is not None and each is not type(None)]

    def structure(value: Any, _kind: Any) -> Any:
        likeness = [_likeness(value, arm) for arm in arms]
        likely = sorted(range(len(arms)), key=lambda index: -likeness[index])
        faults: dict[int, Exception] = {}
        for index in likely:
            try:
                return _hook(arms[index], made)(value, arms[index])
            except Exception as error:  # noqa: BLE001
                faults[index] = error
        best = likely[0]
        if len(others) == 1:  # or none, which is no fault to tell of
            raise faults[others[0]]
        if all(likeness[best] > likeness[index] for index in likely[1:]):  # it was meant to be that
            raise faults[best]
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
    if typing.get_origin(kind) is typing.Literal or is_enum(kind):
        values = typing.get_args(kind) or tuple(kind)
        return 4.0 if any(type(each) is type(value) and each == value for each in constants(values)) else 0.5
    if kind is type(value) or (kind is None and value is None):
        return 2.0
    if isinstance(value, str):
        return 3.0 if kind in FROM_TEXT else 2.0 if is_path(kind) else 0.0  # a text that is a date is meant as one
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
        if is_constant and each not in constants(typing.get_args(kind_of_it)):
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
