"""POST /embeddings of OpenAI's API."""

from __future__ import annotations

import sys
from array import array
from base64 import b64encode
from collections.abc import Mapping
from typing import Any

from ipfs_accel import strict_json
from ipfs_accel.types import EmbedResponse

from ipfs_accel_gateway._errors import Refusal

from ._openai import leftover
from ._openai_whole import Whole

__all__ = ["EMBEDDINGS"]

_READ = {"input", "model", "dimensions", "user", "encoding_format"}
_FORMATS = {None, "float", "base64"}


class _Embeddings(Whole):
    name = "openai.embeddings"
    asks = "embed"

    def read(self, members: Mapping[str, Any], *, lenient: bool) -> tuple[Any, dict[str, Any]]:
        """Return inputs and options of an embedding."""
        inputs = members.get("input")
        if not isinstance(inputs, str | list) or not inputs:
            raise Refusal(400, "invalid_request", "input: expected a text, token ids, or a list of them", param="input")
        if members.get("encoding_format") not in _FORMATS:
            raise Refusal(400, "invalid_request", "encoding_format: expected float or base64", param="encoding_format")
        leftover(members, _READ, (), lenient=lenient)
        return inputs, {name: members[name] for name in ("dimensions", "user") if members.get(name) is not None}

    def write(self, answer: EmbedResponse, members: Mapping[str, Any], model: str) -> bytes:
        """Return the vectors, as floats or in base64."""
        shape = _base64 if members.get("encoding_format") == "base64" else list
        told = answer.usage.input_tokens or 0
        return strict_json.dumps(
            {
                "object": "list",
                "data": [
                    {"object": "embedding", "index": index, "embedding": shape(vector)}
                    for index, vector in enumerate(answer.vectors)
                ],
                "model": answer.model or model,
                "usage": {"prompt_tokens": told, "total_tokens": told},
            }
        )


EMBEDDINGS = _Embeddings()


def _base64(vector: array[float]) -> str:
    if sys.byteorder == "big":
        vector = vector[:]
        vector.byteswap()
    return b64encode(vector).decode()
