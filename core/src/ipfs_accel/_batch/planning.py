"""Makes the plan of a run: reads the input once, cuts it into shards, and looks for ids that stand twice."""

from __future__ import annotations

import hashlib
import itertools
import os
from pathlib import Path

import attrs

from ipfs_accel.errors import InvalidRequestError

from . import rows
from .duplicates import Duplicates
from .plan import Plan, Shard, read_shard
from .settings import Settings

__all__ = ["planned"]

SHARD_ROWS = 4096
SHARD_BYTES = 1 << 22
_SHOWN = 3


class _Cut:
    """The shard that is being read."""

    def __init__(self, number: int, start: int, first: int) -> None:
        self.number = number
        self.start = self.end = start
        self.first = first
        self.rows = 0
        self._hash = hashlib.sha256()

    def add(self, record: bytes, *, is_row: bool) -> None:
        self._hash.update(record)
        self.end += len(record)
        self.rows += is_row

    @property
    def is_full(self) -> bool:
        return self.rows >= SHARD_ROWS or self.end - self.start >= SHARD_BYTES

    def shard(self) -> Shard:
        return Shard(
            number=self.number,
            start=self.start,
            end=self.end,
            rows=self.rows,
            first=self.first,
            sha256=self._hash.hexdigest(),
        )


def planned(source: Path, settings: Settings, folder: Path) -> Plan:
    """Return the plan of a run.

    Args:
        source: The input.
        settings: What is asked.
        folder: Where files may be for as long as this takes.

    Raises:
        InvalidRequestError: The input cannot be read, is empty, changes meanwhile, or has an id twice.
    """
    if settings.form != "parquet":
        return _planned(source, settings.form, settings, folder)
    from . import parquet  # noqa: PLC0415 - pyarrow is an extra

    copy = folder / "rows.jsonl"
    try:
        parquet.copied(source, copy)
        return attrs.evolve(_planned(copy, "jsonl", settings, folder), origin=parquet.fingerprint(source))
    except OSError as error:
        raise InvalidRequestError(f"{source}: {error.strerror}") from None


def _planned(source: Path, form: str, settings: Settings, folder: Path) -> Plan:
    shards: list[Shard] = []
    unreadable, number = 0, 0
    try:
        with source.open("rb") as file, Duplicates(folder) as ids:
            before = os.fstat(file.fileno())
            header = rows.header_of(file, form)
            cut = _Cut(0, len(header), 1)
            for record in rows.records(file, form):
                is_row = bool(record.strip())
                if is_row and cut.is_full:
                    shards.append(cut.shard())
                    cut = _Cut(len(shards), cut.end, number + 1)
                cut.add(record, is_row=is_row)
                if is_row:
                    number += 1
                    unreadable += not _noted(ids, record, number, form, header)
            shards += [cut.shard()] if cut.rows else []
            after = os.fstat(file.fileno())
            twice = list(itertools.islice(ids.found(), _SHOWN + 1))
    except OSError as error:
        raise InvalidRequestError(f"{source}: {error.strerror}") from None
    if not number:
        raise InvalidRequestError(f"{source}: there are no rows in it")
    if (before.st_size, before.st_mtime_ns) != (after.st_size, after.st_mtime_ns):
        raise InvalidRequestError(f"{source}: it changed while it was read", hint="run again once it is complete")
    plan = Plan(
        source=source,
        size=after.st_size,
        changed=after.st_mtime_ns,
        header=header,
        shards=tuple(shards),
        settings=settings.document(),
        fingerprint=settings.fingerprint(),
        unreadable=unreadable,
    )
    if twice:
        _refuse(plan, twice)
    return plan


def _noted(ids: Duplicates, record: bytes, number: int, form: str, header: bytes) -> bool:
    """Note a row's id; return whether it can be read."""
    try:
        row = rows.read(record, form, header)
    except InvalidRequestError:
        return False
    field, name = rows.id_of(row, record, number)
    if field is not None:
        ids.note(name, number)
    return True


def _refuse(plan: Plan, twice: list[tuple[int, int]]) -> None:
    told = []
    for number, first in sorted(twice)[:_SHOWN]:
        shard = next(each for each in plan.shards if each.first <= number < each.first + each.rows)
        record = read_shard(plan, shard, plan.source)[number - shard.first]
        _, name = rows.id_of(rows.read(record, plan.form, plan.header), record, number)
        told.append(f"{name!r} of row {number} is that of row {first}")
    more = ", and there are more" if len(twice) > _SHOWN else ""
    raise InvalidRequestError(
        f"{plan.source}: an id may stand once only: {', '.join(told)}{more}",
        hint="give each row an id of its own, or none",
    )
