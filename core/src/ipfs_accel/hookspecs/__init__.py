"""The hooks that a backend plugin may implement.

A plugin is any object (a module or an instance of a class) with an attribute `api_version` and functions marked with
`hookimpl`. `describe` is required; every other hook that it implements is an operation that its endpoints then have:
what a backend can do is derived from its hooks and never declared beside them.

Hooks do no I/O, do not sleep, retry or log, and never see a key. They return a plan (see `ipfs_accel.plans`).

    from ipfs_accel import BackendInfo, hookimpl
    from ipfs_accel.plans import Http, post_json

    api_version = 1

    @hookimpl
    def describe():
        return BackendInfo(name="acme", base_url="https://api.acme.example/v1", key_env=("ACME_API_KEY",))

    @hookimpl
    def embed(endpoint, request):
        return Http(send=post_json("/vectors", {"texts": request.inputs}), parse=read_vectors)

The plugin is found through an entry point of the group `ipfs_accel.backends` whose name is the backend's name.

The hooks from `rewrite_request` on are for middleware, which stands between callers and all backends (see
`ipfs_accel.middleware`). It is found through the group `ipfs_accel.middleware`, and is used only if the configuration
names it (`plugins.middleware`).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

import pluggy

from ._info import BackendInfo, KeyHeader, LocalServer, TokenRules
from ._objects import OBJECT_OPERATIONS
from ._raw import RAW_OPERATIONS
from ._relay import relay

if TYPE_CHECKING:
    from ipfs_accel.plans import Endpoint, Plan, StreamPlan
    from ipfs_accel.types import (
        Batch,
        BatchRequest,
        BatchSummary,
        ChatRequest,
        ChatResponse,
        ClassifyRequest,
        ClassifyResponse,
        CompletionRequest,
        CompletionResponse,
        CreateModelRequest,
        DetokenizeRequest,
        DetokenizeResponse,
        EditImageRequest,
        EmbedRequest,
        EmbedResponse,
        FileInfo,
        GenerateImageRequest,
        Health,
        ImageResponse,
        ModelInfo,
        ModelResult,
        ModerateRequest,
        ModerateResponse,
        PredictRequest,
        PredictResponse,
        Request,
        RerankRequest,
        RerankResponse,
        RunningModel,
        SpeakRequest,
        SpeakResponse,
        TokenCount,
        TokenizeRequest,
        TokenizeResponse,
        TranscribeRequest,
        TranscribeResponse,
        Transfer,
        UploadRequest,
        VaryImageRequest,
    )

__all__ = [
    "API_VERSION",
    "OPERATIONS",
    "RAW_OPERATIONS",
    "BackendInfo",
    "KeyHeader",
    "LocalServer",
    "TokenRules",
    "hookimpl",
    "hookspec",
    "relay",
]

API_VERSION = 1
"""Version of this plugin API; a plugin states the one that it was written for as `api_version`."""

PROJECT = "ipfs_accel"
hookspec = pluggy.HookspecMarker(PROJECT)
"""Marks a function as a hook that plugins may have; only this package specifies hooks."""
hookimpl = pluggy.HookimplMarker(PROJECT)
"""Marks a function of a plugin as its implementation of the hook of the same name."""


@hookspec(firstresult=True)
def describe() -> BackendInfo:  # type: ignore[empty-body]
    """Say what the core has to know of the backend. Called once, right after loading."""


@hookspec(firstresult=True)
def chat(endpoint: Endpoint, request: ChatRequest) -> Plan[ChatResponse]:  # type: ignore[empty-body]
    """Plan the next turn of a conversation."""


@hookspec(firstresult=True)
def stream(endpoint: Endpoint, request: ChatRequest) -> StreamPlan[ChatResponse]:  # type: ignore[empty-body]
    """Plan the same, streamed."""


@hookspec(firstresult=True)
def complete(endpoint: Endpoint, request: CompletionRequest) -> Plan[CompletionResponse]:  # type: ignore[empty-body]
    """Plan the continuation of a text."""


@hookspec(firstresult=True)
def stream_complete(endpoint: Endpoint, request: CompletionRequest) -> StreamPlan[CompletionResponse]:  # type: ignore[empty-body]
    """Plan the same, streamed."""


@hookspec(firstresult=True)
def embed(endpoint: Endpoint, request: EmbedRequest) -> Plan[EmbedResponse]:  # type: ignore[empty-body]
    """Plan the vectors of texts."""


@hookspec(firstresult=True)
def rerank(endpoint: Endpoint, request: RerankRequest) -> Plan[RerankResponse]:  # type: ignore[empty-body]
    """Plan the ordering of documents by relevance."""


@hookspec(firstresult=True)
def tokenize(endpoint: Endpoint, request: TokenizeRequest) -> Plan[TokenizeResponse]:  # type: ignore[empty-body]
    """Plan the splitting of a text into token ids."""


@hookspec(firstresult=True)
def detokenize(endpoint: Endpoint, request: DetokenizeRequest) -> Plan[DetokenizeResponse]:  # type: ignore[empty-body]
    """Plan the reverse."""


@hookspec(firstresult=True)
def count_tokens(endpoint: Endpoint, request: ChatRequest) -> Plan[TokenCount]:  # type: ignore[empty-body]
    """Plan the counting of a chat's input tokens."""


@hookspec(firstresult=True)
def generate_image(endpoint: Endpoint, request: GenerateImageRequest) -> Plan[ImageResponse]:  # type: ignore[empty-body]
    """Plan the making of pictures from words."""


@hookspec(firstresult=True)
def stream_image(endpoint: Endpoint, request: GenerateImageRequest) -> StreamPlan[ImageResponse]:  # type: ignore[empty-body]
    """Plan the same, with `PartialImage` events."""


@hookspec(firstresult=True)
def edit_image(endpoint: Endpoint, request: EditImageRequest) -> Plan[ImageResponse]:  # type: ignore[empty-body]
    """Plan the making of pictures from pictures."""


@hookspec(firstresult=True)
def stream_image_edit(endpoint: Endpoint, request: EditImageRequest) -> StreamPlan[ImageResponse]:  # type: ignore[empty-body]
    """Plan the same, with `PartialImage` events."""


@hookspec(firstresult=True)
def vary_image(endpoint: Endpoint, request: VaryImageRequest) -> Plan[ImageResponse]:  # type: ignore[empty-body]
    """Plan variations of a picture."""


@hookspec(firstresult=True)
def transcribe(endpoint: Endpoint, request: TranscribeRequest) -> Plan[TranscribeResponse]:  # type: ignore[empty-body]
    """Plan the writing down of speech."""


@hookspec(firstresult=True)
def stream_transcribe(endpoint: Endpoint, request: TranscribeRequest) -> StreamPlan[TranscribeResponse]:  # type: ignore[empty-body]
    """Plan the same, with `TextDelta` and `Segment` events."""


@hookspec(firstresult=True)
def translate(endpoint: Endpoint, request: TranscribeRequest) -> Plan[TranscribeResponse]:  # type: ignore[empty-body]
    """Plan the writing down of speech in English."""


@hookspec(firstresult=True)
def speak(endpoint: Endpoint, request: SpeakRequest) -> Plan[SpeakResponse]:  # type: ignore[empty-body]
    """Plan the reading aloud of a text."""


@hookspec(firstresult=True)
def stream_speak(endpoint: Endpoint, request: SpeakRequest) -> StreamPlan[SpeakResponse]:  # type: ignore[empty-body]
    """Plan the same, with `DataDelta` events."""


@hookspec(firstresult=True)
def moderate(endpoint: Endpoint, request: ModerateRequest) -> Plan[ModerateResponse]:  # type: ignore[empty-body]
    """Plan the judging of texts and pictures."""


@hookspec(firstresult=True)
def classify(endpoint: Endpoint, request: ClassifyRequest) -> Plan[ClassifyResponse]:  # type: ignore[empty-body]
    """Plan the labelling of texts."""


@hookspec(firstresult=True)
def predict(endpoint: Endpoint, request: PredictRequest) -> Plan[PredictResponse]:  # type: ignore[empty-body]
    """Plan what a model makes of tensors."""


@hookspec(firstresult=True)
def list_models(endpoint: Endpoint) -> Plan[tuple[ModelInfo, ...]]:  # type: ignore[empty-body]
    """Plan the list of models that the endpoint serves, with whatever the server and the catalogue tell of each."""


@hookspec(firstresult=True)
def show_model(endpoint: Endpoint, model: str) -> Plan[ModelInfo]:  # type: ignore[empty-body]
    """Plan the fullest answer about one model."""


@hookspec(firstresult=True)
def healthcheck(endpoint: Endpoint) -> Plan[Health]:  # type: ignore[empty-body]
    """Plan a check that costs nothing. The core turns errors into a `Health` and measures the time."""


@hookspec(firstresult=True)
def pull_model(endpoint: Endpoint, request: Request) -> StreamPlan[ModelResult]:  # type: ignore[empty-body]
    """Plan the server's fetching of a model, with `Progress` events. Like the next two it may take hours."""


@hookspec(firstresult=True)
def push_model(endpoint: Endpoint, request: Request) -> StreamPlan[ModelResult]:  # type: ignore[empty-body]
    """Plan the server's publishing of a model, with `Progress` events."""


@hookspec(firstresult=True)
def create_model(endpoint: Endpoint, request: CreateModelRequest) -> StreamPlan[ModelResult]:  # type: ignore[empty-body]
    """Plan the making of a model, with `Progress` events."""


@hookspec(firstresult=True)
def load_model(endpoint: Endpoint, request: Request) -> Plan[None]:  # type: ignore[empty-body]
    """Plan the loading of a model into memory."""


@hookspec(firstresult=True)
def unload_model(endpoint: Endpoint, request: Request) -> Plan[None]:  # type: ignore[empty-body]
    """Plan the reverse."""


@hookspec(firstresult=True)
def running_models(endpoint: Endpoint) -> Plan[tuple[RunningModel, ...]]:  # type: ignore[empty-body]
    """Plan the list of models that are loaded now."""


@hookspec(firstresult=True)
def copy_model(endpoint: Endpoint, source: str, destination: str) -> Plan[None]:  # type: ignore[empty-body]
    """Plan a second name for a model."""


@hookspec(firstresult=True)
def delete_model(endpoint: Endpoint, model: str) -> Plan[None]:  # type: ignore[empty-body]
    """Plan the deletion of a model from the server's disk."""


@hookspec(firstresult=True)
def upload_file(endpoint: Endpoint, request: UploadRequest) -> Plan[FileInfo]:  # type: ignore[empty-body]
    """Plan the sending of a file for the provider to keep."""


@hookspec(firstresult=True)
def list_files(endpoint: Endpoint, limit: int | None) -> Plan[tuple[FileInfo, ...]]:  # type: ignore[empty-body]
    """Plan the list of files that the provider keeps, at most `limit` of them."""


@hookspec(firstresult=True)
def get_file(endpoint: Endpoint, file: str) -> Plan[FileInfo]:  # type: ignore[empty-body]
    """Plan what is known of a file."""


@hookspec(firstresult=True)
def download_file(endpoint: Endpoint, file: str) -> StreamPlan[Transfer]:  # type: ignore[empty-body]
    """Plan its content, as `DataDelta` events."""


@hookspec(firstresult=True)
def delete_file(endpoint: Endpoint, file: str) -> Plan[None]:  # type: ignore[empty-body]
    """Plan its end."""


@hookspec(firstresult=True)
def create_batch(endpoint: Endpoint, request: BatchRequest) -> Plan[Batch]:  # type: ignore[empty-body]
    """Plan the handing in of requests to be worked off later."""


@hookspec(firstresult=True)
def list_batches(endpoint: Endpoint, limit: int | None) -> Plan[tuple[Batch, ...]]:  # type: ignore[empty-body]
    """Plan the list of batches, at most `limit` of them."""


@hookspec(firstresult=True)
def get_batch(endpoint: Endpoint, batch: str) -> Plan[Batch]:  # type: ignore[empty-body]
    """Plan the state of a batch."""


@hookspec(firstresult=True)
def batch_results(endpoint: Endpoint, batch: str) -> StreamPlan[BatchSummary]:  # type: ignore[empty-body]
    """Plan its results, as `BatchResult` events in any order."""


@hookspec(firstresult=True)
def cancel_batch(endpoint: Endpoint, batch: str) -> Plan[Batch]:  # type: ignore[empty-body]
    """Plan the end of its work."""


@hookspec(firstresult=True)
def delete_batch(endpoint: Endpoint, batch: str) -> Plan[None]:  # type: ignore[empty-body]
    """Plan the deletion of a batch that is over."""


@hookspec(firstresult=True)
def calls() -> Mapping[str, Callable[..., Plan[Any] | StreamPlan[Any]]]:  # type: ignore[empty-body]
    """Name the backend's own calls beyond the operations.

    Each is a function `(endpoint, **arguments) -> Plan`; a user reaches it with `client.call(endpoint, name, …)`, or
    with `client.stream_call(endpoint, name, …)` if the plan is one for a stream.
    """


OPERATIONS: tuple[str, ...] = (
    "chat",
    "stream",
    "complete",
    "stream_complete",
    "embed",
    "rerank",
    "tokenize",
    "detokenize",
    "count_tokens",
    "classify",
    "moderate",
    "generate_image",
    "stream_image",
    "edit_image",
    "stream_image_edit",
    "vary_image",
    "transcribe",
    "stream_transcribe",
    "translate",
    "speak",
    "stream_speak",
    "predict",
    "list_models",
    "show_model",
    "healthcheck",
    "pull_model",
    "push_model",
    "create_model",
    "load_model",
    "unload_model",
    "running_models",
    "copy_model",
    "delete_model",
    "upload_file",
    "list_files",
    "get_file",
    "download_file",
    "delete_file",
    "create_batch",
    "list_batches",
    "get_batch",
    "batch_results",
    "cancel_batch",
    "delete_batch",
    *OBJECT_OPERATIONS,
    *RAW_OPERATIONS,
)
"""Hooks that are operations of an endpoint, in the order in which they are shown."""
