"""The faults that a server, or the way to it, can have: each breaks a good answer in one way.

    with serve(FAULTS["cut_in_head"].against(reply)) as server:
        ...

A fault is told from a good `Reply` of the backend's own protocol, so that one catalogue serves every backend. What
callers have to see of each stands beside it; `run` in `ipfs_accel.testing.trials` shows it for both worlds.
"""

from __future__ import annotations

import functools
import time
import zlib
from collections.abc import Callable
from typing import Literal, TypeAlias

import attrs

from ipfs_accel import errors as e
from ipfs_accel._values import frozen
from ipfs_accel.types import Timeout

from .raw_server import Connection, Handler
from .replies import Reply, chunk

__all__ = ["FAULTS", "Fault"]

Script: TypeAlias = Callable[[Connection, Reply], None]
Kinds: TypeAlias = tuple[type[e.AccelError], ...]
Place: TypeAlias = Literal["server", "refused", "unknown_host", "blackhole"]

LONG = 120.0  # a limit that is not to strike, on however busy a machine
PATIENCE = Timeout(connect=LONG, first_event=LONG, idle=LONG, total=LONG)
SHORT = 0.15
TICK = 0.02


@frozen(kw_only=True)
class Fault:
    """One way to fail.

    Attributes:
        name: How it is called.
        whole: What a call for a whole answer raises, one of these; empty if it succeeds; None if it does not apply.
        stream: The same for a stream.
        script: What the server does with a request that it has read, on one connection.
        place: Where the fault is; the others have no server that could answer.
        limits: Under which time limits it shows.
        stream_limits: Under which it shows in a stream, if those are others.
        requests: How many requests the server sees at most for one call without retries.
        calls: How many calls it takes to show.
    """

    name: str
    whole: Kinds | None
    stream: Kinds | None
    script: Script | None = None
    place: Place = "server"
    limits: Timeout = PATIENCE
    stream_limits: Timeout | None = None
    requests: int = 1
    calls: int = 1

    def limits_of(self, *, is_stream: bool) -> Timeout:
        """Return the time limits for a call of one kind."""
        return self.stream_limits or self.limits if is_stream else self.limits

    def against(self, reply: Reply) -> Handler:
        """Return a handler for `RawServer` that gives this reply with the fault in it."""
        script = self.script
        if script is None:
            raise ValueError(f"{self.name}: no server answers there")

        def handle(connection: Connection) -> None:
            while connection.request() is not None:
                script(connection, reply)

        return handle


def _split(reply: Reply) -> tuple[bytes, bytes]:
    """Return the first half of the frames (the very first often say nothing yet), or of the body, and the rest."""
    if len(reply.pieces) == 1:
        middle = len(reply.body) // 2
        return reply.body[:middle], reply.body[middle:]
    middle = len(reply.pieces) // 2
    return b"".join(reply.pieces[:middle]), b"".join(reply.pieces[middle:])


def _begin(connection: Connection, reply: Reply) -> None:
    """Send a head with more to come and the first part of the body."""
    connection.send(reply.head("transfer-encoding: chunked") + chunk(_split(reply)[0]))


def _stale_connection(connection: Connection, reply: Reply) -> None:
    connection.send(reply.sent())
    if connection.number == 1 and connection.head() is not None:
        connection.reset()


def _cut_in_head(connection: Connection, reply: Reply) -> None:
    connection.send(reply.head()[:-6])
    connection.close()


def _reset_in_head(connection: Connection, reply: Reply) -> None:
    connection.send(reply.head()[:-6])
    connection.reset()


def _reset_before_head(connection: Connection, _reply: Reply) -> None:
    connection.reset()


def _reset_in_body(connection: Connection, reply: Reply) -> None:
    _begin(connection, reply)
    time.sleep(TICK)  # a reset takes away what the client has not read yet
    connection.reset()


def _cut_chunks(connection: Connection, reply: Reply) -> None:
    _begin(connection, reply)
    connection.close()


def _short_body(connection: Connection, reply: Reply) -> None:
    connection.send(reply.head(f"content-length: {len(reply.body)}") + _split(reply)[0])
    connection.close()


def _long_body(connection: Connection, reply: Reply) -> None:
    connection.send(reply.head(f"content-length: {len(reply.body)}") + reply.body + b"HTTP/1.1 200 OK\r\n")


def _bad_chunk_size(connection: Connection, reply: Reply) -> None:
    connection.send(reply.head("transfer-encoding: chunked") + b"zz\r\n" + reply.body + b"\r\n")
    connection.close()


def _huge_chunk_extension(connection: Connection, reply: Reply) -> None:
    connection.send(reply.head("transfer-encoding: chunked") + b"5;" + b"x" * 1_000_000)
    connection.close()


def _silence_before_head(connection: Connection, _reply: Reply) -> None:
    connection.wait()


def _silence_after_head(connection: Connection, reply: Reply) -> None:
    connection.send(reply.head("transfer-encoding: chunked"))
    connection.wait()


def _stall(connection: Connection, reply: Reply) -> None:
    _begin(connection, reply)
    connection.wait()


def _repeat(connection: Connection, data: bytes) -> None:
    while True:  # until the client hangs up, which ends the handler
        connection.send(chunk(data))
        time.sleep(TICK)


def _heartbeats(connection: Connection, reply: Reply) -> None:
    connection.send(reply.head("transfer-encoding: chunked"))
    _repeat(connection, reply.heartbeat)


def _heartbeats_later(connection: Connection, reply: Reply) -> None:
    _begin(connection, reply)
    _repeat(connection, reply.heartbeat)


def _byte_by_byte(connection: Connection, reply: Reply) -> None:
    connection.send(reply.head("transfer-encoding: chunked"))
    for number in range(len(reply.body) - 1):
        connection.send(chunk(reply.body[number : number + 1]))
        time.sleep(TICK)
    connection.wait()


def _endless(connection: Connection, reply: Reply) -> None:
    connection.send(reply.head("transfer-encoding: chunked"))
    _repeat(connection, reply.pieces[0] if len(reply.pieces) > 1 else reply.body[:1])


def _no_terminal(connection: Connection, reply: Reply) -> None:
    kept = reply.pieces[: 1 if len(reply.pieces) > reply.ends_with else 0]
    connection.send(reply.head("transfer-encoding: chunked") + b"".join(map(chunk, kept)) + b"0\r\n\r\n")


def _after_the_end(connection: Connection, reply: Reply) -> None:
    pieces = [*reply.pieces, *reply.pieces[-reply.ends_with :], reply.frame(b'{"late": true}')]
    connection.send(reply.head("transfer-encoding: chunked") + b"".join(map(chunk, pieces)) + b"0\r\n\r\n")


def _instead(body: bytes, content_type: str = "", *lines: str) -> Script:
    """Return a script that sends another body, under a proper head."""

    def script(connection: Connection, reply: Reply) -> None:
        said = attrs.evolve(reply, content_type=content_type or reply.content_type, status=200)
        connection.send(said.head(f"content-length: {len(body)}", *lines) + body)

    return script


def _invalid_utf8(connection: Connection, reply: Reply) -> None:
    bad = reply.frame(b"\xff\xfe") if reply.is_stream else b"\xff" + reply.body
    connection.send(reply.head(f"content-length: {len(bad)}") + bad)


def _huge_line(connection: Connection, reply: Reply) -> None:
    connection.send(reply.head("transfer-encoding: chunked"))
    piece = chunk(b"data: " + b"x" * 65_530)
    connection.send(piece)
    while True:
        connection.send(chunk(b"x" * 65_536))


def _redirect(connection: Connection, reply: Reply) -> None:
    said = attrs.evolve(reply, status=307, headers={"location": f"{connection.server.url}/elsewhere"})
    connection.send(said.head("content-length: 0"))


def _early_refusal(connection: Connection, _reply: Reply) -> None:
    connection.send(b"HTTP/1.1 413 Too Large\r\ncontent-type: text/plain\r\ncontent-length: 3\r\n\r\nbig")
    connection.close()


@functools.cache
def _bomb() -> bytes:
    """Return 80 MiB of zeros, packed: after a full flush the next block does not depend on those before."""
    packer = zlib.compressobj(wbits=31)
    first, again = [packer.compress(bytes(1 << 20)) + packer.flush(zlib.Z_FULL_FLUSH) for _ in range(2)]
    return first + again * 79


def _gzip_bomb(connection: Connection, reply: Reply) -> None:
    _instead(_bomb(), "", "content-encoding: gzip")(connection, reply)


_LOST: Kinds = (e.APIConnectionError,)
_BROKEN: Kinds = (e.StreamInterrupted,)
_LATE: Kinds = (e.APITimeoutError,)
_WRONG: Kinds = (e.InvalidResponseError,)
# What a server that speaks no stream answers may be read as a stream that never ended; and where a whole document is
# as good as a stream, one of another form looks like one that was cut.
_NO_STREAM: Kinds = (e.InvalidResponseError, e.StreamIncomplete)

_WAITS = Timeout(connect=LONG, first_event=SHORT, idle=SHORT, total=2 * SHORT)
_ENDS = attrs.evolve(PATIENCE, total=2 * SHORT)
# A stream that stops has to have begun, which may take long: only then may its limit strike.
_IDLES = attrs.evolve(PATIENCE, idle=SHORT)

_ALL = (
    Fault(name="refused", place="refused", whole=_LOST, stream=_LOST),
    Fault(name="unknown_host", place="unknown_host", whole=_LOST, stream=_LOST),
    Fault(name="blackhole", place="blackhole", whole=_LATE, stream=_LATE, limits=attrs.evolve(PATIENCE, connect=SHORT)),
    Fault(name="stale_connection", script=_stale_connection, whole=(), stream=(), calls=2, requests=3),
    Fault(name="reset_before_head", script=_reset_before_head, whole=_LOST, stream=_LOST),
    Fault(name="cut_in_head", script=_cut_in_head, whole=_LOST, stream=_LOST),
    Fault(name="reset_in_head", script=_reset_in_head, whole=_LOST, stream=_LOST),
    Fault(name="reset_in_body", script=_reset_in_body, whole=_LOST, stream=_BROKEN),
    Fault(name="cut_chunks", script=_cut_chunks, whole=_LOST, stream=_BROKEN),
    Fault(name="short_body", script=_short_body, whole=_LOST, stream=_BROKEN),
    Fault(name="long_body", script=_long_body, whole=(), stream=()),
    Fault(name="bad_chunk_size", script=_bad_chunk_size, whole=_LOST, stream=_LOST),
    Fault(name="huge_chunk_extension", script=_huge_chunk_extension, whole=_LOST, stream=_LOST),
    Fault(name="silence_before_head", script=_silence_before_head, whole=_LATE, stream=_LATE, limits=_WAITS),
    Fault(name="silence_after_head", script=_silence_after_head, whole=_LATE, stream=_LATE, limits=_WAITS),
    Fault(name="stall", script=_stall, whole=_LATE, stream=_BROKEN, limits=_ENDS, stream_limits=_IDLES),
    Fault(name="heartbeats", script=_heartbeats, whole=_LATE, stream=_LATE, limits=_WAITS),
    Fault(
        name="heartbeats_later",
        script=_heartbeats_later,
        whole=_LATE,
        stream=_BROKEN,
        limits=_ENDS,
        stream_limits=_IDLES,
    ),
    Fault(name="byte_by_byte", script=_byte_by_byte, whole=_LATE, stream=_LATE + _BROKEN, limits=_ENDS),
    Fault(name="endless", script=_endless, whole=_LATE, stream=_LATE + _BROKEN, limits=_ENDS),
    Fault(name="early_refusal", script=_early_refusal, whole=(e.APIStatusError,), stream=(e.APIStatusError,)),
    Fault(name="invalid_utf8", script=_invalid_utf8, whole=_WRONG, stream=_WRONG),
    Fault(name="huge_line", script=_huge_line, whole=None, stream=_WRONG),
    Fault(name="no_terminal", script=_no_terminal, whole=None, stream=(e.StreamIncomplete,)),
    Fault(name="after_the_end", script=_after_the_end, whole=None, stream=()),
    Fault(name="empty_body", script=_instead(b""), whole=_WRONG, stream=_NO_STREAM),
    Fault(name="null", script=_instead(b"null", "application/json"), whole=_WRONG, stream=_NO_STREAM),
    Fault(name="html", script=_instead(b"<!doctype html><p>Log in</p>", "text/html"), whole=_WRONG, stream=_NO_STREAM),
    Fault(name="deep_json", script=_instead(b"[" * 200_000, "application/json"), whole=_WRONG, stream=_NO_STREAM),
    Fault(name="nan", script=_instead(b'{"a": NaN}', "application/json"), whole=_WRONG, stream=_NO_STREAM),
    Fault(name="gzip_bomb", script=_gzip_bomb, whole=_WRONG, stream=_WRONG),
    Fault(name="corrupt_gzip", script=_instead(b"no gzip", "", "content-encoding: gzip"), whole=_WRONG, stream=_WRONG),
    Fault(
        name="stacked_encodings",
        script=_instead(b"x", "", f"content-encoding: {', '.join(['gzip'] * 50)}"),
        whole=_WRONG,
        stream=_WRONG,
    ),
    Fault(name="redirect", script=_redirect, whole=(e.APIStatusError,), stream=(e.APIStatusError,)),
)

FAULTS: dict[str, Fault] = {fault.name: fault for fault in _ALL}
"""The catalogue by name."""
