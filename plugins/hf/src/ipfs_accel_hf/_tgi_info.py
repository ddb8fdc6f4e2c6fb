"""What a TGI server tells of itself and its model."""

from __future__ import annotations

from typing import Any

from ipfs_accel.capabilities import Support
from ipfs_accel.errors import InvalidResponseError
from ipfs_accel.plans import HttpResponse
from ipfs_accel.types import Health, ModelInfo
from ipfs_accel.wire.fields import field

__all__ = ["read_info", "read_version"]

_YES = Support("yes", "server")


def _info(response: HttpResponse) -> dict[str, Any]:
    body = response.json()
    if not isinstance(body, dict) or "max_total_tokens" not in body:
        kind = "TEI, which the backend tei speaks to" if isinstance(body, dict) and "model_type" in body else "no TGI"
        raise InvalidResponseError(f"the server's /info is that of {kind}", hint="check the base URL")
    return body


def read_info(response: HttpResponse) -> ModelInfo:
    """Read GET /info; whether a model sees is not told, but its task on the Hub may say so.

    Nothing tells whether there are tools and schemas: a server may have been started without grammars, or its model
    has no template for chats.
    """
    body = _info(response)
    pipeline = body.get("model_pipeline_tag")
    sees = pipeline == "image-text-to-text"
    return ModelInfo(
        id=field(body, "model_id", str),
        category=pipeline,
        context_window=field(body, "max_total_tokens", int),
        input_modalities=frozenset({"text", "image"}) if sees else None,
        features={"vision": _YES} if sees else {},
        raw=body,
    )


def read_version(response: HttpResponse) -> Health:
    """Read the same for a check of the server's health."""
    body = _info(response)
    return Health(
        status="ok", server=f"TGI {body.get('version') or ''}".rstrip(), detail=body.get("model_id"), raw=body
    )
