"""Proxies that the environment names, which nothing here reads: a hint where no connection can be made."""

from __future__ import annotations

from collections.abc import Mapping
from urllib.parse import urlsplit

__all__ = ["unread_proxy"]


def unread_proxy(environ: Mapping[str, str], url: str) -> str | None:
    """Return a hint if other programs would go to a server through a proxy; names the variable, never its value."""
    parts = urlsplit(url)
    if _is_excepted(environ, parts.hostname or ""):
        return None
    names = (f"{parts.scheme}_proxy", "all_proxy")
    set_ones = [each for name in names for each in (name.upper(), name) if environ.get(each)]
    if not set_ones:
        return None
    return (
        f"{set_ones[0]} is set, and is not read: for a proxy set "
        'proxy = "http://HOST:PORT" in the configuration, or the variable IPFS_ACCEL_PROXY'
    )


def _is_excepted(environ: Mapping[str, str], host: str) -> bool:
    listed = environ.get("no_proxy") or environ.get("NO_PROXY") or ""
    names = [each.strip().lstrip(".").lower() for each in listed.split(",")]
    return any(name in {"*", host} or host.endswith(f".{name}") for name in names if name)
