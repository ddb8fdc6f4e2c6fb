"""Calls that only Ollama has, for `client.call("ollama", name, …)`; their answers are the server's JSON."""

from __future__ import annotations

import re
from collections.abc import Callable, Generator, Mapping
from typing import Any, TypeAlias

from ipfs_accel.errors import InvalidRequestError, NotFoundError
from ipfs_accel.plans import Endpoint, Flow, Http, HttpRequest, HttpResponse, Plan, Ready, get, post_json
from ipfs_accel.types import Request, Upload

from ._errors import checked
from ._host import is_cloud
from ._manage import blob_steps, nothing
from ._requests import finished

__all__ = ["CALLS"]

Call: TypeAlias = Callable[..., Plan[Any]]

_DIGEST = re.compile(r"sha256:[0-9a-f]{64}", re.ASCII)


def _read(response: HttpResponse) -> Any:
    return checked(response.json())


def _post(path: str, body: Mapping[str, Any]) -> Plan[Any]:
    return Http(send=post_json(path, {name: value for name, value in body.items() if value is not None}), parse=_read)


def version(_endpoint: Endpoint) -> Plan[Any]:
    """The server's version; {"version": …}."""
    return Http(send=get("/api/version"), parse=_read)


def status(_endpoint: Endpoint) -> Plan[Any]:
    """Whether the server may use the cloud."""
    return Http(send=get("/api/status"), parse=_read)


def show(_endpoint: Endpoint, *, model: str, verbose: bool = False) -> Plan[Any]:
    """All of a model: licence, modelfile, parameters, template, metadata; `verbose` adds its tokens and tensors."""
    return _post("/api/show", {"model": model, "verbose": verbose or None})


def embeddings(endpoint: Endpoint, *, model: str, prompt: str, **extra: Any) -> Plan[Any]:
    """One vector that is not normalised, by the deprecated route; {"embedding": […]}."""
    return _post("/api/embeddings", finished(endpoint, Request(extra=extra), {"model": model, "prompt": prompt}, {}))


def blob_exists(_endpoint: Endpoint, *, digest: str) -> Plan[bool]:
    """Whether the server has a file of this digest, given as sha256:…."""
    if not _DIGEST.fullmatch(digest):
        raise InvalidRequestError(f"digest: expected sha256: and 64 hexadecimal digits, got {digest!r}")

    def steps() -> Generator[Any, Any, Ready[bool]]:
        try:
            yield Http(send=HttpRequest(method="HEAD", path=f"/api/blobs/{digest}"), parse=nothing)
        except NotFoundError:
            return Ready(value=False)
        return Ready(value=True)

    return Flow(steps=steps)


def create_blob(_endpoint: Endpoint, *, file: Any) -> Plan[str]:
    """Send a file unless the server has it; returns its digest."""
    upload = Upload.of(file)

    def steps() -> Generator[Any, Any, Ready[str]]:
        return Ready(value=(yield from blob_steps(upload)))

    return Flow(steps=steps)


def me(_endpoint: Endpoint) -> Plan[Any]:
    """The account of ollama.com that the server is signed in with."""
    return _post("/api/me", {})


def signout(_endpoint: Endpoint) -> Plan[Any]:
    """Sign the server out of ollama.com."""
    return Http(send=post_json("/api/signout", {}), parse=HttpResponse.json)


def _searched(endpoint: Endpoint, name: str, body: Mapping[str, Any]) -> Plan[Any]:
    """Ask the hosted service, or have the server ask it."""
    return _post(f"/api/{'' if is_cloud(endpoint.base_url) else 'experimental/'}{name}", body)


def web_search(endpoint: Endpoint, *, query: str, max_results: int | None = None) -> Plan[Any]:
    """Search the web, at most 10 results; {"results": [{title, url, content}]}."""
    return _searched(endpoint, "web_search", {"query": query, "max_results": max_results})


def web_fetch(endpoint: Endpoint, *, url: str) -> Plan[Any]:
    """Read a page of the web; {title, content, links}."""
    return _searched(endpoint, "web_fetch", {"url": url})


def recommendations(_endpoint: Endpoint) -> Plan[Any]:
    """Models that the cloud recommends."""
    return Http(send=get("/api/experimental/model-recommendations"), parse=_read)


def systemone(
    _endpoint: Endpoint, *, model: str, state: Any, questions: Mapping[str, Any], keep_alive: Any = None
) -> Plan[Any]:
    """Score typed questions about a state with a decision model, on servers that have this route."""
    body = {"model": model, "state": state, "questions": questions, "keep_alive": keep_alive}
    return _post("/v1/systemone", body)


CALLS: Mapping[str, Call] = {
    "blob_exists": blob_exists,
    "create_blob": create_blob,
    "embeddings": embeddings,
    "me": me,
    "recommendations": recommendations,
    "show": show,
    "signout": signout,
    "status": status,
    "systemone": systemone,
    "version": version,
    "web_fetch": web_fetch,
    "web_search": web_search,
}
