"""The `openai` backend: OpenAI, and any server with its dialect as a further endpoint. And `azure`: Azure OpenAI."""

from __future__ import annotations

from ._azure import Azure, AzureOptions
from ._openai import OpenAI, Options
from ._parts import block

__all__ = ["Azure", "AzureOptions", "OpenAI", "Options", "azure", "backend", "block"]

backend = OpenAI()
azure = Azure()
