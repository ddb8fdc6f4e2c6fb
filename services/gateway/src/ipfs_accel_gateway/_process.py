"""Figures of the process, by the names that all libraries for Prometheus have for them.

Source: https://prometheus.io/docs/instrumenting/writing_clientlibs/#process-metrics
"""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Iterator
from pathlib import Path

from ._exposition import Family, number

__all__ = ["process_families", "resident_bytes"]

_SELF = Path("/proc/self")
_HAS_PROC = sys.platform == "linux"


def process_families() -> Iterator[Family]:
    """Return what the system tells of this process; what it does not tell is not there."""
    yield _family("process_cpu_seconds", "counter", "CPU time, of the user and of the system.", time.process_time())
    if not _HAS_PROC:
        return
    import resource  # noqa: PLC0415 - Windows has none

    try:
        # The name of the program stands in brackets, and may have any letters in it.
        fields = (_SELF / "stat").read_text("utf-8", "replace").rpartition(")")[2].split()
        begun = next(line for line in Path("/proc/stat").read_text().splitlines() if line.startswith("btime "))
        open_fds = len(list((_SELF / "fd").iterdir()))
    except OSError:
        return
    since = float(begun.split()[1]) + int(fields[19]) / os.sysconf("SC_CLK_TCK")
    resident = int(fields[21]) * os.sysconf("SC_PAGE_SIZE")
    yield _family("process_start_time_seconds", "gauge", "When it began, in seconds since 1970.", since)
    yield _family("process_virtual_memory_bytes", "gauge", "Addresses that it may use.", int(fields[20]))
    yield _family("process_resident_memory_bytes", "gauge", "Memory that it has.", resident)
    yield _family("process_open_fds", "gauge", "Files and connections that are open.", open_fds)
    most = resource.getrlimit(resource.RLIMIT_NOFILE)[0]
    yield _family(
        "process_max_fds", "gauge", "How many may be.", float("inf") if most == resource.RLIM_INFINITY else most
    )


def resident_bytes() -> int | None:
    """Return the memory that this process has; None where the system does not tell."""
    try:
        return int((_SELF / "statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")
    except (OSError, AttributeError):  # Windows
        return None


def _family(name: str, kind: str, said: str, value: float) -> Family:
    suffix = "_total" if kind == "counter" else ""
    return Family(name, "counter" if suffix else "gauge", said, [(suffix, "", number(value))])
