"""The part of the contract that is about runs: what a model asks for is called, and goes back to it."""

from __future__ import annotations

import inspect
import json
from collections.abc import Iterable
from typing import Any, ClassVar, cast

import pytest

from ipfs_accel import Client, Tool
from ipfs_accel.types import RoundEnd, RunResult, ToolCall, ToolEnd, ToolStart

from .faults import PATIENCE
from .trials import Exchange, Subject, World, replying

__all__ = ["RunContract"]

RESULT = "seventeen, as the tool says"
_OPTIONS: dict[str, Any] = {"max_tokens": 99, "max_rounds": 3}


class RunContract:
    """Runs, for backends that show a chat with a call of a tool, and one without."""

    exchanges: ClassVar[tuple[Exchange, ...]]

    def test_a_run_calls_what_the_model_asks_for(self, side: World) -> None:
        """The model's turn and the results go back to it, and what it then says is the answer."""
        subject, asks, ends = self._exchanges("chat")
        called: list[str] = []
        tools = _tools(subject, asks, called)
        with replying(subject, *asks.replies, *ends.replies) as server:
            exchange = Exchange(
                operation="chat",
                call=lambda client, at: client.run(f"{at}/m", "q", tools=tools, **_OPTIONS),
                replies=asks.replies,
            )
            result: RunResult[None] = subject.run(side, exchange, server.url).answer
            last = server.bodies[-1]
        _check(result, called)
        assert json.dumps(RESULT).strip('"') in last.decode()

    def test_a_run_calls_it_while_it_streams(self) -> None:
        """The same in the events of both rounds, and of the calls between them."""
        subject, asks, ends = self._exchanges("stream")
        called: list[str] = []
        tools = _tools(subject, asks, called)
        with (
            replying(subject, *asks.replies, *ends.replies) as server,
            subject.client(Client, server.url, PATIENCE) as client,
            client.stream_run(f"{subject.info.name}/m", "q", tools=tools, **_OPTIONS) as stream,
        ):
            told = [event for event in stream if isinstance(event, RoundEnd | ToolStart | ToolEnd)]
            last = server.bodies[-1]
        _check(stream.result, called)
        assert [type(event) for event in told] == [
            RoundEnd,
            *[ToolStart] * len(called),
            *[ToolEnd] * len(called),
            RoundEnd,
        ]
        assert json.dumps(RESULT).strip('"') in last.decode()

    def _exchanges(self, operation: str) -> tuple[Subject, Exchange, Exchange]:
        subject: Subject = cast("Any", self).subject()
        known = [(each, _calls(subject, each)) for each in self.exchanges if each.operation == operation]
        asks = next((each for each, calls in known if calls), None)
        ends = next((each for each, calls in known if not calls), None)
        if asks is None or ends is None:
            pytest.skip(f"no exchange of {operation!r} has a call of a tool, or none is without")
        return subject, asks, ends


def _calls(subject: Subject, exchange: Exchange) -> tuple[ToolCall, ...]:
    with replying(subject, *exchange.replies) as server:
        answer = subject.run("sync", exchange, server.url).answer
    return tuple(answer.tool_calls)


def _tools(subject: Subject, exchange: Exchange, called: list[str]) -> list[Tool]:
    """Return tools by the names and with the arguments that the model will call."""
    by_name = {call.name: call.parse_arguments() for call in _calls(subject, exchange)}
    return [_tool(name, arguments, called) for name, arguments in by_name.items()]


def _tool(name: str, arguments: Iterable[str], called: list[str]) -> Tool:
    def function(**_values: Any) -> str:
        called.append(name)
        return RESULT

    taken: Any = function
    taken.__signature__ = inspect.Signature(
        [inspect.Parameter(each, inspect.Parameter.KEYWORD_ONLY, annotation=Any) for each in arguments]
    )
    taken.__annotations__ = dict.fromkeys(arguments, Any)
    return Tool.of(function, name=name, description="d")


def _check(result: RunResult[None], called: list[str]) -> None:
    assert result.rounds == 2  # noqa: PLR2004 - it asks for tools, and then answers
    assert result.stopped is None
    assert [(each.outcome, each.call.name) for each in result.tool_runs] == [("done", name) for name in called]
    assert called
    assert result.messages[-1] == result.response.message
