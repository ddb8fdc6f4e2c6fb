"""Names of a package, and modules, that are loaded when they are first used."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping
from importlib import import_module
from typing import Any

__all__ = ["late", "lazy"]


def lazy(package: str, homes: Mapping[str, tuple[str, ...]]) -> Callable[[str], Any]:
    """Return the `__getattr__` of a package.

    Args:
        package: Its `__name__`.
        homes: Module, relative to the package, to the names that it holds. Type checkers are told by imports below
            `if TYPE_CHECKING`.
    """
    home_of = {name: home for home, names in homes.items() for name in names}

    def load(name: str) -> Any:
        home = home_of.get(name)
        if home is None:
            raise AttributeError(f"module {package!r} has no attribute {name!r}")
        value = getattr(import_module(home, package), name)
        setattr(sys.modules[package], name, value)
        return value

    return load


class _Late:
    def __init__(self, name: str, package: str) -> None:
        self._name = name
        self._package = package
        self._module: Any = None

    def __getattr__(self, name: str) -> Any:
        module = self._module
        if module is None:
            module = self._module = import_module(self._name, self._package)
        return getattr(module, name)


def late(package: str, *names: str) -> list[Any]:
    """Return modules of a package, each of which is loaded when something of it is first used.

        batches, files = late(__name__, "_batches", "_files")

    Type checkers are told by imports below `if TYPE_CHECKING`.
    """
    return [_Late(f".{name}", package) for name in names]
