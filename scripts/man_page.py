"""The page for `man`, made of the parser; `make_shell.py` writes it."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from pathlib import Path

import click
from ipfs_accel._cli import front
from ipfs_accel._cli.command import Command, Group, shared_options

__all__ = ["man_page"]

ROOT = Path(__file__).parent.parent
# The help option is kept by the command that makes it first.
HELP_FLAGS = ["-h", "--help"]
_FILES = {
    "$XDG_CONFIG_HOME/ipfs-accel/config.toml": "The configuration; ipfs-accel config path tells where it is.",
    "$XDG_CONFIG_HOME/ipfs-accel/keys.json": "Keys that ipfs-accel keys set stored; ipfs-accel keys path tells where.",
}


def man_page(commands: Mapping[str, click.Command]) -> str:
    """Return the page, in the macros of `man`.

    Args:
        commands: Each by its name, that of the root being empty.
    """
    root = commands[""]
    summary, *more = front.HELP.split("\n\n")
    parts = [
        '.TH IPFS\\-ACCEL 1 "" "ipfs\\-accel"',
        f".SH NAME\nipfs\\-accel \\- {_text(summary[:1].lower() + summary[1:].rstrip('.'))}",
        f".SH SYNOPSIS\n{_usage('', root)}",
        ".SH DESCRIPTION\n" + _paragraphs([summary, *more]),
        ".SH OPTIONS\n" + _terms([*_records(root), *_shared(root)]),
    ]
    for title, names in front.SECTIONS.items():
        parts.append(f".SH {_text(title.upper())}")
        parts += [
            _command(path, each) for name in names for path, each in commands.items() if path.split(" ")[0] == name
        ]
    parts += [
        ".SH EXIT STATUS\n" + _terms([line.split(maxsplit=1) for line in front.EXIT_CODES.splitlines()]),
        ".SH ENVIRONMENT\n" + _environment(),
        ".SH FILES\n" + _terms(_FILES.items()),
        ".SH EXAMPLES\n" + _examples(front.EXAMPLES),
    ]
    return "\n".join(parts) + "\n"


def _command(path: str, command: click.Command) -> str:
    if not isinstance(command, Command | Group):
        raise TypeError(path)
    parts = [
        f".SS ipfs\\-accel {_text(path)}",
        _usage(path, command),
        ".PP",
        _paragraphs((command.help or "").split("\n\n")),
    ]
    records = _records(command)
    if records:
        parts.append(_terms(records))
    if command.examples:
        parts += [".PP", _examples(command.examples)]
    return "\n".join(parts)


def _usage(path: str, command: click.Command) -> str:
    words = command.collect_usage_pieces(click.Context(command, help_option_names=HELP_FLAGS))
    return f".B {_text(f'ipfs-accel {path}'.strip())}\n{_text(' '.join(words))}"


def _records(command: click.Command) -> list[tuple[str, str]]:
    """Return the command's own options."""
    context = click.Context(command, help_option_names=HELP_FLAGS)
    own = [each for each in command.params if isinstance(each, click.Option) and each.expose_value]
    return [record for each in own if (record := each.get_help_record(context)) is not None]


def _shared(root: click.Command) -> list[tuple[str, str]]:
    context = click.Context(root, help_option_names=HELP_FLAGS)
    given = [("--version", front.VERSION), *[each.get_help_record(context) for each in shared_options()]]
    return [*[record for record in given if record is not None], ("-h, --help", "Show this message and exit.")]


def _environment() -> str:
    """Return the variables as the reference lists them."""
    text = (ROOT / "docs" / "reference" / "environment.txt").read_text(encoding="utf-8")
    parts: list[str] = []
    rows: list[tuple[str, str]] = []
    for line in text.splitlines():
        cells = re.fullmatch(r"\| `(\w+)` \| (.*) \|", line)
        if cells:
            rows.append((cells[1], f"{cells[2][:1].upper()}{cells[2][1:]}.".replace("`", "")))
        elif line and not line.startswith("|"):
            parts += [_terms(rows), ".PP", _text(line.replace("`", ""))]
            rows = []
    return "\n".join([*parts, _terms(rows)])


def _terms(rows: Iterable[Iterable[str]]) -> str:
    lines = []
    for term, meaning in rows:
        lines += [".TP", f".B {_text(term)}", _text(meaning)]
    return "\n".join(lines)


def _paragraphs(texts: Iterable[str]) -> str:
    return "\n.PP\n".join([_text(" ".join(each.split())) for each in texts])


def _examples(examples: Iterable[str]) -> str:
    return "\n".join([".EX", *[_text(each) for each in examples], ".EE"])


def _text(text: str) -> str:
    """Return text as it is: no line of it is a request, and hyphens can be searched for and copied."""
    shown = (
        text.replace("\\", "\\e").replace("-", "\\-").replace("'", "\\(aq").replace("`", "\\(ga").replace('"', "\\(dq")
    )
    return "\\&" + shown if shown.startswith(".") else shown
