"""What a worker asks of the process that owns the limits, the budgets and the access log.

Only requests of keys with limits or budgets wait for an answer; rows of what was used, and lines of the log, go over
some moments later.
"""

from __future__ import annotations

import asyncio
import itertools
from typing import TYPE_CHECKING, Any

from ._bills import Bill
from ._budgets import DOLLAR, Calendar, limits_for
from ._callers import Ticket
from ._errors import Refusal
from ._prices import Prices, check_price
from ._records import AccessLog
from ._spend import Row

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from ipfs_accel import AsyncClient
    from ipfs_accel.types import RelayRequest

    from ._callers import Caller
    from ._link import Link
    from ._prices import Need
    from ._settings import Settings

__all__ = ["AskedLedger", "Asking", "SentLog"]

_SECONDS = 1.0
"""For how long rows wait."""


class Asking:
    """The owner, as a worker sees it.

    Attributes:
        heard: What it says, and what is done then.
        link: To it; to be set before anything is asked.
    """

    link: Link

    def __init__(self) -> None:
        self._numbers = itertools.count(1)
        self._waiting: dict[int, asyncio.Future[Any]] = {}
        self.heard: Mapping[str, Callable[..., object]] = {"granted": self._granted, "refused": self._refused}

    async def enter(self, caller: Caller, tokens: Callable[[], float]) -> Ticket:
        """Let a request in, if the limits of its key have room; who has none is not asked for.

        Raises:
            Refusal: One of them is reached.
        """
        if not caller.is_limited:
            return caller.enter(tokens)
        needed = tokens() if caller.counts_tokens else 0.0
        number, _ = await self.ask("enter", ("leave", 0.0), caller.id, needed)
        caller.active += 1
        return _Pass(caller, self.link, number)

    async def ask(self, kind: str, undo: tuple[Any, ...], *rest: Any) -> tuple[int, Any]:
        """Ask, and return the number of what was granted, and the answer.

        Args:
            kind: What is asked.
            undo: What is said, with the number behind its kind, where nobody waits for the answer any more.
            rest: What is asked of.

        Raises:
            Refusal: It was not granted.
        """
        if self.link.gone.done():
            raise _alone()
        number = next(self._numbers)
        waiting = self._waiting[number] = asyncio.get_running_loop().create_future()
        self.link.say(kind, number, *rest)
        try:
            return number, await waiting
        except asyncio.CancelledError:
            self.link.say(undo[0], number, *undo[1:])
            raise
        finally:
            del self._waiting[number]

    def lost(self) -> None:
        """Refuse what waits, as nobody will answer."""
        for waiting in self._waiting.values():
            if not waiting.done():
                waiting.set_exception(_alone())

    def _granted(self, number: int, answer: Any) -> None:
        waiting = self._waiting.get(number)
        if waiting is not None and not waiting.done():
            waiting.set_result(answer)

    def _refused(self, number: int, why: tuple[int, str, str], code: str | None, retry_after: float | None) -> None:
        waiting = self._waiting.get(number)
        if waiting is not None and not waiting.done():
            waiting.set_exception(Refusal(*why, code=code, retry_after=retry_after))


def _alone() -> Refusal:
    return Refusal(503, "overloaded", "the gateway is being shut down", retry_after=1.0)


class _Pass(Ticket):
    """What one request has taken of limits that the owner has."""

    __slots__ = ("_link", "_number")

    def __init__(self, caller: Caller, link: Link, number: int) -> None:
        super().__init__(caller, 0.0)
        self._link = link
        self._number = number

    def settle(self, tokens: float | None) -> None:
        """Give it back; `tokens` is what was used in truth, None where nobody knows: the estimate stands."""
        if not self._is_settled:
            self._is_settled = True
            self._caller.leave(0.0)
            self._link.say("leave", self._number, tokens)


class _Held:
    """What one request has reserved of budgets that the owner has; in the places of purse, reservation and books."""

    def __init__(self, link: Link, number: int, need: Need, left: dict[str, float]) -> None:
        self._link = link
        self._number = number
        self._reserved = {"dollars": need.dollars or 0, "tokens": need.tokens}
        self._used = dict(self._reserved)
        self._left = left

    def settle(self, dollars: int, tokens: int) -> None:
        """Note what was used."""
        self._used = {"dollars": dollars, "tokens": tokens}

    def used(self, row: Row) -> None:
        """Give back what was not, and have it counted."""
        self._link.say("settle", self._number, self._used["dollars"], self._used["tokens"], row)

    def left(self) -> dict[str, float]:
        """Return what was left of each limit when the request was let in, but for what it did not use then."""
        return {name: max(0.0, left + self._back("budget" in name)) for name, left in self._left.items()}

    def _back(self, is_dollars: bool) -> float:
        unit, scale = ("dollars", DOLLAR) if is_dollars else ("tokens", 1)
        return (self._reserved[unit] - self._used[unit]) / scale


class AskedLedger:
    """Counts what the keys of one worker spend, by its owner's ledger.

    Args:
        settings: Of the gateway.
        client: Of the core, which knows prices.
        asking: The owner.
    """

    def __init__(self, settings: Settings, client: AsyncClient, asking: Asking) -> None:
        self._asking = asking
        self._loop = asyncio.get_running_loop()
        self._calendar = Calendar(settings.budget_zone)
        self._rows: dict[tuple[str, str, str, str], list[int]] = {}
        self._timer: asyncio.TimerHandle | None = None
        self.follow(settings, client)

    def follow(self, settings: Settings, client: AsyncClient) -> None:
        """Hold requests that begin from now on to these limits and prices."""
        self._settings = settings
        self._prices = Prices(client, settings.assumed_output_tokens)
        self._units = {name: frozenset([limit.unit for limit in limits_for(settings, name)]) for name in settings.keys}

    async def begin(self, caller: str, request: RelayRequest, target: str, size: int) -> Bill:
        """Reserve what a request may need at most; as `Ledger.begin`.

        Raises:
            Refusal: A budget does not reach, a price is not known, or nothing can be noted.
        """
        need = await self._prices.need(request, target, size)
        self._calendar.look()
        units = self._units.get(caller)
        if not units:
            return Bill(self, caller, self._calendar.day, need)
        check_price(self._settings, units, need)
        asking = self._asking
        number, left = await asking.ask("reserve", ("settle", 0, 0, None), caller, need.dollars or 0, need.tokens)
        held = _Held(asking.link, number, need, left)
        bill = Bill(held, caller, self._calendar.day, need)
        bill.purse = bill.reservation = held
        return bill

    def used(self, row: Row) -> None:
        """Have counted what one request has used that reserved nothing."""
        sums = self._rows.setdefault(row[:4], [0, 0, 0, 0, 0, 0])
        for at, number in enumerate(row[4:]):
            sums[at] += number
        if self._timer is None:
            self._timer = self._loop.call_later(_SECONDS, self._send)

    async def close(self) -> None:
        """Send what waits."""
        if self._timer is not None:
            self._timer.cancel()
        self._send()

    def _send(self) -> None:
        rows, self._rows, self._timer = self._rows, {}, None
        if rows:
            self._asking.link.say("rows", [[*at, *numbers] for at, numbers in rows.items()])


class SentLog(AccessLog):
    """A log that the owner writes, so that lines of several processes stay whole wherever it leads to."""

    def __init__(self, loop: asyncio.AbstractEventLoop, link: Link) -> None:
        super().__init__("-", loop)
        self._link = link

    def write(self, text: bytes) -> None:
        """Send lines."""
        self._link.say("lines", text.decode("utf-8", "replace"))
