"""What the servers' error texts mean; many come with a status that says something else."""

from __future__ import annotations

import re
from contextlib import suppress
from typing import Any

import attrs
from ipfs_accel import strict_json
from ipfs_accel.errors import (
    APIStatusError,
    AuthenticationError,
    BadRequestError,
    InternalServerError,
    ModelNotFoundError,
    NotFoundError,
    OverloadedError,
)
from ipfs_accel.plans import ErrorDetail, HttpResponse
from ipfs_accel.wire import openai_errors

__all__ = ["in_stream", "read_error"]


@attrs.frozen
class _Known:
    """A text that is known, as a regular expression, what it is, what to do, and whether trying again helps."""

    text: str
    kind: type[APIStatusError]
    hint: str | None = None
    retryable: bool | None = None


_KNOWN = (
    # OVMS has no status for it and says 500.
    _Known("unauthorized request", AuthenticationError, "set the key that the server was started with"),
    _Known("not loaded yet|model version not ready|server is not ready", OverloadedError),
    _Known(
        "has no available versions",
        ModelNotFoundError,
        "it may have failed to load: list_models and the call repository_index say why",
    ),
    _Known(
        "with requested (?:name|version) is not found|not loaded anymore|unknown model|servable not found"
        "|any versions of model|^model not found$",
        ModelNotFoundError,
    ),
    _Known(
        "invalid request url|malformed request",
        NotFoundError,
        "the server has no such route: look at its version, its base URL and how it was started",
    ),
    # It says "input" of outputs, too.
    _Known(
        "unsupported data precision",
        BadRequestError,
        "over REST OVMS has no outputs of FP16, BF16 and less: let the model give FP32",
    ),
    _Known(
        "config file not found|reloading (?:config file|models versions) failed|retrieving all model statuses failed",
        InternalServerError,
        "look into the server's configuration and its log",
        retryable=False,
    ),
)
_PRECONDITION = 412
_REFUSED = "INVALID_ARGUMENT"


def _known(message: str) -> _Known | None:
    return next((known for known in _KNOWN if re.search(known.text, message, re.IGNORECASE)), None)


def read_error(response: HttpResponse) -> ErrorDetail:
    """Read an error answer of any of these servers."""
    detail = openai_errors.read_error(response)
    known = _known(detail.message)
    if known is not None:
        retryable = known.kind.retryable if known.retryable is None else known.retryable
        return attrs.evolve(detail, kind=known.kind, hint=known.hint or detail.hint, retryable=retryable)
    if response.status == _PRECONDITION:  # OVMS's answer to JSON that it does not like
        return attrs.evolve(detail, kind=BadRequestError)
    return detail


def in_stream(text: str) -> APIStatusError:
    """Return the error that OVMS writes into a stream that has begun; its JSON may end early."""
    body: dict[str, Any] = {"error": text}
    with suppress(ValueError):
        body = strict_json.loads(text)
    error = openai_errors.error_in_body(body)
    known = _known(error.message)
    if known is not None:
        return known.kind(error.message, body=body, hint=known.hint)
    return BadRequestError(error.message, body=body) if _REFUSED in error.message else error
