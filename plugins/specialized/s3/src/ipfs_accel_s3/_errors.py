"""What boto3 raises, as the errors of ipfs-accel.

Codes and their meaning are those of the S3 API reference's list of error responses. A HEAD request's errors have no
body: their code is the status.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from ipfs_accel.errors import (
    AccelError,
    APIConnectionError,
    APIError,
    APIStatusError,
    APITimeoutError,
    AuthenticationError,
    ConfigError,
    ConflictError,
    InvalidRequestError,
    InvalidResponseError,
    MissingKeyError,
    NotSupportedByServerError,
    PreconditionFailedError,
    RateLimitError,
    class_for_status,
)
from ipfs_accel.hints import retry_after

__all__ = ["PATH_REFUSED", "code_of", "translate", "translated"]

_KINDS: dict[str, type[APIStatusError]] = {
    "304": PreconditionFailedError,
    "405": NotSupportedByServerError,
    "MethodNotAllowed": NotSupportedByServerError,
    "NotImplemented": NotSupportedByServerError,
    "SlowDown": RateLimitError,
    "BandwidthLimitExceeded": RateLimitError,
    "RequestLimitExceeded": RateLimitError,
    "Throttling": RateLimitError,
    "ThrottlingException": RateLimitError,
    "TooManyRequestsException": RateLimitError,
    "AuthorizationHeaderMalformed": AuthenticationError,
    "ExpiredToken": AuthenticationError,
    "InvalidAccessKeyId": AuthenticationError,
    "InvalidToken": AuthenticationError,
    "RequestTimeTooSkewed": AuthenticationError,
    "SignatureDoesNotMatch": AuthenticationError,
    "TokenRefreshRequired": AuthenticationError,
    "XAdminUserNotFound": AuthenticationError,  # versitygw's word for an unknown key id
}
PATH_REFUSED = frozenset(
    {"SecondLevelDomainForbidden", "PathStyleDomainForbidden", "InvalidPathAccess", "VirtualHostDomainRequired"}
)
"""What Alibaba's, Tencent's, Volcengine's and Huawei's stores say to a bucket in the path."""
_RETRYABLE = {
    *("RequestTimeout", "RequestTimeoutException", "PriorRequestNotComplete"),
    *("OperationAborted", "ConditionalRequestConflict"),
    # Spoilt on the way, perhaps.
    *("BadDigest", "XAmzContentSHA256Mismatch"),
    *PATH_REFUSED,  # the next attempt has the bucket in the host
}
_CHECKSUMS_HINT = 'the store does not understand uploads with trailing checksums: set checksums = "when_required"'
_UNSUMMED_HINT = (
    'if the store does not understand this checksum: leave checksum out, or set checksums = "when_required"'
)
_PATH_HINT = 'the store wants the bucket in the host: leave the option addressing at auto, or set it to "virtual"'
_REGION_HINT = "the bucket is in another region or at another address: set the option region, or base_url"
_HINTS: dict[str, str] = {
    **dict.fromkeys(PATH_REFUSED, _PATH_HINT),
    "AuthorizationHeaderMalformed": _REGION_HINT,
    "PermanentRedirect": _REGION_HINT,
    "TemporaryRedirect": _REGION_HINT,
    "301": _REGION_HINT,
    "307": _REGION_HINT,
    "ExpiredToken": "the temporary credentials ended: get new ones",
    "InvalidAccessKeyId": "the store does not know this key id",
    "SignatureDoesNotMatch": "the secret does not belong to the key id, or a proxy changes requests",
    "RequestTimeTooSkewed": "this machine's clock is off by more than 15 minutes",
    "InvalidObjectState": "the object is archived: restore it first (call restore_object)",
    "MissingContentLength": _CHECKSUMS_HINT,
    "XAmzContentSHA256Mismatch": _CHECKSUMS_HINT,
    "ConditionalRequestConflict": "another write of the same object was under way",
    "EntityTooSmall": "every part but the last needs 5 MiB",
    "403": "the credentials are refused, may not do this, or may not learn that there is no such object",
    "AccessDenied": "the credentials may not do this, or may not learn that there is no such object",
}


@contextmanager
def translated() -> Iterator[None]:
    """Turn whatever boto3 raises within the block."""
    try:
        yield
    except (AccelError, GeneratorExit):
        raise
    except Exception as error:  # noqa: BLE001 - boto3, urllib3 and the file system have no common base
        raise translate(error) from None


def code_of(error: AccelError) -> str:
    """Return the store's own code, or an empty text."""
    return (error.code or "") if isinstance(error, APIError) else ""


def translate(error: Exception) -> AccelError:
    """Return the error that says the same."""
    from botocore import exceptions as b  # noqa: PLC0415 - whoever calls has loaded it

    inner = getattr(error, "kwargs", {}).get("error")
    if isinstance(inner, AccelError):  # raised by what boto3 read from
        return inner
    if isinstance(error, b.ClientError):
        return _status_error(error.response)
    for kinds, make in _makers():
        if isinstance(error, kinds):
            return make(error)
    return InvalidResponseError(f"unexpected {type(error).__name__}: {error}")


def _makers() -> tuple[tuple[Any, Callable[[Any], AccelError]], ...]:
    """Return kinds of exceptions with what makes our error of one; the first that fits counts."""
    from botocore import exceptions as b  # noqa: PLC0415 - as above

    return (
        ((b.NoCredentialsError, b.PartialCredentialsError), _missing_key),
        ((b.ParamValidationError, b.UnknownParameterError), lambda e: InvalidRequestError(" ".join(str(e).split()))),
        (b.FlexibleChecksumError, _spoilt),
        (b.SSLError, _insecure),
        (b.ConnectTimeoutError, lambda e: APITimeoutError(str(e), phase="connect", sent=False)),
        (b.ReadTimeoutError, lambda e: APITimeoutError(str(e), phase="read")),
        (
            (b.EndpointConnectionError, b.ProxyConnectionError),
            lambda e: APIConnectionError(str(e), phase="connect", sent=False),
        ),
        (
            (b.IncompleteReadError, b.ResponseStreamingError),
            lambda e: APIConnectionError(f"the content ended early: {e}", phase="read"),
        ),
        ((b.HTTPClientError, b.ConnectionError), lambda e: APIConnectionError(str(e), phase="read")),
        (b.BotoCoreError, lambda e: ConfigError(f"boto3: {e}")),
        (OSError, lambda e: InvalidRequestError(f"{e.filename or 'file'}: {e.strerror or e}")),
        (ValueError, lambda e: InvalidRequestError(str(e))),  # such as an endpoint without a scheme
    )


def _missing_key(error: Exception) -> MissingKeyError:
    return MissingKeyError(str(error), hint="set both parts of the credentials, or: ipfs-accel keys set NAME")


def _spoilt(error: Exception) -> InvalidResponseError:
    wrong = InvalidResponseError(f"the content is not what the store's checksum says: {error}")
    wrong.retryable = True
    return wrong


def _insecure(error: Exception) -> APIConnectionError:
    hint = "for a certificate of your own, set the option ca_file"
    broken = APIConnectionError(f"no secure connection: {error}", hint=hint, sent=False, phase="connect")
    broken.retryable = False
    return broken


def _status_error(response: Mapping[str, Any]) -> APIError:
    told, about = response.get("Error", {}), response.get("ResponseMetadata", {})
    status, code = int(about.get("HTTPStatusCode") or 0), str(told.get("Code") or "")
    kind = _KINDS.get(code) or (ConflictError if code == "ConditionalRequestConflict" else class_for_status(status))
    headers = about.get("HTTPHeaders") or {}
    error = kind(
        _message(code, status, told),
        status=status,
        code=code or None,
        request_id=about.get("RequestId") or headers.get("x-amz-request-id"),
        retry_after=_retry_after(headers),
        body=dict(told),
        hint=_HINTS.get(code) or (_UNSUMMED_HINT if _is_about_checksums(status, told) else None),
    )
    if code in _RETRYABLE:
        error.retryable = True
    return error


def _is_about_checksums(status: int, told: Mapping[str, Any]) -> bool:
    """Whether a refusal speaks of checksums, as of one that it wants for each part, or does not know."""
    is_wrong = told.get("Code") in {"BadDigest", "InvalidDigest", "XAmzContentChecksumMismatch"}
    return status in {400, 501} and not is_wrong and "checksum" in str(told.get("Message") or "").lower()


def _message(code: str, status: int, told: Mapping[str, Any]) -> str:
    message = str(told.get("Message") or "").rstrip(".")
    if code.isdigit() or not code:  # an answer to HEAD
        return f"the store answered with status {status} ({message or 'no more is told'})"
    size = told.get("ActualObjectSize")
    return f"{message or 'refused'} ({code})" + (f"; the object has {size} bytes" if size else "")


def _retry_after(headers: Any) -> float | None:
    milliseconds = headers.get("x-amz-retry-after", "")
    return float(milliseconds) / 1000 if milliseconds.isdigit() else retry_after(headers)
