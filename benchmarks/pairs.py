"""Runs what is compared in turn, on one core, and gives every figure of every pair.

A pair is one process of each side. All live together and are asked for one short round after the other, A B B A …, so
that both sides see the same weather, and the quieter half of each side's rounds counts. The next pair begins with the
other side, in new processes with another seed of hashes, so that what one process happened to be like is part of the
spread.
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from figures import TEXT, Figure
from subjects import SUBJECTS

HERE = Path(__file__).parent
Values = dict[str, dict[str, list[float]]]  # figure to side to one value for each pair
CONFIG = """[endpoints.bench]
backend = "openai"
base_url = "{root}/held/v1"
key_env = "BENCH_KEY"
"""
HIDDEN = ("IPFS_ACCEL_", "PYTHON", "OPENAI_", "HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "XDG_")


@dataclass(frozen=True, slots=True, kw_only=True)
class Side:
    """What is measured: a library in an environment. `name` is what the values are told apart by."""

    name: str
    subject: str
    python: Path


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """How much is measured: pairs of processes, and the share of the figures' rounds and of their calls."""

    pairs: int = 11
    share: float = 1.0


def cores() -> tuple[int, int] | None:
    """Return the cores of the server and of what is measured, which may be one; None where nothing can be pinned."""
    if not hasattr(os, "sched_setaffinity"):
        return None
    allowed = sorted(os.sched_getaffinity(0))
    return allowed[0], allowed[-1]


@contextlib.contextmanager
def pinned(core: int | None) -> Iterator[None]:
    """Start what is started within on one core."""
    if core is None:
        yield
        return
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {core})
    try:
        yield
    finally:
        os.sched_setaffinity(0, before)


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Where it is measured: the server's address and counter, the core, and the environment of the processes."""

    root: str
    counter: Path
    core: int | None
    environ: dict[str, str]


class MeasureError(Exception):
    """A side could not be measured; what it wrote to stderr stands above."""

    def __init__(self, side: Side, figure: Figure) -> None:
        super().__init__(f"{side.name} cannot be measured: {figure.name}")
        self.side = side


class Workers:
    """The processes of one pair that are asked for rounds, each started when it is first asked."""

    def __init__(self, command: list[str | Path], environ: dict[str, str], core: int | None) -> None:
        self._command, self._environ, self._core = command, environ, core
        self._running: dict[str, subprocess.Popen[str]] = {}

    def round(self, side: Side, figure: Figure, share: float) -> float:
        """Return the value of one round."""
        if side.name not in self._running:
            command = [side.python, self._command[0], side.subject, *self._command[1:]]
            with pinned(self._core):
                self._running[side.name] = subprocess.Popen(
                    command, env=self._environ, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
                )
        return self._ask(side, figure, share)

    def _ask(self, side: Side, figure: Figure, share: float) -> float:
        worker = self._running[side.name]
        assert worker.stdin is not None
        assert worker.stdout is not None
        with contextlib.suppress(BrokenPipeError):
            worker.stdin.write(json.dumps([figure.name, share]) + "\n")
            worker.stdin.flush()
        line = worker.stdout.readline()
        if not line:
            raise MeasureError(side, figure)
        return float(json.loads(line))

    def close(self) -> None:
        """End them."""
        for worker in self._running.values():
            worker.kill()
            worker.communicate()


def process(side: Side, figure: Figure, root: str, environ: dict[str, str], core: int | None) -> float:
    """Return the CPU milliseconds of one process to its end, or to the first byte of an answer that goes no further."""
    command: list[str | Path] = {
        "first": [side.python, "-c", SUBJECTS[side.subject].first, root],
        "help": [side.python.with_name("ipfs-accel"), "--help"],
        "answer": [side.python.with_name("ipfs-accel"), "chat", "-m", "bench/bench", TEXT],
    }[figure.action]
    with pinned(core):
        running = subprocess.Popen(command, env=environ, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE)
    assert running.stdout is not None
    with running.stdout as output:
        if figure.action == "answer":
            output.read(1)
            running.kill()
        else:
            output.read()
        _, status, used = os.wait4(running.pid, 0)
    running.returncode = os.waitstatus_to_exitcode(status)
    if running.returncode != (-signal.SIGKILL if figure.action == "answer" else 0):
        raise MeasureError(side, figure)
    return (used.ru_utime + used.ru_stime) * 1e3


def has(side: Side, figure: Figure, count: int) -> bool:
    """Tell whether a side is in a round; every third is enough for a peer, which is compared but not judged."""
    if side.subject == "ipfs-accel":
        return True
    return count % 3 == 0 and side.subject in figure.peers and hasattr(SUBJECTS[side.subject], figure.action)


def one_pair(
    number: int, sides: list[Side], figures: list[Figure], plan: Plan, place: Place
) -> dict[tuple[str, str], list[float]]:
    """Return (figure, side) to the values of all rounds."""
    environ = place.environ | {"PYTHONHASHSEED": str(number + 1)}
    order = sides if number % 2 == 0 else sides[::-1]
    workers = Workers([HERE / "worker.py", place.root, place.counter], environ, place.core)
    rounds = {figure.name: max(1, round(figure.rounds * plan.share)) for figure in figures}
    found: dict[tuple[str, str], list[float]] = {}
    with contextlib.closing(workers):
        for count in range(max(rounds.values())):
            for figure in (each for each in figures if count < rounds[each.name]):
                for side in order if count % 2 == 0 else order[::-1]:
                    if not has(side, figure, count):
                        continue
                    if figure.kind == "process":
                        value = process(side, figure, place.root, environ, place.core)
                    else:
                        value = workers.round(side, figure, plan.share)
                    found.setdefault((figure.name, side.name), []).append(value)
    return found


def quiet(rounds: list[float]) -> float:
    """Return the mean of the lower half: what disturbs a round adds to it, but the least of all is an oddity too."""
    lower = sorted(rounds)[: (len(rounds) + 1) // 2]
    return sum(lower) / len(lower)


def measure(sides: list[Side], figures: list[Figure], plan: Plan) -> Values:
    """Return the values of all pairs. A peer that fails is left out; ipfs-accel raises `MeasureError`."""
    taken = [figure for figure in figures if figure.kind != "quotient"]
    values: Values = {figure.name: {} for figure in figures}
    number = 0
    with serving() as place:
        while number < plan.pairs:
            print(f"pair {number + 1} of {plan.pairs}", file=sys.stderr)
            try:
                found = one_pair(number, sides, taken, plan, place)
            except MeasureError as error:
                if error.side.subject == "ipfs-accel":
                    raise
                print(f"{error}; it is left out", file=sys.stderr)
                sides = [side for side in sides if side != error.side]
                continue
            for (figure, side), rounds in found.items():
                values[figure].setdefault(side, []).append(quiet(rounds))
            number += 1
    names = {side.name for side in sides}
    kept = {figure: {name: each for name, each in of.items() if name in names} for figure, of in values.items()}
    for figure in figures:
        if figure.kind == "quotient":
            above, below = (kept[part] for part in figure.of)
            kept[figure.name] = {
                side: [a / b for a, b in zip(above[side], below[side], strict=True)] for side in above if side in below
            }
    return kept


@contextlib.contextmanager
def serving() -> Iterator[Place]:
    """Run the server, on the other core where there are two."""
    found = cores()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "counter").write_bytes(bytes(8))
        with pinned(found and found[0]):
            server = subprocess.Popen(
                [sys.executable, HERE / "server.py", folder / "counter"], stdout=subprocess.PIPE, text=True
            )
        assert server.stdout is not None
        try:
            root = f"http://127.0.0.1:{int(server.stdout.readline())}"
            (folder / "config.toml").write_text(CONFIG.format(root=root))
            kept = {key: value for key, value in os.environ.items() if not key.upper().startswith(HIDDEN)}
            more = {"HOME": name, "IPFS_ACCEL_CONFIG": str(folder / "config.toml"), "BENCH_KEY": "sk-bench"}
            yield Place(root=root, counter=folder / "counter", core=found and found[1], environ=kept | more)
        finally:
            server.terminate()
            server.communicate()
