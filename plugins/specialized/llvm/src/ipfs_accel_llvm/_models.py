"""What servers tell of themselves and their models."""

from __future__ import annotations

from collections.abc import Generator
from importlib.metadata import PackageNotFoundError, version
from typing import Any

import attrs
from ipfs_accel.capabilities import Support
from ipfs_accel.errors import APIConnectionError, APIError, ModelNotFoundError
from ipfs_accel.plans import Endpoint, Http, HttpResponse, Local, Ready, get
from ipfs_accel.types import Health, ModelInfo
from ipfs_accel.wire import openai_answers as answers

from . import _infer, _shortfin, _vllm
from ._reach import has_engine, local_models, reach
from ._servers import HAS, Answering, detect

__all__ = ["health_steps", "list_steps", "show_steps"]

YES = Support("yes", "server")
NO = Support("no", "server")
# What servers of a kind have or lack, which they do not say themselves.
ENFORCED = Support("yes", "catalogue")
LACKING = Support("no", "hook")


def list_steps(endpoint: Endpoint) -> Generator[Any, Any, Any]:
    """List the server's models and those that can run in this process."""
    local = [
        ModelInfo(id=name, owned_by="this process") for name in (yield Local(run=lambda _job: local_models(endpoint)))
    ]
    try:
        served = yield from _served(endpoint, (yield from detect(endpoint)))
    except APIConnectionError:
        if not endpoint.at_default_url or not local:
            raise
        served = ()
    return Ready(value=(*served, *local))


def _served(endpoint: Endpoint, server: Answering) -> Generator[Any, Any, tuple[ModelInfo, ...]]:
    if server.kind == "shortfin":
        models = _shortfin.models(endpoint)
    elif server.kind == "infer":
        models = yield _infer.models(server)
    else:
        models = yield Http(send=server.send(get("/v1/models")), parse=answers.read_models)
    return tuple([_described(endpoint, server, model) for model in models])


def _described(endpoint: Endpoint, server: Answering, model: ModelInfo) -> ModelInfo:
    """Add what llama.cpp and vLLM say beyond OpenAI's fields, and what the endpoint was seen not to do."""
    raw = model.raw or {}
    meta = raw.get("meta") or {}
    modalities = raw.get("architecture") or {}
    absent = {name for names in HAS.values() for name in names} - HAS[server.kind]
    if server.kind == "infer" and not endpoint.options.chats:
        absent.add("chat")
    found = endpoint.memo.get("absent", ())  # as the server has answered
    features = {name: NO if name in found else LACKING for name in sorted(absent.union(found))}
    return attrs.evolve(
        model,
        context_window=meta.get("n_ctx") or raw.get("max_model_len"),
        input_modalities=_modalities(modalities.get("input_modalities")),
        output_modalities=_modalities(modalities.get("output_modalities")),
        features=features,
    )


def _modalities(names: Any) -> frozenset[str] | None:
    return frozenset(names) if isinstance(names, list) else None


def show_steps(endpoint: Endpoint, model: str) -> Generator[Any, Any, Any]:
    """Tell all about one model."""
    server = yield from reach(endpoint, model)
    if server.kind == "infer":
        return Ready(value=_described(endpoint, server, (yield _infer.one_model(server, model))))
    models = yield from _served(endpoint, server)
    found = next((each for each in models if each.id == model), None)
    if found is None and server.kind == "llama.cpp" and len(models) == 1:
        found = attrs.evolve(models[0], id=model)  # it answers to any name
    if found is None:
        known = ", ".join([each.id for each in models])
        raise ModelNotFoundError(f"the server has no model {model!r}", hint=f"it has: {known}" if known else None)
    if server.kind == "llama.cpp":
        props = yield Http(send=server.send(get("/props")), parse=HttpResponse.json)
        features = _features(props) | (_engine_features(endpoint) if server.headers else {})
        found = attrs.evolve(found, features={**features, **found.features})
    if server.kind == "vllm":
        found = attrs.evolve(found, features={**(yield from _routes(server)), **found.features})
    return Ready(value=found)


def _routes(server: Answering) -> Generator[Any, Any, dict[str, Support]]:
    """Ask for the routes, which the operator may have switched off."""
    try:
        document = yield Http(send=server.send(get("/openapi.json")), parse=HttpResponse.json)
        return _vllm.features(document)
    except APIError:
        return {}


def _features(props: dict[str, Any]) -> dict[str, Support]:
    caps = props.get("chat_template_caps") or {}
    modalities = props.get("modalities") or {}
    said = {
        "chat": True if props.get("chat_template") else None,
        "tools": caps.get("supports_tools"),
        "parallel_tool_calls": caps.get("supports_parallel_tool_calls"),
        "vision": modalities.get("vision"),
        "audio": modalities.get("audio"),
        "video": modalities.get("video"),
    }
    features = {name: YES if value else NO for name, value in said.items() if value is not None}
    return {**features, "json_schema": ENFORCED}  # by grammar, whatever the model


def _engine_features(endpoint: Endpoint) -> dict[str, Support]:
    """Say what a server does not tell, but what the engine in this process was started with."""
    ranks = Support("yes" if endpoint.options.pooling == "rank" else "no", "configuration")
    return {"embed": Support("yes", "hook"), "rerank": ranks}


def health_steps(endpoint: Endpoint) -> Generator[Any, Any, Any]:
    """Check the server; without one, say whether files can run in this process."""
    try:
        server = yield from detect(endpoint)
        return Ready(value=(yield from _health(server)))
    except APIConnectionError as error:
        engine = _engine_version() if has_engine(endpoint) and endpoint.at_default_url else None
        if engine is None:
            raise
        detail = f"no server at {endpoint.base_url} ({error.message}); GGUF files run in this process"
        return Ready(value=Health(status="ok", server=f"llama.cpp in process, xllamacpp {engine}", detail=detail))


def _health(server: Answering) -> Generator[Any, Any, Health]:
    if server.kind == "llama.cpp":
        yield Http(send=server.send(get("/health")), parse=HttpResponse.json)
        build = yield from _optional(server, "/props", "build_info")
        return Health(status="ok", server=f"llama.cpp {build}".rstrip())
    if server.kind == "vllm":
        yield Http(send=server.send(get("/health")), parse=HttpResponse.text)
        found = yield from _optional(server, "/version", "version")
        return Health(status="ok", server=f"vLLM {found}".rstrip())
    if server.kind == "shortfin":
        yield Http(send=server.send(get("/health")), parse=HttpResponse.text)
        return Health(status="ok", server="shortfin", detail="it says so even while its engine hangs")
    if server.kind == "infer":
        listed = yield _infer.models(server)
        return Health(status="ok", server="infer", detail=f"it lists {len(listed)} models")
    models = yield Http(send=server.send(get("/v1/models")), parse=answers.read_models)
    return Health(status="ok", server=server.kind, detail=f"it lists {len(models)} models")


def _optional(server: Answering, path: str, name: str) -> Generator[Any, Any, str]:
    try:
        body = yield Http(send=server.send(get(path)), parse=HttpResponse.json)
    except APIError:
        return ""
    return str(body.get(name, "")) if isinstance(body, dict) else ""


def _engine_version() -> str | None:
    try:
        return version("xllamacpp")
    except PackageNotFoundError:
        return None
