"""OpenAI's dialect, errors: what the bodies of many servers say, and which class that is."""

from __future__ import annotations

import re
from contextlib import suppress
from typing import Any

import attrs

from ipfs_accel import strict_json
from ipfs_accel.errors import (
    APIStatusError,
    BadRequestError,
    InternalServerError,
    InvalidResponseError,
    ModelNotFoundError,
    NotFoundError,
    OverloadedError,
    PermissionDeniedError,
    QuotaExceededError,
    class_for_status,
)
from ipfs_accel.plans import ErrorDetail, HttpResponse

from .fields import rest
from .sse import ServerSentEvent
from .words import is_lasting, kind_of, wait

__all__ = [
    "checked",
    "error_in_body",
    "error_in_event",
    "event_object",
    "failed_choice",
    "in_list",
    "is_error",
    "read_error",
]

# Where no status tells, because the body came with that of a success: whose fault these are.
_UNTOLD: dict[str, type[APIStatusError]] = {
    "invalid_request_error": BadRequestError,
    "badrequesterror": BadRequestError,
    "permission_error": PermissionDeniedError,
    "not_found_error": NotFoundError,
    "notfounderror": NotFoundError,
    # of a response that failed
    **dict.fromkeys(
        (
            *("invalid_prompt", "invalid_image", "invalid_image_format", "invalid_base64_image", "invalid_image_url"),
            *("image_too_large", "image_too_small", "image_parse_error", "invalid_image_mode", "image_file_too_large"),
            *("unsupported_image_media_type", "empty_image_file", "failed_to_download_image", "image_file_not_found"),
            "data_residency_mismatch",
        ),
        BadRequestError,
    ),
}
_STATUSES = ("status_code", "http_status_code", "http_code", "code", "status")
_STATUS = re.compile(r"[45]\d\d", re.ASCII)
_REASON = 500  # characters of what a host passes on
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
        if in_list(value):
            raise error_in_body(value)
        raise InvalidResponseError(f"the answer is a JSON {type(value).__name__} instead of an object", body=value)
    if is_error(value):
        raise error_in_body(value)
    return value


def in_list(value: Any) -> bool:
    """Whether a JSON value is an error in a list of one, as Gemini's route of this dialect has it."""
    return isinstance(value, list) and len(value) == 1 and isinstance(value[0], dict) and is_error(value[0])


def is_error(body: dict[str, Any]) -> bool:
    """Whether a JSON object is an error: in OpenAI's form, in the flat one of MLC and older vLLM, or a host's own."""
    if body.get("error") or body.get("object") == "error":
        return True
    return not body.get("choices") and (body.get("success") is False or bool(_base_status(body)))


def _base_status(body: dict[str, Any]) -> Any:
    """Return the code by which MiniMax tells a failure; 0 and None say that there is none."""
    base = body.get("base_resp")
    return base.get("status_code") if isinstance(base, dict) else None


def error_in_body(body: Any) -> APIStatusError:
    """Return the error that a body says although its status was a success."""
    detail = _detail(body)
    said = _said(body)
    found = [str(said.get(name)) for name in _STATUSES]
    status = next((int(value) for value in found if _STATUS.fullmatch(value)), None)
    if status is not None:
        usual = class_for_status(status)
    else:
        usual = next((_UNTOLD[name] for name in _names(said) if name in _UNTOLD), InternalServerError)
    error = (detail.kind or usual)(
        detail.message,
        code=detail.code,
        body=body,
        hint=detail.hint,
        status=status,
        retry_after=detail.retry_after,
        retry_at=detail.retry_at,
    )
    if detail.retryable is not None:
        error.retryable = detail.retryable
    return error


def failed_choice(choice: dict[str, Any], said: Any = None) -> APIStatusError | None:
    """Return the error that stands inside a choice, or that its end is; None if it is an answer.

    OpenRouter puts an object beside `finish_reason: "error"`, DeepSeek and Z.ai only have a word, and Gemini's word for
    a call that its model could not write stands in `native_finish_reason`, whatever the reason is.

    Args:
        choice: Of an answer or a chunk.
        said: The whole answer or chunk, for the error's body.
    """
    error, reason, native = choice.get("error"), choice.get("finish_reason"), choice.get("native_finish_reason")
    if error:
        found = error_in_body({"error": error})
    elif native in _MALFORMED:
        found = InternalServerError(
            f"the model failed ({native})", code=str(native), hint="what it writes the next time may be right"
        )
    elif reason in _BROKEN:
        message = f"the server broke the answer off (finish_reason {reason!r}{f', {native}' if native else ''})"
        found = _BROKEN[reason](message, code=str(native or reason))
    else:
        return None
    found.body = found.body if said is None else said
    return found


_BROKEN: dict[Any, type[APIStatusError]] = {
    "error": InternalServerError,
    "network_error": InternalServerError,
    "insufficient_system_resource": OverloadedError,
}
_MALFORMED = frozenset(
    {
        *("MALFORMED_FUNCTION_CALL", "MALFORMED_RESPONSE", "UNEXPECTED_TOOL_CALL", "TOO_MANY_TOOL_CALLS"),
        "MISSING_THOUGHT_SIGNATURE",
    }
)


def event_object(event: ServerSentEvent) -> dict[str, Any]:
    """Return the JSON object of an event of the newer routes, whose `type` says what it is; empty for an empty one.

    Raises:
        APIStatusError: The event is an error, in whatever form.
        InvalidResponseError: It is no JSON object.
    """
    if not event.data or event.data.startswith("[DONE]"):
        return {}
    if event.event == "error":
        raise error_in_event(event.data)
    data = strict_json.loads(event.data)
    if not isinstance(data, dict):
        if in_list(data):
            raise error_in_body(data)
        raise InvalidResponseError(f"an event of the stream is a JSON {type(data).__name__} instead of an object")
    if is_error(data):
        raise error_in_body(data)
    if data.get("type") == "error":
        raise error_in_body({"error": rest(data, {"type", "sequence_number"})})
    return data


def error_in_event(data: str) -> APIStatusError:
    """Return the error of an event named error, whose data may also be plain text."""
    try:
        value = strict_json.loads(data)
    except ValueError:
        value = data
    if isinstance(value, dict) and not value.get("error"):  # flat
        value = {"error": rest(value, {"type", "sequence_number"} if value.get("type") == "error" else ())}
    return error_in_body(value if isinstance(value, dict | list) else {"error": str(value)})


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
    if "retry-after" in response.headers:  # read by the core
        return attrs.evolve(detail, kind=kind, retry_after=None, retry_at=None)
    return attrs.evolve(detail, kind=kind)


def _not_json(response: HttpResponse, error: Exception) -> ErrorDetail:
    text = _masked(" ".join(response.text().split()))[:200]
    if not text:
        return ErrorDetail(message=f"the server answered with status {response.status} and no body")
    if text.startswith("<"):
        hint = getattr(error, "hint", None)
        return ErrorDetail(message=f"the server answered with status {response.status} and an HTML page", hint=hint)
    return ErrorDetail(message=text)


def _said(body: Any) -> dict[str, Any]:
    """Return the object that says what went wrong, wherever it stands; empty if it is only a text."""
    if isinstance(body, list) and body:
        body = body[0]
    if not isinstance(body, dict):
        return {}
    error = body.get("error")
    if not error and (code := _base_status(body)):
        return {"message": body["base_resp"].get("status_msg"), "code": code}
    found = error or body
    return found if isinstance(found, dict) else {}


def _names(said: dict[str, Any]) -> list[str]:
    """Return what an error calls itself, the most exact first, in small letters."""
    inner = said.get("innererror")
    reasons = [each.get("reason") for each in _objects(said.get("details"))]
    found = (said.get("code"), said.get("type"), inner.get("code") if isinstance(inner, dict) else None, *reasons)
    return [str(name).lower() for name in found if name]


def _objects(value: Any) -> list[dict[str, Any]]:
    return [each for each in value if isinstance(each, dict)] if isinstance(value, list) else []


def _detail(body: Any) -> ErrorDetail:
    error = _said(body)
    if not error:
        said = body.get("error") if isinstance(body, dict) else body
        beside = body.get("code") if isinstance(body, dict) else None
        text = _masked(str(said))
        after, at = wait(text, body)
        code = beside if isinstance(beside, str) else None
        return _judged(ErrorDetail(message=text, code=code, kind=kind_of(text), retry_after=after, retry_at=at))
    text, passed_on = _masked(_sentence(error)), _passed_on(error)
    if passed_on is not None:
        reason = _masked(passed_on.message)
        text = text if reason in text else f"{text}: {reason}"
    kind = kind_of(text, _names(error))
    if kind is None and passed_on is not None:
        kind = passed_on.kind
    if isinstance(error.get("n_prompt_tokens"), int) and isinstance(error.get("n_ctx"), int):
        text += f" ({error['n_prompt_tokens']} tokens in a context of {error['n_ctx']})"
    param = error.get("param")
    if isinstance(param, str) and param and param not in text:
        text += f" (parameter {param})"
    after, at = wait(text, error, error.get("metadata"), error.get("details"), body)
    return _judged(ErrorDetail(message=text, code=_code(error), kind=kind, retry_after=after, retry_at=at))


def _judged(detail: ErrorDetail) -> ErrorDetail:
    """Add what the sentence tells beside the class: what to do, and that it is the same each time."""
    hint = next((hint for words, hint in _HINTS if words in detail.message), None)
    return attrs.evolve(detail, hint=hint, retryable=False if is_lasting(detail.message) else None)


_HINTS = (
    ("encoding_format", "this server knows only numbers: pass extra={'encoding_format': 'float'}"),
    (
        "physical batch size",
        "send a shorter text, or start llama-server with --ubatch-size and --batch-size as large as its context",
    ),
    ("input is not supported - hint", "the model has no projector for it: start llama-server with --mmproj"),
    ("requires more system memory", "use a smaller model or context, or unload what else is loaded"),
    ("invalid JSON schema in format", "Ollama has no grammar for some keywords; the page on schemas has the list"),
)


def _sentence(error: dict[str, Any]) -> str:
    names = ("message", "detail", "error", "msg", "errors", "type")
    message = next((error[name] for name in names if error.get(name)), error)
    if isinstance(message, list):
        return "; ".join([_validation(item) for item in message])
    return message if isinstance(message, str) else str(message)


def _code(error: dict[str, Any]) -> str | None:
    code, status = error.get("code"), error.get("status")
    named = error.get("type") or (status if isinstance(status, str) else None)
    shown = code if isinstance(code, str) and code else named or code
    return None if shown is None else str(shown)


def _passed_on(error: dict[str, Any]) -> ErrorDetail | None:
    """Return what a gateway's error says of the provider's own, where its own sentence says nothing."""
    metadata = error.get("metadata")
    if not isinstance(metadata, dict):
        return None
    raw = metadata.get("raw")
    if isinstance(raw, str):
        with suppress(ValueError, RecursionError):
            raw = strict_json.loads(raw)
    if isinstance(raw, dict | list) and raw:
        return _detail(raw)
    reasons = raw or "; ".join([str(each) for each in metadata.get("reasons") or ()])
    return ErrorDetail(message=str(reasons)[:_REASON]) if reasons else None


def _validation(item: Any) -> str:
    """Write one entry of FastAPI's list of validation errors."""
    if not isinstance(item, dict):
        return str(item)
    where = ".".join([str(step) for step in item.get("loc", ())])
    said = item.get("msg") or item.get("message") or item
    return f"{where}: {said}" if where else str(said)


def _masked(text: str) -> str:
    return re.sub(_KEY, "***", text)


def _speaks_of_model(message: str) -> bool:
    lower = message.lower()
    return "model" in lower and ("not exist" in lower or "not found" in lower)
