"""What one provider said that only it understands, within texts that another API has clients send back unread.

A conversation that is held in Anthropic's words has signatures of thoughts and redacted thoughts, one in OpenAI's has
the encrypted content of reasoning; clients keep them to the letter. A gateway puts there what its target said beside,
and finds it again when the conversation goes on.
"""

from __future__ import annotations

from base64 import b64decode, b64encode
from collections.abc import Mapping
from typing import Any

from ipfs_accel import strict_json

__all__ = ["PREFIX", "read", "written"]

PREFIX = "ipfs-accel:"
"""How such a text begins; Anthropic's own are base64, which has no colon."""


def written(value: Mapping[str, Any]) -> str:
    """Return a JSON object as such a text."""
    return PREFIX + b64encode(strict_json.dumps(value)).decode("ascii")


def read(text: str) -> dict[str, Any] | None:
    """Return what `written` was given; None if the text is none of these, or was changed on its way."""
    if not text.startswith(PREFIX):
        return None
    try:
        value = strict_json.loads(b64decode(text[len(PREFIX) :], validate=True))
    except (ValueError, RecursionError):
        return None
    return value if isinstance(value, dict) else None
