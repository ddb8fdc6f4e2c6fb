"""Typed requests to the bodies of /api/chat, /api/generate and /api/embed. Facts: Ollama's API reference, 2026."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any

from ipfs_accel import strict_json
from ipfs_accel.errors import InvalidRequestError
from ipfs_accel.plans import Endpoint
from ipfs_accel.types import (
    Audio,
    ChatRequest,
    CompletionRequest,
    Document,
    EmbedRequest,
    Image,
    JsonSchema,
    Message,
    Part,
    Reasoning,
    Refusal,
    Request,
    Text,
    Tool,
    ToolCall,
    ToolResult,
)
from ipfs_accel.wire.distinct import distinct
from ipfs_accel.wire.documents import as_text
from ipfs_accel.wire.returned import joined_call
from ipfs_accel.wire.schema_forms import GRAMMAR, adapted

__all__ = ["chat_body", "completion_body", "embed_body", "finished", "keep_alive", "unsupported", "wire_messages"]

Body = dict[str, Any]

_NEVER = ("logit_bias", "user", "parallel_tool_calls")
# Our names, and Ollama's where they differ.
_SAMPLING = {
    "max_tokens": "num_predict",
    "temperature": "temperature",
    "top_p": "top_p",
    "top_k": "top_k",
    "seed": "seed",
    "frequency_penalty": "frequency_penalty",
    "presence_penalty": "presence_penalty",
}
# What belongs into `options`; at the top of a request the server would ignore it without a word.
_RUNNER = {
    *("num_keep", "seed", "num_predict", "top_k", "top_p", "min_p", "typical_p", "repeat_last_n", "temperature"),
    *("repeat_penalty", "presence_penalty", "frequency_penalty", "stop", "num_ctx", "num_batch", "num_gpu"),
    *("main_gpu", "use_mmap", "num_thread", "draft_num_predict", "mirostat", "mirostat_eta", "mirostat_tau", "tfs_z"),
    *("penalize_newline", "low_vram", "f16_kv", "numa", "use_mlock", "vocab_only", "logits_all", "embedding_only"),
}
_EFFORTS: Mapping[str, bool] = {"none": False, "off": False, "on": True}
_DURATION = re.compile(r"[+-]?(?:(?:\d+\.?\d*|\.\d+)(?:ns|us|µs|ms|s|m|h))+", re.ASCII)
_NUMBER = re.compile(r"[+-]?\d+(?:\.\d+)?", re.ASCII)


def chat_body(endpoint: Endpoint, request: ChatRequest, *, stream: bool) -> Body:
    """Make the body of POST /api/chat; it always says whether to stream, since a server streams if it is not told."""
    body: Body = {"model": request.model, "messages": wire_messages(request.messages), "stream": stream}
    body["truncate"] = endpoint.options.truncate
    if request.tools and request.tool_choice != "none":
        body["tools"] = [_tool(tool) for tool in request.tools]
    if isinstance(request.response_format, JsonSchema):
        body["format"] = adapted(request.response_format, GRAMMAR)
    elif request.response_format == "json":
        body["format"] = "json"
    if request.reasoning_effort is not None:
        body["think"] = _EFFORTS.get(request.reasoning_effort, request.reasoning_effort)
    for name in ("logprobs", "top_logprobs"):
        if getattr(request, name) is not None:
            body[name] = getattr(request, name)
    return finished(endpoint, request, body, _sampling(request))


def completion_body(endpoint: Endpoint, request: CompletionRequest, prompt: str, *, stream: bool) -> Body:
    """Make the body of POST /api/generate for one of the request's prompts."""
    body: Body = {"model": request.model, "prompt": prompt, "stream": stream, "truncate": endpoint.options.truncate}
    if request.suffix is not None:
        body["suffix"] = request.suffix
    if request.logprobs is not None:
        body |= {"logprobs": True, "top_logprobs": request.logprobs} if request.logprobs else {"logprobs": True}
    body = finished(endpoint, request, body, _sampling(request))
    images = body.get("images")
    if images is not None:
        several = images if isinstance(images, list | tuple) else [images]
        body["images"] = [_picture(each, f"extra.images[{index}]") for index, each in enumerate(several)]
    return body


def embed_body(endpoint: Endpoint, request: EmbedRequest) -> Body:
    """Make the body of POST /api/embed."""
    for index, item in enumerate(request.inputs):
        if not isinstance(item, str):
            raise InvalidRequestError(f"inputs[{index}]: Ollama takes texts, not token ids")
    inputs = request.inputs
    if inputs == ("",):
        raise InvalidRequestError("inputs: Ollama gives no vector for an empty text")
    body: Body = {"model": request.model, "input": inputs[0] if len(inputs) == 1 else list(inputs)}
    body["truncate"] = endpoint.options.truncate
    if request.dimensions is not None:
        body["dimensions"] = request.dimensions
    return finished(endpoint, request, body, {})


def _sampling(request: ChatRequest | CompletionRequest) -> Body:
    named = {wire: getattr(request, name) for name, wire in _SAMPLING.items()}
    found = {name: value for name, value in named.items() if value is not None}
    return found if request.stop is None else {**found, "stop": list(request.stop)}


def finished(endpoint: Endpoint, request: Request, body: Body, options: Body) -> Body:
    """Add the endpoint's settings and the caller's own fields; those that Ollama keeps in `options` go there."""
    extra = dict(request.extra)
    own = extra.pop("options", {})
    if not isinstance(own, Mapping):
        raise InvalidRequestError(f"extra.options: expected a mapping, got {type(own).__name__}")
    settings = endpoint.options
    usual = {} if settings.num_ctx is None else {"num_ctx": settings.num_ctx}
    moved = {name: extra.pop(name) for name in sorted(_RUNNER & extra.keys())}
    options = {**usual, **options, **moved, **own}
    if options:
        body["options"] = options
    if settings.keep_alive is not None:
        body["keep_alive"] = settings.keep_alive
    body |= extra
    if not body.get("model"):
        raise InvalidRequestError("model: Ollama wants one", hint="models are named endpoint/model")
    if body.get("keep_alive") is not None:
        body["keep_alive"] = keep_alive(body["keep_alive"])
    return body


def keep_alive(value: Any) -> Any:
    """Return how long a model stays loaded as Ollama reads it, to which "300" is an error and 300 is not."""
    if isinstance(value, int | float) and not isinstance(value, bool):
        return value
    text = value.strip() if isinstance(value, str) else ""
    if _NUMBER.fullmatch(text):
        return float(text) if "." in text else int(text)
    if not _DURATION.fullmatch(text):
        hint = "give seconds as a number, or a duration such as 10m or 1h30m; negative means for ever, 0 not at all"
        raise InvalidRequestError(f"keep_alive: {value!r} is no time", hint=hint)
    return text


def unsupported(request: Request) -> tuple[str, ...]:
    """Name the options that Ollama has nothing for."""
    names = [name for name in _NEVER if getattr(request, name, None) is not None]
    if (getattr(request, "n", None) or 1) != 1:
        names.append("n")
    if isinstance(request, CompletionRequest) and request.echo:
        names.append("echo")
    if isinstance(request, ChatRequest):
        if request.tool_choice not in {None, "auto", "none"}:
            names.append("tool_choice")
        if any(tool.strict for tool in request.tools):
            names.append("tools.strict")
        if any(message.name for message in request.messages):
            names.append("messages.name")
    return tuple(names)


def wire_messages(messages: Iterable[Message]) -> list[Body]:
    """Write messages; the results of tools are messages of their own and name the tool that was called."""
    found: list[Body] = []
    tools: dict[str, str] = {}
    for index, message in enumerate(distinct(messages)):
        results = [part for part in message.content if isinstance(part, ToolResult)]
        try:
            found += [_result(result, tools.get(result.tool_call_id)) for result in results]
            if len(results) < len(message.content) or not message.content:
                found.append(_message(message))
        except InvalidRequestError as error:
            raise InvalidRequestError(f"messages[{index}]: {error.message}", hint=error.hint) from None
        tools |= {call.id: call.name for call in message.tool_calls}
    return found


def _message(message: Message) -> Body:
    if message.role == "tool":
        raise InvalidRequestError(
            "a tool message holds results of tools and nothing else", hint="use Message.tool(tool_call_id, …)"
        )
    parts = message.content
    role = "system" if message.role == "developer" else message.role
    body: Body = {**message.extra, "role": role, **_said(parts)}
    thought = "".join([part.text for part in parts if isinstance(part, Reasoning)])
    if thought:
        body["thinking"] = thought
    calls = [_call(call, index) for index, call in enumerate(message.tool_calls)]
    if calls:
        body["tool_calls"] = calls
    return body


def _said(parts: Iterable[Part]) -> Body:
    """Write text, files of text among it, and pictures and sounds, which all go into `images`."""
    texts: list[str] = []
    media: list[str] = []
    for part in parts:
        if isinstance(part, Text | Refusal):
            texts.append(part.text)
        elif isinstance(part, Image | Audio):
            media.append(_picture(part, part.kind))
        elif isinstance(part, Document):
            texts.append(_read(part))
    body: Body = {"content": "".join(texts)}
    if media:
        body["images"] = media
    return body


def _read(document: Document) -> str:
    text = as_text(document)
    if text is None:
        raise InvalidRequestError(
            "document: Ollama takes none but files of text, as data", hint="put what it says into the text"
        )
    return text.text


def _picture(value: Any, where: str) -> str:
    """Return base64 without the head of a data: URL, which Ollama does not know."""
    if isinstance(value, bytes):
        value = Image(data=value)
    if isinstance(value, Image | Audio):
        if value.data is None:
            kind = type(value).__name__
            raise InvalidRequestError(
                f"{where}: Ollama takes data, not a URL or the id of a file", hint=f"use {kind}.from_path(…)"
            )
        return value.base64()
    if not isinstance(value, str):
        raise InvalidRequestError(f"{where}: expected an Image, bytes or base64, got {type(value).__name__}")
    return value.partition(",")[2] if value.startswith("data:") else value


def _result(result: ToolResult, name: str | None) -> Body:
    body: Body = {"role": "tool", **_said(result.content), "tool_call_id": result.tool_call_id}
    if name is not None:
        body["tool_name"] = name
    return body


def _call(call: ToolCall, index: int) -> Body:
    try:
        arguments = strict_json.loads(call.arguments) if call.arguments.strip() else {}
    except (ValueError, RecursionError):
        arguments = None
    if not isinstance(arguments, dict):
        raise InvalidRequestError(
            f"the arguments of tool call {call.name!r} are not a JSON object, which is what Ollama takes",
            hint="leave out the call and its result, or ask the model again",
        )
    function = {"index": index, "name": call.name, "arguments": arguments}
    return joined_call({"id": call.id, "function": function}, call.extra)


def _tool(tool: Tool) -> Body:
    function: Body = {"name": tool.name, "parameters": tool.parameters}
    if tool.description is not None:
        function["description"] = tool.description
    return {"type": "function", "function": function}
