"""Base URLs: what stands in braces in them, and whether they are any."""

from __future__ import annotations

import re
from collections.abc import Callable
from urllib.parse import urlsplit

from ipfs_accel._suggest import short
from ipfs_accel._url import origin_of
from ipfs_accel.errors import ConfigError

__all__ = ["checked_url", "filled", "usual_place"]

_BRACES = re.compile(r"\{(\w+)\}")
_VALUE = re.compile(r"[A-Za-z0-9][\w.-]*(?::\d{1,5})?", re.ASCII)


def filled(url: str, said: Callable[[str], str], what: str) -> str:
    """Put in what stands in braces; a host may be given as a URL.

    Raises:
        ConfigError: A value would change more of the URL than its place.
    """

    def put(found: re.Match[str]) -> str:
        value = said(found[1])
        bare = value.removeprefix("https://").rstrip("/")
        if not _VALUE.fullmatch(bare):
            raise ConfigError(
                f"{what}: {found[1]}: {short(value)} cannot stand in the URL {url}",
                hint="letters, digits, dots and hyphens can",
            )
        return bare

    return _BRACES.sub(put, url)


def usual_place(url: str, said: Callable[[str], str | None]) -> str:
    """Return a provider's usual base URL, or nothing if its host is not known."""
    if "{" not in url:
        return url

    def put(found: re.Match[str]) -> str:
        value = said(found[1])
        return found[0] if value is None else value.removeprefix("https://").rstrip("/")

    place = _BRACES.sub(put, url)
    return "" if "{" in origin_of(place) else place


def checked_url(url: str, what: str) -> str:
    """Return a base URL without its last slash.

    Raises:
        ConfigError: It is none, or has something that does not belong into one.
    """
    if not url:
        return ""
    parts = urlsplit(url)
    try:
        port_is_valid = parts.port is None or parts.port > 0
    except ValueError:
        port_is_valid = False
    if parts.scheme not in {"http", "https"} or not parts.hostname or not port_is_valid or not url.isprintable():
        raise ConfigError(f"{what}: {url!r} is not an http:// or https:// URL")
    if parts.username or parts.password:
        raise ConfigError(f"{what}: credentials do not belong into a URL", hint="use key_env or: ipfs-accel keys set")
    if parts.query or parts.fragment:
        raise ConfigError(f"{what}: a base URL has no query and no fragment")
    return url.rstrip("/")
