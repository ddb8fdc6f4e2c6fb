"""What callers spend: reserved before anybody is asked, settled after, and in a file that survives the process."""

from __future__ import annotations

import asyncio
import logging
import sqlite3
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING

from ._bills import Bill
from ._budgets import Book, Calendar, Count, Place, Purse, Reservation
from ._errors import Refusal
from ._prices import Prices, check_price
from ._spend import Row, Store

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ipfs_accel import AsyncClient
    from ipfs_accel.types import RelayRequest

    from ._budgets import Limit
    from ._settings import Settings

__all__ = ["Ledger", "spend_path"]

_log = logging.getLogger("ipfs_accel_gateway")
_SECONDS = 1.0
"""For how long what was used waits before it is written; what budgets hold never waits."""
_PATIENCE = 1.0
_STEP = 0.01


def spend_path(settings: Settings) -> Path | None:
    """Return the file in which what is spent is kept; None where there is neither one nor a budget."""
    if settings.spend_file is not None:
        return Path(settings.spend_file).expanduser()
    if not settings.has_budgets:
        return None
    from ipfs_accel.commands import data_dir  # noqa: PLC0415 - it loads what commands need

    return data_dir() / "gateway" / "spend.sqlite3"


class Ledger:
    """Counts what the keys of one gateway spend; for the tasks of one loop.

    Args:
        settings: Of the gateway.
        client: Of the core, which knows prices.
        store: The file, which is closed with this.
        calendar: Says which day it is.
    """

    def __init__(self, settings: Settings, client: AsyncClient, store: Store, calendar: Calendar | None = None) -> None:
        self._store = store
        self._loop = asyncio.get_running_loop()
        self._thread = ThreadPoolExecutor(1, "spend")
        self._calendar = Calendar(settings.budget_zone) if calendar is None else calendar
        self._book = Book(self._calendar, self._known)
        self.follow(settings, client)
        self._rows: dict[tuple[str, str, str, str], list[int]] = {}
        self._leaving: dict[tuple[str, str, str, str], list[int]] = {}
        self._wanting: dict[Reservation, Purse] = {}
        self._raising: asyncio.Task[Exception | None] | None = None
        self._flushing: asyncio.Task[Exception | None] | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._ending: asyncio.Task[None] | None = None
        self._open = 0
        self._has_failed = False
        if store.was_killed:
            self._count_what_was_lost()

    def follow(self, settings: Settings, client: AsyncClient) -> None:
        """Hold requests that begin from now on to these limits and prices; what is spent and reserved stays."""
        self._settings = settings
        self._prices = Prices(client, settings.assumed_output_tokens)
        self._groups = {
            name: [key for key, each in settings.keys.items() if each.group == name] for name in settings.groups
        }
        self._purses = {name: Purse.of(self._book, name, settings) for name in settings.keys}

    @classmethod
    def opened(cls, settings: Settings, client: AsyncClient) -> Ledger | None:
        """Open the file, if there is something to count in it.

        Raises:
            ConfigError: The file cannot be used.
        """
        path = spend_path(settings)
        if path is None:
            return None
        store = Store(path)
        try:
            return cls(settings, client, store)
        except BaseException:
            store.close(is_settled=False)
            raise

    async def begin(self, caller: str, request: RelayRequest, target: str, size: int) -> Bill:
        """Reserve what a request may need at most; once this returns, it may be sent.

        Args:
            caller: Name of the key.
            request: As it came.
            target: What the client is asked for.
            size: Bytes of the body.

        Raises:
            Refusal: A budget does not reach, a price is not known, or nothing can be noted.
        """
        need = await self._prices.need(request, target, size)
        purse = self._purses.get(caller)
        self._calendar.look()
        bill = Bill(self, caller, self._calendar.day, need)
        if purse is not None:
            check_price(self._settings, purse.units, need)
            reservation = purse.reserve(need.dollars or 0, need.tokens)
            bill.purse, bill.reservation = purse, reservation
            await self.assured(purse, reservation)
        self._open += 1
        return bill

    def reserve(self, caller: str, dollars: int, tokens: int) -> tuple[Purse, Reservation] | None:
        """Reserve what a request in another process may need at most; None where nothing limits the key.

        Raises:
            Refusal: A budget does not reach.
        """
        purse = self._purses.get(caller)
        self._calendar.look()
        if purse is None:
            return None
        reservation = purse.reserve(dollars, tokens)
        self._open += 1
        return purse, reservation

    async def assured(self, purse: Purse, reservation: Reservation) -> None:
        """Wait until the file holds what was reserved for spent, or give it back.

        Raises:
            Refusal: Nothing can be noted.
        """
        if reservation.is_sure:
            return
        try:
            await self._assure(purse, reservation)
        except BaseException:
            reservation.settle(0, 0)
            self._soon()
            raise

    def lost(self, caller: str, dollars: int, tokens: int) -> Row:
        """Return what is counted of a request whose process is gone, as after a kill."""
        return Row(self._calendar.day, caller, "", "", 0, tokens, 0, dollars, 0, 0)

    def used(self, row: Row | None) -> None:
        """Count what one request has used; None is nothing, of nobody."""
        self._open -= 1
        if row is None:
            self._soon()
        else:
            self.add(row)

    def add(self, row: Row) -> None:
        """Count what was used."""
        self._soon()
        sums = self._rows.setdefault(row[:4], [0, 0, 0, 0, 0, 0])
        for at, number in enumerate(row[4:]):
            sums[at] += number

    def levels(self, caller: str) -> list[tuple[Limit, Count]]:
        """Return the budgets of a key and of its group, with what is spent of each."""
        purse = self._purses.get(caller)
        return [] if purse is None else purse.levels()

    async def close(self) -> None:
        """Write what waits, and close the file. What is under way then counts as spent."""
        if self._ending is None:
            self._ending = self._loop.create_task(self._end())
        await asyncio.shield(self._ending)

    async def _assure(self, purse: Purse, reservation: Reservation) -> None:
        """Wait until the file says that what was reserved is spent; those that wait together are written together."""
        while not reservation.is_sure:
            self._wanting[reservation] = purse
            if self._raising is None:
                self._raising = self._loop.create_task(self._raise())
            error = await asyncio.shield(self._raising)
            if error is not None:
                raise Refusal(503, "overloaded", "what is spent cannot be noted at present", retry_after=_SECONDS)

    async def _raise(self) -> Exception | None:
        wanting, self._wanting = self._wanting, {}
        # What was reserved before midnight is no longer among what its purse limits.
        counts = {count: count.total for reservation in wanting for count, _, _ in reservation.shares}
        counts |= dict([each for purse in wanting.values() for each in purse.ahead()])
        amounts = {count: upto for count, upto in counts.items() if count.sure < count.total}
        try:
            return await self._write([*amounts.items()], ())
        finally:
            self._raising = None
            self._soon()  # those who waited may have left, and the file then says too much

    def _soon(self) -> None:
        if self._timer is None and self._ending is None:
            self._timer = self._loop.call_later(_SECONDS, self._flush)

    def _flush(self) -> None:
        self._timer = None
        self._flushing = self._loop.create_task(self._settle())

    async def _settle(self) -> Exception | None:
        """Write what was used, and what is spent in truth where nothing is reserved any more, or more than was held."""
        rows, self._rows = self._rows, {}
        self._leaving = rows
        wrong = [count for count in self._book.unsettled() if not count.reserved or count.sure < count.total]
        error = await self._write([(count, count.total) for count in wrong], [Row(*at, *n) for at, n in rows.items()])
        self._leaving = {}
        if error is None:
            self._has_failed = False
        else:
            for at, numbers in rows.items():
                sums = self._rows.setdefault(at, [0, 0, 0, 0, 0, 0])
                sums[:] = [one + other for one, other in zip(sums, numbers, strict=True)]
        if self._rows or self._book.unsettled():
            self._soon()
        return error

    async def _write(self, amounts: Sequence[tuple[Count, int]], rows: Sequence[Row]) -> Exception | None:
        if not amounts and not rows:
            return None
        places: list[tuple[Place, int]] = [(count.place, amount) for count, amount in amounts]
        arrived = [count.written(amount) for count, amount in amounts]
        try:
            await self._loop.run_in_executor(self._thread, self._store.write, places, rows)
        except sqlite3.Error as error:
            if not self._has_failed:
                _log.error("gateway.spend_file: cannot write %s: %s", self._store.path, error)
            self._has_failed = True
            return error
        for note in arrived:
            note()
        return None

    async def _end(self) -> None:
        until = self._loop.time() + _PATIENCE
        while self._open and self._loop.time() < until:  # noqa: ASYNC110 - those that were broken off settle at once
            await asyncio.sleep(_STEP)
        if self._timer is not None:
            self._timer.cancel()
        for task in (self._raising, self._flushing):
            if task is not None:
                await task
        error = await self._settle()
        self._thread.shutdown()
        self._store.close(is_settled=error is None and not self._open)

    def _known(self, place: Place) -> int | None:
        """Return what is spent at a place: of what was never limited before, what its keys have used."""
        scope, period, unit = place
        counted = self._store.counted(place) or 0
        kind, _, name = scope.partition(":")
        keys = [name] if kind == "key" else self._groups.get(name, [])
        waiting = sum(
            [
                numbers[3] if unit == "dollars" else numbers[1] + numbers[2]
                for rows in (self._rows, self._leaving)
                for (day, key, _, _), numbers in rows.items()
                if key in keys and day.startswith(period)
            ]
        )
        return max(counted, self._store.used(keys, period, unit) + waiting)

    def _count_what_was_lost(self) -> None:
        """Put what a killed gateway held for spent into the table by model, without one: its sums are then the same."""
        for name in self._purses:
            for period, unit, amount in self._store.held(f"key:{name}"):
                lost = amount - self._store.used([name], period, unit)
                if lost > 0:
                    day = self._calendar.day if self._calendar.day.startswith(period) else f"{period}-01"[:10]
                    tokens, dollars = (0, lost) if unit == "dollars" else (lost, 0)
                    self._store.write((), [Row(day, name, "", "", 0, tokens, 0, dollars, 0, 0)])
