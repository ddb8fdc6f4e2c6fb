"""What one model takes and another refuses. Facts: Google's API reference and model pages of November 2026."""

from __future__ import annotations

import re
from typing import Literal

import attrs

__all__ = ["Rules", "rules_of"]

_NAME = re.compile(r"gemini-(\d+)(?:\.(\d+))?-?([a-z-]*)")
# The flash models from 3.6 on and the smallest one of 3.5 ignore how they are told to sample.
_UNSAMPLED = re.compile(r"gemini-(?:3\.5-flash-lite|3\.[678]-flash|flash(?:-lite)?-latest)")
_NO_MINIMAL = re.compile(r"gemini-(?:3\.[78]-flash|4-argon|3\.1-pro|pro-latest|flash-latest)")
_BUDGETED = (2, 5)
_LEVELLED = (3, 0)
_UNKNOWN = ("99", "0")

BUDGETS = {"none": 0, "minimal": 1024, "low": 1024, "medium": 8192, "high": 24_576}
"""Tokens of thought that the words for effort stand for, for models that take a budget."""


@attrs.frozen(kw_only=True)
class Rules:
    """What a model takes.

    Attributes:
        sampling: temperature, top_p and top_k.
        thinking: How it is told how much to think: by a level, by a budget of tokens, or not at all.
        minimal: Whether it has that level.
        can_stop_thinking: Whether there may be no thoughts at all.
        signed_calls: Whether it wants back the signature of each step that called a tool.
        detail: Whether one picture may be looked at more closely than another.
        keeps_length: Whether shortened vectors keep the length 1.
    """

    sampling: bool = True
    thinking: Literal["level", "budget"] | None = "level"
    minimal: bool = True
    can_stop_thinking: bool = False
    signed_calls: bool = True
    detail: bool = True
    keeps_length: bool = True

    def takes_effort(self, effort: str) -> bool:
        """Whether the model can be told to think that much."""
        if self.thinking == "budget":
            return effort in BUDGETS and (effort != "none" or self.can_stop_thinking)
        return self.thinking == "level" and effort != "none" and (effort != "minimal" or self.minimal)


def rules_of(model: str) -> Rules:
    """Return what a model takes; one that is not known is taken for a new one."""
    found = _NAME.search(model)
    major, minor = (found[1], found[2] or "0") if found else _UNKNOWN
    version = (int(major), int(minor))
    is_new = version >= _LEVELLED
    return Rules(
        sampling=not _UNSAMPLED.search(model),
        thinking="level" if is_new else "budget" if version >= _BUDGETED else None,
        minimal=not _NO_MINIMAL.search(model),
        can_stop_thinking=found is not None and not found[3].startswith("pro"),
        signed_calls=is_new,
        detail=is_new,
        keeps_length="embedding-001" not in model,
    )
