"""What one model takes and another refuses. Facts: Anthropic's API reference of the version 2026-10-21."""

from __future__ import annotations

import re
from urllib.parse import urlsplit

import attrs
from ipfs_accel.plans import Endpoint
from ipfs_accel.types import ChatResponse

__all__ = ["Rules", "is_hosted", "is_ollamas", "rules_of"]

# Family and version, as in claude-sonnet-4-5-20250929 or, at resellers, anthropic/claude-sonnet-4.5.
_NAME = re.compile(r"claude-([a-z]+)-(\d+)(?:[-.](\d{1,2}))?(?!\d)")
_OLDEST = re.compile(r"claude-\d")


@attrs.frozen(kw_only=True)
class Rules:
    """What a model takes.

    Attributes:
        sampling: temperature, top_p and top_k; only the older version of the API has them.
        forced_choice: A tool_choice that demands a call.
        inner_system: Instructions between the turns.
        effort: How much to think.
        prefill: The beginning of an answer to go on with.
        pictures: How many of them a request may have.
        own: Whether it is a Claude, to which the vendor's rules for names and white space apply.
    """

    sampling: bool = True
    forced_choice: bool = True
    inner_system: bool = True
    effort: bool = True
    prefill: bool = True
    pictures: int = 600
    own: bool = True


_FEWER_PICTURES = 100
_NEWEST = Rules(sampling=False, forced_choice=False, prefill=False)
# Models that are not Claude, on servers with its dialect, decide for themselves.
_OTHER = Rules(own=False)


def is_hosted(endpoint: Endpoint) -> bool:
    """Whether the endpoint is Anthropic's own."""
    host = urlsplit(endpoint.base_url).hostname or ""
    return host == "api.anthropic.com" or host.endswith(".anthropic.com")


# Source: Ollama v0.24.0's anthropic/anthropic.go. Anthropic's own ids have other letters too, those of others begin
# otherwise.
_OLLAMAS = re.compile(r"msg_[0-9a-f]{24}")


def is_ollamas(answer: ChatResponse) -> bool:
    """Whether an answer's id has the form of Ollama's."""
    return answer.id is not None and _OLLAMAS.fullmatch(answer.id) is not None


def rules_of(endpoint: Endpoint, model: str) -> Rules:
    """Return what a model takes; a Claude that is not known is taken for a new one."""
    found = _NAME.search(model)
    if found is None:
        if _OLDEST.search(model):
            return Rules(inner_system=False, effort=False, pictures=_FEWER_PICTURES)
        return _NEWEST if "claude" in model or is_hosted(endpoint) else _OTHER
    family, version = found[1], (int(found[2]), int(found[3] or 0))
    return Rules(
        sampling=version <= (4, 6),
        forced_choice=version < (5, 1) or (family, version) == ("haiku", (5, 5)),
        inner_system=version >= (4, 8),
        effort=version >= (4, 6) or (family, version) == ("opus", (4, 5)),
        prefill=version <= (4, 5),
        pictures=_FEWER_PICTURES if version <= (4, 5) else 600,
    )
