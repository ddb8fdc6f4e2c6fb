"""A backend of OpenAI's dialect with two calls of its own, for this process and for those that the tests start."""

from __future__ import annotations

from typing import Any

from ipfs_accel import BackendInfo, hookimpl
from ipfs_accel.plans import Endpoint, Ready
from ipfs_accel.wire.openai import OpenAICompatible

api_version = 1


class Studio(OpenAICompatible):
    api_version = 1
    info = BackendInfo(
        name="studio",
        base_url="http://127.0.0.1:9",
        base_url_env=("STUDIO_BASE_URL",),
        key_env=("STUDIO_API_KEY",),
    )

    @hookimpl
    def calls(self) -> Any:
        def add(endpoint: Endpoint, *, left: int, right: int = 1) -> Any:
            return Ready(value={"endpoint": endpoint.name, "sum": left + right})

        def colours(endpoint: Endpoint) -> Any:
            return Ready(value=frozenset({"red", "blue"}))

        return {"add": add, "colours": colours}


# As a module this is a plugin too.
_studio = Studio()
describe, chat, stream, complete = _studio.describe, _studio.chat, _studio.stream, _studio.complete
stream_complete, embed, list_models = _studio.stream_complete, _studio.embed, _studio.list_models
show_model, healthcheck, calls = _studio.show_model, _studio.healthcheck, _studio.calls
