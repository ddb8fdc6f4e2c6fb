"""What a test did not prepare for."""

from __future__ import annotations

from ipfs_accel.errors import AccelError

__all__ = ["UnexpectedCallError"]


class UnexpectedCallError(AccelError, AssertionError):
    """A call came for which the script or the recording of a test has nothing.

    It is the test's and no server's: it is not tried again and no fallback takes it, and pytest tells it as a failed
    assertion.
    """
