"""Every error that ipfs-accel raises.

    AccelError
    ├── ConfigError
    │   └── MissingKeyError
    ├── InvalidRequestError (also a ValueError)
    ├── PluginError
    │   └── PlanError
    ├── UnsupportedOperationError
    ├── UnsupportedParameterError
    ├── ClientClosedError
    └── APIError
        ├── APIConnectionError
        │   └── APITimeoutError
        │       ├── DeadlineExceededError
        │       └── PoolTimeoutError
        ├── APIStatusError
        │   ├── BadRequestError                400
        │   │   ├── ContextLengthExceededError
        │   │   └── ContentFilterError
        │   ├── AuthenticationError            401
        │   ├── PermissionDeniedError          402, 403
        │   ├── NotFoundError                  404
        │   │   └── ModelNotFoundError
        │   ├── ConflictError                  409
        │   ├── PreconditionFailedError        304, 412
        │   ├── UnprocessableEntityError       422
        │   ├── RateLimitError                 429
        │   │   └── QuotaExceededError
        │   ├── NotSupportedByServerError      501
        │   └── InternalServerError            500 and above
        │       └── OverloadedError            503, 529
        ├── InvalidResponseError
        │   └── SchemaViolationError
        │       └── AnswerFormatError
        ├── CircuitOpenError
        ├── QueueFullError
        └── StreamError
            ├── StreamInterrupted
            └── StreamIncomplete

All can be pickled, hold no live object and never a key. A value such as a `Tensor` raises `InvalidValueError` by
itself, which is not of the tree; in a call it becomes one that is, the caller's.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ._invalid import InvalidValueError
from ._suggest import did_you_mean

if TYPE_CHECKING:
    from typing import Unpack

    from ._contexts import APIContext, Context
    from ._typed.faults import Fault
    from .types import ChatResponse, CompletionResponse, EmbedPartial, RunResult, Tried, Usage

__all__ = [
    "APIConnectionError",
    "APIError",
    "APIStatusError",
    "APITimeoutError",
    "AccelError",
    "AnswerFormatError",
    "AuthenticationError",
    "BadRequestError",
    "CircuitOpenError",
    "ClientClosedError",
    "ConfigError",
    "ConflictError",
    "ContentFilterError",
    "ContextLengthExceededError",
    "DeadlineExceededError",
    "InternalServerError",
    "InvalidRequestError",
    "InvalidResponseError",
    "InvalidValueError",
    "MissingKeyError",
    "ModelNotFoundError",
    "NotFoundError",
    "NotSupportedByServerError",
    "OverloadedError",
    "PermissionDeniedError",
    "PlanError",
    "PluginError",
    "PoolTimeoutError",
    "PreconditionFailedError",
    "QueueFullError",
    "QuotaExceededError",
    "RateLimitError",
    "SchemaViolationError",
    "StreamError",
    "StreamIncomplete",
    "StreamInterrupted",
    "UnprocessableEntityError",
    "UnsupportedOperationError",
    "UnsupportedParameterError",
    "class_for_status",
    "did_you_mean",
]


class AccelError(Exception):
    """Base of all errors.

    Attributes:
        endpoint: Name of the configured endpoint, where one is involved.
        backend: Name of the plugin behind it.
        model: Model id as the caller gave it, without the endpoint.
        hint: What to do about it, where that is known; shown as a note in tracebacks.
        run: What a run had come to that failed by it; None if it was none.
        partial: What had come and is paid for: the answer of a stream, or of one that breaks its schema, so far, or the
            vectors of an embedding in several requests; otherwise None.
    """

    endpoint: str | None = None
    backend: str | None = None
    model: str | None = None
    hint: str | None = None
    run: RunResult[Any] | None = None
    partial: ChatResponse | CompletionResponse | EmbedPartial | None = None

    def __init__(self, message: str, **context: Unpack[Context]) -> None:
        super().__init__(message)
        self.__dict__.update(context)
        if self.hint:
            self.add_note(f"hint: {self.hint}")

    @property
    def message(self) -> str:
        """The sentence that says what went wrong."""
        return str(self.args[0])

    def __str__(self) -> str:
        """Return the sentence, after the endpoint and model that it is about unless it names the endpoint itself."""
        if not self.endpoint or repr(self.endpoint) in self.message:
            return self.message
        return f"{self.endpoint}{f'/{self.model}' if self.model else ''}: {self.message}"

    def about(self, **context: str | float | None) -> None:
        """Fill in what the raiser did not know; what is already set stays."""
        for name, value in context.items():
            if value is not None and self.__dict__.get(name) is None:
                self.__dict__[name] = value
                if name == "hint":
                    self.add_note(f"hint: {value}")

    def conceal(self, key: str) -> None:
        """Take a key out of everything that the error says: some servers repeat what they were sent."""
        self.args = _without(self.args, key)
        self.__dict__.update(_without(self.__dict__, key))
        for error in (self.__cause__, self.__context__):
            if error is not None and key in repr(error):
                self.__cause__ = self.__context__ = None


def _without(value: Any, key: str) -> Any:
    if isinstance(value, str):
        return value.replace(key, "***")
    if isinstance(value, dict):
        return {_without(name, key): _without(item, key) for name, item in value.items()}
    if isinstance(value, list | tuple):
        return type(value)([_without(item, key) for item in value])
    return value


class ConfigError(AccelError):
    """A setting, argument or file is wrong; nothing was sent."""


class MissingKeyError(ConfigError):
    """The endpoint needs a key and none is set; nothing was sent."""


class InvalidRequestError(AccelError, ValueError):
    """An argument of a call is wrong; nothing was sent."""


class PluginError(AccelError):
    """A plugin is absent, broken, blocked, ambiguous or of another plugin API version."""


class PlanError(PluginError):
    """A plugin planned a stream (`is_stream`) where a whole answer was wanted, or the reverse; nothing was sent."""

    is_stream: bool = False


class UnsupportedOperationError(AccelError):
    """The backend does not implement the operation; nothing was sent."""


class UnsupportedParameterError(AccelError):
    """The backend cannot honour an option of the request; nothing was sent."""


class ClientClosedError(AccelError):
    """The client was used after `close()`."""


class APIError(AccelError):
    """A call to a server failed.

    Attributes:
        status: HTTP status, where one was received.
        code: The provider's own error code or type.
        request_id: The provider's id of the request.
        retry_after: Seconds after which the server asks to be tried again.
        retry_at: The same as a moment, in seconds since 1970, if named.
        retryable: Whether the same call may succeed later.
        attempts: How often the call was tried.
        tried: What became of each attempt, this last one included.
        maybe_billed: Whether a request of this call may have been served, and billed, without an answer that came.
        body: What the server said: parsed JSON, or at most 512 characters of text.
        phase: Of time-outs and lost connections: queue, pool, connect, write, read, first_event, idle or total.
        sent: False if the request certainly never left this machine.
    """

    status: int | None = None
    code: str | None = None
    request_id: str | None = None
    retry_after: float | None = None
    retry_at: float | None = None
    retryable: bool = False
    attempts: int = 1
    tried: tuple[Tried, ...] = ()
    maybe_billed: bool = False
    body: Any = None
    phase: str | None = None
    sent: bool = True

    def __init__(self, message: str, **context: Unpack[APIContext]) -> None:
        super().__init__(message, **context)  # type: ignore[misc]


class APIConnectionError(APIError):
    """No connection could be made, or it broke before the answer was complete.

    Attributes:
        refused: Whether nothing listens at the address: the machine, or the proxy on the way, said so at once.
    """

    retryable = True
    refused: bool = False


class APITimeoutError(APIConnectionError):
    """A time limit was reached."""


class DeadlineExceededError(APITimeoutError):
    """The limit on the whole call was reached, retries, waits and fallbacks included."""

    retryable = False


class PoolTimeoutError(APITimeoutError):
    """No connection of this client became free in time: a local limit, not the server's fault."""

    retryable = False


class APIStatusError(APIError):
    """The server answered with an error."""


class BadRequestError(APIStatusError):
    """400: the server refuses the request as it is."""


class ContextLengthExceededError(BadRequestError):
    """The prompt, or prompt and answer together, are longer than the model's context."""


class ContentFilterError(BadRequestError):
    """A content policy stopped the request or the answer."""


class AuthenticationError(APIStatusError):
    """401: the key is missing or wrong."""


class PermissionDeniedError(APIStatusError):
    """402 or 403: the key is known but may not do this."""


class NotFoundError(APIStatusError):
    """404: no such route or object; often a wrong base URL."""


class ModelNotFoundError(NotFoundError):
    """The server does not know the model."""


class ConflictError(APIStatusError):
    """409: the object is locked or in another state."""


class PreconditionFailedError(APIStatusError):
    """304 or 412: a condition that the request named is not met."""


class UnprocessableEntityError(APIStatusError):
    """422: the request is well formed but its values are refused."""


class RateLimitError(APIStatusError):
    """429: too many requests or tokens for now."""

    retryable = True


class QuotaExceededError(RateLimitError):
    """429 that means money or quota is used up: waiting does not help."""

    retryable = False


class NotSupportedByServerError(APIStatusError):
    """501: this server or this model cannot do the operation."""


class InternalServerError(APIStatusError):
    """5xx: the server failed."""

    retryable = True


class OverloadedError(InternalServerError):
    """503 or 529: the server is loading or has no capacity now."""


class InvalidResponseError(APIError):
    """The server answered, but not with what its protocol says."""


class SchemaViolationError(InvalidResponseError):
    """The answer, which is in `partial`, does not follow the JSON Schema that was asked for."""


class AnswerFormatError(SchemaViolationError):
    """The answer does not fit the type that was asked for, or is none: refused, or cut at its limit.

    Attributes:
        faults: Each place where it does not fit, with its path.
        text: What the model said.
        usage: What all that was asked used, repairs included.
    """

    faults: tuple[Fault, ...] = ()
    text: str = ""
    usage: Usage | None = None


class CircuitOpenError(APIError):
    """The target counts as down, or was isolated; nothing was sent. `retry_after` says when it is probed again."""

    sent = False


class QueueFullError(APIError):
    """As many calls wait for the endpoint as may; nothing was sent."""

    sent = False


class StreamError(APIError):
    """A stream did not reach its proper end; `partial` has what came."""


class StreamInterrupted(StreamError):  # noqa: N818 - reads as what happened, like StopIteration
    """The connection or a time limit broke the stream after its first event."""


class StreamIncomplete(StreamError):  # noqa: N818 - as above
    """The stream ended cleanly but without its terminal signal, so the answer may be cut."""


_BY_STATUS: dict[int, type[APIStatusError]] = {
    400: BadRequestError,
    401: AuthenticationError,
    402: PermissionDeniedError,
    403: PermissionDeniedError,
    404: NotFoundError,
    409: ConflictError,
    412: PreconditionFailedError,
    422: UnprocessableEntityError,
    429: RateLimitError,
    501: NotSupportedByServerError,
    503: OverloadedError,
    529: OverloadedError,
}


def class_for_status(status: int) -> type[APIStatusError]:
    """Return the error class for an HTTP status that is not a success."""
    usual = InternalServerError if status >= 500 else APIStatusError  # noqa: PLR2004
    return _BY_STATUS.get(status, usual)
