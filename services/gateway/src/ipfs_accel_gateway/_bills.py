"""What one request will have cost, from its reservation to its end, however that comes."""

from __future__ import annotations

import math
import re
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, Protocol

from ._budgets import DOLLAR, in_billionths
from ._spend import Row

if TYPE_CHECKING:
    from collections.abc import Coroutine

    from ipfs_accel import AccelError, AsyncClient
    from ipfs_accel.types import RelayRequest

    from ._prices import Need
    from ._records import Record
    from ._reply import Headers, Reply
    from ._settings import Settings

__all__ = ["Bill", "Ledger"]

_BYTES_PER_TOKEN = 2
"""Text in all but rare languages has more, so that the estimate is rather too high."""
_ALL_OF, _ONE_OF = 4, 16
"""Of a stream the first few pieces are looked at for text, then one of so many: it is asked for rarely."""
_TEXT = re.compile(
    rb'"(?:content|text|delta|thinking|reasoning|reasoning_content|partial_json|arguments|response)"'
    rb'\s*:\s*"((?:[^"\\]|\\.)*)"'
)
_LEFT = 499


class Books(Protocol):
    """Where it is counted what a request has used."""

    def used(self, row: Row) -> None:
        """Count it."""


class Purse(Protocol):
    """The budgets of a key."""

    def left(self) -> dict[str, float]:
        """Return what is left of each."""
        ...


class Reservation(Protocol):
    """What was reserved of them."""

    def settle(self, dollars: int, tokens: int) -> None:
        """Give it back, and count what was used."""


class Ledger(Books, Protocol):
    """Counts what keys spend, here or in another process."""

    async def begin(self, caller: str, request: RelayRequest, target: str, size: int) -> Bill:
        """Reserve what a request may need at most; raises a Refusal where that cannot be."""
        ...

    def follow(self, settings: Settings, client: AsyncClient) -> None:
        """Hold requests that begin from now on to these limits and prices."""

    async def close(self) -> None:
        """Write what waits."""


class Bill:
    """What one request has reserved, and what is seen of its answer.

    Attributes:
        purse: Of which it was reserved; None where nothing limits the key.
        reservation: What was.
        settled: By what it was settled in the end: `usage`, or `estimate` where that is not told in full.
    """

    __slots__ = (
        "_books", "_bytes", "_caller", "_cost", "_day", "_events", "_looked", "_may_cost", "_need", "_pieces", "_text",
        "purse", "reservation", "settled",
    )  # fmt: skip

    def __init__(self, books: Books, caller: str, day: str, need: Need) -> None:
        self._books = books
        self._caller = caller
        self._day = day
        self._need = need
        self._bytes = self._events = self._pieces = self._looked = self._text = 0
        self._may_cost = False
        self._cost: int | None = None
        self.purse: Purse | None = None
        self.reservation: Reservation | None = None
        self.settled: str | None = None

    def counting(self, reply: Reply) -> Reply:
        """Return a reply that goes where another one does, and whose bytes are counted."""
        return _Counted(reply, self)

    def saw(self, piece: bytes) -> None:
        """Count a piece of a stream, in which some events end."""
        size = len(piece)
        self._bytes += size
        self._events += piece.count(b"\n\n") or 1
        self._pieces += 1
        if self._pieces <= _ALL_OF or not self._pieces % _ONE_OF:
            self._looked += size
            self._text += sum(map(len, _TEXT.findall(piece)))

    def saw_all(self, body: bytes) -> None:
        """Count an answer that is all there."""
        self._bytes = self._looked = self._text = len(body)

    def failed(self, error: AccelError) -> None:
        """Note how it failed: whoever broke off may charge for what they had read."""
        self._may_cost = bool(getattr(error, "maybe_billed", False))

    def broken_off(self) -> None:
        """Note that nobody waited for its end, though it may have been at work."""
        self._may_cost = True

    def settle(self, record: Record) -> None:
        """Count what was used in truth, or what it is by all that was seen, once it is over."""
        need, usage = self._need, record.usage
        is_told = usage is not None and usage.input_tokens is not None
        has_failed = record.status not in {None, HTTPStatus.OK, _LEFT}
        is_priced = need.dollars is not None or record.cost is not None
        if usage is not None and usage.input_tokens is not None:
            into, out = usage.input_tokens, usage.output_tokens or 0
        elif has_failed and not self._may_cost:
            into = out = 0
        else:
            into, out = min(need.likely, need.input), self._seen()
        if record.cost is not None:
            dollars = in_billionths(record.cost)
        elif (is_told or has_failed) and not (into or out) and not self._may_cost:
            dollars, is_told, is_priced = 0, True, True  # nobody was asked, or they refused
        else:
            dollars, is_told = need.cost(into, out), is_told and not is_priced
        self.settled = "usage" if is_told or record.cost is not None else "estimate"
        self._cost = dollars if is_priced else None
        if self.reservation is not None:
            self.reservation.settle(dollars, into + out)
        row = Row(
            self._day, self._caller, record.endpoint, record.target_model if record.endpoint else record.model,
            1, into, out, dollars, int(not is_priced), int(self.settled == "estimate"),
        )  # fmt: skip
        self._books.used(row)

    def told(self) -> dict[str, Any]:
        """Return what a record has of it: dollars that were counted, by what, and what is left of the key's budgets."""
        return {
            "cost": None if self._cost is None else self._cost / DOLLAR,
            "by": self.settled,
            "left": None if self.purse is None else self.purse.left(),
        }

    def _seen(self) -> int:
        """Return the tokens that came out, by the bytes of text in the pieces that were looked at."""
        text = self._bytes * self._text / self._looked if self._looked else 0
        return min(self._need.output, max(self._events, math.ceil(text / _BYTES_PER_TOKEN)))


class _Counted:
    """A reply whose bytes are counted on their way out."""

    def __init__(self, reply: Reply, bill: Bill) -> None:
        self._reply = reply
        self._bill = bill
        self.begin = reply.begin
        self.end = reply.end
        self.cut = reply.cut
        self.keep_alive = reply.keep_alive

    @property
    def has_begun(self) -> bool:
        """Whether the head is out."""
        return self._reply.has_begun

    def whole(self, status: int, headers: Headers, body: bytes) -> Coroutine[Any, Any, None]:
        """Send an answer that is all there."""
        self._bill.saw_all(body)
        return self._reply.whole(status, headers, body)

    def write(self, piece: bytes) -> Coroutine[Any, Any, None]:
        """Send a piece."""
        self._bill.saw(piece)
        return self._reply.write(piece)
