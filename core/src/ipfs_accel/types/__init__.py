"""Requests, answers, messages and stream events: frozen values, the same in every world."""

from typing import TYPE_CHECKING

from ipfs_accel._lazy import lazy

if TYPE_CHECKING:
    from ipfs_accel._typed.faults import Fault as Fault

    from ._abilities import Capabilities as Capabilities
    from ._abilities import Found as Found
    from ._abilities import Match as Match
    from ._answers import Answer as Answer
    from ._answers import CallInfo as CallInfo
    from ._answers import ChatResponse as ChatResponse
    from ._answers import Choice as Choice
    from ._answers import Timing as Timing
    from ._answers import TokenLogprob as TokenLogprob
    from ._answers import Tried as Tried
    from ._estimate import Bounds as Bounds
    from ._estimate import Estimate as Estimate
    from ._events import AudioDelta as AudioDelta
    from ._events import BlockEnd as BlockEnd
    from ._events import BlockStart as BlockStart
    from ._events import FinishEvent as FinishEvent
    from ._events import ReasoningDelta as ReasoningDelta
    from ._events import RefusalDelta as RefusalDelta
    from ._events import StreamEvent as StreamEvent
    from ._events import TextDelta as TextDelta
    from ._events import ToolCallDelta as ToolCallDelta
    from ._events import UsageEvent as UsageEvent
    from ._files import FileInfo as FileInfo
    from ._files import Transfer as Transfer
    from ._files import Upload as Upload
    from ._files import UploadRequest as UploadRequest
    from ._files import UploadSource as UploadSource
    from ._info import Health as Health
    from ._info import ModelInfo as ModelInfo
    from ._jobs import Batch as Batch
    from ._jobs import BatchItem as BatchItem
    from ._jobs import BatchReport as BatchReport
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
    from ._messages import Audio as Audio
    from ._messages import Document as Document
    from ._messages import FileSource as FileSource
    from ._messages import Image as Image
    from ._messages import Message as Message
    from ._messages import Opaque as Opaque
    from ._messages import Origin as Origin
    from ._messages import Part as Part
    from ._messages import Reasoning as Reasoning
    from ._messages import Refusal as Refusal
    from ._messages import Role as Role
    from ._messages import Text as Text
    from ._messages import ToolCall as ToolCall
    from ._messages import ToolResult as ToolResult
    from ._messages import sniff_media_type as sniff_media_type
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
    from ._options import BatchRunOptions as BatchRunOptions
    from ._options import CallOptions as CallOptions
    from ._options import ChatOptions as ChatOptions
    from ._options import CompleteOptions as CompleteOptions
    from ._options import ConversationOptions as ConversationOptions
    from ._options import EmbedOptions as EmbedOptions
    from ._options import FreeRunOptions as FreeRunOptions
    from ._options import ImageOptions as ImageOptions
    from ._options import PredictOptions as PredictOptions
    from ._options import RawOptions as RawOptions
    from ._options import RunOptions as RunOptions
    from ._options import SpeakOptions as SpeakOptions
    from ._options import StreamRawOptions as StreamRawOptions
    from ._options import TranscribeOptions as TranscribeOptions
    from ._parsed import ParsedResponse as ParsedResponse
    from ._pieces import DataDelta as DataDelta
    from ._pieces import PartialImage as PartialImage
    from ._pieces import Progress as Progress
    from ._pieces import StreamedEvent as StreamedEvent
    from ._predict import PredictRequest as PredictRequest
    from ._predict import PredictResponse as PredictResponse
    from ._predict import as_inputs as as_inputs
    from ._rate_limit import RateLimit as RateLimit
    from ._raw import RawRequest as RawRequest
    from ._raw import RawResponse as RawResponse
    from ._raw import ServerEvent as ServerEvent
    from ._record import CallRecord as CallRecord
    from ._relay import RelayRequest as RelayRequest
    from ._requests import ChatRequest as ChatRequest
    from ._requests import JsonSchema as JsonSchema
    from ._requests import Messages as Messages
    from ._requests import Model as Model
    from ._requests import Request as Request
    from ._requests import ResponseFormat as ResponseFormat
    from ._requests import SamplingRequest as SamplingRequest
    from ._requests import Timeout as Timeout
    from ._requests import Tool as Tool
    from ._run import RoundEnd as RoundEnd
    from ._run import RunEvent as RunEvent
    from ._run import RunResult as RunResult
    from ._run import ToolEnd as ToolEnd
    from ._run import ToolRun as ToolRun
    from ._run import ToolStart as ToolStart
    from ._tensors import Tensor as Tensor
    from ._tensors import TensorSource as TensorSource
    from ._tensors import Values as Values
    from ._tensors import nested as nested
    from ._text_answers import CompletionChoice as CompletionChoice
    from ._text_answers import CompletionResponse as CompletionResponse
    from ._text_answers import DetokenizeResponse as DetokenizeResponse
    from ._text_answers import EmbedPartial as EmbedPartial
    from ._text_answers import EmbedResponse as EmbedResponse
    from ._text_answers import RankedDocument as RankedDocument
    from ._text_answers import RerankResponse as RerankResponse
    from ._text_answers import TokenCount as TokenCount
    from ._text_answers import TokenizeResponse as TokenizeResponse
    from ._text_answers import Vector as Vector
    from ._text_requests import CompletionRequest as CompletionRequest
    from ._text_requests import DetokenizeRequest as DetokenizeRequest
    from ._text_requests import EmbedRequest as EmbedRequest
    from ._text_requests import RerankRequest as RerankRequest
    from ._text_requests import TokenizeRequest as TokenizeRequest
    from ._usage import Usage as Usage


# Loaded when they are first used: a chat needs few of them.
_HOMES = {
    home: tuple(names.split())
    for home, names in {
        ".._typed.faults": "Fault",
        "._abilities": "Capabilities Found Match",
        "._answers": "Answer CallInfo ChatResponse Choice Timing TokenLogprob Tried",
        "._estimate": "Bounds Estimate",
        "._events": "AudioDelta BlockEnd BlockStart FinishEvent ReasoningDelta RefusalDelta StreamEvent TextDelta "
        "ToolCallDelta UsageEvent",
        "._files": "FileInfo Transfer Upload UploadRequest UploadSource",
        "._info": "Health ModelInfo",
        "._jobs": "Batch BatchItem BatchReport BatchRequest BatchResult BatchStatus BatchSummary",
        "._local": "CreateModelOptions CreateModelRequest ModelResult RunningModel",
        "._media": "ClassifyRequest ClassifyResponse EditImageRequest GenerateImageRequest GeneratedImage "
        "ImageResponse Label ModerateRequest ModerateResponse Moderation Segment SpeakRequest "
        "SpeakResponse TranscribeRequest TranscribeResponse VaryImageRequest",
        "._messages": "Audio Document FileSource Image Message Opaque Origin Part Reasoning Refusal Role Text "
        "ToolCall ToolResult sniff_media_type",
        "._objects": "CopyObjectRequest CopyOptions DeleteObjectRequest DeleteObjectsRequest DeletedObjects "
        "DownloadObjectRequest GetObjectRequest ListObjectsRequest ObjectEvent ObjectFailure ObjectInfo "
        "ObjectListing ObjectOptions ObjectPrefix ObjectRequest ObjectSource PresignObjectRequest "
        "PresignOptions PresignedRequest PutObjectRequest PutOptions",
        "._options": "BatchRunOptions CallOptions ChatOptions CompleteOptions ConversationOptions EmbedOptions "
        "FreeRunOptions ImageOptions PredictOptions RawOptions RunOptions SpeakOptions StreamRawOptions "
        "TranscribeOptions",
        "._parsed": "ParsedResponse",
        "._pieces": "DataDelta PartialImage Progress StreamedEvent",
        "._predict": "PredictRequest PredictResponse as_inputs",
        "._rate_limit": "RateLimit",
        "._raw": "RawRequest RawResponse ServerEvent",
        "._relay": "RelayRequest",
        "._record": "CallRecord",
        "._requests": "ChatRequest JsonSchema Messages Model Request ResponseFormat SamplingRequest Timeout Tool",
        "._run": "RoundEnd RunEvent RunResult ToolEnd ToolRun ToolStart",
        "._tensors": "Tensor TensorSource Values nested",
        "._text_answers": "CompletionChoice CompletionResponse DetokenizeResponse EmbedPartial EmbedResponse "
        "RankedDocument RerankResponse TokenCount TokenizeResponse Vector",
        "._text_requests": "CompletionRequest DetokenizeRequest EmbedRequest RerankRequest TokenizeRequest",
        "._usage": "Usage",
    }.items()
}

__all__ = [
    "Answer",
    "Audio",
    "AudioDelta",
    "Batch",
    "BatchItem",
    "BatchReport",
    "BatchRequest",
    "BatchResult",
    "BatchRunOptions",
    "BatchStatus",
    "BatchSummary",
    "BlockEnd",
    "BlockStart",
    "Bounds",
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
    "ConversationOptions",
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
    "EmbedPartial",
    "EmbedRequest",
    "EmbedResponse",
    "Estimate",
    "Fault",
    "FileInfo",
    "FileSource",
    "FinishEvent",
    "Found",
    "FreeRunOptions",
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
    "Origin",
    "ParsedResponse",
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
    "RawOptions",
    "RawRequest",
    "RawResponse",
    "Reasoning",
    "ReasoningDelta",
    "Refusal",
    "RefusalDelta",
    "RelayRequest",
    "Request",
    "RerankRequest",
    "RerankResponse",
    "ResponseFormat",
    "Role",
    "RoundEnd",
    "RunEvent",
    "RunOptions",
    "RunResult",
    "RunningModel",
    "SamplingRequest",
    "Segment",
    "ServerEvent",
    "SpeakOptions",
    "SpeakRequest",
    "SpeakResponse",
    "StreamEvent",
    "StreamRawOptions",
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
    "ToolEnd",
    "ToolResult",
    "ToolRun",
    "ToolStart",
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
