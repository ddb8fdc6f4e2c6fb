"""What is known of requests that are passed on: how many tokens they may take, in whichever dialect they say it."""

from __future__ import annotations

from typing import Any

import pytest
from ipfs_accel.types import RelayRequest


@pytest.mark.parametrize(
    ("members", "longest"),
    [
        ({"max_tokens": 7}, 7),
        ({"max_completion_tokens": 8, "max_tokens": 7}, 8),
        ({"options": {"num_predict": 9}}, 9),
        ({"options": {"num_predict": -1}}, 0),
        ({"generationConfig": {"maxOutputTokens": 10}}, 10),
        ({"options": 1, "max_tokens": "7"}, 0),
        ({}, 0),
    ],
    ids=["openai", "newer", "ollama", "without", "gemini", "none", "nothing"],
)
def test_the_longest_answer_is_known(members: dict[str, Any], longest: float) -> None:
    assert RelayRequest.longest(members) == longest
    assert RelayRequest("d", "chat", members, (b"1234", b"")).tokens == 1 + longest
