"""What servers tell of their models, their state and what is loaded."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

import attrs
from ipfs_accel.capabilities import Support
from ipfs_accel.errors import InvalidRequestError
from ipfs_accel.plans import Endpoint, Http, HttpResponse, Plan, get, post_json
from ipfs_accel.types import Health, ModelInfo, RunningModel
from ipfs_accel.wire.fields import field, seconds

from ._errors import checked
from ._host import is_cloud

__all__ = ["full_name", "healthcheck", "list_models", "running_models", "show_model"]

Json = dict[str, Any]

# A capability, and what a model with it can do by our names.
_FEATURES: Mapping[str, tuple[str, ...]] = {
    "completion": ("chat", "stream", "complete", "stream_complete"),
    "tools": ("tools",),
    "insert": ("insert",),
    "vision": ("vision",),
    "thinking": ("reasoning",),
    "audio": ("audio", "transcribe"),
    "image": ("generate_image",),
}
_INPUTS = {"vision": "image", "audio": "audio"}
_NUM_CTX = re.compile(r"^num_ctx\s+(\d+)\s*$", re.ASCII | re.MULTILINE)
_DEFAULT_TAG = "latest"


def full_name(model: str) -> str:
    """Return a model's name as two of them are compared: in lower case and with its tag.

    `llama3.2`, `Llama3.2` and `llama3.2:latest` are one model.
    """
    name = model.lower()
    return name if ":" in name.rpartition("/")[2] else f"{name}:{_DEFAULT_TAG}"


def list_models(endpoint: Endpoint) -> Plan[tuple[ModelInfo, ...]]:
    """Plan GET /api/tags; newer servers tell capabilities and context there."""

    def read(response: HttpResponse) -> tuple[ModelInfo, ...]:
        return tuple([_listed(endpoint, item) for item in checked(response.json()).get("models") or ()])

    return Http(send=get("/api/tags"), parse=read)


def _listed(endpoint: Endpoint, item: Json) -> ModelInfo:
    details = item.get("details") or {}
    return _described(endpoint, _id(item), item, details.get("context_length"))


def _id(item: Json) -> str:
    """Return the id of a model in a list, which has it under two names; the specification requires neither."""
    return item.get("name") or field(item, "model", str)


def show_model(endpoint: Endpoint, model: str) -> Plan[ModelInfo]:
    """Plan POST /api/show."""
    if not model:
        raise InvalidRequestError("model: Ollama wants one", hint="models are named endpoint/model")

    def read(response: HttpResponse) -> ModelInfo:
        body = checked(response.json())
        facts = body.get("model_info") or {}
        window = facts.get(f"{facts.get('general.architecture')}.context_length")
        set_by_model = _NUM_CTX.search(body.get("parameters") or "")
        window = min(window or int(set_by_model[1]), int(set_by_model[1])) if set_by_model else window
        return _described(endpoint, model, body, window)

    return Http(send=post_json("/api/show", {"model": model}), parse=read)


def _described(endpoint: Endpoint, name: str, body: Json, window: int | None) -> ModelInfo:
    details = body.get("details") or {}
    words = [details.get("family"), details.get("parameter_size"), details.get("quantization_level")]
    limit = endpoint.options.num_ctx
    info = ModelInfo(
        id=name,
        description=", ".join([str(word) for word in words if word]) or None,
        created=_seconds(body.get("modified_at")),
        # The server gives a model no more than the endpoint asks for.
        context_window=window if limit is None else min(limit, window or limit),
        raw=body,
    )
    known = body.get("capabilities")
    return info if known is None else attrs.evolve(info, **_capable(known))


def _capable(known: list[str]) -> dict[str, Any]:
    """Return features and modalities; what is not among the capabilities the model does not have."""
    features = {
        feature: Support("yes" if capability in known else "no", "server")
        for capability, names in _FEATURES.items()
        for feature in names
    }
    if "embedding" in known:  # some servers embed with any model, so that silence says nothing
        features["embed"] = Support("yes", "server")
    if "completion" in known:  # schemas are enforced by grammar, whatever the model; no server says so
        features["json_schema"] = Support("yes", "catalogue")
    inputs = {"text"} | {modality for capability, modality in _INPUTS.items() if capability in known}
    outputs = {"image" if "image" in known else "text"} if {"completion", "image"} & set(known) else None
    return {
        "features": features,
        "input_modalities": frozenset(inputs),
        "output_modalities": None if outputs is None else frozenset(outputs),
    }


def running_models() -> Plan[tuple[RunningModel, ...]]:
    """Plan GET /api/ps."""

    def read(response: HttpResponse) -> tuple[RunningModel, ...]:
        return tuple([_running(item) for item in checked(response.json()).get("models") or ()])

    return Http(send=get("/api/ps"), parse=read)


def _running(item: Json) -> RunningModel:
    return RunningModel(
        id=_id(item),
        size=item.get("size"),
        gpu_size=item.get("size_vram"),
        context_window=item.get("context_length") or None,
        expires=_seconds(item.get("expires_at")),
        raw=item,
    )


def _seconds(time: Any) -> int | None:
    """Return an RFC 3339 time as seconds since 1970; None if there is none, as in the year 1."""
    found = int(seconds(time) or 0)
    return found if found > 0 else None


def healthcheck(endpoint: Endpoint) -> Plan[Health]:
    """Plan GET /api/version; of the hosted service, GET /api/tags, which needs the key."""
    if is_cloud(endpoint.base_url):
        return Http(send=get("/api/tags"), parse=_cloud_health)

    def read(response: HttpResponse) -> Health:
        return Health(status="ok", server=f"Ollama {field(checked(response.json()), 'version', str)}")

    return Http(send=get("/api/version"), parse=read)


def _cloud_health(response: HttpResponse) -> Health:
    count = len(checked(response.json()).get("models") or ())
    return Health(status="ok", server="ollama.com", detail=f"it lists {count} models")
