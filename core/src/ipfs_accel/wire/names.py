"""Names that a vendor's API takes, checked before anything is sent."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

from ipfs_accel.errors import InvalidRequestError
from ipfs_accel.types import ToolCall

if TYPE_CHECKING:
    from ipfs_accel.types import Message, Request, Tool

__all__ = ["check_called", "check_model", "check_tools"]


def check_model(request: Request, vendor: str) -> None:
    """Refuse a request that names no model, for a service that has many.

    Raises:
        InvalidRequestError: As said.
    """
    if not request.model and not request.extra.get("model"):
        raise InvalidRequestError(f"model: {vendor} wants one", hint="models are named endpoint/model")


def check_tools(tools: Sequence[Tool], pattern: re.Pattern[str], rule: str) -> None:
    """Refuse tools whose names the API does not take.

    Args:
        tools: Of the call.
        pattern: What a whole name matches.
        rule: The same in words, such as "Acme takes names of 1 to 64 letters".

    Raises:
        InvalidRequestError: Names the tool.
    """
    for index, tool in enumerate(tools):
        if not pattern.fullmatch(tool.name):
            raise InvalidRequestError(f"tools[{index}]: {rule}, not {_short(tool.name)}")


def check_called(messages: Iterable[Message], pattern: re.Pattern[str], rule: str) -> None:
    """Refuse calls of tools in a history whose names the API does not take, likewise."""
    for index, message in enumerate(messages):
        for part in message.content:
            if isinstance(part, ToolCall) and not pattern.fullmatch(part.name):
                raise InvalidRequestError(
                    f"messages[{index}]: {rule}, not {_short(part.name)}",
                    hint="another provider's model called it; rename the tool, or leave out the call and its result",
                )


def _short(name: str) -> str:
    return repr(name) if len(name) <= 80 else f"{name[:40]!r}… of {len(name)} letters"  # noqa: PLR2004 - a line's half
