"""What a call is on its way over targets and attempts."""

from __future__ import annotations

from typing import TYPE_CHECKING

import attrs

from ipfs_accel.types import Tried

if TYPE_CHECKING:
    from ipfs_accel._resilience.places import Place

__all__ = ["Journey"]


@attrs.define(eq=False)
class Journey:
    """What all targets and attempts of a call share.

    Attributes:
        started: When the caller called.
        deadline: When it has to be over; None is no limit.
        place: The call's on its way to a target that was chosen by how busy it is; None once it counts there.
        tried: The attempts that failed.
        waited: Seconds between attempts.
        queued: Seconds before the limits of endpoints.
    """

    started: float
    deadline: float | None
    place: Place | None = None
    tried: list[Tried] = attrs.field(factory=list)
    waited: float = 0.0
    queued: float = 0.0

    @property
    def limit(self) -> float | None:
        """The seconds that were set for all of it; None is no limit."""
        return None if self.deadline is None else self.deadline - self.started
