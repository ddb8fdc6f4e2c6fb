"""What a service tells systemd, by the protocol of sd_notify(3); nothing where nobody listens."""

from __future__ import annotations

import os
import socket
import time

__all__ = ["notify", "reloading"]


def notify(*lines: str) -> None:
    """Send lines such as `READY=1` to the socket that the environment names, if it names one.

    That nobody takes them is no reason to serve nobody.
    """
    address = os.environ.get("NOTIFY_SOCKET", "")
    if not address.startswith(("/", "@")) or not hasattr(socket, "AF_UNIX"):
        return
    if address.startswith("@"):  # in the abstract namespace, which the protocol writes so
        address = "\0" + address[1:]
    try:
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as sender:
            sender.setblocking(False)
            sender.sendto("\n".join(lines).encode(), address)
    except OSError:
        return


def reloading() -> None:
    """Tell that the configuration is read anew, as services of `Type=notify-reload` do; READY=1 ends it."""
    notify("RELOADING=1", f"MONOTONIC_USEC={time.monotonic_ns() // 1000}")
