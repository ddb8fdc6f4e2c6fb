"""Which services there are, where they are, and what they can do.

OPEA has no gateway: each service is a server of its own. An endpoint's base URL is that of one service; `services` in
its options names the others. What a service can do is the list of paths in its own OpenAPI document.
"""

from __future__ import annotations

from collections.abc import Generator, Mapping
from typing import Any

import attrs
from ipfs_accel.errors import APIError, InvalidRequestError, InvalidResponseError, UnsupportedOperationError
from ipfs_accel.plans import Endpoint, Http, HttpResponse, get

__all__ = ["MEGASERVICES", "Options", "Service", "chat_service", "name_of", "paths", "root", "roots", "service"]

LLM = "/v1/chat/completions"

# Name, which is the model's id, to path; all are orchestrators that take a chat.
MEGASERVICES: dict[str, str] = {
    name: f"/v1/{name}"
    for name in (
        *("chatqna", "graphrag", "hybridrag", "codegen", "searchqna", "docsum", "faqgen", "visualqna", "videoqna"),
        *("multimodalqna", "arb-post-hearing"),
    )
}
# What each of the other services is called in `services`.
_PATHS: dict[str, str] = {
    "embeddings": "/v1/embeddings",
    "reranking": "/v1/reranking",
    "retrieval": "/v1/retrieval",
    "dataprep": "/v1/dataprep",
    "guardrails": "/v1/guardrails",
    "transcription": "/v1/audio/transcriptions",
    "speech": "/v1/audio/speech",
    "images": "/v1/text2image",
    "lvm": "/v1/lvm",
}


@attrs.frozen(kw_only=True)
class Options:
    """Settings of an OPEA endpoint.

    Attributes:
        services: Name of a service to its base URL, for those that are not at the endpoint's own: llm, the name of a
            megaservice such as chatqna, embeddings, reranking, retrieval, dataprep, guardrails, transcription, speech,
            images, lvm. The endpoint's key is not sent to another origin than its own.
        service: The service that chats go to where the model's id names none; None means what the server has.
    """

    services: Mapping[str, str] = attrs.field(factory=dict)
    service: str | None = None


@attrs.frozen(kw_only=True)
class Service:
    """Where to send something: the base URL (None is the endpoint's own) and the path."""

    name: str
    base_url: str | None
    path: str


def root(url: str) -> str:
    """Return a base URL without the /v1 that users often copy along."""
    return url.rstrip("/").removesuffix("/v1")


def service(endpoint: Endpoint, name: str, path: str | None = None) -> Service:
    """Return where a service is."""
    url = endpoint.options.services.get(name)
    base_url = root(url if url is not None else endpoint.base_url) or None
    return Service(name=name, base_url=base_url, path=path or _PATHS.get(name) or MEGASERVICES.get(name) or LLM)


def roots(endpoint: Endpoint) -> dict[str, str]:
    """Return every distinct base URL with the name of a service that is there."""
    found: dict[str, str] = {}
    if endpoint.base_url:
        found[root(endpoint.base_url)] = endpoint.options.service or "the endpoint's own"
    for name, url in endpoint.options.services.items():
        found.setdefault(root(url), name)
    return found


def paths(base_url: str, endpoint: Endpoint) -> Generator[Any, Any, frozenset[str]]:
    """Return the paths that take a POST at a server; empty where a proxy hides the document that lists them."""
    known: frozenset[str] | None = endpoint.memo.get(("paths", base_url))
    if known is None:
        try:
            known = yield Http(send=get("/openapi.json", base_url=base_url), parse=_read_paths)
        except InvalidResponseError:
            known = frozenset()
        except APIError as error:
            if error.status is None:
                raise
            known = frozenset()
        endpoint.memo["paths", base_url] = known
    return known


def _read_paths(response: HttpResponse) -> frozenset[str]:
    body = response.json()
    found = body.get("paths") if isinstance(body, dict) else None
    if not isinstance(found, dict):
        raise InvalidResponseError("the server's OpenAPI document lists no paths")
    return frozenset([path for path, methods in found.items() if "post" in methods])


def name_of(model: str) -> str | None:
    """Return the service that a model's id names; None if it is an id of the model behind the service."""
    return model if model in MEGASERVICES or model == "llm" else None


def chat_service(endpoint: Endpoint, model: str) -> Generator[Any, Any, Service]:
    """Return where a chat goes: where the model's id says, else where the options say, else what the server has."""
    name = name_of(model) or endpoint.options.service
    if name is None and len(endpoint.options.services) and not endpoint.base_url:
        name = next((each for each in endpoint.options.services if each == "llm" or each in MEGASERVICES), None)
    if name is not None:
        return service(endpoint, name)
    if not endpoint.base_url:
        raise InvalidRequestError("none of the endpoint's services takes chats", hint="add llm or chatqna to services")
    found = yield from paths(root(endpoint.base_url), endpoint)
    if not found or LLM in found:
        return service(endpoint, "llm")
    for each, path in MEGASERVICES.items():
        if path in found:
            return service(endpoint, each)
    raise UnsupportedOperationError(
        "the service takes no chats", hint=f"it has: {', '.join(sorted(found)) or 'nothing'}; name another in services"
    )
