"""One log event per call, through structlog into the standard library's logger `ipfs_accel`; silent by default."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from logging import Logger

    from ipfs_accel.errors import AccelError
    from ipfs_accel.types import CallInfo, Tried

__all__ = ["failed", "finished", "is_heard", "retrying", "trouble"]

_INFO, _WARNING = 20, 30  # as `logging` has them
_loggers: tuple[Logger, Logger] | None = None
_wrapped: Any = None


def _logger() -> Any:
    # structlog is imported only when somebody listens.
    global _wrapped  # noqa: PLW0603
    if _wrapped is None:
        import structlog  # noqa: PLC0415

        processors: list[Any] = [structlog.stdlib.add_log_level, structlog.stdlib.render_to_log_kwargs]
        _wrapped = structlog.wrap_logger(_known()[0], processors=processors, wrapper_class=structlog.stdlib.BoundLogger)
    return _wrapped


def _known() -> tuple[Logger, Logger]:
    """Return our logger and the root of all."""
    global _loggers  # noqa: PLW0603
    if _loggers is None:
        import logging  # noqa: PLC0415 - who listens has imported it; a process in which nobody does need not

        ours = logging.getLogger("ipfs_accel")
        # First of all handlers: with none at all, the library's last resort would write to stderr.
        ours.handlers[:0] = [logging.NullHandler()]
        _loggers = ours, logging.getLogger()
    return _loggers


def _is_heard(level: int) -> bool:
    """Return whether somebody set up logging; our own handler, which is deaf, is the first of ours."""
    if _loggers is None and "logging" not in sys.modules:
        return False
    ours, root = _known()
    if not ours.isEnabledFor(level) or not (root.handlers or len(ours.handlers) > 1):
        return False
    try:
        _logger()
    except OSError:  # no file can be opened any more, which the call's own error tells
        return False
    return True


def is_heard() -> bool:
    """Return whether anybody is told of calls that succeed."""
    return _is_heard(_INFO)


def finished(operation: str, info: CallInfo, answer: object) -> None:
    """Log a call that succeeded."""
    if not _is_heard(_INFO):
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
    if not _is_heard(_WARNING):
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
    if not _is_heard(_INFO):
        return
    import attrs  # noqa: PLC0415 - as structlog

    _logger().info("attempt_failed", operation=operation, **attrs.asdict(tried))


def trouble(sentence: str) -> None:
    """Log what went wrong beside a call, and does not concern its caller."""
    if _is_heard(_WARNING):
        _logger().warning("trouble", what=sentence)
