"""GET /models of OpenAI's API, and that of Anthropic's, which has the same path."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any
from urllib.parse import unquote

from ._looks import BEGINNING, Every, Look, One

__all__ = ["look"]

_ROOTS = ("/v1/models", "/models")
_READING = {"GET", "HEAD"}


def look(method: str, path: str, headers: Mapping[str, str], _said: Callable[[], Any]) -> Look | None:
    """Return what is asked for, if it is models in one of these two forms."""
    root = next((root for root in _ROOTS if path == root or path.startswith(f"{root}/")), None)
    if root is None or method not in _READING:
        return None
    is_anthropics = "anthropic-version" in headers
    if path == root:
        return Every(_anthropics_list if is_anthropics else _openais_list)
    model = _anthropics if is_anthropics else _openais
    return One(unquote(path[len(root) + 1 :]), lambda name, _known: model(name))


def _openais_list(names: Sequence[str]) -> dict[str, Any]:
    return {"object": "list", "data": [_openais(name) for name in names]}


def _openais(name: str) -> dict[str, Any]:
    return {"id": name, "object": "model", "created": int(BEGINNING.timestamp()), "owned_by": "ipfs-accel"}


def _anthropics_list(names: Sequence[str]) -> dict[str, Any]:
    ends = (names[0], names[-1]) if names else (None, None)
    return {"data": [_anthropics(name) for name in names], "has_more": False, "first_id": ends[0], "last_id": ends[1]}


def _anthropics(name: str) -> dict[str, Any]:
    return {
        "type": "model",
        "id": name,
        "display_name": name,
        "created_at": BEGINNING.isoformat().replace("+00:00", "Z"),
    }
