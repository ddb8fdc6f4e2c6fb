"""`ipfs-accel health`: whether endpoints can serve, once or again and again."""

from __future__ import annotations

import json
import math
import os
import time
from collections.abc import Awaitable, Callable, Iterable, Mapping
from datetime import UTC, datetime
from typing import Any, Protocol, TypeAlias

import click

from ipfs_accel._client.clients import AsyncClient
from ipfs_accel._suggest import did_you_mean
from ipfs_accel._telemetry.states import EndpointState
from ipfs_accel.errors import InvalidRequestError, PluginError
from ipfs_accel.types import Health

from . import failures, kinds
from .command import Command, State, pass_state
from .output import emit, is_terminal, repaint, table, table_text, write_line
from .survey import note_idle
from .values import plain

__all__ = ["Changes", "Screen", "health", "watch"]

States: TypeAlias = Mapping[str, EndpointState]

_TITLES = ("endpoint", "status", "server", "took", "detail")
_LEAST_SECONDS = 0.1


def _seconds(value: str) -> float:
    """Read the time between two checks."""
    try:
        seconds = float(value)
    except ValueError:
        raise InvalidRequestError(
            f"--watch {value!r}: expected seconds", hint="endpoints come first: ipfs-accel health ENDPOINT --watch"
        ) from None
    if not _LEAST_SECONDS <= seconds < math.inf:
        raise InvalidRequestError(f"--watch {value}: expected at least {_LEAST_SECONDS:g} seconds")
    return seconds


@click.command(
    cls=Command,
    short_help="Check whether endpoints can serve.",
    help="Check each ENDPOINT; without one, all, side by side. The exit code is 6 if one that was named is not ok. "
    "What keeps calls of this process from an endpoint, such as a key that was refused, is told beside; what other "
    "programs have isolated, or count as down, they alone know. Those that nobody has configured, and that are not "
    "there, are one line; with --json they are among the others. "
    "With --watch the check is repeated until Ctrl-C: a terminal shows a table that is kept up to date, a pipe gets a "
    "line when an endpoint's state changes, with --json as one JSON object.",
    examples=(
        "ipfs-accel health",
        "ipfs-accel health llvm && ipfs-accel chat -m llvm/ hello",
        "ipfs-accel health llvm --watch 10 | tee health.log",
    ),
)
@click.argument("endpoints", nargs=-1, metavar="[ENDPOINT]...", type=kinds.ENDPOINT)
@click.option(
    "--watch",
    "interval",
    type=_seconds,
    is_flag=False,
    flag_value="5",
    metavar="[SECONDS]",
    help="Check again so long after each check; 5 if no number follows.",
)
@click.option("--raw", is_flag=True, help="With --json: add what the provider itself answered.")
@pass_state
def health(state: State, endpoints: tuple[str, ...], interval: float | None, raw: bool) -> None:
    """Check endpoints."""
    if interval is not None:
        _watch(state, endpoints, interval, raw=raw)
        return
    found, states = _check(state, endpoints)
    idle = _idle(found, states, endpoints)
    emit(
        state,
        {"health": {name: _document(each, states.get(name), raw=raw) for name, each in found.items()}},
        lambda: table(state, _TITLES, _rows({name: each for name, each in found.items() if name not in idle}, states)),
    )
    note_idle(state, idle)
    if any(not found[name].ok for name in endpoints):
        raise click.exceptions.Exit(failures.UNAVAILABLE)


def _idle(found: Mapping[str, Health], states: States, named: Iterable[str]) -> dict[str, str | None]:
    """Return the endpoints that are not there, that nobody has set up and nobody has named, with what is wrong."""
    return {
        name: each.detail
        for name, each in found.items()
        if each.status in {"misconfigured", "unreachable"}
        and name in states
        and not states[name].is_set_up
        and name not in named
    }


def _check(state: State, endpoints: tuple[str, ...]) -> tuple[Mapping[str, Health], States]:
    # Awaited, so that Ctrl-C ends checks that still wait for a server; threads would be waited for.
    import anyio  # noqa: PLC0415 - --help needs no event loop

    async def run() -> tuple[Mapping[str, Health], States]:
        async with AsyncClient(state.load_config(), plugins=state.plugins) as client:
            _check_names(client, endpoints)
            return await client.healthcheck_all(endpoints or None), client.states()

    return anyio.run(run)


def _document(each: Health, known: EndpointState | None, *, raw: bool) -> dict[str, Any]:
    return {"ok": each.ok, **plain(each, raw=raw), "state": None if known is None else plain(known)}


def _rows(found: Mapping[str, Health], states: States) -> list[tuple[Any, ...]]:
    return [(name, *_facts(each, states.get(name))) for name, each in found.items()]


def _facts(each: Health, known: EndpointState | None) -> tuple[Any, ...]:
    took = None if each.latency is None else f"{each.latency * 1000:.0f} ms"
    said = [text for text in (each.detail, _in_the_way(known)) if text]
    return each.status, each.server, took, "; ".join(said) or None


def _in_the_way(known: EndpointState | None) -> str | None:
    """Return what keeps calls from an endpoint that may be well, as a few words."""
    if known is None:
        return None
    parts = ["isolated"] if known.is_isolated else []
    parts += [f"{model}: {each.state}" for model, each in known.breakers.items() if each.state != "closed"]
    parts += [f"{key.id}: {key.state}" for key in known.keys if key.state != "ready"]
    waiting = 0 if known.queue is None else sum(known.queue.waiting.values())
    if waiting:
        parts.append(f"{waiting} calls wait")
    return ", ".join(parts) or None


def _check_names(client: AsyncClient, names: Iterable[str]) -> None:
    """Refuse a name that is no endpoint: a slip of the keyboard is not an endpoint that is down."""
    known = {*client.endpoints(), *[record.name for record in client.plugins()]}
    for name in names:
        if name not in known:
            raise PluginError(f"there is no endpoint {name!r}", endpoint=name, hint=did_you_mean(name, known))


class View(Protocol):
    """What shows the checks."""

    def show(self, found: Mapping[str, Health], states: States, now: float) -> None:
        """Show one check of all endpoints, made at a time in seconds since 1970, and what is known of them since."""
        ...


class Screen:
    """A table that each check writes over."""

    def __init__(self, state: State, interval: float) -> None:
        self._state = state
        self._interval = interval
        self._height = 0

    def show(self, found: Mapping[str, Health], states: States, now: float) -> None:
        """Write the table in the place of the last one."""
        here = datetime.fromtimestamp(now).astimezone()
        head = f"{here:%H:%M:%S}, every {self._interval:g} s until Ctrl-C\n"
        self._height = repaint(head + table_text(self._state, _TITLES, _rows(found, states)), self._height)


class Changes:
    """A line for each endpoint at first, then one whenever its state has changed."""

    def __init__(self, state: State, *, raw: bool) -> None:
        self._state = state
        self._raw = raw
        self._last: dict[str, tuple[Any, ...]] = {}

    def show(self, found: Mapping[str, Health], states: States, now: float) -> None:
        """Write what is new."""
        time_of_check = f"{datetime.fromtimestamp(now, UTC):%Y-%m-%dT%H:%M:%SZ}"
        for name, each in found.items():
            # What a server that is well tells beside, such as its load, changes all the time.
            state = states.get(name)
            known = (each.status, each.server, None if each.ok else each.detail, _in_the_way(state))
            if self._last.get(name) == known:
                continue
            self._last[name] = known
            if self._state.json:
                document = {"time": time_of_check, "endpoint": name, **_document(each, state, raw=self._raw)}
                write_line(json.dumps(document, ensure_ascii=False, allow_nan=False))
            else:
                table(self._state, ("time", *_TITLES), [(time_of_check, name, *_facts(each, state))])


async def watch(
    client: AsyncClient,
    endpoints: Iterable[str] | None,
    interval: float,
    view: View,
    *,
    sleep: Callable[[float], Awaitable[None]],
    clock: Callable[[], float] = time.time,
) -> None:
    """Check again and again until cancelled; seconds between the end of a check and the next."""
    names = None if endpoints is None else tuple(endpoints)
    while True:
        found, states = await client.healthcheck_all(names), client.states()
        idle = _idle(found, states, names or ())
        view.show({name: each for name, each in found.items() if name not in idle}, states, clock())
        await sleep(interval)


def _watch(state: State, endpoints: tuple[str, ...], interval: float, *, raw: bool) -> None:
    import anyio  # noqa: PLC0415 - --help needs no event loop

    in_place = is_terminal() and not state.json and os.environ.get("TERM") != "dumb"
    view: View = Screen(state, interval) if in_place else Changes(state, raw=raw)

    async def run() -> None:
        async with AsyncClient(state.load_config(), plugins=state.plugins) as client:
            _check_names(client, endpoints)
            await watch(client, endpoints or None, interval, view, sleep=anyio.sleep)

    anyio.run(run)
