"""Whether a gateway serves, ends, or is over; and what it tells of that to whoever keeps an eye on it."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from ._reply import JSON

if TYPE_CHECKING:
    from collections.abc import Iterable

    from ipfs_accel import AsyncClient, EndpointState

    from ._reply import Headers

__all__ = ["LIVE", "READY", "Health", "Life"]

LIVE, READY = "/health/live", "/health/ready"
_SECONDS = 1.0
"""For how long an answer of `/health/ready` holds: anybody may ask, as often as they like."""
_DOWN = {"open", "isolated"}


class Life:
    """What all parts of one gateway know of its life.

    Attributes:
        is_draining: Whether it takes no more requests.
        is_over: Whether what is still being answered is broken off.
    """

    __slots__ = ("is_draining", "is_over")

    def __init__(self) -> None:
        self.is_draining = self.is_over = False


class Health:
    """Answers without a key, without a call and without saying more than one word.

    Args:
        life: Of the gateway.
        client: Of the core.
        endpoints: Names of those that may be asked.
    """

    def __init__(self, life: Life, client: AsyncClient, endpoints: Iterable[str]) -> None:
        self._life = life
        self._client = client
        self._endpoints = tuple(endpoints)
        self._until = 0.0
        self._could = True

    def answer(self, path: str) -> tuple[int, Headers, bytes]:
        """Return status, headers and body for `/health/live` or `/health/ready`."""
        if path == LIVE or (not self._life.is_draining and self._could_serve()):
            return 200, (JSON,), b'{"status":"ok"}'
        return 503, (JSON,), b'{"status":"unavailable"}'

    def _could_serve(self) -> bool:
        now = time.monotonic()
        if now >= self._until:
            self._until = now + _SECONDS
            states = self._client.states()
            self._could = any(name not in states or _is_up(states[name]) for name in self._endpoints)
        return self._could


def _is_up(state: EndpointState) -> bool:
    """Whether an endpoint could serve, as far as the calls so far tell."""
    breakers = state.breakers.values()
    is_down = bool(breakers) and all(each.state in _DOWN for each in breakers)
    return not (state.is_isolated or state.lacks_key or is_down)
