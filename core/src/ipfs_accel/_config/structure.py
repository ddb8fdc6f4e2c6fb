"""Plain values to attrs classes, with errors that name the value. The only module that imports cattrs."""

from __future__ import annotations

import sys
from collections.abc import Callable, Collection, Mapping
from pathlib import Path
from typing import Any

import attrs
import cattrs
from cattrs.gen import make_dict_structure_fn, override

from ipfs_accel._resilience import optional
from ipfs_accel.types import Timeout

__all__ = ["problems", "structure"]

Problem = tuple[tuple[str, ...], str, list[str]]


def _strict(expected: type[Any]) -> Any:
    """Make a hook that takes only values of that type, or text of numbers as environment variables have it."""

    def hook(value: Any, _kind: Any) -> Any:
        if isinstance(value, bool) is not (expected is bool):
            raise TypeError(f"expected {_NAMES[expected]}, got {value!r}")
        if expected is float and isinstance(value, int):
            return float(value)
        if isinstance(value, str) and expected in {int, float}:
            return expected(value)
        if not isinstance(value, expected):
            # Bytes in place of a text may be those of a key.
            shown = type(value).__name__ if isinstance(value, bytes) else repr(value)
            raise TypeError(f"expected {_NAMES[expected]}, got {shown}")
        return value

    return hook


_NAMES: dict[type[Any], str] = {str: "a string", int: "a whole number", float: "a number", bool: "true or false"}


def _timeout(value: Any, _kind: Any) -> Any:
    if value is None or isinstance(value, Timeout):
        return value
    return _converter.structure(value, Timeout if isinstance(value, Mapping) else float)


def _names(value: Any, _kind: Any) -> Any:
    if value is None or isinstance(value, str):
        return value
    return _converter.structure(value, tuple[str, ...])


def _table(kind: type[Any], leave_out: Mapping[str, Any]) -> Callable[[Any, Any], Any]:
    """Make a hook for a class of settings; what code has made already is taken as it is."""
    from_values = make_dict_structure_fn(kind, _converter, _cattrs_forbid_extra_keys=True, **leave_out)

    def hook(value: Any, kind_: Any) -> Any:
        if isinstance(value, kind):
            return value
        if not isinstance(value, Mapping):
            raise TypeError(f"expected a table of settings, got {type(value).__name__}")
        return from_values(value, kind_)

    return hook


def _make_converter() -> cattrs.Converter:
    converter = cattrs.Converter(forbid_extra_keys=True)
    converter.register_structure_hook_factory(attrs.has, lambda kind: _table(kind, {}))
    for kind in _NAMES:
        converter.register_structure_hook(kind, _strict(kind))
    converter.register_structure_hook(float | Timeout | None, _timeout)
    converter.register_structure_hook(str | tuple[str, ...] | None, _names)
    converter.register_structure_hook(Path, lambda value, _kind: Path(value))
    return converter


_converter = _make_converter()


def structure(values: Mapping[str, Any], kind: type[Any], leave_out: Collection[str] = ()) -> Any:
    """Make an instance of `kind` from plain values; fields in `leave_out` (as `Class.field`) cannot be given."""
    for each in _attrs_classes(kind):
        names = [field.name for field in attrs.fields(each)]
        hidden = {name: override(omit=True) for name in names if f"{each.__name__}.{name}" in leave_out}
        if hidden:
            _converter.register_structure_hook(each, _table(each, hidden))
    return _converter.structure(values, kind)


def _attrs_classes(kind: type[Any]) -> list[type[Any]]:
    """Return the attrs classes that `kind` is made of, parts first."""
    found: list[type[Any]] = []
    # The kinds that a configuration need not have are loaded here, where any of them may be.
    names = {**vars(sys.modules[kind.__module__]), **vars(optional)}
    for field in attrs.fields(attrs.resolve_types(kind, globalns=names)):
        for part in getattr(field.type, "__args__", ()):
            if attrs.has(part):
                found += _attrs_classes(part)
    return [*found, kind]


def problems(error: BaseException, path: tuple[str, ...] = ()) -> list[Problem]:
    """Flatten what cattrs raised into (path, message, names known there)."""
    if isinstance(error, cattrs.ForbiddenExtraKeysError):
        known = sorted(field.name for field in attrs.fields(error.cl))
        return [((*path, name), "unknown setting", known) for name in sorted(error.extra_fields)]
    if isinstance(error, cattrs.BaseValidationError):
        found: list[Problem] = []
        for inner in error.exceptions:
            notes = [
                note for note in getattr(inner, "__notes__", []) if hasattr(note, "name") or hasattr(note, "index")
            ]
            step = tuple(str(note.name if hasattr(note, "name") else note.index) for note in notes[:1])
            found += problems(inner, path + step)
        return found
    return [(path, str(error) or type(error).__name__, [])]
