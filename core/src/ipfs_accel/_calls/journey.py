"""What all targets and attempts of a call share."""

from __future__ import annotations

from ipfs_accel.types import Tried

__all__ = ["Journey"]


class Journey:
    """What all targets and attempts of a call share.

    Attributes:
        started: When the caller called.
        deadline: When it has to be over; None is no limit.
        tried: The attempts that failed.
        waited: Seconds between attempts.
        queued: Seconds before the limits of endpoints.
    """

    __slots__ = ("deadline", "queued", "started", "tried", "waited")

    def __init__(
        self,
        started: float,
        deadline: float | None,
    ) -> None:
        self.started = started
        self.deadline = deadline
        self.tried: list[Tried] = []
        self.waited = 0.0
        self.queued = 0.0
