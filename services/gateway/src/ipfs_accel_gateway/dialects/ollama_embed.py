"""POST /api/embed of Ollama's API, and /api/embeddings, which was there before it and which older clients use."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NoReturn

from ipfs_accel import strict_json
from ipfs_accel.types import EmbedResponse

from ipfs_accel_gateway._errors import Refusal

from ._base import Family, GivenError
from ._ollama import OLLAMA, counts, failure
from ._openai import leftover

__all__ = ["EMBED", "EMBEDDINGS"]

_READ = {"model", "input", "dimensions", "options"}
_IGNORED = {"keep_alive", "stream", "truncate"}


class _Embed:
    name = "ollama.embed"
    family: Family = OLLAMA
    stream_type = ""

    def operation(self, members: Mapping[str, Any]) -> str:  # noqa: ARG002
        """Return the only operation."""
        return "embed"

    def passes(self, headers: Mapping[str, str]) -> tuple[tuple[str, str], ...]:  # noqa: ARG002
        """Return nothing: all of a request is in its body."""
        return ()

    def read(self, members: Mapping[str, Any], *, lenient: bool) -> tuple[Any, dict[str, Any]]:
        """Return texts and options of an embedding.

        Raises:
            GivenError: There are no texts: Ollama's clients load models so.
        """
        inputs = members.get("input")
        if inputs is None or inputs == []:
            raise GivenError(strict_json.dumps({"model": members["model"], "embeddings": []}))
        if not isinstance(inputs, str) and not (isinstance(inputs, list) and all(isinstance(it, str) for it in inputs)):
            raise Refusal(400, "invalid_request", "input: expected a text or a list of texts", param="input")
        leftover(members, _READ, _IGNORED, lenient=lenient)
        return inputs, {} if members.get("dimensions") is None else {"dimensions": members["dimensions"]}

    def write(self, answer: EmbedResponse, members: Mapping[str, Any], model: str) -> bytes:  # noqa: ARG002
        """Return the vectors."""
        vectors = [list(vector) for vector in answer.vectors]
        return strict_json.dumps({"model": model, "embeddings": vectors, **counts(answer, answer.usage)})

    def writer(self, members: Mapping[str, Any], model: str) -> NoReturn:  # noqa: ARG002
        """Refuse: vectors do not come as a stream."""
        raise AssertionError(self)

    def failure(self, refusal: Refusal, request_id: str) -> bytes:  # noqa: ARG002
        """Return an error as any line."""
        return failure(refusal)


class _Embeddings(_Embed):
    name = "ollama.embeddings"

    def read(self, members: Mapping[str, Any], *, lenient: bool) -> tuple[Any, dict[str, Any]]:
        """Return the text of an embedding.

        Raises:
            GivenError: There is none: as above.
        """
        prompt = members.get("prompt")
        if prompt is None or prompt == "":
            raise GivenError(strict_json.dumps({"embedding": []}))
        if not isinstance(prompt, str):
            raise Refusal(400, "invalid_request", "prompt: expected a text", param="prompt")
        leftover(members, {"model", "prompt", "options"}, _IGNORED, lenient=lenient)
        return prompt, {}

    def write(self, answer: EmbedResponse, members: Mapping[str, Any], model: str) -> bytes:  # noqa: ARG002
        """Return the vector."""
        return strict_json.dumps({"embedding": list(answer.vectors[0])})


EMBED = _Embed()
EMBEDDINGS = _Embeddings()
