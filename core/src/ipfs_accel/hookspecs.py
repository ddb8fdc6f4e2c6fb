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
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

import attrs
import pluggy

if TYPE_CHECKING:
    from .plans import Endpoint, ErrorDetail, HttpResponse, Plan, StreamPlan
    from .types import (
        Batch,
        BatchRequest,
        BatchSummary,
        ChatRequest,
        ChatResponse,
        ClassifyRequest,
        ClassifyResponse,
        CompletionRequest,
        CompletionResponse,
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
        ModerateRequest,
        ModerateResponse,
        PredictRequest,
        PredictResponse,
        RerankRequest,
        RerankResponse,
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

__all__ = ["API_VERSION", "OPERATIONS", "BackendInfo", "KeyHeader", "hookimpl", "hookspec"]

API_VERSION = 1
"""Version of this plugin API; a plugin states the one that it was written for as `api_version`."""

PROJECT = "ipfs_accel"
hookspec = pluggy.HookspecMarker(PROJECT)
hookimpl = pluggy.HookimplMarker(PROJECT)


@attrs.frozen(kw_only=True)
class KeyHeader:
    """The header in which a provider wants its key."""

    name: str = "authorization"
    prefix: str = "Bearer "


@attrs.frozen(kw_only=True)
class BackendInfo:
    """What the core has to know of a backend.

    Attributes:
        name: The entry point's name.
        title: For people.
        base_url: Where the provider is, or where a local server usually is.
        base_url_env: Environment variables that may name another base URL, first wins.
        key_env: Environment variables that may hold the key, first wins.
        key_header: How the key is sent; a function of the `options` instance where that is a setting.
        needs_key: Whether calls to the provider's own `base_url` are pointless without a key.
        options: An attrs class of the backend's own settings, all with defaults; configuration is checked against it.
        options_env: Name of a field of `options` to the environment variable that may set it.
        headers: Fixed headers of every request, from the settings; given the `options` instance.
        read_error: Reads an error answer's body; None means that the status and the text are all there is.
        describe_model: Adds what the plugin knows of a model beforehand, such as its prices (see `catalogue`).
        prices_hold: Whether an answer with this `extra` costs what the price list says; None means always.
        request_id_headers: Response headers that may hold the provider's id of a request.
        documentation: URL of a page for users.
    """

    name: str
    title: str = ""
    base_url: str = ""
    base_url_env: tuple[str, ...] = ()
    key_env: tuple[str, ...] = ()
    key_header: KeyHeader | Callable[[Any], KeyHeader] = KeyHeader()
    needs_key: bool = False
    options: type[Any] | None = None
    options_env: Mapping[str, str] = attrs.field(factory=dict)
    headers: Callable[[Any], Mapping[str, str]] | None = None
    read_error: Callable[[HttpResponse], ErrorDetail] | None = None
    describe_model: Callable[[Endpoint, ModelInfo], ModelInfo] | None = None
    prices_hold: Callable[[Mapping[str, Any]], bool] | None = None
    request_id_headers: tuple[str, ...] = ("x-request-id", "request-id")
    documentation: str = ""


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
)
"""Hooks that are operations of an endpoint, in the order in which they are shown."""
