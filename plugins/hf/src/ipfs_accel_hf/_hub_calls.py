"""Hugging Face's own calls; a user reaches them with `client.call("hf", name, …)`. Answers are the service's JSON."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Literal, TypeAlias

from ipfs_accel.errors import InvalidRequestError
from ipfs_accel.plans import Endpoint, Http, HttpRequest, HttpResponse, Plan, get, post_json, segment
from ipfs_accel.types import Upload, UploadSource
from ipfs_accel.wire.multipart import content_of

from . import _hub_tasks as tasks
from ._hub_mapping import mapping_plan
from ._hub_routes import task_place
from ._places import root

__all__ = ["CALLS"]

Call: TypeAlias = Callable[..., Plan[Any]]

MANAGEMENT = "https://api.endpoints.huggingface.cloud"


def task(endpoint: Endpoint, *, model: str, inputs: Any, parameters: Mapping[str, Any] | None = None) -> Plan[Any]:
    """Any task whose input and answer are JSON, such as fill-mask, summarization or zero-shot-classification.

    `inputs` is in the form of the task: a text, or for example {"question": …, "context": …}.
    """
    body = {"inputs": inputs, **({"parameters": dict(parameters)} if parameters else {})}
    return Http(send=tasks.task(endpoint, model, "this task", body), parse=HttpResponse.json)


def task_of_file(
    endpoint: Endpoint, *, model: str, file: UploadSource, parameters: Mapping[str, Any] | None = None
) -> Plan[Any]:
    """Any task on a picture or a sound, such as image-classification, object-detection or audio-classification."""
    upload = Upload.of(file)
    if parameters:
        import base64  # noqa: PLC0415 - only this form needs it

        return task(endpoint, model=model, inputs=base64.b64encode(upload.read()).decode(), parameters=parameters)
    tasks.need_inference(endpoint, model, "this task")
    kind = upload.media_type or "application/octet-stream"
    send = HttpRequest(
        method="POST",
        **task_place(endpoint, model, "this task"),
        headers=(("content-type", kind), ("accept", "application/json")),
        content=content_of(upload),
    )
    return Http(send=send, parse=HttpResponse.json)


def similarity(endpoint: Endpoint, *, model: str, source: str, sentences: Sequence[str]) -> Plan[Any]:
    """How near a sentence is to each of others; the task sentence-similarity."""
    body = {"inputs": {"source_sentence": source, "sentences": list(sentences)}}
    return Http(send=tasks.task(endpoint, model, "sentence-similarity", body), parse=HttpResponse.json)


def providers(endpoint: Endpoint, *, model: str) -> Plan[Any]:
    """Which providers serve a model: name to `status`, `providerId` and `task`, as the Hub says."""
    return mapping_plan(endpoint, model)


def find_models(
    endpoint: Endpoint, *, provider: str | Sequence[str] = "all", task: str | None = None, limit: int | None = None
) -> Plan[Any]:
    """Models of the Hub that a provider serves, or several (`all` is any), for a task such as text-to-image."""
    names = provider if isinstance(provider, str) else ",".join(provider)
    wanted = {"inference_provider": names, "pipeline_tag": task, "limit": None if limit is None else str(limit)}
    query = tuple([(name, value) for name, value in wanted.items() if value is not None])
    return Http(send=get("/api/models", query=query, base_url=endpoint.options.hub), parse=HttpResponse.json)


def endpoints(endpoint: Endpoint, *, namespace: str, deployment: str | None = None) -> Plan[Any]:
    """The dedicated endpoints of a user or an organisation, or one of them; `status.url` is where it is."""
    return Http(send=get(_managed(endpoint, namespace, deployment)), parse=HttpResponse.json)


def change_endpoint(
    endpoint: Endpoint, *, namespace: str, deployment: str, action: Literal["pause", "resume", "scale-to-zero"]
) -> Plan[Any]:
    """Pause a dedicated endpoint, wake it, or let go of its machines until the next request."""
    if action not in {"pause", "resume", "scale-to-zero"}:
        raise InvalidRequestError(f"action: {action!r} is not one of pause, resume, scale-to-zero")
    path = f"{_managed(endpoint, namespace, deployment)}/{action}"
    return Http(send=post_json(path, {}), parse=HttpResponse.json)


def _managed(endpoint: Endpoint, namespace: str, deployment: str | None) -> str:
    """Return the path of the API of management, which is a place of its own that a key has to be meant for."""
    if root(endpoint) != MANAGEMENT:
        raise InvalidRequestError(
            f"the endpoint {endpoint.name!r} is not the API that manages dedicated endpoints",
            hint=f'configure one with backend = "hf", base_url = "{MANAGEMENT}" and key_env = "HF_TOKEN"',
        )
    path = f"/v2/endpoint/{segment(namespace)}"
    return path if deployment is None else f"{path}/{segment(deployment)}"


CALLS: Mapping[str, Call] = {
    "change_endpoint": change_endpoint,
    "endpoints": endpoints,
    "find_models": find_models,
    "providers": providers,
    "similarity": similarity,
    "task": task,
    "task_of_file": task_of_file,
}
