"""The link to the console, for whoever sees what the gateway prints."""

from __future__ import annotations

import asyncio
import contextlib
import signal
import sys
from typing import Protocol

from .doors import TICKET_SECONDS

__all__ = ["tell_link", "tell_links_on_signal"]


class _Linked(Protocol):
    def console_link(self) -> str | None: ...


def tell_link(gateway: _Linked) -> None:
    """Print a link to stderr, if there is a console."""
    link = gateway.console_link()
    if link is not None:
        sys.stderr.write(f"console, once and within {TICKET_SECONDS / 60:.0f} minutes, at {link}\n")
        sys.stderr.flush()


def tell_links_on_signal(gateway: _Linked) -> None:
    """Print another one whenever SIGUSR1 comes; for the running loop. Windows has no such signal."""
    with contextlib.suppress(NotImplementedError, AttributeError):
        asyncio.get_running_loop().add_signal_handler(signal.SIGUSR1, tell_link, gateway)
