"""A process on a terminal, for tests."""

from __future__ import annotations

import os
import pty
import select
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

# Makes stdin the terminal that Ctrl-C comes from, and becomes the command.
TAKE_TERMINAL = """
import fcntl, os, sys, termios
fcntl.ioctl(0, termios.TIOCSCTTY, 0)
os.execvp(sys.argv[1], sys.argv[1:])
"""


class Terminal:
    """A process whose stdin and stdout are a terminal."""

    def __init__(self, process: subprocess.Popen[bytes], descriptor: int) -> None:
        self.process = process
        self.text = ""
        self._unread = ""
        self._descriptor = descriptor

    def type(self, text: str) -> None:
        os.write(self._descriptor, text.encode())

    def expect(self, text: str, seconds: float = 100) -> str:
        """Read until the text has come, and return what came before; what comes after it is for the next call."""
        end = time.monotonic() + seconds
        while text not in self._unread:
            ready = select.select([self._descriptor], [], [], max(0, end - time.monotonic()))[0]
            assert ready, f"{text!r} did not come, but {self._unread!r}"
            with suppress(OSError):
                new = os.read(self._descriptor, 65536).decode()
                self.text += new
                self._unread += new
        before, _, self._unread = self._unread.partition(text)
        return before


@contextmanager
def terminal(*command: str, environ: dict[str, str], folder: Path | None = None) -> Iterator[Terminal]:
    leader, follower = pty.openpty()
    process = subprocess.Popen(
        [sys.executable, "-c", TAKE_TERMINAL, *command],
        env={**environ, "TERM": "xterm"},
        stdin=follower,
        stdout=follower,
        stderr=follower,
        start_new_session=True,
        cwd=folder,
    )
    os.close(follower)
    try:
        yield Terminal(process, leader)
        process.wait(100)
    finally:
        process.kill()
        process.wait()
        os.close(leader)
