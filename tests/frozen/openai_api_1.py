"""The old backend of ipfs-accel: a server that speaks OpenAI's dialect.

A server that lacks an operation sets it to None below; one that differs in something overrides one of the small methods
of `OpenAICompatible`. What a backend can do is derived from its hooks.
"""

from typing import ClassVar

from ipfs_accel import BackendInfo
from ipfs_accel.wire.openai import OpenAICompatible


class Old(OpenAICompatible):
    """Chat, completions, embeddings and models."""

    api_version = 1
    info: ClassVar[BackendInfo] = BackendInfo(
        name="old",
        title="Old",
        base_url="https://api.old.example/v1",
        base_url_env=("OLD_BASE_URL",),
        key_env=("OLD_API_KEY",),
        needs_key=True,
    )


backend = Old()
