"""Whether a text is JSON that follows a JSON Schema: by the package jsonschema, if it is installed.

The extra `schema` brings it. It is loaded with the first schema that is checked, and asks nobody: a reference that
leads out of a schema is no reason to open a connection.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable, Iterator, Mapping
from functools import lru_cache
from typing import Any

from ipfs_accel import strict_json
from ipfs_accel._typed.faults import Fault
from ipfs_accel.errors import ConfigError, InvalidRequestError
from ipfs_accel.installing import install_command

__all__ = ["UncheckableError", "faults", "is_installed", "refuse_wrong", "require", "violation"]

_LONGEST = 160


class UncheckableError(ValueError):
    """The checker cannot judge by this schema, for example as it refers to another place."""


@lru_cache(maxsize=1)
def _packages() -> tuple[Any, Any] | None:
    try:
        return importlib.import_module("jsonschema"), importlib.import_module("referencing")
    except ImportError:
        return None


def is_installed() -> bool:
    """Whether there is a checker."""
    return _packages() is not None


def require(what: str) -> None:
    """Raise unless there is a checker.

    Raises:
        ConfigError: There is none; `what` needs it.
    """
    if not is_installed():
        raise ConfigError(
            f"{what} needs the package jsonschema", hint=f"run: {install_command('ipfs-accel[schema]', 'jsonschema')}"
        )


def violation(text: str, schema: Mapping[str, Any]) -> str | None:
    """Return what a text breaks of a schema, with the place in it, or None; there has to be a checker.

    Raises:
        UncheckableError: See there.
    """
    try:
        value = strict_json.loads(text)
    except (ValueError, RecursionError) as error:
        return f"it is not JSON ({error})"
    first = next(_errors(value, schema), None)
    return None if first is None else f"{_place(first)}: {first.message[:_LONGEST]} ({first.validator})"


def refuse_wrong(schema: Mapping[str, Any], what: str) -> None:
    """Raise unless a schema is one; there has to be a checker.

    Raises:
        InvalidRequestError: It is none; `what` has it.
    """
    jsonschema, _ = _packages()  # type: ignore[misc]
    kind = jsonschema.Draft202012Validator
    try:
        kind.check_schema(schema, format_checker=kind.FORMAT_CHECKER)
    except jsonschema.SchemaError as wrong:
        raise InvalidRequestError(f"{what}: {_place(wrong)}: {wrong.message[:_LONGEST]}") from None


def faults(value: Any, schema: Mapping[str, Any]) -> tuple[Fault, ...]:
    """Return each place at which a JSON value does not follow a schema; there has to be a checker.

    Raises:
        UncheckableError: See there.
    """
    return tuple([Fault(_place(each), each.message[:_LONGEST]) for each in _errors(value, schema)])


def _place(error: Any) -> str:
    return "$" + "".join([f"[{each}]" if isinstance(each, int) else f".{each}" for each in error.absolute_path])


def _errors(value: Any, schema: Mapping[str, Any]) -> Iterator[Any]:
    try:
        yield from _validator(strict_json.dumps(schema))(value)
    except Exception as wrong:  # noqa: BLE001
        # A schema may be wrong in any way, and each keyword that meets it raises what Python does.
        raise UncheckableError(f"{type(wrong).__name__}: {str(wrong)[:_LONGEST]}") from None


@lru_cache(maxsize=128)
def _validator(schema: bytes) -> Callable[[Any], Any]:
    jsonschema, referencing = _packages()  # type: ignore[misc]
    value = strict_json.loads(schema)
    made = jsonschema.validators.validator_for(value, default=jsonschema.Draft202012Validator)
    checker = made(value, registry=referencing.Registry(), format_checker=made.FORMAT_CHECKER)
    return checker.iter_errors  # type: ignore[no-any-return]
