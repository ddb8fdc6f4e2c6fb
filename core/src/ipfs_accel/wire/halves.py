r"""Halves of characters, which servers leave that cut texts of UTF-16 into pieces.

JSON writes a character beyond U+FFFF as two escapes, such as `\ud83d\ude00`. If the first ends one document of a stream
and the second begins the next, each is a text that can neither be printed nor sent on. Only escapes can bring a half:
bytes that are no UTF-8 are refused before.
"""

from __future__ import annotations

import json
from typing import Any

from ipfs_accel import strict_json

__all__ = ["ALONE", "Growing", "mended", "written"]

ALONE = "\ufffd"
"""Stands for a half that has stayed alone."""


class Growing:
    """A text that comes in pieces.

    Attributes:
        cut: Half a character that waits for the next piece; "" if none does.
    """

    __slots__ = ("cut",)

    def __init__(self) -> None:
        self.cut = ""

    def whole(self, piece: str) -> str:
        """Return what the text goes on with; "" if that is only half a character.

        Callers ask only for a piece that is not ASCII, or if a half waits, so that it costs other pieces nothing.
        """
        if not self.cut:
            try:
                piece.encode()
            except UnicodeEncodeError:
                pass
            else:
                return piece
        text = self.cut + piece
        self.cut = text[-1] if "\ud800" <= text[-1] <= "\udbff" else ""
        return mended(text[:-1] if self.cut else text)


def mended(text: str) -> str:
    """Return a text with its halves joined, and `ALONE` for those that have none to join; most texts have none."""
    if text.isascii():
        return text
    try:
        text.encode()
    except UnicodeEncodeError:
        pass
    else:
        return text
    return text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")


def written(value: Any) -> str:
    """Write a JSON value of an answer, such as a tool's arguments, as the text that all backends have.

    Raises:
        ValueError: It is nothing that JSON has a form for.
    """
    try:
        return strict_json.dumps(value).decode()
    except UnicodeEncodeError:
        return mended(json.dumps(value, ensure_ascii=False, allow_nan=False, separators=(",", ":")))
