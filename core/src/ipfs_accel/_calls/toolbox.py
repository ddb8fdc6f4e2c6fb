"""The tools of a run: functions by their names, calls of them from what a model says, and what they return for it."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import attrs

from ipfs_accel import strict_json
from ipfs_accel._suggest import did_you_mean
from ipfs_accel._typed.faults import MisfitError, listed
from ipfs_accel._typed.functions import Function
from ipfs_accel._typed.plain import plain
from ipfs_accel._worlds.work import Job
from ipfs_accel.errors import InvalidRequestError
from ipfs_accel.types import Audio, Document, Image, Text, ToolCall
from ipfs_accel.wire import schema_check

if TYPE_CHECKING:
    from ipfs_accel.types import Message, Part, Tool

__all__ = ["Toolbox", "refuse_awaitable", "sendable"]

_WRONG = "INVALID_JSON"
"""Where arguments go back that are no object; Anthropic's name for it ("Fine-grained tool streaming")."""


def refuse_awaitable(who: str, value: Any) -> None:
    """Refuse what nobody awaits where nothing is awaited: it says neither yes nor no, and is no answer.

    Raises:
        InvalidRequestError: It has to be awaited.
    """
    if inspect.isawaitable(value):
        if inspect.iscoroutine(value):
            value.close()
        raise InvalidRequestError(f"{who} returned what has to be awaited", hint="use AsyncClient, or a plain function")


def sendable(message: Message) -> Message:
    """Return a model's turn as any provider takes it back: many take only an object as the arguments of a call."""
    return attrs.evolve(message, content=tuple([_sendable(part) for part in message.content]))


def _sendable(part: Part) -> Part:
    if isinstance(part, ToolCall):
        try:
            part.parse_arguments()
        except ValueError:
            return attrs.evolve(part, arguments=strict_json.dumps({_WRONG: part.arguments}).decode())
    return part


class Toolbox:
    """What a run may call.

    Attributes:
        sent: The tools, in order; requests are made of them without their functions.
    """

    def __init__(self, tools: Sequence[Tool], *, is_async: bool) -> None:
        self._tools: dict[str, Tool] = {}
        self._functions: dict[str, Function] = {}
        self._is_async = is_async
        for index, tool in enumerate(tools):
            self._add(tool, f"tools[{index}]")
        self.sent = tuple(tools)

    def _add(self, tool: Tool, where: str) -> None:
        if tool.function is None:
            raise InvalidRequestError(
                f"{where}: {tool.name!r} has no function to call",
                hint="give the function itself, or Tool(…, function=f)",
            )
        if tool.name in self._tools:
            raise InvalidRequestError(f"{where}: there is another tool with the name {tool.name!r}")
        function = Function(tool.function, tool.name)
        if function.is_async and not self._is_async:
            raise InvalidRequestError(
                f"{where}: {tool.name!r} has to be awaited", hint="use AsyncClient, or a plain function"
            )
        if function.has_keywords:
            schema_check.require(f"{where}: to check the bounds of its arguments")
            schema_check.refuse_wrong(function.parameters, where)
        self._tools[tool.name], self._functions[tool.name] = tool, function

    def approval(self, approve: Any) -> Callable[[ToolCall], Job] | None:
        """Return what asks whether a call may be made; None if no tool needs that.

        Raises:
            InvalidRequestError: A tool needs it, and there is nobody to ask.
        """
        asking = [name for name, tool in self._tools.items() if tool.needs_approval]
        if approve is not None and not callable(approve):
            raise InvalidRequestError(f"approve: expected a function, got {type(approve).__name__}")
        if not asking:
            return None
        if approve is None:
            raise InvalidRequestError(
                f"approve: the tool {asking[0]!r} needs approval, and nobody is asked",
                hint="pass approve=function, which is given the ToolCall and returns whether it may be made",
            )
        is_async = inspect.iscoroutinefunction(approve)
        if is_async and not self._is_async:
            raise InvalidRequestError(
                "approve: the function has to be awaited", hint="use AsyncClient, or a plain function"
            )
        return lambda call: Job(functools.partial(approve, call), is_async=is_async)

    def asks(self, name: str) -> bool:
        """Whether a tool needs approval."""
        return self._tools[name].needs_approval

    def job(self, call: ToolCall) -> tuple[Job | None, str | None]:
        """Return what makes a call, or else what to tell the model, so that it can mend it."""
        function = self._functions.get(call.name)
        if function is None:
            hint = did_you_mean(call.name, self._functions)
            return None, f"There is no tool {call.name!r}; " + (hint or f"there are: {', '.join(self._functions)}")
        try:
            given = function.given(call.arguments)
            values = function.values(given)
            if function.has_keywords:
                faults = schema_check.faults(given, function.parameters)
                if faults:
                    raise MisfitError(faults)
        except schema_check.UncheckableError as why:
            raise InvalidRequestError(f"the tool {call.name!r}: its arguments cannot be checked: {why}") from None
        except MisfitError as misfit:
            told = listed(misfit.faults)
            return None, f"The arguments do not fit the tool's parameters; it was not called:\n{told}"
        return Job(functools.partial(function, values), is_async=function.is_async), None

    def content(self, name: str, value: Any) -> Any:
        """Return what a tool gave as what models read: text, parts of messages, or anything else as JSON.

        Raises:
            InvalidRequestError: It has no form.
        """
        refuse_awaitable(f"the tool {name!r}", value)
        media = Text | Image | Audio | Document
        if isinstance(value, str):
            return value
        if isinstance(value, media):
            return [value]
        is_all_said = isinstance(value, list | tuple) and all(isinstance(each, str | media) for each in value)
        if is_all_said and any(isinstance(each, media) for each in value):
            return list(value)
        try:
            return strict_json.dumps(plain(value)).decode()
        except (TypeError, ValueError, RecursionError) as error:
            raise InvalidRequestError(
                f"the tool {name!r} returned what a model cannot be told: {error}",
                hint="return text, what JSON is made of, dataclasses and the like, or parts such as Image",
            ) from None
