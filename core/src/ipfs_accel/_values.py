"""Values: attrs classes that take half of attrs' time to be made, since what few of them ever do waits for it.

Of what attrs writes and compiles for a class, half is for showing and comparing it. Those three methods are here, once
for all classes, by what attrs knows of the fields; all else is attrs' own.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import attrs

__all__ = ["define", "frozen"]


def _maker(make: Callable[..., type], *, is_hashable: bool) -> Any:
    def decorator(cls: type | None = None, *, kw_only: bool = False, eq: bool = True, slots: bool = True) -> Any:
        def made(cls: type) -> type:
            methods: dict[str, Any] = {"__repr__": _repr}
            if eq:
                methods |= {"__eq__": _eq, "__hash__": _hash if is_hashable else None}
            for name, method in methods.items():
                if name not in cls.__dict__:
                    setattr(cls, name, method)
            return make(cls, kw_only=kw_only, slots=slots, eq=False, repr=False)

        return made if cls is None else made(cls)

    return decorator


def _eq(self: Any, other: Any) -> Any:
    kind = self.__class__
    if other.__class__ is not kind:
        return NotImplemented
    return all(getattr(self, each.name) == getattr(other, each.name) for each in kind.__attrs_attrs__ if each.eq)


def _hash(self: Any) -> int:
    kind = self.__class__
    return hash((kind, *[getattr(self, each.name) for each in kind.__attrs_attrs__ if each.eq]))


def _repr(self: Any) -> str:
    kind = self.__class__
    shown = [
        f"{each.name}={(repr if each.repr is True else each.repr)(getattr(self, each.name, attrs.NOTHING))}"
        for each in kind.__attrs_attrs__
        if each.repr
    ]
    return f"{kind.__qualname__.rpartition('>.')[2]}({', '.join(shown)})"


if TYPE_CHECKING:
    from attrs import define, frozen
else:
    # As those of attrs, for classes whose fields are compared, hashed and shown in the plain way.
    define, frozen = _maker(attrs.define, is_hashable=False), _maker(attrs.frozen, is_hashable=True)
