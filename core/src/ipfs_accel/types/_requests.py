"""What a caller asks for: one frozen class per operation, and the option dicts that the clients accept."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Literal, TypeAlias, TypedDict

import attrs

from ipfs_accel._secret import KeySource
from ipfs_accel._values import frozen

from ._messages import Message

Messages: TypeAlias = str | Message | Mapping[str, Any] | Sequence[str | Message | Mapping[str, Any]]
"""What a caller may write for the messages of a chat; dicts have the form of OpenAI's chat completions."""

Model: TypeAlias = str | Sequence[str] | None
"""`endpoint/model`, an alias or a route; a list is a fallback chain; None means the configured default."""

TokenInput: TypeAlias = str | Sequence[int]
OnUnsupported: TypeAlias = Literal["raise", "warn"]


@frozen(kw_only=True)
class Tool:
    """A function that the model may ask to have called.

    Attributes:
        name: 1 to 64 letters, digits, `_` or `-`.
        description: When and how to use it, for the model.
        parameters: JSON Schema of the arguments, an object schema.
        strict: Whether the provider has to enforce the schema; None leaves its default.
    """

    name: str
    description: str | None = None
    parameters: Mapping[str, Any] = attrs.field(factory=lambda: {"type": "object", "properties": {}})
    strict: bool | None = None


@frozen(kw_only=True)
class JsonSchema:
    """A structured answer: JSON that follows `schema`.

    Attributes:
        schema: The JSON Schema.
        name: A name for it, as some providers want one.
        description: What it is for, for the model.
        strict: Whether the provider has to enforce it; None leaves its default.
    """

    schema: Mapping[str, Any]
    name: str = "response"
    description: str | None = None
    strict: bool | None = None


ResponseFormat: TypeAlias = Literal["text", "json"] | JsonSchema


@frozen(kw_only=True)
class Timeout:
    """The four time limits of a call, in seconds; None switches one off.

    Attributes:
        connect: Until the connection stands.
        first_event: Until the first event of a stream.
        idle: Spent waiting between two meaningful events of a stream; heartbeats do not count as such, and what the
            caller does meanwhile is no waiting. Models may think in silence: a call that names a `reasoning_effort`
            may be silent until `total`, unless these two are set.
        total: For the whole call, all attempts together.
    """

    connect: float | None = 5.0
    first_event: float | None = 60.0
    idle: float | None = 60.0
    total: float | None = 600.0


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


class SamplingOptions(CallOptions, total=False):
    """Options of every operation that generates text."""

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


class ChatOptions(SamplingOptions, total=False):
    """Options of `chat` and `stream`; `ChatRequest` says what each means."""

    tools: Sequence[Tool | Mapping[str, Any]]
    tool_choice: str
    parallel_tool_calls: bool
    response_format: ResponseFormat | Mapping[str, Any]
    reasoning_effort: str
    logprobs: bool
    top_logprobs: int


class CompleteOptions(SamplingOptions, total=False):
    """Options of `complete` and `stream_complete`; `CompletionRequest` says what each means."""

    suffix: str
    echo: bool
    logprobs: int


class EmbedOptions(CallOptions, total=False):
    """Options of `embed`."""

    dimensions: int
    user: str


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


@frozen(kw_only=True)
class Request:
    """What all requests have.

    Attributes:
        model: Model id as the endpoint knows it; empty where the endpoint serves just one.
        extra: Fields of the provider's own, put into the request as they are.
    """

    model: str = ""
    extra: Mapping[str, Any] = attrs.field(factory=dict)

    def given_beside(self, *known: str) -> tuple[str, ...]:
        """Return the options that the caller gave beside these: for a plugin that knows no others, the unsupported."""
        names = [field.name for field in attrs.fields(type(self)) if field.name not in {"model", "extra", *known}]
        return tuple([name for name in names if getattr(self, name) not in (None, ())])


@frozen(kw_only=True)
class SamplingRequest(Request):
    """What all requests for generated text have; None leaves the provider's default.

    Attributes:
        max_tokens: Most tokens to generate, reasoning included where the provider counts it.
        temperature: Randomness from 0.
        top_p: Nucleus sampling, 0 to 1.
        top_k: Sampling from the k likeliest tokens.
        seed: Makes sampling repeatable where the provider can.
        stop: Texts that end the answer; they are not part of it.
        n: How many answers to generate.
        frequency_penalty: Against repetition, by count; -2 to 2.
        presence_penalty: Against repetition, by presence; -2 to 2.
        logit_bias: Token id (as text) to bias.
        user: An opaque id of the end user, for the provider's abuse checks.
    """

    max_tokens: int | None = None
    temperature: float | None = None
    top_p: float | None = None
    top_k: int | None = None
    seed: int | None = None
    stop: tuple[str, ...] | None = None
    n: int | None = None
    frequency_penalty: float | None = None
    presence_penalty: float | None = None
    logit_bias: Mapping[str, float] | None = None
    user: str | None = None


@frozen(kw_only=True)
class ChatRequest(SamplingRequest):
    """A conversation to continue.

    Attributes:
        messages: The conversation so far, oldest first.
        tools: Functions that the model may ask for.
        tool_choice: auto, none, required, or the name of one of `tools`.
        parallel_tool_calls: Whether several calls may come at once.
        response_format: text, json (any JSON object), or a `JsonSchema`.
        reasoning_effort: The provider's word for how much to think, such as low or high.
        logprobs: Whether to return log probabilities of the answer's tokens.
        top_logprobs: How many alternatives per token to return with them.
    """

    messages: tuple[Message, ...]
    tools: tuple[Tool, ...] = ()
    tool_choice: str | None = None
    parallel_tool_calls: bool | None = None
    response_format: ResponseFormat | None = None
    reasoning_effort: str | None = None
    logprobs: bool | None = None
    top_logprobs: int | None = None


@frozen(kw_only=True)
class CompletionRequest(SamplingRequest):
    """A text to continue.

    Attributes:
        prompt: Text or token ids, or several of them (each gets its own choices, in order).
        suffix: Text that comes after the gap to fill.
        echo: Whether the answer repeats the prompt.
        logprobs: How many alternatives per token to return.
    """

    prompt: tuple[str | tuple[int, ...], ...]
    suffix: str | None = None
    echo: bool | None = None
    logprobs: int | None = None


@frozen(kw_only=True)
class EmbedRequest(Request):
    """Inputs to turn into vectors.

    Attributes:
        inputs: Texts or lists of token ids, one vector each.
        dimensions: Length of the vectors, for models that can shorten them.
        user: An opaque id of the end user.
    """

    inputs: tuple[str | tuple[int, ...], ...]
    dimensions: int | None = None
    user: str | None = None


@frozen(kw_only=True)
class RerankRequest(Request):
    """Documents to order by their relevance to a query.

    Attributes:
        query: What is looked for.
        documents: The candidates.
        top_n: How many to return; None means all.
    """

    query: str
    documents: tuple[str, ...]
    top_n: int | None = None


@frozen(kw_only=True)
class TokenizeRequest(Request):
    """A text to split into tokens.

    Attributes:
        text: The text.
        add_special: Whether to add the model's begin and end tokens.
    """

    text: str
    add_special: bool = False


@frozen(kw_only=True)
class DetokenizeRequest(Request):
    """Token ids to turn into text.

    Attributes:
        tokens: The token ids.
    """

    tokens: tuple[int, ...]
