"""What was said in each request, for those who have to keep it: off unless the configuration asks for it.

It is kept as middleware leaves it: the hook `audit` is named in `plugins.middleware` behind what takes out what must
not be kept, sees requests that this has gone over, and answers before it puts anything back. Or the words of both
sides are kept as they are, where somebody says that this is wanted; then nothing is in the way of what is passed on.
"""

from __future__ import annotations

import json
import logging
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from typing import TYPE_CHECKING, Any

import attrs
from ipfs_accel import hookimpl, strict_json
from ipfs_accel.errors import ConfigError

from ._audit_file import AuditFile
from ._bodies import plain
from ._reader import Bad

if TYPE_CHECKING:
    from ipfs_accel import AsyncClient
    from ipfs_accel.middleware import CallContext

    from ._incoming import Incoming
    from ._records import Record
    from ._reply import Headers, Reply
    from ._settings import Settings

__all__ = ["HOOK", "Audit", "hook"]

HOOK = "audit"
"""Name of the hook among middleware."""

_log = logging.getLogger("ipfs_accel_gateway")
_UNKEPT = frozenset({"call", "headers", "origin", "raw"})
"""Fields of requests and answers that are about their way, or may hold a key."""
_WORDS = ("text/", "application/json", "application/x-ndjson")
_DEEPEST = 60


class _Said:
    """One call, as the hook sees it; what came of a stream that did not end, too."""

    __slots__ = ("answer", "left", "operation", "pieces", "request")

    def __init__(self, operation: str, request: Any, most: int) -> None:
        self.operation = operation
        self.request = request
        self.answer: Any = None
        self.pieces: list[str] = []
        self.left = most


class _Kept:
    """What is kept of a request while it is answered."""

    __slots__ = ("calls", "most", "request", "tee")

    def __init__(self, most: int, request: Incoming, tee: _Tee | None) -> None:
        self.most = most
        self.request = request
        self.tee = tee
        self.calls: list[_Said] = []


_current: ContextVar[_Kept | None] = ContextVar("ipfs_accel_gateway_audit", default=None)


class _Hook:
    """Middleware that changes nothing; outside of a gateway with an audit it does nothing either."""

    api_version = 1

    @hookimpl
    def rewrite_request(self, call: CallContext, request: Any) -> None:
        """Keep what is asked."""
        kept = _current.get()
        if kept is not None:
            said = call.memo[HOOK] = _Said(call.operation, request, kept.most)
            kept.calls.append(said)

    @hookimpl
    def rewrite_event(self, call: CallContext, event: Any) -> None:
        """Keep what has come, as the whole answer may never."""
        said = call.memo.get(HOOK)
        text = getattr(event, "text", None)
        if said is not None and said.left > 0 and isinstance(text, str):
            said.pieces.append(text[: said.left])
            said.left -= len(text)

    @hookimpl
    def rewrite_answer(self, call: CallContext, answer: Any) -> None:
        """Keep what is answered."""
        said = call.memo.get(HOOK)
        if said is not None:
            said.answer = answer


hook = _Hook()


class Audit:
    """Writes a line of JSON for each request that was let in: whose it was, and what was said.

    Args:
        client: Whose middleware goes over what is said.
        settings: Of the gateway.
        path: Of the file.

    Raises:
        ConfigError: The file cannot be written; or nothing takes out what must not be kept, or what does is switched
            off, and nobody has said that this is wanted.
    """

    def __init__(self, client: AsyncClient, settings: Settings, path: str) -> None:
        self._is_raw = settings.audit_raw
        self._most, self._max_body = settings.audit_max_record, settings.max_body
        how = _how(client, is_raw=settings.audit_raw)
        self._file = AuditFile(path, settings.audit_max_file)
        _log.warning("gateway.audit: what is asked and answered is kept in %s, %s", path, how)

    @contextmanager
    def around(self, request: Incoming, reply: Reply) -> Iterator[Reply]:
        """Keep what is said while a request is answered."""
        tee = _Tee(reply, self._most) if self._is_raw else None
        token = _current.set(_Kept(self._most, request, tee))
        try:
            yield reply if tee is None else tee
        finally:
            _current.reset(token)

    def add(self, record: Record) -> None:
        """Write a line; of who has no key nothing is kept."""
        kept = _current.get()
        if kept is None or not record.operation:
            return
        words = _Words(self._most)
        try:
            if kept.tee is not None:
                said = _as_it_is(kept, record, words, self._max_body)
            else:
                said = [_of(each, words) for each in kept.calls]
        except RecursionError:
            said = []
        line = {
            "time": round(time.time(), 3),
            "id": record.id,
            "caller": record.caller,
            "dialect": record.dialect,
            "model": record.model[: self._most],
            "endpoint": record.endpoint or record.fault,
            "target_model": record.target_model[: self._most],
            "lane": record.lane,
            "status": record.status,
            "error": record.error,
            "said": said,
        }
        self._file.add(json.dumps(line).encode() + b"\n")  # of half characters too, which are escaped

    def close(self) -> None:
        """Write what waits."""
        self._file.close()


def _how(client: AsyncClient, *, is_raw: bool) -> str:
    """Return what is kept, in words."""
    records = client.middleware()
    place = next((at for at, each in enumerate(records) if each.name == HOOK), 0)
    is_named = HOOK in client.config.plugins.middleware
    if is_raw and is_named:
        raise ConfigError("gateway.audit_raw: plugins.middleware names 'audit' too; say one of them")
    if is_raw:
        return "as it is"
    if not is_named or place == 0:
        raise ConfigError(
            "gateway.audit: nothing would take out what must not be kept",
            hint='name what does and then the audit: middleware = ["redaction", "audit"] in [plugins], or say that all '
            "is to be kept as it is: audit_raw = true",
        )
    off = [each.name for each in records[: place + 1] if each.state == "blocked"]
    if off:
        raise ConfigError(f"gateway.audit: the middleware {', '.join(off)} is switched off, by plugins.deny")
    return f"as the middleware {', '.join([each.name for each in records[:place]])} leaves it"


def _of(said: _Said, words: _Words) -> dict[str, Any]:
    found = {"operation": said.operation, "request": words.plain(said.request)}
    if said.answer is not None:
        found["answer"] = words.plain(said.answer)
    elif said.pieces:
        found["partial"] = words.plain("".join(said.pieces))
    return found


def _as_it_is(kept: _Kept, record: Record, words: _Words, max_body: int) -> list[dict[str, Any]]:
    request, tee = kept.request, kept.tee
    try:
        body = plain(request.body, request.headers.get("content-encoding", "").lower(), max_body)
        asked: Any = strict_json.loads(body)
    except (Bad, ValueError):
        asked = request.body
    found = {"operation": record.operation, "request": words.plain(asked)}
    if tee is not None and tee.size:
        found["answer"] = words.plain(tee.said())
    return [found]


class _Words:
    """Makes JSON of what was said, with so many letters at most.

    What is no text is told by its size, and what has no room by how long it is.
    """

    def __init__(self, most: int) -> None:
        self._left = most

    def plain(self, value: Any, depth: int = 0) -> Any:
        """Return a value of JSON."""
        if value is None or isinstance(value, bool | int | float):
            return value
        if isinstance(value, str):
            return self._cut(value)
        if isinstance(value, bytes | bytearray | memoryview):
            return f"<{len(value)} bytes>"
        return "<left out>" if self._left <= 0 or depth > _DEEPEST else self._made(value, depth + 1)

    def _made(self, value: Any, depth: int) -> Any:
        if isinstance(value, Mapping):
            return {self._cut(str(name)): self.plain(each, depth) for name, each in self._some(value.items())}
        if isinstance(value, list | tuple):
            return [self.plain(each, depth) for each in self._some(value)]
        if not attrs.has(type(value)):
            return f"<{type(value).__name__}>"
        found = {}
        for each in attrs.fields(type(value)):
            held = getattr(value, each.name)
            is_unsaid = held is None or held is False or (isinstance(held, str | tuple | list | Mapping) and not held)
            if not is_unsaid and each.name not in _UNKEPT and not each.name.startswith("_"):
                found[each.name] = self.plain(held, depth)
        return found

    def _some(self, values: Any) -> Iterator[Any]:
        """Return values as long as there is room: numbers take some, too."""
        for each in values:
            if self._left <= 0:
                return
            self._left -= 1
            yield each

    def _cut(self, text: str) -> str:
        if len(text) <= self._left:
            self._left -= len(text)
            return text
        kept, self._left = text[: max(0, self._left)], 0
        return f"{kept}<{len(text) - len(kept)} more letters>"


class _Tee:
    """A reply that keeps what goes through it, up to a bound, and holds nothing back."""

    def __init__(self, reply: Reply, most: int) -> None:
        self._reply = reply
        self._left = most
        self._pieces: list[bytes] = []
        self._kind = ""
        self.size = 0

    @property
    def has_begun(self) -> bool:
        """Whether the head is out."""
        return self._reply.has_begun

    def said(self) -> str:
        """Return what went through; of what is no text how much it was."""
        if not self._kind.startswith(_WORDS):
            return f"<{self.size} bytes>"
        text = b"".join(self._pieces).decode("utf-8", "replace")
        return text if self._left >= 0 else f"{text}<{-self._left} more bytes>"

    async def whole(self, status: int, headers: Headers, body: bytes) -> None:
        """Send an answer that is all there."""
        headers = tuple(headers)
        self._begin(headers)
        self._keep(body)
        await self._reply.whole(status, headers, body)

    async def begin(self, status: int, headers: Headers, size: int | None = None) -> None:
        """Send the head."""
        headers = tuple(headers)
        self._begin(headers)
        await self._reply.begin(status, headers, size)

    async def write(self, piece: bytes) -> None:
        """Send a piece."""
        self._keep(piece)
        await self._reply.write(piece)

    async def end(self) -> None:
        """End the body."""
        await self._reply.end()

    def cut(self) -> None:
        """Break the body off."""
        self._reply.cut()

    def keep_alive(self, status: int, headers: Headers, beat: bytes) -> None:
        """Show signs of life, which nobody said."""
        headers = tuple(headers)
        self._begin(headers)
        self._reply.keep_alive(status, headers, beat)

    def _begin(self, headers: Headers) -> None:
        self._kind = next((value for name, value in headers if name == "content-type"), "")

    def _keep(self, piece: bytes) -> None:
        self.size += len(piece)
        if self._left > 0:
            self._pieces.append(piece[: self._left])
        self._left -= len(piece)
