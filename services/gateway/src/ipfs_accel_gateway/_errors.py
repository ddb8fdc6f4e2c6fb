"""What a caller is told when a request is refused or fails: one value, which each dialect writes in its own form."""

from __future__ import annotations

from ipfs_accel import errors as core

from ._reader import Bad

__all__ = ["Refusal", "refusal_of"]


class Refusal(Exception):  # noqa: N818 - as `Bad`
    """An answer that is an error.

    Attributes:
        status: HTTP status.
        kind: What sort of error it is: invalid_request, authentication, permission, not_found, rate_limit, quota,
            too_large, timeout, overloaded or server.
        message: What is wrong, and what to do about it.
        code: A word for programs, such as the provider's.
        param: The field that is wrong.
        retry_after: Seconds until it makes sense to ask again.
    """

    def __init__(
        self,
        status: int,
        kind: str,
        message: str,
        *,
        code: str | None = None,
        param: str | None = None,
        retry_after: float | None = None,
    ) -> None:
        super().__init__(message)
        self.status = status
        self.kind = kind
        self.message = message
        self.code = code
        self.param = param
        self.retry_after = retry_after


_BAD_GATEWAY, _UNAVAILABLE, _GATEWAY_TIMEOUT = 502, 503, 504
# The first line that fits counts. None as a status is the provider's own.
_KINDS: tuple[tuple[type[core.AccelError] | tuple[type[core.AccelError], ...], int | None, str], ...] = (
    (core.ContextLengthExceededError, 400, "invalid_request"),
    (core.QuotaExceededError, 429, "quota"),
    (core.RateLimitError, 429, "rate_limit"),
    (core.QueueFullError, 429, "rate_limit"),
    ((core.CircuitOpenError, core.OverloadedError), _UNAVAILABLE, "overloaded"),
    # The key that was refused is the operator's, and nothing that a caller could exchange.
    ((core.MissingKeyError, core.AuthenticationError, core.PermissionDeniedError), _BAD_GATEWAY, "server"),
    (core.ModelNotFoundError, 404, "not_found"),
    (core.APITimeoutError, _GATEWAY_TIMEOUT, "timeout"),
    ((core.APIConnectionError, core.StreamError, core.InvalidResponseError), _BAD_GATEWAY, "server"),
    (core.InternalServerError, None, "server"),
    (core.APIStatusError, None, "invalid_request"),
    ((core.UnsupportedOperationError, core.UnsupportedParameterError), 400, "invalid_request"),
    (core.InvalidRequestError, 400, "invalid_request"),
)
_UNSAID: tuple[tuple[type[core.AccelError] | tuple[type[core.AccelError], ...], str], ...] = (
    (core.PoolTimeoutError, "the server of this model is asked for too much at once"),
    (core.APITimeoutError, "the server of this model did not answer in time"),
    (core.APIConnectionError, "the server of this model could not be reached, or broke off"),
    (core.StreamInterrupted, "the answer of the server of this model broke off"),
    ((core.AuthenticationError, core.PermissionDeniedError), "the server of this model refused the gateway"),
)
_BAD_KINDS = {401: "authentication", 404: "not_found", 405: "invalid_request", 413: "too_large"}
_FIRST_ERROR = 400


def refusal_of(error: core.AccelError | Bad) -> Refusal:
    """Return what a caller is told of an error; of the operator's settings it says nothing that helps only them."""
    if isinstance(error, Bad):
        return Refusal(error.status, _BAD_KINDS.get(error.status, "invalid_request"), error.reason)
    status: int | None = 500
    kind = "server"
    for kinds, each, name in _KINDS:
        if isinstance(error, kinds):
            status, kind = each, name
            break
    if status is None:
        told = getattr(error, "status", None) or _BAD_GATEWAY
        status = told if told >= _FIRST_ERROR else _BAD_GATEWAY
    is_ours = isinstance(error, core.ConfigError | core.MissingKeyError | core.PluginError)
    is_too_long = isinstance(error, core.ContextLengthExceededError)  # clients know OpenAI's word for it
    message = error.message
    if is_ours:
        message = "the gateway cannot serve this model as it is configured"
    else:  # where a server is, and what it says of a key, is the operator's business
        message = next((said for kinds, said in _UNSAID if isinstance(error, kinds)), message)
    return Refusal(
        status,
        kind,
        message,
        code="context_length_exceeded" if is_too_long else getattr(error, "code", None),
        retry_after=getattr(error, "retry_after", None),
    )
