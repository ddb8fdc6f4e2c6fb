"""Run tests while other programs keep all cores busy, several times, and say which failed how often.

    python scripts/under_load.py --rounds 20
    python scripts/under_load.py --rounds 20 core/tests/test_http_pool.py -k queue
    python scripts/under_load.py --rounds 1 core/tests plugins examples tests

Without files it takes those that have time, threads or processes in them. All else goes to pytest. The busy loops end
with this program, however it ends.
"""

from __future__ import annotations

import argparse
import os
import re
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

ROOT = Path(__file__).parent.parent
FOLDERS = ("core/tests", "plugins", "examples", "tests")
WORDS = re.compile(
    r"\b(time\.|timeout|limit=|threading|subprocess|fork|signal\.|asyncio|anyio|spawn|started|scripted|serve|raw_server|llama)\b|BackendContract"
)
LOOP = "import os, sys\nwhile os.getppid() == int(sys.argv[1]):\n    for _ in range(1_000_000): pass"


@contextmanager
def load(loops: int) -> Iterator[None]:
    """Run so many busy loops until the block ends; each looks whether its parent still lives."""
    command = [sys.executable, "-c", LOOP, str(os.getpid())]
    running = [subprocess.Popen(command) for _ in range(loops)]
    try:
        yield
    finally:
        for process in running:
            process.kill()
            process.wait()


def timed_files() -> list[str]:
    """Return the test files with time, threads or processes in them."""
    files = sorted(path for folder in FOLDERS for path in (ROOT / folder).rglob("test_*.py"))
    return [
        str(path.relative_to(ROOT)) for path in files if "frozen" not in path.parts and WORDS.search(path.read_text())
    ]


def failures(arguments: list[str]) -> tuple[list[str], str]:
    """Run pytest once; return the tests that failed, and its last line."""
    command = [sys.executable, "-m", "pytest", "-q", "-rfE", "-p", "no:cacheprovider", *arguments]
    # In a session of its own: where the system shares time among sessions, the loops are another program's.
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False, start_new_session=True)
    lines = done.stdout.splitlines()
    found = [line.partition(" ")[2].partition(" - ")[0] for line in lines if line.startswith(("FAILED ", "ERROR "))]
    if done.returncode:
        print(done.stdout, done.stderr, sep="\n", flush=True)
    return found, lines[-1] if lines else f"exit code {done.returncode}"


def main() -> int:
    """Run the rounds; the exit code is 1 if any test failed in any of them."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--loops", type=int, default=6, help="busy loops beside the tests")
    parser.add_argument("--rounds", type=int, default=20)
    options, arguments = parser.parse_known_args()
    if not any((ROOT / each.partition("::")[0]).exists() for each in arguments):
        arguments += timed_files()
    failed: Counter[str] = Counter()
    with load(options.loops):
        for number in range(1, options.rounds + 1):
            began = time.monotonic()
            found, summary = failures(arguments)
            failed.update(found)
            print(f"round {number}: {summary} ({time.monotonic() - began:.0f} s)", flush=True)
    for test, times in failed.most_common():
        print(f"{times} of {options.rounds}: {test}")
    return bool(failed)


if __name__ == "__main__":
    sys.exit(main())
