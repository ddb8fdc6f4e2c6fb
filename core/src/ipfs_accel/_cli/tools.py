"""`chat --tools`: the functions of a file as tools, each call shown and asked for."""

from __future__ import annotations

import importlib.util
import inspect
import json
import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from types import ModuleType
from typing import Any

import attrs
import click

from ipfs_accel._client.clients import Client
from ipfs_accel._convert.texts import tool_of
from ipfs_accel.errors import InvalidRequestError, UnsupportedOperationError
from ipfs_accel.types import (
    BlockEnd,
    Message,
    RoundEnd,
    RunEvent,
    RunResult,
    StreamEvent,
    Text,
    Tool,
    ToolCall,
    ToolEnd,
    ToolRun,
    ToolStart,
)

from .arguments import stdin_is_terminal
from .command import State
from .live import Printer
from .output import clean, styled, write

__all__ = ["Toolkit", "load"]

_SHOWN = 300


@attrs.frozen
class Toolkit:
    """What a model may call.

    Attributes:
        tools: The functions.
        asks: Whether each call is asked for.
    """

    tools: tuple[Tool, ...]
    asks: bool

    def run(
        self, client: Client, model: str | None, messages: list[Message], options: dict[str, Any]
    ) -> RunResult[Any]:
        """Run and show nothing."""
        return client.run(model, messages, tools=self.tools, approve=self._approve, **options)

    def shown(
        self, client: Client, model: str | None, messages: list[Message], options: dict[str, Any], printer: Printer
    ) -> RunResult[Any]:
        """Run and show what is said while it comes, and each call with what it gave."""
        try:
            with client.stream_run(model, messages, tools=self.tools, approve=self._approve, **options) as stream:
                printer.show(self._of_answers(stream, printer))
                return stream.result
        except UnsupportedOperationError:
            result = self.run(client, model, messages, options)
            for each in result.tool_runs:
                self._tell(each, printer.state)
            printer.message(attrs.evolve(result.response.message, content=(Text(text=result.text),)))
            return result

    def _of_answers(self, events: Iterable[RunEvent], printer: Printer) -> Iterator[StreamEvent]:
        """Show what calls gave, and pass on what is the model's to say."""
        for event in events:
            if isinstance(event, ToolEnd):
                self._tell(event.run, printer.state)
            elif isinstance(event, RoundEnd):
                printer.end_line()
            elif not isinstance(event, ToolStart) and not (
                isinstance(event, BlockEnd) and isinstance(event.part, ToolCall)
            ):
                yield event

    def _tell(self, run: ToolRun, state: State) -> None:
        text = "".join([part.text for part in run.result.content if isinstance(part, Text)])
        cut = text if len(text) <= _SHOWN else f"{text[:_SHOWN]}…"
        line = f"{written(run.call)} {'→' if run.outcome == 'done' else run.outcome + ':'} {cut}"
        write(styled(state, clean(line), dim=True) + "\n", err=True)

    def _approve(self, call: ToolCall) -> bool:
        if not self.asks:
            return True
        return click.confirm(clean(f"call {written(call)}?"), default=False, err=True)


def written(call: ToolCall) -> str:
    """Return a call as it would stand in a program."""
    try:
        arguments = json.loads(call.arguments or "{}")
    except ValueError:
        return f"{call.name}({call.arguments})"
    if not isinstance(arguments, dict):
        return f"{call.name}({call.arguments})"
    return f"{call.name}({', '.join([f'{name}={value!r}' for name, value in arguments.items()])})"


def load(path: str, *, asks: bool) -> Toolkit:
    """Return the tools of a file of Python: what its `__all__` names, else its public functions and `Tool`s.

    Raises:
        InvalidRequestError: There is no such file, it does not run, or there is nothing in it.
    """
    if asks and not stdin_is_terminal():
        raise InvalidRequestError(
            "--tools asks before each call, and nobody is there to answer", hint="pass --yes to have all calls made"
        )
    module = _module(Path(path).expanduser(), path)
    named = getattr(module, "__all__", None)
    found = [_member(module, name, path) for name in named] if named is not None else _public(module)
    tools = [tool_of(each, f"--tools {path}") for each in found if isinstance(each, Tool) or inspect.isroutine(each)]
    if not tools:
        raise InvalidRequestError(f"--tools {path}: there is no public function in it")
    return Toolkit(tuple([attrs.evolve(each, needs_approval=asks) for each in tools]), asks)


def _member(module: ModuleType, name: str, path: str) -> Any:
    try:
        return getattr(module, name)
    except AttributeError:
        raise InvalidRequestError(f"--tools {path}: __all__ names {name!r}, which is not in it") from None


def _public(module: ModuleType) -> list[Any]:
    return [
        value
        for name, value in vars(module).items()
        if not name.startswith("_")
        and (isinstance(value, Tool) or getattr(value, "__module__", None) == module.__name__)
    ]


def _module(path: Path, given: str) -> ModuleType:
    if not path.is_file():
        raise InvalidRequestError(f"--tools {given}: there is no such file")
    name = f"ipfs_accel_tools_{path.stem}"
    spec = importlib.util.spec_from_file_location(name, path)
    if spec is None or spec.loader is None:
        raise InvalidRequestError(f"--tools {given}: it is no file of Python", hint="give one whose name ends in .py")
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module  # where annotations that are texts are looked up
    try:
        with _beside(path):
            spec.loader.exec_module(module)
    except (Exception, SystemExit) as error:  # a file that ends the program is no answer
        raise InvalidRequestError(f"--tools {given}: {type(error).__name__}: {error}") from error
    return module


@contextmanager
def _beside(path: Path) -> Iterator[None]:
    """Let a file import its neighbours while it is loaded, as `python FILE` does."""
    folder = str(path.resolve().parent)
    sys.path.insert(0, folder)
    try:
        yield
    finally:
        with suppress(ValueError):  # the file may have taken it out
            sys.path.remove(folder)
