"""Where routes are."""

from __future__ import annotations

import attrs
from ipfs_accel.plans import Endpoint, HttpRequest, segment

__all__ = ["model_path", "placed", "root"]


def root(endpoint: Endpoint) -> str:
    """Return the base URL without the /v1 that belongs to the OpenAI routes only."""
    return endpoint.base_url.removesuffix("/v1")


def placed(endpoint: Endpoint, send: HttpRequest) -> HttpRequest:
    """Return a caller's request below the root, since there are routes beside /v1."""
    return attrs.evolve(send, base_url=root(endpoint))


def model_path(model: str) -> str:
    """Quote a model's id on the Hub, owner and name, as the segments of a path that it is."""
    return "/".join([segment(part) for part in model.split("/")])
