"""What all targets and attempts of a call share."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ipfs_accel.types import Tried

if TYPE_CHECKING:
    from ipfs_accel._resilience.places import Place

__all__ = ["Journey"]


class Journey:
    """What all targets and attempts of a call share.

    Attributes:
        started: When the caller called.
        deadline: When it has to be over; None is no limit.
        limit: The seconds that were set for all of it; None is no limit.
        may_leave: Whether another target is asked if nothing listens at this one.
        place: The call's on its way to a target that was chosen by how busy it is; None once it counts there.
        tried: The attempts that failed.
        waited: Seconds between attempts.
        queued: Seconds before the limits of endpoints.
    """

    __slots__ = ("deadline", "limit", "may_leave", "place", "queued", "started", "tried", "waited")

    def __init__(self, started: float, deadline: float | None, place: Place | None = None) -> None:
        self.started = started
        self.deadline = deadline
        self.limit = None if deadline is None else deadline - started
        self.may_leave = False
        self.place = place
        self.tried: list[Tried] = []
        self.waited = 0.0
        self.queued = 0.0

    def branch(self, now: float) -> Journey:
        """Return the way of one of several calls that this one is made of; the first has the place."""
        own = Journey(now, self.deadline, self.place)
        self.place = None
        own.limit, own.may_leave = self.limit, self.may_leave
        own.tried, own.waited = list(self.tried), self.waited
        return own
