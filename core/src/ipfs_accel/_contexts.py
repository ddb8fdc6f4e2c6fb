"""What errors are given when they are raised: for type checkers alone."""

from __future__ import annotations

from typing import Any, TypedDict

__all__ = ["APIContext", "Context"]


class Context(TypedDict, total=False):
    """What any error may know about the call that failed."""

    endpoint: str | None
    backend: str | None
    model: str | None
    hint: str | None


class APIContext(Context, total=False):
    """What an error of a performed call may know besides."""

    status: int | None
    code: str | None
    request_id: str | None
    retry_after: float | None
    retry_at: float | None
    retryable: bool
    attempts: int
    body: Any
    phase: str | None
    sent: bool
