"""Base URLs: what stands in braces in them, and whether they are any."""

from __future__ import annotations

import re
from collections.abc import Callable

from ipfs_accel._suggest import short
from ipfs_accel._url import masked_url, origin_of, parts_of
from ipfs_accel.errors import ConfigError

__all__ = ["check_place", "checked_url", "filled", "usual_place"]

_BRACES = re.compile(r"\{(\w+)\}")
_VISIBLE = re.compile(r"[^\s\\\x00-\x1f\x7f]+")
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
                f"{what}: {found[1]}: {short(value)} cannot stand in the URL {masked_url(url)}",
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
    check_place(url, what)
    if "?" in url or "#" in url:
        raise ConfigError(f"{what}: a base URL has no query and no fragment")
    return url.rstrip("/")


def check_place(url: str, what: str) -> None:
    """Check that a URL leads somewhere, and has no credentials in it, which are never shown.

    Raises:
        ConfigError: It does not, or has.
    """
    shown = masked_url(url)
    if shown != url:
        raise ConfigError(
            f"{what}: credentials do not belong into a URL, where they would be shown ({shown})",
            hint="a user name and password go beside it, as a header of the endpoint: headers = { Authorization = "
            '"Basic …" }, where … is base64 of user:password; a key by key_env or: ipfs-accel keys set',
        )
    parts = parts_of(url)
    if parts is None or parts.scheme not in {"http", "https"} or not _VISIBLE.fullmatch(url):
        raise ConfigError(f"{what}: {shown!r} is not an http:// or https:// URL", hint=_in_form(url))


def _in_form(url: str) -> str:
    """Say what a base URL looks like, by what was given if only its scheme is missing."""
    meant = f"http://{url}"
    is_bare = "://" not in url and "@" not in url and parts_of(meant) is not None and _VISIBLE.fullmatch(url)
    return f"write {meant}" if is_bare else "write it like http://127.0.0.1:8080 or https://api.example.com/v1"
