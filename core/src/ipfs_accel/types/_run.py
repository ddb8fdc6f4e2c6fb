"""Conversations in which a model calls tools until it has its answer."""

from __future__ import annotations

import functools
from typing import Any, Generic, Literal, TypeAlias, TypeVar

import attrs

from ipfs_accel._values import frozen

from ._answers import ChatResponse
from ._events import StreamEvent
from ._messages import Message, ToolCall, ToolResult
from ._parsed import ParsedResponse
from ._usage import Usage

__all__ = ["RoundEnd", "RunEvent", "RunResult", "Stopped", "ToolEnd", "ToolRun", "ToolStart"]

T = TypeVar("T")

Stopped: TypeAlias = Literal["rounds", "time", "money"]
"""Which limit ended a run before the model had its answer."""


@frozen(kw_only=True)
class ToolRun:
    """One call of a tool, and what became of it.

    Attributes:
        round: Of the run, from 1.
        call: What the model asked for.
        result: What it was told.
        outcome: done; failed, where the tool raised or could not be called so; refused, by who was asked for approval;
            late, where it was still at work when the time was over, and may be so still.
        error: What the tool raised, where it did. In a pickle, one that cannot be read back from there is an Exception
            with the name of its type and its text.
        seconds: How long it took.
    """

    round: int
    call: ToolCall
    result: ToolResult
    outcome: Literal["done", "failed", "refused", "late"]
    error: Exception | None = None
    seconds: float = 0.0

    def __reduce__(self) -> tuple[Any, ...]:
        state = attrs.asdict(self, recurse=False)
        return functools.partial(type(self), **state | {"error": _picklable(self.error)}), ()


def _picklable(error: Exception | None) -> Exception | None:
    """Return what of an error can be read from a pickle: others raise whatever they like, some of them only then."""
    import pickle  # noqa: PLC0415 - who gets here has it, and others do not need it

    try:
        pickle.loads(pickle.dumps(error))  # noqa: S301 - its own
    except Exception:  # noqa: BLE001 - as above
        return Exception(f"{type(error).__name__}: {error}")
    return error


@frozen(kw_only=True)
class RunResult(Generic[T]):
    """What a run came to.

    Attributes:
        response: The model's last answer.
        messages: The whole conversation: what was given, what the model said, and the results of tools.
        rounds: How often the model was asked.
        tool_runs: Every call of a tool, in the order in which the model asked for them.
        usage: Tokens of all rounds together.
        cost: US dollars of all rounds together; None where anything of it is unknown. What tools cost is not in it.
        stopped: Which limit ended the run, and not the model; None if the answer is there.
    """

    response: ChatResponse
    messages: tuple[Message, ...]
    rounds: int
    tool_runs: tuple[ToolRun, ...] = ()
    usage: Usage = Usage()
    cost: float | None = None
    stopped: Stopped | None = None

    @property
    def text(self) -> str:
        """What the model said last."""
        return self.response.text

    @property
    def parsed(self) -> T:
        """The value of the last answer, if a type was asked for.

        Raises:
            ValueError: There is none: no type was asked for, or a limit ended the run.
        """
        if self.stopped is not None:
            raise ValueError(f"there is no value: the limit of {self.stopped} ended the run before the answer")
        if not isinstance(self.response, ParsedResponse):
            raise ValueError("there is no value: the run was given no type as response_format")  # noqa: TRY004
        return self.response.parsed  # type: ignore[no-any-return]


@frozen(kw_only=True)
class ToolStart:
    """A tool is about to be called, and asked for where it needs approval.

    Attributes:
        round: Of the run, from 1.
        call: What the model asks for.
    """

    round: int
    call: ToolCall


@frozen(kw_only=True)
class ToolEnd:
    """A tool has been called.

    Attributes:
        run: The call, and what became of it.
    """

    run: ToolRun


@frozen(kw_only=True)
class RoundEnd:
    """The model has said what it has to say; the tools that it asks for are called next, if it does.

    Attributes:
        round: Of the run, from 1.
        response: The answer of the round.
    """

    round: int
    response: ChatResponse


RunEvent: TypeAlias = StreamEvent | RoundEnd | ToolStart | ToolEnd
