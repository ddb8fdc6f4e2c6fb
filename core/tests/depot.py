"""A backend whose server keeps models, for tests of the core and of the command line."""

from __future__ import annotations

import json
from typing import Any

import attrs
from ipfs_accel import BackendInfo, hookimpl, strict_json
from ipfs_accel.errors import InvalidRequestError, ModelNotFoundError
from ipfs_accel.hookspecs import LocalServer
from ipfs_accel.plans import Endpoint, ErrorDetail, Http, HttpRequest, HttpResponse, HttpStream, get, post_json
from ipfs_accel.types import (
    CreateModelRequest,
    Health,
    ModelInfo,
    ModelResult,
    Progress,
    Request,
    RunningModel,
    Timeout,
)
from ipfs_accel.wire.collector import Collector
from ipfs_accel.wire.ndjson import NDJSONDecoder

HOSTED = "https://depot.example"


def read_url(text: str) -> str:
    return text if "://" in text else f"http://{text}:4000"


def read_error(response: HttpResponse) -> ErrorDetail:
    return ErrorDetail(message=response.text(), kind=ModelNotFoundError if response.status == 404 else None)


def nothing(_response: HttpResponse) -> None:
    return None


def task(path: str, model: str, body: dict[str, Any]) -> HttpStream[ModelResult]:
    def decode(line: str, out: Collector[ModelResult]) -> None:
        out.emit(Progress(**strict_json.loads(line)))
        if "success" in line:
            out.done()

    return HttpStream(
        send=post_json(path, {"model": model, **body}),
        frames=NDJSONDecoder,
        decoder=lambda: decode,
        assembler=lambda: Collector(lambda _: ModelResult(model=model, status="success")),
    )


class Depot:
    """Its server does what it is told."""

    api_version = 1

    @hookimpl
    def describe(self) -> BackendInfo:
        return BackendInfo(
            name="depot",
            base_url="http://127.0.0.1:4000",
            base_url_env=("DEPOT_HOST",),
            read_base_url=read_url,
            local=LocalServer(program="depotd", start="depotd serve", install="https://depot.example/get"),
            key_env=("DEPOT_KEY",),
            key_url=HOSTED,
            needs_key=True,
            timeout=Timeout(first_event=300.0, total=1200.0),
            read_error=read_error,
        )

    @hookimpl
    def pull_model(self, endpoint: Endpoint, request: Request) -> Any:
        return task("/pull", request.model, dict(request.extra))

    @hookimpl
    def push_model(self, endpoint: Endpoint, request: Request) -> Any:
        return task("/push", request.model, dict(request.extra))

    @hookimpl
    def create_model(self, endpoint: Endpoint, request: CreateModelRequest) -> Any:
        given = attrs.asdict(request, filter=lambda field, value: value not in (None, (), {}), recurse=False)
        for name in ("files", "adapters"):
            given[name] = [each.name for each in given.get(name, ())]
        given["messages"] = [message.text for message in given.get("messages", ())]
        return task("/create", given.pop("model"), given)

    @hookimpl
    def load_model(self, endpoint: Endpoint, request: Request) -> Any:
        return Http(send=post_json("/load", {"model": request.model, **request.extra}), parse=nothing)

    @hookimpl
    def unload_model(self, endpoint: Endpoint, request: Request) -> Any:
        return Http(send=post_json("/unload", {"model": request.model}), parse=nothing)

    @hookimpl
    def running_models(self, endpoint: Endpoint) -> Any:
        return Http(
            send=get("/running"), parse=lambda response: tuple(RunningModel(**each) for each in response.json())
        )

    @hookimpl
    def copy_model(self, endpoint: Endpoint, source: str, destination: str) -> Any:
        return Http(send=post_json("/copy", [source, destination]), parse=nothing)

    @hookimpl
    def delete_model(self, endpoint: Endpoint, model: str) -> Any:
        body = json.dumps(model).encode()
        return Http(send=HttpRequest(method="DELETE", path="/models", content=body), parse=nothing)

    @hookimpl
    def show_model(self, endpoint: Endpoint, model: str) -> Any:
        if model == "none":
            raise InvalidRequestError("model: none")
        return Http(send=get(f"/models/{model}"), parse=lambda response: ModelInfo(**response.json()))

    @hookimpl
    def healthcheck(self, endpoint: Endpoint) -> Any:
        return Http(send=get("/health"), parse=lambda _: Health(status="ok"))
