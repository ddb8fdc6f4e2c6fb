"""Requests that are not messages: their headers, and lists that come page by page."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

import attrs
from ipfs_accel.plans import Endpoint, Http, HttpRequest, HttpResponse, Pairs, Plan, post_json
from ipfs_accel.wire.fields import field
from ipfs_accel.wire.lists import Page, paged

from ._requests import NEWEST

__all__ = ["ask", "listed", "nothing", "placed", "post", "root"]

T = TypeVar("T")

MAX_PAGE = 1000
_DATED = "anthropic-version"


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
    headers = (("accept", accept), (_DATED, NEWEST))
    return HttpRequest(method=method, path=path, query=query, headers=headers, base_url=root(endpoint))


def placed(endpoint: Endpoint, send: HttpRequest) -> HttpRequest:
    """Return a caller's request where the API has it: below /v1, with the version of the API unless it names one."""
    path = send.path if send.path.startswith("/v1/") else f"/v1{send.path}"
    dated = () if any(name.lower() == _DATED for name, _ in send.headers) else ((_DATED, NEWEST),)
    return attrs.evolve(send, path=path, headers=(*send.headers, *dated), base_url=root(endpoint))


def nothing(_response: HttpResponse) -> None:
    """Read the answer to a deletion, which says nothing that is not known."""


def listed(
    endpoint: Endpoint, path: str, read: Callable[[Any], T], limit: int | None = None, query: Pairs = ()
) -> Plan[tuple[T, ...]]:
    """Plan GET of a list, page by page, at most `limit` items of it."""

    def parse(response: HttpResponse) -> Page[T]:
        body = response.json()
        return [read(item) for item in field(body, "data", list)], _next_page(body)

    def page(size: int, after: Pairs | None) -> Http[Page[T]]:
        send = ask(endpoint, path, query=(("limit", str(size)), *query, *(after or ())))
        return Http(send=send, parse=parse)

    return paged(page, limit=limit, most=MAX_PAGE)


def _next_page(body: dict[str, Any]) -> Pairs | None:
    """Return the query of the next page; files have another one than the rest."""
    if body.get("next_page"):
        return (("page", field(body, "next_page", str)),)
    return (("after_id", field(body, "last_id", str)),) if body.get("has_more") else None
