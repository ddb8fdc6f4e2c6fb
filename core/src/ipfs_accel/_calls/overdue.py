"""Which time limit a call has reached, where that is from, and how to set another: what errors say of it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ipfs_accel.errors import (
    AccelError,
    APITimeoutError,
    DeadlineExceededError,
    PoolTimeoutError,
    StreamInterrupted,
)
from ipfs_accel.types import Timeout

if TYPE_CHECKING:
    from ipfs_accel._endpoints.target import Target

__all__ = ["name_limit", "other_limit"]

_MARK = "(timeout."


def name_limit(error: AccelError, target: Target, limits: Timeout, *, has_begun: bool, is_check: bool) -> None:
    """Say in a time-out's message which of the limits it was, and where its value is from; once.

    What no limit of the call ended, such as a plugin's own, stays as it is.

    Args:
        error: Any error.
        target: Who was asked.
        limits: Of the call; `total` is that of all its targets.
        has_begun: Whether it is about a stream that has had its first event.
        is_check: Whether the call was a health check.
    """
    if not isinstance(error, APITimeoutError) or _MARK in error.message:
        return
    name = _limit(error, has_begun=has_begun)
    value = None if name is None else getattr(limits, name)
    if name is None or value is None:
        return
    shown = f"{round(value, 2):g} s"
    if name != "total" and shown not in error.message:
        return
    said = "" if shown in error.message else f" = {shown}"
    source = _source(target, name, value, is_check=is_check)
    error.args = (f"{error.message} {_MARK}{name}{said}, {source})", *error.args[1:])


def _limit(error: APITimeoutError, *, has_begun: bool) -> str | None:
    if isinstance(error, DeadlineExceededError):
        return "total"
    if isinstance(error, PoolTimeoutError):
        return None
    if error.phase in {"read", "write", "first_event", "idle"}:
        return "idle" if has_begun else "first_event"
    return "connect" if error.phase == "connect" else None


def _source(target: Target, name: str, value: float, *, is_check: bool) -> str:
    if value not in {getattr(target.timeout, name), getattr(target.patience, name)}:
        return "that of a check" if is_check else "as the call says"
    _, source = target.sources.get("timeout", ("", ""))
    usual = target.backend.info.timeout or Timeout()
    if not source or value == getattr(usual, name):  # one limit may be set, and the others not
        return "by default"
    return "as set in code" if source == "code" else f"as set by {source}"


def other_limit(error: AccelError, endpoint: str) -> str | None:
    """Return how to set another limit than the one that was reached, if an error names one."""
    if not isinstance(error, APITimeoutError | StreamInterrupted) or _MARK not in error.message:
        return None
    name = error.message.rpartition(_MARK)[2].partition(",")[0].partition(" ")[0]
    if name == "total":
        return f"for more time pass timeout=SECONDS (-o timeout=SECONDS), or set timeout below [endpoints.{endpoint}]"
    return f"for another limit pass timeout=Timeout({name}=SECONDS), or set {name} below [endpoints.{endpoint}.timeout]"
