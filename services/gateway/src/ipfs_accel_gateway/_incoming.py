"""A request as it came."""

from __future__ import annotations

from typing import Any

__all__ = ["Incoming"]


class Incoming:
    """A request.

    Attributes:
        method: In upper case.
        path: Without the query, as it came.
        query: What follows the question mark; empty if there is none.
        headers: Names in lower case to values, but for the length; of several with one name the values are joined by
            commas.
        body: As it came over the wire, after its framing.
        keeps: Whether the connection may serve another request.
        is_old: Whether it is one of HTTP/1.0, which knows no chunks.
        noted: What was found out from its head, by whom; those that have the same head, byte for byte, share it.
    """

    __slots__ = ("body", "headers", "is_old", "keeps", "method", "noted", "path", "query")

    def __init__(
        self,
        method: str,
        url: str,
        headers: dict[str, str],
        body: bytes = b"",
        *,
        keeps: bool = True,
        is_old: bool = False,
    ) -> None:
        self.method = method
        if url[:1] != "/":
            url = _below_origin(url, headers)
        self.path, _, self.query = url.partition("?")
        self.headers = headers
        self.body = body
        self.keeps = keeps
        self.is_old = is_old
        self.noted: dict[Any, Any] = {}

    def again(self, body: bytes) -> Incoming:
        """Return the same request with another body."""
        new = Incoming.__new__(Incoming)
        new.method, new.path, new.query, new.headers = self.method, self.path, self.query, self.headers
        new.keeps, new.is_old, new.noted, new.body = self.keeps, self.is_old, self.noted, body
        return new

    def __repr__(self) -> str:
        return f"Incoming({self.method} {self.path}, <{', '.join(self.headers)}>, <{len(self.body)} bytes>)"


def _below_origin(url: str, headers: dict[str, str]) -> str:
    """Return what follows the origin of a target that names one, which then goes before the header."""
    scheme, slashes, rest = url.partition("://")
    if not slashes or scheme.lower() not in {"http", "https"}:
        return url
    end = next((at for at, letter in enumerate(rest) if letter in "/?"), len(rest))
    headers["host"] = rest[:end]
    return rest[end:] if rest[end : end + 1] == "/" else f"/{rest[end:]}"
