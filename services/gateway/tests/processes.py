"""A gateway as a process of its own, of which all is told that it says."""

from __future__ import annotations

import json
import os
import queue
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from .wires import PATIENCE


class Process:
    """A gateway that was started by `ipfs-accel serve`."""

    def __init__(self, config: Path, **environ: str) -> None:
        command = [sys.executable, "-m", "ipfs_accel", "serve", "--json", "--config", str(config)]
        self.process = subprocess.Popen(
            command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env={**os.environ, **environ}
        )
        self._lines: queue.Queue[str] = queue.Queue()
        self.said: list[str] = []
        self.reader = threading.Thread(target=self._read, daemon=True)
        self.reader.start()
        assert self.process.stdout is not None
        first = self.process.stdout.readline()
        if not first:
            self.process.wait(PATIENCE)
            raise AssertionError(self.said)
        self.told: dict[str, Any] = json.loads(first)
        self.url: str = self.told["url"]

    def _read(self) -> None:
        assert self.process.stderr is not None
        for line in self.process.stderr:
            self.said.append(line)
            self._lines.put(line)

    def heard(self, text: str) -> str:
        """Wait for a line with a text in it."""
        while True:
            try:
                line = self._lines.get(timeout=PATIENCE)
            except queue.Empty:
                raise AssertionError(self.said) from None
            if text in line:
                return line

    def send(self, name: signal.Signals) -> None:
        self.process.send_signal(name)

    def end(self) -> int:
        """Wait for its end, and return the exit code."""
        return self.process.wait(PATIENCE)


@contextmanager
def process(config: Path, **environ: str) -> Iterator[Process]:
    """Start one, and end it in any case."""
    found = Process(config, **environ)
    try:
        yield found
    finally:
        found.process.kill()
        found.process.wait()
        found.reader.join(PATIENCE)  # processes that it has started end a moment later
        for each in (found.process.stdout, found.process.stderr):
            assert each is not None
            each.close()
