"""What all commands share: the options that every one of them takes, and the look of their help."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING, Any

import click

from ipfs_accel._suggest import did_you_mean
from ipfs_accel.errors import InvalidRequestError

from . import kinds
from .front import SHARED

if TYPE_CHECKING:
    from ipfs_accel._client.clients import Client
    from ipfs_accel._config.config import Config

__all__ = ["Command", "Group", "State", "pass_state", "shared_options"]


class State:
    """What the shared options say, for one run.

    Attributes:
        json: Whether stdout gets one JSON document, and errors become JSON too.
        debug: Whether errors show their traceback.
        quiet: Whether notes and warnings are left out.
        color: auto, always or never.
        config: Path of the configuration file; None means the usual one.
        plugins: Plugin objects to use besides the installed ones.
        key_variables: Environment variables that the configuration names as holding keys.
    """

    def __init__(self, plugins: Iterable[Any] = ()) -> None:
        self.json = False
        self.debug = False
        self.quiet = False
        self.color = "auto"
        self.config: str | None = None
        self.plugins = tuple(plugins)
        self.key_variables: tuple[str, ...] = ()

    def load_config(self) -> Config:
        """Read the configuration."""
        from ipfs_accel._config.config import load_config  # noqa: PLC0415 - --help needs no configuration

        config = load_config(self.config)
        named = [
            (each.key_env,) if isinstance(each.key_env, str) else each.key_env or ()
            for each in config.endpoints.values()
        ]
        self.key_variables = tuple([name for names in named for name in names])
        return config

    def client(self) -> Client:
        """Return a client of the configuration; no plugin is imported by that."""
        from ipfs_accel._client.clients import Client  # noqa: PLC0415 - --help needs no client

        return Client(self.load_config(), plugins=self.plugins)


pass_state = click.make_pass_decorator(State, ensure=True)


def _remember(name: str) -> Callable[[click.Context, click.Parameter, Any], None]:
    def callback(context: click.Context, _parameter: click.Parameter, value: Any) -> None:
        if value:
            setattr(context.ensure_object(State), name, value)

    return callback


def shared_options() -> list[click.Option]:
    """Return the options that stand before or after any command's name."""
    found = []
    for name, (flags, metavar, text) in SHARED.items():
        settings: dict[str, Any] = {"metavar": metavar} if metavar else {"is_flag": True}
        if name == "color":
            settings["type"] = click.Choice(["auto", "always", "never"])
        if name == "config":
            settings["type"] = kinds.FILE
        found.append(
            click.Option(flags, help=text, expose_value=False, is_eager=True, callback=_remember(name), **settings)
        )
    return found


class _Help(click.Command):
    """Help with examples, and with the shared options apart from a command's own."""

    examples: Sequence[str] = ()

    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the command's own options, then the shared ones."""
        own: list[tuple[str, str]] = []
        shared: list[tuple[str, str]] = []
        for parameter in self.get_params(ctx):
            # Some versions of click list arguments too; the usage line shows them and the help text tells of them.
            record = None if isinstance(parameter, click.Argument) else parameter.get_help_record(ctx)
            if record is not None:
                (own if parameter.expose_value else shared).append(record)
        if own:
            with formatter.section("Options"):
                formatter.write_dl(own)
        with formatter.section("Options of every command" if own else "Options"):
            formatter.write_dl(shared)
        if isinstance(self, click.Group):
            self.format_commands(ctx, formatter)

    def format_epilog(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the examples, each on its line."""
        super().format_epilog(ctx, formatter)
        if self.examples:
            with formatter.section("Examples"):
                for example in self.examples:
                    formatter.write(f"{' ' * formatter.current_indent}{example}\n")


class Command(_Help):
    """A command with the shared options and examples."""

    def __init__(self, *args: Any, examples: Sequence[str] = (), **settings: Any) -> None:
        super().__init__(*args, **settings)
        self.examples = examples
        self.params += shared_options()


class Group(_Help, click.Group):
    """Commands under a common name."""

    command_class = Command

    def __init__(self, *args: Any, examples: Sequence[str] = (), **settings: Any) -> None:
        super().__init__(*args, **settings)
        self.examples = examples
        self.params += shared_options()

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Find the command that is named, or say which is near."""
        names = self.list_commands(ctx)
        if args[0] not in names and not args[0].startswith("-") and not ctx.resilient_parsing:
            raise InvalidRequestError(
                f"there is no command {args[0]!r}",
                hint=did_you_mean(args[0], names) or f"run: {ctx.command_path} --help",
            )
        return super().resolve_command(ctx, args)
