"""Answers in Gemini's form: parts, candidates, and the pieces of a stream."""

from __future__ import annotations

import secrets
from base64 import b64encode
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from ipfs_accel import strict_json
from ipfs_accel.types import (
    Audio,
    BlockEnd,
    BlockStart,
    ChatResponse,
    Choice,
    Document,
    FinishEvent,
    Image,
    Opaque,
    Part,
    Reasoning,
    ReasoningDelta,
    RefusalDelta,
    Text,
    TextDelta,
    TokenLogprob,
    ToolCall,
)
from ipfs_accel.types import Refusal as Refused
from ipfs_accel.wire import keepsakes

from ipfs_accel_gateway._errors import Refusal

from ._gemini import usage

__all__ = ["Writer", "answered"]

_REASONS = {None: "STOP", "stop": "STOP", "tool_calls": "STOP", "length": "MAX_TOKENS", "content_filter": "SAFETY"}
# A conversation of Google's SDK forgets a turn, of whose pieces one has no parts.
_NOTHING = [{"text": ""}]
_CONTENT = {
    *("text", "inlineData", "fileData", "functionCall", "functionResponse", "executableCode", "codeExecutionResult"),
    *("toolCall", "toolResponse"),
}


def answered(answer: ChatResponse, model: str, *, thoughts: bool) -> dict[str, Any]:
    """Return a whole answer; `thoughts` is whether they are to be seen."""
    candidates = []
    for choice in answer.choices:
        parts = _Parts(thoughts=thoughts)
        said = [each for part in choice.message.content for each in parts.take(part)]
        said += parts.rest()
        candidates.append({"content": {"parts": said or _NOTHING, "role": "model"}, **_end(choice)})
    return {"candidates": candidates, **_counted(answer), "modelVersion": model, "responseId": _new_id()}


def _end(choice: Choice) -> dict[str, Any]:
    told = {} if choice.logprobs is None else {"logprobsResult": _logprobs(choice.logprobs)}
    reason = _REASONS.get(choice.finish_reason) or str(choice.finish_reason)
    return {"finishReason": reason if reason.isupper() else "OTHER", "index": choice.index, **told}


def _counted(answer: ChatResponse) -> dict[str, Any]:
    found = usage(answer.usage)
    return {"usageMetadata": found} if found else {}


def _logprobs(tokens: tuple[TokenLogprob, ...]) -> dict[str, Any]:
    return {
        "topCandidates": [{"candidates": [_logprob(top) for top in each.top]} for each in tokens],
        "chosenCandidates": [_logprob(each) for each in tokens],
    }


def _logprob(token: TokenLogprob) -> dict[str, Any]:
    return {"token": token.token, "logProbability": token.logprob}


def _new_id() -> str:
    return secrets.token_urlsafe(16)


class _Parts:
    """Makes the API's parts of ours; one is held back until it is known that nothing more belongs to it.

    What a provider said of its thoughts goes as the signature of the part that comes after them: clients send that back
    with the part, unread.
    """

    def __init__(self, *, thoughts: bool) -> None:
        self.thoughts = thoughts
        self._held: dict[str, Any] | None = None
        self._kept: list[Reasoning | Opaque] = []

    def take(self, part: Part) -> Iterator[dict[str, Any]]:
        """Take a part and return those that are complete."""
        if isinstance(part, Text | Refused):
            yield from self.rest(ends=False)
            if part.text:
                yield self.signed({"text": part.text})
        elif isinstance(part, Reasoning):
            yield from self.rest(ends=False)
            if self.thoughts and part.text:
                yield {"text": part.text, "thought": True}
            self.keep(part)
        elif isinstance(part, Opaque):
            yield from self._opaque(part)
        elif isinstance(part, ToolCall):
            yield from self.rest(ends=False)
            self._held = self.signed({"functionCall": _call(part)}, call=part)
        elif isinstance(part, Image | Audio | Document):
            yield from self.rest(ends=False)
            self._held = self.signed(_medium(part))

    def keep(self, part: Reasoning | Opaque) -> None:
        """Keep what the next part is to be signed with."""
        self._kept.append(part)

    def rest(self, *, ends: bool = True) -> Iterator[dict[str, Any]]:
        """Return the part that was held back; at the end also what no part came after."""
        held, self._held = self._held, None
        if held is not None:
            yield held
        if ends:
            last = self.signed({"text": ""})
            if len(last) > 1:
                yield last

    def signed(self, part: dict[str, Any], call: ToolCall | None = None) -> dict[str, Any]:
        """Return a part with what was kept; thoughts without a signature are needed again only before a call."""
        if not self._kept and (call is None or not call.extra):
            return part
        kept, self._kept = self._kept, []
        parts = [_remembered(each) for each in kept if call or isinstance(each, Opaque) or each.signature]
        value: dict[str, Any] = {"parts": parts} if parts else {}
        if call is not None and call.extra:
            value["call"] = call.extra
        return {**part, "thoughtSignature": b64encode(keepsakes.written(value).encode()).decode()} if value else part

    def _opaque(self, part: Opaque) -> Iterator[dict[str, Any]]:
        if part.backend != "gemini":
            self.keep(part)
        elif not _CONTENT.isdisjoint(part.data):
            yield from self.rest(ends=False)
            self._held = dict(part.data)
        elif self._held is not None:
            self._held.update(part.data)
        else:
            yield {"text": "", **part.data}


def _remembered(part: Reasoning | Opaque) -> dict[str, Any]:
    if isinstance(part, Opaque):
        return {"backend": part.backend, "data": part.data}
    named = {"text": part.text, "signature": part.signature, "field": part.field}
    return {name: value for name, value in named.items() if value is not None}


def _call(call: ToolCall) -> dict[str, Any]:
    try:
        return {"id": call.id, "name": call.name, "args": call.parse_arguments()}
    except ValueError:
        message = f"the model called the tool {call.name!r} with arguments that are not the JSON object of this API"
        raise Refusal(502, "server", message) from None


def _medium(part: Image | Audio | Document) -> dict[str, Any]:
    if part.data is None:
        uri = part.url or part.file_id
        return {"fileData": {"fileUri": uri, **({"mimeType": part.media_type} if part.media_type else {})}}
    return {"inlineData": {"mimeType": part.media_type or "application/octet-stream", "data": part.base64()}}


class Writer:
    """Writes one stream.

    Args:
        model: As the client named it.
        thoughts: Whether they are to be seen.
        frame: Puts what is around it on a piece, given whether it is the first.
        tail: What stands after the last piece.
    """

    def __init__(self, model: str, *, thoughts: bool, frame: Callable[[bytes, bool], bytes], tail: bytes = b"") -> None:
        self._thoughts = thoughts
        self._frame = frame
        self._tail = tail
        self._is_first = True
        self._about: Mapping[str, Any] = {"modelVersion": model, "responseId": _new_id()}
        self._after = b"," + strict_json.dumps(self._about)[1:]
        self._choices: dict[int, _Parts] = {}

    def begin(self) -> bytes:
        """Return nothing: the first event is the first piece."""
        return b""

    def event(self, event: Any) -> bytes:
        """Return what an event adds."""
        kind = type(event)
        if kind is TextDelta or kind is RefusalDelta:
            return self._part(event.choice, self._of(event.choice).signed({"text": event.text}))
        if kind is ReasoningDelta:
            return self._part(event.choice, {"text": event.text, "thought": True}) if self._thoughts else b""
        if kind is BlockStart and event.type != "opaque":
            return self._parts(event.choice, self._of(event.choice).rest(ends=False))
        if kind is BlockEnd:
            return self._ended(event.choice, event.part)
        if kind is FinishEvent:
            return b"".join([self._parts(choice, parts.rest()) for choice, parts in self._choices.items()])
        return b""

    def end(self, answer: ChatResponse) -> bytes:
        """Return why it ended, and the counts."""
        candidates = [{"content": {"parts": _NOTHING, "role": "model"}, **_end(choice)} for choice in answer.choices]
        last = {"candidates": candidates, **_counted(answer), **self._about}
        return self._framed(strict_json.dumps(last)) + self._tail

    def _ended(self, choice: int, part: Part) -> bytes:
        if isinstance(part, Text | Refused):
            return b""  # it has come in pieces
        if isinstance(part, Reasoning):
            self._of(choice).keep(part)
            return b""
        return self._parts(choice, self._of(choice).take(part))

    def _of(self, choice: int) -> _Parts:
        found = self._choices.get(choice)
        if found is None:
            found = self._choices[choice] = _Parts(thoughts=self._thoughts)
        return found

    def _parts(self, choice: int, parts: Iterator[dict[str, Any]]) -> bytes:
        return b"".join([self._part(choice, part) for part in parts])

    def _part(self, choice: int, part: dict[str, Any]) -> bytes:
        form = b'{"candidates":[{"content":{"parts":[%b],"role":"model"},"index":%d}]%b'
        return self._framed(form % (strict_json.dumps(part), choice, self._after))

    def _framed(self, piece: bytes) -> bytes:
        is_first, self._is_first = self._is_first, False
        return self._frame(piece, is_first)
