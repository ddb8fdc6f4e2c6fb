"""Requests that were written for Ollama, passed on: where they go, and what is known of their answers."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from ipfs_accel.errors import APIError, InvalidResponseError
from ipfs_accel.plans import Endpoint, HttpRequest, Relay
from ipfs_accel.types import Usage

from ._errors import checked

if TYPE_CHECKING:
    from ipfs_accel.types import RelayRequest

__all__ = ["relayed"]

_ROUTES = {
    "ollama.chat": "/api/chat",
    "ollama.generate": "/api/generate",
    "ollama.embed": "/api/embed",
    "ollama.embeddings": "/api/embeddings",
}
_COUNT = re.compile(rb'"(prompt_eval_count|eval_count)":\s*(\d+)')
# What only the last line of a stream has; what comes between the two may be longer than what is looked at.
_MARK = re.compile(rb'"done":\s*true|"total_duration":')
_LOOKED_AT = 64
"""Bytes of a line's beginning in which an error would show: it is its first member."""


class _Lines:
    """A `RelayFormat` of whole answers and of lines."""

    def usage(self, head: bytes, tail: bytes) -> Usage | None:  # noqa: ARG002 - it is told at the end alone
        """Return what an answer used; a name in its quotes stands in no text of JSON."""
        found = {name: int(number) for name, number in _COUNT.findall(tail)}
        if not found:
            return None
        return Usage(input_tokens=found.get(b"prompt_eval_count"), output_tokens=found.get(b"eval_count"))

    def is_whole(self, tail: bytes) -> bool:
        """Whether the last line says so."""
        last = tail.rstrip().rpartition(b"\n")[2]
        return _MARK.search(last) is not None

    def failure(self, first: bytes) -> APIError | None:
        """Return the error that the first line is."""
        if b'"error"' not in first[:_LOOKED_AT]:
            return None
        try:
            checked(json.loads(first.partition(b"\n")[0]))
        except APIError as error:
            return error if not isinstance(error, InvalidResponseError) else None
        except (ValueError, RecursionError):
            pass  # the beginning of a long one
        return None


_LINES = _Lines()


def relayed(endpoint: Endpoint, request: RelayRequest) -> Relay | None:
    """Plan one request to the route for which it was written."""
    route = _ROUTES.get(request.dialect)
    if route is None or not _says_all(endpoint, request.members):
        return None
    headers = (("content-type", "application/json"), *request.headers)
    send = HttpRequest(method="POST", path=route, query=request.query, headers=headers, content=request.content)
    return Relay(send=send, reads=_LINES, any_type=True)


def _says_all(endpoint: Endpoint, members: Mapping[str, Any]) -> bool:
    """Whether a request says by itself what the endpoint's settings would add."""
    settings, options = endpoint.options, members.get("options")
    said = options if isinstance(options, Mapping) else {}
    return (settings.num_ctx is None or "num_ctx" in said) and (settings.keep_alive is None or "keep_alive" in members)
