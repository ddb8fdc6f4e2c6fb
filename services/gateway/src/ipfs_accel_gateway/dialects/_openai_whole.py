"""What routes of OpenAI's API have in common beside those for texts."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ipfs_accel_gateway._errors import Refusal

from ._base import Family, Writer
from ._openai import OPENAI, failure

__all__ = ["Whole", "given", "refuse", "text"]


class Whole:
    """A route; without streams, unless it says how they are written.

    Attributes:
        name: As `RelayRequest.dialect` has it.
        asks: For which operation of the client.
    """

    name = ""
    asks = ""
    family: Family = OPENAI
    stream_type = ""

    def operation(self, members: Mapping[str, Any]) -> str:  # noqa: ARG002
        """Return the only operation."""
        return self.asks

    def passes(self, headers: Mapping[str, str]) -> tuple[tuple[str, str], ...]:  # noqa: ARG002
        """Return nothing: all of a request is in its body."""
        return ()

    def writer(self, members: Mapping[str, Any], model: str) -> Writer:  # noqa: ARG002
        """Refuse: there is no stream."""
        raise AssertionError(self)

    def failure(self, refusal: Refusal, request_id: str) -> bytes:  # noqa: ARG002
        """Return an error as any event."""
        return failure(refusal)


def refuse(name: str, why: str) -> Refusal:
    """Return the error for a member of the body."""
    return Refusal(400, "invalid_request", f"{name}: {why}", param=name)


def text(members: Mapping[str, Any], name: str) -> str:
    """Return a member that has to be a text.

    Raises:
        Refusal: It is something else, or empty.
    """
    value = members.get(name)
    if not isinstance(value, str) or not value:
        raise refuse(name, "expected a text")
    return value


def given(members: Mapping[str, Any], *names: str) -> dict[str, Any]:
    """Return those of the members that say something."""
    return {name: members[name] for name in names if members.get(name) is not None}
