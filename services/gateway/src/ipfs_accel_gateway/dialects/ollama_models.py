"""What Ollama's API tells of its models and of itself: /api/tags, /api/show, /api/ps and /api/version."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from ipfs_accel.types import Capabilities

from ._looks import BEGINNING, Every, Fixed, Look, One

__all__ = ["look"]

VERSION = "0.24.0"
"""Whose API this is; clients want one that is new enough for what they do."""
_FAMILY = "ipfs-accel"
_DETAILS = {
    "parent_model": "",
    "format": "",
    "family": _FAMILY,
    "families": [_FAMILY],
    "parameter_size": "",
    "quantization_level": "",
}
_MODIFIED = BEGINNING.isoformat().replace("+00:00", "Z")
# Capability, and what the core calls it. What nobody tells counts as can: of most models little is known, and clients
# would keep pictures and tools to themselves.
_CAPABILITIES = {"tools": "tools", "vision": "vision", "thinking": "reasoning", "audio": "audio"}
_READING = {"GET", "HEAD"}


def look(method: str, path: str, _headers: Mapping[str, str], said: Callable[[], Mapping[str, Any]]) -> Look | None:
    """Return what is asked for, if it is in Ollama's words."""
    if method in _READING:
        found: dict[str, Look] = {
            "/api/tags": Every(_tags),
            "/": Fixed({"status": "ok"}),  # whether there is somebody at all
            "/api/version": Fixed({"version": VERSION}),
            "/api/ps": Fixed({"models": []}),  # what targets have loaded they do not tell
        }
        return found.get(path)
    if (method, path) != ("POST", "/api/show"):
        return None
    asked = said()
    return One(str(asked.get("model") or asked.get("name") or ""), _show, asks=True)


def _tags(names: Sequence[str]) -> dict[str, Any]:
    return {"models": [_tag(name) for name in names]}


def _tag(name: str) -> dict[str, Any]:
    # Ollama's own client cuts the digest, which tells models apart, without looking at its length.
    digest = hashlib.sha256(name.encode()).hexdigest()
    return {"name": name, "model": name, "modified_at": _MODIFIED, "size": 0, "digest": digest, "details": _DETAILS}


def _show(_name: str, known: Capabilities | None) -> dict[str, Any]:
    info: dict[str, Any] = {"general.architecture": _FAMILY}
    window = None if known is None or known.model is None else known.model.context_window
    if window is not None:
        info[f"{_FAMILY}.context_length"] = window
    return {
        "modified_at": _MODIFIED,
        "details": _DETAILS,
        "model_info": info,
        "capabilities": [*_operations(known), *_features(known)],
    }


def _operations(known: Capabilities | None) -> list[str]:
    if known is None:
        return ["completion"]
    can_chat, can_embed = known.supports("chat").value, known.supports("embed")
    is_embedder = can_embed.value == "yes" and can_embed.source != "hook"
    return (["completion"] if can_chat != "no" else []) + (["embedding"] if is_embedder or can_chat == "no" else [])


def _features(known: Capabilities | None) -> list[str]:
    if known is not None and known.supports("chat").value == "no":
        return []
    return [name for name, ours in _CAPABILITIES.items() if known is None or known.supports(ours).value != "no"]
