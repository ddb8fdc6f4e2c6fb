"""OpenAI's dialect, inward: whole answers and stream chunks to typed values.

Servers differ: fields are null, absent or of a neighbouring form. What a server may leave out is optional here; what no
answer can do without raises an `InvalidResponseError` that names it.
"""

from __future__ import annotations

import base64
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any, TypeVar

from ipfs_accel import strict_json, types
from ipfs_accel.errors import InvalidResponseError
from ipfs_accel.plans import HttpResponse
from ipfs_accel.types import ChatResponse, Choice, Message, Reasoning, Refusal, Text, TokenLogprob, ToolCall, Usage

from ._settled import choice_index, settle_finish_reason, sound, tool_call_id
from .fields import field
from .halves import mended, written
from .openai_errors import checked, error_in_body, is_error
from .sse import ServerSentEvent
from .vectors import vectors

if TYPE_CHECKING:
    from ipfs_accel.types import CompletionChoice, CompletionResponse, EmbedResponse, ModelInfo, Part

    from .assembler import Assembler

__all__ = [
    "ChatDecoder",
    "beside_tokens",
    "chat_of",
    "completion_of",
    "decode_completion",
    "embeddings_of",
    "read_chat",
    "read_completion",
    "read_embeddings",
    "read_model",
    "read_models",
    "read_usage",
    "token_logprob",
]

Json = dict[str, Any]
A = TypeVar("A", ChatResponse, "CompletionResponse")

# What has a place of its own in our types; everything else at the top of an answer goes into `extra`.
_KNOWN = frozenset({"id", "object", "created", "model", "choices", "usage", "obfuscation", "error"})


def read_chat(response: HttpResponse) -> ChatResponse:
    """Read the answer of POST /chat/completions."""
    return chat_of(checked(response.json()))


def chat_of(body: Json) -> ChatResponse:
    """Read the JSON object of a chat's answer."""
    return _answer(body, ChatResponse, _chat_choice)


def _answer(body: Json, kind: type[A], read_choice: Callable[[Any, int], Any]) -> A:
    choices = tuple([read_choice(choice, index) for index, choice in enumerate(field(body, "choices", list))])
    if not choices:
        raise InvalidResponseError("the answer has an empty list of choices")
    return kind(
        id=body.get("id") or None,
        model=body.get("model"),
        choices=choices,
        usage=read_usage(body.get("usage")),
        extra=_extra(body),
        raw=body,
    )


def _chat_choice(choice: Any, position: int) -> Choice:
    message = field(choice, "message", dict)
    parts = tuple(_parts(message))
    has_calls = ToolCall in map(type, parts)
    reason = settle_finish_reason(choice.get("finish_reason") or None, has_tool_calls=has_calls)
    index = choice.get("index")
    return Choice(
        index=position if index is None else choice_index(index),
        message=Message(role="assistant", content=parts),
        finish_reason=reason,
        logprobs=tuple(_logprobs(logprobs)) or None if (logprobs := choice.get("logprobs")) else None,
    )


def _parts(message: Json) -> Iterator[Part]:
    reasoning = message.get("reasoning_content") or message.get("reasoning")
    if reasoning and isinstance(reasoning, str):
        yield Reasoning(text=mended(reasoning))
    text = _plain(message.get("content"))
    if text:
        yield Text(text=mended(text), annotations=tuple(message.get("annotations") or ()))
    audio = message.get("audio")
    if isinstance(audio, dict) and isinstance(audio.get("data"), str):
        yield sound(base64.b64decode(audio["data"]), audio.get("id"), audio.get("transcript"))
    if message.get("refusal"):
        yield Refusal(text=mended(message["refusal"]))
    for index, call in enumerate(message.get("tool_calls") or ()):
        name, arguments = _function(call)
        yield ToolCall(id=tool_call_id(call.get("id"), index), name=name or "", arguments=mended(arguments))
    if isinstance(message.get("function_call"), dict):  # deprecated by OpenAI, still sent by old servers
        name, arguments = _function({"function": message["function_call"]})
        yield ToolCall(id=tool_call_id(None, 0), name=name or "", arguments=arguments)


def _plain(content: Any) -> str:
    if isinstance(content, list):
        return "".join([part.get("text") or "" for part in content if isinstance(part, dict)])
    return content or ""


def _function(call: Json) -> tuple[str | None, str]:
    """Return name and arguments; MLC gives the arguments as an object, custom tools give free text."""
    function = call.get("function") or call.get("custom") or {}
    arguments = function.get("arguments", function.get("input"))
    if arguments is not None and not isinstance(arguments, str):
        arguments = written(arguments)
    return function.get("name"), arguments or ""


def read_usage(usage: Any) -> Usage:
    """Read token counts; details are parts of the totals, so nothing is added up."""
    if not isinstance(usage, dict):
        return Usage()
    inputs = usage.get("prompt_tokens_details") or {}
    outputs = usage.get("completion_tokens_details") or {}
    return Usage(
        input_tokens=usage.get("prompt_tokens"),
        output_tokens=usage.get("completion_tokens"),
        cached_input_tokens=inputs.get("cached_tokens"),
        cache_write_input_tokens=inputs.get("cache_write_tokens"),
        reasoning_tokens=outputs.get("reasoning_tokens"),
        audio_input_tokens=inputs.get("audio_tokens"),
        audio_output_tokens=outputs.get("audio_tokens"),
    )


def _extra(body: Json) -> Json:
    found = {name: value for name, value in body.items() if name not in _KNOWN and value is not None}
    return {**found, "usage": beside} if (beside := beside_tokens(body.get("usage"))) else found


def beside_tokens(usage: Any) -> Json:
    """Return what a usage says that is no count of tokens, such as times."""
    said = usage.items() if isinstance(usage, dict) else ()
    return {name: value for name, value in said if "tokens" not in name and value is not None}


def _logprobs(logprobs: Any) -> Iterator[TokenLogprob]:
    """Read both forms: a list of token objects, and the parallel lists of the old completions API."""
    if not isinstance(logprobs, dict):
        return
    for token in [*(logprobs.get("content") or ()), *(logprobs.get("refusal") or ())]:
        yield token_logprob(token)
    tops = logprobs.get("top_logprobs") or ()
    for index, (token, value) in enumerate(
        zip(logprobs.get("tokens") or (), logprobs.get("token_logprobs") or (), strict=False)
    ):
        top = tops[index] if index < len(tops) else None
        alternatives = [TokenLogprob(token=name, logprob=each) for name, each in (top or {}).items()]
        alternatives.sort(key=lambda each: -each.logprob)
        yield TokenLogprob(token=token, logprob=value or 0.0, top=tuple(alternatives))


def token_logprob(token: Json) -> TokenLogprob:
    """Read a token with its log probability and its alternatives."""
    raw = token.get("bytes")
    return TokenLogprob(
        token=token["token"],
        logprob=token["logprob"],
        bytes=None if raw is None else bytes(raw),
        top=tuple([token_logprob(each) for each in token.get("top_logprobs") or ()]),
    )


def read_completion(response: HttpResponse) -> CompletionResponse:
    """Read the answer of POST /completions."""
    return completion_of(checked(response.json()))


def completion_of(body: Json) -> CompletionResponse:
    """Read the JSON object of a completion's answer."""
    return _answer(body, types.CompletionResponse, _completion_choice)


def _completion_choice(choice: Any, position: int) -> CompletionChoice:
    index = choice.get("index") if isinstance(choice, dict) else None
    return types.CompletionChoice(
        index=position if index is None else choice_index(index),
        text=mended(field(choice, "text", str)),
        finish_reason=choice.get("finish_reason") or None,
        logprobs=tuple(_logprobs(choice.get("logprobs"))) or None,
    )


def read_embeddings(response: HttpResponse, count: int) -> EmbedResponse:
    """Read the answer of POST /embeddings: `count` vectors, in base64 or as numbers, in any order."""
    return embeddings_of(checked(response.json(vectors=True)), count)


def embeddings_of(body: Json, count: int | None) -> EmbedResponse:
    """Read the JSON object of an answer with vectors; `count` of them, where that is known."""
    items = field(body, "data", list)
    if any(item.get("index", position) is not position for position, item in enumerate(items)):
        items = _in_order(items)
    found = vectors([item.get("embedding") for item in items], count)
    return types.EmbedResponse(vectors=found, model=body.get("model"), usage=read_usage(body.get("usage")), raw=body)


def _in_order(items: list[Any]) -> list[Any]:
    """Return the vectors in the order of the inputs, each of which has to have one."""
    by_index = {item.get("index"): item for item in items}
    if by_index.keys() != set(range(len(items))) or any(type(index) is not int for index in by_index):
        raise InvalidResponseError(f"the answer's {len(items)} vectors do not have the indexes 0 to {len(items) - 1}")
    return [by_index[index] for index in range(len(items))]


def read_models(response: HttpResponse) -> tuple[ModelInfo, ...]:
    """Read the answer of GET /models; some servers give a bare list."""
    body = response.json()
    items = body if isinstance(body, list) else field(checked(body), "data", list)
    return tuple([_model(item) for item in items])


def read_model(response: HttpResponse) -> ModelInfo:
    """Read the answer of GET /models/{id}."""
    return _model(checked(response.json()))


def _model(item: Any) -> ModelInfo:
    return types.ModelInfo(
        id=field(item, "id", str),
        owned_by=item.get("owned_by"),
        created=item.get("created"),
        retired=item.get("shutdown_date"),
        raw=item,
    )


def _chunk(event: ServerSentEvent, out: Assembler[Any]) -> Json | None:
    """Return the JSON object of a stream's event; None if there is nothing to read in it."""
    data = event.data
    if data.startswith("[DONE]"):
        if not out.choices:
            raise InvalidResponseError("the stream ended without any choice")
        out.done()
        return None
    if not data:
        return None
    if event.event == "error":
        raise error_in_body(_error_event(data))
    chunk = strict_json.loads(data)
    if not isinstance(chunk, dict):
        raise InvalidResponseError(f"a chunk of the stream is a JSON {type(chunk).__name__} instead of an object")
    if is_error(chunk):
        raise error_in_body(chunk)
    _note(chunk, out)
    return chunk


def _note(chunk: Json, out: Assembler[Any]) -> None:
    """Keep what a chunk says beside its choices."""
    if not (out.id and out.model):  # Azure's first chunk has empty ones
        out.start(chunk.get("id"), chunk.get("model"))
    usage = chunk.get("usage")
    if usage:
        out.usage = read_usage(usage)
        if beside := beside_tokens(usage):
            out.extra["usage"] = beside
    for name, value in chunk.items():
        if name not in _KNOWN and value is not None:
            out.extra[name] = value


def _error_event(data: str) -> Json:
    """Return the body of an event named error, which may also be plain text."""
    try:
        value = strict_json.loads(data)
    except ValueError:
        value = data
    return value if isinstance(value, dict) else {"error": str(value)}


class ChatDecoder:
    """Tells an assembler what the chunks of a chat stream mean; made anew for each stream."""

    def __init__(self) -> None:
        self._last_call: dict[int, int | str] = {}
        self._sound_id: str | None = None

    def __call__(self, event: ServerSentEvent, out: Assembler[ChatResponse]) -> None:
        """Take one event."""
        chunk = _chunk(event, out)
        if chunk is None:
            return
        for choice in chunk.get("choices") or ():
            index = choice.get("index") or 0
            if index not in out.choices:
                out.text("", index)
            delta = choice.get("delta")
            if delta:
                content = delta.get("content")
                if len(delta) > 1 or content is None:
                    self.rest(delta, out, index)
                if content:
                    out.text(_plain(content), index)
                for position, call in enumerate(delta.get("tool_calls") or ()):
                    self._tool_call(call, out, index, position)
            if choice.get("logprobs"):
                out.logprobs(_logprobs(choice["logprobs"]), index)
            reason = choice.get("finish_reason")
            if reason:
                out.finish(reason, index)

    def rest(self, delta: Json, out: Assembler[ChatResponse], index: int) -> None:
        """Take what a delta says beside text and tool calls; a subclass may know more."""
        reasoning = delta.get("reasoning_content") or delta.get("reasoning")
        if isinstance(reasoning, str):
            out.reasoning(reasoning, index)
        if delta.get("refusal"):
            out.refusal(delta["refusal"], index)
        audio = delta.get("audio")
        if isinstance(audio, dict) and (audio.get("data") or audio.get("transcript")):
            data = base64.b64decode(audio.get("data") or "")
            out.audio(data, audio.get("transcript") or "", index, id=audio.get("id") or self._sound_id)
        elif isinstance(audio, dict):  # the first piece has only the id, the last only when it expires
            self._sound_id = audio.get("id") or self._sound_id
        for annotation in delta.get("annotations") or ():
            out.annotation(annotation, index)
        if isinstance(delta.get("function_call"), dict):
            name, arguments = _function({"function": delta["function_call"]})
            out.tool_call("function_call", index, name=name, arguments=arguments)

    def _tool_call(self, call: Json, out: Assembler[ChatResponse], index: int, position: int) -> None:
        """Add to a tool call; where the server gives no index, the id tells the calls apart, then what they hold."""
        name, arguments = _function(call)
        key = call.get("index")
        if key is None:
            key = call.get("id") or self._without_id(name, out, index, position)
        self._last_call[index] = key
        out.tool_call(key, index, id=call.get("id"), name=name, arguments=arguments)

    def _without_id(self, name: str | None, out: Assembler[ChatResponse], index: int, position: int) -> int | str:
        """Return the key of a piece with neither index nor id: a name begins a call unless it only repeats itself."""
        last = self._last_call.get(index)
        if last is None:
            return position
        tools = out.choices[index].tools
        if not name or (name == tools[last].name and not _is_json("".join(tools[last].pieces))):
            return last
        return f"#{len(tools)}"


def _is_json(text: str) -> bool:
    try:
        strict_json.loads(text)
    except ValueError:
        return False
    return True


def decode_completion(event: ServerSentEvent, out: Assembler[CompletionResponse]) -> None:
    """Tell an assembler what a chunk of a text completion means."""
    chunk = _chunk(event, out)
    for choice in (chunk or {}).get("choices") or ():
        index = choice.get("index") or 0
        out.text(choice.get("text") or "", index)
        if choice.get("logprobs"):
            out.logprobs(_logprobs(choice["logprobs"]), index)
        if choice.get("finish_reason"):
            out.finish(choice["finish_reason"], index)
