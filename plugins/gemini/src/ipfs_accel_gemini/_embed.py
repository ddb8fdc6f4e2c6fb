"""Vectors: batchEmbedContents on the Gemini API; embedContent, batchEmbedContents and predict on Vertex AI."""

from __future__ import annotations

import math
from array import array
from collections.abc import Generator, Sequence
from typing import Any

import attrs
from ipfs_accel.errors import InvalidRequestError
from ipfs_accel.plans import Endpoint, Flow, Http, HttpRequest, HttpResponse, Plan, Ready, side_by_side
from ipfs_accel.types import EmbedRequest, EmbedResponse, Usage, Vector
from ipfs_accel.wire import vectors as wire
from ipfs_accel.wire.fields import field, optional

from ._fields import Json, number
from ._routes import checked, model_name, model_path, post
from ._rules import rules_of

__all__ = ["contents_of", "embed", "embed_contents", "settings", "vector"]

MAX_CONTENTS = 100
AT_ONCE = 8
# What Vertex AI's predict wants beside the text, and its name for it; the rest are its `parameters`.
_BESIDE_TEXT = {"taskType": "task_type", "title": "title", "mimeType": "mimeType"}


def embed(endpoint: Endpoint, request: EmbedRequest) -> Plan[EmbedResponse]:
    """Plan the vectors of texts."""
    unsupported = () if request.user is None else ("user",)
    return embed_contents(endpoint, request.model, contents_of(request), settings(request), unsupported)


def contents_of(request: EmbedRequest) -> list[Json]:
    """Write the texts."""
    for index, text in enumerate(request.inputs):
        if not isinstance(text, str) or not text:
            what = "is empty" if isinstance(text, str) else "is a list of token ids"
            raise InvalidRequestError(f"inputs[{index}]: Gemini embeds texts, and this {what}")
    return [{"role": "user", "parts": [{"text": text}]} for text in request.inputs]


def settings(request: EmbedRequest) -> Json:
    """Return what is asked for each text, such as `taskType`."""
    size = {} if request.dimensions is None else {"outputDimensionality": request.dimensions}
    return {**size, **request.extra}


def embed_contents(
    endpoint: Endpoint, model: str, contents: Sequence[Json], wanted: Json, unsupported: tuple[str, ...] = ()
) -> Plan[EmbedResponse]:
    """Plan one vector for each content, in requests of at most 100."""
    asked = wanted.get("outputDimensionality")
    dimensions = asked if isinstance(asked, int) else None
    is_shortened = asked is not None and not rules_of(model).keeps_length

    def plan(some: Sequence[Json], first: int) -> Http[EmbedResponse]:
        def read(response: HttpResponse) -> EmbedResponse:
            body, found = _values(response)
            vectors = wire.vectors([field(each, "values", list) for each in found], len(some), dimensions, first)
            if is_shortened:
                vectors = tuple(map(_of_length_1, vectors))
            return EmbedResponse(vectors=vectors, model=model, usage=_usage(body, found), raw=body)

        return Http(send=_send(endpoint, model, some, wanted), parse=read, unsupported=unsupported)

    if len(contents) <= MAX_CONTENTS:
        return plan(contents, 0)

    def steps() -> Generator[list[Plan[Any]], Any, Ready[EmbedResponse]]:
        starts = range(0, len(contents), MAX_CONTENTS)
        plans = [plan(contents[start : start + MAX_CONTENTS], start) for start in starts]
        answers = yield from side_by_side(plans, AT_ONCE)
        return Ready(value=_joined(answers))

    return Flow(steps=steps)


def _send(endpoint: Endpoint, model: str, contents: Sequence[Json], wanted: Json) -> HttpRequest:
    if not endpoint.options.vertex:
        name = model_name(endpoint, model)
        body: Json = {"requests": [{"model": name, "content": content, **wanted} for content in contents]}
        return post(endpoint, model_path(endpoint, model, "batchEmbedContents"), body)
    config = {"embedContentConfig": wanted} if wanted else {}
    written = [{"content": content, **config} for content in contents]
    if not _has_own_method(model):
        return post(endpoint, model_path(endpoint, model, "predict"), _instances(contents, wanted))
    if len(written) == 1:
        return post(endpoint, model_path(endpoint, model, "embedContent"), written[0])
    return post(endpoint, model_path(endpoint, model, "batchEmbedContents"), {"requests": written})


def _has_own_method(model: str) -> bool:
    """Whether a model on Vertex AI has embedContent; older ones have only predict."""
    name = model.rpartition("/")[2]
    return "gemini" in name or "maas" in name


def _instances(contents: Sequence[Json], wanted: Json) -> Json:
    beside = {theirs: wanted[ours] for ours, theirs in _BESIDE_TEXT.items() if ours in wanted}
    parameters = {name: value for name, value in wanted.items() if name not in _BESIDE_TEXT}
    texts = [{"content": "".join([part["text"] for part in content["parts"]]), **beside} for content in contents]
    return {"instances": texts, **({"parameters": parameters} if parameters else {})}


def _values(response: HttpResponse) -> tuple[Json, list[Json]]:
    """Return the answer and the objects in it that have vectors."""
    body = checked(response)
    predictions = optional(body, "predictions", list)
    found = [field(each, "embeddings", dict) for each in predictions or ()] or optional(body, "embeddings", list)
    if found is None:
        found = [field(body, "embedding", dict)]
    return body, found


def vector(embedding: Json) -> Vector:
    """Read a vector."""
    return wire.vector(field(embedding, "values", list))


def _of_length_1(values: Vector) -> Vector:
    """Give a shortened vector back the length 1, which some models do not care for."""
    length = math.hypot(*values)
    return array("f", [value / length for value in values]) if length else values


def _usage(body: Json, found: Sequence[Json]) -> Usage:
    told = optional(body, "usageMetadata", dict)
    if told is not None:
        return Usage(input_tokens=number(told, "promptTokenCount"), output_tokens=0)
    counts = [(optional(each, "statistics", dict) or {}).get("token_count") for each in found]
    known = [each for each in counts if each is not None]
    return Usage(input_tokens=int(sum(known)), output_tokens=0) if len(known) == len(counts) else Usage()


def _joined(answers: Sequence[EmbedResponse]) -> EmbedResponse:
    counts = [each.usage.input_tokens for each in answers]
    usage = Usage() if None in counts else Usage(input_tokens=sum([each or 0 for each in counts]), output_tokens=0)
    vectors = wire.joined([answer.vectors for answer in answers])
    return attrs.evolve(answers[0], vectors=vectors, usage=usage, raw=[each.raw for each in answers])
