"""Texts by OVMS's routes that OpenAI has not, or has more of."""

from __future__ import annotations

from typing import Any

from ipfs_accel.errors import InvalidRequestError, InvalidResponseError
from ipfs_accel.plans import Http, HttpResponse, post_json
from ipfs_accel.types import (
    CompletionRequest,
    RerankRequest,
    RerankResponse,
    TokenizeRequest,
    TokenizeResponse,
)
from ipfs_accel.wire.fields import field
from ipfs_accel.wire.openai_errors import checked
from ipfs_accel.wire.ranks import ranked

__all__ = ["one_prompt", "rerank", "tokenize"]


def one_prompt(request: CompletionRequest) -> CompletionRequest:
    """Return the request if its prompt is one text, which is all that OVMS takes."""
    if len(request.prompt) != 1 or not isinstance(request.prompt[0], str):
        raise InvalidRequestError("prompt: this server takes one text at a time, and no token ids")
    return request


def rerank(path: str, request: RerankRequest) -> Http[RerankResponse]:
    """Plan POST /rerank, in Cohere's form."""
    body: dict[str, Any] = {"model": request.model, "query": request.query, "documents": list(request.documents)}
    if request.top_n is not None:
        body["top_n"] = request.top_n

    def read(response: HttpResponse) -> RerankResponse:
        answer = checked(response.json())
        results = ranked(field(answer, "results", list), request)
        return RerankResponse(results=results, model=answer.get("model"), raw=answer)

    return Http(send=post_json(path, {**body, **request.extra}), parse=read)


def tokenize(path: str, request: TokenizeRequest) -> Http[TokenizeResponse]:
    """Plan POST /tokenize."""
    body = {"model": request.model, "text": request.text, "add_special_tokens": request.add_special, **request.extra}

    def read(response: HttpResponse) -> TokenizeResponse:
        answer = checked(response.json())
        tokens = field(answer, "tokens", list)
        if not all(isinstance(token, int) for token in tokens):
            raise InvalidResponseError("the answer's tokens are no list of numbers")
        return TokenizeResponse(tokens=tuple(tokens), raw=answer)

    return Http(send=post_json(path, body), parse=read)
