"""The command `ipfs-accel`: answers go to stdout, everything else to stderr, and the exit code tells the cause.

Nothing is imported before it is needed: `--help` and `--version` load click and little else, a command's module is
loaded when the command is used.
"""

from __future__ import annotations

import io
import sys
import warnings
from typing import NoReturn, TextIO

from ._app import app

__all__ = ["main"]


def main() -> NoReturn:
    """Run the command that the process was started with, and end the process."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            # A model's answer may hold what this terminal or locale cannot show.
            stream.reconfigure(errors="replace")
    warnings.showwarning = _show_warning
    app.main(prog_name="ipfs-accel")
    raise AssertionError("the line above ends the process")


def _show_warning(
    message: Warning | str,
    category: type[Warning],
    filename: str,
    lineno: int,
    file: TextIO | None = None,
    line: str | None = None,
) -> None:
    """Show a warning as one line; where in the code it was raised helps no user."""
    del category, filename, lineno, line
    (file or sys.stderr).write(f"warning: {message}\n")
