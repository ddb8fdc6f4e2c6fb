"""The hooks for any request of a provider's API; part of `hookspecs`, which says what a hook is.

`ipfs_accel.wire.raw.RawRequests` implements both for a backend over HTTP.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import pluggy

if TYPE_CHECKING:
    from ipfs_accel.plans import Endpoint, Plan, StreamPlan
    from ipfs_accel.types import RawRequest, RawResponse, Transfer

__all__ = ["RAW_OPERATIONS", "request", "stream_request"]

hookspec = pluggy.HookspecMarker("ipfs_accel")

RAW_OPERATIONS: tuple[str, ...] = ("request", "stream_request")
"""In the order in which they are shown. Of what they do nobody but the caller knows."""


@hookspec(firstresult=True)
def request(endpoint: Endpoint, request: RawRequest) -> Plan[RawResponse]:  # type: ignore[empty-body]
    """Plan any request of the provider's API, below the place that the endpoint's key is for."""


@hookspec(firstresult=True)
def stream_request(endpoint: Endpoint, request: RawRequest) -> StreamPlan[Transfer]:  # type: ignore[empty-body]
    """Plan the same as a stream, with `ServerEvent` or `DataDelta` events, as the server says what it sends."""
