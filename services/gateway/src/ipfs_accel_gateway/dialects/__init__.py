"""The dialects that clients speak: each reads requests and writes answers, streams and errors, without any I/O."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from . import gemini_models, ollama_models, openai_models
from ._anthropic import ANTHROPIC
from ._base import Dialect, Family
from ._gemini import GEMINI
from ._looks import Look, Looker
from ._ollama import OLLAMA
from ._openai import OPENAI
from .anthropic_messages import COUNT, MESSAGES
from .gemini_models import named
from .ollama_chat import CHAT as OLLAMA_CHAT
from .ollama_chat import GENERATE
from .ollama_embed import EMBED
from .openai_chat import CHAT
from .openai_embeddings import EMBEDDINGS

__all__ = ["ROUTES", "family_of", "look_of", "named"]

_DIALECTS: Mapping[str, Dialect] = {
    "/chat/completions": CHAT,
    "/embeddings": EMBEDDINGS,
    "/messages": MESSAGES,
    "/messages/count_tokens": COUNT,
}
_OLLAMAS: Mapping[str, Dialect] = {"/api/chat": OLLAMA_CHAT, "/api/generate": GENERATE, "/api/embed": EMBED}
ROUTES: dict[str, Dialect] = {
    **{prefix + path: dialect for path, dialect in _DIALECTS.items() for prefix in ("", "/v1")},
    **_OLLAMAS,
}
"""Path to what is spoken there; clients are set up with and without the version."""
_LOOKERS: tuple[Looker, ...] = (gemini_models.look, openai_models.look, ollama_models.look)


def look_of(method: str, path: str, headers: Mapping[str, str], said: Callable[[], Mapping[str, Any]]) -> Look | None:
    """Return what of the models somebody wants to know; `said` reads the JSON of the body."""
    return next((look for looker in _LOOKERS if (look := looker(method, path, headers, said)) is not None), None)


def family_of(path: str, headers: Mapping[str, str]) -> Family:
    """Return in whose words an error is told where no route says it."""
    if "x-goog-api-key" in headers or path.startswith("/v1beta/"):
        return GEMINI
    if path.startswith("/api/"):
        return OLLAMA
    return ANTHROPIC if "anthropic-version" in headers else OPENAI
