"""The root command: which commands there are, when they are loaded, and how a run ends."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from contextlib import suppress
from importlib import import_module
from typing import Any, NoReturn

import click

from ipfs_accel._plugins.distributions import installed
from ipfs_accel._version import __version__
from ipfs_accel.errors import PluginError

from . import failures, front
from .command import Group, State
from .front import COMMANDS

__all__ = ["app"]


class App(Group):
    """The root command; it loads a command's module when the command is used."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Return the names of all commands, in the order of the help."""
        del ctx
        return [*COMMANDS, *front.others()]

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Load a command."""
        del ctx
        if cmd_name not in COMMANDS:
            return _other(cmd_name)
        module = import_module(f".{COMMANDS[cmd_name][0]}", __package__)
        command: click.Command = getattr(module, cmd_name.replace("-", "_"))
        return command

    def format_help(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the page that a process shows which was asked for nothing else."""
        formatter.write(front.page(formatter.width, ctx.command_path))

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
        del complete_var, standalone_mode, windows_expand_args
        name = prog_name or "ipfs-accel"
        arguments = list(sys.argv[1:] if args is None else args)
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


def _other(name: str) -> click.Command | None:
    """Load a command of another distribution.

    Raises:
        PluginError: It cannot be imported, or is no command.
    """
    found = next((each for each in installed("ipfs_accel.commands") if each.entry_point.name == name), None)
    if found is None:
        return None
    try:
        command = found.entry_point.load()
    except Exception as error:
        why = f"{type(error).__name__}: {error}"
        raise PluginError(f"the command {name!r} of {found.distribution} cannot be loaded: {why}") from error
    if not isinstance(command, click.Command):
        raise PluginError(
            f"the command {name!r} of {found.distribution} is a {type(command).__name__}, not a click command"
        )
    return command


def _discard_stdout() -> None:
    """Let what is still buffered go nowhere, so that the interpreter does not complain at its end."""
    with suppress(OSError, ValueError):
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _print_version(context: click.Context, _parameter: click.Parameter, value: bool) -> None:
    if value and not context.resilient_parsing:
        click.echo(f"ipfs-accel {__version__}")
        context.exit()


app = App(
    name="ipfs-accel",
    help=front.HELP,
    context_settings={"help_option_names": ["-h", "--help"]},
    subcommand_metavar="COMMAND [ARGUMENTS]...",
    params=[
        click.Option(
            ["--version"],
            is_flag=True,
            is_eager=True,
            expose_value=False,
            callback=_print_version,
            help=front.VERSION,
        )
    ],
    examples=front.EXAMPLES,
)
