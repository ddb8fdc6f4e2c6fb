"""Environments with ipfs-accel and with other libraries, each in its own, and tables of what is measured in them."""

from __future__ import annotations

import os
import platform
import sys
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from pathlib import Path

from builds import ROOT, Builder, versions
from libraries import Library

CACHE = ROOT / ".cache" / "bench"


def environments(libraries: Sequence[Library]) -> tuple[dict[str, Path], dict[str, str]]:
    """Return requirement to the interpreter that has it, and to the version of what it names.

    ipfs-accel, as the requirement "", is that of the working tree with its backend for OpenAI. The others are the
    newest that there were when their environment was made; without it in `.cache/bench`, it is made anew.
    """
    builder = Builder(sys.executable, CACHE)
    found = {"": builder.environment(builder.working_tree(), "plain")}
    found |= {each.requirement: builder.newest(each.name, each.requirement) for each in libraries}
    names = {requirement: requirement.partition("[")[0] or "ipfs-accel" for requirement in found}
    return found, {name: versions(found[requirement])[name] for requirement, name in names.items()}


def conditions(how: str, known: dict[str, str]) -> str:
    """Say when, with what and how it was measured, in words that name no machine."""
    today = datetime.now(UTC).date()
    named = ", ".join(f"{name} {version}" for name, version in known.items())
    place = f"Python {platform.python_version()}, {platform.system()}, {os.cpu_count()} cores"
    return f"{today}, {place}, {how}; {named}\n"


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Return the rows as Markdown, which is how they stand in the README."""
    return "\n".join(f"| {' | '.join(row)} |" for row in (head, ["---"] * len(head), *rows))
