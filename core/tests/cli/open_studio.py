"""The backend of the command line's tests whose users may also send requests of their own."""

from __future__ import annotations

from ipfs_accel.wire.raw import RawRequests

from .studio import Studio


class OpenStudio(Studio, RawRequests):
    """Takes any request."""
