"""OpenAI's dialect, outward: typed requests to JSON bodies. The facts are those of OpenAI's API reference, 2026."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from operator import attrgetter
from typing import TYPE_CHECKING, Any

from ipfs_accel.errors import InvalidRequestError
from ipfs_accel.types import Audio, Document, Image, JsonSchema, Opaque, Reasoning, Refusal, Text, ToolCall, ToolResult

from .returned import joined_call

if TYPE_CHECKING:
    from ipfs_accel.types import ChatRequest, CompletionRequest, EmbedRequest, Message, Part, Tool

__all__ = [
    "CONTENT_TYPES",
    "chat_body",
    "completion_body",
    "custom_tools",
    "embed_body",
    "given",
    "replay_in",
    "wire_messages",
    "wire_part",
    "with_own_tools",
]

Body = dict[str, Any]

_SAMPLING = (
    "max_tokens",
    "temperature",
    "top_p",
    "top_k",
    "seed",
    "n",
    "frequency_penalty",
    "presence_penalty",
    "logit_bias",
    "user",
)
_CHAT = (*_SAMPLING, "parallel_tool_calls", "reasoning_effort", "logprobs", "top_logprobs")
_COMPLETION = (*_SAMPLING, "suffix", "echo", "logprobs")
_EMBED = ("dimensions", "user")
_read_chat, _read_completion, _read_embed = attrgetter(*_CHAT), attrgetter(*_COMPLETION), attrgetter(*_EMBED)
CONTENT_TYPES = frozenset({"text", "image_url", "input_audio", "file", "refusal"})
"""Of the parts that the content of a message may have."""
_AUDIO_FORMATS = {"audio/wav": "wav", "audio/x-wav": "wav", "audio/mpeg": "mp3", "audio/mp3": "mp3"}


Place = Callable[[str | None], str]
"""Where reasoning goes, given where a server said it, if one did: a member of the message, or empty for nowhere."""


def replay_in(said: str | None) -> str:
    """Give reasoning back where it was said, and by hand where most servers have it."""
    return said or "reasoning_content"


def given(request: Any, names: Collection[str]) -> tuple[str, ...]:
    """Return which of these options the caller gave."""
    return tuple([name for name in names if getattr(request, name, None) not in (None, ())])


def chat_body(
    request: ChatRequest,
    *,
    stream: bool,
    leave_out: Collection[str] = (),
    place: Place = replay_in,
    extra: bool = True,
    own: str | None = None,
) -> Body:
    """Make the body of POST /chat/completions.

    What was not given is absent, never null: some fields refuse null. A stream asks for its usage. `leave_out` names
    options that the server would refuse; the others are those of `wire_messages`.
    """
    body: Body = {"model": request.model} if request.model else {}
    body["messages"] = wire_messages(
        request.messages, place=place, extra=extra, own=own, custom=custom_tools(request.extra)
    )
    _copy(_CHAT, _read_chat(request), body)
    if request.stop is not None:
        body["stop"] = list(request.stop)
    if request.tools:
        body["tools"] = [_tool(tool) for tool in request.tools]
    if request.tool_choice is not None:
        body["tool_choice"] = _tool_choice(request.tool_choice)
    if request.response_format is not None:
        body["response_format"] = _response_format(request.response_format)
    body = _finished(request, body, stream=stream, leave_out=leave_out)
    return with_own_tools(body, [_tool(tool) for tool in request.tools], request.extra)


def with_own_tools(body: Body, tools: list[Body], extra: Mapping[str, Any]) -> Body:
    """Put the provider's own tools, which are in `extra`, behind those of the call."""
    own = extra.get("tools")
    if tools and isinstance(own, list | tuple):
        body["tools"] = [*tools, *own]
    return body


def custom_tools(extra: Mapping[str, Any]) -> frozenset[str]:
    """Return the names of the tools among the provider's own that take free text instead of JSON."""
    own = extra.get("tools")
    tools = [tool for tool in own if isinstance(tool, Mapping)] if isinstance(own, list | tuple) else []
    return frozenset(str(tool.get("custom", tool).get("name")) for tool in tools if tool.get("type") == "custom")


def completion_body(request: CompletionRequest, *, stream: bool, leave_out: Collection[str] = ()) -> Body:
    """Make the body of POST /completions."""
    body: Body = {"model": request.model} if request.model else {}
    prompts = request.prompt
    body["prompt"] = prompts[0] if len(prompts) == 1 else list(prompts)
    _copy(_COMPLETION, _read_completion(request), body)
    if request.stop is not None:
        body["stop"] = list(request.stop)
    return _finished(request, body, stream=stream, leave_out=leave_out)


def embed_body(request: EmbedRequest) -> Body:
    """Make the body of POST /embeddings; asks for base64, which is a quarter of the size and cheap to decode."""
    body: Body = {"model": request.model} if request.model else {}
    inputs = request.inputs
    body["input"] = inputs[0] if len(inputs) == 1 else list(inputs)
    body["encoding_format"] = "base64"
    _copy(_EMBED, _read_embed(request), body)
    body.update(request.extra)
    return body


def _copy(names: Iterable[str], values: Iterable[Any], body: Body) -> None:
    for name, value in zip(names, values, strict=True):
        if value is not None:
            body[name] = value


def _finished(
    request: ChatRequest | CompletionRequest, body: Body, *, stream: bool, leave_out: Collection[str]
) -> Body:
    for name in leave_out:
        body.pop(name, None)
    if stream:
        body["stream"] = True
        body["stream_options"] = {"include_usage": True}
    body.update(request.extra)
    return body


def wire_messages(
    messages: Iterable[Message],
    *,
    place: Place = replay_in,
    extra: bool = True,
    own: str | None = None,
    custom: Collection[str] = (),
) -> list[Body]:
    """Write messages.

    Args:
        messages: The conversation.
        place: Where a server takes back what it thought.
        extra: Whether it takes back what else it said in messages and of calls.
        own: Whose opaque parts are written, if they are of `CONTENT_TYPES`.
        custom: Names of the tools that take free text.
    """
    found: list[Body] = []
    for index, message in enumerate(messages):
        content = message.content
        first = content[0] if len(content) == 1 else None
        if type(first) is Text and not message.extra and message.name is None and message.role != "tool":
            found.append({"role": message.role, "content": first.text})
            continue
        results = [part for part in content if isinstance(part, ToolResult)]
        try:
            found += [_tool_result(result) for result in results]
            if len(results) < len(content) or not content:
                found.append(_message(message, place, own, custom, extra=extra))
        except InvalidRequestError as error:
            raise InvalidRequestError(f"messages[{index}]: {error.message}", hint=error.hint) from None
    return found


def _message(message: Message, place: Place, own: str | None, custom: Collection[str], *, extra: bool) -> Body:
    if message.role == "tool":
        raise InvalidRequestError(
            "a tool message holds results of tools and nothing else", hint="use Message.tool(tool_call_id, …)"
        )
    body: Body = {"role": message.role}
    parts = _without_texts_as_files([part for part in message.content if type(part) in _PARTS or _is_own(part, own)])
    spoken = _spoken(message)
    if spoken is not None:
        body["audio"] = {"id": spoken}
        parts = [part for part in parts if not isinstance(part, Audio)]
    if len(parts) == 1 and isinstance(parts[0], Text):
        body["content"] = parts[0].text
    elif parts:
        body["content"] = [wire_part(part) for part in parts]
    if message.name is not None:
        body["name"] = message.name
    calls = [_tool_call(part, custom, extra=extra) for part in message.content if isinstance(part, ToolCall)]
    if calls:
        body["tool_calls"] = calls
    refusal = "".join([part.text for part in message.content if isinstance(part, Refusal)])
    if refusal:
        body["refusal"] = refusal
    if "content" not in body:
        # Null is for messages that say something elsewhere; servers refuse it in others, such as a cut-off answer.
        body["content"] = None if calls or refusal or "audio" in body else ""
    _think(message, place, body)
    return {**message.extra, **body} if extra and message.extra else body


def _without_texts_as_files(parts: Sequence[Part]) -> Sequence[Part]:
    """Return parts with files of text as texts: chat completions take PDF as files, and most servers none at all.

    Source: developers.openai.com/api/docs/guides/file-inputs.
    """
    if not any(isinstance(part, Document) for part in parts):
        return parts
    from .documents import with_texts  # noqa: PLC0415 - few messages have files

    return with_texts(parts)


def _think(message: Message, place: Place, body: Body) -> None:
    """Put what the model thought where the server wants it back, also as a part of the content, as Mistral does."""
    thoughts: dict[str, str] = {}
    for part in message.content:
        if isinstance(part, Reasoning) and part.text and (where := place(part.field)):
            thoughts[where] = thoughts.get(where, "") + part.text
    inner = thoughts.pop("content", None)
    if inner is not None:
        said = body["content"]
        parts = [{"type": "text", "text": said}] if isinstance(said, str) and said else said or []
        body["content"] = [{"type": "thinking", "thinking": [{"type": "text", "text": inner}]}, *parts]
    body.update(thoughts)


def _spoken(message: Message) -> str | None:
    """Return the id under which a sound that the model itself made goes back to it."""
    if message.role != "assistant":
        return None
    return next((part.id for part in message.content if isinstance(part, Audio) and part.id), None)


def _text(part: Text) -> Body:
    return {"type": "text", "text": part.text}


def _is_own(part: Part, own: str | None) -> bool:
    return isinstance(part, Opaque) and part.backend == own and part.data.get("type") in CONTENT_TYPES


def wire_part(part: Part) -> Body:
    """Write one part of a message's content."""
    return dict(part.data) if isinstance(part, Opaque) else _PARTS[type(part)](part)


def _image(part: Image) -> Body:
    if part.file_id is not None:
        raise InvalidRequestError(
            "image: this API takes no picture that the provider keeps", hint="give it as data or as a URL"
        )
    image = {"url": part.to_url()}
    if part.detail is not None:
        image["detail"] = part.detail
    return {"type": "image_url", "image_url": image}


def _audio(part: Audio) -> Body:
    if part.data is None:
        raise InvalidRequestError(
            "audio: this provider takes sound as data, not as a URL", hint="use Audio.from_path(…)"
        )
    name = _AUDIO_FORMATS.get(part.media_type or "")
    if name is None:
        raise InvalidRequestError(f"audio: this provider takes wav and mp3, not {part.media_type}")
    return {"type": "input_audio", "input_audio": {"data": part.base64(), "format": name}}


def _document(part: Document) -> Body:
    if part.file_id is not None:
        return {"type": "file", "file": {"file_id": part.file_id}}
    if part.data is None:
        raise InvalidRequestError(
            "document: this provider takes files as data, not as a URL", hint="use Document.from_path(…)"
        )
    return {"type": "file", "file": {"filename": part.name or "document.pdf", "file_data": part.to_url()}}


_PARTS: dict[type[Any], Callable[[Any], Body]] = {Text: _text, Image: _image, Audio: _audio, Document: _document}


def _tool_call(part: ToolCall, custom: Collection[str], *, extra: bool) -> Body:
    if part.name in custom:
        return {"id": part.id, "type": "custom", "custom": {"name": part.name, "input": part.arguments}}
    function: Body = {"name": part.name, "arguments": part.arguments or "{}"}
    call: Body = {"id": part.id, "type": "function", "function": function}
    return joined_call(call, part.extra) if extra else call


def _tool_result(result: ToolResult) -> Body:
    parts = _without_texts_as_files(result.content)
    plain = all(isinstance(part, Text) for part in parts)
    content: Any = (
        "".join([part.text for part in parts if isinstance(part, Text)])
        if plain
        else [_in_result(part) for part in parts]
    )
    return {"role": "tool", "tool_call_id": result.tool_call_id, "content": content}


def _in_result(part: Part) -> Body:
    if not isinstance(part, Text | Image | Document):
        raise InvalidRequestError(f"a tool's result cannot hold a {type(part).__name__}")
    return _PARTS[type(part)](part)


def _tool(tool: Tool) -> Body:
    function: Body = {"name": tool.name, "parameters": tool.parameters}
    if tool.description is not None:
        function["description"] = tool.description
    if tool.strict is not None:
        function["strict"] = tool.strict
    return {"type": "function", "function": function}


def _tool_choice(choice: str) -> Any:
    return choice if choice in {"auto", "none", "required"} else {"type": "function", "function": {"name": choice}}


def _response_format(value: str | JsonSchema) -> Body:
    if not isinstance(value, JsonSchema):
        return {"type": "text" if value == "text" else "json_object"}
    schema: Body = {"name": value.name, "schema": value.schema}
    if value.description is not None:
        schema["description"] = value.description
    if value.strict is not None:
        schema["strict"] = value.strict
    return {"type": "json_schema", "json_schema": schema}
