"""Answers in which a server put something else into one member than its protocol says."""

from __future__ import annotations

import copy
import json
import random
import re
from collections.abc import Iterator
from typing import Any

import attrs

from .replies import Reply

__all__ = ["mangled"]

_JSON = re.compile(rb"[\[{].*[\]}]", re.DOTALL)
_ANYTHING: tuple[Any, ...] = (
    *(None, True, False, 0, -1, 2**63, 1e308, "", "x", "7", "\u2028", [], [None], [[]], {}, {"x": None}),
    *([{}], {"type": 1}, {"error": 1}, "x" * 5000),
)


def mangled(replies: tuple[Reply, ...], count: int) -> Iterator[tuple[Reply, ...]]:
    """Return the same replies `count` times, each time with one member of some JSON in them changed or left out.

    Which ones is a matter of chance, and the same for the same replies. Replies without JSON give nothing.
    """
    places = [
        (index, number, found)
        for index, reply in enumerate(replies)
        for number, piece in enumerate(reply.pieces)
        if (found := _document(piece)) is not None
    ]
    chance = random.Random(len(places))  # noqa: S311 - nothing is secret here
    for _ in range(count if places else 0):
        index, number, found = chance.choice(places)
        reply = replies[index]
        piece = reply.pieces[number]
        changed = piece[: found.start()] + _changed(found.group(), chance) + piece[found.end() :]
        pieces = (*reply.pieces[:number], changed, *reply.pieces[number + 1 :])
        yield (*replies[:index], attrs.evolve(reply, pieces=pieces), *replies[index + 1 :])


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
