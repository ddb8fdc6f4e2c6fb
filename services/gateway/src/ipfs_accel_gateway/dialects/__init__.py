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
from .ollama_embed import EMBEDDINGS as OLLAMA_EMBEDDINGS
from .openai_chat import CHAT
from .openai_completions import COMPLETIONS
from .openai_embeddings import EMBEDDINGS
from .openai_images import EDITS, IMAGES, VARIATIONS
from .openai_items import CHAT_OF_ITEMS, has_items
from .openai_judgements import MODERATIONS, RERANK
from .openai_media import SPEECH, TRANSCRIPTIONS, TRANSLATIONS
from .openai_responses import COMPACT, INPUT_TOKENS, RESPONSES

__all__ = ["ROUTES", "family_of", "look_of", "named", "spoken", "takes_forms"]

_DIALECTS: Mapping[str, Dialect] = {
    "/chat/completions": CHAT,
    "/completions": COMPLETIONS,
    "/embeddings": EMBEDDINGS,
    "/images/generations": IMAGES,
    "/images/edits": EDITS,
    "/images/variations": VARIATIONS,
    "/audio/speech": SPEECH,
    "/audio/transcriptions": TRANSCRIPTIONS,
    "/audio/translations": TRANSLATIONS,
    "/moderations": MODERATIONS,
    "/rerank": RERANK,
    "/responses": RESPONSES,
    "/responses/compact": COMPACT,
    "/responses/input_tokens": INPUT_TOKENS,
    "/messages": MESSAGES,
    "/messages/count_tokens": COUNT,
}
_OLLAMAS: Mapping[str, Dialect] = {
    "/api/chat": OLLAMA_CHAT,
    "/api/generate": GENERATE,
    "/api/embed": EMBED,
    "/api/embeddings": OLLAMA_EMBEDDINGS,
}
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


def spoken(dialect: Dialect, members: Mapping[str, Any]) -> Dialect:
    """Return what a body is written in, which some clients send to the route of another."""
    return CHAT_OF_ITEMS if dialect is CHAT and has_items(members) else dialect


def takes_forms(dialect: Dialect) -> bool:
    """Whether the bodies of a route are forms."""
    return getattr(dialect, "takes_forms", False)
