"""The dialect of IREE's shortfin LLM server, whose models are IREE modules: POST /generate with text or token ids.

It counts no tokens, gives no reasons and does not stream. What it does badly is avoided: `n` makes it hang for ever,
so that a prompt is sent several times instead, and a batch beyond its queue or its memory is split.
"""

from __future__ import annotations

from collections.abc import Generator, Iterator, Mapping, Sequence
from typing import Any

from ipfs_accel.errors import InvalidRequestError, InvalidResponseError, OverloadedError
from ipfs_accel.plans import Endpoint, Flow, Http, HttpResponse, Job, Plan, Ready, post_json
from ipfs_accel.types import CompletionChoice, CompletionRequest, CompletionResponse, ModelInfo
from ipfs_accel.wire.assembler import Assembler
from ipfs_accel.wire.fields import field
from ipfs_accel.wire.openai_errors import checked
from ipfs_accel.wire.openai_requests import given

from ._servers import Answering

__all__ = ["complete", "models", "tell"]

_NAMES = {"max_tokens": "max_completion_tokens", "temperature": "temperature", "top_p": "top_p", "top_k": "top_k"}
_UNKNOWN = (
    *("seed", "stop", "frequency_penalty", "presence_penalty", "logit_bias", "user", "suffix", "echo", "logprobs"),
)
_LARGEST = "shortfin"


def complete(endpoint: Endpoint, server: Answering, request: CompletionRequest) -> Plan[CompletionResponse]:
    """Plan POST /generate, as often as the server's queue makes it necessary."""
    kinds = {type(prompt) for prompt in request.prompt}
    if len(kinds) > 1:
        raise InvalidRequestError("prompt: this server takes texts or lists of token ids, not both at once")
    prompts = [prompt for prompt in request.prompt for _ in range(request.n or 1)]
    unsupported = given(request, _UNKNOWN)

    def steps() -> Generator[Any, Any, Plan[CompletionResponse]]:
        texts: list[str] = []
        raws: list[Any] = []
        left = prompts
        largest = endpoint.memo.get(_LARGEST, len(left))
        while left:
            chunk = left[:largest]
            try:
                found, raw = yield _generate(server, request, chunk, unsupported)
            except OverloadedError as error:
                smaller = _smaller(endpoint, error, len(chunk))
                if smaller is None:
                    raise
                largest = smaller
                continue
            texts += found
            raws.append(raw)
            left = left[len(chunk) :]
        choices = tuple([CompletionChoice(index=index, text=text) for index, text in enumerate(texts)])
        whole = raws[0] if len(raws) == 1 else raws
        return Ready(value=CompletionResponse(model=request.model or None, choices=choices, raw=whole))

    return Flow(steps=steps)


def _smaller(endpoint: Endpoint, error: OverloadedError, sent: int) -> int | None:
    """Return how many prompts the server takes at once, where that is why it refused; None if waiting is all there is.

    The length of its queue stays the same and is remembered; how much memory is free changes.
    """
    body = error.body if isinstance(error.body, Mapping) else {}
    if error.code == "QUEUE_FULL" and body.get("current_size") == 0:
        fits = body.get("max_size")
        if isinstance(fits, int) and 0 < fits < sent:
            endpoint.memo[_LARGEST] = fits
            return fits
    free, wanted = body.get("available_page"), body.get("requested_page")
    if error.code == "KVCACHE_PAGES_FULL" and isinstance(free, int) and isinstance(wanted, int):
        fits = free * sent // max(wanted, 1)
        return fits if 0 < fits < sent else None
    return None


def _generate(
    server: Answering, request: CompletionRequest, prompts: Sequence[Any], unsupported: tuple[str, ...]
) -> Http[tuple[list[str], Any]]:
    name = "text" if isinstance(prompts[0], str) else "input_ids"
    sampling = {theirs: getattr(request, ours) for ours, theirs in _NAMES.items() if getattr(request, ours) is not None}
    body: dict[str, Any] = {name: list(prompts) if len(prompts) > 1 else prompts[0]}
    if sampling:
        body["sampling_params"] = sampling
    body.update(request.extra)

    def parse(response: HttpResponse) -> tuple[list[str], Any]:
        raw = checked(response.json())
        return _texts(raw, prompts), raw

    return Http(send=server.send(post_json("/generate", body)), parse=parse, unsupported=unsupported)


def _texts(raw: dict[str, Any], prompts: Sequence[Any]) -> list[str]:
    """Return the texts in the order of the prompts: those of equal prompts come together, and ids are not repeated."""
    entries = field(raw, "responses", list)
    found = [[field(each, "text", str) for each in field(entry, "responses", list)] for entry in entries]
    total = sum(map(len, found))
    each, rest = divmod(total, len(prompts))
    if rest or not each:
        raise InvalidResponseError(f"the answer has {total} texts for {len(prompts)} prompts")
    queues: dict[Any, list[str]] = {}
    for entry, texts in zip(entries, found, strict=True):
        queues.setdefault(entry.get("prompt"), []).extend(texts)
    ordered: list[str] = []
    for prompt in prompts:
        queue = queues.get(prompt if isinstance(prompt, str) else None, [])
        if len(queue) < each:
            raise InvalidResponseError("the answer has texts for other prompts than those that were sent")
        ordered += queue[:each]
        del queue[:each]
    return ordered


def tell(answer: CompletionResponse) -> Any:
    """Return what tells an assembler a whole answer: the server does not stream, so each text is one piece."""

    def run(out: Assembler[CompletionResponse], _job: Job) -> Iterator[None]:
        out.start(answer.id, answer.model)
        for choice in answer.choices:
            out.text(choice.text, choice.index)
        out.done()
        yield

    return run


def models(endpoint: Endpoint) -> tuple[ModelInfo, ...]:
    """Return the model that the server is said to serve; it does not tell itself."""
    name = endpoint.options.serves
    return () if name is None else (ModelInfo(id=name, owned_by="shortfin"),)
