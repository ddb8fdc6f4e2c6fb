"""Requests that are not messages: their headers, and lists that come page by page."""

from __future__ import annotations

from collections.abc import Callable, Generator
from typing import Any, TypeVar

from ipfs_accel.errors import InvalidResponseError
from ipfs_accel.plans import Endpoint, Flow, Http, HttpRequest, HttpResponse, Pairs, Plan, Ready, post_json
from ipfs_accel.wire.fields import field

from ._requests import NEWEST

__all__ = ["ask", "listed", "nothing", "post", "root"]

T = TypeVar("T")

MAX_PAGE = 1000


def root(endpoint: Endpoint) -> str:
    """Return the base URL without the /v1 that users often copy along."""
    return endpoint.base_url.removesuffix("/v1")


def post(endpoint: Endpoint, path: str, body: dict[str, Any], headers: Pairs) -> HttpRequest:
    """Make a POST request with JSON."""
    return post_json(path, body, headers=headers, base_url=root(endpoint))


def ask(
    endpoint: Endpoint, path: str, *, method: str = "GET", query: Pairs = (), accept: str = "application/json"
) -> HttpRequest:
    """Make a request without a body."""
    headers = (("accept", accept), ("anthropic-version", NEWEST))
    return HttpRequest(method=method, path=path, query=query, headers=headers, base_url=root(endpoint))


def nothing(_response: HttpResponse) -> None:
    """Read the answer to a deletion, which says nothing that is not known."""


def listed(
    endpoint: Endpoint, path: str, read: Callable[[Any], T], limit: int | None = None, query: Pairs = ()
) -> Plan[tuple[T, ...]]:
    """Plan GET of a list, page by page, at most `limit` items of it."""

    def parse(response: HttpResponse) -> tuple[list[T], Pairs]:
        body = response.json()
        return [read(item) for item in field(body, "data", list)], _next_page(body)

    def steps() -> Generator[Plan[Any], Any, Ready[tuple[T, ...]]]:
        found: list[T] = []
        size = MAX_PAGE if limit is None else min(limit, MAX_PAGE)
        after: Pairs = ()
        while True:
            send = ask(endpoint, path, query=(("limit", str(size)), *query, *after))
            items, following = yield Http(send=send, parse=parse)
            found += items
            if not following or (limit is not None and len(found) >= limit):
                return Ready(value=tuple(found[:limit]))
            if following == after:
                raise InvalidResponseError(f"the list at {path} does not go on: its next page is the same again")
            after = following

    return Flow(steps=steps)


def _next_page(body: dict[str, Any]) -> Pairs:
    """Return the query of the next page; files have another one than the rest."""
    if body.get("next_page"):
        return (("page", field(body, "next_page", str)),)
    return (("after_id", field(body, "last_id", str)),) if body.get("has_more") else ()
