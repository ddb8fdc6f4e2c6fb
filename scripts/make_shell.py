"""Writes what the command line says of itself into the core's package: usage `python scripts/make_shell.py`.

`shape.json` is what completion goes by, since loading the commands takes longer than a Tab may. `ipfs-accel.1` is the
page for `man`. Both come from the parser, and a test compares.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from types import UnionType
from typing import Any, Literal, Union, get_args, get_origin, get_type_hints

import click
from ipfs_accel._cli import arguments, front, kinds
from ipfs_accel._cli.app import app
from ipfs_accel._cli.command import shared_options

sys.path.insert(0, str(Path(__file__).parent))
from man_page import HELP_FLAGS, man_page

PACKAGE = Path(__file__).parent.parent / "core" / "src" / "ipfs_accel" / "_cli"


def commands() -> Iterator[tuple[str, click.Command]]:
    """Yield every command with its name, that of the root being empty, each before those under it."""
    yield "", app
    yield from _below(app, "")


def _below(group: click.Group, path: str) -> Iterator[tuple[str, click.Command]]:
    context = click.Context(group, help_option_names=HELP_FLAGS)
    for name in _names(group, context):
        command = group.get_command(context, name)
        if command is None:
            raise AssertionError(name)
        yield f"{path}{name}", command
        if isinstance(command, click.Group):
            yield from _below(command, f"{path}{name} ")


def _names(group: click.Group, context: click.Context) -> list[str]:
    """Return the names of commands, without those of other distributions that happen to be installed."""
    return list(front.COMMANDS) if group is app else group.list_commands(context)


def shape() -> str:
    """Return what completion goes by, each command on its line."""
    shared = [_option(each) for each in [*shared_options(), _help_option()]]
    flags = {tuple(each["flags"]) for each in shared}
    lines = [
        f"  {json.dumps(path)}: {json.dumps(_entry(command, flags), ensure_ascii=False)}"
        for path, command in commands()
    ]
    return f'{{\n "shared": {json.dumps(shared)},\n "commands": {{\n' + ",\n".join(lines) + "\n }\n}\n"


def _help_option() -> click.Option:
    return click.Option(HELP_FLAGS, is_flag=True, help="Show this message and exit.")


def _entry(command: click.Command, shared: set[tuple[str, ...]]) -> dict[str, Any]:
    options = [_option(each) for each in command.params if isinstance(each, click.Option)]
    entry: dict[str, Any] = {"options": [each for each in options if tuple(each["flags"]) not in shared]}
    if isinstance(command, click.Group):
        context = click.Context(command, help_option_names=HELP_FLAGS)
        below = [(name, command.get_command(context, name)) for name in _names(command, context)]
        entry["commands"] = {name: each.get_short_help_str(200) for name, each in below if each is not None}
    else:
        wanted = [each for each in command.params if isinstance(each, click.Argument)]
        entry["arguments"] = [_kind(each.type) for each in wanted]
        if wanted and wanted[-1].nargs == 1:
            entry["arguments"].append("")
    return entry


def _option(option: click.Option) -> dict[str, Any]:
    found: dict[str, Any] = {"flags": [*option.opts, *option.secondary_opts], "help": option.help or ""}
    if not (option.is_flag or option.count):
        found["kind"] = _kind(option.type)
    if option.multiple:
        found["repeat"] = True
    return found


def _kind(of: click.ParamType) -> Any:
    """Return how a value is completed, as `completing` reads it."""
    if isinstance(of, kinds.Settings):
        names = [(kind, name) for kind in of.options for name in arguments.option_names(kind)]
        return {name: _literals(get_type_hints(kind)[name]) for kind, name in sorted(names, key=lambda each: each[1])}
    if isinstance(of, kinds.Words):
        return list(of.words)
    if isinstance(of, kinds.Kind):
        return of.what
    if isinstance(of, click.Choice):
        return list(of.choices)
    if isinstance(of, click.Path):
        return "file" if of.file_okay else "folder"
    return ""


def _literals(hint: Any) -> Sequence[str]:
    """Return the values of a type as they are written, as far as it names them."""
    if hint is bool:
        return ["true", "false"]
    if get_origin(hint) is Literal:
        return [str(each) for each in get_args(hint)]
    if get_origin(hint) in {Union, UnionType}:
        return [word for each in get_args(hint) for word in _literals(each)]
    return []


def files() -> dict[Path, str]:
    """Return what is written, by its place."""
    return {PACKAGE / "shape.json": shape(), PACKAGE / "ipfs-accel.1": man_page(dict(commands()))}


if __name__ == "__main__":
    for place, text in files().items():
        place.write_text(text, encoding="utf-8")
