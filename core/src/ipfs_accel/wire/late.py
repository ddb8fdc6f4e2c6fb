"""Modules that only some calls of a plugin need, so that its package imports what its chats need and no more."""

from __future__ import annotations

from importlib import import_module
from typing import Any

__all__ = ["late"]


class _Late:
    def __init__(self, name: str, package: str) -> None:
        self._name = name
        self._package = package

    def __getattr__(self, name: str) -> Any:
        return getattr(import_module(self._name, self._package), name)


def late(package: str, *names: str) -> list[Any]:
    """Return modules of a package, each of which is loaded when something of it is first used.

        batches, files = late(__name__, "_batches", "_files")

    Type checkers are told by imports below `if TYPE_CHECKING`.
    """
    return [_Late(f".{name}", package) for name in names]
