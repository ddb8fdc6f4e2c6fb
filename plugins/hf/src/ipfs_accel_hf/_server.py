"""What TGI and TEI have in common: one model, of which /info tells, and routes of the clouds that host them."""

from __future__ import annotations

from collections.abc import Callable, Generator, Mapping, Sequence
from typing import Any

from ipfs_accel import hookimpl
from ipfs_accel.errors import OverloadedError
from ipfs_accel.plans import Endpoint, Flow, Http, HttpResponse, Plan, Ready, get, post_json
from ipfs_accel.types import Health, ModelInfo

from ._places import root

__all__ = ["COMMON_CALLS", "OneModel", "health_steps"]

_UNHEALTHY = frozenset({"healthcheck", "unhealthy"})
"""What TGI and TEI call it."""


class OneModel:
    """The hooks of a server with one model, given how its /info is read: as a model, and as the server's state."""

    def __init__(
        self, read_info: Callable[[HttpResponse], ModelInfo], read_version: Callable[[HttpResponse], Health]
    ) -> None:
        self._read_info = read_info
        self._read_version = read_version

    @hookimpl
    def list_models(self, endpoint: Endpoint) -> Plan[tuple[ModelInfo, ...]]:
        """Plan GET /info, which tells all of the one model."""
        return Http(send=get("/info", base_url=root(endpoint)), parse=lambda response: (self._read_info(response),))

    @hookimpl
    def show_model(self, endpoint: Endpoint, model: str) -> Plan[ModelInfo]:  # noqa: ARG002 - there is one
        """Plan GET /info. The server answers to any name, so the answer's `id` says what is really served."""
        return Http(send=get("/info", base_url=root(endpoint)), parse=self._read_info)

    @hookimpl
    def healthcheck(self, endpoint: Endpoint) -> Plan[Health]:
        """Plan GET /health, and GET /info for the version."""
        return Flow(steps=lambda: health_steps(endpoint, self._read_version))


def health_steps(
    endpoint: Endpoint, read_version: Callable[[HttpResponse], Health] | None = None
) -> Generator[Any, Any, Plan[Health]]:
    """Ask TGI or TEI, or another engine of a dedicated endpoint, how it is; and for its version, if it can be read.

    TGI and TEI open their port once the model is there: a 503 of their own says that what runs it has failed.
    """
    try:
        health = yield Http(send=get("/health", base_url=root(endpoint)), parse=_alive)
    except OverloadedError as error:
        if error.code not in _UNHEALTHY:
            raise  # of a proxy before it, such as that of an endpoint that is scaled to zero
        said = "the server answers, and what runs its model does not"
        return Ready(value=Health(status="unhealthy", detail=f"{said} ({error.message})"))
    if read_version is None:
        return Ready(value=health)
    return Http(send=get("/info", base_url=root(endpoint)), parse=read_version)


def _alive(response: HttpResponse) -> Health:
    return Health(status="ok", server=response.headers.get("server"))


def info(endpoint: Endpoint) -> Plan[Any]:
    """The server's model, limits and version."""
    return Http(send=get("/info", base_url=root(endpoint)), parse=HttpResponse.json)


def metrics(endpoint: Endpoint) -> Plan[str]:
    """Counters as Prometheus text."""
    return Http(send=get("/metrics", base_url=root(endpoint)), parse=HttpResponse.text)


def invocations(endpoint: Endpoint, *, body: Mapping[str, Any]) -> Plan[Any]:
    """SageMaker's route, which takes the body of the route that the model is for."""
    return Http(send=post_json("/invocations", dict(body), base_url=root(endpoint)), parse=HttpResponse.json)


def vertex(endpoint: Endpoint, *, instances: Sequence[Any]) -> Plan[Any]:
    """Vertex AI's route, which takes several bodies at once; TGI answers each, a chat too, with its text alone."""
    return Http(
        send=post_json("/vertex", {"instances": list(instances)}, base_url=root(endpoint)), parse=HttpResponse.json
    )


COMMON_CALLS: Mapping[str, Callable[..., Plan[Any]]] = {
    "info": info,
    "invocations": invocations,
    "metrics": metrics,
    "vertex": vertex,
}
