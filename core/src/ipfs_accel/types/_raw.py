"""Requests of a provider's API that no operation stands for, and what comes back."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import attrs

from ipfs_accel import strict_json
from ipfs_accel._invalid import InvalidValueError
from ipfs_accel._values import frozen

from ._answers import Answer
from ._files import Upload
from ._requests import Request

if TYPE_CHECKING:
    from ipfs_accel._headers import Headers


def _names(pairs: tuple[tuple[str, str], ...]) -> str:
    return f"<{', '.join([name for name, _ in pairs])}>"


@frozen(kw_only=True)
class RawRequest(Request):
    """Any request of a provider's API; at most one of `json`, `data`, and a form of `fields` and `files`.

    Attributes:
        method: GET, POST, …
        path: As the provider's documentation has it, beginning with a slash.
        query: Names and values, unquoted.
        headers: Beside those of the endpoint; values do not show, as they may be secrets.
        json: The body, if it is JSON; None means that it is not.
        data: The body, if it is a file or bytes.
        fields: Names and texts of a form.
        files: Names and files of a form.
        idempotent: Whether it may be sent again although the server may have acted on it.
        as_bytes: Whether a stream gives bytes even where the server sends events or lines.
    """

    method: str
    path: str
    query: tuple[tuple[str, str], ...] = ()
    headers: tuple[tuple[str, str], ...] = attrs.field(default=(), repr=_names)
    json: Any = attrs.field(default=None, repr=False)
    data: Upload | None = None
    fields: tuple[tuple[str, str], ...] = attrs.field(default=(), repr=_names)
    files: tuple[tuple[str, Upload], ...] = ()
    idempotent: bool = False
    as_bytes: bool = False


@frozen(kw_only=True)
class RawResponse(Answer):
    """What a server answered to a `RawRequest`; its status is a success.

    Attributes:
        status: HTTP status.
        headers: Case-insensitive.
        body: The decoded body.
    """

    status: int
    headers: Headers = attrs.field(repr=False)
    body: bytes = attrs.field(repr=lambda body: f"<{len(body)} bytes>")

    @property
    def text(self) -> str:
        """The body as UTF-8 text; malformed bytes become replacement characters."""
        return self.body.decode("utf-8", "replace")

    @property
    def request_id(self) -> str | None:
        """The provider's id of the request, for its support."""
        return None if self.call is None else self.call.request_id

    def json(self) -> Any:
        """Return the body's JSON value.

        Raises:
            ValueError: The body is something else.
        """
        return _parsed(self.body, f"the answer (status {self.status}, {self.headers.get('content-type', 'no type')})")


@frozen
class ServerEvent:
    """One event of a stream of server-sent events, or one line of a stream of lines.

    Attributes:
        data: The event's data, or the line.
        event: Its type; `message` where the server gives none, as lines have none.
        id: The last id that the server gave, in this event or before.
    """

    data: str
    event: str = "message"
    id: str | None = None

    def json(self) -> Any:
        """Return the data's JSON value.

        Raises:
            ValueError: The data is something else, such as a last `[DONE]`.
        """
        return _parsed(self.data, f"the data of the event {self.event!r}")


def _parsed(text: str | bytes, what: str) -> Any:
    try:
        return strict_json.loads(text)
    except (ValueError, RecursionError) as error:
        why = "it is nested too deeply" if isinstance(error, RecursionError) else error
        raise InvalidValueError(f"{what} is not valid JSON: {why}") from None
