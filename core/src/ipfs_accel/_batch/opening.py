"""Begins a run, or goes on with one: nothing is asked for before it is known that it can be."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import attrs

from ipfs_accel.errors import InvalidRequestError

from . import rows
from .engine import Engine, Limits
from .folder import Folder
from .plan import PLAN, Plan, read_shard
from .planning import planned
from .requests import Asked, asker
from .settings import Settings

__all__ = ["Check", "checked_limits", "opened", "sample", "settings_of"]

Check = Callable[[Asked], Any]
"""Raises if a call cannot be made; nothing is sent."""

_LOOKED_AT = 8


def checked_limits(limits: Limits) -> Limits:
    """Return how a process works on a run.

    Raises:
        InvalidRequestError: One of the numbers makes no sense; names it.
    """
    for name, least in (("concurrency", 1), ("rounds", 1), ("max_cost", 0), ("max_failures", 0), ("patience", 0)):
        value = getattr(limits, name)
        if value is not None and not value >= least:
            raise InvalidRequestError(f"{name}: has to be at least {least}, got {value!r}")
    return limits


def opened(
    source: Path,
    output: Path,
    settings: Settings,
    limits: Limits,
    *,
    now: Callable[[], float],
    check: Check,
    retry_failed: bool = False,
) -> Engine:
    """Return a run at work: a new one, or the one whose output this is.

    Args:
        source: The input.
        output: Where the lines go.
        settings: What is asked.
        limits: How.
        now: A clock that only goes forward.
        check: Refuses what cannot be asked.
        retry_failed: Whether rows that failed are asked for again.

    Raises:
        InvalidRequestError: The input or the settings are wrong, or not what the run was begun with.
    """
    if retry_failed and settings.order == "done":
        raise InvalidRequestError(
            "retry_failed: a line that is written stays where it is in an output in the order of the answers",
            hint="have the lines in the order of the input",
        )
    folder = Folder(output)
    is_new = not (folder.path / PLAN).exists()
    if is_new and output.exists():
        raise InvalidRequestError(f"{output}: it is there already, and of no run", hint="name another output")
    folder.open()
    try:
        plan = _plan(folder, source, settings, check)
        engine = Engine(folder, plan, settings, limits, now, retry_failed=retry_failed)
        engine.begin()
    except BaseException:
        folder.close()
        if is_new and not (folder.path / PLAN).exists():
            shutil.rmtree(folder.path, ignore_errors=True)
        raise
    return engine


def _plan(folder: Folder, source: Path, settings: Settings, check: Check) -> Plan:
    path = folder.path / PLAN
    if not path.exists():
        plan = planned(source, settings, folder.path)
        _check_first(plan, settings, check)
        plan.save(path)
        return plan
    plan = Plan.load(path)
    others = settings.differences(plan.settings)
    if others:
        raise InvalidRequestError(
            f"{folder.output}: its run was begun with another {' and '.join(others)}",
            hint=f"go on as it began (ipfs-accel batch resume {folder.output}), or name another output",
        )
    if folder.is_complete and not folder.output.exists():
        raise InvalidRequestError(
            f"{folder.output}: its run is complete, and the output is gone",
            hint=f"delete {folder.path} to have all of it asked for anew",
        )
    return _at(plan, source, folder)


def _at(plan: Plan, source: Path, folder: Folder) -> Plan:
    """Return the plan for an input that may be elsewhere now, and have another date."""
    if plan.origin is not None:
        return _of_copy(plan, source)
    try:
        found = source.stat()
    except OSError as error:
        raise InvalidRequestError(f"{source}: {error.strerror}") from None
    if (source, found.st_mtime_ns) != (plan.source, plan.changed):
        for shard in plan.shards:
            if shard.number in folder.finished:
                read_shard(plan, shard, source)
    return attrs.evolve(plan, source=source)


def _of_copy(plan: Plan, source: Path) -> Plan:
    from .parquet import fingerprint  # noqa: PLC0415 - few inputs are copied

    try:
        is_same = source == plan.source or fingerprint(source) == plan.origin
    except OSError as error:
        raise InvalidRequestError(f"{source}: {error.strerror}") from None
    if not is_same:
        raise InvalidRequestError(
            f"{source}: it is not what it was when the run was planned",
            hint="put the input back as it was, or begin another run with another output; what is done is kept",
        )
    return plan


def settings_of(output: Path) -> tuple[Path, Settings]:
    """Return the input of a run, and what is asked, as its plan has them."""
    plan = Plan.load(Folder(output).path / PLAN)
    return plan.source, Settings(**plan.settings)


def sample(plan: Plan, settings: Settings, most: int) -> list[tuple[int, Asked]]:
    """Return what rows ask for, spread over the input; those that cannot be asked for are left out."""
    ask, found = asker(settings), []
    step = max(1, len(plan.shards) // most)
    for shard in plan.shards[::step]:
        records = read_shard(plan, shard, plan.source)
        wanted = max(1, most * shard.rows * step // plan.rows)
        for place in range(0, len(records), max(1, len(records) // wanted)):
            try:
                found.append((shard.first + place, ask(rows.read(records[place], plan.form, plan.header))))
            except InvalidRequestError:
                continue
    return found


def _check_first(plan: Plan, settings: Settings, check: Check) -> None:
    """Refuse what no row can ask for, so that not all of them fail of it."""
    ask, first = asker(settings), None
    for number, record in enumerate(read_shard(plan, plan.shards[0], plan.source)[:_LOOKED_AT], 1):
        try:
            check(ask(rows.read(record, plan.form, plan.header)))
        except InvalidRequestError as error:
            first = first or InvalidRequestError(f"row {number}: {error.message}", hint=error.hint)
        else:
            return
    if first is not None:
        raise first
