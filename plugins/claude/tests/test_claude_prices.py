from __future__ import annotations

from typing import Any

import pytest
from ipfs_accel_claude._models import prices_hold


@pytest.mark.parametrize(
    ("extra", "holds"),
    [
        ({}, True),
        ({"speed": "standard", "inference_geo": "global", "server_tool_use": {"web_search_requests": 0}}, True),
        ({"cache_creation": {"ephemeral_5m_input_tokens": 9, "ephemeral_1h_input_tokens": 0}}, True),
        ({"speed": "fast"}, False),
        ({"inference_geo": "us"}, False),
        ({"server_tool_use": {"web_search_requests": 1}}, False),
        ({"cache_creation": {"ephemeral_1h_input_tokens": 9}}, False),
        ({"speed": ["fast"]}, False),
    ],
)
def test_when_an_answer_costs_what_the_catalogue_says(extra: dict[str, Any], holds: bool) -> None:
    assert prices_hold(extra) is holds
