"""The `openai` backend: OpenAI, and any server with its dialect as a further endpoint. And `azure`: Azure OpenAI."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ._openai import OpenAI, Options
from ._parts import block

if TYPE_CHECKING:
    from ._azure import Azure, AzureOptions, azure

__all__ = ["Azure", "AzureOptions", "OpenAI", "Options", "azure", "backend", "block"]

backend = OpenAI()


def __getattr__(name: str) -> Any:
    """Load what is Azure's when it is used: few programs have both."""
    if name not in {"Azure", "AzureOptions", "azure"}:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from . import _azure  # noqa: PLC0415 - as said

    return getattr(_azure, name)
