"""What a call is on its way over targets and attempts."""

from __future__ import annotations

import attrs

from ipfs_accel.types import Tried

__all__ = ["Journey"]


@attrs.define(eq=False)
class Journey:
    """What all targets and attempts of a call share.

    Attributes:
        started: When the caller called.
        deadline: When it has to be over; None is no limit.
        tried: The attempts that failed.
        waited: Seconds between attempts.
        queued: Seconds before the limits of endpoints.
    """

    started: float
    deadline: float | None
    tried: list[Tried] = attrs.field(factory=list)
    waited: float = 0.0
    queued: float = 0.0

    @property
    def limit(self) -> float | None:
        """The seconds that were set for all of it; None is no limit."""
        return None if self.deadline is None else self.deadline - self.started
