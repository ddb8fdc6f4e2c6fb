from __future__ import annotations

import struct

import pytest
from ipfs_accel import Client, EndpointConfig, Image, Message
from ipfs_accel.types import Document

MODEL = "claude/claude-sonnet-4-5"


def png(width: int, height: int) -> bytes:
    return b"\x89PNG\r\n\x1a\n" + struct.pack(">I4sII", 13, b"IHDR", width, height)


def test_texts_have_wider_bounds_than_those_of_public_tokenizers() -> None:
    own = EndpointConfig(backend="claude", base_url="http://127.0.0.1:9", key="")
    text = "Why is the sky blue? " * 50
    with Client(endpoints={"own": own}) as client:
        told, usual = client.estimate(MODEL, text), client.estimate("own/claude-sonnet-4-5", text)
    assert told.input_tokens.low == usual.input_tokens.low
    assert told.input_tokens.high > 1.4 * usual.input_tokens.high
    assert (told.prices, usual.prices) == ("catalogue", None)


@pytest.mark.parametrize(
    ("size", "low", "high"),
    [((280, 280), 100, 100), ((1568, 1568), 1568, 3136), ((4000, 3000), 1568, 4784), (None, 1, 4784)],
)
def test_pictures_count_by_the_oldest_rule_and_the_newest(size: tuple[int, int] | None, low: int, high: int) -> None:
    picture = Image(url="https://x.test/a.png") if size is None else Image(data=png(*size))
    with Client() as client:
        bare = client.estimate(MODEL, "a").input_tokens
        seen = client.estimate(MODEL, [Message.user("a", picture)]).input_tokens
    assert bare.high is not None
    assert seen.high is not None
    assert (seen.low - bare.low, seen.high - bare.high) == (low, high)


def test_pages_are_counted_by_nobody() -> None:
    with Client() as client:
        found = client.estimate(MODEL, [Message.user("a", Document(data=b"%PDF-1.7"))])
    assert (found.input_tokens.high, found.unknown) == (None, ("messages[0].content[1]: document",))
