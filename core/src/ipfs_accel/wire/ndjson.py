"""Lines of JSON: bytes in as they come, complete lines out. Also the base of the event-stream decoder."""

from __future__ import annotations

from typing import Any

__all__ = ["MAX_EVENT_BYTES", "FramingError", "NDJSONDecoder"]

MAX_EVENT_BYTES = 4 * 1024 * 1024
"""Bytes that one event or line may have unless a backend says otherwise."""


class FramingError(ValueError):
    """The bytes of a stream are not what its format says.

    Attributes:
        offset: Position in the stream, in bytes, where the trouble begins.
        before: The frames that the same bytes had completed before.
    """

    def __init__(self, message: str, offset: int) -> None:
        super().__init__(message, offset)
        self.offset = offset
        self.before: list[Any] = []

    def __str__(self) -> str:
        return f"{self.args[0]} (at byte {self.offset})"


def decode_utf8(data: bytes, offset: int) -> str:
    """Decode strictly; `offset` is where `data` begins in the stream."""
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError as error:
        raise FramingError("the text is not valid UTF-8", offset + error.start) from None


class NDJSONDecoder:
    """Cuts bytes into lines at LF alone, so that a U+2028 in a string stays where it is.

    What is left of an unfinished line is kept in pieces and joined once, so that the cost is linear in the bytes
    however small the chunks are.
    """

    def __init__(self, *, max_event_bytes: int = MAX_EVENT_BYTES) -> None:
        """Make one for a new stream; a line longer than `max_event_bytes` is an error."""
        self._limit = max_event_bytes
        self._pieces: list[bytes] = []
        self._held = 0
        self._offset = 0
        self._error: FramingError | None = None

    def feed(self, chunk: bytes) -> list[str]:
        """Take bytes and return the lines that they complete, without blank ones.

        Raises:
            FramingError: A line is too long or not UTF-8.
        """
        if self._error is not None:
            raise self._error
        *lines, rest = bytes(chunk).split(b"\n")
        found = []
        try:
            for line in lines:
                if self._pieces:
                    line = b"".join([*self._pieces, line])  # noqa: PLW2901 - the whole line
                    self._pieces, self._held = [], 0
                text = self._text(line)
                if text:
                    found.append(text)
                self._offset += len(line) + 1
            if rest:
                self._pieces.append(rest)
                self._held += len(rest)
                self._check(self._held)
        except FramingError as error:
            self._error = error
            error.before = found
            raise
        return found

    def flush(self) -> list[str]:
        """Return the last line, which may lack its line end."""
        text = self._text(b"".join(self._pieces))
        self._pieces, self._held = [], 0
        return [text] if text else []

    def _text(self, line: bytes) -> str:
        self._check(len(line))
        return decode_utf8(line, self._offset).strip(" \t\r")

    def _check(self, length: int) -> None:
        if length > self._limit:
            raise FramingError(f"a line is longer than the limit of {self._limit} bytes", self._offset)
