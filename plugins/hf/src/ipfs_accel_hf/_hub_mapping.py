"""What a provider calls a model of the Hub: asked there once, without a key, since the lists are public."""

from __future__ import annotations

from collections.abc import Generator
from typing import Any

from ipfs_accel.errors import ModelNotFoundError
from ipfs_accel.plans import Endpoint, Http, HttpResponse, get
from ipfs_accel.wire.openai_errors import checked

from ._hub_routes import split
from ._places import model_path

__all__ = ["mapping_plan", "provider_model"]

Mapping = dict[str, dict[str, Any]]


def mapping_plan(endpoint: Endpoint, model: str) -> Http[Mapping]:
    """Plan the question which providers serve a model, by what name and for which task."""
    path = f"/api/models/{model_path(split(model)[0])}"
    query = (("expand[]", "inferenceProviderMapping"),)
    return Http(send=get(path, query=query, base_url=endpoint.options.hub), parse=_read)


def _read(response: HttpResponse) -> Mapping:
    """Read the mapping, which is an object, or in newer answers a list."""
    found = checked(response.json()).get("inferenceProviderMapping") or {}
    return {each["provider"]: each for each in found} if isinstance(found, list) else dict(found)


def provider_model(endpoint: Endpoint, model: str, provider: str, task: str) -> Generator[Any, Any, str]:
    """Return the provider's own id of a model.

    Raises:
        ModelNotFoundError: The provider does not serve it, or for another task.
    """
    known = endpoint.memo.get(("mapping", model))
    if known is None:
        known = yield mapping_plan(endpoint, model)
        endpoint.memo["mapping", model] = known
    found = known.get(provider)
    if found is None or found.get("task") != task:
        name = split(model)[0]
        does = f"serves {name!r} for {found['task']}, not for {task}" if found else f"does not serve {name!r}"
        others = ", ".join([each for each, entry in known.items() if entry.get("task") == task])
        raise ModelNotFoundError(f"the provider {provider!r} {does}", hint=f"those that do: {others or 'none'}")
    return str(found["providerId"])
