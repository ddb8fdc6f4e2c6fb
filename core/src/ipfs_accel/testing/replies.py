"""What a server of a backend's protocol answers, as plain values: the raw material of contracts and faults."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from typing import Any

import attrs

from ipfs_accel._values import frozen

__all__ = ["Reply", "data_reply", "json_reply", "ndjson_reply", "sse_reply"]

_JSON = "application/json"
_SSE = "text/event-stream"
_NDJSON = "application/x-ndjson"


@frozen(kw_only=True)
class Reply:
    """One good answer of a server.

    Attributes:
        pieces: The body, cut where a server would cut it: a whole answer is one piece, a stream one for each frame.
        content_type: Of the body.
        status: HTTP status.
        headers: Beside content type and length.
        ends_with: How many of the last pieces are the terminal signal: a stream without them is not complete. 0 says
            that there is none, as in sounds, pictures and files: such an answer ends with its body.
    """

    pieces: tuple[bytes, ...]
    content_type: str = _JSON
    status: int = 200
    headers: Mapping[str, str] = attrs.field(factory=dict)
    ends_with: int = 1

    @property
    def body(self) -> bytes:
        """All pieces together."""
        return b"".join(self.pieces)

    @property
    def is_stream(self) -> bool:
        """Whether it comes as frames, the last of which says that it is complete."""
        return self.content_type != _JSON and self.ends_with > 0

    @property
    def heartbeat(self) -> bytes:
        """What may stand between two frames and means nothing."""
        return b": still here\n\n" if self.content_type == _SSE else b"\n"

    def frame(self, data: bytes) -> bytes:
        """Return bytes as a frame of this reply's framing."""
        return b"data: " + data + b"\n\n" if self.content_type == _SSE else data + b"\n"

    def head(self, *lines: str) -> bytes:
        """Return status line and headers, with further header lines."""
        reason = "OK" if self.status < 400 else "Error"  # noqa: PLR2004
        own = [f"{name}: {value}" for name, value in self.headers.items()]
        first = [f"HTTP/1.1 {self.status} {reason}", f"content-type: {self.content_type}"]
        return "\r\n".join([*first, *own, *lines]).encode() + b"\r\n\r\n"

    def sent(self) -> bytes:
        """Return the whole answer as it stands on the wire: chunked for a stream, with its length otherwise."""
        if self.is_stream:
            return self.head("transfer-encoding: chunked") + b"".join(map(chunk, self.pieces)) + b"0\r\n\r\n"
        return self.head(f"content-length: {len(self.body)}") + self.body


def chunk(data: bytes) -> bytes:
    """Return bytes as one chunk of a chunked body."""
    return b"%x\r\n%s\r\n" % (len(data), data)


def json_reply(value: Any, *, status: int = 200, headers: Mapping[str, str] | None = None) -> Reply:
    """Make a whole answer of JSON."""
    return Reply(pieces=(json.dumps(value).encode(),), status=status, headers=headers or {})


def data_reply(data: bytes, content_type: str) -> Reply:
    """Make a whole answer of another kind, such as sound, or the lines of a file."""
    return Reply(pieces=(data,), content_type=content_type, ends_with=0)


def sse_reply(*events: Any, done: str | None = "[DONE]", ends_with: int = 1) -> Reply:
    """Make a stream of server-sent events.

    Args:
        events: JSON values; a pair (name, value) is an event with a name.
        done: A last event of this text, as in OpenAI's dialect; None means that there is none.
        ends_with: How many of the events, `done` included, are the terminal signal.
    """
    pieces = [_sse(*event) if isinstance(event, tuple) else _sse(None, event) for event in events]
    if done is not None:
        pieces.append(f"data: {done}\n\n".encode())
    return Reply(pieces=tuple(pieces), content_type=_SSE, ends_with=ends_with)


def _sse(name: str | None, value: Any) -> bytes:
    first = f"event: {name}\n" if name else ""
    return f"{first}data: {json.dumps(value)}\n\n".encode()


def ndjson_reply(*values: Any, ends_with: int = 1) -> Reply:
    """Make a stream of JSON values, one a line; the last is the terminal signal, or the last `ends_with`."""
    return Reply(pieces=_lines(values), content_type=_NDJSON, ends_with=ends_with)


def _lines(values: Iterable[Any]) -> tuple[bytes, ...]:
    return tuple([json.dumps(value).encode() + b"\n" for value in values])
