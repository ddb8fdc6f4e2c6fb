"""Where URLs lead."""

from __future__ import annotations

import re
from urllib.parse import SplitResult, urlsplit

__all__ = ["is_here", "masked_url", "origin_of", "parts_of", "site_of"]

_LOOPBACK = re.compile(r"127(\.\d{1,3}){3}", re.ASCII)
_CREDENTIALS = re.compile(r"(?<=://)\S*@|^(?!\w+://)[^/@:\s]+:\S*@")
_USUAL_PORTS = {"http": ":80", "https": ":443"}


def parts_of(url: str) -> SplitResult | None:
    """Return the parts of a URL; None if it has no scheme, host or port that can be one."""
    try:
        parts = urlsplit(url)
        is_one = parts.scheme and parts.hostname and parts.port != 0
    except ValueError:
        return None
    return parts if is_one else None


def masked_url(url: str) -> str:
    """Return a URL, with or without a scheme, with `***` for the user name and password in it; any other text as it is.

    Where it cannot be told how far they go, all is masked that may be theirs.
    """
    parts = parts_of(url) if "@" in url else None
    if parts is None:
        return _CREDENTIALS.sub("***@", url)
    _, separator, host = parts.netloc.rpartition("@")
    return url.replace(parts.netloc, f"***@{host}", 1) if separator else url


def is_here(url: str) -> bool:
    """Whether a URL leads to this machine."""
    parts = parts_of(url)
    host = "" if parts is None else (parts.hostname or "").removesuffix(".")
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
    """Return scheme, host and port of a URL, without the scheme's usual port; empty for one that leads nowhere."""
    try:
        parts = urlsplit(url)
    except ValueError:
        return ""
    host = parts.netloc.lower().removesuffix(":").removesuffix(_USUAL_PORTS.get(parts.scheme, ""))
    return f"{parts.scheme}://{host}" if url else ""


def site_of(url: str) -> str:
    """Return the last two labels of a URL's host, which the regions of one provider have in common."""
    host = (urlsplit(url).hostname or "").removesuffix(".")
    return ".".join(host.split(".")[-2:])
