"""What a key allows, with many requests at once, and what is settled however a request ends."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx  # noqa: TID251 - a client that nobody here wrote
import pytest
from ipfs_accel import strict_json
from ipfs_accel.errors import BadRequestError, ConfigError
from ipfs_accel.types import RelayRequest
from ipfs_accel_gateway import read_settings
from ipfs_accel_gateway._callers import Caller, Callers, hash_of
from ipfs_accel_gateway._errors import Refusal
from ipfs_accel_gateway._settings import KeySettings

from .stages import Stage, stage

KEY = "ia-0123456789"


class Clock:
    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


def _caller(clock: Clock, **settings: Any) -> Caller:
    return Caller("a", KeySettings(**settings), clock)


async def _many(caller: Caller, count: int, needs: float, used: float | None) -> int:
    """Return how many of so many at once are let in."""
    go_on = asyncio.Event()
    refused: list[Refusal] = []

    async def one() -> bool:
        try:
            ticket = caller.enter(lambda: needs)
        except Refusal as refusal:
            refused.append(refusal)
            return False
        await go_on.wait()
        ticket.settle(used)
        ticket.settle(used)  # once counts
        return True

    tasks = [asyncio.ensure_future(one()) for _ in range(count)]
    await asyncio.sleep(0)
    go_on.set()
    found = sum(await asyncio.gather(*tasks))
    assert caller.active == 0
    assert {each.status for each in refused} <= {429}
    assert all(each.retry_after for each in refused)
    return found


def test_requests_a_minute_at_a_hundred_at_once() -> None:
    clock = Clock()
    caller = _caller(clock, requests_per_minute=30)
    assert asyncio.run(_many(caller, 100, 0, None)) == 30
    clock.now += 10
    assert asyncio.run(_many(caller, 100, 0, None)) == 5
    clock.now += 3600
    assert asyncio.run(_many(caller, 100, 0, None)) == 30


def test_concurrency_at_a_hundred_at_once() -> None:
    caller = _caller(Clock(), concurrency=7)
    assert asyncio.run(_many(caller, 100, 0, None)) == 7
    assert asyncio.run(_many(caller, 100, 0, None)) == 7


@pytest.mark.parametrize(
    ("used", "then"), [(0.0, 10), (50.0, 5), (None, 0), (200.0, 0)], ids=["nothing", "half", "unknown", "more"]
)
def test_tokens_a_minute_at_a_hundred_at_once(used: float | None, then: int) -> None:
    caller = _caller(Clock(), tokens_per_minute=1000)
    assert asyncio.run(_many(caller, 100, 100, used)) == 10
    assert asyncio.run(_many(caller, 100, 100, used)) == then


def test_more_than_a_minute_has_is_not_owed_for_ages() -> None:
    clock = Clock()
    caller = _caller(clock, tokens_per_minute=1000)
    caller.enter(lambda: 1e9).settle(None)  # they left, and nobody knows
    clock.now += 60
    caller.enter(lambda: 1000.0).settle(0.0)


@pytest.mark.parametrize("most", ["1e999", "9" * 400, "-1e999", "-5", "true", '"5"', "[5]"])
def test_the_longest_answer_is_a_number_to_reckon_with(most: str) -> None:

    members = strict_json.loads(f'{{"max_tokens": {most}}}')
    assert 0 <= RelayRequest.longest(members) <= 1e9
    assert 0.5 + RelayRequest.longest(members) < 2e9


@pytest.fixture
def at() -> Iterator[Stage]:
    keys = {
        "alice": {
            "hash": hash_of(KEY),
            "tokens_per_minute": 1000,
            "models": ["scripted/a*", "scripted/[b]"],
        }
    }
    with stage(settings={"keys": keys}) as found:
        yield found


def _ask(at: Stage, model: str = "scripted/a", most: int = 900) -> httpx.Response:
    return httpx.post(
        f"{at.url}/v1/chat/completions",
        json={"model": model, "messages": [{"role": "user", "content": "Hi"}], "max_tokens": most},
        headers={"authorization": f"Bearer {KEY}"},
        timeout=20,
    )


def test_what_failed_has_cost_nothing(at: Stage) -> None:
    at.plays(*[BadRequestError("no", status=400)] * 2, "Hello")
    assert [_ask(at).status_code for _ in range(3)] == [400, 400, 200]


def test_what_is_refused_while_it_is_read_has_cost_nothing(at: Stage) -> None:
    at.plays("Hello")
    for _ in range(3):
        body = {"model": "scripted/a", "messages": 5, "max_tokens": 900}
        headers = {"authorization": f"Bearer {KEY}"}
        assert httpx.post(f"{at.url}/v1/chat/completions", json=body, headers=headers).status_code == 400
    assert _ask(at).status_code == 200


def test_what_asks_nobody_has_cost_nothing(at: Stage) -> None:
    body = {"model": "scripted/a", "prompt": "", "options": {"num_predict": 900}}
    headers = {"authorization": f"Bearer {KEY}"}
    for _ in range(3):
        assert httpx.post(f"{at.url}/api/generate", json=body, headers=headers).status_code == 200


@pytest.mark.parametrize(("model", "status"), [("a", 200), ("a/b", 200), ("b", 200), ("A", 403), ("c", 403)])
def test_models_by_pattern(at: Stage, model: str, status: int) -> None:
    at.plays("Hello")
    assert _ask(at, f"scripted/{model}", 1).status_code == status


def test_a_key_expires_while_the_gateway_runs() -> None:
    now = datetime.now(UTC)
    for end, is_good in ((now - timedelta(seconds=1), False), (now + timedelta(hours=1), True)):
        callers = Callers({"a": KeySettings(hash=hash_of(KEY), expires=end)})
        if is_good:
            assert callers.who({"x-api-key": KEY}).id == "a"
        else:
            with pytest.raises(Refusal, match="no longer good"):
                callers.who({"x-api-key": KEY})


@pytest.mark.parametrize(
    ("table", "field"),
    [
        ({"keys": {"a": {"hash": hash_of("a")}, "b": {"hash": hash_of("a")}}}, "same hash"),
        ({"keys": {"a": {"hash": hash_of("a"), "requests_per_minute": float("nan")}}}, "requests_per_minute"),
        ({"keys": {"a": {"hash": hash_of("a"), "tokens_per_minute": float("inf")}}}, "tokens_per_minute"),
        ({"keys": {"a": {"hash": hash_of("a"), "concurrency": 0}}}, "concurrency"),
        ({"keys": {"a": {"hash": hash_of("a"), "concurrency": 1.5}}}, "concurrency"),
        ({"keys": {"a": {"hash": hash_of("a"), "expires": "soon"}}}, "expires"),
        ({"keys": {"a": {"hash": hash_of("a"), "models": "b"}}}, "models"),
        ({"keys": {"a": {"hash": "sha256:0"}}}, "hash"),
        ({"keys": {"a": {}}}, "hash"),
        ({"keys": {"a": {"hash": hash_of("a"), "budget": 1}}}, "budget"),
        ({"keys": {"a": {"hash": hash_of("a"), "budget_per_day": 0}}}, "budget_per_day"),
        ({"keys": {"a": {"hash": hash_of("a"), "budget_per_month": float("nan")}}}, "budget_per_month"),
        ({"keys": {"a": {"hash": hash_of("a"), "tokens_per_day": 1.5}}}, "tokens_per_day"),
        ({"keys": {"a": {"hash": hash_of("a"), "group": "b"}}}, "gateway.groups.b"),
        ({"groups": {"b": {"tokens_per_month": -1}}}, "tokens_per_month"),
        ({"groups": {"b": {"concurrency": 1}}}, "concurrency"),
        ({"budget_zone": "Mars/Base"}, "budget_zone"),
        ({"budget_zone": "/etc"}, "budget_zone"),
        ({"unknown_price": "free"}, "unknown_price"),
        ({"spend_file": 5}, "spend_file"),
        ({"assumed_output_tokens": 0}, "assumed_output_tokens"),
        ({"keys": "a"}, "keys"),
        ({"heartbeat": float("nan")}, "heartbeat"),
        ({"head_timeout": True}, "head_timeout"),
        ({"body_timeout": "5"}, "body_timeout"),
        ({"idle_timeout": -1}, "idle_timeout"),
        ({"max_body": 1.5}, "max_body"),
        ({"max_body": 0}, "max_body"),
        ({"port": 65536}, "port"),
        ({"port": True}, "port"),
        ({"host": 5}, "host"),
        ({"host": ""}, "host"),
        ({"host": "0.0.0.0"}, "host"),  # noqa: S104 - it is refused
        ({"cors": "*"}, "cors"),
        ({"cors": [5]}, "cors"),
        ({"cors": 5}, "cors"),
        ({"models": 5}, "models"),
        ({"unsupported": "drop"}, "unsupported"),
        ({"access_log": 5}, "access_log"),
        ({"admin": True}, "admin"),
    ],
)
def test_settings_that_are_none_are_named(table: dict[str, Any], field: str) -> None:
    with pytest.raises(ConfigError, match=field) as caught:
        read_settings(table)
    assert hash_of("a") not in str(caught.value)
