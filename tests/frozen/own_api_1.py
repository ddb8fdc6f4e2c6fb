"""The older backend of ipfs-accel: a server with a wire format of its own.

Every hook takes a typed request and returns a plan: what to send, and how to read the answer. It does no I/O, no
waiting, no retrying and no logging, and never sees the key: all of that is the core's business. A hook that is missing
is an operation that the backend does not have.
"""

import json
from array import array
from typing import Any

from ipfs_accel import BackendInfo, hookimpl
from ipfs_accel.plans import Endpoint, ErrorDetail, Http, HttpResponse, HttpStream, Plan, StreamPlan, get, post_json
from ipfs_accel.types import (
    ChatRequest,
    ChatResponse,
    Choice,
    EmbedRequest,
    EmbedResponse,
    Health,
    Message,
    ModelInfo,
    Usage,
)
from ipfs_accel.wire.assembler import Assembler, chat_assembler
from ipfs_accel.wire.ndjson import NDJSONDecoder

_OPTIONS = {"max_tokens": "limit", "temperature": "temperature"}
"""Options that the server knows, and what it calls them."""


def read_error(response: HttpResponse) -> ErrorDetail:
    """Read `{"error": "…"}`; whatever this raises means that status and text are all there is."""
    return ErrorDetail(message=response.json()["error"])


def chat_body(request: ChatRequest) -> dict[str, Any]:
    """Return the JSON body of a chat."""
    said = [{"role": message.role, "text": message.text} for message in request.messages]
    given = {theirs: getattr(request, ours) for ours, theirs in _OPTIONS.items()}
    options = {name: value for name, value in given.items() if value is not None}
    return {"model": request.model, "messages": said, **options, **request.extra}


def unsupported(request: ChatRequest) -> tuple[str, ...]:
    """Return the options that the caller gave and that this server does not know: they are refused, not dropped."""
    return request.given_beside("messages", *_OPTIONS)


def read_usage(value: dict[str, Any]) -> Usage:
    """Read what the server counted."""
    return Usage(input_tokens=value["read"], output_tokens=value["written"])


def read_chat(response: HttpResponse) -> ChatResponse:
    """Read a whole answer."""
    body = response.json()
    choice = Choice(message=Message.assistant(body["text"]), finish_reason=body["reason"])
    return ChatResponse(model=body["model"], choices=(choice,), usage=read_usage(body["usage"]), raw=body)


def decode(line: str, out: Assembler[ChatResponse]) -> None:
    """Tell what one line of a stream means."""
    event = json.loads(line)
    if "text" in event:
        out.text(event["text"])
    if "reason" in event:
        out.start(model=event["model"])
        out.usage = read_usage(event["usage"])
        out.finish(event["reason"])
        out.done()


def read_vectors(response: HttpResponse) -> EmbedResponse:
    """Read vectors, in the order of the texts."""
    body = response.json()
    return EmbedResponse(vectors=tuple([array("f", each) for each in body["vectors"]]), model=body["model"], raw=body)


def read_models(response: HttpResponse) -> tuple[ModelInfo, ...]:
    """Read the list of models."""
    return tuple([ModelInfo(id=each["name"], context_window=each.get("context"), raw=each) for each in response.json()])


class Older:
    """The hooks."""

    api_version = 1

    @hookimpl
    def describe(self) -> BackendInfo:
        """Say what the core has to know."""
        return BackendInfo(
            name="older",
            title="Older",
            base_url="https://api.older.example",
            base_url_env=("OLDER_BASE_URL",),
            key_env=("OLDER_API_KEY",),
            needs_key=True,
            read_error=read_error,
        )

    @hookimpl
    def chat(self, endpoint: Endpoint, request: ChatRequest) -> Plan[ChatResponse]:
        """Plan POST /chat."""
        return Http(send=post_json("/chat", chat_body(request)), parse=read_chat, unsupported=unsupported(request))

    @hookimpl
    def stream(self, endpoint: Endpoint, request: ChatRequest) -> StreamPlan[ChatResponse]:
        """Plan the same as a stream of lines; the line with a reason is the last."""
        return HttpStream(
            send=post_json("/chat", {**chat_body(request), "stream": True}),
            frames=NDJSONDecoder,
            decoder=lambda: decode,
            assembler=chat_assembler,
            unsupported=unsupported(request),
        )

    @hookimpl
    def embed(self, endpoint: Endpoint, request: EmbedRequest) -> Plan[EmbedResponse]:
        """Plan POST /embed."""
        body = {"model": request.model, "texts": list(request.inputs), **request.extra}
        return Http(send=post_json("/embed", body), parse=read_vectors, unsupported=request.given_beside("inputs"))

    @hookimpl
    def list_models(self, endpoint: Endpoint) -> Plan[tuple[ModelInfo, ...]]:
        """Plan GET /models."""
        return Http(send=get("/models"), parse=read_models)

    @hookimpl
    def healthcheck(self, endpoint: Endpoint) -> Plan[Health]:
        """Plan GET /models, which is free and needs the key."""

        def read(response: HttpResponse) -> Health:
            return Health(status="ok", detail=f"it lists {len(read_models(response))} models")

        return Http(send=get("/models"), parse=read)


backend = Older()
