"""The command `ipfs-accel`: answers go to stdout, everything else to stderr, and the exit code tells the cause.

Nothing is imported before it is needed: `--help` and `--version` load click and little else, a command's module is
loaded when the command is used.
"""

from __future__ import annotations

import io
import sys
import warnings
from typing import Any, NoReturn

from .app import app

__all__ = ["main"]


def main() -> NoReturn:
    """Run the command that the process was started with, and end the process."""
    for stream in (sys.stdin, sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            # A model's answer may hold what this terminal or locale cannot show, and so may what is typed.
            stream.reconfigure(errors="replace")
    warnings.formatwarning = _format_warning
    app.main(prog_name="ipfs-accel")


def _format_warning(message: Warning | str, *_where: Any, **_more: Any) -> str:
    """Return a warning as one line; where in the code it was raised helps no user."""
    return f"warning: {message}\n"
