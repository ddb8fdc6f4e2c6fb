"""Under which names models are served, and their lists."""

from __future__ import annotations

import asyncio
import logging
from datetime import UTC, datetime
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote

from ipfs_accel import AccelError

from ._errors import Refusal

if TYPE_CHECKING:
    from collections.abc import Mapping

    from ipfs_accel import AsyncClient

    from ._callers import Caller
    from ._settings import Settings

__all__ = ["Models"]

_log = logging.getLogger("ipfs_accel_gateway")
_SECONDS = 60.0
"""For how long what an endpoint lists is remembered."""
_LISTING = 10.0
"""Seconds that an endpoint may take to list its models."""
_ROOTS = ("/v1/models", "/models")


class Models:
    """What is configured, as callers name it: aliases, routes, and `endpoint/model`. Nobody reaches anything else.

    Args:
        client: Of the core.
        settings: Of the gateway.
        names: Further names, and what the client is asked for under them.
    """

    def __init__(self, client: AsyncClient, settings: Settings, names: Mapping[str, str]) -> None:
        config = client.config
        self._client = client
        self._patterns = settings.models
        self._names = dict(names)
        self._endpoints = frozenset(config.endpoints)
        for name in (*config.aliases, *config.routes):
            self._names.setdefault(name, name)
        self._listed: dict[str, tuple[float, tuple[str, ...]]] = {}

    @property
    def is_empty(self) -> bool:
        """Whether there is nothing to serve."""
        return not (self._names or self._endpoints)

    def target(self, name: str, caller: Caller) -> str:
        """Return what the client is asked for.

        Raises:
            Refusal: No such model is served, or not with this key.
        """
        target = self._names.get(name)
        if target is None and name.partition("/")[0] in self._endpoints:
            target = name
        if target is None or not self._is_served(name):
            raise Refusal(
                404, "not_found", f"the model {name!r} is not served here; GET /v1/models lists those that are"
            )
        if not caller.may_use(name):
            raise Refusal(403, "permission", f"this key may not use the model {name!r}", code="model_not_allowed")
        return target

    async def names(self, caller: Caller) -> list[str]:
        """Return the names that a caller may use, in order."""
        lists = await asyncio.gather(*[self._list(endpoint) for endpoint in sorted(self._endpoints)])
        found = [*self._names, *[name for names in lists for name in names]]
        return [name for name in found if self._is_served(name) and caller.may_use(name)]

    async def answer(self, path: str, headers: Mapping[str, str], caller: Caller) -> dict[str, Any] | None:
        """Return the list of models, or one of them, in the form of the API that is asked; None if it is no such path.

        Raises:
            Refusal: There is no such model.
        """
        root = next((root for root in _ROOTS if path == root or path.startswith(f"{root}/")), None)
        if root is None:
            return None
        shape = _anthropic if "anthropic-version" in headers else _openai
        if path != root:
            name = unquote(path[len(root) + 1 :])
            self.target(name, caller)
            return shape(name)
        names = await self.names(caller)
        listed = {"data": [shape(name) for name in names]}
        if shape is _openai:
            return {"object": "list", **listed}
        return {
            **listed,
            "has_more": False,
            "first_id": names[0] if names else None,
            "last_id": names[-1] if names else None,
        }

    def _is_served(self, name: str) -> bool:
        return self._patterns is None or any(fnmatchcase(name, pattern) for pattern in self._patterns)

    async def _list(self, endpoint: str) -> tuple[str, ...]:
        now = asyncio.get_running_loop().time()
        at, names = self._listed.get(endpoint, (-_SECONDS, ()))
        if now - at < _SECONDS:
            return names
        try:
            async with asyncio.timeout(_LISTING):
                models = await self._client.list_models(endpoint)
            names = tuple([f"{endpoint}/{model.id}" for model in models])
        except (AccelError, TimeoutError) as error:  # what it serves can still be asked for by name
            _log.warning("the endpoint %s does not list its models: %s", endpoint, error)
        self._listed[endpoint] = now, names
        return names


_BEGINNING = datetime(2026, 1, 1, tzinfo=UTC)
"""Of a model nobody knows when it was made, and clients want a time."""


def _openai(name: str) -> dict[str, Any]:
    return {"id": name, "object": "model", "created": int(_BEGINNING.timestamp()), "owned_by": "ipfs-accel"}


def _anthropic(name: str) -> dict[str, Any]:
    return {
        "type": "model",
        "id": name,
        "display_name": name,
        "created_at": _BEGINNING.isoformat().replace("+00:00", "Z"),
    }
