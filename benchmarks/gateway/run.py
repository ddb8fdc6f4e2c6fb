"""What a call through a gateway costs it: CPU time by the kernel, each gateway on one core, all in one run.

    python benchmarks/gateway/run.py                                 # ours, and Go's where there is a `go`
    python benchmarks/gateway/run.py --peers litellm,vllm-router     # and these, which are installed the first time
    python benchmarks/gateway/run.py --seconds 5 --rounds 5

Peers are `litellm` (its proxy), `vllm-router`, and a reverse proxy of Go's standard library, built by `go`. Keys,
limits and records of ours are on. Only the ratios of one run count: a machine that is busy makes all of it dearer.
"""

from __future__ import annotations

import argparse
import hashlib
import os
import shutil
import signal
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

HERE = Path(__file__).parent
CACHE = HERE.parent.parent / ".cache" / "gateways"
PEERS = {"litellm": "litellm[proxy]==1.108.7", "vllm-router": "vllm-router==0.1.17"}
KEY = "ia-of-the-benchmark"
PROVIDER, GATEWAY = 8231, 8232
CASES = (("chat", 1), ("chat", 16), ("chat", 128), ("large", 16), ("stream", 64), ("embed", 4))
CHUNKS = 62  # of a stream, its end and its head included
OURS = f"""
[endpoints.up]
backend = "openai"
base_url = "http://127.0.0.1:{PROVIDER}/v1"
key_env = "UP_KEY"
[aliases]
m = "up/m"
[gateway]
port = {GATEWAY}
access_log = "{os.devnull}"
[gateway.keys.bench]
hash = "sha256:{hashlib.sha256(KEY.encode()).hexdigest()}"
requests_per_minute = 100000000
tokens_per_minute = 1000000000000
concurrency = 100000
"""
LITELLM = f"""
model_list:
  - model_name: m
    litellm_params: {{model: openai/m, api_base: "http://127.0.0.1:{PROVIDER}/v1", api_key: sk-up}}
general_settings: {{master_key: {KEY}}}
"""


def installed(name: str) -> str:
    """Return the program of a peer, which is installed into an environment of its own the first time."""
    folder = CACHE / name
    if not (folder / "complete").exists():
        python, uv = str(folder / "bin" / "python"), shutil.which("uv")
        subprocess.run([sys.executable, "-m", "venv", "--clear", str(folder)], check=True)
        command = [uv, "pip", "install", "-q", "--python", python] if uv else [python, "-m", "pip", "install", "-q"]
        subprocess.run([*command, PEERS[name]], check=True)
        (folder / "complete").touch()
    return str(folder / "bin" / name)


def commands(folder: Path, peers: list[str]) -> dict[str, list[str]]:
    """Return how each gateway that can be had is started."""
    (folder / "ours.toml").write_text(OURS)
    found = {"ipfs-accel": [sys.executable, "-m", "ipfs_accel", "serve", "--config", str(folder / "ours.toml")]}
    if shutil.which("go"):
        subprocess.run(["go", "build", "-o", str(folder / "proxy"), str(HERE / "proxy.go")], check=True)
        found["Go's ReverseProxy"] = [str(folder / "proxy"), str(GATEWAY), f"http://127.0.0.1:{PROVIDER}"]
    (folder / "litellm.yaml").write_text(LITELLM)
    options = {
        "vllm-router": ["--worker-urls", f"http://127.0.0.1:{PROVIDER}", "--port", str(GATEWAY), "--host", "127.0.0.1"],
        "litellm": ["--config", str(folder / "litellm.yaml"), "--port", str(GATEWAY), "--host", "127.0.0.1"],
    }
    return found | {name: [installed(name), *options[name]] for name in peers}


@contextmanager
def running(command: list[str], core: int) -> Iterator[int]:
    """Run a process on a core; gives its id."""
    environ = {**os.environ, "UP_KEY": "sk-up", "GOMAXPROCS": "1"}
    environ.pop("PYTHONDONTWRITEBYTECODE", None)  # what is installed is compiled
    process = subprocess.Popen(
        command,
        env=environ,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        preexec_fn=lambda: os.sched_setaffinity(0, {core}),  # noqa: PLW1509 - no thread is running here
    )
    try:
        yield process.pid
    finally:
        process.send_signal(signal.SIGTERM)
        try:
            process.wait(10)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def wait_until_it_listens(port: int) -> float:
    """Return the seconds that it took."""
    started = time.monotonic()
    while time.monotonic() - started < 60:
        try:
            urllib.request.urlopen(f"http://127.0.0.1:{port}/v1/models", timeout=1).close()
        except urllib.error.HTTPError:
            break
        except OSError:
            time.sleep(0.02)
        else:
            break
    return time.monotonic() - started


def cpu_of(pid: int) -> float:
    """Return the seconds of CPU time that a process and its children had."""
    total = 0
    for each in [pid, *children_of(pid)]:
        fields = Path(f"/proc/{each}/stat").read_text().rpartition(")")[2].split()
        total += int(fields[11]) + int(fields[12])
    return total / os.sysconf("SC_CLK_TCK")


def children_of(pid: int) -> list[int]:
    """Return its children, and theirs."""
    found: list[int] = []
    for task in Path(f"/proc/{pid}/task").iterdir():
        for each in (task / "children").read_text().split():
            found += [int(each), *children_of(int(each))]
    return found


def memory_of(pid: int) -> float:
    """Return its resident memory in MB."""
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return int(next(line for line in lines if line.startswith("VmRSS")).split()[1]) / 1024


def measured(pid: int, kind: str, connections: int, seconds: float) -> float:
    """Return microseconds a call, or a piece of a stream."""
    command = [sys.executable, str(HERE / "traffic.py"), "ask", f"http://127.0.0.1:{GATEWAY}", "--kind", kind]
    command += ["--connections", str(connections), "--seconds", str(seconds), "--key", KEY]
    before = cpu_of(pid)
    count = int(subprocess.run(command, check=True, capture_output=True, text=True).stdout)
    spent = (cpu_of(pid) - before) * 1e6 / count
    return spent / CHUNKS if kind == "stream" else spent


def main() -> None:
    """Print a table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=3.0, help="for each case and round")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--only", default="", help="gateways whose names have this in them")
    parser.add_argument("--peers", default="", help=f"which to install and measure, of {', '.join(PEERS)}")
    given = parser.parse_args()
    peers = [name for name in given.peers.split(",") if name]
    if unknown := set(peers) - set(PEERS):
        parser.error(f"--peers: there is no {', '.join(sorted(unknown))}")
    first, last = min(os.sched_getaffinity(0)), max(os.sched_getaffinity(0))
    os.sched_setaffinity(0, {last})
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        stack.enter_context(running([sys.executable, str(HERE / "traffic.py"), "serve", str(PROVIDER)], last))
        titles = [f"{kind} {count}" for kind, count in CASES]
        print(f"| microseconds of CPU | {' | '.join(titles)} | start, s | RSS, MB |\n|---{'|---' * (len(CASES) + 2)}|")
        for name, command in commands(folder, peers).items():
            if given.only not in name:
                continue
            with running(command, first) as pid:
                start = wait_until_it_listens(GATEWAY)
                rows = [
                    [measured(pid, kind, count, given.seconds) for kind, count in CASES]
                    for _ in range(given.rounds + 1)  # the first warms up
                ]
                values = [statistics.median(column) for column in zip(*rows[1:], strict=True)]
                shown = " | ".join([f"{value:.0f}" for value in values])
                print(f"| {name} | {shown} | {start:.2f} | {memory_of(pid):.0f} |", flush=True)


if __name__ == "__main__":
    main()
