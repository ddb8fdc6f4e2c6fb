"""Answers of a certain form: which server holds what of a schema, on which of its routes."""

from __future__ import annotations

from typing import Any

from ipfs_accel.types import CompletionRequest, Request
from ipfs_accel.wire.late import late

(_schemas,) = late("ipfs_accel.wire", "schemas")

__all__ = ["held"]

_TABLES = {"llama.cpp": "llama.cpp's chat completions", "vllm": "vLLM"}
_OF_TEXTS = {**_TABLES, "llama.cpp": "llama.cpp's completions"}
_GUIDANCE = """--structured-outputs-config '{"backend": "guidance"}'"""
_WAY_OUT = {
    "vllm": f"start the server with {_GUIDANCE}, which refuses what it cannot enforce, and set the endpoint's schemas "
    'to "trust"'
}


def held(plan: Any, request: Request, kind: str) -> Any:
    """Return a plan as one whose answer is held to the request's schemas, if there are any."""
    table = (_OF_TEXTS if isinstance(request, CompletionRequest) else _TABLES).get(kind)
    return _schemas.held(plan, request, table, _WAY_OUT.get(kind))
