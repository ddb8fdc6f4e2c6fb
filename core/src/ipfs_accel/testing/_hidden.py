"""Keys and other secrets, taken out of what is written down."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from urllib.parse import parse_qsl, quote, urlencode, urlsplit, urlunsplit

from ipfs_accel._secret import SECRET_NAME, secrets_in

__all__ = ["HIDDEN", "Hiding"]

HIDDEN = "***"

# How much of a limit is left is no secret, though tokens are counted in it.
_LIMITS = re.compile(r"rate-?limit", re.IGNORECASE)
# They say how a body was sent, which is not how it is kept.
_FRAMING = frozenset({"connection", "content-encoding", "keep-alive", "transfer-encoding"})
# Members by which OAuth servers, and servers that give out short-lived keys, say them.
_TOKEN = re.compile(r'("(?:access_token|api_key|client_secret|id_token|refresh_token)"\s*:\s*)"[^"\\]*"')


class Hiding:
    """What is hidden: values that were seen in the headers of requests, and those that a test names."""

    def __init__(self, texts: Iterable[str] = ()) -> None:
        self._headers: set[str] = set()
        # Exchanged for another, never changed: threads may be reading it.
        self._texts = frozenset(filter(None, texts))

    def header(self, name: str) -> None:
        """Note a header that holds a key, whatever it is called."""
        self._headers.add(name.lower())

    def look_at(self, url: str, headers: Iterable[tuple[str, str]]) -> None:
        """Note the secrets of a request."""
        found = [value for name, value in parse_qsl(urlsplit(url).query) if SECRET_NAME.search(name)]
        found += [value for name, value in headers if name.lower() in self._headers or SECRET_NAME.search(name)]
        # What follows the name of a scheme, such as Bearer, is the key.
        seen = secrets_in([*found, *[value.rpartition(" ")[2] for value in found]], ())
        if not self._texts.issuperset(seen):
            self._texts |= set(seen)

    def url(self, url: str) -> str:
        """Return a URL without keys, short ones too."""
        parts = urlsplit(self.text(url))
        pairs = parse_qsl(parts.query, keep_blank_values=True)
        if not any(SECRET_NAME.search(name) for name, _ in pairs):
            return urlunsplit(parts)
        shown = [(name, HIDDEN if SECRET_NAME.search(name) else value) for name, value in pairs]
        return urlunsplit(parts._replace(query=urlencode(shown, safe="*")))

    def text(self, text: str) -> str:
        """Return a text without keys, however they are written in it."""
        for secret in sorted(self._texts, key=len, reverse=True):  # one may be a part of another
            for written in {secret, quote(secret, safe=""), json.dumps(secret)[1:-1]}:
                text = text.replace(written, HIDDEN)
        return _TOKEN.sub(rf'\1"{HIDDEN}"', text)

    def data(self, data: bytes) -> bytes:
        """Return bytes without keys; those of a text are a text's."""
        try:
            return self.text(data.decode()).encode()
        except UnicodeDecodeError:
            for secret in self._texts:
                data = data.replace(secret.encode(), HIDDEN.encode())
            return data

    def pieces(self, pieces: list[bytes]) -> list[bytes]:
        """Return pieces without keys; one that was cut in two makes one piece of all."""
        whole = b"".join(pieces)
        hidden = self.data(whole)
        if hidden == whole:
            return pieces
        single = [self.data(piece) for piece in pieces]
        return single if b"".join(single) == hidden else [hidden]

    def headers(self, headers: Iterable[tuple[str, str]]) -> dict[str, str]:
        """Return the headers of an answer without cookies, keys, and what says how it was sent.

        Several of one name are joined, as `Headers.get` has them.
        """
        kept: dict[str, str] = {}
        pairs = list(headers)
        for name, value in pairs:
            if name not in _FRAMING and (_LIMITS.search(name) or not SECRET_NAME.search(name)):
                kept[name] = self.text(f"{kept[name]}, {value}" if name in kept else value)
        if any(name == "content-encoding" for name, _ in pairs):
            kept.pop("content-length", None)  # of what came, which was not yet unpacked
        return kept
