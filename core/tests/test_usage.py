from __future__ import annotations

from typing import Any

import pytest
from ipfs_accel.types import Usage


@pytest.mark.parametrize(
    ("said", "expected"),
    [
        (7, 7),
        (0, 0),
        (7.0, 7),
        (None, None),
        (-1, None),
        (1.5, None),
        ("7", None),
        (True, None),
        ([], None),
        ({}, None),
    ],
)
def test_what_is_no_count_is_unknown(said: Any, expected: int | None) -> None:
    assert Usage(input_tokens=said).input_tokens == expected
