"""What TGI and TEI have in common: one model, of which /info tells, and routes of the clouds that host them."""

from __future__ import annotations

from collections.abc import Callable, Generator, Mapping, Sequence
from typing import Any

from ipfs_accel import hookimpl
from ipfs_accel.plans import Endpoint, Flow, Http, HttpResponse, Plan, get, post_json
from ipfs_accel.types import Health, ModelInfo

from ._places import root

__all__ = ["COMMON_CALLS", "OneModel"]


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
        """Plan GET /health, which is 503 while the model is not ready, and GET /info for the version."""

        def steps() -> Generator[Any, Any, Plan[Health]]:
            yield Http(send=get("/health", base_url=root(endpoint)), parse=HttpResponse.text)
            return Http(send=get("/info", base_url=root(endpoint)), parse=self._read_version)

        return Flow(steps=steps)


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
