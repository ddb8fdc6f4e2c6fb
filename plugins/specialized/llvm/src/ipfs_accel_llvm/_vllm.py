"""What vLLM has beyond other servers: labels, and what its document of routes says. Facts: vLLM 0.33."""

from __future__ import annotations

from typing import Any

import attrs
from ipfs_accel.capabilities import Support
from ipfs_accel.errors import InvalidRequestError
from ipfs_accel.plans import ErrorDetail, Http, HttpResponse, post_json
from ipfs_accel.types import ClassifyRequest, ClassifyResponse, EmbedRequest, Label
from ipfs_accel.wire import openai_errors
from ipfs_accel.wire.fields import field
from ipfs_accel.wire.openai_answers import read_usage
from ipfs_accel.wire.openai_errors import checked

from ._servers import Answering

__all__ = ["check_vectors", "classify", "features", "read_error"]

# Routes exist only for what the loaded model can do.
_ROUTES = {
    "chat": "/v1/chat/completions",
    "stream": "/v1/chat/completions",
    "complete": "/v1/completions",
    "stream_complete": "/v1/completions",
    "embed": "/v1/embeddings",
    "rerank": "/v1/rerank",
    "classify": "/classify",
    "transcribe": "/v1/audio/transcriptions",
    "translate": "/v1/audio/translations",
    "tokenize": "/tokenize",
    "detokenize": "/detokenize",
    "count_tokens": "/tokenize",
}


def read_error(response: HttpResponse) -> ErrorDetail:
    """Read an error; a route that is not there is one of a task that the loaded model cannot do."""
    detail = openai_errors.read_error(response)
    is_route = response.status == _NOT_FOUND and detail.message == "Not Found" and detail.hint is None
    return attrs.evolve(detail, hint=_NO_ROUTE) if is_route else detail


_NOT_FOUND = 404
_NO_ROUTE = "the server has no such route: vLLM has only those of what the model that it has loaded can do"


def features(document: Any) -> dict[str, Support]:
    """Return what the server's own document of its routes says of the operations."""
    paths = field(document, "paths", dict)
    return {name: Support("yes" if route in paths else "no", "server") for name, route in _ROUTES.items()}


def classify(server: Answering, request: ClassifyRequest) -> Http[ClassifyResponse]:
    """Plan POST /classify; each text gets its likeliest label, the whole distribution stays in `raw`."""
    if any(not isinstance(item, str) for item in request.inputs):
        raise InvalidRequestError("inputs: vLLM labels texts, not pairs of them", hint='call("…", "score", …)')
    body: dict[str, Any] = {"model": request.model} if request.model else {}
    body |= {"input": list(request.inputs), **request.extra}

    def read(response: HttpResponse) -> ClassifyResponse:
        answer = checked(response.json())
        items = sorted(field(answer, "data", list), key=lambda item: item["index"])
        results = tuple([(_label(item),) for item in items])
        return ClassifyResponse(
            results=results, model=answer.get("model"), usage=read_usage(answer.get("usage")), raw=answer
        )

    return Http(send=server.send(post_json("/classify", body)), parse=read)


def _label(item: dict[str, Any]) -> Label:
    probabilities = field(item, "probs", list)
    best = max(range(len(probabilities)), key=probabilities.__getitem__)
    return Label(label=item.get("label") or str(best), score=probabilities[best])


def check_vectors(request: EmbedRequest) -> None:
    """Refuse forms of vectors that would be misread: they are read as numbers or little-endian 32-bit floats."""
    for name, usual in (("embed_dtype", "float32"), ("endianness", "little")):
        if request.extra.get(name, usual) not in {usual, "native"}:
            raise InvalidRequestError(f"extra[{name!r}]: vectors are read as {usual}", hint="leave it out")
    if str(request.extra.get("encoding_format", "")).startswith("bytes"):
        raise InvalidRequestError("extra['encoding_format']: vectors are read as base64 or float", hint="leave it out")
