"""One log event per call, through structlog into the standard library's logger `ipfs_accel`; silent by default."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from ipfs_accel.errors import AccelError
    from ipfs_accel.types import CallInfo, Tried

__all__ = ["failed", "finished", "retrying", "trouble"]

_stdlib = logging.getLogger("ipfs_accel")
_stdlib.addHandler(logging.NullHandler())
_wrapped: Any = None


def _logger() -> Any:
    # structlog is imported only when somebody listens.
    global _wrapped  # noqa: PLW0603
    if _wrapped is None:
        import structlog  # noqa: PLC0415

        processors: list[Any] = [structlog.stdlib.add_log_level, structlog.stdlib.render_to_log_kwargs]
        _wrapped = structlog.wrap_logger(_stdlib, processors=processors, wrapper_class=structlog.stdlib.BoundLogger)
    return _wrapped


def _is_heard(level: int) -> bool:
    """Return whether somebody set up logging; our own NullHandler is the first of `_stdlib.handlers`."""
    if not _stdlib.isEnabledFor(level) or not (logging.getLogger().handlers or len(_stdlib.handlers) > 1):
        return False
    try:
        _logger()
    except OSError:  # no file can be opened any more, which the call's own error tells
        return False
    return True


def finished(operation: str, info: CallInfo, answer: object) -> None:
    """Log a call that succeeded."""
    if not _is_heard(logging.INFO):
        return
    usage = getattr(answer, "usage", None)
    _logger().info(
        "call_finished",
        operation=operation,
        endpoint=info.endpoint,
        backend=info.backend,
        model=info.model,
        request_id=info.request_id,
        key=info.key,
        attempts=info.attempts,
        cost=info.cost,
        queue=info.timing.queue,
        connect=info.timing.connect,
        first_event=info.timing.first_event,
        total=info.timing.total,
        input_tokens=getattr(usage, "input_tokens", None),
        output_tokens=getattr(usage, "output_tokens", None),
    )


def failed(operation: str, model: str, error: AccelError) -> None:
    """Log a call that failed; the provider's words stay out, since they may repeat what was sent."""
    if not _is_heard(logging.WARNING):
        return
    _logger().warning(
        "call_failed",
        operation=operation,
        endpoint=error.endpoint,
        backend=error.backend,
        model=model,
        error=type(error).__name__,
        status=getattr(error, "status", None),
        code=getattr(error, "code", None),
        request_id=getattr(error, "request_id", None),
        attempts=getattr(error, "attempts", 1),
    )


def retrying(operation: str, tried: Tried) -> None:
    """Log an attempt that failed and is followed by another one."""
    if not _is_heard(logging.INFO):
        return
    import attrs  # noqa: PLC0415 - as structlog

    _logger().info("attempt_failed", operation=operation, **attrs.asdict(tried))


def trouble(sentence: str) -> None:
    """Log what went wrong beside a call, and does not concern its caller."""
    if _is_heard(logging.WARNING):
        _logger().warning("trouble", what=sentence)
