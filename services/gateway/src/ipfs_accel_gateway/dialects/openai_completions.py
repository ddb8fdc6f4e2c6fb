"""POST /completions of OpenAI's API: a text that goes on, as editors use it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ipfs_accel import strict_json
from ipfs_accel.types import CompletionChoice, CompletionResponse, TextDelta, TokenLogprob

from ipfs_accel_gateway._errors import Refusal

from ._base import Family
from ._openai import OPENAI, asks_for_usage, data, failure, head, leftover, usage
from ._openai_whole import refuse

__all__ = ["COMPLETIONS"]

_SAME = (
    "suffix", "echo", "logprobs", "max_tokens", "temperature", "top_p", "top_k", "seed", "stop", "n",
    "frequency_penalty", "presence_penalty", "logit_bias", "user",
)  # fmt: skip
_READ = {*_SAME, "prompt", "model", "stream", "stream_options", "best_of"}
_IGNORED = {"metadata", "safety_identifier"}
_PIECE = b',"logprobs":null,"finish_reason":null}]}\n\n'


class _Completions:
    name = "openai.completions"
    family: Family = OPENAI
    stream_type = "text/event-stream; charset=utf-8"

    def operation(self, members: Mapping[str, Any]) -> str:
        """Return `stream_complete` where a stream is asked for."""
        return "stream_complete" if members.get("stream") else "complete"

    def passes(self, headers: Mapping[str, str]) -> tuple[tuple[str, str], ...]:  # noqa: ARG002
        """Return nothing: all of a request is in its body."""
        return ()

    def read(self, members: Mapping[str, Any], *, lenient: bool) -> tuple[Any, dict[str, Any]]:
        """Return prompts and options of a completion."""
        prompt = members.get("prompt")
        if not isinstance(prompt, str | list) or prompt == []:
            raise refuse("prompt", "expected a text, token ids, or a list of them")
        leftover(members, _READ, _IGNORED, lenient=lenient)
        if members.get("best_of") not in (None, 1, members.get("n")) and not lenient:
            raise refuse("best_of", "all answers are given, ask for as many by n")
        return prompt, {name: members[name] for name in _SAME if members.get(name) is not None}

    def write(self, answer: CompletionResponse, members: Mapping[str, Any], model: str) -> bytes:  # noqa: ARG002
        """Return a whole answer."""
        body = head("text_completion", "cmpl-", answer.model or model)
        body["choices"] = [_written(choice) for choice in answer.choices]
        used = usage(answer.usage)
        if used is not None:
            body["usage"] = used
        return strict_json.dumps(body)

    def writer(self, members: Mapping[str, Any], model: str) -> _Writer:
        """Return what writes the chunks of a stream."""
        return _Writer(model, tells_usage=asks_for_usage(members))

    def failure(self, refusal: Refusal, request_id: str) -> bytes:  # noqa: ARG002
        """Return a chunk that is an error."""
        return failure(refusal)


COMPLETIONS = _Completions()


def _written(choice: CompletionChoice) -> dict[str, Any]:
    return {
        "index": choice.index,
        "text": choice.text,
        "logprobs": None if choice.logprobs is None else _logprobs(choice.logprobs),
        "finish_reason": choice.finish_reason or "stop",
    }


def _logprobs(tokens: tuple[TokenLogprob, ...]) -> dict[str, Any]:
    """Return lists of the same length, one entry a token; offsets are in characters."""
    offsets, at = [], 0
    for each in tokens:
        offsets.append(at)
        at += len(each.token)
    return {
        "tokens": [each.token for each in tokens],
        "token_logprobs": [each.logprob for each in tokens],
        "top_logprobs": [{other.token: other.logprob for other in each.top} for each in tokens],
        "text_offset": offsets,
    }


class _Writer:
    """Chunks, each with the whole head again."""

    def __init__(self, model: str, *, tells_usage: bool) -> None:
        self._head = head("text_completion", "cmpl-", model)
        self._tells_usage = tells_usage
        self._before = b'data: %b,"choices":[{"index":' % strict_json.dumps(self._head)[:-1]

    def begin(self) -> bytes:
        """Return nothing: a choice begins with its first piece."""
        return b""

    def event(self, event: Any) -> bytes:
        """Return a chunk."""
        if type(event) is TextDelta:
            return b'%b%d,"text":%b%b' % (self._before, event.choice, strict_json.dumps(event.text), _PIECE)
        return b""

    def end(self, answer: CompletionResponse) -> bytes:
        """Return why the choices ended, the counts if they are asked for, and the mark of the end."""
        chunks = [data({**self._head, "choices": [{**_written(each), "text": ""}]}) for each in answer.choices]
        if self._tells_usage:
            chunks.append(data({**self._head, "choices": [], "usage": usage(answer.usage)}))
        return b"".join([*chunks, b"data: [DONE]\n\n"])
