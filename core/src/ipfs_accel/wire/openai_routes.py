"""OpenAI's dialect: where routes are and which options a server refuses; the ground of all its parts."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

from ipfs_accel.plans import Endpoint

from .openai_requests import given

__all__ = ["Routes"]


class Routes:
    """What may differ between servers whatever the operation."""

    def path(self, _endpoint: Endpoint, route: str) -> str:
        """Return where a route is, below the base URL."""
        return route

    def model_path(self, endpoint: Endpoint, route: str, _model: str) -> str:
        """Return where a route is that works with a model, for servers that have the model in their paths."""
        return self.path(endpoint, route)

    def refused(self, _endpoint: Endpoint, _request: Any) -> Collection[str]:
        """Return the options that the server would refuse or ignore; OpenAI's own API knows no `top_k`.

        Bodies leave them out, and those that the caller gave are reported.
        """
        return ("top_k",)

    def unsupported(self, endpoint: Endpoint, request: Any) -> tuple[str, ...]:
        """Return which of them the caller gave."""
        return given(request, self.refused(endpoint, request))
