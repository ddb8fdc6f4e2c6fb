"""Runs over many rows that die: each line of stdin is a run in a forked child, which is killed at some step.

A line is JSON: `order`, `output`, and where to die: `at`, the number of the step of the disk (0: nowhere), and
`is_torn`, whether half of what is to be written is written first. Answers with what became of the child, and how many
steps it took.
"""

from __future__ import annotations

import json
import os
import signal
import sys
from pathlib import Path
from typing import Any

from ipfs_accel import BackendInfo, Client, Config
from ipfs_accel._batch import planning
from ipfs_accel._client import batch_runs  # what a child needs is loaded before there is one
from ipfs_accel.wire.openai import OpenAICompatible

STEPS = ("write", "fsync", "fdatasync", "replace", "unlink", "ftruncate")


class Studio(OpenAICompatible):
    api_version = 1
    info = BackendInfo(name="studio", base_url=sys.argv[1])


class Fate:
    """Counts steps of the disk, and kills the process at one of them."""

    def __init__(self, at: int, *, is_torn: bool) -> None:
        self.count = 0
        self._at = at
        self._is_torn = is_torn
        for name in STEPS:
            if hasattr(os, name):
                setattr(os, name, self._around(name, getattr(os, name)))

    def _around(self, name: str, real: Any) -> Any:
        def step(*arguments: Any, **named: Any) -> Any:
            self.count += 1
            if self.count == self._at:
                if name == "write" and self._is_torn:
                    real(arguments[0], arguments[1][: len(arguments[1]) // 2])
                os.kill(os.getpid(), signal.SIGKILL)
            return real(*arguments, **named)

        return step


def work(asked: dict[str, Any], told: int) -> None:
    fate = Fate(asked["at"], is_torn=asked["is_torn"])
    with Client(Config(environ={}), plugins=[Studio()]) as client:
        run = client.batch_run(
            "studio/m", Path(sys.argv[2]), Path(asked["output"]), order=asked["order"], concurrency=3
        )
        ended = run.complete().ended
    with os.fdopen(told, "w") as out:
        out.write(f"{ended} {fate.count}")


planning.SHARD_ROWS = 5
assert batch_runs
for line in sys.stdin:
    read_end, write_end = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(read_end)
        code = 1
        try:
            work(json.loads(line), write_end)
            code = 0
        finally:
            os._exit(code)
    os.close(write_end)
    said = os.fdopen(read_end).read()
    status = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    sys.stdout.write(json.dumps({"status": status, "said": said}) + "\n")
    sys.stdout.flush()
