"""A budget: what it counts, when it refuses, and what it says."""

from __future__ import annotations

import pickle
import threading
from pathlib import Path
from typing import Any

import attrs
import pytest
from ipfs_accel import Client
from ipfs_accel.errors import ConfigError, PluginError
from ipfs_accel.middleware import CallContext
from ipfs_accel.types import CallRecord, Timing, Tried, Usage
from ipfs_accel_budget import Budget, BudgetExceededError, Spent

DAY = 86400.0
ASKED = CallContext(operation="chat", targets=("openai/m",), request=None)


def record(**more: Any) -> CallRecord:
    usual: dict[str, Any] = {
        "operation": "chat",
        "endpoint": "openai",
        "backend": "openai",
        "model": "m",
        "ended_at": 0.0,
        "timing": Timing(total=0.1),
        "usage": Usage(input_tokens=30, output_tokens=12),
        "cost": 0.25,
    }
    return CallRecord(**{**usual, **more})


def tried(endpoint: str = "openai", model: str = "m", *, maybe_billed: bool) -> Tried:
    return Tried(endpoint=endpoint, model=model, error="APITimeoutError", seconds=1.0, maybe_billed=maybe_billed)


def budget(**settings: Any) -> Budget:
    made = Budget(**settings)
    made.now = lambda: 0.0
    return made


@pytest.mark.parametrize(
    ("told", "counted"),
    [
        (record(), Spent(0.25, 42)),
        (record(cached="exact", cost=0.0), Spent()),
        (record(operation="embed", usage=Usage(input_tokens=7)), Spent(0.25, 7)),
        (record(operation="list_files", usage=None, cost=None), Spent()),
        (record(error="RateLimitError", usage=None, cost=None, tried=(tried(maybe_billed=False),)), Spent()),
        (record(cost=None), Spent(0.0, 42, 1, 0)),
        (record(usage=Usage()), Spent(0.25, 0, 0, 1)),
        (record(is_abandoned=True, usage=Usage(input_tokens=30), cost=None), Spent(0.0, 30, 1, 1)),
        (
            record(error="APITimeoutError", usage=None, cost=None, tried=(tried(maybe_billed=True),)),
            Spent(0.0, 0, 1, 1),
        ),
        (record(tried=(tried(maybe_billed=True), tried(maybe_billed=True))), Spent(0.25, 42, 2, 2)),
        (record(tried=(tried("claude", maybe_billed=True),)), Spent(0.25, 42)),
        (record(operation="moderate", usage=Usage(input_tokens=1), cost=None), Spent(0.0, 1)),
        (record(endpoint="ollama", cost=None), Spent(0.0, 42)),
        (record(model="free", cost=None), Spent(0.0, 42)),
    ],
)
def test_what_a_call_counts_for(told: CallRecord, counted: Spent) -> None:
    limited = budget(usd=9.0, free=("moderate", "ollama", "openai/free"))
    limited.call_finished(told)
    assert limited.spent() == counted


@pytest.mark.parametrize("settings", [{"usd": 1.0, "unknown_usd": 0.5}, {"tokens": 200, "unknown_tokens": 80}])
def test_what_nobody_knows_counts_for_what_the_settings_say(settings: dict[str, Any]) -> None:
    limited = budget(**settings)
    lost = record(is_abandoned=True, usage=None, cost=None)
    limited.call_finished(lost)
    limited.rewrite_request(ASKED)
    limited.call_finished(lost)
    limited.call_finished(record())
    with pytest.raises(BudgetExceededError, match=r"is used up: (1\.25 were spent|202 were used)"):
        limited.rewrite_request(ASKED)


def test_settings_may_say_later_what_nobody_knew_before(tmp_path: Path) -> None:
    file = str(tmp_path / "spent")
    strict = budget(usd=9.0, file=file)
    strict.call_finished(record(is_abandoned=True, usage=None, cost=None))
    with pytest.raises(BudgetExceededError):
        strict.rewrite_request(ASKED)
    budget(usd=9.0, file=file, unknown_usd=0.5).rewrite_request(ASKED)


@pytest.mark.parametrize(
    ("settings", "told", "message", "hint"),
    [
        ({"usd": 0.5}, record(cost=0.5), "the budget of 0.5 US dollars is used up: 0.5 were spent", "raise the limit"),
        (
            {"tokens": 40, "daily": True},
            record(),
            "the budget of 40 tokens a day is used up: 42 were used",
            "wait until 00:00 UTC, raise the limit in [plugins.options.budget]",
        ),
        (
            {"usd": 9.0},
            record(cost=None),
            "the budget cannot tell what was spent: nobody knows what 1 of the calls cost",
            "set unknown_usd in [plugins.options.budget]",
        ),
        (
            {"tokens": 900},
            record(is_abandoned=True, usage=None, cost=None),
            "the budget cannot tell what was used: nobody knows the tokens of 1 of the calls",
            "set unknown_tokens in [plugins.options.budget]",
        ),
    ],
)
def test_after_the_limit_nothing_goes_out(settings: dict[str, Any], told: CallRecord, message: str, hint: str) -> None:
    limited = budget(**settings)
    limited.rewrite_request(ASKED)
    limited.call_finished(told)
    with pytest.raises(BudgetExceededError) as caught:
        limited.rewrite_request(ASKED)
    assert caught.value.message == message
    assert (caught.value.hint or "").startswith(hint)
    assert pickle.loads(pickle.dumps(caught.value)).spent == limited.spent()  # noqa: S301 - our own


@pytest.mark.parametrize(("operation", "is_refused"), [("stream", True), ("respond", True), ("delete_file", False)])
def test_what_asks_no_model_goes_on(operation: str, is_refused: bool) -> None:
    limited = budget(tokens=0)
    call = CallContext(operation=operation, targets=("openai",), request={})
    if is_refused:
        with pytest.raises(BudgetExceededError):
            limited.rewrite_request(call)
    else:
        limited.rewrite_request(call)


def test_a_daily_budget_starts_anew() -> None:
    limited = budget(tokens=40, daily=True)
    limited.call_finished(record())
    limited.now = lambda: DAY - 1
    with pytest.raises(BudgetExceededError):
        limited.rewrite_request(ASKED)
    limited.now = lambda: DAY
    limited.rewrite_request(ASKED)


def test_processes_count_together_in_a_file(tmp_path: Path) -> None:
    file = str(tmp_path / "spent.sqlite3")
    budget(tokens=900, file=file).call_finished(record())
    other = budget(tokens=900, file=file)
    other.call_finished(record())
    assert other.spent() == Spent(0.5, 84)


def test_a_budget_that_cannot_be_kept_lets_nothing_out(tmp_path: Path) -> None:
    limited = budget(tokens=900, file=str(tmp_path / "nowhere" / "spent.sqlite3"))
    with pytest.raises(BudgetExceededError, match=r"cannot be kept, so nothing goes out: unable to open") as caught:
        limited.rewrite_request(ASKED)
    assert "nowhere" in (caught.value.hint or "")


@pytest.mark.parametrize("shared", [False, True])
def test_threads_lose_nothing(tmp_path: Path, shared: bool) -> None:
    limited = budget(tokens=10**6, file=str(tmp_path / "spent") if shared else None)
    rounds = 10 if shared else 500
    told = attrs.evolve(record(), usage=Usage(input_tokens=1, output_tokens=0))
    threads = [threading.Thread(target=lambda: [limited.call_finished(told) for _ in range(rounds)]) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert limited.spent().tokens == 8 * rounds


@pytest.mark.parametrize(
    ("settings", "message"), [({}, "needs a limit: usd or tokens"), ({"usd": -1.0}, "usd: -1 is below 0")]
)
def test_settings_are_checked(settings: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        Budget(**settings)


def test_a_client_is_stopped_in_the_middle(llama: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LLVM_BASE_URL", llama.url)
    limited = Budget(tokens=20)
    with Client(middleware=[limited]) as client:
        answer = client.chat("llvm", "Hi", max_tokens=16)
        assert limited.spent().tokens == answer.usage.total_tokens
        with pytest.raises(BudgetExceededError, match="of 20 tokens is used up"):
            client.stream("llvm", "Hi", max_tokens=16).read()
        assert not isinstance(client.list_models("llvm"), PluginError)
