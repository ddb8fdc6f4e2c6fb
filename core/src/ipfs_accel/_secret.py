"""Keys that do not show."""

from __future__ import annotations

from typing import NoReturn

from .errors import ConfigError

__all__ = ["Secret"]


class Secret:
    """A key: no repr, format, log, traceback or pickle shows it; `reveal()` gives it to who asks for it by name."""

    __slots__ = ("_value",)

    def __init__(self, value: str) -> None:
        value = value.strip()
        if not value or not value.isascii() or not value.isprintable():
            raise ConfigError(
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

    def __reduce__(self) -> tuple[type[_Lost], tuple[()]]:
        # The pickle of an object that holds a key must be possible and must not hold the key.
        return (_Lost, ())


class _Lost(Secret):
    """What becomes of a key in a pickle."""

    __slots__ = ()

    def __init__(self) -> None:
        self._value = ""

    def reveal(self) -> NoReturn:
        """Refuse: there is nothing to reveal."""
        raise ConfigError(
            "this key went through a pickle, which never holds keys", hint="configure the key where it is used"
        )
