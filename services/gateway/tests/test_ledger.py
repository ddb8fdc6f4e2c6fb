"""That the file never says less than was spent, whatever comes at once and whenever the process is killed."""

from __future__ import annotations

import asyncio
import itertools
import random
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from ipfs_accel import AsyncClient, Config, EndpointConfig, ModelOverride
from ipfs_accel.types import RelayRequest, Usage
from ipfs_accel_gateway import read_settings
from ipfs_accel_gateway._budgets import DOLLAR
from ipfs_accel_gateway._errors import Refusal
from ipfs_accel_gateway._ledger import Ledger
from ipfs_accel_gateway._records import Record
from ipfs_accel_gateway._spend import Store, read

from .test_limits import hash_of

BODY = b'{"model":"up/m","messages":[],"max_tokens":100}'
ONE = (len(BODY) + 100) * 1000 + 100 * 10_000
"""Billionths that such a request may cost."""


def request() -> RelayRequest:
    members = {"model": "up/m", "messages": [], "max_tokens": 100}
    return RelayRequest("openai.chat", "chat", members, (BODY, b""))


def ended(used: int | None) -> Record:
    """Return the record of a request that cost so much; None is one that was refused."""
    record = Record(1)
    if used is None:
        record.status = 400
    else:
        record.status, record.endpoint, record.target_model = 200, "up", "m"
        record.usage, record.cost = Usage(input_tokens=1, output_tokens=1), used / DOLLAR
    return record


class World:
    """A ledger over a file, and what is true of what it counts."""

    def __init__(self, path: Path, budget: float, group: float, *, tokens: int | None = None) -> None:
        up = EndpointConfig(
            backend="openai",
            base_url="http://127.0.0.1:1/v1",
            key="sk-of-the-operator",
            models={"m": ModelOverride(input_price=1.0, output_price=10.0)},
        )
        self.path = path
        self.client = AsyncClient(Config(endpoints={"up": up}, environ={}))
        keys = {
            name: {"hash": hash_of(name), "budget_per_day": budget, "group": "g", "tokens_per_month": tokens}
            for name in "ab"
        }
        table = {"keys": keys, "groups": {"g": {"budget_per_month": group}}, "spend_file": str(path)}
        self.settings = read_settings(table)
        self.ledger = Ledger(self.settings, self.client, Store(path))
        self.spent = dict.fromkeys("ab", 0)
        self.sent = dict.fromkeys("ab", 0)
        self.refused: list[int] = []

    def held(self, scope: str) -> int:
        """Return what another process would take for spent."""
        amounts = [
            amount for period in (self.day, self.day[:7]) for (of, _, unit), amount in read(self.path, period)[1].items()
            if of == scope and unit == "dollars"
        ]  # fmt: skip
        return max(amounts, default=0)

    @property
    def day(self) -> str:
        return self.ledger._calendar.day

    def check(self) -> None:
        """A kill at this moment loses nothing of what was sent."""
        for name in "ab":
            assert self.held(f"key:{name}") >= self.spent[name] + self.sent[name]
        assert self.held("group:g") >= sum(self.spent.values()) + sum(self.sent.values())

    async def ask(self, name: str, go_on: asyncio.Event, used: int | None) -> bool:
        try:
            bill = await self.ledger.begin(name, request(), "up/m", len(BODY))
        except Refusal as refusal:
            self.refused.append(refusal.status)
            return False
        self.sent[name] += ONE
        try:
            await go_on.wait()
        except asyncio.CancelledError:
            used = 0
            raise
        finally:
            self.sent[name] -= ONE
            self.spent[name] += used or 0
            bill.settle(ended(used))
        return True


async def _run(world: World, steps: list[tuple[str, str, int]], chance: random.Random) -> None:
    waiting: list[tuple[asyncio.Task[bool], asyncio.Event]] = []
    every: list[asyncio.Task[bool]] = []
    for what, name, used in steps:
        if what == "ask":
            go_on = asyncio.Event()
            amount = None if used > 80 else ONE * used // 100
            every.append(asyncio.ensure_future(world.ask(name, go_on, amount)))
            waiting.append((every[-1], go_on))
        elif what == "end" and waiting:
            waiting.pop(chance.randrange(len(waiting)))[1].set()
        elif what == "leave" and waiting:
            waiting.pop(chance.randrange(len(waiting)))[0].cancel()
        elif what == "flush":
            world.ledger._flush()
        elif what == "wait":
            for _ in range(3):  # what is asked for may have to be written twice
                await asyncio.get_running_loop().run_in_executor(world.ledger._thread, int)
                await asyncio.sleep(0)
        await asyncio.sleep(0)
        world.check()
    for _, go_on in waiting:
        go_on.set()
    await asyncio.gather(*every, return_exceptions=True)
    world.check()


NUMBERS = itertools.count()
STEPS = st.lists(
    st.tuples(
        st.sampled_from(["ask", "ask", "end", "leave", "flush", "wait", "wait"]),
        st.sampled_from("ab"),
        st.integers(0, 100),
    ),
    min_size=10,
    max_size=60,
)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("ledger")


@given(steps=STEPS, budget=st.integers(1, 20), group=st.integers(1, 30), seed=st.integers(0, 10**9))
@settings(
    max_examples=25, deadline=None, suppress_health_check=[HealthCheck.too_slow], phases=[Phase.reuse, Phase.generate]
)
def test_the_file_never_says_too_little(
    folder: Path, steps: list[tuple[str, str, int]], budget: int, group: int, seed: int
) -> None:
    chance = random.Random(seed)
    path = folder / f"{next(NUMBERS)}.sqlite3"

    async def main() -> None:
        world = World(path, budget * ONE / DOLLAR, group * ONE / DOLLAR)
        try:
            await _run(world, steps, chance)
            for name in "ab":
                assert world.spent[name] <= budget * ONE
            assert sum(world.spent.values()) <= group * ONE
            assert set(world.refused) <= {429}
        finally:
            await world.ledger.close()
            await world.client.close()
        rows = read(path, "20")[0]
        for name in "ab":
            assert sum(row.cost for row in rows if row.key == name) == world.spent[name]
        if any(world.spent.values()):
            assert world.held("group:g") == sum(world.spent.values())

    asyncio.run(main())


def test_a_hundred_at_once_wait_for_the_file_together(tmp_path: Path) -> None:
    async def main() -> None:
        world = World(tmp_path / "spend", 1.0, 1.0)
        writes: list[Any] = []
        write = world.ledger._store.write
        world.ledger._store.write = lambda *each: (writes.append(each), write(*each))[1]  # type: ignore[method-assign]
        go_on = asyncio.Event()
        tasks = [asyncio.ensure_future(world.ask("ab"[number % 2], go_on, ONE)) for number in range(100)]
        while world.ledger._open < 100:  # noqa: ASYNC110 - nobody tells of it
            await asyncio.sleep(0.001)
        world.check()
        assert len(writes) <= 3
        go_on.set()
        assert all(await asyncio.gather(*tasks))
        await world.ledger.close()
        await world.client.close()
        assert world.held("group:g") == 100 * ONE

    asyncio.run(main())


def test_a_limit_that_is_new_knows_what_is_not_written_yet(tmp_path: Path) -> None:
    async def main() -> None:
        world = World(tmp_path / "spend", 1.0, 1.0)
        go_on = asyncio.Event()
        go_on.set()
        assert await world.ask("a", go_on, ONE)
        table = {"keys": {"a": {"hash": hash_of("a"), "budget_per_month": 1.5 * ONE / DOLLAR}}}
        world.ledger.follow(read_settings(table), world.client)
        assert not await world.ask("a", go_on, ONE)
        await world.ledger.close()
        await world.client.close()

    asyncio.run(main())
