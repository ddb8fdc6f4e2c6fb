"""Ollama's API: errors, options and what its routes share. Facts: its API reference of 2026."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from ipfs_accel import strict_json
from ipfs_accel.types import Answer, JsonSchema, Usage

from ipfs_accel_gateway._errors import Refusal

from ._base import Family

__all__ = ["OLLAMA", "counts", "failure", "format_of", "head", "sampling"]

_SAMPLING = {
    "temperature": "temperature",
    "top_p": "top_p",
    "top_k": "top_k",
    "seed": "seed",
    "stop": "stop",
    "frequency_penalty": "frequency_penalty",
    "presence_penalty": "presence_penalty",
}
# Ways of sampling that others do not have, and the value with which each does nothing. All other options are about how
# a server runs a model.
_NEUTRAL = {"min_p": 0, "typical_p": 1, "tfs_z": 1, "repeat_penalty": 1, "mirostat": 0}
_PER_SECOND = 1e9


class _Ollama:
    beat = b""  # each line has to be JSON, and clients take each for a part of the answer

    def error(self, refusal: Refusal, request_id: str) -> bytes:  # noqa: ARG002 - the id is in a header here
        """Return an error as `{"error": "text"}`."""
        return strict_json.dumps({"error": refusal.message})


OLLAMA: Family = _Ollama()


def failure(refusal: Refusal) -> bytes:
    """Return the line of a stream that failed."""
    return strict_json.dumps({"error": refusal.message}) + b"\n"


def head(model: str) -> dict[str, Any]:
    """Return what every answer begins with."""
    return {"model": model, "created_at": datetime.now(UTC).isoformat().replace("+00:00", "Z")}


def counts(answer: Answer, used: Usage) -> dict[str, int]:
    """Return the time that an answer took, in nanoseconds, and its tokens, as far as they are known."""
    found: dict[str, int | None] = {
        "total_duration": None if answer.timing is None else int(answer.timing.total * _PER_SECOND),
        "prompt_eval_count": used.input_tokens,
        "eval_count": used.output_tokens,
    }
    return {name: value for name, value in found.items() if value is not None}


def sampling(members: Mapping[str, Any], *, lenient: bool) -> dict[str, Any]:
    """Return the options of a request as the core calls them.

    Raises:
        Refusal: One of them has no counterpart.
    """
    given = members.get("options") or {}
    if not isinstance(given, dict):
        raise Refusal(400, "invalid_request", "options: expected an object", param="options")
    for name, neutral in _NEUTRAL.items():
        if not lenient and given.get(name) not in {None, neutral}:
            message = f"options.{name}: the model behind this name has nothing that would do this"
            raise Refusal(400, "invalid_request", message, param=f"options.{name}")
    found = {ours: given[theirs] for theirs, ours in _SAMPLING.items() if given.get(theirs) is not None}
    limit = given.get("num_predict")
    if isinstance(limit, int) and limit > 0:  # -1 is no limit, -2 what the context holds
        found["max_tokens"] = limit
    return found


def format_of(members: Mapping[str, Any]) -> Any:
    """Return the form that an answer has to have; None for any.

    Raises:
        Refusal: It is none.
    """
    said = members.get("format")
    if said is None or said == "":
        return None
    if isinstance(said, dict):
        return JsonSchema(schema=said)
    if said != "json":
        raise Refusal(400, "invalid_request", "format: expected json or a JSON Schema", param="format")
    return "json"
