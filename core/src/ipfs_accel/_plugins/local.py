"""Servers that people run on their own machine: whether one is there, and what to do if not."""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import urlsplit

if TYPE_CHECKING:
    from ipfs_accel.hookspecs import LocalServer

__all__ = ["LocalState", "advice", "look"]

CONNECT_SECONDS = 0.5
_PORTS = {"http": 80, "https": 443}


class LocalState:
    """How a server of this machine is.

    Attributes:
        listens: Whether something accepts connections at its address.
        program: Path of its executable, if one is found.
        advice: What to do if it does not listen.
    """

    __slots__ = ("advice", "listens", "program")

    def __init__(self, *, listens: bool, program: str | None, advice: str | None) -> None:
        self.listens = listens
        self.program = program
        self.advice = advice


def look(local: LocalServer, url: str) -> LocalState:
    """Find the server or its executable; sends nothing."""
    import shutil  # noqa: PLC0415 - only the examination of an installation needs it
    import socket  # noqa: PLC0415 - as above

    parts = urlsplit(url)
    try:
        socket.create_connection((parts.hostname, parts.port or _PORTS[parts.scheme]), CONNECT_SECONDS).close()
    except OSError:
        program = shutil.which(local.program)
        return LocalState(listens=False, program=program, advice=advice(local, is_installed=program is not None))
    return LocalState(listens=True, program=shutil.which(local.program), advice=None)


def advice(local: LocalServer, *, is_installed: bool | None = None) -> str:
    """Say how to come to a server; None means that nobody looked whether it is installed."""
    start, install = f"start it: {local.start}", f"install it from {local.install}" if local.install else ""
    ways = [way for way, applies in ((start, is_installed is not False), (install, not is_installed)) if applies]
    return ", or ".join([way for way in (*ways, local.otherwise) if way])
