"""Many inputs in few requests: split to what the server takes at once, some requests under way together."""

from __future__ import annotations

import re
from collections.abc import Callable, Generator, Sequence
from typing import Any, TypeVar

import attrs
from ipfs_accel import strict_json
from ipfs_accel.errors import AccelError, APIStatusError, RateLimitError
from ipfs_accel.plans import Endpoint, Flow, Http, HttpResponse, Plan, Ready, get, side_by_side
from ipfs_accel.types import Usage
from ipfs_accel.wire.fields import field
from ipfs_accel.wire.openai_errors import checked

from ._places import root

__all__ = ["added", "in_batches", "used"]

T = TypeVar("T")

# What a server has that was not told otherwise, and how a gateway says that it does not show what there is.
_USUAL = (32, 512)
_HIDDEN = frozenset({401, 403, 404, 405})
_MOST = re.compile(r"batch size \d+ > maximum allowed batch size (\d+)", re.ASCII)

PAYLOAD = 2_000_000 - 1_000
"""Bytes that a body may have unless the server was told otherwise, with some room for its other fields."""


@attrs.frozen(kw_only=True)
class _Limits:
    """What a server takes: inputs per request, and requests of that size at once."""

    batch: int
    parallel: int


def in_batches(
    endpoint: Endpoint,
    items: tuple[Any, ...],
    plan: Callable[[tuple[Any, ...], int], Http[T]],
    join: Callable[[list[T]], T],
    *,
    also: str = "",
    beside: int = 0,
    keep: Callable[[AccelError, dict[int, T], range], None] | None = None,
) -> Plan[T]:
    """Plan one request, or as many as the items need; once more if the server says that its limit is another by now.

    Args:
        endpoint: Where to.
        items: What to split; each is text, a pair of texts, or token ids.
        plan: Makes the request for some of them, given also the position of the first.
        join: Makes one answer of several.
        also: Text that goes with every request.
        beside: How many inputs the server counts beside the items.
        keep: Is given a failure of one request, what came of others by the position of their first item, and the
            positions of the items whose request failed.
    """
    if len(items) <= 1:
        return plan(items, 0)

    def sent(limits: _Limits) -> Generator[Any, Any, T]:
        batches = _split(items, max(1, limits.batch - beside), PAYLOAD - _weight(also))
        if len(batches) == 1:
            return (yield plan(items, 0))  # type: ignore[no-any-return]
        plans = [plan(batch, offset) for batch, offset in batches]
        came: dict[int, T] = {}
        try:
            return join((yield from side_by_side(plans, limits.parallel, came)))
        except AccelError as error:
            failed = next((each for index, each in enumerate(batches) if index not in came), None)
            if keep is not None and failed is not None:  # they begin in order, so the first without an answer failed
                by_place = {batches[index][1]: answer for index, answer in came.items()}
                keep(error, by_place, range(failed[1], failed[1] + len(failed[0])))
            raise

    def steps() -> Generator[Any, Any, Ready[T]]:
        limits = yield from _limits(endpoint)
        try:
            return Ready(value=(yield from sent(limits)))
        except APIStatusError as error:
            found = _MOST.search(error.message)
            if found is not None or isinstance(error, RateLimitError):  # too few permits for what was under way
                endpoint.memo.pop("limits", None)
            if found is None:
                raise
        limits = yield from _limits(endpoint, int(found[1]))
        return Ready(value=(yield from sent(limits)))

    return Flow(steps=steps)


def _limits(endpoint: Endpoint, most: int | None = None) -> Generator[Any, Any, _Limits]:
    """Ask once. Every input takes one of the server's permits, so batches times their size have to stay below them.

    `most` is what the server said of its batches when it refused one; behind a gateway it may say nothing else.
    """
    options = endpoint.options
    found: Any = endpoint.memo.get("limits")
    if found is None:
        try:
            found = yield Http(send=get("/info", base_url=root(endpoint)), parse=_read_limits)
        except APIStatusError as error:
            if error.status not in _HIDDEN:
                raise
        batch, permits = found or _USUAL
        found = endpoint.memo["limits"] = (batch if most is None else max(1, min(batch, most)), permits)
    batch, permits = found
    return _Limits(batch=batch, parallel=max(1, min(options.parallel, permits // batch)))


def _read_limits(response: HttpResponse) -> tuple[int, int] | None:
    """Return inputs per request and permits; None for a page that a gateway shows instead."""
    if response.body.lstrip()[:1] not in {b"{", b"["}:
        return None
    body = checked(response.json())
    return max(1, field(body, "max_client_batch_size", int)), field(body, "max_concurrent_requests", int)


def _split(items: Sequence[Any], most: int, room: int) -> list[tuple[tuple[Any, ...], int]]:
    """Cut items into batches of at most `most` and about `room` bytes; returns each with its first one's position."""
    batches: list[tuple[tuple[Any, ...], int]] = []
    start, size = 0, 0
    for index, item in enumerate(items):
        weight = _weight(item)
        if index > start and (index - start == most or size + weight > room):
            batches.append((tuple(items[start:index]), start))
            start, size = index, 0
        size += weight
    return [*batches, (tuple(items[start:]), start)]


def _weight(item: Any) -> int:
    return len(strict_json.dumps(item)) + 3


def used(response: HttpResponse) -> Usage:
    """Return the tokens of a request, which all routes but OpenAI's tell in a header."""
    value = response.headers.get("x-compute-tokens")
    return Usage(input_tokens=int(value) if value and value.isdecimal() else None)


def added(usages: Sequence[Usage]) -> Usage:
    """Return the tokens of several requests together; unknown if one of them is."""
    counts = [usage.input_tokens for usage in usages if usage.input_tokens is not None]
    return Usage(input_tokens=sum(counts) if len(counts) == len(usages) else None)
