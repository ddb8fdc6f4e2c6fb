"""What the router tells of models and their providers, and what dedicated endpoints tell of themselves."""

from __future__ import annotations

from collections.abc import Generator
from typing import Any

import attrs
from ipfs_accel.capabilities import Support
from ipfs_accel.errors import InvalidResponseError, NotFoundError
from ipfs_accel.plans import Endpoint, Http, HttpResponse, Ready, get
from ipfs_accel.types import ModelInfo
from ipfs_accel.wire import openai_answers as answers

from ._places import root

__all__ = ["described", "list_dedicated", "show_dedicated"]

Json = dict[str, Any]

_FEATURES = {"supports_tools": "tools", "supports_structured_output": "json_schema"}


def described(model: ModelInfo, provider: str | None) -> ModelInfo:
    """Add a provider's terms; without one, those in which all live providers agree, and the largest context."""
    raw = model.raw if isinstance(model.raw, dict) else {}
    live = [each for each in raw.get("providers") or () if each.get("status") == "live"]
    asked = [each for each in live if each.get("provider") == provider] or live
    modalities = raw.get("architecture") or {}
    contexts = [each["context_length"] for each in asked if each.get("context_length")]
    features = {name: _support([each.get(field) for each in asked]) for field, name in _FEATURES.items()}
    inputs, outputs = modalities.get("input_modalities"), modalities.get("output_modalities")
    if inputs:
        features["vision"] = Support("yes" if "image" in inputs else "no", "server")
    return attrs.evolve(
        model,
        id=f"{model.id}:{provider}" if provider and ":" not in model.id else model.id,
        context_window=max(contexts, default=None),
        input_modalities=frozenset(inputs) if inputs else None,
        output_modalities=frozenset(outputs) if outputs else None,
        input_price=_same([(each.get("pricing") or {}).get("input") for each in asked]),
        output_price=_same([(each.get("pricing") or {}).get("output") for each in asked]),
        features={name: value for name, value in features.items() if value is not None},
    )


def _support(said: list[bool | None]) -> Support | None:
    """Return what all say; it is open where they differ, since the router chooses among them."""
    if not said or None in said:
        return None
    if len(set(said)) > 1:
        return Support("unknown", "server")
    return Support("yes" if said[0] else "no", "server")


def _same(prices: list[float | None]) -> float | None:
    return prices[0] if len(set(prices)) == 1 else None


def list_dedicated(endpoint: Endpoint, models_path: str) -> Generator[Any, Any, Any]:
    """Ask a dedicated endpoint: TGI and TEI say all at /info, other engines list their models."""
    try:
        info = yield Http(send=get("/info", base_url=root(endpoint)), parse=HttpResponse.json)
    except (NotFoundError, InvalidResponseError):
        info = None
    if isinstance(info, dict) and "model_id" in info:
        return Ready(value=(_of_info(info),))
    return Http(send=get(models_path), parse=lambda response: tuple(map(_listed, answers.read_models(response))))


def show_dedicated(endpoint: Endpoint, models_path: str, model: str) -> Generator[Any, Any, Any]:
    """Tell of the endpoint's model; it has one, so that any other name than those it lists means that one."""
    plan = yield from list_dedicated(endpoint, models_path)
    found = plan.value if isinstance(plan, Ready) else (yield plan)
    if not found:
        raise InvalidResponseError("the endpoint lists no model")
    return Ready(value=next((each for each in found if each.id == model), found[0]))


def _of_info(info: Json) -> ModelInfo:
    yes, no = Support("yes", "server"), Support("no", "server")
    kind = next(iter(info.get("model_type") or {}), None)
    if kind is None:  # TGI, which tells its limits and not its routes
        yes, no = Support("yes", "hook"), Support("no", "hook")
        features = {"chat": yes, "stream": yes, "complete": yes, "stream_complete": yes, "embed": no, "classify": no}
    else:
        features = {
            **dict.fromkeys(("chat", "stream", "complete", "stream_complete"), no),
            "embed": yes if kind == "embedding" else no,
            "classify": no if kind == "embedding" else yes,
        }
    return ModelInfo(
        id=info["model_id"],
        description=f"{info.get('router') or 'text-embeddings-inference'} {info.get('version') or ''}".rstrip(),
        context_window=info.get("max_total_tokens") or info.get("max_input_length"),
        features=features,
        raw=info,
    )


def _listed(model: ModelInfo) -> ModelInfo:
    """Add the context that vLLM and SGLang tell."""
    return attrs.evolve(model, context_window=model.raw.get("max_model_len"))
