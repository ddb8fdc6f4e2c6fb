"""A request that somebody else has written, to be passed on as it is."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ipfs_accel import strict_json

__all__ = ["RelayRequest"]

_BYTES_PER_TOKEN = 4
_MOST = 10**9
"""Tokens of an answer, so that what a body says is a number to reckon with: it may name one of a thousand digits."""
# Ollama's and Gemini's, whose limits stand further inside.
_INNER_LIMITS = (("options", "num_predict"), ("generationConfig", "maxOutputTokens"))


class RelayRequest:
    """A request in the dialect of a provider's API, as whoever wrote it sent it.

    Attributes:
        dialect: Which API and which of its routes, such as `openai.chat`; see `ipfs_accel.hookspecs.relay`.
        operation: What it asks for, as the operations of a client are called: `chat`, `stream`, `embed` …
        model: The id of the model for the endpoint that is asked.
        members: The body's JSON object, read.
        headers: Of the request, what the dialect has beside the body, such as a version; no key.
        query: Names and values, likewise.
        is_stream: Whether the answer is to come while it is made.
        wants_usage: Whether who passes it on wants to know what it used, also where the request does not ask for it. A
            server that tells it in a stream only if it is asked is asked, and the one event more is taken out again.
    """

    __slots__ = (
        "_after", "_before", "dialect", "headers", "is_stream", "members", "model", "operation", "query", "wants_usage",
    )  # fmt: skip

    def __init__(
        self,
        dialect: str,
        operation: str,
        members: Mapping[str, Any],
        around: tuple[bytes, bytes],
        *,
        model: str = "",
        headers: tuple[tuple[str, str], ...] = (),
        query: tuple[tuple[str, str], ...] = (),
        wants_usage: bool = False,
    ) -> None:
        """Make one of a body.

        Args:
            dialect: See above.
            operation: See above.
            members: See above.
            around: The bytes of the body before and after the value of its member `model`; a body that names no model,
                as where the path does, is the first of two.
            model: See above.
            headers: See above.
            query: See above.
            wants_usage: See above.
        """
        self.dialect = dialect
        self.operation = operation
        self.is_stream = operation.startswith("stream")
        self.model = model
        self.members = members
        self.headers = headers
        self.query = query
        self.wants_usage = wants_usage
        self._before, self._after = around

    def __repr__(self) -> str:
        return f"RelayRequest({self.dialect!r}, {self.operation!r}, model={self.model!r}, <{self.size} bytes>)"

    @property
    def size(self) -> int:
        """Bytes of the body but for the model."""
        return len(self._before) + len(self._after)

    @property
    def content(self) -> bytes:
        """The body as it is sent: as it came, but for the value of `model`."""
        if not self._after:
            return self._before
        name = self.model
        is_plain = name.isascii() and name.isprintable() and '"' not in name and "\\" not in name
        return b"".join((self._before, f'"{name}"'.encode() if is_plain else strict_json.dumps(name), self._after))

    @property
    def tokens(self) -> float:
        """How many tokens it will take, roughly, for limits that have to know before anybody has counted."""
        return self.size / _BYTES_PER_TOKEN + self.longest(self.members)

    @staticmethod
    def longest(members: Mapping[str, Any]) -> float:
        """Return how many tokens a body allows its answer to have, in whichever dialect; 0 if it does not say."""
        most = members.get("max_completion_tokens") or members.get("max_output_tokens") or members.get("max_tokens")
        if not most:
            for name, inner in _INNER_LIMITS:
                value = members.get(name)
                if isinstance(value, dict):
                    most = most or value.get(inner)
        return min(most, _MOST) if isinstance(most, int | float) and most > 0 else 0

    def at(self, model: str) -> RelayRequest:
        """Return the same for another model."""
        if model == self.model:
            return self
        around = self._before, self._after
        return RelayRequest(
            self.dialect,
            self.operation,
            self.members,
            around,
            model=model,
            headers=self.headers,
            query=self.query,
            wants_usage=self.wants_usage,
        )
