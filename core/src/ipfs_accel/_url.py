"""Where URLs lead."""

from __future__ import annotations

import re
from urllib.parse import urlsplit

__all__ = ["is_here", "origin_of", "site_of"]

_LOOPBACK = re.compile(r"127(\.\d{1,3}){3}", re.ASCII)
_USUAL_PORTS = {"http": ":80", "https": ":443"}


def is_here(url: str) -> bool:
    """Whether a URL leads to this machine."""
    host = (urlsplit(url).hostname or "").removesuffix(".")
    if ":" in host:
        return _is_loopback(host)
    return host == "localhost" or host.endswith(".localhost") or _LOOPBACK.fullmatch(host) is not None


def _is_loopback(host: str) -> bool:
    from ipaddress import IPv6Address  # noqa: PLC0415 - few URLs have one

    try:
        address = IPv6Address(host)
    except ValueError:
        return False
    return (address.ipv4_mapped or address).is_loopback


def origin_of(url: str) -> str:
    """Return scheme, host and port of a URL, without the scheme's usual port; empty for an empty URL."""
    parts = urlsplit(url)
    host = parts.netloc.lower().removesuffix(":").removesuffix(_USUAL_PORTS.get(parts.scheme, ""))
    return f"{parts.scheme}://{host}" if url else ""


def site_of(url: str) -> str:
    """Return the last two labels of a URL's host, which the regions of one provider have in common."""
    host = (urlsplit(url).hostname or "").removesuffix(".")
    return ".".join(host.split(".")[-2:])
