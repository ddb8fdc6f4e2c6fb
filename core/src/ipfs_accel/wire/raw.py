"""Any request of a provider's API, for what has no operation.

    class Acme(RawRequests):
        def placed(self, endpoint, send):
            return attrs.evolve(send, path=f"/v2{send.path}")

A plugin whose calls go over HTTP gets the hooks `request` and `stream_request` from this class. `placed` says where a
path is, below the endpoint's base URL, and what every request of the API has to have.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, cast

import attrs

from ipfs_accel.hookspecs import BackendInfo, hookimpl
from ipfs_accel.plans import Endpoint, Http, HttpRequest

from .late import late

if TYPE_CHECKING:
    from ipfs_accel.plans import Plan, StreamPlan
    from ipfs_accel.types import RawRequest, RawResponse, Transfer

    from . import raw_plans
else:  # most programs need no such request
    (raw_plans,) = late(__package__, "raw_plans")

__all__ = ["RawRequests", "unversioned"]

_VERSION = re.compile(r"/v\d\w*$")


class RawRequests:
    """The hooks for any request of an API over HTTP."""

    def placed(self, endpoint: Endpoint, send: HttpRequest) -> HttpRequest:
        """Return a request as it goes out, given one with the caller's path; a version is not said twice."""
        return attrs.evolve(send, path=unversioned(endpoint.base_url, send.path))

    @hookimpl
    def request(self, endpoint: Endpoint, request: RawRequest) -> Plan[RawResponse]:
        """Plan what the caller asks for."""
        return Http(send=self._sent(endpoint, request), parse=raw_plans.read)

    @hookimpl
    def stream_request(self, endpoint: Endpoint, request: RawRequest) -> StreamPlan[Transfer]:
        """Plan the same as a stream: of events, of lines, or of bytes, as the server says."""
        return raw_plans.streamed(self._sent(endpoint, request), as_bytes=request.as_bytes)

    def _sent(self, endpoint: Endpoint, request: RawRequest) -> HttpRequest:
        info: BackendInfo = cast("Any", self).describe()  # it is mixed into a plugin, which has this hook
        return self.placed(endpoint, raw_plans.written(info, endpoint, request))


def unversioned(base_url: str, path: str) -> str:
    """Return a path without the version at its beginning if the base URL ends with the same."""
    version = _VERSION.search(base_url)
    return path[len(version[0]) :] if version is not None and path.startswith(f"{version[0]}/") else path
