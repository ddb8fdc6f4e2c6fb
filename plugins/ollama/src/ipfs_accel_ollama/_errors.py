"""What Ollama's errors say, and which class that is: in error answers and in lines of streams.

Their form is `{"error": "text"}` and no code; under /v1 the error is an object. Source: Ollama's API reference and
server.
"""

from __future__ import annotations

import re
from typing import Any, NamedTuple

from ipfs_accel import strict_json
from ipfs_accel.errors import (
    APIStatusError,
    AuthenticationError,
    BadRequestError,
    ContextLengthExceededError,
    InternalServerError,
    InvalidResponseError,
    ModelNotFoundError,
    NotSupportedByServerError,
    OverloadedError,
)
from ipfs_accel.plans import ErrorDetail, HttpResponse
from ipfs_accel.wire.words import is_lasting, kind_of

__all__ = ["checked", "read_error", "read_line"]

Json = dict[str, Any]


class _Rule(NamedTuple):
    words: re.Pattern[str]
    kind: type[APIStatusError]
    retryable: bool | None = None
    hint: str | None = None


_RULES = (
    _Rule(
        re.compile(r"does not support (?:\w+)$|^image generation .* not currently supported"), NotSupportedByServerError
    ),
    _Rule(
        re.compile(r"requires more system memory"),
        InternalServerError,
        retryable=False,
        hint="use a smaller model or quantization, a smaller num_ctx, or unload what else is loaded",
    ),
    _Rule(
        re.compile(r'^option "|^invalid (?:think|format|model name)|^json: cannot|^time: |^unknown (?:parameter|type)'),
        BadRequestError,
        retryable=False,
    ),
    _Rule(
        re.compile(r"^invalid JSON schema in format"),
        BadRequestError,
        retryable=False,
        hint="Ollama has no grammar for some keywords, such as a pattern that is not ^…$, or a schema that is true or "
        "false; the documentation of structured answers has the list",
    ),
    _Rule(re.compile(r"^pull model manifest: file does not exist|^model ['\"].*['\"] not found"), ModelNotFoundError),
    _Rule(re.compile(r"^server busy"), OverloadedError),
    _Rule(re.compile(r"^unauthorized"), AuthenticationError),
)
_LONGER = 'give the model more (extra={"num_ctx": …}), as far as it can, or let it cut (extra={"truncate": True})'
_FOREIGN_HOST = (
    "a server on loopback refuses foreign Host headers: have the proxy set Host to localhost, or set OLLAMA_HOST and "
    "OLLAMA_ORIGINS where the server runs"
)


def read_error(response: HttpResponse) -> ErrorDetail:
    """Read an error answer; of a 404 the status counts and not the words, which differ between routes."""
    try:
        body = response.json()
    except InvalidResponseError as wrong:
        text = " ".join(response.text().split())[:200]
        hint = _FOREIGN_HOST if response.status == 403 and not text else wrong.hint  # noqa: PLR2004
        said = f": {text}" if text and not text.startswith("<") else ""
        return ErrorDetail(message=f"the server answered with status {response.status} and no JSON{said}", hint=hint)
    detail = _detail(body)
    if response.status == 404 and isinstance(body, dict) and "blob" not in detail.message:  # noqa: PLR2004
        return ErrorDetail(message=detail.message, code=detail.code, kind=ModelNotFoundError)
    return detail


def _detail(body: Any) -> ErrorDetail:
    error = body.get("error") if isinstance(body, dict) else None
    inner = error if isinstance(error, dict) else {}
    message = str(inner.get("message") or error or body)[:2000]
    rule = next((rule for rule in _RULES if rule.words.search(message)), None)
    code = inner.get("code") or inner.get("type")
    kind = rule.kind if rule else kind_of(message)
    signin = body.get("signin_url") if isinstance(body, dict) else None
    hint = f"sign in at {signin}" if signin else rule.hint if rule else None
    return ErrorDetail(
        message=message,
        code=None if code is None else str(code),
        kind=kind,
        retryable=rule.retryable if rule else False if is_lasting(message) else None,
        hint=_LONGER if kind is ContextLengthExceededError else hint,
    )


def checked(body: Any) -> Json:
    """Return the JSON object of an answer, or of a line of a stream, unless it is an error: those come with 200 too.

    Raises:
        APIStatusError: It is an error.
        InvalidResponseError: It is no JSON object.
    """
    if not isinstance(body, dict):
        raise InvalidResponseError(f"the answer is a JSON {type(body).__name__} instead of an object")
    if not body.get("error"):
        return body
    detail = _detail(body)
    found = (detail.kind or InternalServerError)(detail.message, code=detail.code, body=body, hint=detail.hint)
    if detail.retryable is not None:
        found.retryable = detail.retryable
    raise found


def read_line(line: str) -> Json:
    """Read a line of a stream."""
    return checked(strict_json.loads(line))
