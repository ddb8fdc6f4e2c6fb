"""POST /models/{model}:embedContent and :batchEmbedContents of Gemini's API."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NoReturn

from ipfs_accel import strict_json
from ipfs_accel.types import EmbedResponse

from ipfs_accel_gateway._errors import Refusal

from ._base import Family
from ._gemini import GEMINI, camel, failure, listed, refuse, refuse_others

__all__ = ["BATCH", "EMBED"]

_READ = {"model", "content", "outputDimensionality"}


class _Embed:
    name = "gemini.embed"
    family: Family = GEMINI
    stream_type = ""

    def __init__(self, *, is_batch: bool) -> None:
        self._is_batch = is_batch

    def operation(self, members: Mapping[str, Any]) -> str:  # noqa: ARG002
        """Return the only operation."""
        return "embed"

    def passes(self, headers: Mapping[str, str]) -> tuple[tuple[str, str], ...]:  # noqa: ARG002
        """Return nothing: all of a request is in its path and its body."""
        return ()

    def read(self, members: Mapping[str, Any], *, lenient: bool) -> tuple[Any, dict[str, Any]]:
        """Return texts and options of an embedding."""
        asked = listed(members.get("requests"), "requests") if self._is_batch else [members]
        if not asked:
            refuse("requests", "expected a list with at least one request")
        texts, sizes = [], []
        for index, each in enumerate(asked):
            where = f"requests[{index}]." if self._is_batch else ""
            given = camel(each, where or "the body")
            refuse_others(given, _READ, where, lenient=lenient)
            texts.append(_text(given.get("content"), f"{where}content"))
            sizes.append(given.get("outputDimensionality"))
        if any(size != sizes[0] for size in sizes):
            refuse("requests", "they differ in their outputDimensionality, which has to be one for all here")
        return texts, {} if sizes[0] is None else {"dimensions": sizes[0]}

    def write(self, answer: EmbedResponse, members: Mapping[str, Any], model: str) -> bytes:  # noqa: ARG002
        """Return the vectors."""
        vectors = [{"values": list(vector)} for vector in answer.vectors]
        told = answer.usage.input_tokens
        counts = {} if told is None else {"usageMetadata": {"promptTokenCount": told, "totalTokenCount": told}}
        said = {"embeddings": vectors} if self._is_batch else {"embedding": vectors[0]}
        return strict_json.dumps({**said, **counts})

    def writer(self, members: Mapping[str, Any], model: str) -> NoReturn:  # noqa: ARG002
        """Refuse: vectors do not come as a stream."""
        raise AssertionError(self)

    def failure(self, refusal: Refusal, request_id: str) -> bytes:
        """Return an error as any answer."""
        return failure(refusal, request_id)


EMBED = _Embed(is_batch=False)
BATCH = _Embed(is_batch=True)


def _text(value: Any, where: str) -> str:
    parts = listed(camel(value, where).get("parts"), f"{where}.parts")
    texts = [each.get("text") if isinstance(each, Mapping) else None for each in parts]
    if not texts or not all(isinstance(text, str) for text in texts):
        refuse(f"{where}.parts", "expected texts: only these become vectors here")
    return "".join([text for text in texts if text])
