"""The `tei` backend: Text Embeddings Inference, self-hosted or as a dedicated endpoint.

One server has one model of one kind: for dense or sparse vectors, for labels, or for reranking. The facts are those of
TEI's documentation and of its sources at version 1.9.3.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import attrs
from ipfs_accel import BackendInfo, hookimpl
from ipfs_accel.errors import AccelError, InvalidResponseError
from ipfs_accel.plans import Endpoint, Http, HttpRequest, HttpResponse, Plan, post_json
from ipfs_accel.types import (
    ClassifyRequest,
    ClassifyResponse,
    DetokenizeRequest,
    DetokenizeResponse,
    EmbedPartial,
    EmbedRequest,
    EmbedResponse,
    RerankRequest,
    RerankResponse,
    TokenizeRequest,
    TokenizeResponse,
)
from ipfs_accel.wire.fields import field
from ipfs_accel.wire.openai_requests import embed_body, given
from ipfs_accel.wire.openai_vectors import embedding
from ipfs_accel.wire.ranks import in_order, ranked
from ipfs_accel.wire.raw import RawRequests
from ipfs_accel.wire.vectors import joined

from ._errors import read_error
from ._labels import labels
from ._places import placed, root
from ._server import OneModel
from ._tei_batches import added, in_batches, used
from ._tei_calls import CALLS, Options, SparseVector, input_body
from ._tei_info import read_info, read_version
from ._vectors import vectors

__all__ = ["TEI", "Options", "SparseVector", "backend"]

# What only /embed has. The OpenAI route gives the same vectors, as base64, which is a quarter of the work.
_ONLY_NATIVE = frozenset({"truncate", "truncation_direction", "prompt_name", "normalize"})


class TEI(OneModel, RawRequests):
    """Vectors, ranks, labels, tokens, and any other request."""

    api_version = 1

    @hookimpl
    def describe(self) -> BackendInfo:
        """Say where a server usually is."""
        return BackendInfo(
            name="tei",
            title="Text Embeddings Inference",
            base_url="http://localhost:3000",
            base_url_env=("TEI_BASE_URL",),
            is_own=True,
            key_env=("TEI_API_KEY",),
            options=Options,
            read_error=read_error,
            documentation="https://huggingface.co/docs/text-embeddings-inference",
        )

    def placed(self, endpoint: Endpoint, send: HttpRequest) -> HttpRequest:
        """Return a request below the root, since there are routes beside /v1."""
        return placed(endpoint, send)

    @hookimpl
    def embed(self, endpoint: Endpoint, request: EmbedRequest) -> Plan[EmbedResponse]:
        """Plan POST /v1/embeddings, or POST /embed where an option needs it, in batches of the server's size."""
        native = endpoint.options.truncate is not None or not _ONLY_NATIVE.isdisjoint(request.extra)
        make = _native if native else _openai

        def join(answers: list[EmbedResponse]) -> EmbedResponse:
            return EmbedResponse(
                vectors=joined([answer.vectors for answer in answers]),
                model=answers[0].model,
                usage=added([answer.usage for answer in answers]),
                raw=[answer.raw for answer in answers],
            )

        def plan(inputs: tuple[Any, ...], first: int) -> Http[EmbedResponse]:
            return make(endpoint, attrs.evolve(request, inputs=inputs), first)

        def keep(error: AccelError, came: dict[int, EmbedResponse], failed: range) -> None:
            error.partial = EmbedPartial(
                vectors={
                    first + index: vector
                    for first, answer in sorted(came.items())
                    for index, vector in enumerate(answer.vectors)
                },
                failed=failed,
                usage=added([answer.usage for answer in came.values()]),
            )

        return in_batches(endpoint, request.inputs, plan, join, keep=keep)

    @hookimpl
    def rerank(self, endpoint: Endpoint, request: RerankRequest) -> Plan[RerankResponse]:
        """Plan POST /rerank, in batches of the server's size: a document's score depends on no other document."""

        def plan(documents: tuple[str, ...], offset: int) -> Http[RerankResponse]:
            body: dict[str, Any] = {"query": request.query, "texts": list(documents), **_truncate(endpoint)}
            return Http(
                send=post_json("/rerank", {**body, **request.extra}, base_url=root(endpoint)),
                parse=lambda response: _ranks(response, request, offset, len(documents)),
            )

        def join(answers: list[RerankResponse]) -> RerankResponse:
            return RerankResponse(
                results=in_order([each for answer in answers for each in answer.results], request.top_n),
                usage=added([answer.usage for answer in answers]),
                raw=[answer.raw for answer in answers],
            )

        return in_batches(endpoint, request.documents, plan, join, also=request.query)

    @hookimpl
    def classify(self, endpoint: Endpoint, request: ClassifyRequest) -> Plan[ClassifyResponse]:
        """Plan POST /predict, in batches of the server's size."""

        def plan(inputs: tuple[Any, ...], _: int) -> Http[ClassifyResponse]:
            # Two strings in a list are one pair, so texts of a batch are lists of one.
            several = [[each] if isinstance(each, str) else list(each) for each in inputs]
            sent = inputs[0] if len(inputs) == 1 and isinstance(inputs[0], str) else several
            body = {"inputs": sent, **_truncate(endpoint), **request.extra}

            def read(response: HttpResponse) -> ClassifyResponse:
                value = response.json()
                return ClassifyResponse(results=labels(value, len(inputs)), usage=used(response), raw=value)

            return Http(send=post_json("/predict", body, base_url=root(endpoint)), parse=read)

        def join(answers: list[ClassifyResponse]) -> ClassifyResponse:
            return ClassifyResponse(
                results=tuple([each for answer in answers for each in answer.results]),
                usage=added([answer.usage for answer in answers]),
                raw=[answer.raw for answer in answers],
            )

        return in_batches(endpoint, request.inputs, plan, join)

    @hookimpl
    def tokenize(self, endpoint: Endpoint, request: TokenizeRequest) -> Plan[TokenizeResponse]:
        """Plan POST /tokenize."""
        body = {"inputs": request.text, "add_special_tokens": request.add_special, **request.extra}

        def read(response: HttpResponse) -> TokenizeResponse:
            value = _only(response)
            return TokenizeResponse(tokens=tuple([field(token, "id", int) for token in value]), raw=value)

        return Http(send=post_json("/tokenize", body, base_url=root(endpoint)), parse=read)

    @hookimpl
    def detokenize(self, endpoint: Endpoint, request: DetokenizeRequest) -> Plan[DetokenizeResponse]:
        """Plan POST /decode, which leaves out special tokens unless `skip_special_tokens` says otherwise."""
        body = {"ids": list(request.tokens), **request.extra}

        def read(response: HttpResponse) -> DetokenizeResponse:
            return DetokenizeResponse(text=str(_only(response)), raw=response.json())

        return Http(send=post_json("/decode", body, base_url=root(endpoint)), parse=read)

    @hookimpl
    def calls(self) -> Mapping[str, Callable[..., Plan[Any]]]:
        """Name what only TEI has."""
        return CALLS


def _truncate(endpoint: Endpoint) -> dict[str, Any]:
    return {} if endpoint.options.truncate is None else {"truncate": endpoint.options.truncate}


def _openai(endpoint: Endpoint, request: EmbedRequest, first: int) -> Http[EmbedResponse]:
    """Plan POST /v1/embeddings for some of the inputs, given the position of the first."""
    return embedding(
        endpoint,
        request,
        embed_body(attrs.evolve(request, user=None)),
        lambda body: post_json("/v1/embeddings", body, base_url=root(endpoint)),
        unsupported=given(request, ("user",)),
        first=first,
    )


def _native(endpoint: Endpoint, request: EmbedRequest, first: int) -> Http[EmbedResponse]:
    """Plan POST /embed likewise."""
    body = {**input_body(request.inputs), **_truncate(endpoint)}
    if request.dimensions is not None:
        body["dimensions"] = request.dimensions

    def read(response: HttpResponse) -> EmbedResponse:
        value = response.json(vectors=True)
        found = vectors(value, len(request.inputs), request.dimensions, first)
        return EmbedResponse(vectors=found, usage=used(response), raw=value)

    return Http(
        send=post_json("/embed", {**body, **request.extra}, base_url=root(endpoint)),
        parse=read,
        unsupported=given(request, ("user",)),
    )


def _ranks(response: HttpResponse, request: RerankRequest, first: int, count: int) -> RerankResponse:
    """Read ranks, best first; their positions count from the first document of their batch."""
    value = response.json()
    if not isinstance(value, list):
        raise InvalidResponseError(f"the answer is a JSON {type(value).__name__} instead of a list of ranks")
    results = ranked(value, request, score="score", first=first, count=count)
    return RerankResponse(results=results, usage=used(response), raw=value)


def _only(response: HttpResponse) -> Any:
    """Return what stands for the only input; answers are lists of one item per input also for one."""
    value = response.json()
    if not isinstance(value, list) or len(value) != 1:
        raise InvalidResponseError("the answer is not a list with one item for the one input")
    return value[0]


backend = TEI(read_info, read_version)
