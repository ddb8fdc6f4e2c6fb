"""Models: what the API tells of them, and what the catalogue adds for Google's own services."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from typing import Any
from urllib.parse import urlsplit

import attrs
from ipfs_accel.capabilities import Support
from ipfs_accel.catalogue import Catalogue
from ipfs_accel.plans import Endpoint, Http, HttpRequest, HttpResponse, Plan
from ipfs_accel.types import Health, ModelInfo
from ipfs_accel.wire.fields import field, optional

from ._fields import number
from ._routes import ask, checked, listed, model_name, path_of, quoted, scope, version

__all__ = ["catalogue", "described", "every", "health", "one", "prices_hold"]

_METHODS = {
    "generateContent": ("chat", "stream"),
    "embedContent": ("embed",),
    "countTokens": ("count_tokens",),
    "batchGenerateContent": ("batch",),
    "createCachedContent": ("caching",),
}
_ALWAYS_TOLD = ("generateContent", "embedContent")
_PRICES = tuple([each.name for each in attrs.fields(ModelInfo) if each.name.endswith("_price")])
_HOSTS = ("generativelanguage.googleapis.com", "aiplatform.googleapis.com")


def every(endpoint: Endpoint) -> Plan[tuple[ModelInfo, ...]]:
    """Plan GET /models, page by page."""
    path, name = _list(endpoint)
    most = {} if not endpoint.options.vertex else {"most": 100}
    return listed(endpoint, path, name, lambda item: described(endpoint, _read(item)), **most)


def one(endpoint: Endpoint, model: str) -> Plan[ModelInfo]:
    """Plan GET /models/{id}."""
    name = model_name(endpoint, model)
    is_google = name.startswith("publishers/")  # belongs to no project, as the list below
    send = ask(endpoint, f"/{version(endpoint)}/{quoted(name)}" if is_google else path_of(endpoint, name))
    return Http(send=send, parse=lambda response: described(endpoint, _read(checked(response))))


def health(endpoint: Endpoint) -> Plan[Health]:
    """Plan GET /models, which is free and needs the key."""
    path, name = _list(endpoint)

    def read(response: HttpResponse) -> Health:
        count = len(optional(checked(response), name, list) or ())
        return Health(status="ok", server=response.headers.get("server"), detail=f"it lists {count} models or more")

    send: HttpRequest = ask(endpoint, path, query=(("pageSize", "50"),))
    return Http(send=send, parse=read)


def _list(endpoint: Endpoint) -> tuple[str, str]:
    """Return the path of the list and what the answer calls it; Google's own models belong to no project."""
    if endpoint.options.vertex:
        return f"/{version(endpoint)}/publishers/google/models", "publisherModels"
    return f"/{version(endpoint)}/models", "models"


def described(endpoint: Endpoint, model: ModelInfo) -> ModelInfo:
    """Add what the catalogue knows, for Google's own services; regions of Vertex AI have prices of their own."""
    if not (urlsplit(endpoint.base_url).hostname or "").endswith(_HOSTS):
        return model
    known = catalogue().describe(attrs.evolve(model, id=model.id.rpartition("/")[2]))
    if endpoint.options.vertex and not scope(endpoint).endswith("/global"):
        unknown: dict[str, Any] = dict.fromkeys(_PRICES)
        known = attrs.evolve(known, **unknown)
    return attrs.evolve(known, id=model.id)


@cache
def catalogue() -> Catalogue:
    """Read what the plugin knows of models."""
    return Catalogue.load("ipfs_accel_gemini")


def prices_hold(extra: Mapping[str, Any]) -> bool:
    """Whether an answer costs what the catalogue says: not if it was searched for, or came from bought throughput."""
    grounding, cached = extra.get("groundingMetadata"), extra.get("cacheTokensDetails")
    searched = isinstance(grounding, dict) and any(
        grounding.get(name) for name in ("webSearchQueries", "imageSearchQueries", "groundingChunks")
    )
    heard = isinstance(cached, list) and any(each.get("modality") == "AUDIO" for each in cached)
    return not searched and not heard and extra.get("trafficType") in (None, "ON_DEMAND")


def _read(item: Any) -> ModelInfo:
    name = field(item, "name", str)
    methods = optional(item, "supportedGenerationMethods", list)
    features = {
        feature: Support("yes" if method in methods else "no", "server")
        for method, names in _METHODS.items()
        for feature in names
        if methods is not None and (method in methods or method in _ALWAYS_TOLD)
    }
    if isinstance(item.get("thinking"), bool):
        features["reasoning"] = Support("yes" if item["thinking"] else "no", "server")
    return ModelInfo(
        id=name.removeprefix("models/").removeprefix("publishers/google/models/"),
        description=optional(item, "displayName", str) or optional(item, "description", str),
        owned_by="google" if "gemini" in name or name.startswith("publishers/google/") else None,
        context_window=number(item, "inputTokenLimit"),
        max_output_tokens=number(item, "outputTokenLimit"),
        features=features,
        raw=item,
    )
