"""What a caller asks for: what all requests have, and a chat."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Literal, TypeAlias

import attrs

from ipfs_accel._values import frozen

from ._messages import Audio, Document, FileSource, Image, Message

_Loose: TypeAlias = str | Image | Audio | Document | FileSource
Messages: TypeAlias = _Loose | Message | Mapping[str, Any] | Sequence[_Loose | Message | Mapping[str, Any]]
"""What a caller may write for the messages of a chat.

Each string is a turn of the user. Pictures, sounds, documents and files make one turn with the strings beside them:
`["What is this?", Path("a.png")]`. Dicts have the form of OpenAI's chat completions, or that in which the SDK of
another provider writes its own messages.
"""

Model: TypeAlias = str | Sequence[str] | None
"""`endpoint/model`, an alias or a route; a list is a fallback chain; None means the configured default."""

TokenInput: TypeAlias = str | Sequence[int]
OnUnsupported: TypeAlias = Literal["raise", "warn"]


@frozen(kw_only=True)
class Tool:
    """A function that the model may ask to have called.

    Attributes:
        name: 1 to 64 letters, digits, `_` or `-`, which every provider takes; some take more.
        description: When and how to use it, for the model.
        parameters: JSON Schema of the arguments, an object schema.
        strict: Whether the provider has to enforce the schema; None leaves its default.
        function: What `run` calls; it is not sent.
        needs_approval: Whether `run` asks before each call of it.
    """

    name: str
    description: str | None = None
    parameters: Mapping[str, Any] = attrs.field(factory=lambda: {"type": "object", "properties": {}})
    strict: bool | None = None
    function: Callable[..., Any] | None = attrs.field(default=None, eq=False, repr=False)
    needs_approval: bool = attrs.field(default=False, eq=False)

    @classmethod
    def of(
        cls,
        function: Callable[..., Any],
        *,
        name: str | None = None,
        description: str | None = None,
        strict: bool | None = None,
        needs_approval: bool = False,
    ) -> Tool:
        """Make a tool of a function: its name, its parameters with their annotations, and its docstring.

        Args:
            function: One with annotations, or an async one. Docstrings may be in the style of Google, NumPy or Sphinx;
                what `Annotated` says of a parameter goes before.
            name: In place of the function's own.
            description: In place of what its docstring says.
            strict: Whether the provider has to enforce the schema of its arguments.
            needs_approval: Whether `run` asks before each call.

        Raises:
            InvalidValueError: A parameter has no annotation, or one that cannot be written as JSON Schema.
        """
        from ipfs_accel._typed.functions import Function  # noqa: PLC0415 - few programs have tools

        known = Function(function, name)
        said = known.description if description is None else description
        return cls(
            name=known.name,
            description=said,
            parameters=known.parameters,
            strict=strict,
            function=function,
            needs_approval=needs_approval,
        )


@frozen(kw_only=True)
class JsonSchema:
    """A structured answer: JSON that follows `schema`.

    Attributes:
        schema: The JSON Schema.
        name: A name for it, as some providers want one.
        description: What it is for, for the model.
        strict: Whether the provider has to enforce it; None leaves its default.
        adapts: Whether it may be sent in the form that a server enforces: what that one refuses in schemas goes into
            descriptions, and `strict` is on where this is what it takes. So it is with schemas that `of` makes.
    """

    schema: Mapping[str, Any]
    name: str = "response"
    description: str | None = None
    strict: bool | None = None
    adapts: bool = False

    @classmethod
    def of(cls, kind: Any) -> JsonSchema:
        """Return the schema of a type, which is also what a call with `response_format=kind` asks for.

        Args:
            kind: A class of attrs, dataclasses or pydantic, a TypedDict, NamedTuple, Enum, or what they are parts of.
                What is no object is asked for as the member `value` of one.

        Raises:
            InvalidValueError: Something of it cannot be written as JSON Schema.
        """
        from ipfs_accel._typed.form import form_of  # noqa: PLC0415 - few calls ask for a type

        form = form_of(kind)
        return cls(schema=form.schema, name=form.name, description=form.description, adapts=True)


ResponseFormat: TypeAlias = Literal["text", "json"] | JsonSchema


@frozen(kw_only=True)
class Timeout:
    """The four time limits of a call, in seconds; None switches one off.

    Attributes:
        connect: Until the connection stands.
        first_event: Of silence before the first event of a stream; heartbeats are no silence.
        idle: Spent waiting between two meaningful events of a stream; heartbeats do not count as such, and what the
            caller does meanwhile is no waiting. Models may think in silence, and servers of one's own read long prompts
            for minutes: a call to one of them, or one that names a `reasoning_effort`, may be silent until `total`,
            unless these two are set.
        total: For the whole call, all attempts together.
    """

    connect: float | None = 5.0
    first_event: float | None = 60.0
    idle: float | None = 60.0
    total: float | None = 600.0


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
        response_format: text, json (any JSON object), or a `JsonSchema`; calls take types, too, and make one of them.
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
