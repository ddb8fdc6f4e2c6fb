"""A row on its way from the input to its line."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ipfs_accel.errors import InvalidRequestError

from . import rows
from .journal import Journal
from .plan import Plan, Shard
from .requests import Asked

__all__ = ["Row"]


class Row:
    """A row on its way.

    Attributes:
        id: Its own, or one made of it.
        field: Where it has its own; id if it has none.
        fault: Why it is not one, if it cannot be read.
        number: Its place in the input, from 1.
        place: Its place in the shard.
        rounds: How often it was asked for.
        tries: How often of these it may have been the row's own fault that it failed.
        since: The number of the asking, of all rows, with which it was first asked for.
        seen: That with which it was last asked for.
    """

    __slots__ = (
        "_value",
        "fault",
        "field",
        "id",
        "journal",
        "number",
        "place",
        "rounds",
        "seen",
        "shard",
        "since",
        "tries",
    )

    def __init__(self, shard: Shard, journal: Journal, place: int, record: bytes, plan: Plan) -> None:
        self.shard = shard
        self.journal = journal
        self.place = place
        self.number = shard.first + place
        self.rounds = self.tries = self.since = self.seen = 0
        self.fault: InvalidRequestError | None = None
        self._value: Any = None
        try:
            self._value = rows.read(record, plan.form, plan.header)
        except InvalidRequestError as error:
            self.fault = error
        field, self.id = rows.id_of(self._value, record, self.number)
        self.field = field or "id"

    def asked(self, ask: Callable[[Any], Asked]) -> Asked:
        """Return the model, the main argument and the options of its call.

        Raises:
            InvalidRequestError: It does not say what a call needs.
        """
        if self.fault is not None:
            raise self.fault
        return ask(self._value)
