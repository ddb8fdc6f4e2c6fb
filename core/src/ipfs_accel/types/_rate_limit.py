"""What servers say of their limits."""

from __future__ import annotations

from ipfs_accel._values import frozen


@frozen(kw_only=True)
class RateLimit:
    """What a server says of one of its limits; None where it does not.

    Attributes:
        limit: How much there is.
        remaining: What is left of it.
        reset: Seconds, from the answer on, until it is whole again.
    """

    limit: float | None = None
    remaining: float | None = None
    reset: float | None = None
