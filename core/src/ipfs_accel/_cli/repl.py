"""`ipfs-accel chat --interactive`: a conversation on a terminal, or with lines that are piped in."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from pathlib import Path

import attrs

from ipfs_accel._client.clients import Client
from ipfs_accel._suggest import did_you_mean
from ipfs_accel.errors import AccelError, InvalidRequestError
from ipfs_accel.types import Message, Part

from . import failures, saved
from .arguments import attachment, stdin_is_terminal
from .ask import Ask, Interrupted
from .command import State
from .output import is_terminal, write
from .talk import check_model, conversation_line

__all__ = ["Repl"]

PROMPT = "> "
QUOTES = '"""'

HELP = '''\
.exit           end (so does Ctrl-D)
.clear          forget the conversation
.model [NAME]   tell or change the model
.system [TEXT]  tell or change the instructions
.attach [FILE]  tell what goes with the next text, or add a file or URL to it
.usage          tell what the conversation used and cost so far
.save FILE      write the conversation to a new file, as JSON
.load FILE      go on with a conversation that was saved
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
        self._attached: list[tuple[str, Part]] = []
        self._is_terminal = stdin_is_terminal()
        self._commands: dict[str, Callable[[str], None]] = {
            "clear": self._clear,
            "model": self._set_model,
            "system": self._set_system,
            "attach": self._attach,
            "usage": lambda _text: self._show_usage(),
            "save": self._save,
            "load": self._load,
            "help": lambda _text: self._say(HELP),
        }

    def run(self, first: str, attachments: Iterable[tuple[str, Part]]) -> None:
        """Talk until the input ends.

        Args:
            first: What to ask before reading any input; may be empty.
            attachments: Name and part of what goes with the first question.
        """
        self._attached += attachments
        if self._is_terminal:
            with suppress(ImportError):
                import readline  # noqa: F401, PLC0415 - gives input() its editing keys; absent on some platforms
            if not self._state.quiet:
                self._say(f"{self._model()} answers; .help lists the commands, Ctrl-D ends.\n")
        if not first and self._attached:
            self._guard(self._turn, first)
        text: str | None = first
        while text is not None:
            command, _, argument = text.removeprefix(".").partition(" ")
            if text.startswith(".") and command in {"exit", "quit"}:
                return
            if text.startswith("."):
                self._guard(self._perform, command, argument.strip())
            elif text:
                self._guard(self._turn, text)
            text = self._read()

    def _guard(self, step: Callable[..., None], *arguments: object) -> None:
        """On a terminal an error ends no conversation, nor does Ctrl-C; in a pipe nobody could react to it."""
        try:
            step(*arguments)
        except (AccelError, OSError) as error:
            if not self._is_terminal or isinstance(error, BrokenPipeError):
                raise
            failures.show(error, self._state)
        except KeyboardInterrupt:
            if not self._is_terminal:
                raise
            self._say("(stopped)\n")

    def _turn(self, text: str) -> None:
        question = Message.user(*[part for _name, part in self._attached], text)
        try:
            said = self._ask.shown(self._client, [*self._instructions(), *self._history, question], self._state)
        except Interrupted as stopped:
            if stopped.partial is not None:
                self._remember(question, [stopped.partial.message])
            raise
        self._remember(question, said)

    def _remember(self, question: Message, said: Sequence[Message]) -> None:
        if said:
            self._history += [question, *said]
        self._attached.clear()

    def _instructions(self) -> list[Message]:
        return [Message.system(self._system)] if self._system else []

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
        self._attached.clear()

    def _set_model(self, name: str) -> None:
        if name:
            check_model(self._client, name, self._state)
            self._ask = attrs.evolve(self._ask, model=name)
        self._say(f"model: {self._model()}\n")

    def _model(self) -> str:
        """Return who answers, as the user calls it, and what that stands for."""
        name = self._ask.model or self._client.config.default_model or ""
        meant = self._client.config.aliases.get(name)
        return f"{name} ({meant})" if meant else name

    def _attach(self, name: str) -> None:
        if name:
            self._attached.append((name, attachment(str(Path(name).expanduser()) if name.startswith("~") else name)))
        self._say(f"attached: {', '.join([each for each, _part in self._attached]) or '(nothing)'}\n")

    def _show_usage(self) -> None:
        totals = [
            total for each in self._client.states().values() for total in each.usage if total.calls or total.cached
        ]
        self._say("".join([f"{conversation_line(each)}\n" for each in totals]) or "usage: nothing was asked yet\n")

    def _set_system(self, text: str) -> None:
        self._system = text or self._system
        self._say(f"system: {self._system or '(none)'}\n")

    def _save(self, name: str) -> None:
        if not name:
            raise InvalidRequestError(".save needs the name of a file")
        model = self._ask.model or self._client.config.default_model
        saved.write(name, model, [*self._instructions(), *self._history])
        self._say(f"saved to {name}\n")

    def _load(self, name: str) -> None:
        if not name:
            raise InvalidRequestError(".load needs the name of a file")
        model, messages = saved.read(name)
        if messages and messages[0].role == "system":
            self._system = messages.pop(0).text
        self._history = messages
        other = f", with {model}; .model {model} goes on with it" if model and model != self._ask.model else ""
        self._say(f"loaded {len(messages)} messages{other}\n")

    def _say(self, text: str) -> None:
        write(text, err=True)
