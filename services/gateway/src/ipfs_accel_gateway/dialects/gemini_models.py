"""What Gemini's API tells of its models, and its paths, which name the model that is asked."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any
from urllib.parse import parse_qsl, unquote

from ._base import Dialect, Named
from ._looks import Every, Look, One
from .gemini_embed import BATCH, EMBED
from .gemini_generate import COUNT, GENERATE, STREAM, STREAM_ARRAY

__all__ = ["look", "named"]

_ROOTS = ("/v1beta/models", "/v1/models", "/v1alpha/models")
_READING = {"GET", "HEAD"}
_SSE = ("alt", "sse")
_METHODS: Mapping[str, Dialect] = {
    "generateContent": GENERATE,
    "streamGenerateContent": STREAM_ARRAY,
    "countTokens": COUNT,
    "embedContent": EMBED,
    "batchEmbedContents": BATCH,
}


def named(method: str, path: str, query: str) -> Named | None:
    """Return what is spoken at a path such as /v1beta/models/MODEL:generateContent; None if it is another."""
    root = _root(path)
    if root is None or method != "POST":
        return None
    model, _, asked = path[len(root) + 1 :].rpartition(":")
    dialect = _METHODS.get(asked)
    if dialect is None:
        return None
    is_sse = dialect is STREAM_ARRAY and _SSE in parse_qsl(query)
    return Named(STREAM if is_sse else dialect, unquote(model), (_SSE,) if is_sse else ())


def look(method: str, path: str, headers: Mapping[str, str], _said: Callable[[], Any]) -> Look | None:
    """Return what is asked for, if it is models in Gemini's form."""
    root = _root(path)
    if root is None or method not in _READING or (root == "/v1/models" and "x-goog-api-key" not in headers):
        return None
    if path == root:
        return Every(_models)
    return One(unquote(path[len(root) + 1 :]), lambda name, _known: _model(name))


def _root(path: str) -> str | None:
    return next((root for root in _ROOTS if path == root or path.startswith(f"{root}/")), None)


def _models(names: Sequence[str]) -> dict[str, Any]:
    return {"models": [_model(name) for name in names]}


def _model(name: str) -> dict[str, Any]:
    return {"name": f"models/{name}", "version": "", "displayName": name, "supportedGenerationMethods": [*_METHODS]}
