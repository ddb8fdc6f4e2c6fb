"""Batches: many requests that a provider works off within hours, for less money."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal, TypeAlias

import attrs

from ipfs_accel._values import frozen

from ._answers import Answer
from ._requests import ChatRequest, Request
from ._text_requests import CompletionRequest, EmbedRequest

BatchStatus: TypeAlias = Literal[
    "validating", "in_progress", "finalizing", "completed", "failed", "expired", "cancelling", "cancelled"
]
_OVER = {"completed", "failed", "expired", "cancelled"}


@frozen(kw_only=True)
class BatchItem:
    """One request of a batch.

    Attributes:
        id: The caller's own, unique in the batch; results come in any order and are told apart by it.
        request: A chat, a completion or texts to embed; all of one batch are of the same kind.
    """

    id: str
    request: ChatRequest | CompletionRequest | EmbedRequest


@frozen(kw_only=True)
class BatchRequest(Request):
    """Requests to work off later.

    Attributes:
        items: At least one, all of one kind.
        completion_window: How long it may take, in the provider's words, such as 24h.
        metadata: The caller's own notes, kept with the batch.
    """

    items: tuple[BatchItem, ...]
    completion_window: str | None = None
    metadata: Mapping[str, str] | None = None


@frozen(kw_only=True)
class Batch(Answer):
    """The state of a batch.

    Attributes:
        id: The provider's.
        status: Where it is; `completed` says that there are results, not that every request succeeded.
        created: Seconds since 1970; so are the others.
        ended: When it was over.
        expires: When the provider gives up (before the end) or deletes the results (after it).
        total: Number of requests.
        succeeded: Of those.
        failed: Likewise; expired and cancelled ones included where the provider tells.
        errors: Why the batch as a whole failed.
        metadata: The caller's notes.
    """

    id: str
    status: BatchStatus
    created: float | None = None
    ended: float | None = None
    expires: float | None = None
    total: int | None = None
    succeeded: int | None = None
    failed: int | None = None
    errors: tuple[str, ...] = ()
    metadata: Mapping[str, str] = attrs.field(factory=dict)

    @property
    def is_over(self) -> bool:
        """Whether its state will not change any more."""
        return self.status in _OVER


@frozen(kw_only=True)
class BatchResult:
    """What became of one request of a batch; an event of `batch_results`.

    Attributes:
        id: The caller's.
        response: The answer, if it succeeded: what the same call outside of a batch would have given.
        error: Why not, if it did not: the `AccelError` that the same call would have raised.
    """

    id: str
    response: Answer | None = None
    error: Exception | None = None


@frozen(kw_only=True)
class BatchSummary(Answer):
    """The end of a batch's results.

    Attributes:
        succeeded: How many requests were answered.
        failed: How many were not.
    """

    succeeded: int
    failed: int


@frozen(kw_only=True)
class BatchReport:
    """How far a run over many rows is, or how it ended.

    Attributes:
        output: The path of the output.
        rows: How many rows the input has.
        succeeded: How many have an answer, in whichever process.
        failed: How many have an error instead.
        failures: How many failed, by the class of the error.
        unreadable: Rows of the input that are no rows, which fail when it is their turn.
        input_tokens: Of all rows, as far as was told; so the next.
        output_tokens: Likewise.
        cost: US dollars; None if that of any row is not known.
        maybe_paid_twice: Rows for which more than one answer may have been paid: they were under way when a process
            ended, or an attempt may have been served without an answer that came.
        answered: Rows that this process has brought to an end.
        under_way: Rows that it has asked for and that have none.
        seconds: Since it began.
        ended: Why no more rows are asked for: complete, stopped, failed, max_cost or max_failures; None while they are.
    """

    output: str
    rows: int
    succeeded: int = 0
    failed: int = 0
    failures: Mapping[str, int] = attrs.field(factory=dict)
    unreadable: int = 0
    input_tokens: int = 0
    output_tokens: int = 0
    cost: float | None = None
    maybe_paid_twice: int = 0
    answered: int = 0
    under_way: int = 0
    seconds: float = 0.0
    ended: Literal["complete", "stopped", "failed", "max_cost", "max_failures"] | None = None

    @property
    def left(self) -> int:
        """How many rows have neither an answer nor an error."""
        return self.rows - self.succeeded - self.failed

    @property
    def rows_per_second(self) -> float:
        """How many rows this process brings to an end, on average."""
        return self.answered / self.seconds if self.seconds else 0.0

    @property
    def seconds_left(self) -> float | None:
        """How long the rest takes at this rate; None while there is none."""
        return self.left / self.rows_per_second if self.answered else None
