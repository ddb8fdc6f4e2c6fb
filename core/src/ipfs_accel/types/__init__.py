"""Requests, answers, messages and stream events: frozen values, the same in every world."""

from typing import TYPE_CHECKING

from ipfs_accel._lazy import lazy

from ._answers import (
    Answer,
    CallInfo,
    ChatResponse,
    Choice,
    CompletionChoice,
    CompletionResponse,
    DetokenizeResponse,
    EmbedResponse,
    RankedDocument,
    RateLimit,
    RerankResponse,
    Timing,
    TokenCount,
    TokenizeResponse,
    TokenLogprob,
    Tried,
    Vector,
)
from ._events import (
    AudioDelta,
    BlockEnd,
    BlockStart,
    FinishEvent,
    ReasoningDelta,
    RefusalDelta,
    StreamEvent,
    TextDelta,
    ToolCallDelta,
    UsageEvent,
)
from ._info import Health, ModelInfo
from ._messages import (
    Audio,
    Document,
    Image,
    Message,
    Opaque,
    Part,
    Reasoning,
    Refusal,
    Role,
    Text,
    ToolCall,
    ToolResult,
    sniff_media_type,
)
from ._record import CallRecord
from ._requests import (
    CallOptions,
    ChatOptions,
    ChatRequest,
    CompleteOptions,
    CompletionRequest,
    DetokenizeRequest,
    EmbedOptions,
    EmbedRequest,
    ImageOptions,
    JsonSchema,
    Messages,
    Model,
    PredictOptions,
    Request,
    RerankRequest,
    ResponseFormat,
    SamplingRequest,
    SpeakOptions,
    Timeout,
    TokenizeRequest,
    Tool,
    TranscribeOptions,
)
from ._usage import Usage

if TYPE_CHECKING:
    from ._abilities import Capabilities as Capabilities
    from ._abilities import Found as Found
    from ._abilities import Match as Match
    from ._files import FileInfo as FileInfo
    from ._files import Transfer as Transfer
    from ._files import Upload as Upload
    from ._files import UploadRequest as UploadRequest
    from ._files import UploadSource as UploadSource
    from ._jobs import Batch as Batch
    from ._jobs import BatchItem as BatchItem
    from ._jobs import BatchRequest as BatchRequest
    from ._jobs import BatchResult as BatchResult
    from ._jobs import BatchStatus as BatchStatus
    from ._jobs import BatchSummary as BatchSummary
    from ._local import CreateModelOptions as CreateModelOptions
    from ._local import CreateModelRequest as CreateModelRequest
    from ._local import ModelResult as ModelResult
    from ._local import RunningModel as RunningModel
    from ._media import ClassifyRequest as ClassifyRequest
    from ._media import ClassifyResponse as ClassifyResponse
    from ._media import EditImageRequest as EditImageRequest
    from ._media import GeneratedImage as GeneratedImage
    from ._media import GenerateImageRequest as GenerateImageRequest
    from ._media import ImageResponse as ImageResponse
    from ._media import Label as Label
    from ._media import ModerateRequest as ModerateRequest
    from ._media import ModerateResponse as ModerateResponse
    from ._media import Moderation as Moderation
    from ._media import Segment as Segment
    from ._media import SpeakRequest as SpeakRequest
    from ._media import SpeakResponse as SpeakResponse
    from ._media import TranscribeRequest as TranscribeRequest
    from ._media import TranscribeResponse as TranscribeResponse
    from ._media import VaryImageRequest as VaryImageRequest
    from ._objects import CopyObjectRequest as CopyObjectRequest
    from ._objects import CopyOptions as CopyOptions
    from ._objects import DeletedObjects as DeletedObjects
    from ._objects import DeleteObjectRequest as DeleteObjectRequest
    from ._objects import DeleteObjectsRequest as DeleteObjectsRequest
    from ._objects import DownloadObjectRequest as DownloadObjectRequest
    from ._objects import GetObjectRequest as GetObjectRequest
    from ._objects import ListObjectsRequest as ListObjectsRequest
    from ._objects import ObjectEvent as ObjectEvent
    from ._objects import ObjectFailure as ObjectFailure
    from ._objects import ObjectInfo as ObjectInfo
    from ._objects import ObjectListing as ObjectListing
    from ._objects import ObjectOptions as ObjectOptions
    from ._objects import ObjectPrefix as ObjectPrefix
    from ._objects import ObjectRequest as ObjectRequest
    from ._objects import ObjectSource as ObjectSource
    from ._objects import PresignedRequest as PresignedRequest
    from ._objects import PresignObjectRequest as PresignObjectRequest
    from ._objects import PresignOptions as PresignOptions
    from ._objects import PutObjectRequest as PutObjectRequest
    from ._objects import PutOptions as PutOptions
    from ._pieces import DataDelta as DataDelta
    from ._pieces import PartialImage as PartialImage
    from ._pieces import Progress as Progress
    from ._pieces import StreamedEvent as StreamedEvent
    from ._predict import PredictRequest as PredictRequest
    from ._predict import PredictResponse as PredictResponse
    from ._predict import as_inputs as as_inputs
    from ._tensors import Tensor as Tensor
    from ._tensors import TensorSource as TensorSource
    from ._tensors import Values as Values
    from ._tensors import nested as nested

# Loaded when they are first used: chats need none of them.
_HOMES: dict[str, tuple[str, ...]] = {
    "._abilities": ("Capabilities", "Found", "Match"),
    "._files": ("FileInfo", "Transfer", "Upload", "UploadRequest", "UploadSource"),
    "._jobs": ("BatchStatus", "Batch", "BatchItem", "BatchRequest", "BatchResult", "BatchSummary"),
    "._local": ("CreateModelOptions", "CreateModelRequest", "ModelResult", "RunningModel"),
    "._media": (
        "ClassifyRequest",
        "ClassifyResponse",
        "EditImageRequest",
        "GenerateImageRequest",
        "GeneratedImage",
        "ImageResponse",
        "Label",
        "ModerateRequest",
        "ModerateResponse",
        "Moderation",
        "Segment",
        "SpeakRequest",
        "SpeakResponse",
        "TranscribeRequest",
        "TranscribeResponse",
        "VaryImageRequest",
    ),
    "._objects": (
        "CopyObjectRequest",
        "CopyOptions",
        "DeleteObjectRequest",
        "DeleteObjectsRequest",
        "DeletedObjects",
        "DownloadObjectRequest",
        "GetObjectRequest",
        "ListObjectsRequest",
        "ObjectEvent",
        "ObjectFailure",
        "ObjectInfo",
        "ObjectListing",
        "ObjectOptions",
        "ObjectPrefix",
        "ObjectRequest",
        "ObjectSource",
        "PresignObjectRequest",
        "PresignOptions",
        "PresignedRequest",
        "PutObjectRequest",
        "PutOptions",
    ),
    "._pieces": ("DataDelta", "PartialImage", "Progress", "StreamedEvent"),
    "._predict": ("PredictRequest", "PredictResponse", "as_inputs"),
    "._tensors": ("nested", "Tensor", "TensorSource", "Values"),
}

__all__ = [
    "Answer",
    "Audio",
    "AudioDelta",
    "Batch",
    "BatchItem",
    "BatchRequest",
    "BatchResult",
    "BatchStatus",
    "BatchSummary",
    "BlockEnd",
    "BlockStart",
    "CallInfo",
    "CallOptions",
    "CallRecord",
    "Capabilities",
    "ChatOptions",
    "ChatRequest",
    "ChatResponse",
    "Choice",
    "ClassifyRequest",
    "ClassifyResponse",
    "CompleteOptions",
    "CompletionChoice",
    "CompletionRequest",
    "CompletionResponse",
    "CopyObjectRequest",
    "CopyOptions",
    "CreateModelOptions",
    "CreateModelRequest",
    "DataDelta",
    "DeleteObjectRequest",
    "DeleteObjectsRequest",
    "DeletedObjects",
    "DetokenizeRequest",
    "DetokenizeResponse",
    "Document",
    "DownloadObjectRequest",
    "EditImageRequest",
    "EmbedOptions",
    "EmbedRequest",
    "EmbedResponse",
    "FileInfo",
    "FinishEvent",
    "Found",
    "GenerateImageRequest",
    "GeneratedImage",
    "GetObjectRequest",
    "Health",
    "Image",
    "ImageOptions",
    "ImageResponse",
    "JsonSchema",
    "Label",
    "ListObjectsRequest",
    "Match",
    "Message",
    "Messages",
    "Model",
    "ModelInfo",
    "ModelResult",
    "ModerateRequest",
    "ModerateResponse",
    "Moderation",
    "ObjectEvent",
    "ObjectFailure",
    "ObjectInfo",
    "ObjectListing",
    "ObjectOptions",
    "ObjectPrefix",
    "ObjectRequest",
    "ObjectSource",
    "Opaque",
    "Part",
    "PartialImage",
    "PredictOptions",
    "PredictRequest",
    "PredictResponse",
    "PresignObjectRequest",
    "PresignOptions",
    "PresignedRequest",
    "Progress",
    "PutObjectRequest",
    "PutOptions",
    "RankedDocument",
    "RateLimit",
    "Reasoning",
    "ReasoningDelta",
    "Refusal",
    "RefusalDelta",
    "Request",
    "RerankRequest",
    "RerankResponse",
    "ResponseFormat",
    "Role",
    "RunningModel",
    "SamplingRequest",
    "Segment",
    "SpeakOptions",
    "SpeakRequest",
    "SpeakResponse",
    "StreamEvent",
    "StreamedEvent",
    "Tensor",
    "TensorSource",
    "Text",
    "TextDelta",
    "Timeout",
    "Timing",
    "TokenCount",
    "TokenLogprob",
    "TokenizeRequest",
    "TokenizeResponse",
    "Tool",
    "ToolCall",
    "ToolCallDelta",
    "ToolResult",
    "TranscribeOptions",
    "TranscribeRequest",
    "TranscribeResponse",
    "Transfer",
    "Tried",
    "Upload",
    "UploadRequest",
    "UploadSource",
    "Usage",
    "UsageEvent",
    "Values",
    "VaryImageRequest",
    "Vector",
    "as_inputs",
    "nested",
    "sniff_media_type",
]


__getattr__ = lazy(__name__, _HOMES)


def __dir__() -> list[str]:
    return __all__
