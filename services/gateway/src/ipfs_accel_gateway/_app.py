"""What a request is for, who may ask for it, and who is told how it went."""

from __future__ import annotations

import asyncio
import itertools
import logging
from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import partial
from http import HTTPStatus
from typing import TYPE_CHECKING, Any

from ipfs_accel import AccelError, strict_json
from ipfs_accel.types import RelayRequest

from ._bodies import around_model, members, plain
from ._callers import Caller, Callers, Ticket
from ._errors import Refusal, refusal_of
from ._faults import endpoints_of
from ._forms import KIND, fields
from ._incoming import Incoming
from ._lanes import Call, perform, tell_failure
from ._life import LIVE, READY, Health, Life
from ._models import Models
from ._origins import is_local
from ._reader import Bad
from ._records import Record
from ._reply import JSON, LeftError
from .dialects import ROUTES, family_of, look_of, named, spoken, takes_forms

if TYPE_CHECKING:
    from ipfs_accel import AsyncClient

    from ._asking import Asking
    from ._bills import Bill, Ledger
    from ._reply import Reply
    from ._settings import Settings
    from .dialects._base import Dialect, Family, Named

__all__ = ["App"]

_log = logging.getLogger("ipfs_accel_gateway")
_log.addHandler(logging.NullHandler())

_LEFT = 499
_PASSED = {"beta=true": (("beta", "true"),)}
"""Queries that go on to who speaks the dialect, as a caller chooses no URL: Anthropic's SDK has this one."""
_PREFLIGHT = (
    ("access-control-allow-methods", "GET, POST, OPTIONS"),
    ("access-control-max-age", "600"),
)


class App:
    """The gateway without its server: `handle` answers one request.

    Args:
        client: Through which targets are asked; whoever made it closes it.
        settings: Of the gateway.
        names: Served name to what the client is asked for, beside what its configuration has.
        noting: Told of each request for a model when it is over.
        ledger: Where what is spent is counted; None means nowhere.
        before: What answered until now, by other settings: limits and numbers of requests go on from there.
        life: Of the gateway.
        asking: Who has the limits of keys, where that is another process.
    """

    def __init__(
        self,
        client: AsyncClient,
        settings: Settings,
        *,
        names: Mapping[str, str] | None = None,
        noting: Iterable[Callable[[Record], object]] = (),
        ledger: Ledger | None = None,
        before: App | None = None,
        life: Life | None = None,
        asking: Asking | None = None,
    ) -> None:
        self.settings = settings
        known: Mapping[str, Caller] = {} if before is None else before.callers.by_name()
        self.callers: Callers = Callers(settings.keys, before=known, wants_keys=settings.wants_keys)
        self.models = Models(client, settings, names or {})
        self.life = life or Life()
        self._health = Health(self.life, client, endpoints_of(client.config, names or {}))
        self._client = client
        self._noting = tuple(noting)
        self._ledger = ledger
        self._asking = asking
        self.numbers: Iterator[int] = itertools.count(1) if before is None else before.numbers
        self._counts = ledger is not None or bool(self._noting)
        self._lenient = settings.unsupported == "leave_out"

    async def handle(self, request: Incoming, reply: Reply) -> None:
        """Answer a request."""
        head = request.noted.get(self.callers)
        if head is None:
            request.noted.clear()
            head = request.noted[self.callers] = _Head(request)
        record = Record(next(self.numbers))
        try:
            if head.cors is None:
                head.cors = self._checked_origin(request.headers)
            record.cors = head.cors
            if head.dialect is not None and request.method == "POST":
                await self._ask(request, reply, head.dialect, record, head)
            else:
                await self._look_up(request, reply, record)
        except (Refusal, Bad) as error:
            await self._refuse(_as_refusal(error), head.family, reply, record)
        except (asyncio.CancelledError, LeftError):
            record.status, record.error = _LEFT, "left"
            raise
        except Exception as error:
            _log.exception("a request failed within the gateway: %s", record.id)
            record.status, record.error = 500, type(error).__name__
            if reply.has_begun:
                raise
            refusal = Refusal(500, "server", "the gateway failed; its log says why")
            await self._refuse(refusal, head.family, reply, record)
        finally:
            self._note(record)

    async def handle_as(self, caller: Caller, request: Incoming, reply: Reply) -> None:
        """Answer a request of which it is known already whose it is."""
        head = request.noted[self.callers] = _Head(request)
        head.caller = caller
        await self.handle(request, reply)

    def refusal(self, bad: Bad, path: str, headers: Mapping[str, str]) -> tuple[bytes, tuple[tuple[str, str], ...]]:
        """Return the body and the headers of the answer to what is no whole request, given what came of its head."""
        record, refusal = Record(next(self.numbers)), refusal_of(bad)
        record.status, record.error = refusal.status, refusal.kind
        _log.info("refused: %s: %s", record.id, bad.reason)
        dialect, _ = _asked("POST", path, "")
        if dialect is not None:
            record.dialect = dialect.name
            self._note(record)
        family = family_of(path, headers) if dialect is None else dialect.family
        return family.error(refusal, record.id), (JSON, *record.headers(), *_beside(refusal))

    def _note(self, record: Record) -> None:
        if record.dialect:
            for note in self._noting:
                note(record)

    def admits(self, request: Incoming) -> Bad | None:
        """Return why the body of a request is not waited for: nobody without a key has any of it kept."""
        try:
            self.callers.who(request.headers, request.query)
        except Refusal as refusal:
            return Bad(refusal.status, refusal.message)
        return None

    async def _ask(self, request: Incoming, reply: Reply, dialect: Dialect, record: Record, head: _Head) -> None:
        record.dialect = dialect.name
        caller = head.caller
        if caller is None or caller.has_expired:
            caller = head.caller = self.callers.who(request.headers, request.query)
        record.caller = caller.id
        call, size = self._call(request, dialect, record, head.place, caller)
        needed = partial(_tokens, call.request)
        ticket = caller.enter(needed) if self._asking is None else await self._asking.enter(caller, needed)
        bill: Bill | None = None
        try:
            if self._ledger is not None:
                bill = record.bill = await self._ledger.begin(caller.id, call.request, call.target, size)
                reply = bill.counting(reply)
            await perform(self._client, call, reply, lenient=self._lenient)
            record.status = 200
        except AccelError as error:
            record.error, record.fault = type(error).__name__, error.endpoint or ""
            if bill is not None:
                bill.failed(error)
            if not reply.has_begun:
                refusal = refusal_of(error)
                record.status = refusal.status
                raise refusal from None
            record.status = 200
            await tell_failure(error, call, reply)
        except (Refusal, Bad, asyncio.CancelledError) as error:
            refusal = self._as_refusal(error)
            if bill is not None and isinstance(error, asyncio.CancelledError):
                bill.broken_off()
            if not reply.has_begun:
                record.status = refusal.status
                raise refusal from None
            record.status, record.error = 200, refusal.kind
            await tell_failure(refusal, call, reply)
        finally:
            _settle(ticket, bill, record)

    def _call(
        self, request: Incoming, dialect: Dialect, record: Record, place: Named | None, caller: Caller
    ) -> tuple[Call, int]:
        """Return what a request asks for, and the bytes of its body."""
        is_form = takes_forms(dialect)
        said, body = self._said(request, is_form=is_form)
        dialect = spoken(dialect, said)
        model = said.get("model") if place is None else place.model
        if not isinstance(model, str) or not model or not model.isprintable():
            raise Refusal(400, "invalid_request", "model: expected the name of a model", param="model")
        record.model = model
        target = self.models.target(model, caller)
        asked = RelayRequest(
            dialect.name,
            dialect.operation(said),
            said,
            _around(body, is_form=is_form, is_named=place is not None),
            headers=dialect.passes(request.headers),
            query=_PASSED.get(request.query, ()) if place is None else place.query,
            wants_usage=self._counts or caller.counts_tokens,
        )
        record.operation, record.is_stream = asked.operation, asked.is_stream
        return Call(dialect, asked, model=model, target=target, record=record), len(body)

    async def _look_up(self, request: Incoming, reply: Reply, record: Record) -> None:
        method, path = request.method, request.path
        is_reading = method in {"GET", "HEAD"}
        if method == "OPTIONS" and record.cors:
            asked = request.headers.get("access-control-request-headers", "")
            allowed = (("access-control-allow-headers", asked),) if asked else ()
            await reply.whole(204, (*record.cors, *_PREFLIGHT, *allowed), b"")
        elif path in {LIVE, READY} and is_reading:
            await reply.whole(*self._health.answer(path))
        elif path in ROUTES:
            if request.headers.get("upgrade", "").lower() == "websocket":
                raise Refusal(426, "invalid_request", "no WebSocket is spoken here: send a POST")
            raise Refusal(405, "invalid_request", f"{method} is not for {path}; POST is")
        else:
            caller = self.callers.who(request.headers, request.query)
            look = look_of(method, path, request.headers, lambda: self._said(request)[0])
            if look is None:
                raise Refusal(404, "not_found", f"there is no {method} {path} here", code="unknown_url")
            found = await self.models.answer(look, caller)
            await reply.whole(200, (JSON, *record.headers()), strict_json.dumps(found))

    def _as_refusal(self, error: Refusal | Bad | asyncio.CancelledError) -> Refusal:
        """Return what is told of an error; whoever is there yet when the gateway ends hears of it."""
        if not isinstance(error, asyncio.CancelledError):
            return _as_refusal(error)
        if not self.life.is_over:
            raise error
        return Refusal(503, "overloaded", "the gateway is being shut down", retry_after=1.0)

    def _said(self, request: Incoming, *, is_form: bool = False) -> tuple[dict[str, Any], bytes]:
        """Return a body's JSON object, or what a form has, and its bytes as they were before they were compressed."""
        body = plain(request.body, request.headers.get("content-encoding", "").lower(), self.settings.max_body)
        kind = request.headers.get("content-type", "") if is_form else ""
        return (fields(body, kind) if kind.startswith(KIND) else members(body)), body

    async def _refuse(self, refusal: Refusal, family: Family, reply: Reply, record: Record) -> None:
        record.status, record.error = refusal.status, record.error or refusal.kind
        headers = (JSON, *record.headers(), *_beside(refusal))
        await reply.whole(refusal.status, headers, family.error(refusal, record.id))

    def _checked_origin(self, headers: Mapping[str, str]) -> tuple[tuple[str, str], ...]:
        """Return what lets a page read the answer, if its origin is one of those that may.

        Raises:
            Refusal: A page of somebody else asks, or a name of theirs leads here, where no key is wanted: any page that
                this machine's owner opens could then use the gateway.
        """
        origin = headers.get("origin")
        if not self.callers.wants_keys:
            host = headers.get("host", "localhost")
            if self.settings.is_local and not is_local(f"//{host}"):
                raise Refusal(421, "invalid_request", "host: without keys this gateway answers at its own address only")
            if origin is not None and origin not in self.settings.cors and not is_local(origin):
                raise Refusal(403, "permission", "origin: pages from there may not ask; `gateway.cors` lets them")
        if origin is None or not (origin in self.settings.cors or "*" in self.settings.cors):
            return ()
        return (("access-control-allow-origin", origin), ("vary", "origin"))


class _Head:
    """What a request's head says, found out once for all that have the same one and the same keys to be held to."""

    __slots__ = ("caller", "cors", "dialect", "family", "place")

    def __init__(self, request: Incoming) -> None:
        self.dialect, self.place = _asked(request.method, request.path, request.query)
        self.family = family_of(request.path, request.headers) if self.dialect is None else self.dialect.family
        self.cors: tuple[tuple[str, str], ...] | None = None
        self.caller: Caller | None = None


def _asked(method: str, path: str, query: str) -> tuple[Dialect | None, Named | None]:
    """Return in which dialect something is asked at a path, and what the path itself says; None where nothing is."""
    dialect = ROUTES.get(path)
    if dialect is not None:
        return dialect, None
    place = named(method, path, query)
    return (None if place is None else place.dialect), place


def _as_refusal(error: Refusal | Bad) -> Refusal:
    return refusal_of(error) if isinstance(error, Bad) else error


_BESIDE: Mapping[int, tuple[tuple[str, str], ...]] = {
    HTTPStatus.METHOD_NOT_ALLOWED: (("allow", "POST"),),
    HTTPStatus.UPGRADE_REQUIRED: (("upgrade", "HTTP/1.1"), ("connection", "upgrade")),
    HTTPStatus.UNAUTHORIZED: (("www-authenticate", "Bearer"),),
}

_NO_RETRY = (("x-should-retry", "false"),)
"""Has OpenAI's and Anthropic's clients ask no more until a day or month is over."""


def _beside(refusal: Refusal) -> tuple[tuple[str, str], ...]:
    """Return the headers that belong to a refusal."""
    found = _BESIDE.get(refusal.status, ())
    if refusal.code == "budget_exceeded":
        found = _NO_RETRY
    if refusal.retry_after is None:
        return found
    return (*found, ("retry-after", str(max(1, round(refusal.retry_after + 0.499)))))


def _around(body: bytes, *, is_form: bool, is_named: bool) -> tuple[bytes, bytes]:
    """Return what of a body stands around the model; nothing of a form, which no server gets as it came."""
    if is_form:
        return b"", b""
    return (body, b"") if is_named else around_model(body)


def _tokens(asked: RelayRequest) -> float:
    """Return how many a request may need, as limits by the minute count."""
    return 0.0 if asked.operation == "count_tokens" else asked.tokens


def _settle(ticket: Ticket, bill: Bill | None, record: Record) -> None:
    if bill is not None:
        bill.settle(record)
    usage = record.usage
    if usage is None or usage.input_tokens is None:
        # What was refused has cost nothing; what nobody has counted is what was expected.
        ticket.settle(None if record.status in {200, _LEFT, None} else 0.0)
    else:
        ticket.settle(usage.input_tokens + (usage.output_tokens or 0))
