"""`ipfs-accel chat --interactive`: a conversation on a terminal, or with lines that are piped in."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path

import attrs

from ipfs_accel._client.clients import Client
from ipfs_accel._suggest import did_you_mean
from ipfs_accel.errors import AccelError, InvalidRequestError
from ipfs_accel.types import Message, Part

from . import failures
from .arguments import stdin_is_terminal
from .ask import Ask, Interrupted
from .command import State
from .output import is_terminal, write
from .values import plain

__all__ = ["Repl"]

PROMPT = "> "
QUOTES = '"""'

HELP = '''\
.exit           end (so does Ctrl-D)
.clear          forget the conversation
.model [NAME]   tell or change the model
.system [TEXT]  tell or change the instructions
.save FILE      write the conversation to a new file, as JSON
.help           show this list
"""             begin a text of several lines; the same ends it
Ctrl-C stops an answer and keeps what came of it.
'''


class Repl:
    """A conversation: what was said, and the commands that begin with a dot."""

    def __init__(self, client: Client, ask: Ask, state: State, system: str | None) -> None:
        self._client = client
        self._ask = ask
        self._state = state
        self._system = system
        self._history: list[Message] = []
        self._is_terminal = stdin_is_terminal()
        self._commands: dict[str, Callable[[str], None]] = {
            "clear": self._clear,
            "model": self._set_model,
            "system": self._set_system,
            "save": self._save,
            "help": lambda _text: self._say(HELP),
        }

    def run(self, first: str, attachments: Sequence[Part]) -> None:
        """Talk until the input ends.

        Args:
            first: What to ask before reading any input; may be empty.
            attachments: Parts that go with the first question.
        """
        if self._is_terminal:
            with suppress(ImportError):
                import readline  # noqa: F401, PLC0415 - gives input() its editing keys; absent on some platforms
            if not self._state.quiet:
                self._say(".help lists the commands, Ctrl-D ends.\n")
        text: str | None = first
        while text is not None:
            command, _, argument = text.removeprefix(".").partition(" ")
            if text.startswith(".") and command in {"exit", "quit"}:
                return
            if text.startswith("."):
                self._guard(self._perform, command, argument.strip())
            elif text or attachments:
                self._guard(self._turn, text, attachments)
                attachments = ()
            text = self._read()

    def _guard(self, step: Callable[..., None], *arguments: object) -> None:
        """On a terminal an error ends no conversation; in a pipe nobody could react to it."""
        try:
            step(*arguments)
        except (AccelError, OSError) as error:
            if not self._is_terminal or isinstance(error, BrokenPipeError):
                raise
            failures.show(error, self._state)

    def _turn(self, text: str, attachments: Sequence[Part]) -> None:
        question = Message.user(*attachments, text)
        system = [Message.system(self._system)] if self._system else []
        try:
            said = self._ask.shown(self._client, [*system, *self._history, question], self._state)
        except Interrupted as stopped:
            if not self._is_terminal:
                raise
            said = [] if stopped.partial is None else [stopped.partial.message]
            self._say("(stopped)\n")
        except KeyboardInterrupt:
            if not self._is_terminal:
                raise
            self._say("(stopped)\n")
            return
        if said:
            self._history += [question, *said]

    def _read(self) -> str | None:
        """Return the next line, or the next text between triple quotes; None at the end."""
        line = self._read_line(PROMPT)
        if line is None or not line.startswith(QUOTES):
            return line
        lines = [line.removeprefix(QUOTES)]
        while not lines[-1].rstrip().endswith(QUOTES):
            line = self._read_line("")
            if line is None:
                break
            lines.append(line)
        return "\n".join(lines).rstrip().removesuffix(QUOTES).strip("\n")

    def _read_line(self, prompt: str) -> str | None:
        while True:
            try:
                if self._is_terminal and is_terminal():
                    return input(prompt).strip()
                if self._is_terminal:
                    self._say(prompt)
                line = sys.stdin.readline() if sys.stdin is not None else ""
                return line.strip() if line else None
            except EOFError:
                self._say("\n")
                return None
            except KeyboardInterrupt:
                if not self._is_terminal:
                    raise
                self._say("\n(Ctrl-D ends)\n")

    def _perform(self, command: str, argument: str) -> None:
        perform = self._commands.get(command)
        if perform is None:
            raise InvalidRequestError(
                f"there is no command .{command}", hint=did_you_mean(command, ["exit", *self._commands])
            )
        perform(argument)

    def _clear(self, _text: str) -> None:
        self._history.clear()

    def _set_model(self, name: str) -> None:
        if name:
            self._ask = attrs.evolve(self._ask, model=name)
        self._say(f"model: {self._ask.model or self._client.config.default_model}\n")

    def _set_system(self, text: str) -> None:
        self._system = text or self._system
        self._say(f"system: {self._system or '(none)'}\n")

    def _save(self, name: str) -> None:
        if not name:
            raise InvalidRequestError(".save needs the name of a file")
        system = [Message.system(self._system)] if self._system else []
        document = {
            "model": self._ask.model or self._client.config.default_model,
            "messages": plain([*system, *self._history]),
        }
        try:
            with Path(name).expanduser().open("x", encoding="utf-8") as file:
                json.dump(document, file, ensure_ascii=False, indent=2)
        except OSError as error:
            raise InvalidRequestError(f".save {name}: {error.strerror}") from None
        self._say(f"saved to {name}\n")

    def _say(self, text: str) -> None:
        write(text, err=True)
