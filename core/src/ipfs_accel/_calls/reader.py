"""One stream from its first byte to its answer: bytes in, events out, time limits watched. Knows neither world."""

from __future__ import annotations

import math
from collections.abc import Callable, Generator
from contextlib import suppress
from functools import partial
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from ipfs_accel.errors import (
    AccelError,
    APIConnectionError,
    APIError,
    APITimeoutError,
    DeadlineExceededError,
    InvalidResponseError,
    PluginError,
    StreamIncomplete,
    StreamInterrupted,
)
from ipfs_accel.plans import FrameDecoder, HttpRequest, HttpStream

from .call import Call

if TYPE_CHECKING:
    from ipfs_accel._worlds.effects import Steps
    from ipfs_accel.plans import LocalStream

__all__ = ["Reader", "on_silence"]

T = TypeVar("T")


class Reader(Generic[T]):
    """What is known of a stream while it is read.

    The point of no return is its first event: what fails before may be tried again, what fails after it may not.

    Attributes:
        out: What the decoder talks to.
        job: What a local stream's function knows of the call.
        exchange: The open exchange; None for a local stream, and after its release.
        pieces: The world's iterator over what comes.
        events: The first events, before the stream is handed over.
        further: The request with which the answer goes on, now that this body is at its end.
        afterwards: Steps of a flow that look at the whole answer, now that it is there.
        keep: Keeps the whole answer; None if nobody wants that.
        is_due: Whether the answer is there, and is to be looked at or kept before anybody has it.
        rewriting: What middleware makes of events; None if there is none that looks at them or the answer.
        now: Tells the time, which is asked for once before each piece is waited for.
    """

    def __init__(
        self,
        call: Call,
        stream: HttpStream[T] | LocalStream[T],
        exchange: Any,
        check: Callable[[T], None] | None = None,
    ) -> None:
        self.call = call
        self._check = check
        self.exchange = exchange
        self.job = call.job()
        self.pieces: Any = None
        self.events: list[Any] = []
        self.rewriting: Callable[[list[Any]], Steps[list[Any]]] | None = None
        self.further: HttpRequest | None = None
        self.afterwards: Generator[Any, Any, Any] | None = None
        self.keep: Callable[[T], Steps[None]] | None = None
        self.is_due = False
        self.out: Any = stream.assembler()
        self._take: Callable[[], list[Any]] = self.out.take
        if call.operation == "batch_results":
            self._take = partial(_results, call, self.out.take)
        self.answer: T | None = None
        self.error: AccelError | None = None
        self._frames: FrameDecoder[Any] | None = None
        # What has no such limit hands out what comes and keeps none of it, as a download does.
        self._room: float = getattr(self.out, "max_bytes", math.inf)
        self._has_begun = False
        self.now = call.target.guard.clock.now
        self._silence = 0.0
        if isinstance(stream, HttpStream):
            self.stream = stream
            self._frames = stream.frames()
            self._decode = stream.decoder()

    @property
    def is_over(self) -> bool:
        """Whether there is nothing more to read."""
        return self.answer is not None or self.error is not None

    def take(self, asked_at: float, chunk: bytes | None) -> list[Any]:
        """Return the events that a piece of the stream completes.

        Args:
            asked_at: When the wait for this piece began. What a caller does between two pieces is no silence.
            chunk: Bytes as they came; None for a step of a local stream; empty for the end.

        Raises:
            Exception: Whatever a decoder raises on what a server can send; see `translate`.
        """
        if chunk:
            self._feed(chunk)
        if chunk == b"" or self.out.is_done:
            return self._end(is_eof=not self.out.is_done)
        return self._progress(asked_at)

    def go_on(self, exchange: Any) -> None:
        """Read on from another exchange, which the answer goes on with."""
        self.exchange, self.further = exchange, None
        self._frames = self.stream.frames()
        self._silence = 0.0

    def translate(self, error: Exception) -> AccelError:
        """Return what anything that went wrong means, complete with what had come."""
        found = self._translate(error)
        found.about(hint=on_silence(error, self.call))
        if isinstance(found, APIError) and (found.partial is None or self.rewriting is not None):
            found.partial = self.partial()
        if isinstance(found, StreamIncomplete) and not self._has_begun:
            found.retryable = True
        return found

    def partial(self) -> Any:
        """Return what had come, for errors; None where middleware has the last word on answers: it has not seen it."""
        if self.rewriting is not None:
            return None
        with suppress(Exception):  # what a server sent may not even go into a partial answer
            return self.out.partial()
        return None

    def abandon(self) -> None:
        """End the call because nobody reads on; harmless after its end."""
        self.call.drop(getattr(self.out, "usage", None))

    def fail(self, error: Exception) -> AccelError:
        """End the call because of an error; returns what to raise."""
        if self.error is None:
            self.error = self.translate(error)
            if not self.call.is_over:
                self.call.fail(self.error)
        return self.error

    def _feed(self, chunk: bytes) -> None:
        self._room -= len(chunk)
        if self._room < 0:
            raise InvalidResponseError(f"the stream is longer than {self.out.max_bytes} bytes")
        decode, out = self._decode, self.out
        try:
            frames = self._frames.feed(chunk)  # type: ignore[union-attr]
        except ValueError as error:
            for frame in getattr(error, "before", ()):  # what came whole before it counts, whatever packet brought it
                decode(frame, out)
            raise
        for frame in frames:
            decode(frame, out)
            if out.is_done:
                break

    def _progress(self, asked_at: float) -> list[Any]:
        """Return the new events and watch the time limits."""
        events: list[Any] = self._take()
        if events:
            now = asked_at  # good enough for the deadline, which the wait itself has an eye on
            self._silence = 0.0
            if not self._has_begun:
                self._begin(self.now())
        else:
            now = self.now()
            self._note_silence(now - asked_at)
        journey = self.call.journey
        if journey.deadline is not None and now > journey.deadline:
            raise DeadlineExceededError(f"the call was not over within {journey.limit:g} s", phase="total")
        return events

    def _note_silence(self, waited: float) -> None:
        """Add up the waits since the last event.

        Before the first one a heartbeat is a sign of life: the server works, or waits for its turn. It has accepted the
        request, and until `total` nothing is gained by giving up. Later an answer that goes on has events.
        """
        limits = self.call.timeout
        phase, limit = ("idle", limits.idle) if self._has_begun else ("first_event", limits.first_event)
        if limit is None or not (self._has_begun or self._frames is None):
            return
        # The connection ends a longer wait by itself. If one brought something nevertheless, this process stood still,
        # or its event loop did, and the bytes were there.
        if waited <= limit or self._frames is None:
            self._silence += waited
        if self._silence > limit:
            raise APITimeoutError(f"no meaningful event of the stream came within {limit:g} s", phase=phase)

    def _begin(self, now: float) -> None:
        self._has_begun = True
        if self.exchange is not None:
            # Until now the limit on silence was that of the first event.
            self.exchange.read_timeout = self.call.timeout.idle
        self.call.first_at = now
        if self.call.hold is not None:
            self.call.hold.first_at = now

    def _end(self, *, is_eof: bool) -> list[Any]:
        if is_eof and self._frames is not None:
            # A frame that was cut in its middle is no frame: whether the answer is whole without it, the terminal
            # signal tells.
            with suppress(ValueError, InvalidResponseError):
                for frame in self._frames.flush():
                    self._decode(frame, self.out)
        if self._frames is not None and self.stream.going_on is not None:
            self.further = self.stream.going_on(self._decode)
            if self.further is not None:
                return self._take()
        self.call.request_id = self.call.request_id or self.job.request_id
        answer = self.out.conclude()
        if self._check is not None:
            self._check(answer)
        if self.call.wanted is not None:
            from .typed import check  # noqa: PLC0415 - few calls ask for a type

            check(answer, self.call)
        if not self._has_begun:  # all of it came in one piece
            self._begin(self.now())
        self.answer = answer = self.call.finish(answer)
        if self._frames is not None and self.stream.after is not None:
            self.afterwards = self.stream.after(answer)
        self.is_due = self.afterwards is not None or self.keep is not None
        return self._take()

    def _translate(self, error: Exception) -> AccelError:
        if isinstance(error, APIConnectionError) and self._has_begun:
            self.call.name_limit(error, has_begun=True)
            return StreamInterrupted(f"the stream broke off: {error.message}", phase=error.phase)
        if isinstance(error, AccelError):
            return error
        backend = self.call.target.backend.name
        if self._frames is None:
            return PluginError(f"the backend {backend!r} failed while streaming: {type(error).__name__}: {error}")
        from ipfs_accel.wire.ndjson import FramingError  # noqa: PLC0415 - a stream's plugin has imported it, a local one's has not

        if isinstance(error, FramingError):
            return InvalidResponseError(f"the stream cannot be read: {error}")
        return InvalidResponseError(
            f"a part of the stream does not have the form that the backend {backend!r} expects "
            f"({type(error).__name__}: {error})"
        )


def _results(call: Call, take: Callable[[], list[Any]]) -> list[Any]:
    """Return results of a batch, and say whose words they are: of the model that each of them names."""
    found = take()
    for result in found:
        answer = getattr(result, "response", None)
        call.mark(answer, getattr(answer, "model", None) or "")
    return found


def on_silence(error: Exception, call: Call) -> str | None:
    """Return what to do about a stream that said nothing for too long, where the model may have been thinking."""
    is_silence = isinstance(error, APITimeoutError) and error.phase in {"read", "first_event", "idle"}
    if not is_silence or call.operation != "stream":
        return None
    return (
        "a model that thinks without a word needs more time: name its reasoning_effort, or pass "
        "timeout=Timeout(first_event=…, idle=…)"
    )
