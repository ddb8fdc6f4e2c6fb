"""Typed requests to the body of POST /v1/messages. Facts: Anthropic's API reference, version 2026-10-21."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any

from ipfs_accel import _json
from ipfs_accel.errors import InvalidRequestError
from ipfs_accel.types import (
    ChatRequest,
    Document,
    Image,
    JsonSchema,
    Message,
    Opaque,
    Part,
    Reasoning,
    Refusal,
    Text,
    Tool,
    ToolCall,
    ToolResult,
)

__all__ = ["body", "takes_sampling", "unsupported", "version"]

Body = dict[str, Any]

NEWEST = "2026-10-21"
WITH_SAMPLING = "2023-06-01"

# The newest version of the API knows no sampling; the models up to 4.6 still take it with the older one.
_TAKES_SAMPLING = re.compile(r"claude-(?:3|instant|[a-z]+-(?:3|4(?:-[0-6])?)(?:-|$))")
_SAMPLING = ("temperature", "top_p", "top_k")
_NEVER = ("seed", "n", "frequency_penalty", "presence_penalty", "logit_bias", "logprobs", "top_logprobs")


def takes_sampling(model: str) -> bool:
    """Whether a model still takes temperature and its like."""
    return _TAKES_SAMPLING.match(model) is not None


def version(request: ChatRequest) -> str:
    """Return the value of the `anthropic-version` header that fits a request."""
    asked = any(getattr(request, name) is not None for name in _SAMPLING)
    return WITH_SAMPLING if asked and takes_sampling(request.model) else NEWEST


def unsupported(request: ChatRequest) -> tuple[str, ...]:
    """Return the options that the caller gave and Claude does not have."""
    names = _NEVER if takes_sampling(request.model) else (*_SAMPLING, *_NEVER)
    found = [name for name in names if getattr(request, name) is not None]
    if request.n == 1:
        found.remove("n")
    if request.response_format == "json":
        found.append("response_format")
    return tuple(found)


def body(request: ChatRequest, *, stream: bool, max_tokens: int) -> Body:
    """Make the body; `max_tokens` is required by the API and used where the caller gave none."""
    system, messages = _split_system(request.messages)
    made: Body = {"model": request.model, "max_tokens": request.max_tokens or max_tokens}
    if system:
        made["system"] = system
    made["messages"] = _turns(messages)
    if takes_sampling(request.model):
        made |= {name: getattr(request, name) for name in _SAMPLING if getattr(request, name) is not None}
    if request.stop is not None:
        made["stop_sequences"] = list(request.stop)
    if request.tools:
        made["tools"] = [_tool(tool) for tool in request.tools]
        choice = _tool_choice(request)
        if choice:
            made["tool_choice"] = choice
    output = _output_config(request)
    if output:
        made["output_config"] = output
    if request.user is not None:
        made["metadata"] = {"user_id": request.user}
    if stream:
        made["stream"] = True
    made.update(request.extra)
    return made


def _split_system(messages: tuple[Message, ...]) -> tuple[str, tuple[Message, ...]]:
    """Move what stands above the conversation out of it; later instructions stay in their place."""
    count = 0
    while count < len(messages) and messages[count].role in {"system", "developer"}:
        count += 1
    if count == len(messages):
        raise InvalidRequestError("messages: Claude needs at least one that is not a system message")
    return "\n\n".join([message.text for message in messages[:count]]), messages[count:]


def _turns(messages: Iterable[Message]) -> list[Body]:
    """Write the turns; all results of parallel calls and what follows them have to be one user turn, results first."""
    turns: list[Body] = []
    for index, message in enumerate(messages):
        role = {"tool": "user", "developer": "system"}.get(message.role, message.role)
        try:
            blocks = [block for part in message.content if (block := _block(part)) is not None]
        except InvalidRequestError as error:
            raise InvalidRequestError(f"messages[{index}]: {error.message}", hint=error.hint) from None
        after_results = turns and turns[-1]["role"] == "user" == role and _has_results(turns[-1])
        if after_results:
            turns[-1]["content"] = sorted(
                [*turns[-1]["content"], *blocks], key=lambda each: each["type"] != "tool_result"
            )
        elif blocks:
            plain = len(message.content) == 1 and blocks[0].keys() == {"type", "text"}
            turns.append({"role": role, "content": blocks[0]["text"] if plain else blocks})
    return turns


def _has_results(turn: Body) -> bool:
    return isinstance(turn["content"], list) and any(block["type"] == "tool_result" for block in turn["content"])


def _block(part: Part) -> Body | None:
    """Write one part; what says nothing or was another provider's is left out (empty text is refused)."""
    if isinstance(part, Text | Refusal):
        return {"type": "text", "text": part.text} if part.text else None
    if isinstance(part, Image | Document):
        return _document(part) if isinstance(part, Document) else {"type": "image", "source": _source(part)}
    if isinstance(part, ToolCall):
        return {"type": "tool_use", "id": part.id, "name": part.name, "input": _arguments(part)}
    if isinstance(part, ToolResult):
        return _tool_result(part)
    return _replayed(part)


def _replayed(part: Part) -> Body | None:
    """Write what only makes sense if Claude itself said it before; without its signature, thinking would be refused."""
    if isinstance(part, Reasoning):
        return {"type": "thinking", "thinking": part.text, "signature": part.signature} if part.signature else None
    if isinstance(part, Opaque):
        return dict(part.data) if part.backend == "claude" else None
    raise InvalidRequestError("audio: Claude takes no sound")


def _source(part: Image | Document) -> Body:
    if part.url is not None:
        return {"type": "url", "url": part.url}
    return {"type": "base64", "media_type": part.media_type, "data": part.base64()}


def _document(part: Document) -> Body:
    source = _source(part)
    if part.data is not None and (part.media_type or "").startswith("text/"):
        source = {"type": "text", "media_type": "text/plain", "data": part.data.decode("utf-8", "replace")}
    return {"type": "document", "source": source, **({"title": part.name} if part.name else {})}


def _arguments(call: ToolCall) -> Any:
    try:
        return call.parse_arguments()
    except ValueError as error:
        raise InvalidRequestError(f"tool_calls: Claude takes arguments as an object: {error}") from None


def _tool_result(result: ToolResult) -> Body:
    blocks = [block for part in result.content if (block := _block(part)) is not None]
    plain = len(blocks) == 1 and blocks[0]["type"] == "text"
    made: Body = {"type": "tool_result", "tool_use_id": result.tool_call_id}
    if blocks:
        made["content"] = blocks[0]["text"] if plain else blocks
    if result.is_error:
        made["is_error"] = True
    return made


def _tool(tool: Tool) -> Body:
    made: Body = {"name": tool.name, "input_schema": tool.parameters}
    if tool.description is not None:
        made["description"] = tool.description
    if tool.strict is not None:
        made["strict"] = tool.strict
    return made


def _tool_choice(request: ChatRequest) -> Body:
    choice = request.tool_choice
    made: Body = {}
    if choice is not None:
        made = {"type": {"required": "any"}.get(choice, choice)} if choice in {"auto", "none", "required"} else {}
        made = made or {"type": "tool", "name": choice}
    if request.parallel_tool_calls is not None and choice != "none":
        made = {"type": "auto", **made, "disable_parallel_tool_use": not request.parallel_tool_calls}
    return made


def _output_config(request: ChatRequest) -> Body:
    made: Body = {}
    if request.reasoning_effort is not None:
        made["effort"] = request.reasoning_effort
    if isinstance(request.response_format, JsonSchema):
        made["format"] = {"type": "json_schema", "schema": request.response_format.schema}
    return made


def arguments_text(value: Any) -> str:
    """Write a tool's input, which Claude gives as an object, as the JSON text that all backends have."""
    return _json.dumps(value).decode() if value else ""
