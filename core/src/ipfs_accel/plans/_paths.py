"""Paths that a caller gives, which have to stay below the place that the key is for."""

from __future__ import annotations

import re
from urllib.parse import parse_qsl, unquote

from ipfs_accel.errors import InvalidRequestError

from ._http import Pairs

__all__ = ["below_base"]

# RFC 3986: a path is made of these, and of bytes written as two hexadecimal digits each.
_PATH = re.compile(r"/(?:[A-Za-z0-9._~!$&'()*+,;=:@/-]|%[0-9A-Fa-f]{2})*")
_APART = re.compile(r"[/\\]")
_ROUNDS = 8
_SHOWN = 120


def below_base(path: str) -> tuple[str, Pairs]:
    """Return a caller's path without its query, and the query, if that path cannot leave what it is put behind.

    Servers and what stands before them read paths in different ways: some decode them twice, take a backslash for a
    slash, or leave out what follows a semicolon. A path is refused if it would go up in any of these.

    Raises:
        InvalidRequestError: It would, or is no path.
    """
    path, _, query = path.partition("?")
    if not path.startswith("/") or path.startswith("//"):
        raise _refused(path, "it has to begin with one slash, and goes below the endpoint's base URL, nowhere else")
    if not _PATH.fullmatch(path):
        raise _refused(path, "it has characters that no path may hold; urllib.parse.quote writes them in another way")
    decoded = _decoded(path)
    if not decoded.isprintable():
        raise _refused(path, "it has control characters in it")
    if any(each.partition(";")[0].strip() in {".", ".."} for each in _APART.split(decoded)):
        raise _refused(path, "it would lead out of where it begins")
    return path, tuple(parse_qsl(query, keep_blank_values=True))


def _decoded(path: str) -> str:
    """Return a path as whoever decodes it as often as it can be would read it."""
    for _ in range(_ROUNDS):
        decoded = unquote(path)
        if decoded == path:
            return path
        path = decoded
    raise _refused(path, "it is encoded over and over")


def _refused(path: str, why: str) -> InvalidRequestError:
    return InvalidRequestError(f"path: {path[:_SHOWN]!r} cannot be asked for: {why}")
