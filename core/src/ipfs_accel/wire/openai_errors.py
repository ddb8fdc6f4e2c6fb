"""OpenAI's dialect, errors: what the bodies of many servers say, and which class that is."""

from __future__ import annotations

import re
from contextlib import suppress
from typing import Any, TypeVar

from ipfs_accel import strict_json
from ipfs_accel.errors import (
    APIStatusError,
    AuthenticationError,
    BadRequestError,
    ContentFilterError,
    ContextLengthExceededError,
    InternalServerError,
    InvalidResponseError,
    ModelNotFoundError,
    NotSupportedByServerError,
    OverloadedError,
    QuotaExceededError,
    RateLimitError,
    class_for_status,
)
from ipfs_accel.hints import duration
from ipfs_accel.plans import ErrorDetail, HttpResponse

from .sse import ServerSentEvent

__all__ = ["checked", "error_in_body", "event_object", "is_error", "read_error"]

T = TypeVar("T")

# By `error.code`, then by `error.type`; what is not here goes by the HTTP status.
_CLASSES: dict[str, type[APIStatusError]] = {
    "context_length_exceeded": ContextLengthExceededError,
    "exceed_context_size_error": ContextLengthExceededError,
    "content_filter": ContentFilterError,
    "content_policy_violation": ContentFilterError,
    "moderation_blocked": ContentFilterError,
    "image_content_policy_violation": ContentFilterError,
    "bio_policy": ContentFilterError,
    "misalignment_policy_violation": ContentFilterError,
    "insufficient_quota": QuotaExceededError,
    "credit_balance_exhausted": QuotaExceededError,
    "billing_hard_limit_reached": QuotaExceededError,
    "rate_limit_exceeded": RateLimitError,
    "rate_limit_error": RateLimitError,
    "slow_down": RateLimitError,
    "invalid_api_key": AuthenticationError,
    "authentication_error": AuthenticationError,
    "model_not_found": ModelNotFoundError,
    "server_is_overloaded": OverloadedError,
    "service_unavailable_error": OverloadedError,
    "overloaded_error": OverloadedError,
    "overloaded": OverloadedError,
    "unavailable_error": OverloadedError,
    "not_supported_error": NotSupportedByServerError,
    "internal_error": InternalServerError,
}
# Older servers say it only in words. Patterns are texts here, as most processes never see an error.
_CONTEXT = r"(?i)maximum context length|context (?:window|size|length) (?:is )?exceed|exceeds the available context"
_AGAIN = r"(?ai)try again in (\d[\w.]*[a-z])"
# Providers repeat the wrong key in their message: by its prefix, by what stands before it, by its look.
_KEY = (
    r"(?i)\b(?:sk[-_]|[pr]k_|gsk_|hf_|xai-|AIza)[\w*.-]{6,}"
    r"|(?<=key provided: )\S+|(?<=Bearer )[\w.~+/=-]{12,}"
    r"|\b(?=[a-z]*\d)(?=\d*[a-z])[a-z\d]{32,}\b"
)


def checked(value: Any) -> dict[str, Any]:
    """Return the JSON object of a success, unless it is an error in disguise.

    Raises:
        APIStatusError: The server put an error object into an answer with status 200 or into a stream.
        InvalidResponseError: It is no JSON object.
    """
    if not isinstance(value, dict):
        raise InvalidResponseError(f"the answer is a JSON {type(value).__name__} instead of an object", body=value)
    if is_error(value):
        raise error_in_body(value)
    return value


def is_error(body: dict[str, Any]) -> bool:
    """Whether a JSON object is an error, in OpenAI's form or in the flat one of MLC and older vLLM."""
    return bool(body.get("error")) or body.get("object") == "error"


def error_in_body(body: dict[str, Any]) -> APIStatusError:
    """Return the error that a body says although its status was a success."""
    detail = _detail(body)
    error = body.get("error") or body
    said = error if isinstance(error, dict) else {}
    code, kind_name = said.get("code"), said.get("type")
    found = (str(value) for value in (said.get("status_code"), code))
    status = next((int(value) for value in found if re.fullmatch(r"[45]\d\d", value, re.ASCII)), None)
    if status is not None:
        usual = class_for_status(status)
    else:
        usual = BadRequestError if kind_name == "invalid_request_error" else InternalServerError
    return (detail.kind or usual)(
        detail.message,
        code=detail.code,
        body=body,
        hint=detail.hint,
        status=status,
        retry_after=_wait(detail.message),
    )


def event_object(event: ServerSentEvent) -> dict[str, Any]:
    """Return the JSON object of an event of the newer routes, whose `type` says what it is; empty for an empty one.

    Raises:
        APIStatusError: The event is an error, in whatever form.
        InvalidResponseError: It is no JSON object.
    """
    if not event.data or event.data.startswith("[DONE]"):
        return {}
    data = strict_json.loads(event.data)
    if not isinstance(data, dict):
        raise InvalidResponseError(f"an event of the stream is a JSON {type(data).__name__} instead of an object")
    if is_error(data):
        raise error_in_body(data)
    if data.get("type") == "error":
        raise error_in_body({"error": {name: data.get(name) for name in ("message", "code", "param")}})
    return data


def read_error(response: HttpResponse) -> ErrorDetail:
    """Read an error answer of any server with this dialect."""
    try:
        body = response.json()
    except InvalidResponseError as error:
        return _not_json(response, error)
    if isinstance(body, str):  # MLC writes JSON into a JSON string
        with suppress(ValueError, RecursionError):
            body = strict_json.loads(body)
    if body in (None, "", {}, []):
        return ErrorDetail(message=f"the server answered with status {response.status} and does not say why")
    detail = _detail(body)
    kind = detail.kind
    if response.status == 429 and kind is not QuotaExceededError:  # noqa: PLR2004
        kind = None
    if response.status == 404 and _speaks_of_model(detail.message):  # noqa: PLR2004
        kind = ModelNotFoundError
    # The header, where there is one, is read by the core.
    wait = None if "retry-after" in response.headers else _wait(detail.message)
    return ErrorDetail(message=detail.message, code=detail.code, kind=kind, hint=detail.hint, retry_after=wait)


def _wait(message: str) -> float | None:
    """Return the seconds of a "please try again in 9m38.016s"."""
    found = re.search(_AGAIN, message)
    return duration(found[1]) if found else None


def _not_json(response: HttpResponse, error: Exception) -> ErrorDetail:
    text = _masked(" ".join(response.text().split()))[:200]
    if not text:
        return ErrorDetail(message=f"the server answered with status {response.status} and no body")
    if text.startswith("<"):
        hint = getattr(error, "hint", None)
        return ErrorDetail(message=f"the server answered with status {response.status} and an HTML page", hint=hint)
    return ErrorDetail(message=text)


def _detail(body: Any) -> ErrorDetail:
    error = (body.get("error") or body) if isinstance(body, dict) else body
    if not isinstance(error, dict):
        beside = body.get("code") if isinstance(body, dict) else None
        return ErrorDetail(message=_masked(str(error)), code=beside if isinstance(beside, str) else None)
    message = error.get("message") or error.get("detail") or error.get("error") or error.get("type") or error
    if isinstance(message, list):
        message = "; ".join([_validation(item) for item in message])
    text = _masked(message if isinstance(message, str) else str(message))
    code, kind_name = error.get("code"), error.get("type")
    names = [str(name).lower() for name in (code, kind_name) if name]
    kind = next((_CLASSES[name] for name in names if name in _CLASSES), None)
    if kind is None and re.search(_CONTEXT, text):
        kind = ContextLengthExceededError
    if isinstance(error.get("n_prompt_tokens"), int) and isinstance(error.get("n_ctx"), int):
        text += f" ({error['n_prompt_tokens']} tokens in a context of {error['n_ctx']})"
    param = error.get("param")
    if isinstance(param, str) and param and param not in text:
        text += f" (parameter {param})"
    shown = code if isinstance(code, str) and code else kind_name or code
    return ErrorDetail(message=text, code=None if shown is None else str(shown), kind=kind)


def _validation(item: Any) -> str:
    """Write one entry of FastAPI's list of validation errors."""
    if not isinstance(item, dict):
        return str(item)
    where = ".".join([str(step) for step in item.get("loc", ())])
    return f"{where}: {item.get('msg', item)}" if where else str(item.get("msg", item))


def _masked(text: str) -> str:
    return re.sub(_KEY, "***", text)


def _speaks_of_model(message: str) -> bool:
    lower = message.lower()
    return "model" in lower and ("not exist" in lower or "not found" in lower)
