"""Runs: a model is asked, calls tools, is told what they gave, and is asked again until it has its answer."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import attrs

from ipfs_accel._config.seconds import Ceiling, is_seconds, wrong_limit
from ipfs_accel._convert.messages import checked_messages
from ipfs_accel._convert.texts import tools_of
from ipfs_accel._suggest import short
from ipfs_accel._telemetry.pricing import cost_of
from ipfs_accel._worlds.effects import Steps
from ipfs_accel._worlds.work import Job, Work
from ipfs_accel.errors import AccelError, APITimeoutError, InvalidRequestError
from ipfs_accel.types import ChatResponse, Message, RunResult, Timeout, ToolRun, Usage
from ipfs_accel.wire.several import added

from . import operations as ops
from .routes import targets_of
from .toolbox import Toolbox, refuse_awaitable, sendable

if TYPE_CHECKING:
    from ipfs_accel.types import ToolCall
    from ipfs_accel.types._run import Stopped

    from .core import Core

__all__ = ["Loop", "Pending", "run"]

DENIED = "This call was not allowed by the user."
TOO_LATE = "The tool did not finish within the time that there was."
_FORCED = "auto"
_SHORTEST = 0.001


@attrs.frozen
class Pending:
    """A call that a model asks for: its arguments as values, or why it cannot be made."""

    call: ToolCall
    job: Job | None
    refusal: str | None = None


class Loop:
    """What a run knows between its rounds. Knows neither world."""

    def __init__(self, core: Core, model: Any, messages: Any, settings: dict[str, Any], *, is_async: bool) -> None:
        self.core = core
        self._model = model
        self._messages = list(checked_messages(messages))
        self._tools = Toolbox(tools_of(settings.pop("tools", None)), is_async=is_async)
        self._rounds = _limit("max_rounds", settings.pop("max_rounds", 8), (int,))
        self._seconds = _limit_or_none("max_seconds", settings.pop("max_seconds", None))
        self._cost_limit = _limit_or_none("max_cost", settings.pop("max_cost", None))
        self._approve = self._tools.approval(settings.pop("approve", None))
        self._options = settings
        self._began = core.clock.now()
        self._runs: list[ToolRun] = []
        self._round = 0
        self._usage: Usage | None = None
        self._cost: float | None = 0.0
        self._answer: ChatResponse | None = None
        self._stopped: Stopped | None = None

    # asking

    @property
    def round(self) -> int:
        """How often the model has answered."""
        return self._round

    def begin(self) -> Steps[None]:
        """Refuse a limit of money that could not be kept.

        Raises:
            InvalidRequestError: The price of a model is unknown.
        """
        if self._cost_limit is None:
            return
        for endpoint, model in targets_of(self.core, self._model):
            target = yield from self.core.target(endpoint)
            tried = ChatResponse(choices=(), usage=Usage(input_tokens=1, output_tokens=1))
            if cost_of(target, model, None, tried) is None:
                raise InvalidRequestError(
                    f"max_cost: the price of {endpoint}/{model} is not known",
                    hint="say it in the configuration, under models of the endpoint, or limit max_rounds instead",
                    endpoint=endpoint,
                    model=model,
                )

    def asking(self) -> tuple[Any, tuple[Message, ...], dict[str, Any]]:
        """Return the arguments of the next question: model, messages, options."""
        options = dict(self._options)
        if self._tools.sent:
            options["tools"] = self._tools.sent
        if self._round and options.get("tool_choice") not in {None, "auto", "none"}:
            options["tool_choice"] = _FORCED  # it was forced to begin so, and would never end
        left = self._left()
        if left is not None:
            options["timeout"] = _shorter(options.get("timeout"), left)
        return self._model, tuple(self._messages), options

    def _left(self) -> float | None:
        return None if self._seconds is None else max(0.0, self._began + self._seconds - self.core.clock.now())

    # what is answered

    def after(self, answer: ChatResponse) -> list[Pending]:
        """Take an answer, and return the calls to make; none if the run is over."""
        self._round += 1
        self._answer = answer
        self._messages.append(sendable(answer.message) if answer.tool_calls else answer.message)
        self._usage = answer.usage if self._usage is None else added([self._usage, answer.usage])
        self._cost = None if None in (self._cost, answer.cost) else self._cost + answer.cost  # type: ignore[operator]
        calls = answer.tool_calls
        if calls and self._stops():
            return []
        return [Pending(call, *self._tools.job(call)) for call in calls]

    def _stops(self) -> bool:
        """Whether a limit ends the run though the model wants to go on."""
        if self._cost_limit is not None and (self._cost is None or self._cost >= self._cost_limit):
            self._stopped = "money"
        elif self._round >= self._rounds:
            self._stopped = "rounds"
        elif self._left() == 0:
            self._stopped = "time"
        return self._stopped is not None

    def late(self, error: AccelError) -> bool:
        """Whether an error says that the time of the run is over, which then ends with what it has."""
        is_over = self._answer is not None and isinstance(error, APITimeoutError) and self._left() == 0
        if is_over:
            self._stopped = "time"
        else:
            error.run = self.result() if self._answer is not None else None
        return is_over

    def work(self, pending: Sequence[Pending]) -> Steps[list[ToolRun]]:
        """Make calls side by side, those that need approval once that is given.

        Raises:
            InvalidRequestError: A tool returned what has no form for models.
        """
        allowed: dict[int, Job] = {}
        made: dict[int, ToolRun] = {}
        for index, each in enumerate(pending):
            if each.job is None:
                made[index] = self._made(each.call, each.refusal or "", "failed")
            elif (yield from self._is_allowed(each.call)):
                allowed[index] = each.job
            else:
                made[index] = self._made(each.call, DENIED, "refused")
        outcomes = yield Work([*allowed.values()], self._left())
        for index, outcome in zip(allowed, outcomes, strict=True):
            each = pending[index]
            if outcome.is_late:
                done = self._made(each.call, TOO_LATE, "late", seconds=outcome.seconds)
            elif outcome.error is not None:
                said = f"{type(outcome.error).__name__}: {outcome.error}"
                done = self._made(each.call, said, "failed", error=outcome.error, seconds=outcome.seconds)
            else:
                content = self._tools.content(each.call.name, outcome.value)
                done = self._made(each.call, content, "done", seconds=outcome.seconds)
            made[index] = done
        found = [made[index] for index in range(len(pending))]
        self._runs += found
        self._messages += [Message(role="tool", content=(each.result,)) for each in found]
        if any(each.outcome == "late" for each in found):
            self._stopped = "time"
        return found

    def _is_allowed(self, call: ToolCall) -> Steps[bool]:
        if self._approve is None or not self._tools.asks(call.name):
            return True
        (outcome,) = yield Work([self._approve(call)])
        if outcome.error is not None:
            raise outcome.error
        refuse_awaitable("approve", outcome.value)
        return bool(outcome.value)

    def _made(self, call: ToolCall, content: Any, outcome: Any, **more: Any) -> ToolRun:
        message = Message.tool(call.id, content, is_error=outcome != "done")
        (result,) = message.content
        return ToolRun(round=self._round, call=call, result=result, outcome=outcome, **more)  # type: ignore[arg-type]

    @property
    def is_stopped(self) -> bool:
        """Whether a limit has ended the run."""
        return self._stopped is not None

    def result(self) -> RunResult[Any]:
        """Return what the run has come to; there is an answer."""
        assert self._answer is not None  # noqa: S101 - who asks has had one
        return RunResult(
            response=self._answer,
            messages=tuple(self._messages),
            rounds=self._round,
            tool_runs=tuple(self._runs),
            usage=self._usage or Usage(),
            cost=self._cost,
            stopped=self._stopped,
        )


def run(loop: Loop) -> Steps[RunResult[Any]]:
    """Ask and call until the model has its answer, or a limit ends it.

    Raises:
        AccelError: A question failed; `run` of the error is what had come of it.
    """
    yield from loop.begin()
    while True:
        model, messages, options = loop.asking()
        try:
            answer: ChatResponse = yield from loop.core.whole(ops.CHAT, model, messages, options)
            pending = loop.after(answer)
            if not pending:
                return loop.result()
            yield from loop.work(pending)
        except AccelError as error:
            if not loop.late(error):
                raise
        if loop.is_stopped:
            return loop.result()


def _limit(name: str, value: Any, kinds: tuple[type[Any], ...]) -> Any:
    if not isinstance(value, kinds) or isinstance(value, bool) or not value > 0:  # nor NaN
        raise InvalidRequestError(f"{name}: expected a number above 0, got {short(value)}")
    return value


def _limit_or_none(name: str, value: Any) -> Any:
    return None if value is None else _limit(name, value, (int, float))


def _shorter(timeout: Any, left: float) -> Any:
    """Return the time limits of a question that may not last longer than the run; wrong ones as they are."""
    left = max(left, _SHORTEST)
    if isinstance(timeout, Timeout):
        if wrong_limit(timeout) is not None:
            return timeout
        return attrs.evolve(timeout, total=left if timeout.total is None else min(left, timeout.total))
    if timeout is None:
        return Ceiling(left)
    return min(left, timeout) if is_seconds(timeout) else timeout
