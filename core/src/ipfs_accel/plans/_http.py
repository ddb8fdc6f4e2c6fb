"""Requests and responses as plans speak of them; public as part of `ipfs_accel.plans`."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, Protocol, TypeAlias
from urllib.parse import quote

import attrs

from ipfs_accel import strict_json
from ipfs_accel._values import frozen
from ipfs_accel.errors import InvalidRequestError, InvalidResponseError

if TYPE_CHECKING:
    from ipfs_accel._headers import Headers

__all__ = ["Body", "HttpRequest", "HttpResponse", "Pairs", "get", "json_bytes", "post_json", "segment"]

Pairs: TypeAlias = tuple[tuple[str, str], ...]


class Body(Protocol):
    """A body that is made while it is sent, such as an upload; see `wire.multipart`.

    Every iteration gives all of it, so that it can be sent again. The asynchronous world reads it in a thread.
    """

    @property
    def size(self) -> int:
        """Its length in bytes."""
        ...

    def __iter__(self) -> Iterator[bytes]:
        """Return its pieces, from the beginning."""
        ...


def _size(body: bytes | Body | None) -> str:
    return "None" if body is None else f"<{len(body) if isinstance(body, bytes) else body.size} bytes>"


@frozen(kw_only=True)
class HttpRequest:
    """What to send.

    Attributes:
        method: GET, POST, ...
        path: Below the endpoint's base URL, beginning with a slash; ids in it must come through `segment`.
        query: Names and values, unquoted.
        headers: Beside those that the core sets.
        content: The body: bytes, or a `Body` that is read while it is sent.
        base_url: Another server than the endpoint's; the endpoint's key is not sent to another origin.
    """

    method: str
    path: str
    query: Pairs = ()
    headers: Pairs = ()
    content: bytes | Body | None = attrs.field(default=None, repr=_size)
    base_url: str | None = None


_JSON = "application/json"
UNWRITABLE = "the request cannot be written as JSON"
"""What the error says then, in whose place the core names the field of the request."""
TOO_DEEP, CIRCULAR = "it is nested too deeply", "it holds itself"


def get(path: str, *, query: Pairs = (), headers: Pairs = (), base_url: str | None = None) -> HttpRequest:
    """Make a GET request for JSON."""
    return HttpRequest(method="GET", path=path, query=query, headers=(("accept", _JSON), *headers), base_url=base_url)


def post_json(
    path: str, body: Any, *, headers: Pairs = (), base_url: str | None = None, accept: str = _JSON
) -> HttpRequest:
    """Make a POST request that sends JSON and wants JSON (or events) back, or what `accept` says.

    Raises:
        InvalidRequestError: `body` holds something that JSON has no form for, such as NaN.
    """
    headers = (("content-type", _JSON), ("accept", accept), *headers)
    return HttpRequest(method="POST", path=path, headers=headers, content=json_bytes(body), base_url=base_url)


def json_bytes(body: Any) -> bytes:
    """Write what is sent as JSON.

    Raises:
        InvalidRequestError: As `post_json`.
    """
    try:
        return strict_json.dumps(body)
    except (TypeError, ValueError) as error:
        raise InvalidRequestError(f"{UNWRITABLE}: {CIRCULAR if 'ircular' in str(error) else error}") from None
    except RecursionError:
        raise InvalidRequestError(f"{UNWRITABLE}: {TOO_DEEP}") from None


def segment(value: str) -> str:
    """Quote an id as exactly one segment of a path, so that no id can leave it."""
    if value in {"", ".", ".."}:
        raise InvalidRequestError(f"{value!r} cannot be part of a URL path")
    return quote(value, safe="")


@frozen(kw_only=True)
class HttpResponse:
    """A whole answer.

    Attributes:
        status: HTTP status.
        headers: Case-insensitive.
        body: The decoded body.
    """

    status: int
    headers: Headers
    body: bytes = attrs.field(repr=lambda body: f"<{len(body)} bytes>")

    def text(self) -> str:
        """Return the body as UTF-8 text; malformed bytes become replacement characters."""
        return self.body.decode("utf-8", "replace")

    def json(self, *, vectors: bool = False) -> Any:
        """Return the body's JSON value.

        Args:
            vectors: Whether lists of floats in it may be read as floats alone, which saves time with large answers;
                otherwise each number is exact, whatever stands beside it.

        Raises:
            InvalidResponseError: The body is empty, HTML, not JSON, nested too deeply, or holds NaN or Infinity.
        """
        try:
            return (strict_json.loads_vectors if vectors else strict_json.loads)(self.body)
        except (ValueError, RecursionError) as error:
            kind = self.headers.get("content-type", "no content type")
            start = self.body.lstrip()[:64].lower()
            if not start:
                message, hint = f"the answer (status {self.status}) has no body", None
            elif start.startswith((b"<!doctype", b"<html", b"<?xml")):
                message = f"the answer (status {self.status}) is an HTML page, not JSON"
                hint = "it looks like a page of a proxy, a captive portal or a login: check the base URL and the proxy"
            else:
                why = "it is nested too deeply" if isinstance(error, RecursionError) else error
                message, hint = f"the answer (status {self.status}, {kind}) is not valid JSON: {why}", None
            # A server under load may send nothing at all, and the next time an answer.
            found = InvalidResponseError(message, status=self.status, body=self.text()[:512], hint=hint)
            found.retryable = not start
            raise found from None
