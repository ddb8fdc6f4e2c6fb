"""Answers of generateContent that are no chats but pictures or speech; a whole answer is a stream of one piece."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from ipfs_accel.errors import APIError, ContentFilterError
from ipfs_accel.plans import HttpResponse
from ipfs_accel.types import Usage
from ipfs_accel.wire.collector import Collector

from ._answers import FILTERED, blocked, usage_of
from ._fields import Json
from ._routes import checked

__all__ = ["keep", "missing", "parts_in", "raw_of", "usage_in", "whole"]


def whole(response: HttpResponse) -> list[Json]:
    """Return a whole answer as the one piece that it is."""
    body = checked(response)
    problem = blocked(body)
    if problem is not None:
        raise problem
    return [body]


def keep(body: Any, out: Collector[Any]) -> None:
    """Keep a piece of a stream, which a reason for its end completes."""
    problem = blocked(body)
    if problem is not None:
        raise problem
    out.kept.append(body)
    if _ends([body]):
        out.done()


def parts_in(bodies: Iterable[Json]) -> Iterator[Json]:
    """Return the parts of all answers."""
    for body in bodies:
        for candidate in body.get("candidates") or ():
            yield from (candidate.get("content") or {}).get("parts") or ()


def usage_in(bodies: Iterable[Json]) -> Usage:
    """Return the tokens used; each piece counts from the beginning."""
    told = [body["usageMetadata"] for body in bodies if body.get("usageMetadata")]
    return usage_of(told[-1]) if told else Usage()


def raw_of(bodies: list[Json]) -> Any:
    """Return the provider's own JSON."""
    return bodies[0] if len(bodies) == 1 else bodies


def missing(bodies: list[Json], what: str, said: str = "") -> APIError:
    """Return the error that the model did not make what it was asked for, with the reason that it gave."""
    end = next(iter(reversed(_ends(bodies))), {})
    reason = str(end.get("finishReason") or "no reason")
    why = end.get("finishMessage") or said
    kind = ContentFilterError if reason in FILTERED else APIError
    return kind(f"the model made no {what}: {reason}{f': {why}' if why else ''}", code=reason, body=bodies[-1])


def _ends(bodies: Iterable[Json]) -> list[Json]:
    return [each for body in bodies for each in body.get("candidates") or () if each.get("finishReason")]
