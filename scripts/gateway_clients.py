"""Make the table of clients that the gateway's tests serve: who asks which route, and which backends answer.

It runs the tests of the gateway, with IPFS_ACCEL_PEERS=1 also those with programs that take minutes to install, and
writes what came of it into the gateway's README. A request counts if the test that made it passed.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import tempfile
from collections import defaultdict
from pathlib import Path

ROOT = Path(__file__).parent.parent
TESTS = ROOT / "services" / "gateway" / "tests"
README = ROOT / "services" / "gateway" / "README.md"
BEGIN, END = "<!-- made by scripts/gateway_clients.py -->\n", "<!-- end of what is made -->\n"
# How a client says who it is, and its name; the first that fits counts.
CLIENTS = (
    (r"claude-cli/", "Claude Code"),
    (r"codex", "Codex"),
    (r"(?:^|\s)(?:ai-sdk|ai)/", "AI SDK (Node)"),
    (r"Anthropic/JS", "anthropic (Node)"),
    (r"Anthropic/Python", "anthropic (Python)"),
    (r"OpenAI/JS", "openai (Node)"),
    (r"OpenAI/Python", "openai (Python)"),
    (r"google-genai-sdk/.*gl-node", "google-genai (Node)"),
    (r"google-genai-sdk/.*gl-python", "google-genai (Python)"),
    (r"ollama-js/", "ollama (Node)"),
    (r"ollama-python/", "ollama (Python)"),
    (r"^ollama/", "Ollama's own program"),
    (r"litellm", "litellm (Python)"),
    (r"^ipfs-accel/", "ipfs-accel"),
)
ANY = "scripted"
"""The backend of the tests that answers by a script: it stands for all whose answers are read and written anew."""


def main() -> None:
    """Run the tests and write the table."""
    with tempfile.TemporaryDirectory() as folder:
        seen = Path(folder) / "served"
        seen.touch()
        command = [sys.executable, "-m", "pytest", str(TESTS), "--quiet", *sys.argv[1:]]
        done = subprocess.run(command, cwd=ROOT, env={**os.environ, "IPFS_ACCEL_SERVED": str(seen)}, check=False)
        found = [tuple(json.loads(line)) for line in seen.read_text().splitlines()]
    if done.returncode:
        sys.exit("the tests fail; the table is left as it was")
    text = README.read_text()
    before, _, rest = text.partition(BEGIN)
    after = rest.partition(END)[2]
    README.write_text(f"{before}{BEGIN}{table(found)}{END}{after}")


def table(found: list[tuple[str, ...]]) -> str:
    """Return the table of (user agent, route, backend, lane)."""
    rows: dict[tuple[str, str], dict[str, set[str]]] = defaultdict(lambda: {"relay": set(), "translate": set()})
    for agent, route, backend, lane in found:
        name = next((name for pattern, name in CLIENTS if re.search(pattern, agent)), None)
        if name is not None:
            rows[name, route][lane].add(backend)
    lines = ["| client | route | passed on to | translated for |", "|---|---|---|---|"]
    for (name, route), lanes in sorted(rows.items()):
        cells = [", ".join(sorted(lanes["relay"])), ", ".join(sorted(lanes["translate"] - {ANY})) or "any"]
        if not lanes["translate"]:
            cells[1] = ""
        lines.append(f"| {name} | `{route}` | {' | '.join(cells)} |")
    return "".join([f"{line}\n" for line in lines])


if __name__ == "__main__":
    main()
