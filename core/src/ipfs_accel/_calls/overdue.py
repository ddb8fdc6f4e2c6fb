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
    from .call import Call

__all__ = ["name_limit", "other_limit"]

_MARK = "(timeout."


def name_limit(call: Call, error: AccelError, *, has_begun: bool = False) -> None:
    """Say in a time-out's message which of the limits it was, and where its value is from; once.

    What no limit of the call ended, such as a plugin's own, stays as it is.

    Args:
        call: Whose limits these are.
        error: Any error.
        has_begun: Whether it is about a stream that has had its first event.
    """
    if not isinstance(error, APITimeoutError) or _MARK in error.message:
        return
    name = _limit(error, has_begun=has_begun)
    value = None if name is None else call.journey.limit if name == "total" else getattr(call.timeout, name)
    if value is None:
        return
    shown = f"{round(value, 2):g} s"
    if name != "total" and shown not in error.message:
        return
    said = "" if shown in error.message else f" = {shown}"
    error.args = (f"{error.message} {_MARK}{name}{said}, {_source(call, name, value)})", *error.args[1:])


def _limit(error: APITimeoutError, *, has_begun: bool) -> str | None:
    if isinstance(error, DeadlineExceededError):
        return "total"
    if isinstance(error, PoolTimeoutError):
        return None
    if error.phase in {"read", "write", "first_event", "idle"}:
        return "idle" if has_begun else "first_event"
    return error.phase if error.phase == "connect" else None


def _source(call: Call, name: str, value: float) -> str:
    target = call.target
    if value not in {getattr(target.timeout, name), getattr(target.patience, name)}:
        return "that of a check" if call.is_check else "as the call says"
    _, source = target.sources.get("timeout", ("", ""))
    usual = target.backend.info.timeout or Timeout()
    if not source or value == getattr(usual, name):  # one limit may be set, and the others not
        return "by default"
    return "as set in code" if source == "code" else f"as set by {source}"


def other_limit(call: Call, error: AccelError) -> str | None:
    """Return how to set another limit than the one that was reached."""
    if not isinstance(error, APITimeoutError | StreamInterrupted) or call.is_check or _MARK not in error.message:
        return None
    name = error.message.rpartition(_MARK)[2].partition(",")[0].partition(" ")[0]
    place = f"[endpoints.{call.target.endpoint.name}"
    if name == "total":
        return f"for more time pass timeout=SECONDS (-o timeout=SECONDS), or set timeout below {place}]"
    return f"for another limit pass timeout=Timeout({name}=SECONDS), or set {name} below {place}.timeout]"
