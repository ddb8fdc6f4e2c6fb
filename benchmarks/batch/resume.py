"""How long a run of ten million rows takes to be gone on with, where all but the last shard are finished.

    python benchmarks/batch/resume.py [--rows N]

The plan and the manifest are made up, as they would be after so many rows; the input is a file with a hole, of which
only the last shard is there. Nothing is asked: the run is opened, as `batch resume` does it, and closed again.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import resource
import tempfile
import time
from pathlib import Path

from ipfs_accel._batch import planning
from ipfs_accel._batch.engine import Limits
from ipfs_accel._batch.folder import Folder, folder_of
from ipfs_accel._batch.opening import opened
from ipfs_accel._batch.plan import PLAN, Plan, Shard
from ipfs_accel._batch.settings import checked_settings
from ipfs_accel._batch.totals import Totals

ROW = b'{"custom_id": "%010d", "body": {"messages": "Why is the sky blue, and what is it that the sea has of it?"}}\n'


def made(folder: Path, rows: int) -> tuple[Path, Path]:
    """Make a run with all but its last shard finished."""
    source, output = folder / "in.jsonl", folder / "out.jsonl"
    size, each = len(ROW % 0), planning.SHARD_ROWS
    last = b"".join([ROW % number for number in range(rows - each, rows)])
    with source.open("wb") as file:
        file.seek(size * (rows - each))
        file.write(last)
    settings = checked_settings(source, "up/m", {})
    shards = tuple(
        Shard(
            number=number,
            start=first * size,
            end=(first + each) * size,
            rows=each,
            first=first + 1,
            sha256=hashlib.sha256(last).hexdigest(),
        )
        for number, first in enumerate(range(0, rows, each))
    )
    stat = source.stat()
    plan = Plan(
        source=source,
        size=stat.st_size,
        changed=stat.st_mtime_ns,
        header=b"",
        shards=shards,
        settings=settings.document(),
        fingerprint=settings.fingerprint(),
    )
    folder_of(output).mkdir()
    plan.save(folder_of(output) / PLAN)
    totals = Totals()
    totals.rows, totals.input_tokens, totals.cost = each, 20 * each, 0.1
    with Folder(output) as run:
        manifest = run._manifest  # noqa: SLF001 - one write for each, and not one sync
        assert manifest is not None
        for shard in shards[:-1]:
            known = {"size": 1, "sha256": shard.sha256, "totals": totals.document(), "end": 0, "emitted": {}}
            manifest.append(json.dumps({"what": "finished", "shard": shard.number, **known}).encode())
    return source, output


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--rows", type=int, default=10_000_000)
    rows = parser.parse_args().rows // planning.SHARD_ROWS * planning.SHARD_ROWS
    with tempfile.TemporaryDirectory() as folder:
        source, output = made(Path(folder), rows)
        settings = checked_settings(source, "up/m", {})
        began = time.perf_counter()
        engine = opened(source, output, settings, Limits(), now=time.perf_counter, check=lambda _: None)
        first = engine.take()
        took = time.perf_counter() - began
        report = engine.report()
        assert first is not None
        engine.stop()
        engine.dropped()
        engine.finish()
    most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(f"{report.rows} rows, {report.left} left: {took:.2f} s to the first of them, {most:.0f} MB")


if __name__ == "__main__":
    main()
