"""Keys that do not show."""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable, Iterable, Iterator
from typing import NoReturn, Self, TypeAlias

from ._invalid import InvalidValueError

__all__ = ["SECRET_NAME", "KeySource", "Secret", "SentHeaders", "secrets_in"]

SHORTEST_SECRET = 8
"""Shorter keys are words such as `none` or `EMPTY`, given to servers that want no key; hiding them would hide words."""

SECRET_NAME = re.compile(r"key|token|secret|password|credential|auth|cookie|session|signature", re.IGNORECASE)
"""What the name of a header or setting has in it whose value is not to be shown."""


class Secret:
    """A key: no repr, format, log, traceback or pickle shows it; `reveal()` gives it to who asks for it by name."""

    __slots__ = ("_value",)

    def __init__(self, value: str) -> None:
        value = value.strip()
        if not value or not value.isascii() or not value.isprintable():
            raise InvalidValueError(
                "a key is empty or has characters that no header may hold (line breaks, spaces inside, non-ASCII)",
                hint="set it again; a line break often comes along when a key is pasted",
            )
        self._value = value

    def reveal(self) -> str:
        """Return the key itself."""
        return self._value

    def __repr__(self) -> str:
        return "Secret('***')"

    def __str__(self) -> str:
        return "***"

    def __format__(self, _spec: str) -> str:
        return "***"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Secret) and other._value == self._value

    def __hash__(self) -> int:
        return hash(self._value)

    def __copy__(self) -> Self:
        return self

    def __deepcopy__(self, _memo: object) -> Self:
        return self  # it never changes, and a copy of settings goes on using it in this very process

    def __reduce__(self) -> tuple[type[_Lost], tuple[()]]:
        # The pickle of an object that holds a key must be possible and must not hold the key.
        return (_Lost, ())


KeySource: TypeAlias = Secret | Callable[[], str | Awaitable[str]]
"""A key, or a function that is asked for it each time."""


class _Lost(Secret):
    """What becomes of a key in a pickle."""

    __slots__ = ()

    def __init__(self) -> None:
        self._value = ""

    def reveal(self) -> NoReturn:
        """Refuse: there is nothing to reveal."""
        raise InvalidValueError(
            "this key went through a pickle, which never holds keys", hint="configure the key where it is used"
        )


class SentHeaders:
    """The headers of a request as it goes out, the key among them.

    No list: what reports errors with the variables of their frames looks into lists, and takes anything else as it
    shows itself.
    """

    __slots__ = ("pairs",)

    def __init__(self, pairs: list[tuple[str, str]]) -> None:
        self.pairs = pairs

    def add(self, name: str, value: str) -> None:
        """Add one."""
        self.pairs.append((name, value))

    def __iter__(self) -> Iterator[tuple[str, str]]:
        return iter(self.pairs)

    def __repr__(self) -> str:
        return f"SentHeaders({', '.join([name for name, _ in self.pairs])})"


def secrets_in(keys: Iterable[str], headers: Iterable[tuple[str, str]]) -> list[str]:
    """Return what of a request no error, record or log may repeat, though a server does: keys and other credentials."""
    # A key may have several parts, of which a server may repeat any but the id at its beginning.
    found: list[str] = []
    for key in keys:
        found.append(key)
        if ":" in key:
            found += key.split(":")[1:]
    for name, value in headers:
        if SECRET_NAME.search(name):
            found.append(value)
    return [secret for secret in found if len(secret) >= SHORTEST_SECRET]
