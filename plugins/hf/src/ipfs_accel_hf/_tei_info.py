"""What a TEI server tells of itself and its model."""

from __future__ import annotations

from typing import Any

from ipfs_accel.capabilities import Support
from ipfs_accel.errors import InvalidResponseError
from ipfs_accel.plans import HttpResponse
from ipfs_accel.types import Health, ModelInfo
from ipfs_accel.wire.fields import field, optional

__all__ = ["read_info", "read_version"]

_KINDS: dict[str, frozenset[str]] = {
    "embedding": frozenset({"embed", "embed_all", "similarity"}),
    "sparse embedding": frozenset({"embed_sparse", "similarity"}),  # `embed` normalises, which these refuse
    "classifier": frozenset({"classify"}),
    "reranker": frozenset({"rerank", "classify"}),
}
_ALL = frozenset().union(*_KINDS.values())


def _info(response: HttpResponse) -> tuple[dict[str, Any], str]:
    """Return what the server says and the kind of its model."""
    body = response.json()
    if not isinstance(body, dict) or "model_type" not in body:
        kind = "TGI, which the backend tgi speaks to" if isinstance(body, dict) and "router" in body else "no TEI"
        raise InvalidResponseError(f"the server's /info is that of {kind}", hint="check the base URL")
    said = field(body, "model_type", dict)
    kind = next(iter(said), "")
    if kind == "embedding" and (said[kind] or {}).get("pooling") == "splade":
        kind = "sparse embedding"
    return body, kind


def read_info(response: HttpResponse) -> ModelInfo:
    """Read GET /info; the length of the vectors is not told."""
    body, kind = _info(response)
    has = _KINDS.get(kind, frozenset())
    features = {name: Support("yes" if name in has else "no", "server") for name in sorted(_ALL)}
    return ModelInfo(
        id=optional(body, "served_model_name", str) or field(body, "model_id", str),
        category=kind or None,
        context_window=field(body, "max_input_length", int),
        input_modalities=frozenset({"text"}),
        features=features if has else {},
        raw=body,
    )


def read_version(response: HttpResponse) -> Health:
    """Read the same for a check of the server's health."""
    body, kind = _info(response)
    detail = f"{body.get('model_id')}, {kind}"
    return Health(status="ok", server=f"TEI {body.get('version') or ''}".rstrip(), detail=detail, raw=body)
