"""What is told of a call when it is over, to whoever asked for it: middleware and telemetry."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TypeAlias

from ipfs_accel.types import CallInfo, CallRecord

from . import log

if TYPE_CHECKING:
    from ipfs_accel._endpoints.target import Target
    from ipfs_accel.errors import AccelError

__all__ = ["Listener", "record_of", "tell"]

Listener: TypeAlias = Callable[[CallRecord], object]

_OPTIONS = ("max_tokens", "temperature", "top_p", "top_k", "seed", "stop", "frequency_penalty", "presence_penalty", "n")


def record_of(
    operation: str, target: Target, info: CallInfo, request: Any, *, answer: Any = None, error: AccelError | None = None
) -> CallRecord:
    """Return how a call ended: with an answer, or with an error."""
    given = {name: getattr(request, name, None) for name in _OPTIONS}
    reasons = [getattr(choice, "finish_reason", None) for choice in getattr(answer, "choices", ())]
    return CallRecord(
        operation=operation,
        endpoint=info.endpoint,
        backend=info.backend,
        origin=target.origin,
        model=info.model,
        is_stream=operation.startswith("stream"),
        options={name: value for name, value in given.items() if value is not None},
        ended_at=target.guard.clock.time(),
        timing=info.timing,
        attempts=info.attempts if error is None else getattr(error, "attempts", 1),
        tried=info.tried if error is None else getattr(error, "tried", ()),
        key=info.key,
        request_id=info.request_id,
        cached=info.cached,
        usage=getattr(answer, "usage", None),
        cost=info.cost,
        response_id=getattr(answer, "id", None),
        response_model=getattr(answer, "model", None),
        finish_reasons=tuple([reason for reason in reasons if reason]),
        error=None if error is None else type(error).__name__,
        status=getattr(error, "status", None),
        code=getattr(error, "code", None),
    )


def tell(listeners: tuple[Listener, ...], record: CallRecord) -> None:
    """Tell everybody; one that fails keeps neither the others nor the caller from what is theirs."""
    for listener in listeners:
        try:
            listener(record)
        except Exception as error:  # noqa: BLE001 - a listener may raise anything
            log.trouble(f"whoever listens to call_finished failed: {type(error).__name__}: {error}")
