"""Reranking and token calls, whose routes and forms differ between the servers."""

from __future__ import annotations

from typing import Any

from ipfs_accel.plans import Http, HttpResponse, post_json
from ipfs_accel.types import (
    ChatRequest,
    DetokenizeRequest,
    DetokenizeResponse,
    RerankRequest,
    RerankResponse,
    TokenCount,
    TokenizeRequest,
    TokenizeResponse,
)
from ipfs_accel.wire import openai_requests as requests
from ipfs_accel.wire.fields import field
from ipfs_accel.wire.openai_answers import read_usage
from ipfs_accel.wire.openai_errors import checked
from ipfs_accel.wire.ranks import ranked

from ._servers import Answering, place_of

__all__ = ["count", "detokenize", "rerank", "tokenize"]


def rerank(server: Answering, request: RerankRequest) -> Http[RerankResponse]:
    """Plan POST /v1/rerank, the same at llama.cpp and vLLM."""
    body: dict[str, Any] = {"query": request.query, "documents": list(request.documents)}
    if request.model:
        body["model"] = request.model
    if request.top_n is not None:
        body["top_n"] = request.top_n
    body.update(request.extra)

    def read(response: HttpResponse) -> RerankResponse:
        answer = checked(response.json())
        results = ranked(field(answer, "results", list), request)
        return RerankResponse(
            results=results, model=answer.get("model"), usage=read_usage(answer.get("usage")), raw=answer
        )

    return Http(send=server.send(post_json("/v1/rerank", body)), parse=read)


def tokenize(server: Answering, request: TokenizeRequest) -> Http[TokenizeResponse]:
    """Plan the server's own route."""
    special = request.add_special
    if server.kind == "llama.cpp":
        path, body = "/tokenize", {"content": request.text, "add_special": special}
    elif server.kind == "vllm":
        path, body = "/tokenize", {"prompt": request.text, "add_special_tokens": special, **_model(request.model)}
    else:
        path, body = "/extras/tokenize", {"input": request.text, **_model(request.model)}

    def read(response: HttpResponse) -> TokenizeResponse:
        answer = checked(response.json())
        tokens = [item["id"] if isinstance(item, dict) else item for item in field(answer, "tokens", list)]
        return TokenizeResponse(tokens=tuple(tokens), raw=answer)

    return Http(send=server.send(post_json(path, {**body, **request.extra})), parse=read)


def detokenize(server: Answering, request: DetokenizeRequest) -> Http[DetokenizeResponse]:
    """Plan the server's own route."""
    routes = {
        "llama.cpp": ("/detokenize", "content"),
        "vllm": ("/detokenize", "prompt"),
        "llama-cpp-python": ("/extras/detokenize", "text"),
    }
    path, name = routes[server.kind]
    body = {"tokens": list(request.tokens), **request.extra}
    if server.kind == "vllm":
        body = {**_model(request.model), **body}

    def read(response: HttpResponse) -> DetokenizeResponse:
        answer = checked(response.json())
        return DetokenizeResponse(text=field(answer, name, str), raw=answer)

    return Http(send=server.send(post_json(path, body)), parse=read)


def count(server: Answering, request: ChatRequest) -> Http[TokenCount]:
    """Plan the server's count of a whole chat."""
    body = requests.chat_body(request, stream=False, place=place_of(server.kind))
    if server.kind == "llama.cpp":
        path, name = "/v1/chat/completions/input_tokens", "input_tokens"
    else:
        path, name = "/tokenize", "count"
        body = {key: body[key] for key in ("model", "messages", "tools", *request.extra) if key in body}

    def read(response: HttpResponse) -> TokenCount:
        answer = checked(response.json())
        return TokenCount(input_tokens=field(answer, name, int), exact=True, raw=answer)

    return Http(send=server.send(post_json(path, body)), parse=read)


def _model(model: str) -> dict[str, str]:
    return {"model": model} if model else {}
