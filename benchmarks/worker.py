"""Measures one library in a process of its own, a round at a time, as `python worker.py SUBJECT ROOT COUNTER` is told.

Each line that comes in is `[figure, share]`, with the share of the figure's calls to make; each that goes out is the
round's value. CPU is user and system time of this process as the kernel counts it, all threads. Before its first round
a figure is warmed up. The garbage collector is on, as in a program, but what stood before is not gone through again.
"""

from __future__ import annotations

import asyncio
import gc
import importlib.util
import json
import mmap
import resource
import sys
import tracemalloc
from collections.abc import Callable
from pathlib import Path
from statistics import median
from typing import Any

from figures import BY_NAME, Figure
from subjects import SUBJECTS, Seen


def cpu_seconds() -> float:
    """Return what this process has used so far."""
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime


def runner() -> asyncio.Runner:
    """Return a runner on uvloop where the environment has it, which only `fast` may bring; else on the stock loop."""
    if importlib.util.find_spec("uvloop") is None:
        return asyncio.Runner()
    import uvloop

    return asyncio.Runner(loop_factory=uvloop.new_event_loop)


class Bench:
    """A subject, and how each figure is taken from it."""

    def __init__(self, name: str, root: str, seen: Seen, loop: asyncio.Runner) -> None:
        self._subject = SUBJECTS[name](root)
        self._seen = seen
        self._loop = loop
        self._warm = set[Figure]()

    def measure(self, figure: Figure, share: float) -> float:
        """Return the value of one round."""
        calls = max(1, round(figure.calls * share))
        one = self._once(figure)
        if figure.kind == "bytes":
            return peak(one, calls)
        if figure.kind == "objects":
            return left(one, calls)
        if figure not in self._warm:
            self._warm.add(figure)
            one()
            gc.collect()
            gc.freeze()
        had = self._seen[0]
        begin = cpu_seconds()
        if figure.action == "achat":
            calls = self._loop.run(self._crowd(figure.at_once, calls))
        else:
            for _ in range(calls):
                one()
        used = cpu_seconds() - begin
        if figure.per_call > 1 and self._seen[0] - had < calls * figure.per_call:
            sys.exit(f"{figure.name}: only {self._seen[0] - had} events of {calls} streams came")
        return used * 1e6 / (calls * figure.per_call)

    def _once(self, figure: Figure) -> Callable[[], Any]:
        action, path, seen = getattr(self._subject, figure.action), figure.path, self._seen
        actions: dict[str, Callable[[], Any]] = {
            "chat": action,
            "achat": lambda: self._loop.run(action()),
            "stream": lambda: action(path, seen),
            "astream": lambda: self._loop.run(action(path, seen)),
            "embed": lambda: action(path),
        }
        return actions[figure.action]

    async def _crowd(self, at_once: int, calls: int) -> int:
        each = max(1, calls // at_once)

        async def one() -> None:
            for _ in range(each):
                await self._subject.achat()

        await asyncio.gather(*[one() for _ in range(at_once)])
        return each * at_once


def peak(one: Callable[[], Any], calls: int) -> float:
    """Return how many bytes a call stands above what there was before it at its highest; the median of the calls."""
    gc.collect()
    gc.disable()
    tracemalloc.start()
    peaks = []
    for _ in range(calls + 1):
        tracemalloc.reset_peak()
        before = tracemalloc.get_traced_memory()[0]
        one()
        peaks.append(tracemalloc.get_traced_memory()[1] - before)
    tracemalloc.stop()
    gc.enable()
    return median(peaks[1:])


def left(one: Callable[[], Any], calls: int) -> float:
    """Return how many objects a call leaves to the garbage collector, or for ever, to a tenth."""
    one()
    gc.collect()
    gc.disable()
    before = len(gc.get_objects())
    for _ in range(calls):
        one()
    found = round((len(gc.get_objects()) - before) / calls, 1)
    gc.enable()
    return found


def main() -> None:
    """Measure what stdin asks for until it ends."""
    name, root, counter = sys.argv[1:]
    with Path(counter).open("r+b") as file:
        seen = memoryview(mmap.mmap(file.fileno(), 8)).cast("Q")
    with runner() as loop:
        bench = Bench(name, root, seen, loop)  # type: ignore[arg-type]
        for line in sys.stdin:
            figure, share = json.loads(line)
            print(json.dumps(bench.measure(BY_NAME[figure], share)), flush=True)


if __name__ == "__main__":
    main()
