"""What Groq's errors say beside what OpenAI's do, and what to do about them."""

from __future__ import annotations

import re
from typing import Any

import attrs
from ipfs_accel.errors import APIStatusError, BadRequestError, ModelNotFoundError, NotFoundError, OverloadedError
from ipfs_accel.plans import ErrorDetail, HttpResponse
from ipfs_accel.wire import openai_errors

from ._models import about_missing

__all__ = ["read_error", "refined"]

_MODEL = re.compile(r"model [`']([^`']+)[`']", re.IGNORECASE)
_MISSING = {"model_not_found", "model_decommissioned", "model_not_active"}
_NO_STREAM = re.compile(r"(?=.*stream)(?=.*(?:response.?format|json|structured))", re.IGNORECASE | re.DOTALL)
_BLOCKED = re.compile(r"error(?: code:)? 1010", re.IGNORECASE)
_WISHES = {"true": True, "false": False}

_BY_STATUS: dict[int, dict[str, Any]] = {
    # Its code is that of a rate limit, but one request alone is above it: waiting does not help.
    413: {"kind": BadRequestError, "retryable": False, "hint": "shorten the messages or max_tokens, or split the task"},
    424: {"hint": "another server, such as an MCP server, refused: check its address and headers"},
    498: {
        "kind": OverloadedError,
        "retryable": True,
        "hint": "the flex tier is full: wait, or extra={'service_tier': 'on_demand'}",
    },
}
_RESAMPLE = {"retryable": True, "hint": "what the model wrote is in the error's body, as failed_generation"}
_BY_CODE: dict[str, dict[str, Any]] = {
    # The model wrote something unusable: drawn again it may be right.
    "tool_use_failed": _RESAMPLE,
    "json_validate_failed": _RESAMPLE,
    "model_terms_required": {"hint": "accept the model's terms once in Groq's console"},
    "unknown_url": {"kind": NotFoundError, "hint": "check the base URL: it is https://api.groq.com"},
}


def read_error(response: HttpResponse) -> ErrorDetail:
    """Read an error answer."""
    detail = openai_errors.read_error(response)
    more = _more(response.status, detail.code, detail.message)
    if response.status == 403 and _BLOCKED.search(response.text()):  # noqa: PLR2004
        more = {"hint": "the network before Groq refuses the User-Agent: name an honest one, or none"}
    wish = _WISHES.get(response.headers.get("x-should-retry", ""))
    return attrs.evolve(detail, **(more if wish is None else {**more, "retryable": wish}))


def refined(error: APIStatusError) -> APIStatusError:
    """Return the error of a stream with what is known of it, as for an answer that is an error from the beginning."""
    more = _more(error.status, error.code, error.message)
    found = more.get("kind", type(error))(
        error.message,
        status=error.status,
        code=error.code,
        body=error.body,
        retry_after=error.retry_after,
        retry_at=error.retry_at,
        hint=more.get("hint", error.hint),
    )
    if "retryable" in more:
        found.retryable = more["retryable"]
    return found  # type: ignore[no-any-return]


def _more(status: int | None, code: str | None, message: str) -> dict[str, Any]:
    if code in _MISSING:
        model = _MODEL.search(message)
        return {"kind": ModelNotFoundError, **({"hint": about_missing(model[1])} if model else {})}
    if status in _BY_STATUS:
        return _BY_STATUS[status]
    if code in _BY_CODE:
        return _BY_CODE[code]
    if status == 400 and _NO_STREAM.search(message):  # noqa: PLR2004
        return {"hint": "this model does not stream structured output: use chat instead"}
    return {}
