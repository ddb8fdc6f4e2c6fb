"""The command `ipfs-accel`: answers go to stdout, everything else to stderr, and the exit code tells the cause.

Nothing is imported before it is needed: `--help` loads a page, `--version` click and little else, a command's module is
loaded when the command is used.
"""

from __future__ import annotations

import io
import os
import sys
import warnings
from contextlib import suppress
from typing import Any, NoReturn

from . import front

__all__ = ["main"]


def main() -> NoReturn:
    """Run the command that the process was started with, and end the process."""
    for stream in (sys.stdin, sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            # A model's answer may hold what this terminal or locale cannot show, and so may what is typed.
            stream.reconfigure(errors="replace")
    if front.COMPLETE_VARIABLE in os.environ:
        from . import completing  # noqa: PLC0415 - shells alone ask

        completing.answer(sys.argv[1:])
        sys.exit(0)
    if front.is_asked():
        with suppress(Exception):  # what goes wrong with it, click's way says in our words
            sys.stdout.write(front.page(front.width()))
            sys.stdout.flush()
            sys.exit(0)
    from .app import app  # noqa: PLC0415 - click is much to load for a page that needs none of it

    warnings.formatwarning = _format_warning
    app.main(prog_name="ipfs-accel")


def _format_warning(message: Warning | str, *_where: Any, **_more: Any) -> str:
    """Return a warning as one line; where in the code it was raised helps no user."""
    return f"warning: {message}\n"
