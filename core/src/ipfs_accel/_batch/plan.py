"""The plan of a run: which rows there are and where, and what is asked of them; written once."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ipfs_accel._values import frozen
from ipfs_accel.errors import InvalidRequestError

from . import rows
from .logs import sync_folder

__all__ = ["PLAN", "Plan", "Shard", "read_shard", "replaced"]

VERSION = 1
PLAN = "plan.json"


@frozen(kw_only=True)
class Shard:
    """Rows that stand together in the input.

    Attributes:
        number: From 0.
        start: Where they begin in the file, in bytes.
        end: Where they end.
        rows: How many there are.
        first: The number of its first row in the input, from 1.
        sha256: Of their bytes.
    """

    number: int
    start: int
    end: int
    rows: int
    first: int
    sha256: str


@frozen(kw_only=True)
class Plan:
    """What a run has to do.

    Attributes:
        source: The input.
        size: Its bytes.
        changed: When it was last changed, in nanoseconds since 1970.
        header: What stands above the rows.
        shards: All of it.
        settings: What is asked, as JSON values.
        fingerprint: A hash of the settings.
        unreadable: Rows that are not of their form, each of which will be a failed row.
        origin: Of an input that was copied into the folder, as its rows are no lines: its hash.
    """

    source: Path
    size: int
    changed: int
    header: bytes
    shards: tuple[Shard, ...]
    settings: Mapping[str, Any]
    fingerprint: str
    unreadable: int = 0
    origin: str | None = None

    @property
    def rows(self) -> int:
        """How many rows there are."""
        return sum(shard.rows for shard in self.shards)

    @property
    def form(self) -> str:
        """That of the file that is read."""
        return "jsonl" if self.origin else str(self.settings["form"])

    def save(self, path: Path) -> None:
        """Write it, all or nothing."""
        document = {
            "version": VERSION,
            "source": {"path": str(self.source), "size": self.size, "changed": self.changed},
            "header": self.header.hex(),
            "settings": dict(self.settings),
            "fingerprint": self.fingerprint,
            "unreadable": self.unreadable,
            "origin": self.origin,
            "shards": [[each.start, each.end, each.rows, each.sha256] for each in self.shards],
        }
        replaced(path, json.dumps(document).encode())

    @classmethod
    def load(cls, path: Path) -> Plan:
        """Read one.

        Raises:
            InvalidRequestError: There is none, or one of another version.
        """
        try:
            document = json.loads(path.read_bytes())
            if document["version"] != VERSION:
                raise InvalidRequestError(f"{path}: it is of version {document['version']} and this reads {VERSION}")
            source = document["source"]
            shards, first = [], 1
            for number, (start, end, count, sha256) in enumerate(document["shards"]):
                shards.append(Shard(number=number, start=start, end=end, rows=count, first=first, sha256=sha256))
                first += count
            return cls(
                source=Path(source["path"]),
                size=source["size"],
                changed=source["changed"],
                header=bytes.fromhex(document["header"]),
                shards=tuple(shards),
                settings=document["settings"],
                fingerprint=document["fingerprint"],
                unreadable=document["unreadable"],
                origin=document["origin"],
            )
        except FileNotFoundError:
            raise InvalidRequestError(
                f"{path.parent}: there is no run", hint="begin one: ipfs-accel batch run"
            ) from None
        except (KeyError, TypeError, ValueError) as error:
            if isinstance(error, InvalidRequestError):
                raise
            raise InvalidRequestError(f"{path}: it is no plan of a run: {error!r}") from None


def replaced(path: Path, data: bytes) -> None:
    """Write a file that is there as a whole or not at all, and on the disk when this returns."""
    part = path.with_name(path.name + ".part")
    with part.open("wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())
    part.replace(path)
    sync_folder(path.parent)


def read_shard(plan: Plan, shard: Shard, source: Path) -> list[bytes]:
    """Return the rows of a shard.

    Raises:
        InvalidRequestError: The input is not what it was when the plan was written.
    """
    try:
        with source.open("rb") as file:
            size = os.fstat(file.fileno()).st_size
            file.seek(shard.start)
            data = file.read(shard.end - shard.start)
    except OSError as error:
        raise InvalidRequestError(f"{source}: {error.strerror}", hint="what is done is kept") from None
    if size != plan.size or hashlib.sha256(data).hexdigest() != shard.sha256:
        last = shard.first + shard.rows - 1
        raise InvalidRequestError(
            f"{source}: rows {shard.first} to {last} are not what they were when the run was planned",
            hint="put the input back as it was, or begin another run with another output; what is done is kept",
        )
    return rows.split(data, plan.form)
