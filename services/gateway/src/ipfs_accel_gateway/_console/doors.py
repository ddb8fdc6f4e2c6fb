"""Who may look at the console: tickets, each good once and for some minutes, and sessions, for which they are given.

Both are long and random. Their hashes alone are kept, and looked up, so that how long a look takes tells nothing of
them. All is in memory: a gateway that was started anew knows nobody.
"""

from __future__ import annotations

import hashlib
import secrets
import time
from collections.abc import Callable

__all__ = ["SESSION_SECONDS", "TICKET_SECONDS", "Doors"]

TICKET_SECONDS = 600.0
SESSION_SECONDS = 12 * 3600.0
_BYTES = 32
_MOST_TICKETS = 8
_MOST_SESSIONS = 32


class Doors:
    """Tickets and sessions.

    Args:
        now: Seconds by some clock.
    """

    def __init__(self, now: Callable[[], float] = time.monotonic) -> None:
        self._now = now
        self._tickets: dict[bytes, float] = {}
        self._sessions: dict[bytes, float] = {}

    def ticket(self) -> str:
        """Return a new one; of many that nobody uses, the oldest are no longer good."""
        return self._made(self._tickets, TICKET_SECONDS, _MOST_TICKETS)

    def enter(self, ticket: str) -> str | None:
        """Return a session for a ticket, which is not good again; None if it was not."""
        until = self._tickets.pop(_hash(ticket), 0.0)
        if until <= self._now():
            return None
        return self._made(self._sessions, SESSION_SECONDS, _MOST_SESSIONS)

    def knows(self, session: str) -> bool:
        """Whether a session has begun, and is not over."""
        return self._sessions.get(_hash(session), 0.0) > self._now()

    def _made(self, kept: dict[bytes, float], seconds: float, most: int) -> str:
        while len(kept) >= most:
            del kept[next(iter(kept))]
        made = secrets.token_urlsafe(_BYTES)
        kept[_hash(made)] = self._now() + seconds
        return made


def _hash(text: str) -> bytes:
    return hashlib.sha256(text.encode("utf-8", "surrogateescape")).digest()
