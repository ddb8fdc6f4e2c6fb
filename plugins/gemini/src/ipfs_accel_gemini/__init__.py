"""The `gemini` backend: Google's Gemini API, and the same models on Vertex AI."""

from __future__ import annotations

from collections.abc import Callable, Generator, Mapping
from importlib import import_module
from typing import TYPE_CHECKING, Any

from ipfs_accel import BackendInfo, hookimpl
from ipfs_accel.errors import APIError
from ipfs_accel.hookspecs import TokenRules
from ipfs_accel.plans import Endpoint, Flow, Http, HttpRequest, HttpResponse, HttpStream, Plan, Ready, StreamPlan
from ipfs_accel.types import ChatRequest, ChatResponse, Health, ModelInfo, TokenCount
from ipfs_accel.wire.assembler import chat_assembler
from ipfs_accel.wire.late import late
from ipfs_accel.wire.raw import RawRequests

from . import _answers as answers
from . import _models as models
from . import _requests as requests
from ._errors import read_error
from ._fields import count
from ._frames import ObjectDecoder
from ._parts import part
from ._routes import Options, checked, headers, key_header, lacks, model_name, model_path, placed, post
from ._rules import rules_of

__all__ = ["Gemini", "Options", "backend", "part"]


if TYPE_CHECKING:
    from ipfs_accel.plans import Relay
    from ipfs_accel.types import (
        Batch,
        BatchRequest,
        BatchSummary,
        EditImageRequest,
        EmbedRequest,
        EmbedResponse,
        FileInfo,
        GenerateImageRequest,
        ImageResponse,
        RelayRequest,
        SpeakRequest,
        SpeakResponse,
        Transfer,
        UploadRequest,
    )

    from . import _batches as batches
    from . import _embed as vectors
    from . import _files as files
    from . import _images as images
    from . import _relays as relays
    from . import _speech as speech
else:  # chats need none of them
    batches, vectors, files = late(__name__, "_batches", "_embed", "_files")
    images, relays, speech = late(__name__, "_images", "_relays", "_speech")


def _token_rules(_endpoint: Endpoint, model: str) -> TokenRules:
    from . import _tokens  # noqa: PLC0415 - few callers count

    return _tokens.rules(model)


class Gemini(RawRequests):
    """Chats, vectors, pictures, speech, token counts, models, batches and files."""

    api_version = 1

    @hookimpl
    def describe(self) -> BackendInfo:
        """Say where the API is and how it wants its key."""
        return BackendInfo(
            name="gemini",
            title="Google Gemini",
            base_url="https://generativelanguage.googleapis.com",
            base_url_env=("GOOGLE_GEMINI_BASE_URL",),
            key_env=("GEMINI_API_KEY", "GOOGLE_API_KEY"),
            key_header=key_header,
            lacks=lacks,
            needs_key=True,
            options=Options,
            options_env={
                "api_version": "GOOGLE_GENAI_API_VERSION",
                "project": "GOOGLE_CLOUD_PROJECT",
                "location": "GOOGLE_CLOUD_LOCATION",
            },
            headers=headers,
            read_error=read_error,
            max_inputs=100,  # of batchEmbedContents
            catalogue=models.catalogue,
            describe_model=models.described,
            prices_hold=models.prices_hold,
            token_rules=_token_rules,
            documentation="https://ai.google.dev/api",
        )

    def placed(self, endpoint: Endpoint, send: HttpRequest) -> HttpRequest:
        """Return a request below the API's version, unless its path is whole."""
        return placed(endpoint, send)

    @hookimpl
    def chat(self, endpoint: Endpoint, request: ChatRequest) -> Plan[ChatResponse]:
        """Plan POST /models/{id}:generateContent, again and again while the answer says that it goes on."""
        rules = rules_of(request.model)
        path = model_path(endpoint, request.model, "generateContent")
        body = requests.body(request, rules, vertex=endpoint.options.vertex)
        unsupported, back = requests.unsupported(request, rules), requests.kept_back(request)

        def steps() -> Generator[Plan[Any], Any, Ready[ChatResponse]]:
            bodies: list[dict[str, Any]] = []
            token: str | None = None
            while True:
                more = {"continuationToken": token} if token else {}
                send = post(endpoint, path, {**body, **more})
                try:
                    answer = yield Http(send=send, parse=answers.read_chat, unsupported=unsupported, kept_back=back)
                except APIError as error:
                    error.partial = answers.read_hops(bodies) if bodies else None
                    raise
                bodies.append(answer.raw)
                token, last = answers.next_token(answer.raw), token
                if token is None or token == last:
                    return Ready(value=answer if len(bodies) == 1 else answers.read_hops(bodies))

        return Flow(steps=steps)

    @hookimpl
    def stream(self, endpoint: Endpoint, request: ChatRequest) -> StreamPlan[ChatResponse]:
        """Plan POST /models/{id}:streamGenerateContent as `chat` does; only a reason for its end completes it."""
        rules = rules_of(request.model)
        path = model_path(endpoint, request.model, "streamGenerateContent") + "?alt=sse"
        body = requests.body(request, rules, vertex=endpoint.options.vertex)

        def going_on(read: answers.Reader) -> HttpRequest | None:
            token = read.next_token()
            more = {**body, "continuationToken": token}
            return None if token is None else post(endpoint, path, more, accept="text/event-stream")

        return HttpStream(
            send=post(endpoint, path, body, accept="text/event-stream"),
            frames=ObjectDecoder,
            decoder=answers.Reader,
            assembler=chat_assembler,
            unsupported=requests.unsupported(request, rules),
            kept_back=requests.kept_back(request),
            any_type=True,
            going_on=going_on,
        )

    @hookimpl
    def count_tokens(self, endpoint: Endpoint, request: ChatRequest) -> Plan[TokenCount]:
        """Plan POST /models/{id}:countTokens, which is free."""
        name = model_name(endpoint, request.model)
        body = requests.counted(request, rules_of(request.model), name, vertex=endpoint.options.vertex)

        def read(response: HttpResponse) -> TokenCount:
            answer = checked(response)
            return TokenCount(input_tokens=count(answer, "totalTokens"), exact=True, method="server", raw=answer)

        return Http(send=post(endpoint, model_path(endpoint, request.model, "countTokens"), body), parse=read)

    @hookimpl
    def relay(self, endpoint: Endpoint, request: RelayRequest) -> Relay | None:
        """Pass on what was written for Gemini."""
        return relays.relayed(endpoint, request)

    @hookimpl
    def embed(self, endpoint: Endpoint, request: EmbedRequest) -> Plan[EmbedResponse]:
        """Plan POST /models/{id}:batchEmbedContents."""
        return vectors.embed(endpoint, request)

    @hookimpl
    def generate_image(self, endpoint: Endpoint, request: GenerateImageRequest) -> Plan[ImageResponse]:
        """Plan POST /models/{id}:generateContent for pictures, or :predict for Imagen."""
        return images.generate(endpoint, request)

    @hookimpl
    def stream_image(self, endpoint: Endpoint, request: GenerateImageRequest) -> StreamPlan[ImageResponse]:
        """Plan POST /models/{id}:streamGenerateContent for pictures."""
        return images.stream(endpoint, request)

    @hookimpl
    def edit_image(self, endpoint: Endpoint, request: EditImageRequest) -> Plan[ImageResponse]:
        """Plan POST /models/{id}:generateContent with pictures for pictures."""
        return images.edit(endpoint, request)

    @hookimpl
    def stream_image_edit(self, endpoint: Endpoint, request: EditImageRequest) -> StreamPlan[ImageResponse]:
        """Plan the same as a stream."""
        return images.stream(endpoint, request)

    @hookimpl
    def speak(self, endpoint: Endpoint, request: SpeakRequest) -> Plan[SpeakResponse]:
        """Plan POST /models/{id}:generateContent for speech."""
        return speech.speak(endpoint, request)

    @hookimpl
    def stream_speak(self, endpoint: Endpoint, request: SpeakRequest) -> StreamPlan[SpeakResponse]:
        """Plan POST /models/{id}:streamGenerateContent for speech."""
        return speech.stream(endpoint, request)

    @hookimpl
    def list_models(self, endpoint: Endpoint) -> Plan[tuple[ModelInfo, ...]]:
        """Plan GET /models, page by page."""
        return models.every(endpoint)

    @hookimpl
    def show_model(self, endpoint: Endpoint, model: str) -> Plan[ModelInfo]:
        """Plan GET /models/{id}."""
        return models.one(endpoint, model)

    @hookimpl
    def healthcheck(self, endpoint: Endpoint) -> Plan[Health]:
        """Plan GET /models, which is free and needs the key."""
        return models.health(endpoint)

    @hookimpl
    def upload_file(self, endpoint: Endpoint, request: UploadRequest) -> Plan[FileInfo]:
        """Plan POST /upload/{version}/files and the sending of the bytes."""
        return files.upload(endpoint, request)

    @hookimpl
    def list_files(self, endpoint: Endpoint, limit: int | None) -> Plan[tuple[FileInfo, ...]]:
        """Plan GET /files."""
        return files.every(endpoint, limit)

    @hookimpl
    def get_file(self, endpoint: Endpoint, file: str) -> Plan[FileInfo]:
        """Plan GET /files/{id}."""
        return files.one(endpoint, file)

    @hookimpl
    def download_file(self, endpoint: Endpoint, file: str) -> StreamPlan[Transfer]:
        """Plan GET /files/{id}:download."""
        return files.download(endpoint, file)

    @hookimpl
    def delete_file(self, endpoint: Endpoint, file: str) -> Plan[None]:
        """Plan DELETE /files/{id}."""
        return files.delete(endpoint, file)

    @hookimpl
    def create_batch(self, endpoint: Endpoint, request: BatchRequest) -> Plan[Batch]:
        """Plan POST /models/{id}:batchGenerateContent or :asyncBatchEmbedContent."""
        return batches.create(endpoint, request)

    @hookimpl
    def list_batches(self, endpoint: Endpoint, limit: int | None) -> Plan[tuple[Batch, ...]]:
        """Plan GET /batches."""
        return batches.every(endpoint, limit)

    @hookimpl
    def get_batch(self, endpoint: Endpoint, batch: str) -> Plan[Batch]:
        """Plan GET /batches/{id}."""
        return batches.one(endpoint, batch)

    @hookimpl
    def batch_results(self, endpoint: Endpoint, batch: str) -> StreamPlan[BatchSummary]:
        """Plan the results of a batch that is over."""
        return batches.results(endpoint, batch)

    @hookimpl
    def cancel_batch(self, endpoint: Endpoint, batch: str) -> Plan[Batch]:
        """Plan POST /batches/{id}:cancel."""
        return batches.cancel(endpoint, batch)

    @hookimpl
    def delete_batch(self, endpoint: Endpoint, batch: str) -> Plan[None]:
        """Plan DELETE /batches/{id}."""
        return batches.delete(endpoint, batch)

    @hookimpl
    def calls(self) -> Mapping[str, Callable[..., Plan[Any]]]:
        """Name what only Gemini has."""
        return import_module("._calls", __name__).CALLS  # type: ignore[no-any-return]


backend = Gemini()
