"""The dialects that clients speak: each reads requests and writes answers, streams and errors, without any I/O."""

from __future__ import annotations

from collections.abc import Mapping

from ._base import Dialect, Family
from ._openai import OPENAI
from .openai_chat import CHAT
from .openai_embeddings import EMBEDDINGS

__all__ = ["ROUTES", "family_of"]

_DIALECTS: Mapping[str, Dialect] = {"/chat/completions": CHAT, "/embeddings": EMBEDDINGS}
ROUTES: dict[str, Dialect] = {prefix + path: dialect for path, dialect in _DIALECTS.items() for prefix in ("", "/v1")}
"""Path to what is spoken there; clients are set up with and without the version."""


def family_of(path: str, headers: Mapping[str, str]) -> Family:  # noqa: ARG001
    """Return in whose words an error is told where no route says it."""
    return OPENAI
