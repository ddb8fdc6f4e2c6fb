"""Tells what a library brings along and how long it takes to start: packages, bytes, and CPU time beside ipfs-accel.

It is `python benchmarks/installed.py`. Each is installed by pip into an environment of its own, with what it needs to
ask OpenAI's API. What is counted are the packages and the files of that environment, with their bytecode, without pip.
Times are user and system time of a whole process as the kernel counts it, from its start over the imports to its first
answer, which is as good as at once. A pair is one process of ipfs-accel and one of the other, the first of which
changes; the ratio is taken within the pair.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
from pathlib import Path
from statistics import median

from beside import conditions, environments, table
from builds import run
from libraries import OURS, PEERS, Library
from pairs import serving

_COUNT = """
import json, pathlib, sysconfig
from importlib import metadata
folder = pathlib.Path(sysconfig.get_path("purelib"))
names = [each.metadata["Name"] for each in metadata.distributions(path=[str(folder)])]
own = ("pip", "setuptools", "_distutils_hack", "distutils-precedence", "pkg_resources")
size = sum(
    path.stat().st_size
    for path in folder.rglob("*")
    if path.is_file() and not path.relative_to(folder).parts[0].startswith(own)
)
print(json.dumps([len(set(names) - set(own)), size]))
"""


def used(python: Path, library: Library, root: str, environ: dict[str, str]) -> float:
    """Return the CPU seconds of a process that has one answer."""
    command = [str(python), "-c", library.program(), root, "1"]
    running = subprocess.Popen(command, env=environ, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE)
    assert running.stdout is not None
    with running.stdout as output:
        told = output.read()
    _, status, usage = os.wait4(running.pid, 0)
    running.returncode = os.waitstatus_to_exitcode(status)
    if running.returncode or json.loads(told.splitlines()[-1])["answered"] != 1:
        raise SystemExit(f"{library.name} gave no answer: {told.decode()}")
    return usage.ru_utime + usage.ru_stime


def ratios(found: dict[str, Path], pairs: int) -> dict[str, list[float]]:
    """Return library to how many times the CPU time of ipfs-accel it took, in each pair."""
    taken: dict[str, list[float]] = {each.name: [] for each in PEERS}
    with serving() as place:
        for number in range(pairs + 1):
            for peer in PEERS:
                both = (OURS, peer) if number % 2 else (peer, OURS)
                each = {one.name: used(found[one.requirement], one, place.root, place.environ) for one in both}
                if number:  # the first of each reads its files from the disk
                    taken[peer.name].append(each[peer.name] / each[OURS.name])
    return taken


def shown(values: list[float]) -> str:
    """Return the median and the range of some ratios."""
    return f"{median(values):.1f} ({min(values):.1f} to {max(values):.1f})"


def main() -> None:
    """Print the table."""
    given = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    given.add_argument("--pairs", type=int, default=7, help="of processes, for each library and figure (7)")
    pairs = given.parse_args().pairs
    found, versions = environments(PEERS)
    counts = {each.name: json.loads(run(found[each.requirement], "-c", _COUNT)) for each in (OURS, *PEERS)}
    asked = ratios(found, pairs)
    rows = []
    for each in (OURS, *PEERS):
        packages, size = counts[each.name]
        times = shown(asked[each.name]) if each.requirement else "1"
        rows.append((each.name, str(packages), f"{size / 1e6:.0f} MB", times))
    print(conditions(f"{pairs} pairs", versions))
    print(table(("library", "packages", "installed", "CPU time to the first answer"), rows))


if __name__ == "__main__":
    main()
