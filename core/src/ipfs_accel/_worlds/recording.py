"""What may stand between a client and the network: a recording of what went over it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from ipfs_accel._http import AsyncTransport, Transport

__all__ = ["Recording"]


class Recording(Protocol):
    """A recording, as a client sees it; `ipfs_accel.testing.Recorded` is one."""

    @property
    def replays(self) -> bool:
        """Whether it answers by itself, so that nothing is sent, no key is needed and no wait before a retry helps."""
        ...

    def key_goes_into(self, header: str, /) -> None:
        """Hear of a header that holds a key."""
        ...

    def around(self, transport: Transport, /) -> Transport:
        """Return what takes the place of a transport."""
        ...

    def around_async(self, transport: AsyncTransport, /) -> AsyncTransport:
        """Likewise, awaited."""
        ...
