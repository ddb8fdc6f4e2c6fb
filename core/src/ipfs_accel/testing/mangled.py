"""Answers in which a server put something else into one member than its protocol says."""

from __future__ import annotations

import copy
import json
import random
import re
from collections.abc import Iterator
from typing import Any, TypeAlias

import attrs

from .replies import Reply

__all__ = ["halved", "mangled", "spoilt"]

_Place: TypeAlias = tuple[int, int, re.Match[bytes]]
_JSON = re.compile(rb"[\[{].*[\]}]", re.DOTALL)
_ANYTHING: tuple[Any, ...] = (
    *(None, True, False, 0, -1, 2**63, 1e308, "", "x", "7", "\u2028", [], [None], [[]], {}, {"x": None}),
    *([{}], {"type": 1}, {"error": 1}, "x" * 5000),
)


def mangled(replies: tuple[Reply, ...], count: int) -> Iterator[tuple[Reply, ...]]:
    """Return the same replies `count` times, each time with one member of some JSON in them changed or left out.

    Which ones is a matter of chance, and the same for the same replies. Replies without JSON give nothing.
    """
    places = _places(replies)
    chance = random.Random(len(places))  # noqa: S311 - nothing is secret here
    for _ in range(count if places else 0):
        place = chance.choice(places)
        yield _replaced(replies, place, _changed(place[2].group(), chance))


def halved(replies: tuple[Reply, ...]) -> Iterator[tuple[Reply, ...]]:
    """Return the same replies for each string in their JSON, each time with half a character at its end."""
    for place in _places(replies):
        value = json.loads(place[2].group())
        for where, name in list(_members(value)):
            before = where[name]
            if isinstance(before, str):
                where[name] = before + "\ud83d"
                yield _replaced(replies, place, json.dumps(value).encode())
                where[name] = before


def spoilt(replies: tuple[Reply, ...]) -> Iterator[tuple[Reply, ...]]:
    """Return the same replies, each time with one fraction of a list, or one that is a score, not a number any more."""
    for place in _places(replies):
        value = json.loads(place[2].group())
        for where, name in list(_members(value)):
            before = where[name]
            if isinstance(before, float) and (isinstance(where, list) or "score" in name):
                for wrong in (None, "x"):
                    where[name] = wrong
                    yield _replaced(replies, place, json.dumps(value).encode())
                where[name] = before


def _places(replies: tuple[Reply, ...]) -> list[_Place]:
    """Return where JSON is: which reply, which piece of it, and where in the piece."""
    return [
        (index, number, found)
        for index, reply in enumerate(replies)
        for number, piece in enumerate(reply.pieces)
        if (found := _document(piece)) is not None
    ]


def _replaced(replies: tuple[Reply, ...], place: _Place, document: bytes) -> tuple[Reply, ...]:
    index, number, found = place
    reply = replies[index]
    piece = reply.pieces[number]
    changed = piece[: found.start()] + document + piece[found.end() :]
    pieces = (*reply.pieces[:number], changed, *reply.pieces[number + 1 :])
    return (*replies[:index], attrs.evolve(reply, pieces=pieces), *replies[index + 1 :])


def _document(piece: bytes) -> re.Match[bytes] | None:
    found = _JSON.search(piece)
    try:
        return found if found is not None and json.loads(found.group()) else None
    except ValueError:
        return None


def _changed(document: bytes, chance: random.Random) -> bytes:
    value = json.loads(document)
    where, name = chance.choice(list(_members(value)))
    if isinstance(where, dict) and chance.random() < 0.2:  # noqa: PLR2004 - every fifth is left out
        del where[name]
    else:
        where[name] = copy.deepcopy(chance.choice(_ANYTHING))
    return json.dumps(value).encode()


def _members(value: Any) -> Iterator[tuple[Any, Any]]:
    for name in list(value) if isinstance(value, dict) else range(len(value)):
        yield value, name
        if isinstance(value[name], dict | list):
            yield from _members(value[name])
