"""What a dialect is."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple, Protocol

from ipfs_accel_gateway._errors import Refusal

__all__ = ["NDJSON", "Dialect", "Family", "GivenError", "Named", "Writer"]


NDJSON = "application/x-ndjson"


class Family(Protocol):
    """What all routes of one API have in common.

    Attributes:
        beat: What shows in a stream of it that there is life; empty where nothing may.
    """

    beat: bytes

    def error(self, refusal: Refusal, request_id: str) -> bytes:
        """Return the body of an answer that is an error."""
        ...


class Writer(Protocol):
    """Writes one stream.

    One that has a method `failure`, as dialects have, is asked by it instead: where the event has to say what failed.
    One that has a method `knows` is given what the server has told of the usage, before it is asked how to begin.
    """

    def begin(self) -> bytes:
        """Return what stands before the first event."""
        ...

    def event(self, event: Any) -> bytes:
        """Return what one of our events is in it; nothing for what it does not tell."""
        ...

    def end(self, answer: Any) -> bytes:
        """Return what stands after the last event, given the whole answer."""
        ...


class Dialect(Protocol):
    """One route of an API.

    Two things only some have: `takes_forms`, which is true of routes whose bodies are forms, and a method `type_of`
    that returns the media type of a whole answer which is no JSON, given the answer and the members of the body.

    Attributes:
        name: As `RelayRequest.dialect` has it.
        family: Of the API.
        stream_type: The media type of its streams.
    """

    name: str
    family: Family
    stream_type: str

    def operation(self, members: Mapping[str, Any]) -> str:
        """Return what a body asks for, as the client's operations are called."""
        ...

    def passes(self, headers: Mapping[str, str]) -> tuple[tuple[str, str], ...]:
        """Return the headers of a request that its own server is to see, such as a version; none with a key."""
        ...

    def read(self, members: Mapping[str, Any], *, lenient: bool) -> tuple[Any, dict[str, Any]]:
        """Return the main argument and the options of that operation.

        Args:
            members: Of the body.
            lenient: Whether what has no counterpart is left out, instead of being refused.

        Raises:
            Refusal: It asks for what only the dialect's own servers can do, or is malformed.
        """
        ...

    def write(self, answer: Any, members: Mapping[str, Any], model: str) -> bytes:
        """Return the body of a whole answer; `model` is as the client named it."""
        ...

    def writer(self, members: Mapping[str, Any], model: str) -> Writer:
        """Return what writes a stream."""
        ...

    def failure(self, refusal: Refusal, request_id: str) -> bytes:
        """Return the event that says in a stream that it failed."""
        ...


class Named(NamedTuple):
    """A dialect whose path names the model.

    Attributes:
        dialect: What is spoken there.
        model: As the client named it.
        query: Names and values that its own server is to see.
    """

    dialect: Dialect
    model: str
    query: tuple[tuple[str, str], ...] = ()


class GivenError(Exception):
    """An answer for which no model is needed, raised where a request is read.

    Attributes:
        body: Of the answer.
    """

    def __init__(self, body: bytes) -> None:
        super().__init__("the answer is known")
        self.body = body
