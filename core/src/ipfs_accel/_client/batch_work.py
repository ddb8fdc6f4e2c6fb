"""What a run over many rows is to do, made of what a caller gives."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ipfs_accel._batch.engine import LIMITS, Engine, Limits
from ipfs_accel._batch.opening import checked_limits, opened
from ipfs_accel._batch.requests import Asked
from ipfs_accel._batch.settings import Settings, checked_settings
from ipfs_accel._calls import operations as ops

from .batch_places import Places

if TYPE_CHECKING:
    from ipfs_accel._calls.core import Core
    from ipfs_accel._worlds.effects import Steps

__all__ = ["Work", "limits_of"]

_OPERATIONS: Mapping[str, ops.Operation[Any]] = {
    "chat": ops.CHAT,
    "complete": ops.COMPLETE,
    "embed": ops.EMBED,
    "rerank": ops.RERANK,
    "classify": ops.CLASSIFY,
}


class Work:
    """A run as it was asked for; nothing has happened yet.

    Args:
        core: The client's.
        places: The input, and where the lines go.
        settings: What is asked.
        limits: How this process works on it.
        retry_failed: Whether rows that failed are asked for again.
    """

    def __init__(self, core: Core, places: Places, settings: Settings, limits: Limits, *, retry_failed: bool) -> None:
        self.places = places
        self.limits = limits
        self._core = core
        self._operation = _OPERATIONS[settings.operation]
        self._begin = partial(
            opened, places.source, places.output, settings, limits, now=core.clock.now, retry_failed=retry_failed
        )

    @classmethod
    def of(cls, core: Core, model: str | None, source: str | Path, output: str | Path, given: dict[str, Any]) -> Work:
        """Return it from what a caller gave; `given` are `BatchRunOptions`.

        Raises:
            InvalidRequestError: One of them is wrong; names it.
        """
        limits = limits_of(given)
        retry_failed = given.pop("retry_failed", False)
        settings = checked_settings(Path(source), model, given)
        return cls(core, Places(core, source, output), settings, limits, retry_failed=retry_failed)

    def begin(self) -> Engine:
        """Plan it, or find out what is done already."""
        return self._begin(check=lambda asked: self.steps(asked).close())

    def steps(self, asked: Asked) -> Steps[Any]:
        """Return the steps of a row's call."""
        model, value, options = asked
        return self._core.whole(self._operation, model, value, options)


def limits_of(given: dict[str, Any]) -> Limits:
    """Take how a process works on a run out of the options.

    Raises:
        InvalidRequestError: One of them makes no sense; names it.
    """
    return checked_limits(Limits(**{name: given.pop(name) for name in LIMITS if name in given}))
