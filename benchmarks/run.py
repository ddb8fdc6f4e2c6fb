"""Measures ipfs-accel beside raw httpx and the usual libraries in one run, and prints ratios.

    make bench            # or: python benchmarks/run.py [--json]

Absolute figures move with the machine; the ratios to raw httpx and to the peers are what counts. A library that is not
installed is left out, and the table says so.
"""

from __future__ import annotations

import importlib.util
import json
import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).parent
MODULES = {
    "ipfs-accel": "ipfs_accel",
    "httpx": "httpx",
    "openai": "openai",
    "litellm": "litellm",
    "langchain": "langchain_openai",
}


def measure() -> dict[str, dict[str, float]]:
    """Return library to figure to value."""
    server = subprocess.Popen([sys.executable, str(HERE / "server.py")], stdout=subprocess.PIPE, text=True)
    if server.stdout is None:
        sys.exit("the server's port cannot be read")
    port = server.stdout.readline().strip()
    found: dict[str, dict[str, float]] = {}
    try:
        for name, module in MODULES.items():
            if importlib.util.find_spec(module) is None:
                print(f"{name} is not installed and left out", file=sys.stderr)
                continue
            command = [sys.executable, str(HERE / "worker.py"), name, port]
            done = subprocess.run(command, capture_output=True, text=True, check=False)
            if done.returncode:
                print(f"{name} failed and is left out: {done.stderr.strip().splitlines()[-1]}", file=sys.stderr)
                continue
            found[name] = json.loads(done.stdout.splitlines()[-1])
    finally:
        server.terminate()
        server.wait()
        server.stdout.close()
    return found


def table(found: dict[str, dict[str, float]]) -> str:
    """Return the figures as text: absolute for raw httpx, and how many times that for each library."""
    yardstick = found["httpx"]
    names = [name for name in found if name != "httpx"]
    rows = [["CPU us per call, or ms", "httpx", *[f"{name} / httpx" for name in names]]]
    for figure, base in yardstick.items():
        rows.append([figure, f"{base:.1f}", *[f"{found[name].get(figure, float('nan')) / base:.2f}" for name in names]])
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    return "\n".join("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)) for row in rows)


def main() -> None:
    """Print the table, or everything as JSON."""
    found = measure()
    print(json.dumps(found, indent=1) if "--json" in sys.argv[1:] else table(found))


if __name__ == "__main__":
    main()
