"""The dialects that clients speak: each reads requests and writes answers, streams and errors, without any I/O.

A dialect is loaded when the first request comes that is in it: most gateways are asked in one or two.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from ._base import Dialect, Family, Named
    from ._looks import Look

__all__ = ["ROUTES", "family_of", "look_of", "named", "spoken", "takes_forms"]

# Path to module and name in it.
_OPENAIS_AND_ANTHROPICS = {
    "/chat/completions": ("openai_chat", "CHAT"),
    "/completions": ("openai_completions", "COMPLETIONS"),
    "/embeddings": ("openai_embeddings", "EMBEDDINGS"),
    "/images/generations": ("openai_images", "IMAGES"),
    "/images/edits": ("openai_images", "EDITS"),
    "/images/variations": ("openai_images", "VARIATIONS"),
    "/audio/speech": ("openai_media", "SPEECH"),
    "/audio/transcriptions": ("openai_media", "TRANSCRIPTIONS"),
    "/audio/translations": ("openai_media", "TRANSLATIONS"),
    "/moderations": ("openai_judgements", "MODERATIONS"),
    "/rerank": ("openai_judgements", "RERANK"),
    "/responses": ("openai_responses", "RESPONSES"),
    "/responses/compact": ("openai_responses", "COMPACT"),
    "/responses/input_tokens": ("openai_responses", "INPUT_TOKENS"),
    "/messages": ("anthropic_messages", "MESSAGES"),
    "/messages/count_tokens": ("anthropic_messages", "COUNT"),
}
_OLLAMAS = {
    "/api/chat": ("ollama_chat", "CHAT"),
    "/api/generate": ("ollama_chat", "GENERATE"),
    "/api/embed": ("ollama_embed", "EMBED"),
    "/api/embeddings": ("ollama_embed", "EMBEDDINGS"),
}
_LOOKERS = (
    ("gemini_models", ("/v1beta/", "/v1alpha/", "/v1/models")),
    ("openai_models", ("/v1/models", "/models")),
    ("ollama_models", ("/",)),
)
"""Modules that know what of the models is asked for, and how paths begin at which it may be."""


def _loaded(module: str, name: str) -> Any:
    return getattr(import_module(f".{module}", __name__), name)


class _Routes(Mapping[str, "Dialect"]):
    """Path to what is spoken there; clients are set up with and without the version."""

    def __init__(self) -> None:
        versioned = {prefix + path: home for path, home in _OPENAIS_AND_ANTHROPICS.items() for prefix in ("", "/v1")}
        self._homes = {**versioned, **_OLLAMAS}

    def __getitem__(self, path: str) -> Dialect:
        found: Dialect = _loaded(*self._homes[path])
        return found

    def __contains__(self, path: object) -> bool:
        return path in self._homes

    def __iter__(self) -> Iterator[str]:
        return iter(self._homes)

    def __len__(self) -> int:
        return len(self._homes)


ROUTES = _Routes()


def named(method: str, path: str, query: str) -> Named | None:
    """Return what is spoken at a path that names the model; None if it is another."""
    if ":" not in path:
        return None
    found: Named | None = _loaded("gemini_models", "named")(method, path, query)
    return found


def look_of(method: str, path: str, headers: Mapping[str, str], said: Callable[[], Mapping[str, Any]]) -> Look | None:
    """Return what of the models somebody wants to know; `said` reads the JSON of the body."""
    for module, beginnings in _LOOKERS:
        if path.startswith(beginnings):
            look: Look | None = _loaded(module, "look")(method, path, headers, said)
            if look is not None:
                return look
    return None


def family_of(path: str, headers: Mapping[str, str]) -> Family:
    """Return in whose words an error is told where no route says it."""
    if "x-goog-api-key" in headers or path.startswith("/v1beta/"):
        name = "gemini"
    elif path.startswith("/api/"):
        name = "ollama"
    else:
        name = "anthropic" if "anthropic-version" in headers else "openai"
    found: Family = _loaded(f"_{name}", name.upper())
    return found


def spoken(dialect: Dialect, members: Mapping[str, Any]) -> Dialect:
    """Return what a body is written in: some clients send those of the Responses API to the route of chats.

    Some of these have an empty list of messages beside.
    """
    if dialect.name != "openai.chat" or "input" not in members or members.get("messages"):
        return dialect
    found: Dialect = _loaded("openai_items", "CHAT_OF_ITEMS")
    return found


def takes_forms(dialect: Dialect) -> bool:
    """Whether the bodies of a route are forms."""
    return getattr(dialect, "takes_forms", False)
