"""What `--usage` tells of a call."""

from __future__ import annotations

from typing import Any

import pytest
from ipfs_accel._cli.live import usage_line
from ipfs_accel._cli.output import money
from ipfs_accel.types import CallInfo, ChatResponse, RunResult, Timing, Usage

USAGE = Usage(input_tokens=3, output_tokens=20)


def line(first: float | None, total: float, run: Any = None, **info: Any) -> str:
    timing = Timing(first_event=first, total=total)
    call = CallInfo(endpoint="here", backend="acme", model="m/1", timing=timing, **info)
    return usage_line(ChatResponse(choices=(), call=call), USAGE, run)


def test_a_stream_tells_how_fast_it_was_written_and_by_whom() -> None:
    assert line(0.5, 2.5, cost=0.0000123) == (
        "usage: 3 tokens in, 20 tokens out, first event after 0.50 s, 2.50 s in all, 10.0 tokens/s, $0.0000123, by here/m/1"
    )


@pytest.mark.parametrize(("first", "total"), [(2.0, 2.0001), (2.0, 2.09), (None, 2.0)])
def test_an_answer_that_came_at_once_tells_no_rate(first: float | None, total: float) -> None:
    assert "tokens/s" not in line(first, total)


def test_an_answer_from_the_cache_says_so() -> None:
    told = "3 tokens in, 20 tokens out, 0.00 s in all, $0, by here/m/1"
    assert line(None, 0.001, cost=0.0, cached="exact") == f"usage: from the cache, {told}"
    assert line(None, 0.001, cost=0.0, cached="semantic") == f"usage: from the cache, for a question like it, {told}"


def test_of_a_run_it_is_the_sum_and_no_time_of_its_last_call() -> None:
    answer = ChatResponse(choices=())
    run = RunResult(response=answer, messages=(), rounds=1, usage=USAGE, cost=0.25)
    assert line(0.5, 2.5, run, cost=0.01) == "usage: 3 tokens in, 20 tokens out, $0.25, by here/m/1"


@pytest.mark.parametrize(
    ("cost", "shown"),
    [(0, "$0"), (0.0000123, "$0.0000123"), (0.00000000412, "$0.00000000412"), (0.5, "$0.50"), (0.001, "$0.001"),
     (0.01234, "$0.0123"), (0.999999, "$1.00"), (1.234, "$1.23"), (1234.5, "$1234.50")],
)  # fmt: skip
def test_small_sums_keep_their_digits(cost: float, shown: str) -> None:
    assert money(cost) == shown
