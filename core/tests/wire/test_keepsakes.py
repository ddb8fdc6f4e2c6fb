from __future__ import annotations

import pytest
from ipfs_accel.wire import keepsakes


def test_what_is_written_is_read() -> None:
    value = {"backend": "gemini", "data": {"text": "é\U0001f600", "many": [1, None, True]}}
    assert keepsakes.read(keepsakes.written(value)) == value


@pytest.mark.parametrize(
    "text",
    ["", "EqQB", keepsakes.PREFIX, f"{keepsakes.PREFIX}?", f"{keepsakes.PREFIX}W10=", keepsakes.written({"a": 1})[:-4]],
    ids=["nothing", "a signature", "empty", "no base64", "a list", "cut"],
)
def test_anything_else_is_none(text: str) -> None:
    assert keepsakes.read(text) is None
