"""TEI's own calls, and an endpoint's settings. A user reaches the calls with `client.call("tei", name, …)`.

Those that take `options` pass them on as they are: `truncate`, `truncation_direction`, `prompt_name`.
"""

from __future__ import annotations

from array import array
from collections.abc import Callable, Mapping, Sequence
from itertools import chain
from typing import Any, TypeAlias

import attrs
from ipfs_accel.errors import InvalidRequestError, InvalidResponseError
from ipfs_accel.plans import Endpoint, Http, HttpResponse, Plan, post_json
from ipfs_accel.types import Vector
from ipfs_accel.wire.fields import field, number

from ._places import root
from ._server import COMMON_CALLS
from ._tei_batches import in_batches
from ._vectors import vector

__all__ = ["CALLS", "Options", "SparseVector", "input_body"]

Inputs: TypeAlias = str | Sequence[str | Sequence[int]]


@attrs.frozen(kw_only=True)
class Options:
    """Settings of a TEI endpoint.

    Attributes:
        parallel: How many requests of one call are under way at once; fewer if the server's own limit is lower.
        truncate: Whether the server shortens texts that are too long, without a word, or refuses them; None leaves it
            to the server, whose usual setting was to refuse until version 1.8 and is to shorten since.
    """

    parallel: int = attrs.field(default=8, validator=attrs.validators.ge(1))
    truncate: bool | None = None


@attrs.frozen(kw_only=True)
class SparseVector:
    """The dimensions of a vector that are not zero.

    Attributes:
        indices: Which they are, as an `array('I')`.
        values: What they are, as an `array('f')`.
    """

    indices: Any
    values: Vector


def input_body(inputs: Sequence[Any]) -> dict[str, Any]:
    """Return `inputs` as the routes for vectors take them: one text, one list of token ids, or a list of either.

    The server reads ids back into a text, without those that it does not know, and makes its own of it, so that one
    alone has no special tokens around it. Source: answers of the router of 1.9.
    """
    return {"inputs": inputs[0] if len(inputs) == 1 else list(inputs)}


def _several(inputs: Inputs) -> tuple[Any, ...]:
    several = (inputs,) if isinstance(inputs, str) else tuple(inputs)
    if not several:
        raise InvalidRequestError("inputs: there is none")
    for index, item in enumerate(several):
        if not isinstance(item, str | Sequence):
            raise InvalidRequestError(f"inputs[{index}]: expected a text or a list of token ids, got {item!r}")
    return several


def embed_all(endpoint: Endpoint, *, inputs: Inputs, **options: Any) -> Plan[tuple[tuple[Vector, ...], ...]]:
    """One vector for each token of each input, special tokens included; never normalised."""
    return _embed(endpoint, "/embed_all", _several(inputs), options, lambda tokens: tuple(map(vector, tokens)))


def embed_sparse(endpoint: Endpoint, *, inputs: Inputs, **options: Any) -> Plan[tuple[SparseVector, ...]]:
    """The non-zero dimensions of each input's vector, for models with SPLADE pooling."""
    return _embed(endpoint, "/embed_sparse", _several(inputs), options, _sparse)


def _sparse(value: Any) -> SparseVector:
    indices = array("I", [field(item, "index", int) for item in value])
    values = [item.get("value") for item in value]
    return SparseVector(indices=indices, values=vector(values) if values else array("f"))


def _embed(
    endpoint: Endpoint, path: str, inputs: tuple[Any, ...], options: Mapping[str, Any], read: Callable[[Any], Any]
) -> Plan[tuple[Any, ...]]:
    def plan(some: tuple[Any, ...], _: int) -> Http[tuple[Any, ...]]:
        def parse(response: HttpResponse) -> tuple[Any, ...]:
            value = response.json()
            if not isinstance(value, list) or len(value) != len(some):
                raise InvalidResponseError(f"the answer is no list of one item for each of {len(some)} inputs")
            return tuple(map(read, value))

        return Http(send=post_json(path, {**input_body(some), **options}, base_url=root(endpoint)), parse=parse)

    return in_batches(endpoint, inputs, plan, lambda answers: tuple(chain.from_iterable(answers)))


def similarity(endpoint: Endpoint, *, source: str, sentences: Sequence[str], **options: Any) -> Plan[tuple[float, ...]]:
    """The cosine of one sentence against each of others, in their order; by the server, so that it may pass 1."""
    if isinstance(sentences, str) or not sentences:
        raise InvalidRequestError("sentences: expected a list of texts")

    def plan(some: tuple[Any, ...], _: int) -> Http[tuple[float, ...]]:
        body: dict[str, Any] = {"inputs": {"source_sentence": source, "sentences": list(some)}}
        if options:
            body["parameters"] = options

        def parse(response: HttpResponse) -> tuple[float, ...]:
            value = response.json()
            if not isinstance(value, list) or len(value) != len(some):
                raise InvalidResponseError(f"the answer is no list of {len(some)} numbers")
            return tuple([number({"score": each}, "score", f"[{place}]") for place, each in enumerate(value)])

        return Http(send=post_json("/similarity", body, base_url=root(endpoint)), parse=parse)

    return in_batches(
        endpoint, tuple(sentences), plan, lambda answers: tuple(chain.from_iterable(answers)), also=source, beside=1
    )


CALLS: Mapping[str, Callable[..., Plan[Any]]] = {
    **COMMON_CALLS,
    "embed_all": embed_all,
    "embed_sparse": embed_sparse,
    "similarity": similarity,
}
