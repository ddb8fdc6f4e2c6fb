"""Under which names models are served, and what is known of them."""

from __future__ import annotations

import asyncio
import logging
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING, Any

from ipfs_accel import AccelError

from ._errors import Refusal
from .dialects._looks import Every, One

if TYPE_CHECKING:
    from collections.abc import Mapping

    from ipfs_accel import AsyncClient
    from ipfs_accel.types import Capabilities

    from ._callers import Caller
    from ._settings import Settings
    from .dialects._looks import Look

__all__ = ["Models"]

_log = logging.getLogger("ipfs_accel_gateway")
_SECONDS = 60.0
"""For how long what an endpoint lists is remembered."""
_LISTING = 10.0
"""Seconds that an endpoint may take to list its models."""


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

    async def answer(self, look: Look, caller: Caller) -> Any:
        """Return what somebody wants to know, as the JSON of the API that they asked in.

        Raises:
            Refusal: There is no such model.
        """
        if isinstance(look, Every):
            return look.write(await self.names(caller))
        if isinstance(look, One):
            target = self.target(look.name, caller)
            return look.write(look.name, await self._known(target) if look.asks else None)
        return look.value

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

    async def _known(self, target: str) -> Capabilities | None:
        """Return what the endpoint tells of a model; None if it tells nothing, or there are several."""
        try:
            async with asyncio.timeout(_LISTING):
                return await self._client.capabilities(target)
        except (AccelError, TimeoutError):
            return None
