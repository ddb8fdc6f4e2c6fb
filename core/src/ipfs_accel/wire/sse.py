"""Server-sent events, after the event-stream grammar of the WHATWG HTML standard, section 9.2."""

from __future__ import annotations

from .ndjson import MAX_EVENT_BYTES, FramingError, decode_utf8

__all__ = ["MAX_EVENT_BYTES", "FramingError", "SSEDecoder", "ServerSentEvent"]

_BOM = b"\xef\xbb\xbf"


class ServerSentEvent:
    """One event. A plain class: an attrs class that is frozen costs twice as much to make, for each chunk.

    Attributes:
        event: Its type; `message` if the server gave none.
        data: The data lines, joined by line feeds.
        id: The last id that the server gave, in this event or before.
        retry: Milliseconds to wait before connecting again, if this event has it.
    """

    __slots__ = ("data", "event", "id", "retry")

    def __init__(self, event: str = "message", data: str = "", id: str | None = None, retry: int | None = None) -> None:  # noqa: A002 - the field's own name
        self.event = event
        self.data = data
        self.id = id
        self.retry = retry

    def __eq__(self, other: object) -> bool:
        return isinstance(other, ServerSentEvent) and self._values() == other._values()

    __hash__ = None  # type: ignore[assignment]

    def __repr__(self) -> str:
        return "ServerSentEvent(event={!r}, data={!r}, id={!r}, retry={!r})".format(*self._values())

    def _values(self) -> tuple[str, str, str | None, int | None]:
        return self.event, self.data, self.id, self.retry


class SSEDecoder:
    """Cuts bytes into events.

    Lines end at LF, CR or CRLF and nowhere else (`bytes.splitlines` knows just these three), so that U+2028 and its
    like inside JSON stay where they are. An unfinished line is kept in pieces and joined once, so that the cost is
    linear in the bytes however small the chunks are.
    """

    def __init__(self, *, max_event_bytes: int = MAX_EVENT_BYTES) -> None:
        """Make one for a new stream; an event of more than `max_event_bytes` is an error."""
        self._limit = max_event_bytes
        self._pieces: list[bytes] = []
        self._held = 0
        self._offset = 0
        self._size = 0
        self._skip_lf = False
        self._head: bytes | None = b""
        self._event = ""
        self._data: list[str] = []
        self._id: str | None = None
        self._retry: int | None = None
        self._error: FramingError | None = None
        self._is_bare = False

    def feed(self, chunk: bytes) -> list[ServerSentEvent]:
        """Take bytes and return the events that they complete.

        Raises:
            FramingError: An event is too long or not UTF-8.
        """
        if self._error is not None:
            raise self._error
        chunk = bytes(chunk)
        if self._head is not None:
            chunk = self._without_bom(chunk)
        if self._skip_lf and chunk:
            # A CR at the end of the last chunk has ended its line already; this LF belongs to it.
            self._skip_lf = False
            if chunk.startswith(b"\n"):
                chunk = chunk[1:]
                self._offset += 1
        events: list[ServerSentEvent] = []
        try:
            self._feed(chunk, events)
        except FramingError as error:
            self._error = error
            error.before = events
            raise
        return events

    def flush(self) -> list[ServerSentEvent]:
        """Return the event that the end of the stream leaves unfinished.

        The standard throws it away; providers end their streams without the last blank line, so it is given here.
        """
        if self._error is not None:
            raise self._error
        events: list[ServerSentEvent] = []
        rest = b"".join([self._head or b"", *self._pieces])
        self._head, self._pieces = None, []
        if rest:
            self._line(rest, events)
        self._line(b"", events)
        return events

    def _without_bom(self, chunk: bytes) -> bytes:
        """Drop a byte order mark at the very start, also if it comes in pieces."""
        head = (self._head or b"") + chunk
        if len(head) < len(_BOM) and _BOM.startswith(head):
            self._head = head
            return b""
        self._head = None
        if head.startswith(_BOM):
            self._offset = len(_BOM)
            return head[len(_BOM) :]
        return head

    def _feed(self, chunk: bytes, events: list[ServerSentEvent]) -> None:
        is_between = not (self._size or self._pieces)
        if is_between and chunk.endswith(b"\n\n") and b"\r" not in chunk:
            self._whole(chunk, events)
        else:
            self._lines(chunk, events)

    def _whole(self, chunk: bytes, events: list[ServerSentEvent]) -> None:
        """Take whole events; nearly all of those that models send are a line of data."""
        for block in chunk[:-2].split(b"\n\n"):
            size = len(block) + 2
            if block.startswith(b"data: ") and b"\n" not in block and size <= self._limit:
                events.append(ServerSentEvent("message", decode_utf8(block[6:], self._offset + 6), self._id))
                self._offset += size
            else:
                self._lines(block + b"\n\n", events)

    def _lines(self, chunk: bytes, events: list[ServerSentEvent]) -> None:
        lines = chunk.splitlines(keepends=True)
        if not lines:
            return
        if self._pieces and chunk[-1] not in b"\r\n" and len(lines) == 1:
            self._hold(lines[0])
            return
        if self._pieces:
            lines[0] = b"".join([*self._pieces, lines[0]])
            self._pieces, self._held = [], 0
        rest = lines.pop() if lines[-1][-1] not in b"\r\n" else b""
        for line in lines:
            self._line(line, events)
        self._skip_lf = not rest and chunk[-1] == 13  # noqa: PLR2004 - CR
        if rest:
            self._hold(rest)

    def _hold(self, piece: bytes) -> None:
        self._pieces.append(piece)
        self._held += len(piece)
        self._check(self._size + self._held)

    def _check(self, size: int) -> None:
        if size > self._limit:
            raise FramingError(f"an event is longer than the limit of {self._limit} bytes", self._offset)

    def _line(self, line: bytes, events: list[ServerSentEvent]) -> None:
        self._size += len(line)
        if self._size > self._limit:
            self._check(self._size)
        content = line.rstrip(b"\r\n")
        if content.startswith(b"data: "):
            self._data.append(decode_utf8(content[6:], self._offset + 6))
        elif not content:
            self._size = 0
            if self._data:
                events.append(ServerSentEvent(self._event or "message", "\n".join(self._data), self._id, self._retry))
                self._data = []
            self._event, self._retry, self._is_bare = "", None, False
        elif content[0] != 58:  # noqa: PLR2004 - a colon begins a comment
            self.field(content)
        self._offset += len(line)

    def field(self, content: bytes) -> None:
        """Take a line that is neither data nor empty; a subclass may know of servers that put others between events.

        By the standard, a line of an unknown name says nothing. Two that servers write when something goes wrong say
        it nevertheless: JSON without a name before it, and a field `error`.
        """
        name, colon, value = content.partition(b":")
        if name != b"data" and (self._is_bare or (not self._data and content[0] in b"{[")):
            self._is_bare = True
            self._data.append(decode_utf8(content, self._offset))
            return
        start = self._offset + len(name) + len(colon)
        if value.startswith(b" "):
            value, start = value[1:], start + 1
        text = decode_utf8(value, start)
        if name == b"data":
            self._data.append(text)
        elif name == b"event":
            self._event = text
        elif name == b"error":
            self._event = "error"
            self._data.append(text)
        elif name == b"id" and "\0" not in text:
            self._id = text
        elif name == b"retry" and text.isascii() and text.isdigit():
            self._retry = int(text)
