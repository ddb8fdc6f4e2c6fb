"""The root command: which commands there are, when they are loaded, and how a run ends."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from contextlib import suppress
from importlib import import_module
from typing import Any, NoReturn

import click
from click.shell_completion import CompletionItem, shell_complete

from . import failures
from .command import Group, State

__all__ = ["COMPLETE_VARIABLE", "app"]

COMPLETE_VARIABLE = "_IPFS_ACCEL_COMPLETE"

_SECTIONS: dict[str, dict[str, tuple[str, str]]] = {
    "Ask models": {
        "chat": ("chat", "Ask a model, or talk with it."),
        "complete": ("generate", "Let a model continue a text."),
        "embed": ("generate", "Turn texts into vectors."),
        "image": ("media", "Make pictures."),
        "speak": ("media", "Read a text aloud."),
        "transcribe": ("media", "Write down what is said."),
        "moderate": ("media", "Judge whether texts are harmful."),
        "batches": ("files", "Many chats, worked off later for less money."),
        "files": ("files", "Files that a provider keeps."),
        "objects": ("objects", "Objects in stores such as S3."),
        "call": ("call", "Perform a backend's own call."),
    },
    "Look around": {
        "models": ("survey", "List the models that endpoints serve."),
        "find": ("survey", "Find models by what they can do and cost."),
        "capabilities": ("capabilities", "Tell what endpoints and models can do."),
        "health": ("health", "Check whether endpoints can serve."),
        "backends": ("survey", "List the installed backends."),
        "usage": ("usage", "Add up what calls used and cost."),
    },
    "Keep models": {
        "pull": ("models", "Fetch a model to a server of models."),
        "show": ("models", "Tell all about a model."),
        "ps": ("models", "List the models that are loaded."),
        "load": ("models", "Load a model into memory."),
        "unload": ("models", "Take a model out of memory."),
        "create": ("models", "Make a model from another one or from files."),
        "cp": ("models", "Give a model a second name."),
        "rm": ("models", "Delete models from a server's disk."),
        "push": ("models", "Publish a model."),
    },
    "Set up": {
        "keys": ("keys", "Store, list and remove keys."),
        "config": ("config", "Show every setting and where it is from."),
        "doctor": ("doctor", "Examine the installation."),
        "plugin": ("plugin", "Begin a backend or middleware of your own."),
        "completion": ("completion", "Print a completion script for a shell."),
    },
}
_COMMANDS = {name: entry for section in _SECTIONS.values() for name, entry in section.items()}

_EXIT_CODES = """\
  0  done
  1  failed
  2  wrong usage, or something that the backend does not offer
  3  wrong configuration or plugin
  4  key missing or refused
  5  rate limit or quota reached
  6  backend not available
  7  time limit reached
  8  stopped by a content filter
130  interrupted
"""


class App(Group):
    """The root command; it loads a command's module when the command is used."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Return the names of all commands, in the order of the help."""
        del ctx
        return list(_COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Load a command."""
        del ctx
        if cmd_name not in _COMMANDS:
            return None
        command: click.Command = getattr(import_module(f".{_COMMANDS[cmd_name][0]}", __package__), cmd_name)
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """List the commands by purpose, without loading them."""
        del ctx
        for title, commands in _SECTIONS.items():
            with formatter.section(title):
                formatter.write_dl([(f"{name:12}", text) for name, (_module, text) in commands.items()])

    def format_epilog(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the exit codes below the examples."""
        super().format_epilog(ctx, formatter)
        with formatter.section("Exit codes"):
            for line in _EXIT_CODES.splitlines():
                formatter.write(f"{' ' * formatter.current_indent}{line}\n")

    def shell_complete(self, ctx: click.Context, incomplete: str) -> list[CompletionItem]:
        """Complete the names of commands without loading them."""
        names = [
            CompletionItem(name, help=text)
            for name, (_module, text) in _COMMANDS.items()
            if name.startswith(incomplete)
        ]
        return names + click.Command.shell_complete(self, ctx, incomplete)

    def main(
        self,
        args: Sequence[str] | None = None,
        prog_name: str | None = None,
        complete_var: str | None = None,
        standalone_mode: bool = True,
        windows_expand_args: bool = True,
        **extra: Any,
    ) -> NoReturn:
        """Run a command line and end the process with the exit code that tells how it went."""
        del standalone_mode, windows_expand_args
        name = prog_name or "ipfs-accel"
        arguments = list(sys.argv[1:] if args is None else args)
        instruction = os.environ.get(complete_var or COMPLETE_VARIABLE)
        if instruction:
            sys.exit(shell_complete(self, extra, name, complete_var or COMPLETE_VARIABLE, instruction))
        extra["obj"] = state = extra.get("obj") or State()
        sys.exit(self._run(name, arguments, state, extra))

    def _run(self, name: str, arguments: list[str], state: State, extra: dict[str, Any]) -> int:
        try:
            try:
                with self.make_context(name, list(arguments), **extra) as context:
                    self.invoke(context)
                code = 0
            except click.exceptions.Exit as end:
                code = end.exit_code
            sys.stdout.flush()
        except BrokenPipeError:
            _discard_stdout()
            return 0
        except (KeyboardInterrupt, click.Abort):
            return failures.INTERRUPTED
        except Exception as error:  # noqa: BLE001 - whatever it is, a user gets one sentence
            # An option may be wrong before --json has been read.
            state.json = state.json or "--json" in arguments or "--jsonl" in arguments
            state.debug = state.debug or "--debug" in arguments
            with suppress(BrokenPipeError):
                failures.show(error, state)
            return failures.exit_code(error)
        return code


def _discard_stdout() -> None:
    """Let what is still buffered go nowhere, so that the interpreter does not complain at its end."""
    with suppress(OSError, ValueError):
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _print_version(context: click.Context, _parameter: click.Parameter, value: bool) -> None:
    if value and not context.resilient_parsing:
        from importlib.metadata import version  # noqa: PLC0415 - reading metadata takes a moment

        click.echo(f"ipfs-accel {version('ipfs-accel')}")
        context.exit()


app = App(
    name="ipfs-accel",
    help="Talk to every AI backend, hosted or local, in one way.\n\n"
    "Models are named endpoint/model, such as openai/gpt-5.4-mini. Answers go to stdout, everything else to stderr.",
    context_settings={"help_option_names": ["-h", "--help"]},
    subcommand_metavar="COMMAND [ARGUMENTS]...",
    params=[
        click.Option(
            ["--version"],
            is_flag=True,
            is_eager=True,
            expose_value=False,
            callback=_print_version,
            help="Show the version and exit.",
        )
    ],
    examples=(
        'ipfs-accel chat -m openai/gpt-5.4-mini "Why is the sky blue?"',
        'cat notes.txt | ipfs-accel chat -m llvm/ "Summarise in three points."',
        "ipfs-accel models openai",
        "ipfs-accel doctor",
    ),
)
