"""POST /moderations of OpenAI's API, and POST /rerank as Jina, Cohere, vLLM and llama.cpp have it."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any

from ipfs_accel import strict_json
from ipfs_accel.types import Image, ModerateResponse, Moderation, RerankResponse

from ._openai import leftover
from ._openai_whole import Whole, given, refuse, text

__all__ = ["MODERATIONS", "RERANK"]


class _Moderations(Whole):
    name = "openai.moderations"
    asks = "moderate"

    def read(self, members: Mapping[str, Any], *, lenient: bool) -> tuple[Any, dict[str, Any]]:
        """Return the inputs; parts in a list are one input together."""
        value = members.get("input")
        leftover(members, {"input", "model"}, {"metadata"}, lenient=lenient)
        if isinstance(value, str):
            return [value], {}
        if not isinstance(value, list) or not value:
            raise refuse("input", "expected a text, a list of them, or a list of parts")
        if all(isinstance(each, str) for each in value):
            return value, {}
        return [tuple([_part(each, f"input[{index}]") for index, each in enumerate(value)])], {}

    def write(self, answer: ModerateResponse, members: Mapping[str, Any], model: str) -> bytes:  # noqa: ARG002
        """Return the judgements."""
        results = [_judged(each) for each in answer.results]
        found = {"id": f"modr-{os.urandom(12).hex()}", "model": answer.model or model, "results": results}
        return strict_json.dumps(found)


def _part(part: Any, where: str) -> str | Image:
    kind = part.get("type") if isinstance(part, Mapping) else None
    if kind == "text" and isinstance(part.get("text"), str):
        return str(part["text"])
    value = part.get("image_url") if kind == "image_url" else None
    if not isinstance(value, Mapping) or not isinstance(value.get("url"), str):
        raise refuse(where, "expected a part of the type text or image_url")
    return Image(url=value["url"])


def _judged(judgement: Moderation) -> dict[str, Any]:
    return {
        "flagged": judgement.flagged,
        "categories": dict(judgement.categories),
        "category_scores": dict(judgement.scores),
    }


class _Rerank(Whole):
    name = "openai.rerank"
    asks = "rerank"

    def read(self, members: Mapping[str, Any], *, lenient: bool) -> tuple[Any, dict[str, Any]]:
        """Return query, documents and how many are wanted."""
        documents = members.get("documents")
        if not isinstance(documents, list):
            raise refuse("documents", "expected a list of texts")
        known = {"query", "documents", "top_n", "return_documents", "model"}
        leftover(members, known, {"user"}, lenient=lenient)
        texts = [each.get("text") if isinstance(each, Mapping) else each for each in documents]
        return (text(members, "query"), texts, members.get("top_n")), {}

    def write(self, answer: RerankResponse, members: Mapping[str, Any], model: str) -> bytes:
        """Return the documents in their new order, with their texts unless they are not wanted."""
        shows = members.get("return_documents") is not False
        found = {
            "id": f"rerank-{os.urandom(12).hex()}",
            "model": answer.model or model,
            "results": [
                {
                    "index": each.index,
                    "relevance_score": each.score,
                    **({"document": {"text": each.document}} if shows else {}),
                }
                for each in answer.results
            ],
        }
        used = given({"total_tokens": answer.usage.total_tokens or answer.usage.input_tokens}, "total_tokens")
        return strict_json.dumps({**found, "usage": used} if used else found)


MODERATIONS = _Moderations()
RERANK = _Rerank()
