"""The choice of what speaks HTTP: this package, or the library that httpx or httpx2 is made of."""

from __future__ import annotations

import os

from ipfs_accel.errors import ConfigError

from .base import Proxy

__all__ = ["CHOSEN", "needs_library"]

CHOSEN = os.environ.get("IPFS_ACCEL_HTTP") or None
"""`httpx` or `httpx2` to have that library speak HTTP, None for this package."""

if CHOSEN not in {None, "httpx", "httpx2"}:
    raise ConfigError(f"IPFS_ACCEL_HTTP is {CHOSEN!r}; it may be httpx or httpx2, or not be set")


def needs_library(proxy: Proxy | None) -> bool:
    """Whether a connection is to be made by the library: SOCKS proxies it knows alone."""
    return CHOSEN is not None or (proxy is not None and proxy.is_socks)
