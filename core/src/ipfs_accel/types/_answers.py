"""What a call gives back."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Literal

import attrs

from ipfs_accel._values import frozen

from ._messages import Message, ToolCall
from ._usage import Usage

if TYPE_CHECKING:
    from ipfs_accel._headers import Headers

    from ._rate_limit import RateLimit


UNKNOWN_USAGE = Usage()


@frozen(kw_only=True)
class Timing:
    """Where the time of a call went, in seconds from its start.

    Attributes:
        queue: Spent waiting for the endpoint's limits, within the whole.
        connect: Spent on connecting by the last attempt, with proxy and TLS; 0 if that was done; None for local calls.
        first_event: Until the head of an answer, or a stream's first event; None for local calls without events.
        total: Until the answer was complete.
    """

    queue: float = 0.0
    connect: float | None = None
    first_event: float | None = None
    total: float


@frozen(kw_only=True)
class Tried:
    """An attempt that failed.

    Attributes:
        endpoint: Whom it asked.
        model: Model id, without the endpoint.
        error: Class of the error.
        status: HTTP status, where one was received.
        code: The provider's own error code or type.
        request_id: The provider's id of the request, for its support.
        key: Id of the key that was sent, never the key; None if there was none.
        seconds: How long it took.
        waited: Seconds that were waited after it until the next attempt.
        maybe_billed: Whether the server may have done, and billed, the work without an answer that came.
    """

    endpoint: str
    model: str
    error: str
    status: int | None = None
    code: str | None = None
    request_id: str | None = None
    key: str | None = None
    seconds: float
    waited: float = 0.0
    maybe_billed: bool = False


@frozen(kw_only=True)
class CallInfo:
    """How an answer came about.

    Attributes:
        endpoint: Which endpoint served it.
        backend: Which plugin that endpoint uses.
        model: Model id as that endpoint was asked for it.
        key: Id of the key that was sent, never the key; None if there was none.
        request_id: The provider's id of the request, for its support.
        attempts: How often the call was tried.
        tried: The attempts that failed before.
        cost: US dollars, by dated price data; None where anything of it is unknown; 0 for an answer from the cache.
        cached: exact or semantic, for an answer from the cache; None for one that was made for this call.
        joined: How many calls the request was for, if small ones were joined.
        parts: In how many requests the inputs of an embedding went; then `tried` has the failures of all of them, and
            `request_id` and `headers` are the last one's.
        headers: Of the response; None for local calls.
        timing: Where the time went.
    """

    endpoint: str
    backend: str
    model: str = ""
    key: str | None = None
    request_id: str | None = None
    attempts: int = 1
    tried: tuple[Tried, ...] = ()
    cost: float | None = None
    cached: Literal["exact", "semantic"] | None = None
    joined: int = 1
    parts: int = 1
    headers: Headers | None = attrs.field(default=None, repr=False)
    timing: Timing

    @property
    def rate_limits(self) -> dict[str, RateLimit]:
        """What the server says of its limits, by their names, such as requests and tokens."""
        if self.headers is None:
            return {}
        from ipfs_accel.hints import rate_limits  # noqa: PLC0415 - few callers ask

        from ._rate_limit import RateLimit  # noqa: PLC0415 - as above

        return {
            name: RateLimit(limit=limit, remaining=left, reset=reset)
            for name, (limit, left, reset) in rate_limits(self.headers).items()
        }


@frozen(kw_only=True)
class Answer:
    """What all answers have.

    Attributes:
        call: How the answer came about; set by the client.
        raw: The provider's own JSON; None for an answer that was assembled from a stream.
    """

    call: CallInfo | None = attrs.field(default=None, eq=False, repr=False)
    raw: Any = attrs.field(default=None, eq=False, repr=False)

    @property
    def endpoint(self) -> str | None:
        """Which endpoint served it."""
        return self.call.endpoint if self.call else None

    @property
    def request_id(self) -> str | None:
        """The provider's id of the request."""
        return self.call.request_id if self.call else None

    @property
    def cost(self) -> float | None:
        """US dollars, by dated price data; None where anything of it is unknown."""
        return self.call.cost if self.call else None

    @property
    def cached(self) -> Literal["exact", "semantic"] | None:
        """How the answer was found in the cache; None if it was made for this call."""
        return self.call.cached if self.call else None

    @property
    def timing(self) -> Timing | None:
        """Where the time of the call went."""
        return self.call.timing if self.call else None


@frozen(kw_only=True)
class TokenLogprob:
    """The log probability of one token.

    Attributes:
        token: Its text; bytes that are not UTF-8 show as replacement characters.
        logprob: Natural logarithm of its probability.
        bytes: Its bytes, where the provider gives them.
        top: The likeliest alternatives, best first.
    """

    token: str
    logprob: float
    bytes: bytes | None = None
    top: tuple[TokenLogprob, ...] = ()


@frozen(kw_only=True)
class Choice:
    """One of the answers to a chat.

    Attributes:
        index: Number of the answer, from 0.
        message: The model's turn, ready to be put into the next request.
        finish_reason: stop, length, tool_calls, content_filter, or the provider's own word; None if it gave none.
        logprobs: One entry a token, if they were asked for.
        extra: The provider's further fields of this answer.
    """

    index: int = 0
    message: Message
    finish_reason: str | None = None
    logprobs: tuple[TokenLogprob, ...] | None = None
    extra: Mapping[str, Any] = attrs.field(factory=dict, eq=False, repr=False)


@frozen(kw_only=True)
class ChatResponse(Answer):
    """The answer to a chat.

    Attributes:
        id: The provider's id of the answer.
        model: The model that answered, as the provider names it.
        choices: One per answer; usually one.
        usage: Tokens used.
        extra: The provider's further top-level fields.
    """

    id: str | None = None
    model: str | None = None
    choices: tuple[Choice, ...]
    usage: Usage = UNKNOWN_USAGE
    extra: Mapping[str, Any] = attrs.field(factory=dict, eq=False, repr=False)

    @property
    def message(self) -> Message:
        """The first choice's message."""
        return self.choices[0].message

    @property
    def text(self) -> str:
        """The first choice's text."""
        return self.choices[0].message.text

    @property
    def reasoning(self) -> str | None:
        """The first choice's visible reasoning."""
        return self.choices[0].message.reasoning

    @property
    def tool_calls(self) -> tuple[ToolCall, ...]:
        """The first choice's tool calls."""
        return self.choices[0].message.tool_calls

    @property
    def finish_reason(self) -> str | None:
        """Why the first choice ended."""
        return self.choices[0].finish_reason

    def _repr_markdown_(self) -> str:
        from . import _shown  # noqa: PLC0415 - only notebooks ask

        return _shown.answer(self)
