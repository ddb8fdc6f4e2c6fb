"""The option dicts that the clients accept: needed by type checkers, and by few else."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, Literal, TypeAlias, TypedDict

from ipfs_accel._secret import KeySource

from ._files import UploadSource
from ._messages import ToolCall
from ._requests import OnUnsupported, ResponseFormat, Timeout, Tool

ToolSource: TypeAlias = Tool | Callable[..., Any] | Mapping[str, Any]
"""A tool as it may be given: as such, as a function, or as a dict in OpenAI's form."""


class CallOptions(TypedDict, total=False):
    """Options that every call takes.

    Keys:
        timeout: Seconds for the whole call, or a `Timeout`.
        on_unsupported: What to do with an option that the backend cannot honour: raise (default) or warn.
        extra: Fields of the provider's own, put into the request as they are.
        on_upload: Called while a file is sent, with the bytes that are under way and their total.
        priority: Before whom it goes where an endpoint's limits make calls wait: high, normal (default) or low.
        cache: Whether the answer may come from the cache and is kept; by default what the configuration says.
        key: A key for this call instead of the endpoint's, or a function that gives it; an async one in an
            `AsyncClient`.
    """

    timeout: float | Timeout | None
    on_unsupported: OnUnsupported
    extra: Mapping[str, Any]
    on_upload: Callable[[int, int], None]
    priority: Literal["high", "normal", "low"]
    cache: bool
    key: str | KeySource


class RawOptions(TypedDict, total=False):
    """Options of `request`, and of `request_to_file`.

    Keys:
        json: The body, as what JSON is made of.
        data: The body, as bytes, a path of a file, a media part or an `Upload`.
        fields: Names and texts of a form.
        files: Names and files of a form, each as for `data`.
        params: Names and values behind the path's question mark; a list stands for several, None for none.
        headers: Further headers, but that of the key; where the endpoint has one of the same name, it is left out.
        idempotent: Whether the request may be sent again although the server may have acted on it.
        timeout: Seconds for the whole call, or a `Timeout`.
        on_upload: Called while a file is sent, with the bytes that are under way and their total.
        priority: Before whom it goes where an endpoint's limits make calls wait: high, normal (default) or low.
        key: A key for this call instead of the endpoint's, or a function that gives it.
    """

    json: Any
    data: UploadSource
    fields: Mapping[str, Any] | Iterable[tuple[str, Any]]
    files: Mapping[str, UploadSource | Sequence[UploadSource]] | Iterable[tuple[str, UploadSource]]
    params: Mapping[str, Any] | Iterable[tuple[str, Any]]
    headers: Mapping[str, str]
    idempotent: bool
    timeout: float | Timeout | None
    on_upload: Callable[[int, int], None]
    priority: Literal["high", "normal", "low"]
    key: str | KeySource


class StreamRawOptions(RawOptions, total=False):
    """Options of `stream_request`.

    Keys:
        as_bytes: Whether to give bytes even where the server sends events or lines.
    """

    as_bytes: bool


class SamplingOptions(CallOptions, total=False):
    """Options of every operation that generates text; `SamplingRequest` says what each means."""

    max_tokens: int
    temperature: float
    top_p: float
    top_k: int
    seed: int
    stop: str | Sequence[str]
    n: int
    frequency_penalty: float
    presence_penalty: float
    logit_bias: Mapping[str, float]
    user: str


class TurnOptions(SamplingOptions, total=False):
    """Options of all conversations; `ChatRequest` says what each means."""

    tool_choice: str
    parallel_tool_calls: bool
    reasoning_effort: str
    logprobs: bool
    top_logprobs: int


class ConversationOptions(TurnOptions, total=False):
    """Options of `chat` and `stream` but for the form of the answer; `ChatRequest` says what each means."""

    tools: Sequence[ToolSource]


class ChatOptions(ConversationOptions, total=False):
    """Options of `chat` and `stream`; `ChatRequest` says what each means."""

    response_format: ResponseFormat | Mapping[str, Any]


class BatchRunOptions(ChatOptions, total=False):
    """Options of `batch_run`: its own, and those of each row's call, before which goes what the row says itself.

    Keys:
        operation: What is asked of each row: chat (default), complete, embed, rerank or classify.
        template: A text with fields of a row, such as `"Translate: {text}"`; a brace of its own stands there twice.
        system: Instructions above each conversation.
        format: Of the input: jsonl, csv, or parquet, which needs pyarrow; by default as its name ends.
        order: Of the lines: of the input (`input`, default), all of them at the end; or as answers come (`done`).
        concurrency: Rows under way at once; 32 if it is not given.
        rounds: How often a row is asked for whose failure may be gone the next time; 3 if it is not given.
        max_cost: US dollars, after which no further row is asked for; the price of the model has to be known.
        max_failures: Failed rows, after more than which no further row is asked for.
        patience: Seconds for which a server is asked again that has no time or cannot be reached; 600 if it is not
            given.
        retry_failed: Whether rows that failed are asked for again.
        dimensions: Of `embed`: how many numbers a vector has.
        suffix: Of `complete`: what follows the continuation.
        echo: Of `complete`: whether the prompt is part of the answer.
    """

    operation: Literal["chat", "complete", "embed", "rerank", "classify"]
    template: str | None
    system: str | None
    format: Literal["jsonl", "csv", "parquet"] | None
    order: Literal["input", "done"]
    concurrency: int
    rounds: int
    max_cost: float | None
    max_failures: int | None
    patience: float
    retry_failed: bool
    dimensions: int
    suffix: str
    echo: bool


class RunOptions(TurnOptions, total=False):
    """Options of `run` and `stream_run` but for the tools and the form of the answer.

    Keys:
        max_rounds: How often the model is asked at most; 8 if it is not given.
        max_seconds: How long all of it may take. A blocking tool that takes longer cannot be stopped, and is left to
            itself; what is awaited is cancelled.
        max_cost: US dollars, after which no further question is asked; the price of the model has to be known.
        approve: Asked before each call of a tool that needs approval, with the `ToolCall`; returns whether it is made.
            An async one in an `AsyncClient`.
    """

    max_rounds: int
    max_seconds: float | None
    max_cost: float | None
    approve: Callable[[ToolCall], Any] | None


class FreeRunOptions(RunOptions, total=False):
    """Options of `run` and `stream_run` but for the tools; `ChatRequest` says what each means."""

    response_format: ResponseFormat | Mapping[str, Any]


class CompleteOptions(SamplingOptions, total=False):
    """Options of `complete` and `stream_complete`; `CompletionRequest` says what each means."""

    suffix: str
    echo: bool
    logprobs: int


class EmbedOptions(CallOptions, total=False):
    """Options of `embed`; `EmbedRequest` says what each means.

    Keys:
        on_progress: Is told how many inputs have their vectors, and how many there are, after each request of a call
            that needs several; by whichever thread.
    """

    dimensions: int
    user: str
    on_progress: Callable[[int, int], None]


class ImageOptions(CallOptions, total=False):
    """Options of the operations that make pictures; `GenerateImageRequest` says what each means."""

    n: int
    size: str
    quality: str
    background: str
    style: str
    output_format: str
    output_compression: int
    seed: int
    negative_prompt: str
    partial_images: int
    user: str


class TranscribeOptions(CallOptions, total=False):
    """Options of `transcribe` and `translate`; `TranscribeRequest` says what each means."""

    language: str
    prompt: str
    temperature: float
    timestamps: str | Sequence[str]
    response_format: str


class SpeakOptions(CallOptions, total=False):
    """Options of `speak`; `SpeakRequest` says what each means."""

    voice: str
    output_format: str
    speed: float
    instructions: str
    sample_rate: int


class PredictOptions(CallOptions, total=False):
    """Options of `predict`; `PredictRequest` says what each means."""

    outputs: str | Sequence[str]
    version: str | int
