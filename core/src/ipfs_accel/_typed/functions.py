"""Functions as tools: what a model has to know of one, and the arguments of a call as values of its parameters."""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable, Mapping
from typing import Any

from ipfs_accel import strict_json
from ipfs_accel._invalid import InvalidValueError

from .docstrings import described, summary
from .faults import Fault, MisfitError, shown
from .fields import Member, hints_of, name_of
from .schema import Written, object_of
from .values import by_member, structured, without_left_out

__all__ = ["Function"]

_NAME = re.compile(r"[a-zA-Z0-9_-]{1,64}")
_VARIADIC = {inspect.Parameter.VAR_POSITIONAL: "*", inspect.Parameter.VAR_KEYWORD: "**"}


class Function:
    """What is known of a function that models may call.

    Attributes:
        name: Its own.
        description: What its docstring says before the first section.
        parameters: JSON Schema of its arguments: those without a default are required, no others are allowed.
        has_keywords: Whether bounds of arguments are in it that types alone do not check.
        is_async: Whether it is awaited.
    """

    def __init__(self, function: Callable[..., Any], name: str | None = None) -> None:
        if isinstance(function, type) or not callable(function):
            raise InvalidValueError(
                f"{shown(function)} is no function", hint="give a function, or a method of an object"
            )
        self.name = name or _name_of(function)
        if _yields(function):
            raise InvalidValueError(
                f"{self.name}: it yields, and a model is told what a function returns", hint="return a list"
            )
        self.is_async = _is_async(function)
        self._function = function
        doc = inspect.getdoc(_annotated(function))
        self._doc = None if doc == type.__call__.__doc__ else doc  # that of any object that can be called
        self._positional: dict[str, Any] = {}
        self._members = {member.name: member for member in self._parameters(function)}
        found: Written = object_of(list(self._members.values()), "$")
        self.parameters = found.schema
        self.has_keywords = found.has_keywords
        self.description = summary(self._doc)

    def _parameters(self, function: Any) -> list[Member]:
        try:
            signature = inspect.signature(function)
        except (TypeError, ValueError) as error:
            raise InvalidValueError(f"{self.name}: its parameters cannot be read: {error}") from None
        hints = hints_of(_annotated(function))
        said = described(self._doc, ("Args", "Arguments", "Parameters"))
        found: list[Member] = []
        for name, parameter in signature.parameters.items():
            if parameter.kind in _VARIADIC:
                stars = _VARIADIC[parameter.kind]
                raise InvalidValueError(
                    f"{self.name}: {stars}{name} takes what has no name or no end",
                    hint="give it parameters of their own",
                )
            if name not in hints:
                raise InvalidValueError(
                    f"{self.name}: {name} has no annotation", hint="annotate it: models are told the types of arguments"
                )
            if parameter.kind is inspect.Parameter.POSITIONAL_ONLY:
                self._positional[name] = parameter.default
            has_default = parameter.default is not inspect.Parameter.empty
            found.append(Member(name, hints[name], has_default, said.get(name)))
        return found

    def given(self, text: str) -> dict[str, Any]:
        """Return the arguments of a call as JSON values, without those that null says are left out.

        Raises:
            MisfitError: They are no object.
        """
        try:
            given = strict_json.loads(text) if text.strip() else {}
        except (ValueError, RecursionError) as error:
            raise MisfitError([Fault("$", f"it is not JSON ({error})")]) from None
        if not isinstance(given, Mapping):
            raise MisfitError([Fault("$", f"expected an object, got {shown(given)}")])
        return without_left_out(given, self._members)

    def values(self, given: Mapping[str, Any]) -> dict[str, Any]:
        """Return the arguments of a call as values of the parameters.

        Raises:
            MisfitError: They do not fit; with each place.
        """
        return by_member(
            given, self._members, lambda name, each: structured(each, self._members[name].type), what="argument"
        )

    def __call__(self, values: Mapping[str, Any]) -> Any:
        """Call it, which gives what is awaited where it `is_async`."""
        # What is left out before another has to be said, as these have no names in a call.
        positional = [values.get(name, default) for name, default in self._positional.items()]
        return self._function(
            *positional, **{name: each for name, each in values.items() if name not in self._positional}
        )


def _name_of(function: Any) -> str:
    inner = getattr(function, "func", function)  # of functools.partial
    name = getattr(inner, "__name__", None) or type(inner).__name__
    if _NAME.fullmatch(name) is None:
        raise InvalidValueError(
            f"{name_of(inner)}: {name!r} is no name of a tool",
            hint="def it, or give a name: Tool.of(function, name='…')",
        )
    return str(name)


def _annotated(function: Any) -> Any:
    """Return what has annotations and words of a callable: the function in a partial, or an object's `__call__`."""
    function = inspect.unwrap(getattr(function, "func", function))
    return function if inspect.isroutine(function) else type(function).__call__


def _yields(function: Any) -> bool:
    kinds = inspect.isgeneratorfunction, inspect.isasyncgenfunction
    return any(is_one(each) for is_one in kinds for each in (function, getattr(function, "__call__", None)))  # noqa: B004


def _is_async(function: Any) -> bool:
    """Whether a call gives what is awaited, which a decorator decides and not the function within it."""
    inner = getattr(function, "func", function)
    return inspect.iscoroutinefunction(inner) or inspect.iscoroutinefunction(getattr(inner, "__call__", None))  # noqa: B004
