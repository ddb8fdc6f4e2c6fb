"""The Responses API, outward: a chat as its JSON body. The facts are those of OpenAI's API reference, 2026."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from ipfs_accel.errors import InvalidRequestError
from ipfs_accel.types import (
    ChatRequest,
    Document,
    Image,
    JsonSchema,
    Message,
    Opaque,
    Part,
    Refusal,
    Text,
    Tool,
    ToolCall,
    ToolResult,
)

__all__ = ["NOT_THERE", "body", "count_body"]

Json = dict[str, Any]

NOT_THERE = ("top_k", "n", "stop", "seed", "logit_bias", "frequency_penalty", "presence_penalty")
"""Options of a chat that this API does not have."""

_COUNTED = (
    *("model", "input", "instructions", "tools", "tool_choice", "text", "reasoning", "truncation"),
    *("parallel_tool_calls", "previous_response_id", "conversation"),
)
_ENCRYPTED = "reasoning.encrypted_content"


def body(request: ChatRequest, *, stream: bool, backend: str = "openai", stores: bool = True) -> Json:
    """Make the body of POST /responses.

    Unlike chat completions OpenAI's own API stores answers unless it is told not to; it is told not to unless the
    caller asks for it. What a model thought then comes encrypted, to be sent back with its tool calls.

    Args:
        request: The chat.
        stream: Whether the answer comes as events.
        backend: Whose opaque parts go back to the server.
        stores: Whether the server can store answers, and so has the fields that say whether it should.
    """
    found: Json = {"model": request.model, "input": list(_items(request.messages, backend))}
    named = {
        "max_output_tokens": request.max_tokens,
        "temperature": request.temperature,
        "top_p": request.top_p,
        "top_logprobs": request.top_logprobs,
        "user": request.user,
        "tool_choice": _tool_choice(request.tool_choice),
    }
    found |= {name: value for name, value in named.items() if value is not None}
    include = [_ENCRYPTED] if stores and not request.extra.get("store") else []
    if request.logprobs:
        include.append("message.output_text.logprobs")
    if include:
        found["include"] = include
    if request.tools:
        found["tools"] = [_tool(tool) for tool in request.tools]
        if request.parallel_tool_calls is not None:
            found["parallel_tool_calls"] = request.parallel_tool_calls
    if request.response_format is not None:
        found["text"] = {"format": _format(request.response_format)}
    if request.reasoning_effort is not None:
        found["reasoning"] = {"effort": request.reasoning_effort}
    if stores:
        found["store"] = False
    if stream:
        found["stream"] = True
    return _with_extra(found, request.extra)


def _with_extra(found: Json, extra: Any) -> Json:
    """Add the caller's own fields; objects are merged, so that `reasoning` may add a summary to an effort."""
    for name, value in extra.items():
        below = found.get(name)
        found[name] = {**below, **value} if isinstance(below, dict) and isinstance(value, dict) else value
    return found


def count_body(request: ChatRequest) -> Json:
    """Make the body of POST /responses/input_tokens: the same without what steers the answer."""
    return {name: value for name, value in body(request, stream=False).items() if name in _COUNTED}


def _items(messages: Iterable[Message], backend: str) -> Iterator[Json]:
    for index, message in enumerate(messages):
        try:
            yield from _assistant(message, backend) if message.role == "assistant" else _others(message, backend)
        except InvalidRequestError as error:
            raise InvalidRequestError(f"messages[{index}]: {error.message}", hint=error.hint) from None


def _others(message: Message, backend: str) -> Iterator[Json]:
    said: list[Json] = []
    for part in message.content:
        if isinstance(part, ToolResult):
            yield {"type": "function_call_output", "call_id": part.tool_call_id, "output": _output(part)}
        elif isinstance(part, Opaque):
            if part.backend == backend:
                yield dict(part.data)
        else:
            said.append(_input(part))
    if said:
        if message.role == "tool":
            raise InvalidRequestError("a tool message holds results of tools and nothing else")
        plain = said[0]["text"] if len(said) == 1 and said[0]["type"] == "input_text" else None
        yield {"role": message.role, "content": said if plain is None else plain}


def _assistant(message: Message, backend: str) -> Iterator[Json]:
    """Give a model's turn back in the order in which it came: thoughts stand before the calls that they led to."""
    said: list[Json] = []
    for part in message.content:
        if isinstance(part, Text):
            said.append({"type": "output_text", "text": part.text})
        elif isinstance(part, Refusal):
            said.append({"type": "refusal", "refusal": part.text})
        else:
            item = _item(part, backend)
            if item is not None:
                if said:
                    yield {"role": "assistant", "content": said}
                    said = []
                yield item
    if said:
        yield {"role": "assistant", "content": said}


def _item(part: Part, backend: str) -> Json | None:
    if isinstance(part, ToolCall):
        arguments = part.arguments or "{}"
        return {"type": "function_call", "call_id": part.id, "name": part.name, "arguments": arguments}
    if isinstance(part, Opaque) and part.backend == backend:
        return dict(part.data)
    return None  # visible reasoning goes back as the opaque item beside it


def _input(part: Part) -> Json:
    if isinstance(part, Text):
        return {"type": "input_text", "text": part.text}
    if isinstance(part, Image):
        where = {"file_id": part.file_id} if part.file_id is not None else {"image_url": part.to_url()}
        return {"type": "input_image", **where, "detail": part.detail or "auto"}
    if isinstance(part, Document):
        if part.file_id is not None:
            return {"type": "input_file", "file_id": part.file_id}
        if part.url is not None:
            return {"type": "input_file", "file_url": part.url}
        return {"type": "input_file", "filename": part.name or "document.pdf", "file_data": part.to_url()}
    raise InvalidRequestError(
        f"the Responses API takes no {type(part).__name__.lower()} here", hint="choose a model of the chat API"
    )


def _output(result: ToolResult) -> Any:
    if all(isinstance(part, Text) for part in result.content):
        return "".join([part.text for part in result.content if isinstance(part, Text)])
    return [_input(part) for part in result.content]


def _tool(tool: Tool) -> Json:
    # Both are required here; without `strict` the API would enforce the schema, which chats do not.
    found: Json = {"type": "function", "name": tool.name, "parameters": tool.parameters, "strict": bool(tool.strict)}
    if tool.description is not None:
        found["description"] = tool.description
    return found


def _tool_choice(choice: str | None) -> Any:
    return choice if choice in {None, "auto", "none", "required"} else {"type": "function", "name": choice}


def _format(value: str | JsonSchema) -> Json:
    if not isinstance(value, JsonSchema):
        return {"type": "text" if value == "text" else "json_object"}
    found: Json = {"type": "json_schema", "name": value.name, "schema": value.schema}
    if value.description is not None:
        found["description"] = value.description
    if value.strict is not None:
        found["strict"] = value.strict
    return found
