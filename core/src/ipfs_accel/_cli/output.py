"""Writing: text, JSON and tables, plain when piped and pleasant on a terminal."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterable, Sequence
from datetime import UTC, datetime
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from .command import State

__all__ = [
    "clean",
    "emit",
    "is_terminal",
    "money",
    "note",
    "repaint",
    "styled",
    "table",
    "table_text",
    "use_color",
    "when",
    "write",
    "write_json",
    "write_line",
]

# Control characters of a server or model must not steer the terminal; line breaks and tabs may stay.
_CONTROLS = {code: None for code in (*range(32), *range(127, 160)) if code not in {9, 10}}


def is_terminal(*, err: bool = False) -> bool:
    """Return whether stdout, or stderr, is a terminal."""
    stream = sys.stderr if err else sys.stdout
    return stream is not None and stream.isatty()


def use_color(state: State, *, err: bool = False) -> bool:
    """Return whether to colour stdout, or stderr: as `--color` says, else as the environment and the terminal do."""
    if state.color != "auto":
        return state.color == "always"
    if os.environ.get("NO_COLOR"):
        return False
    if os.environ.get("FORCE_COLOR", "0") not in {"", "0"}:
        return True
    return is_terminal(err=err) and os.environ.get("TERM") != "dumb"


def clean(text: str) -> str:
    """Return the text without characters that could steer a terminal."""
    return text.translate(_CONTROLS)


def cut(text: str, most: int) -> str:
    """Return a text of at most so many characters; one that was longer ends in three dots."""
    return text if len(text) <= most else f"{text[: most - 1]}…"


def when(seconds: float | None) -> str:
    """Return a moment, in seconds since 1970, for people."""
    return "" if seconds is None else datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%d %H:%M")


def money(cost: float) -> str:
    """Return US dollars with two decimals, or as many as show three digits of a small sum."""
    if not cost:
        return "$0"
    import math  # noqa: PLC0415 - few commands tell of money

    decimals = max(2, 2 - math.floor(math.log10(abs(cost))))
    whole, _, rest = f"{cost:.{decimals}f}".partition(".")
    return f"${whole}.{rest.rstrip('0').ljust(2, '0')}"


def write(text: str, *, err: bool = False) -> None:
    """Write to stdout, or stderr, at once and as it is."""
    click.echo(text, nl=False, err=err, color=True)


def styled(state: State, text: str, **style: Any) -> str:
    """Return the text in a style for stderr, if that is to be coloured."""
    return click.style(text, **style) if use_color(state, err=True) else text


def write_line(text: str) -> None:
    """Write one line to stdout."""
    write(f"{text}\n")


def write_json(document: Any) -> None:
    """Write one JSON document to stdout, indented on a terminal."""
    import json  # noqa: PLC0415 - people read no JSON

    indent = 2 if is_terminal() else None
    write_line(json.dumps(document, ensure_ascii=False, allow_nan=False, indent=indent))


def note(state: State, text: str) -> None:
    """Write a line to stderr that is neither answer nor error."""
    if not state.quiet and not state.json:
        write(f"{clean(text)}\n", err=True)


def emit(state: State, document: Any, show: Callable[[], None]) -> None:
    """Write the document if JSON is asked for, and show it to people otherwise."""
    if state.json:
        write_json(document)
    else:
        show()


def table(state: State, titles: Sequence[str], rows: Iterable[Sequence[Any]]) -> None:
    """Write a table: aligned, with titles, on a terminal; otherwise rows of tab-separated cells and nothing else."""
    write(table_text(state, titles, rows))


def table_text(state: State, titles: Sequence[str], rows: Iterable[Sequence[Any]]) -> str:
    """Return what `table` writes."""
    cells = [[_cell(value) for value in row] for row in rows]
    if not is_terminal():
        return "".join(["\t".join(row) + "\n" for row in cells])
    if not cells:
        return ""
    if find_spec("rich") is not None:
        return _rich_table(state, titles, cells)
    widths = [max(len(row[column]) for row in [titles, *cells]) for column in range(len(titles))]
    lines = [[title.upper() for title in titles], *cells]
    padded = [[text.ljust(width) for text, width in zip(line, widths, strict=True)] for line in lines]
    return "".join(["  ".join(line).rstrip() + "\n" for line in padded])


def _cell(value: Any) -> str:
    return "" if value is None else " ".join(clean(str(value)).split())


def _rich_table(state: State, titles: Sequence[str], rows: list[list[str]]) -> str:
    from rich.console import Console  # noqa: PLC0415 - optional, and only for terminals
    from rich.table import Table  # noqa: PLC0415 - as above
    from rich.text import Text  # noqa: PLC0415 - as above

    grid = Table(box=None, pad_edge=False, header_style="bold")
    for title in titles:
        grid.add_column(title.upper(), overflow="fold")
    for row in rows:
        grid.add_row(*[Text(text) for text in row])
    colored = use_color(state)
    console = Console(color_system="auto" if colored else None, no_color=not colored, highlight=False)
    with console.capture() as capture:
        console.print(grid)
    return capture.get()


def repaint(text: str, height: int) -> int:
    """Write lines over the last ones on a terminal.

    Args:
        text: What to show; what has no room on the screen is cut off.
        height: How many lines to write over.

    Returns:
        How many lines were written.
    """
    from shutil import get_terminal_size  # noqa: PLC0415 - few commands paint anything anew

    size = get_terminal_size()
    lines = text.splitlines()
    if len(lines) >= size.lines:
        hidden = len(lines) - size.lines + 2
        lines = [*lines[:-hidden], f"… {hidden} more lines have no room"]
    start = f"\x1b[{height}F" if height else ""
    # Without wrapping a line is a line, however narrow the terminal is.
    write(start + "\x1b[?7l" + "".join([f"{line}\x1b[K\n" for line in lines]) + "\x1b[?7h\x1b[J")
    return len(lines)
