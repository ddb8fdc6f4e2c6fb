"""What servers tell of themselves and their models."""

from __future__ import annotations

from collections.abc import Callable, Generator
from typing import Any

from ipfs_accel.capabilities import Support
from ipfs_accel.errors import (
    APIStatusError,
    BadRequestError,
    InvalidResponseError,
    NotFoundError,
    UnsupportedOperationError,
)
from ipfs_accel.plans import Endpoint, Http, HttpRequest, HttpResponse, Plan, Ready, get, post_json
from ipfs_accel.types import Health, ModelInfo
from ipfs_accel.wire import openai_answers as answers
from ipfs_accel.wire.fields import field

from ._predict import metadata
from ._server import (
    Server,
    at_root,
    detect,
    is_bare_no,
    model_route,
    need_number,
    openai_route,
    root_of,
    says_so,
    version_of,
)

__all__ = ["health_steps", "list_steps", "show_steps"]

YES = Support("yes", "server")
NO = Support("no", "server")
_ELSEWHERE = Support("no", "hook")
_READY, _FAILED = "READY", "UNAVAILABLE"
"""States of the repository's index; the others are LOADING and UNLOADING."""
# A model of tensors has none of these: they are the business of graphs for text, pictures and sound.
_GENERATIVE = (
    "chat",
    "stream",
    "complete",
    "stream_complete",
    "embed",
    "rerank",
    "tokenize",
    "generate_image",
    "edit_image",
    "transcribe",
    "stream_transcribe",
    "translate",
    "speak",
    "stream_speak",
)

Models = tuple[ModelInfo, ...]
Lister = tuple[HttpRequest, Callable[[HttpResponse], Models]]


def list_steps(endpoint: Endpoint) -> Generator[Any, Any, Plan[Models]]:
    """Ask for the list where the server has one; there are five places."""
    server = yield from detect(endpoint)
    for send, parse in _listers(endpoint, server):
        try:
            return Ready(value=(yield Http(send=send, parse=parse)))
        except (APIStatusError, InvalidResponseError) as error:
            if not _is_absent(error):
                raise
    raise UnsupportedOperationError(
        f"the server at {root_of(endpoint)} ({server.title or 'no KServe v2'}) does not list its models",
        hint="name the model; show_model tells what it takes",
    )


def _listers(endpoint: Endpoint, server: Server) -> list[Lister]:
    openai: Lister = (get(openai_route(endpoint, "/models")), answers.read_models)
    config: Lister = (at_root(endpoint, get("/v1/config")), _of_config)
    index: Lister = (at_root(endpoint, post_json("/v2/repository/index", {})), _of_index)
    names: Lister = (at_root(endpoint, get("/v2/models")), _of_names)
    names_v1: Lister = (at_root(endpoint, get("/v1/models")), _of_names)
    if not server.has_v2:
        return [openai, names_v1]
    return [openai, config] if server.kind == "ovms" else [index, names, openai]


def _is_absent(error: APIStatusError | InvalidResponseError) -> bool:
    """Whether an answer means that the route is not there, or closed as Triton's index may be."""
    return isinstance(error, NotFoundError | InvalidResponseError) or error.status in {400, 403, 405, 501}


def _of_config(response: HttpResponse) -> Models:
    return tuple([ModelInfo(id=name, raw=item) for name, item in response.json().items()])


def _of_index(response: HttpResponse) -> Models:
    models: dict[str, list[dict[str, Any]]] = {}
    for item in response.json():
        models.setdefault(field(item, "name", str), []).append(item)
    return tuple([_of_versions(name, versions) for name, versions in models.items()])


def _of_versions(name: str, versions: list[dict[str, Any]]) -> ModelInfo:
    """Tell of a model by its versions: one that is there is enough, and Triton names only those that failed beside it.

    A state that is neither READY nor a failure says nothing of what comes.
    """
    best = next((each for each in versions if each.get("state") in {None, "", _READY}), versions[-1])
    if best.get("state") in {None, "", _READY}:
        return ModelInfo(id=name, features={"predict": YES}, raw=best)
    features = {"predict": NO} if best["state"] == _FAILED else {}
    return ModelInfo(id=name, description=_state(best), features=features, raw=best)


def _state(item: dict[str, Any]) -> str:
    """Say in what state a model is that cannot be used, and why."""
    reason = " ".join(str(item.get("reason") or "").split())
    return f"{item['state']}: {reason}" if reason else str(item["state"])


def _of_names(response: HttpResponse) -> Models:
    names = field(response.json(), "models", list)
    return tuple([ModelInfo(id=str(name), features={"predict": YES}) for name in names])


def show_steps(endpoint: Endpoint, model: str) -> Generator[Any, Any, Plan[ModelInfo]]:
    """Tell what a model takes and gives."""
    version = version_of(endpoint, None)
    model_route(model, version)
    server = yield from detect(endpoint)
    if not server.has_v2:
        return Ready(value=(yield from _show_v1(endpoint, server, model, version)))
    need_number(server, version)
    spec, raw = yield metadata(endpoint, server, model, version)
    if not spec.takes_tensors:
        return Ready(value=ModelInfo(id=model, raw=raw))
    features = {"predict": YES, **dict.fromkeys(_GENERATIVE, _ELSEWHERE)}
    return Ready(value=ModelInfo(id=model, features=features, raw=raw))


def _show_v1(endpoint: Endpoint, server: Server, model: str, version: str) -> Generator[Any, Any, ModelInfo]:
    """Ask TensorFlow Serving, then whoever else has models under /v1."""
    try:
        _, raw = yield metadata(endpoint, server, model, version)
    except (NotFoundError, InvalidResponseError):
        info: ModelInfo = yield Http(
            send=get(openai_route(endpoint, model_route(model, "", prefix=""))), parse=answers.read_model
        )
        return info
    return ModelInfo(id=model, features={"predict": YES, **dict.fromkeys(_GENERATIVE, _ELSEWHERE)}, raw=raw)


def health_steps(endpoint: Endpoint) -> Generator[Any, Any, Plan[Health]]:
    """Ask whether the server is ready; its status tells, whatever the body says."""
    server = yield from detect(endpoint)
    if server.has_v2:
        try:
            is_ready = yield Http(send=at_root(endpoint, get("/v2/health/ready")), parse=says_so)
        except BadRequestError as error:
            if not is_bare_no(error):
                raise
            is_ready = False
        if is_ready:
            return Ready(value=Health(status="ok", server=server.title))
        return Ready(value=(yield from _not_ready(endpoint, server)))
    try:
        models = yield Http(send=get(openai_route(endpoint, "/models")), parse=answers.read_models)
    except (APIStatusError, InvalidResponseError):
        return Ready(value=(yield from _health_v1(endpoint)))
    return Ready(value=Health(status="ok", detail=f"it lists {len(models)} models"))


def _not_ready(endpoint: Endpoint, server: Server) -> Generator[Any, Any, Health]:
    """Say which models make a server not ready as a whole, while others may serve; by Triton's and MLServer's index."""
    try:
        models: Models = yield Http(send=at_root(endpoint, post_json("/v2/repository/index", {})), parse=_of_index)
    except (APIStatusError, InvalidResponseError):
        return Health(status="unhealthy", server=server.title, detail="the server says that it is not ready")
    wrong = [f"{each.id} is {each.description}" for each in models if each.features.get("predict") != YES]
    failed = any(each.features.get("predict") == NO for each in models)
    others = f"; {len(models) - len(wrong)} other model(s) are ready" if len(models) > len(wrong) else ""
    return Health(
        status="unhealthy" if failed or not wrong else "loading",
        server=server.title,
        detail=f"the server says that it is not ready{': ' if wrong else ''}{', '.join(wrong)}{others}",
    )


def _health_v1(endpoint: Endpoint) -> Generator[Any, Any, Health]:
    """Tell TensorFlow Serving, which has no route for it, by how it refuses a question without a model."""
    try:
        models = yield Http(send=at_root(endpoint, get("/v1/models")), parse=_of_names)
    except NotFoundError as error:
        if "malformed request" not in error.message.lower():
            raise
        return Health(status="ok", server="TensorFlow Serving")
    return Health(status="ok", server="KServe v1", detail=f"it lists {len(models)} models")
