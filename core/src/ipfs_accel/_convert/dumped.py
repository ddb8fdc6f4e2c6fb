"""Messages as the SDKs of providers write them as dicts, beside OpenAI's: what they answered goes back as history.

A part that only its provider understands becomes an `Opaque` of its backend, as in our own answers.
"""

from __future__ import annotations

import base64
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, TypeAlias, TypeVar

from ipfs_accel import strict_json
from ipfs_accel._suggest import short
from ipfs_accel.errors import InvalidRequestError
from ipfs_accel.types import Audio, Document, Image, Message, Opaque, Part, Reasoning, Text, ToolCall, ToolResult

__all__ = ["answered", "block", "json_text", "media", "whole"]

Json: TypeAlias = Mapping[str, Any]
Parts: TypeAlias = Callable[[Any], tuple[Part, ...]]
"""Reads the content of a message; see `dicts`."""
M = TypeVar("M", Image, Audio, Document)

# Blocks of Claude's that nobody else has a use for; so are those whose names end with `_tool_result`.
_CLAUDES = {"redacted_thinking", "server_tool_use", "mcp_tool_use", "container_upload", "compaction", "fallback"}


def whole(message: Json, before: Sequence[Message], parts_of: Parts) -> Message:
    """Read a message of Anthropic's SDK, of the Responses API, or of Google's.

    Raises:
        InvalidRequestError: It has not the form of any; names the place within it.
    """
    if "parts" in message:
        return _of_gemini(message, before)
    parts = parts_of(message.get("content"))
    if message.get("phase") is not None:
        parts = (*parts, Opaque(backend="openai", data={"type": "message", "phase": message["phase"]}))
    return Message(role=message.get("role"), content=parts)  # type: ignore[arg-type]


def answered(name: Any, before: Sequence[Message]) -> str:
    """Return the id of the first call that has no result yet, of a certain tool if one is named.

    Raises:
        InvalidRequestError: There is none among the last calls.
    """
    done: set[str] = set()
    for message in reversed(before):
        done.update(part.tool_call_id for part in message.content if isinstance(part, ToolResult))
        calls = message.tool_calls
        if calls:
            found = next((call.id for call in calls if name in {None, call.name} and call.id not in done), None)
            if found is not None:
                return found
            break
    what = "tool_call_id: no call" if name is None else f"tool_name: no call of {short(name)}"
    raise InvalidRequestError(f"{what} before it is without a result")


# Anthropic's


def block(part: Json, where: str, parts_of: Parts) -> tuple[Part, ...]:
    """Read a block of Anthropic's; nothing if it is none.

    Raises:
        InvalidRequestError: It lacks something; names it.
    """
    kind = str(part.get("type"))
    if kind == "thinking":
        return (_thought(part),)
    if kind == "tool_use":
        return tuple(_call(part, where))
    if kind == "tool_result":
        content = parts_of(part.get("content"))
        is_error = bool(part.get("is_error"))
        return (ToolResult(tool_call_id=_text(part, "tool_use_id", where), content=content, is_error=is_error),)
    if kind in {"image", "document"} and isinstance(part.get("source"), Mapping):
        return (_medium(kind, part, f"{where}.source"),)
    if kind in _CLAUDES or kind.endswith("_tool_result"):
        return (Opaque(backend="claude", data=_given(part)),)
    return ()


def _thought(part: Json) -> Reasoning:
    thought, signature = part.get("thinking") or "", part.get("signature") or None
    if not isinstance(thought, list):
        return Reasoning(text=thought, signature=signature)
    # Mistral's, whose thoughts are in parts themselves
    text = "".join([each.get("text") or "" for each in thought if isinstance(each, Mapping)])
    return Reasoning(text=text, signature=signature, field="content")


def _call(part: Json, where: str) -> Iterator[Part]:
    call_id, name = _text(part, "id", where), _text(part, "name", where)
    value = part.get("input")
    yield ToolCall(id=call_id, name=name, arguments=json_text(value, f"{where}.input") if value else "")
    beside = {key: each for key, each in _given(part).items() if key not in {"type", "id", "name", "input"}}
    if beside.get("caller") == {"type": "direct"}:
        del beside["caller"]
    if beside:
        yield Opaque(backend="claude", data={"type": "tool_use", "id": call_id, **beside})


def _medium(kind: str, part: Json, where: str) -> Part:
    source = part["source"]
    url, file_id, media_type = source.get("url"), source.get("file_id"), source.get("media_type")
    data = source.get("data")
    if source.get("type") == "text" and isinstance(data, str):
        data = data.encode()
    if kind == "image":
        return _data_of(Image, data, where, media_type) if data is not None else Image(url=url, file_id=file_id)
    name = part.get("title")
    if data is None:
        return Document(url=url, file_id=file_id, name=name)
    made = _data_of(Document, data, where, media_type)
    return Document(data=made.data, media_type=made.media_type, name=name)


# Google's, whose SDK writes names with underscores or without


def _of_gemini(message: Json, before: Sequence[Message]) -> Message:
    role = message.get("role")
    if role is None or role == "model":
        role = "assistant" if role else "user"
    found: list[Part] = []
    parts = message.get("parts") or ()
    if not isinstance(parts, list | tuple):
        raise InvalidRequestError(f"parts: expected a list of dicts, got {type(parts).__name__}")
    for index, part in enumerate(parts):
        if not isinstance(part, Mapping):
            raise InvalidRequestError(f"parts[{index}]: expected a dict, got {type(part).__name__}")
        given = {_camel(name): value for name, value in _given(part).items()}
        found += _gemini_part(given, f"parts[{index}]", [*before, Message(role="assistant", content=tuple(found))])
    return Message(role=role, content=tuple(found))  # type: ignore[arg-type]


def _gemini_part(part: dict[str, Any], where: str, before: Sequence[Message]) -> Iterator[Part]:
    text, call, result = part.pop("text", None), part.pop("functionCall", None), part.pop("functionResponse", None)
    data = part.pop("inlineData", None)
    if isinstance(text, str):
        if text:
            yield Reasoning(text=text) if part.get("thought") else Text(text=text)
        if part and not text:
            part["text"] = ""
    elif isinstance(call, Mapping):
        number = len(before[-1].tool_calls)
        arguments = json_text(call.get("args") or {}, f"{where}.function_call.args")
        call_id = call.get("id") or f"call_{number}"
        yield ToolCall(id=call_id, name=_text(call, "name", f"{where}.function_call"), arguments=arguments)
    elif isinstance(result, Mapping):
        yield _gemini_result(result, f"{where}.function_response", before)
    elif isinstance(data, Mapping):
        kind = str(data.get("mime_type") or data.get("mimeType"))
        family = {"image": Image, "audio": Audio}.get(kind.partition("/")[0], Document)
        yield _data_of(family, _plain_base64(data.get("data")), f"{where}.inline_data.data", kind)
    own = {name: value for name, value in part.items() if name != "thought" or value}
    if own and own.keys() != {"thought"}:
        try:
            yield Opaque(backend="gemini", data=_wire(own))
        except RecursionError:
            raise InvalidRequestError(f"{where}: it is nested too deeply") from None


def _gemini_result(result: Json, where: str, before: Sequence[Message]) -> ToolResult:
    response = result.get("response") or {}
    is_error = isinstance(response, Mapping) and response.keys() == {"error"}
    inner = next(iter(response.values())) if len(response) == 1 and response.keys() <= _SINGLE else response
    content = inner if isinstance(inner, str) else json_text(inner, f"{where}.response")
    call_id = result.get("id") or answered(result.get("name"), before)
    return ToolResult(tool_call_id=call_id, content=content, is_error=is_error)


_SINGLE = {"output", "result", "error"}


def _plain_base64(value: Any) -> Any:
    return value.replace("-", "+").replace("_", "/") if isinstance(value, str) else value


def _wire(value: Any) -> Any:
    """Write what only Gemini has as its JSON: bytes as base64, names in the wire's form, nothing that is null."""
    if isinstance(value, bytes):
        return base64.b64encode(value).decode()
    if isinstance(value, Mapping):
        return {_camel(name): _wire(each) for name, each in value.items() if each is not None}
    return [_wire(each) for each in value] if isinstance(value, list | tuple) else value


def _camel(name: str) -> str:
    first, *others = name.split("_")
    return first + "".join([each.capitalize() for each in others])


# all of them


def media(images: Any, audio: Any) -> Iterator[Part]:
    """Read Ollama's pictures, and a sound that a model of OpenAI's made, which goes back by its id."""
    if not isinstance(images, list | tuple):
        raise InvalidRequestError(f"images: expected a list of base64, got {type(images).__name__}")
    for index, image in enumerate(images):
        made: Part = _data_of(Image, image, f"images[{index}]")
        if isinstance(made, Image) and (made.media_type or "").startswith(Audio.family):  # sounds stand there, too
            made = Audio(data=made.data, media_type=made.media_type)
        yield made
    if audio is None:
        return
    if not isinstance(audio, Mapping) or not isinstance(audio.get("id"), str):
        raise InvalidRequestError("audio.id: missing")
    made = _data_of(Audio, audio.get("data") or "", "audio.data")
    kind = made.media_type or "audio/pcm"
    yield Audio(data=made.data, media_type=kind, id=audio["id"], transcript=audio.get("transcript"))


def _data_of(kind: type[M], value: Any, where: str, media_type: str | None = None) -> M:
    """Make a medium of bytes, or of base64 as JSON has it."""
    try:
        data = value if isinstance(value, bytes) else base64.b64decode(value, validate=True)
    except (TypeError, ValueError):
        raise InvalidRequestError(f"{where}: it is not base64") from None
    return kind(data=data, media_type=media_type)


def json_text(value: Any, where: str) -> str:
    """Write arguments as the JSON text that all backends have."""
    try:
        return strict_json.dumps(value).decode()
    except (TypeError, ValueError, RecursionError) as error:
        why = "it is nested too deeply" if isinstance(error, RecursionError) else error
        raise InvalidRequestError(f"{where}: it cannot be written as JSON: {why}") from None


def _given(value: Json) -> dict[str, Any]:
    return {str(name): each for name, each in value.items() if each is not None}


def _text(value: Json, name: str, where: str) -> str:
    found = value.get(name)
    if not isinstance(found, str):
        raise InvalidRequestError(f"{where}.{name}: missing")
    return found
