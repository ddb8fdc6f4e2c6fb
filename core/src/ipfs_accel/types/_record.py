"""How a call ended, as a value."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import attrs

from ipfs_accel._values import frozen

from ._answers import Timing, Tried
from ._usage import Usage


@frozen(kw_only=True)
class CallRecord:
    """How a call to one endpoint ended: for middleware, logs and telemetry. It holds no content and no key.

    A call that falls back has one for each target that it asked.

    Attributes:
        operation: Name of the operation, or of the backend's own call.
        endpoint: Whom it asked.
        backend: Which plugin that endpoint uses.
        origin: Scheme, host and port of the server; empty where there is none.
        model: Model id as the caller gave it, without the endpoint.
        is_stream: Whether the answer came in pieces.
        is_abandoned: Whether it was cancelled, or its stream left, before its end: what it used is then not all known.
        options: The request's options that are numbers or words, such as temperature.
        ended_at: Seconds since 1970.
        timing: Where the time went.
        attempts: How often it was tried, over all targets so far.
        tried: The attempts that failed.
        key: Id of the key that was sent; None if there was none.
        request_id: The provider's id of the request.
        cached: exact or semantic, for an answer from the cache.
        usage: Tokens, as far as they are known.
        cost: US dollars; None where anything of it is unknown.
        response_id: The provider's id of the answer.
        response_model: The model that answered, as the provider names it.
        finish_reasons: Of the choices.
        error: Class of the error; None for an answer. The next two likewise.
        status: HTTP status of the error.
        code: The provider's own error code or type.
    """

    operation: str
    endpoint: str
    backend: str
    origin: str = ""
    model: str = ""
    is_stream: bool = False
    is_abandoned: bool = False
    options: Mapping[str, Any] = attrs.field(factory=dict)
    ended_at: float
    timing: Timing
    attempts: int = 1
    tried: tuple[Tried, ...] = ()
    key: str | None = None
    request_id: str | None = None
    cached: str | None = None
    usage: Usage | None = None
    cost: float | None = None
    response_id: str | None = None
    response_model: str | None = None
    finish_reasons: tuple[str, ...] = ()
    error: str | None = None
    status: int | None = None
    code: str | None = None
