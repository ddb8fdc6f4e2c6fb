"""A backend with a wire format of its own, for tests of the core: as small as a plugin can be."""

from __future__ import annotations

from collections.abc import Generator, Iterator
from typing import Any

from ipfs_accel import BackendInfo, hookimpl
from ipfs_accel.errors import NotFoundError
from ipfs_accel.plans import (
    Endpoint,
    ErrorDetail,
    Flow,
    Http,
    HttpResponse,
    HttpStream,
    Job,
    Local,
    LocalStream,
    Ready,
    get,
    post_json,
    segment,
)
from ipfs_accel.types import (
    ChatRequest,
    ChatResponse,
    Choice,
    CompletionRequest,
    EmbedRequest,
    EmbedResponse,
    Health,
    Message,
    ModelInfo,
    Usage,
)
from ipfs_accel.wire.assembler import Assembler, chat_assembler, completion_assembler
from ipfs_accel.wire.ndjson import NDJSONDecoder


def read_error(response: HttpResponse) -> ErrorDetail:
    body = response.json()
    return ErrorDetail(message=body["problem"], code=body.get("kind"))


def read_chat(response: HttpResponse) -> ChatResponse:
    body = response.json()
    choice = Choice(message=Message.assistant(body["answer"]), finish_reason="stop")
    return ChatResponse(choices=(choice,), usage=Usage(input_tokens=body["used"]), raw=body)


def decode(frame: str, out: Assembler[ChatResponse]) -> None:
    if frame == "END":
        out.done()
    elif frame.startswith("!"):
        raise KeyError(frame)
    elif frame != "...":
        out.text(frame)


def request_body(request: ChatRequest) -> dict[str, Any]:
    return {"model": request.model, "ask": request.messages[-1].text, **request.extra}


class Acme:
    """Implements some operations in each of the ways that a plan can have."""

    api_version = 1

    def __init__(self, base_url: str) -> None:
        self.base_url = base_url

    @hookimpl
    def describe(self) -> BackendInfo:
        return BackendInfo(
            name="acme",
            base_url=self.base_url,
            key_env=("ACME_KEY",),
            read_error=read_error,
            request_id_headers=("x-id",),
        )

    @hookimpl
    def chat(self, endpoint: Endpoint, request: ChatRequest) -> Any:
        unsupported = ("top_k",) if request.top_k is not None else ()
        return Http(send=post_json("/chat", request_body(request)), parse=read_chat, unsupported=unsupported)

    @hookimpl
    def stream(self, endpoint: Endpoint, request: ChatRequest) -> Any:
        return HttpStream(
            send=post_json("/stream", request_body(request)),
            frames=NDJSONDecoder,
            decoder=lambda: decode,
            assembler=chat_assembler,
        )

    @hookimpl
    def embed(self, endpoint: Endpoint, request: EmbedRequest) -> Any:
        return Local(run=lambda _job: EmbedResponse(vectors=(), model=request.model))

    @hookimpl
    def stream_complete(self, endpoint: Endpoint, request: CompletionRequest) -> Any:
        def run(out: Assembler[Any], _job: Job) -> Iterator[None]:
            for word in request.prompt:
                if word == "fail":
                    raise RuntimeError("engine died")
                out.text(str(word))
                yield
            out.done()

        return LocalStream(run=run, assembler=completion_assembler)

    @hookimpl
    def show_model(self, endpoint: Endpoint, model: str) -> Any:
        def steps() -> Generator[Any, Any, Any]:
            try:
                found = yield Http(send=get(f"/models/{segment(model)}"), parse=HttpResponse.json)
            except NotFoundError:
                found = yield Http(send=get("/fallback"), parse=HttpResponse.json)
            return Ready(value=ModelInfo(id=model, raw=found))

        return Flow(steps=steps)

    @hookimpl
    def list_models(self, endpoint: Endpoint) -> Any:
        return Http(send=get("/models"), parse=lambda response: tuple(ModelInfo(**each) for each in response.json()))

    @hookimpl
    def healthcheck(self, endpoint: Endpoint) -> Any:
        return Http(send=get("/health"), parse=lambda response: Health(status="ok", detail=response.text()))

    @hookimpl
    def calls(self) -> Any:
        def double(endpoint: Endpoint, *, number: int) -> Any:
            return Ready(value=number * 2)

        def greet(_: Endpoint, /, *, name: str, endpoint: str) -> Any:
            return Ready(value=f"{name} at {endpoint}")

        return {"double": double, "greet": greet}
