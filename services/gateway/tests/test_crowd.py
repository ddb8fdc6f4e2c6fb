"""Crowds: ten thousand connections that ask nothing, a thousand callers that send and read a byte at a time."""

from __future__ import annotations

import json
import resource
import subprocess
import sys
from pathlib import Path

import pytest

SCRIPT = Path(__file__).parents[3] / "benchmarks" / "gateway" / "crowd.py"
FILES = 11_000


@pytest.mark.slow
@pytest.mark.timeout(900)
@pytest.mark.skipif(sys.platform != "linux", reason="what a process uses is read from /proc")
def test_crowds_cost_little_harm_nobody_and_leave_nothing() -> None:
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    if hard != resource.RLIM_INFINITY and hard < FILES:
        pytest.skip(f"a process may open {hard} files here, and {FILES} are needed: ulimit -Hn")
    done = subprocess.run([sys.executable, str(SCRIPT), "--json"], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    idle, slow = json.loads(done.stdout)
    assert (idle["came"] >= 10_000, slow["came"] >= 1_000) == (True, True)
    assert idle["left"] == slow["left"] == 0
    assert idle["kb_each"] < 16
    assert slow["kb_each"] < 64
    for each in (idle, slow):
        # All of 200 calls were answered meanwhile; that the machine does other things, too, fails no test.
        assert each["beside"][0] < 20 * each["alone"][0] + 200
