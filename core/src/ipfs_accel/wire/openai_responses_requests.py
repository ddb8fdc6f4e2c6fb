"""The Responses API, outward: a chat as its JSON body. The facts are those of OpenAI's API reference, 2026."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from typing import TYPE_CHECKING, Any

from ipfs_accel.errors import InvalidRequestError
from ipfs_accel.types import Audio, Document, Image, JsonSchema, Opaque, Reasoning, Refusal, Text, ToolCall, ToolResult

from .openai_requests import CONTENT_TYPES, custom_tools, with_own_tools

if TYPE_CHECKING:
    from ipfs_accel.types import ChatRequest, Message, Part, Tool

__all__ = ["LOGPROBS", "NOT_THERE", "body", "count_body", "is_in_an_item", "is_needed"]

Json = dict[str, Any]

NOT_THERE = ("top_k", "n", "stop", "seed", "logit_bias", "frequency_penalty", "presence_penalty")
"""Options of a chat that this API does not have."""

_COUNTED = (
    *("model", "input", "instructions", "tools", "tool_choice", "text", "reasoning", "truncation"),
    *("parallel_tool_calls", "previous_response_id", "conversation", "personality"),
)
_ENCRYPTED = "reasoning.encrypted_content"
LOGPROBS = "message.output_text.logprobs"
"""What `include` names where they are wanted."""


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
    items = _items(request.messages, backend, custom_tools(request.extra))
    found: Json = {"model": request.model, "input": list(items)}
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
        include.append(LOGPROBS)
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
    found = _with_extra(found, request.extra)
    return with_own_tools(found, [_tool(tool) for tool in request.tools], request.extra)


def is_needed(part: Part, backend: str = "openai") -> bool:
    """Whether a part of a message has a form only here.

    The other API takes neither kept pictures nor documents of the web, and texts alone as the results of tools.
    """
    if isinstance(part, ToolResult):
        return not all(isinstance(each, Text) for each in part.content)
    if isinstance(part, Opaque):
        return part.backend == backend and part.data.get("type") not in CONTENT_TYPES
    return (isinstance(part, Image) and part.file_id is not None) or (
        isinstance(part, Document) and part.url is not None
    )


def _with_extra(found: Json, extra: Any) -> Json:
    """Add the caller's own fields; objects are merged, so that `reasoning` may add a summary to an effort."""
    for name, value in extra.items():
        below = found.get(name)
        found[name] = {**below, **value} if isinstance(below, dict) and isinstance(value, dict) else value
    return found


def is_in_an_item(backend: str, message: Message, part: Any) -> bool:
    """Whether a thought or a picture of a model's turn goes back as the opaque item that it came with."""
    kind = "reasoning" if isinstance(part, Reasoning) else "image_generation_call"
    return any(
        isinstance(each, Opaque) and each.backend == backend and each.data.get("type") == kind
        for each in message.content
    )


def count_body(request: ChatRequest) -> Json:
    """Make the body of POST /responses/input_tokens: the same without what steers the answer."""
    return {name: value for name, value in body(request, stream=False).items() if name in _COUNTED}


def _items(messages: Collection[Message], backend: str, custom: Collection[str]) -> Iterator[Json]:
    calls = (part for message in messages for part in message.content if isinstance(part, ToolCall))
    free = {call.id for call in calls if call.name in custom}
    for index, message in enumerate(messages):
        try:
            is_answer = message.role == "assistant"
            yield from _assistant(message, backend, free) if is_answer else _others(message, backend, free)
        except InvalidRequestError as error:
            raise InvalidRequestError(f"messages[{index}]: {error.message}", hint=error.hint) from None


def _others(message: Message, backend: str, free: Collection[str]) -> Iterator[Json]:
    said: list[Json] = []
    for part in message.content:
        if isinstance(part, ToolResult):
            kind = "custom_tool_call_output" if part.tool_call_id in free else "function_call_output"
            yield {"type": kind, "call_id": part.tool_call_id, "output": _output(part)}
        elif isinstance(part, Opaque) and (part.backend != backend or is_needed(part, backend)):
            if part.backend == backend:
                yield dict(part.data)
        else:
            said.append(_input(part))
    if said:
        if message.role == "tool":
            raise InvalidRequestError("a tool message holds results of tools and nothing else")
        is_plain = len(said) == 1 and said[0].keys() == {"type", "text"}
        yield {"role": message.role, "content": said[0]["text"] if is_plain else said}


def _assistant(message: Message, backend: str, free: Collection[str]) -> Iterator[Json]:
    """Give a model's turn back in the order in which it came: thoughts stand before the calls that they led to."""
    found: list[Json] = []
    said: list[str] | None = None
    for part in message.content:
        if isinstance(part, Text | Refusal):
            if said is None:
                said = []
                found.append({"type": "message", "role": "assistant", "content": said})
            said.append(part.text)
            continue
        about = part.data if isinstance(part, Opaque) and part.backend == backend else {}
        if _is_remark(about):
            # What the model said of the item before it, which is in parts of their own; see `openai_responses_answers`.
            # A message without any text is not sent, and what was said of it is not for the message before it.
            if found and about["type"] == found[-1].get("type") and (said is not None or about["type"] != "message"):
                found[-1].update(about)
            said = None
            continue
        item = _item(part, backend, free)
        if item is not None:
            found.append(item)
            said = None
        elif isinstance(part, Image | Audio | Document) and not (
            message.origin is not None or is_in_an_item(backend, message, part)
        ):
            raise InvalidRequestError(
                f"the Responses API takes no {part.kind} in a turn of the assistant",
                hint="put it into a message of the user",
            )
    for item in found:
        # Parts of a model's own message need its id and its state; a text alone is what may be written of one.
        yield {**item, "content": "".join(item["content"])} if item["type"] == "message" else item


def _is_remark(item: Mapping[str, Any]) -> bool:
    """Whether the data of an opaque part only adds to the message or the call before it."""
    if item.get("type") == "message":
        return "content" not in item
    return item.get("type") in {"function_call", "custom_tool_call"} and "call_id" not in item


def _item(part: Part, backend: str, free: Collection[str]) -> Json | None:
    if isinstance(part, ToolCall):
        if part.id in free:
            return {"type": "custom_tool_call", "call_id": part.id, "name": part.name, "input": part.arguments}
        arguments = part.arguments or "{}"
        return {"type": "function_call", "call_id": part.id, "name": part.name, "arguments": arguments}
    if isinstance(part, Opaque) and part.backend == backend:
        return dict(part.data)
    return None  # visible reasoning goes back as the opaque item beside it


def _input(part: Part) -> Json:
    if isinstance(part, Opaque):
        return _of_chat(part.data)
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


def _of_chat(content: Mapping[str, Any]) -> Json:
    """Write a part in the form of chats as it is here: flat, and under another name."""
    kind = str(content["type"])
    inner = content.get(kind)
    rest = {name: value for name, value in content.items() if name not in {"type", kind}}
    if kind == "image_url":
        value = dict(inner) if isinstance(inner, Mapping) else {"url": inner}
        return {"type": "input_image", "image_url": value.pop("url"), **value, **rest}
    if kind == "file" and isinstance(inner, Mapping):
        return {"type": "input_file", **inner, **rest}
    if kind == "text":
        return {"type": "input_text", "text": inner, **rest}
    raise InvalidRequestError(f"the Responses API takes no {kind} here", hint="choose a model of the chat API")


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
