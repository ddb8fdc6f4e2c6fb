"""What one worker holds of limits and budgets, as their owner has it; given back whatever becomes of the worker."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

from ._errors import Refusal
from ._spend import Row

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from ._budgets import Reservation
    from ._callers import Caller, Ticket
    from ._ledger import Ledger

__all__ = ["Holdings", "Owning"]


class Owning(Protocol):
    """Whoever has limits and budgets."""

    def caller(self, name: str) -> Caller | None:
        """Return the owner of a key, with its limits."""

    @property
    def ledger(self) -> Ledger | None:
        """Where is counted what is spent."""


class _Held(NamedTuple):
    """What was reserved for one request."""

    ledger: Ledger
    reservation: Reservation
    caller: str
    dollars: int
    tokens: int


class Holdings:
    """What requests of one worker have taken, each by its number.

    Args:
        owner: Of the limits.
        say: Sends the worker a message.
    """

    def __init__(self, owner: Owning, say: Callable[..., None]) -> None:
        self._owner = owner
        self._say = say
        self._tickets: dict[int, Ticket] = {}
        self._held: dict[int, _Held] = {}
        self._assuring: set[asyncio.Task[None]] = set()
        self.heard: Mapping[str, Callable[..., object]] = {
            "enter": self._enter,
            "leave": self._leave,
            "reserve": self._reserve,
            "settle": self._settle,
            "rows": self._rows,
        }

    def __len__(self) -> int:
        return len(self._tickets) + len(self._held)

    def release(self) -> None:
        """Give back what a worker held that is gone; what it had reserved counts as spent, as after a kill."""
        for ticket in self._tickets.values():
            ticket.settle(None)
        for held in self._held.values():
            held.reservation.settle(held.dollars, held.tokens)
            held.ledger.used(held.ledger.lost(held.caller, held.dollars, held.tokens))
        self._tickets.clear()
        self._held.clear()

    def _enter(self, number: int, name: str, tokens: float) -> None:
        caller = self._owner.caller(name)
        if caller is None:  # its worker has yet to hear that there is no such key any more
            self._refuse(number, Refusal(401, "authentication", "this key is no longer good"))
            return
        try:
            self._tickets[number] = caller.enter(lambda: tokens)
        except Refusal as refusal:
            self._refuse(number, refusal)
        else:
            self._say("granted", number, None)

    def _leave(self, number: int, tokens: float | None) -> None:
        ticket = self._tickets.pop(number, None)
        if ticket is not None:
            ticket.settle(tokens)

    def _reserve(self, number: int, name: str, dollars: int, tokens: int) -> None:
        ledger = self._owner.ledger
        try:
            found = None if ledger is None else ledger.reserve(name, dollars, tokens)
        except Refusal as refusal:
            self._refuse(number, refusal)
            return
        if ledger is None or found is None:  # the key has no budget any more
            self._say("granted", number, {})
            return
        purse, reservation = found
        self._held[number] = _Held(ledger, reservation, name, dollars, tokens)
        if reservation.is_sure:
            self._say("granted", number, purse.left())
            return

        async def assure() -> None:
            try:
                await ledger.assured(purse, reservation)
            except Refusal as refusal:
                if self._held.pop(number, None) is not None:
                    ledger.used(None)
                self._refuse(number, refusal)
            else:
                self._say("granted", number, purse.left())

        task = asyncio.ensure_future(assure())
        self._assuring.add(task)
        task.add_done_callback(self._assuring.discard)

    def _settle(self, number: int, dollars: int, tokens: int, row: Sequence[Any] | None) -> None:
        held = self._held.pop(number, None)
        if held is not None:
            held.reservation.settle(dollars, tokens)
            held.ledger.used(None if row is None else Row(*row))
        elif row is not None:
            self._rows([row])

    def _rows(self, rows: Sequence[Sequence[Any]]) -> None:
        ledger = self._owner.ledger
        if ledger is not None:
            for row in rows:
                ledger.add(Row(*row))

    def _refuse(self, number: int, refusal: Refusal) -> None:
        why = (refusal.status, refusal.kind, refusal.message)
        self._say("refused", number, why, refusal.code, refusal.retry_after)
