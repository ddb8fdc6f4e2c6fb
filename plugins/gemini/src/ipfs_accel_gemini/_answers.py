"""Answers of generateContent to typed values; a whole answer is read as a stream of one piece."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import attrs
from ipfs_accel.errors import ContentFilterError, InternalServerError, InvalidResponseError
from ipfs_accel.plans import HttpResponse
from ipfs_accel.types import ChatResponse, TokenLogprob, Usage
from ipfs_accel.wire.assembler import Assembler, chat_assembler
from ipfs_accel.wire.fields import field, optional, rest
from ipfs_accel.wire.halves import written

from ._errors import error_of
from ._fields import Json, count
from ._partial import PartialCall
from ._parts import decoded, own_fields

__all__ = ["FILTERED", "Reader", "blocked", "next_token", "read_answer", "read_chat", "read_hops", "usage_of"]

FILTERED = (
    *("SAFETY", "RECITATION", "LANGUAGE", "BLOCKLIST", "PROHIBITED_CONTENT", "SPII", "MODEL_ARMOR"),
    *("ESCALATION", "IMAGE_SAFETY", "IMAGE_PROHIBITED_CONTENT", "IMAGE_RECITATION", "IMAGE_OTHER"),
)
"""Reasons for an end that a policy is behind."""

_FINISH = {
    "STOP": "stop",
    "MAX_TOKENS": "length",
    "CONTINUATION": "length",
    **dict.fromkeys(FILTERED, "content_filter"),
}
# Ways in which the model itself goes wrong; the same request may go well the next time.
_FAILED = {
    *("MALFORMED_FUNCTION_CALL", "MALFORMED_RESPONSE", "UNEXPECTED_TOOL_CALL", "TOO_MANY_TOOL_CALLS"),
    *("MISSING_THOUGHT_SIGNATURE", "OTHER"),
}
_LASTING = {"MISSING_THOUGHT_SIGNATURE", "UNEXPECTED_TOOL_CALL"}
# What has a place of its own in our types; everything else goes into `extra`.
_KNOWN = {"candidates", "usageMetadata", "modelVersion", "responseId"}
_KNOWN_OF_CANDIDATE = {"content", "index", "logprobsResult"}


def read_chat(response: HttpResponse) -> ChatResponse:
    """Read a whole answer."""
    return read_answer(response.json())


def read_answer(body: Any) -> ChatResponse:
    """Read an answer's JSON."""
    return attrs.evolve(read_hops([body]), raw=body)


def read_hops(bodies: list[Json]) -> ChatResponse:
    """Read the answers of requests that continue each other as the one that they are."""
    out = chat_assembler()
    read = Reader()
    token = None
    for body in bodies:
        read(body, out)
        token = read.next_token()
    if not out.choices:
        raise InvalidResponseError("the answer has neither a candidate nor a reason why there is none")
    if token is not None:
        out.finish(_FINISH["CONTINUATION"])
    out.done()
    return attrs.evolve(out.conclude(), raw=bodies)


def next_token(body: Json) -> str | None:
    """Return the token with which the same request goes on, if the answer is only the beginning of one."""
    candidate = next(iter(body.get("candidates") or ()), None) or {}
    is_open = candidate.get("finishReason") in (None, "CONTINUATION")
    return optional(candidate, "continuationToken", str) if is_open else None


class Reader:
    """Tells an assembler what an answer, or a piece of one, means."""

    def __init__(self) -> None:
        self._calls = 0
        self._has_content: set[int] = set()
        # What speaks of the part before it waits for the next part: citations of a text come after its signature.
        self._held: dict[int, Json] = {}
        self._partial: dict[int, PartialCall] = {}
        # Within one answer counts are totals; those of requests that continue each other add up.
        self._spent = self._used = Usage()
        self._token: str | None = None
        self._last_token: str | None = None

    def next_token(self) -> str | None:
        """Return the token with which the same request goes on, if it does; what comes next is taken for its answer."""
        token, self._token = self._token, None
        self._last_token = token
        self._spent = self._used
        return token

    def __call__(self, body: Any, out: Assembler[ChatResponse]) -> None:
        """Take one object of the stream."""
        if not isinstance(body, dict):
            raise InvalidResponseError(f"a piece of the answer is a JSON {type(body).__name__} instead of an object")
        if body.get("error"):
            raise error_of(body)
        out.start(body.get("responseId"), body.get("modelVersion"))
        out.extra |= rest(body, _KNOWN)
        usage = body.get("usageMetadata")
        if isinstance(usage, dict):
            out.usage = self._used = _sum(self._spent, usage_of(usage))
            out.extra |= _about_usage(usage)
        if body.get("candidates"):
            token = next_token(body)
            # The same token again would go on without end.
            self._token = None if token == self._last_token else token
        for candidate in body.get("candidates") or ():
            self._candidate(candidate, out)
        problem = blocked(body)
        if problem is not None:
            raise problem

    def _candidate(self, candidate: Any, out: Assembler[ChatResponse]) -> None:
        index = count(candidate, "index")
        out.text("", index)
        content = candidate.get("content") or {}
        for part in content.get("parts") or ():
            self._part(part, index, out)
        self._notes(candidate, index, out)
        if index == 0:
            out.extra.pop("continuationToken", None)
            out.extra |= rest(candidate, _KNOWN_OF_CANDIDATE)
        result = candidate.get("logprobsResult")
        if isinstance(result, dict):
            out.logprobs(_logprobs(result), index)
        reason = candidate.get("finishReason")
        if reason:
            if index in self._partial:
                self._part(self._partial.pop(index).whole(), index, out)
            self._release(index, out)
            self._finish(str(reason), candidate, index, out)

    def _part(self, part: Any, index: int, out: Assembler[ChatResponse]) -> None:
        part = self._gathered(part, index)
        if part is None:
            return
        self._release(index, out)
        own = own_fields(part)
        text = part.get("text")
        if isinstance(part.get("functionCall"), dict):
            self._call(part["functionCall"], index, out)
        elif isinstance(text, str) and text:
            if own:
                out.end_block(index)
            (out.reasoning if part.get("thought") else out.text)(text, index)
        elif isinstance(text, str):
            own = {"text": "", **own} if own else {}
        elif _is_sound(part):
            out.audio(decoded(part["inlineData"]), choice=index)
        else:
            out.opaque("gemini", part, index)
            own = {}
        self._has_content.add(index)
        if own:
            self._held[index] = own

    def _gathered(self, part: Any, index: int) -> Any:
        """Return a part, or None while the arguments of a call come in pieces."""
        beside = own_fields(part)
        call = part.get("functionCall")
        if not isinstance(call, dict) or not (index in self._partial or call.get("willContinue")):
            return part
        self._partial.setdefault(index, PartialCall()).take(call, beside)
        return None if call.get("willContinue") else self._partial.pop(index).whole()

    def _call(self, call: Json, index: int, out: Assembler[ChatResponse]) -> None:
        """Take a call, which comes whole."""
        arguments = call.get("args")
        text = written(arguments) if arguments else ""
        key = self._calls
        self._calls += 1
        out.tool_call(key, index, id=call.get("id"), name=field(call, "name", str), arguments=text)
        out.end_block(index, key)

    def _release(self, index: int, out: Assembler[ChatResponse]) -> None:
        own = self._held.pop(index, None)
        if own is not None:
            out.opaque("gemini", own, index)

    def _notes(self, candidate: Json, index: int, out: Assembler[ChatResponse]) -> None:
        """Put citations on the text that they are about, if it is the last part."""
        state = out.choices[index]
        if state.current is None or state.current.type != "text":
            return
        for note in _annotations(candidate):
            out.annotation(note, index)

    def _finish(self, reason: str, candidate: Json, index: int, out: Assembler[ChatResponse]) -> None:
        if reason in _FAILED and index not in self._has_content:
            why = candidate.get("finishMessage")
            error = InternalServerError(f"the model gave no answer: {reason}{f': {why}' if why else ''}", code=reason)
            error.retryable = reason not in _LASTING
            raise error
        if reason == "CONTINUATION" and self._token is not None:
            out.end_block(index)  # the choice goes on with another part
        else:
            out.finish(_FINISH.get(reason, reason), index)


def blocked(body: Json) -> ContentFilterError | None:
    """Return the error that a prompt was blocked, if the answer says so."""
    feedback = body.get("promptFeedback")
    reason = feedback.get("blockReason") if isinstance(feedback, dict) else None
    if not reason or reason == "BLOCK_REASON_UNSPECIFIED":
        return None
    why = (feedback or {}).get("blockReasonMessage")
    return ContentFilterError(f"the prompt was blocked: {reason}{f': {why}' if why else ''}", code=reason, body=body)


def usage_of(usage: Json) -> Usage:
    """Read token counts: what a tool's result added to the prompt is input, thoughts are output."""
    thoughts = count(usage, "thoughtsTokenCount")
    return Usage(
        input_tokens=count(usage, "promptTokenCount") + count(usage, "toolUsePromptTokenCount"),
        output_tokens=count(usage, "candidatesTokenCount") + thoughts,
        cached_input_tokens=count(usage, "cachedContentTokenCount"),
        reasoning_tokens=thoughts,
        audio_input_tokens=_of_kind(usage, "promptTokensDetails", "AUDIO"),
        audio_output_tokens=_of_kind(usage, "candidatesTokensDetails", "AUDIO"),
        image_output_tokens=_of_kind(usage, "candidatesTokensDetails", "IMAGE"),
    )


def _sum(left: Usage, right: Usage) -> Usage:
    names = [each.name for each in attrs.fields(Usage)]
    pairs = {name: (getattr(left, name), getattr(right, name)) for name in names}
    return Usage(**{name: one if two is None else (one or 0) + two for name, (one, two) in pairs.items()})


def _of_kind(usage: Json, name: str, kind: str) -> int | None:
    details = usage.get(name)
    if not isinstance(details, list):
        return None
    return sum([count(each, "tokenCount") for each in details if each.get("modality") == kind])


def _about_usage(usage: Json) -> Json:
    """Keep what decides on the price beside the counts."""
    found = rest(
        {name: usage.get(name) for name in ("trafficType", "toolUsePromptTokenCount", "cacheTokensDetails")}, set()
    )
    tier = usage.get("serviceTier")
    return {**found, "service_tier": str(tier).lower()} if tier else found


def _is_sound(part: Json) -> bool:
    data = part.get("inlineData")
    return isinstance(data, dict) and str(data.get("mimeType")).startswith("audio/")


def _annotations(candidate: Json) -> Iterator[Json]:
    """Return citations and the passages that sources support; their offsets count bytes of UTF-8."""
    cited = candidate.get("citationMetadata") or {}
    yield from cited.get("citationSources") or cited.get("citations") or ()
    grounding = candidate.get("groundingMetadata") or {}
    chunks = grounding.get("groundingChunks") or ()
    for support in grounding.get("groundingSupports") or ():
        numbers = support.get("groundingChunkIndices") or ()
        yield {**support, "groundingChunks": [chunks[number] for number in numbers if number < len(chunks)]}


def _logprobs(result: Json) -> Iterator[TokenLogprob]:
    tops = result.get("topCandidates") or ()
    for position, chosen in enumerate(result.get("chosenCandidates") or ()):
        top = (tops[position].get("candidates") or ()) if position < len(tops) else ()
        yield attrs.evolve(_logprob(chosen), top=tuple([_logprob(each) for each in top]))


def _logprob(item: Json) -> TokenLogprob:
    value = item.get("logProbability")
    if value is not None and not isinstance(value, int | float):
        raise InvalidResponseError("a token's logProbability is no number")
    return TokenLogprob(token=item.get("token") or "", logprob=float(value or 0))
