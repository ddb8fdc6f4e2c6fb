"""The operations of a client that take a model: hook name, how the request is made, and the type of the answer."""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from ipfs_accel._convert import texts

if TYPE_CHECKING:
    from ipfs_accel.types import (
        Batch,
        ChatResponse,
        ClassifyResponse,
        CompletionResponse,
        DeletedObjects,
        DetokenizeResponse,
        EmbedResponse,
        FileInfo,
        ImageResponse,
        ModelResult,
        ModerateResponse,
        ObjectInfo,
        ObjectListing,
        PredictResponse,
        PresignedRequest,
        RawResponse,
        Request,
        RerankResponse,
        SpeakResponse,
        TokenCount,
        TokenizeResponse,
        TranscribeResponse,
        Transfer,
    )

A = TypeVar("A")


class Operation(Generic[A]):
    """One operation.

    Attributes:
        name: Of the hook.
        build: Makes the request from model id, main argument and options.
    """

    __slots__ = ("build", "name")

    def __init__(self, name: str, build: Callable[[str, Any, dict[str, Any]], Request]) -> None:
        self.name = name
        self.build = build


def _late(name: str, module: str = "media") -> Callable[[str, Any, dict[str, Any]], Request]:
    """Return a maker of requests that is loaded when it is first used: chats need none of them."""

    def build(model: str, value: Any, options: dict[str, Any]) -> Request:
        return getattr(import_module(f"ipfs_accel._convert.{module}"), name)(model, value, options)  # type: ignore[no-any-return]

    return build


CHAT: Operation[ChatResponse] = Operation("chat", texts.chat_request)
STREAM: Operation[ChatResponse] = Operation("stream", texts.chat_request)
COMPLETE: Operation[CompletionResponse] = Operation("complete", texts.completion_request)
STREAM_COMPLETE: Operation[CompletionResponse] = Operation("stream_complete", texts.completion_request)
EMBED: Operation[EmbedResponse] = Operation("embed", texts.embed_request)
RERANK: Operation[RerankResponse] = Operation("rerank", texts.rerank_request)
TOKENIZE: Operation[TokenizeResponse] = Operation("tokenize", texts.tokenize_request)
DETOKENIZE: Operation[DetokenizeResponse] = Operation("detokenize", texts.detokenize_request)
COUNT_TOKENS: Operation[TokenCount] = Operation("count_tokens", texts.chat_request)

CLASSIFY: Operation[ClassifyResponse] = Operation("classify", _late("classify_request"))
MODERATE: Operation[ModerateResponse] = Operation("moderate", _late("moderate_request"))
GENERATE_IMAGE: Operation[ImageResponse] = Operation("generate_image", _late("generate_image_request"))
STREAM_IMAGE: Operation[ImageResponse] = Operation("stream_image", _late("generate_image_request"))
EDIT_IMAGE: Operation[ImageResponse] = Operation("edit_image", _late("edit_image_request"))
STREAM_IMAGE_EDIT: Operation[ImageResponse] = Operation("stream_image_edit", _late("edit_image_request"))
VARY_IMAGE: Operation[ImageResponse] = Operation("vary_image", _late("vary_image_request"))
TRANSCRIBE: Operation[TranscribeResponse] = Operation("transcribe", _late("transcribe_request"))
STREAM_TRANSCRIBE: Operation[TranscribeResponse] = Operation("stream_transcribe", _late("transcribe_request"))
TRANSLATE: Operation[TranscribeResponse] = Operation("translate", _late("transcribe_request"))
SPEAK: Operation[SpeakResponse] = Operation("speak", _late("speak_request"))
STREAM_SPEAK: Operation[SpeakResponse] = Operation("stream_speak", _late("speak_request"))
PREDICT: Operation[PredictResponse] = Operation("predict", _late("predict_request", "tensors"))
UPLOAD_FILE: Operation[FileInfo] = Operation("upload_file", _late("upload_request"))
CREATE_BATCH: Operation[Batch] = Operation("create_batch", _late("batch_request"))
PULL_MODEL: Operation[ModelResult] = Operation("pull_model", _late("model_request", "models"))
PUSH_MODEL: Operation[ModelResult] = Operation("push_model", _late("model_request", "models"))
CREATE_MODEL: Operation[ModelResult] = Operation("create_model", _late("create_model_request", "models"))
LOAD_MODEL: Operation[None] = Operation("load_model", _late("model_request", "models"))
UNLOAD_MODEL: Operation[None] = Operation("unload_model", _late("model_request", "models"))

PUT_OBJECT: Operation[ObjectInfo] = Operation("put_object", _late("put_object_request", "objects"))
GET_OBJECT: Operation[ObjectInfo] = Operation("get_object", _late("get_object_request", "objects"))
DOWNLOAD_OBJECT: Operation[ObjectInfo] = Operation("download_object", _late("download_object_request", "objects"))
HEAD_OBJECT: Operation[ObjectInfo] = Operation("head_object", _late("get_object_request", "objects"))
LIST_OBJECTS: Operation[ObjectListing] = Operation("list_objects", _late("list_objects_request", "objects"))
COPY_OBJECT: Operation[ObjectInfo] = Operation("copy_object", _late("copy_object_request", "objects"))
DELETE_OBJECT: Operation[None] = Operation("delete_object", _late("delete_object_request", "objects"))
DELETE_OBJECTS: Operation[DeletedObjects] = Operation("delete_objects", _late("delete_objects_request", "objects"))
PRESIGN_OBJECT: Operation[PresignedRequest] = Operation("presign_object", _late("presign_object_request", "objects"))

REQUEST: Operation[RawResponse] = Operation("request", _late("raw_request", "raw"))
STREAM_REQUEST: Operation[Transfer] = Operation("stream_request", _late("raw_request", "raw"))
