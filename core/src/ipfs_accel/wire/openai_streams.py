"""OpenAI's dialect, inward: the chunks of streams, told to an assembler."""

from __future__ import annotations

import base64
from typing import TYPE_CHECKING, Any

from ipfs_accel import strict_json
from ipfs_accel.errors import InvalidResponseError

from .fields import id_of, rest
from .openai_answers import KNOWN, logprobs_of, usage_of
from .openai_calls import Calls
from .openai_errors import error_in_body, error_in_event, failed_choice, in_list, is_error
from .openai_messages import (
    CHOICE,
    MESSAGE,
    finish_reason,
    function_of,
    pictures,
    plain,
    thought_in,
    thoughts,
    unknown_in,
)
from .sse import ServerSentEvent

if TYPE_CHECKING:
    from ipfs_accel.types import ChatResponse, CompletionResponse

    from .assembler import Assembler

__all__ = ["ChatDecoder", "decode_completion"]

Json = dict[str, Any]

# What nearly every choice has, and no more.
_USUAL = frozenset({"index", "delta", "text", "logprobs", "finish_reason"})


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
        raise error_in_event(data)
    chunk = strict_json.loads(data)
    if not isinstance(chunk, dict):
        if in_list(chunk):
            raise error_in_body(chunk)
        raise InvalidResponseError(f"a chunk of the stream is a JSON {type(chunk).__name__} instead of an object")
    if is_error(chunk):
        raise error_in_body(chunk)
    _note(chunk, out)
    return chunk


def _note(chunk: Json, out: Assembler[Any]) -> None:
    """Keep what a chunk says beside its choices."""
    if not (out.id and out.model):  # Azure's first chunk has empty ones
        out.start(id_of(chunk.get("id")), chunk.get("model"))
    usage = chunk.get("usage")
    if usage:
        _count(usage, out)
    for name, value in chunk.items():
        if name not in KNOWN and value is not None:
            out.extra[name] = value


def _count(usage: Any, out: Assembler[Any]) -> None:
    out.usage, beside = usage_of(usage)
    if beside:
        out.extra["usage"] = beside


def _ends(choice: Json, chunk: Json, out: Assembler[Any], index: int) -> None:
    """Take what a choice says at its end: why, unless it is that it failed; and what else it says."""
    failure = failed_choice(choice, chunk)
    if failure is not None:
        raise failure
    if about := rest(choice, CHOICE):
        out.about(about, index)
    if choice.get("usage") and not chunk.get("usage"):  # Moonshot
        _count(choice["usage"], out)
    if (reason := finish_reason(choice.get("finish_reason"))) is not None:
        out.finish(reason, index)


def _of_parts(content: Any, out: Assembler[ChatResponse], index: int) -> str:
    """Take what a model thought and the pictures among the parts of a delta's content; return its text."""
    out.reasoning(thoughts(content), index, field="content")
    _show({"content": content}, out, index)
    return plain(content)


def _show(delta: Json, out: Assembler[ChatResponse], index: int) -> None:
    for picture in pictures(delta):
        out.image(picture, index)


class ChatDecoder:
    """Tells an assembler what the chunks of a chat stream mean; made anew for each stream."""

    def __init__(self) -> None:
        self._calls = Calls()
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
                    out.text(content if type(content) is str else _of_parts(content, out, index), index)
                calls = delta.get("tool_calls")
                if calls:
                    self._calls.take(calls, out, index)
            if choice.get("logprobs"):
                out.logprobs(logprobs_of(choice["logprobs"]), index)
            if choice.get("finish_reason") or not choice.keys() <= _USUAL:
                _ends(choice, chunk, out, index)

    def rest(self, delta: Json, out: Assembler[ChatResponse], index: int) -> None:
        """Take what a delta says beside text and tool calls; a subclass may know more."""
        where, thought = thought_in(delta)
        if thought:
            out.reasoning(thought, index, field=where)
        if delta.get("refusal"):
            out.refusal(delta["refusal"], index)
        audio = delta.get("audio")
        if isinstance(audio, dict) and (audio.get("data") or audio.get("transcript")):
            data = base64.b64decode(audio.get("data") or "")
            out.audio(data, audio.get("transcript") or "", index, id=audio.get("id") or self._sound_id)
        elif isinstance(audio, dict):  # the first piece has only the id, the last only when it expires
            self._sound_id = audio.get("id") or self._sound_id
        if delta.get("images"):
            _show(delta, out, index)
        for annotation in delta.get("annotations") or ():
            out.annotation(annotation, index)
        if isinstance(delta.get("function_call"), dict):
            name, arguments = function_of({"function": delta["function_call"]})
            out.tool_call("function_call", index, name=name, arguments=arguments)
        if not delta.keys() <= MESSAGE and (beside := unknown_in(delta)):
            out.beside(beside, index)


def decode_completion(event: ServerSentEvent, out: Assembler[CompletionResponse]) -> None:
    """Tell an assembler what a chunk of a text completion means."""
    chunk = _chunk(event, out) or {}
    for choice in chunk.get("choices") or ():
        index = choice.get("index") or 0
        out.text(choice.get("text") or "", index)
        if choice.get("logprobs"):
            out.logprobs(logprobs_of(choice["logprobs"]), index)
        if choice.get("finish_reason") or not choice.keys() <= _USUAL:
            _ends(choice, chunk, out, index)
