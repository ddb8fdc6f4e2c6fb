"""`ipfs-accel man`."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import click

from .command import Command, State, pass_state
from .output import emit, is_terminal, write

__all__ = ["man"]


@click.command(
    cls=Command,
    short_help="Show the manual page.",
    help="Show the manual page, with all commands and options, where `man ipfs-accel` does not find it; piped on, the "
    "page itself is written.",
    examples=("ipfs-accel man", "ipfs-accel man > ~/.local/share/man/man1/ipfs-accel.1"),
)
@pass_state
def man(state: State) -> None:
    """Show the manual page."""
    page = Path(__file__).with_name("ipfs-accel.1")
    viewer = shutil.which("man")
    if viewer is not None and is_terminal() and not state.json:
        # A name with a slash in it is that of a file.
        raise click.exceptions.Exit(subprocess.run([viewer, str(page)], check=False).returncode)  # noqa: S603 - as found
    text = page.read_text(encoding="utf-8")
    emit(state, {"page": text}, lambda: write(text))
