"""Answers to JSON and back, and requests to a digest: what the cache reads and writes."""

from __future__ import annotations

import functools
import hashlib
import inspect
import json
from array import array
from base64 import b64decode, b64encode
from collections.abc import Mapping
from typing import Any

import attrs
from cattrs import Converter
from cattrs.gen import make_dict_structure_fn, make_dict_unstructure_fn, override
from cattrs.strategies import configure_tagged_union

from ipfs_accel import types
from ipfs_accel.types import Answer, TokenLogprob
from ipfs_accel.types._messages import Part

__all__ = ["CACHEABLE", "decode", "digest", "encode"]

CACHEABLE: dict[str, str] = {
    "chat": "ChatResponse",
    "complete": "CompletionResponse",
    "embed": "EmbedResponse",
    "rerank": "RerankResponse",
    "tokenize": "TokenizeResponse",
    "detokenize": "DetokenizeResponse",
    "count_tokens": "TokenCount",
    "classify": "ClassifyResponse",
    "moderate": "ModerateResponse",
}
"""Operation to the class of its answer, for those whose answer may be kept."""


@functools.cache
def _converter() -> Converter:
    # It has a field that is called like a type; resolved within the class, that name would mean the field.
    attrs.resolve_types(TokenLogprob, localns={})
    converter = Converter(forbid_extra_keys=True)
    converter.register_unstructure_hook(bytes, lambda value: b64encode(value).decode("ascii"))
    converter.register_structure_hook(bytes, lambda value, _kind: b64decode(value, validate=True))
    converter.register_unstructure_hook(array, lambda value: b64encode(value.tobytes()).decode("ascii"))
    converter.register_structure_hook(array, lambda value, _kind: array("f", b64decode(value, validate=True)))
    for kind in (str, bool, int, float):
        converter.register_structure_hook(kind, _exactly)
    configure_tagged_union(Part, converter, tag_name="part")

    def without_call(kind: Any) -> bool:
        return inspect.isclass(kind) and issubclass(kind, Answer)

    @converter.register_unstructure_hook_factory(without_call)
    def _unstructure(kind: type[Any]) -> Any:
        attrs.resolve_types(kind)
        return make_dict_unstructure_fn(kind, converter, call=override(omit=True))

    @converter.register_structure_hook_factory(without_call)
    def _structure(kind: type[Any]) -> Any:
        attrs.resolve_types(kind)
        return make_dict_structure_fn(kind, converter, call=override(omit=True), _cattrs_forbid_extra_keys=True)

    return converter


def _exactly(value: Any, kind: type[Any]) -> Any:
    # Without this, a damaged entry could come back as another value: cattrs would call `int("1")` or `str(None)`.
    if type(value) is not kind and not (kind is float and type(value) is int):
        raise TypeError(f"{value!r} is no {kind.__name__}")
    return value


def encode(answer: Answer) -> str:
    """Write an answer as JSON, without what is about the call that gave it.

    Raises:
        ValueError: It holds something that JSON has no form for.
        TypeError: Likewise.
    """
    return json.dumps(_converter().unstructure(answer, type(answer)), allow_nan=False, separators=(",", ":"))


def decode(operation: str, text: str) -> Any:
    """Read what `encode` wrote. Whatever it raises means that the text is not such."""
    kind = getattr(types, CACHEABLE[operation])
    return _converter().structure(json.loads(text), kind)


def digest(*parts: Any) -> str:
    """Return a hash of values, requests among them: equal for equal values, in any process."""
    text = json.dumps([_plain(part) for part in parts], sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()


def _plain(value: Any) -> Any:
    if isinstance(value, str | int | float | bool | None):
        return value
    if isinstance(value, bytes):
        return {"bytes": hashlib.sha256(value).hexdigest()}
    if isinstance(value, Mapping):
        return {str(name): _plain(item) for name, item in value.items()}
    if attrs.has(type(value)):
        fields = {field.name: _plain(getattr(value, field.name)) for field in attrs.fields(type(value))}
        return {"class": type(value).__name__, **fields}
    if isinstance(value, set | frozenset):
        return sorted([_plain(item) for item in value], key=repr)
    return [_plain(item) for item in value]
