"""Text generation in Hugging Face's own form: parameters, whole answers, and streams of tokens."""

from __future__ import annotations

from typing import Any

from ipfs_accel import strict_json
from ipfs_accel.errors import APIStatusError, InvalidRequestError
from ipfs_accel.plans import HttpResponse
from ipfs_accel.types import CompletionChoice, CompletionRequest, CompletionResponse, TokenLogprob, Usage
from ipfs_accel.wire.assembler import Assembler
from ipfs_accel.wire.fields import field
from ipfs_accel.wire.halves import mended
from ipfs_accel.wire.openai_errors import checked, error_in_body, error_in_event
from ipfs_accel.wire.openai_requests import given
from ipfs_accel.wire.sse import ServerSentEvent

from ._errors import exact
from ._stops import REASONS, without_stop

__all__ = ["PIECE", "EventDecoder", "generation_of", "parameters", "prompts", "read_generation", "unsupported"]

Json = dict[str, Any]

PIECE = 1024
"""Tokens that the server generates at once: beyond them, it ends at a multiple of them and not at what was asked."""
_NOT_THERE = ("presence_penalty", "logit_bias", "user", "suffix")


def unsupported(request: CompletionRequest, *, stream: bool) -> tuple[str, ...]:
    """Return the options that this form of generation does not have; a stream has one answer."""
    several = stream and request.n not in {None, 1}
    return given(request, (*_NOT_THERE, "n") if several else _NOT_THERE)


def prompts(request: CompletionRequest) -> list[str]:
    """Return the prompts, which have to be texts."""
    found = []
    for index, prompt in enumerate(request.prompt):
        if not isinstance(prompt, str):
            raise InvalidRequestError(f"prompt[{index}]: this server takes texts, not token ids")
        found.append(prompt)
    return found


def parameters(request: CompletionRequest, *, stream: bool) -> Json:
    """Return the `parameters`, with what the caller put into `extra` among them.

    Details are always asked for: they have the reason of the end and the tokens. A temperature of 0 is an error here
    and means greedy decoding, which is what happens without anything that asks for sampling; 1 does not ask by itself,
    so that is said. `top_p` of 1 is an error and means the same as none.
    """
    greedy = request.temperature == 0
    top_p = request.top_p if request.top_p is not None and request.top_p < 1 else None
    samples = not greedy and any(value is not None for value in (request.temperature, request.top_p, request.top_k))
    named: Json = {
        "max_new_tokens": request.max_tokens,
        "do_sample": samples or None,
        "temperature": None if greedy else request.temperature,
        "top_k": None if greedy else request.top_k,
        "top_p": None if greedy else top_p,
        "frequency_penalty": request.frequency_penalty,
        "seed": request.seed,
        "stop": None if request.stop is None else list(request.stop),
        "best_of": request.n if not stream and request.n not in {None, 1} else None,
        "return_full_text": request.echo,
        "top_n_tokens": request.logprobs or None,
        "adapter_id": None if request.model in {"", "tgi"} else request.model,
        "details": True,
    }
    return {**{name: value for name, value in named.items() if value is not None}, **request.extra}


def read_generation(response: HttpResponse, request: CompletionRequest) -> CompletionResponse:
    """Read the answer of POST /generate; the number of the prompt's tokens is in a header."""
    body = response.json()
    if isinstance(body, list) and len(body) == 1:  # the hosted form, and that of POST /
        body = body[0]
    if isinstance(body, dict) and body.get("error"):
        raise exact(error_in_body(body))
    return generation_of(body, request, _tokens(response, "x-prompt-tokens"), _tokens(response, "x-generated-tokens"))


def _tokens(response: HttpResponse, header: str) -> int | None:
    value = response.headers.get(header)
    return int(value) if value and value.isdecimal() else None


def generation_of(body: Any, request: CompletionRequest, inputs: int | None, outputs: int | None) -> CompletionResponse:
    """Read a generation: the best sequence and, where several were made, the others after it."""
    text = field(body, "generated_text", str)
    details: Json = body.get("details") or {}
    sequences: list[Json] = [{"generated_text": text, **details}, *(details.get("best_of_sequences") or ())]
    sequences = [_mended(sequence, request) for sequence in sequences]
    choices = tuple([_choice(sequence, index, request) for index, sequence in enumerate(sequences)])
    counts = [sequence["generated_tokens"] for sequence in sequences if "generated_tokens" in sequence]
    if len(counts) == len(sequences):
        outputs = sum(counts)
    usage = Usage(input_tokens=inputs, output_tokens=outputs)
    return CompletionResponse(choices=choices, usage=usage, raw=body)


def _mended(sequence: Json, request: CompletionRequest) -> Json:
    """Make a sequence what was asked for.

    The server generates in pieces of 1,024 tokens and whole ones, so that there may be more than `max_tokens`; and a
    text that ends inside a character comes empty, though its tokens are there.
    """
    tokens, limit = sequence.get("tokens") or (), request.extra.get("max_new_tokens", request.max_tokens)
    text = field(sequence, "generated_text", str)
    echoed = next((str(each) for each in request.prompt if text.startswith(str(each))), "") if request.echo else ""
    if isinstance(limit, int) and len(tokens) > limit:
        cut = {"tokens": tokens[:limit], "finish_reason": "length"}
        return {**sequence, **cut, "generated_text": echoed + _joined(tokens[:limit])}
    return {**sequence, "generated_text": echoed + _joined(tokens)} if tokens and text in {"", echoed} else sequence


def _joined(tokens: Any) -> str:
    return "".join([field(token, "text", str) for token in tokens if not token.get("special")])


def _choice(sequence: Json, index: int, request: CompletionRequest) -> CompletionChoice:
    reason: str | None = sequence.get("finish_reason")
    text = mended(field(sequence, "generated_text", str))
    tops = sequence.get("top_tokens") or ()
    tokens = sequence.get("tokens") or ()
    logprobs = [
        _logprob(token, tops[position] if position < len(tops) else ()) for position, token in enumerate(tokens)
    ]
    return CompletionChoice(
        index=index,
        text=without_stop(text, request.stop) if reason == "stop_sequence" else text,
        finish_reason=REASONS.get(reason or "", reason),
        logprobs=tuple(logprobs) if request.logprobs is not None else None,
    )


def _logprob(token: Json, tops: Any) -> TokenLogprob:
    top = sorted([_logprob(each, ()) for each in tops or ()], key=lambda each: -each.logprob)
    return TokenLogprob(token=field(token, "text", str), logprob=token.get("logprob") or 0.0, top=tuple(top))


class EventDecoder:
    """Tells an assembler what the events of POST /generate_stream mean; made anew for each stream.

    The last event is the one with the whole text; there is no [DONE]. Errors come as events too, whatever they are.
    """

    def __init__(self, request: CompletionRequest) -> None:
        self._with_logprobs = request.logprobs is not None
        # The server puts an echoed prompt only before the whole text at the end.
        self._echo = request.prompt[0] if request.echo else ""
        limit = request.extra.get("max_new_tokens", request.max_tokens)
        self._limit = limit if isinstance(limit, int) and limit > PIECE else None
        self._count = 0

    def __call__(self, event: ServerSentEvent, out: Assembler[CompletionResponse]) -> None:
        """Take one event."""
        if not event.data or event.data.startswith("[DONE]"):
            return
        if event.event == "error":
            raise exact(error_in_event(event.data))
        body = strict_json.loads(event.data)
        try:
            checked(body)
        except APIStatusError as error:
            raise exact(error) from None
        token = field(body, "token", dict)
        if self._echo:
            out.text(str(self._echo))
            self._echo = ""
        out.text("" if token.get("special") else field(token, "text", str))
        if self._with_logprobs:
            out.logprobs([_logprob(token, body.get("top_tokens"))])
        self._count += 1
        if body.get("generated_text") is not None:
            self._end(body.get("details") or {}, out)
        elif self._limit is not None and self._count >= self._limit:
            # The server would go on to the next multiple of 1,024.
            out.usage = Usage(output_tokens=self._count)
            out.finish("length")
            out.done()

    def _end(self, details: Json, out: Assembler[CompletionResponse]) -> None:
        out.usage = Usage(input_tokens=details.get("input_length"), output_tokens=details.get("generated_tokens"))
        if details.get("finish_reason"):
            out.finish(details["finish_reason"])
        if details.get("seed") is not None:
            out.extra["seed"] = details["seed"]
        out.done()
