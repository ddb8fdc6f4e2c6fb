from __future__ import annotations

import struct

import pytest
from ipfs_accel import Client, Image, Message


def png(width: int, height: int) -> bytes:
    return b"\x89PNG\r\n\x1a\n" + struct.pack(">I4sII", 13, b"IHDR", width, height)


@pytest.mark.parametrize(
    ("model", "size", "bounds"),
    [
        ("gemini-2.5-flash", (384, 384), (258, 258)),
        ("gemini-2.5-flash", (385, 100), None),
        ("gemini-3.5-flash", (4000, 3000), (280, 2240)),
        ("embed-something", (10, 10), None),
    ],
)
def test_pictures_count_as_google_publishes(model: str, size: tuple[int, int], bounds: tuple[int, int] | None) -> None:
    with Client() as client:
        bare = client.estimate(f"gemini/{model}", "a").input_tokens
        seen = client.estimate(f"gemini/{model}", [Message.user("a", Image(data=png(*size)))]).input_tokens
    if bounds is None:
        assert seen.high is None
    else:
        assert bare.high is not None
        assert seen.high is not None
        assert (seen.low - bare.low, seen.high - bare.high) == bounds
