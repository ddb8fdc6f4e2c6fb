"""Real counts lie within the bounds: samples of languages, code and data that the table was not made of."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from ipfs_accel.wire.token_ranges import features, text_range

SAMPLES = json.loads((Path(__file__).parent / "token_samples.json").read_text(encoding="utf-8"))["samples"]


@pytest.mark.parametrize("sample", SAMPLES, ids=[each["name"] for each in SAMPLES])
def test_every_tokenizer_counts_what_the_bounds_say(sample: dict[str, Any]) -> None:
    low, high = text_range(sample["text"])
    counts = sample["counts"]
    assert len(counts) == 9
    assert low <= min(counts.values()), f"{low} {counts}"
    assert max(counts.values()) <= high, f"{high} {counts}"


def test_the_bounds_say_something() -> None:
    """A range that is always right because it is endless would be of no use."""
    english = next(each["text"] for each in SAMPLES if each["name"] == "english")
    low, high = text_range(english)
    assert high < 3 * low
    assert max([text_range(each["text"]).high / len(each["text"].encode()) for each in SAMPLES]) < 2


def test_bounds_add_up_and_nothing_is_nothing() -> None:
    assert text_range("") == (0, 0)
    once, often = text_range("Why is the sky blue? "), text_range("Why is the sky blue? " * 100)
    assert 90 * once.low < often.low <= often.high < 110 * once.high


def test_every_letter_is_counted_once() -> None:
    text = "aÅΣש\u0915中ァ한\U0001f600"
    found = {name: count for name, count in features(text).items() if count}
    assert found.pop("other") == 4  # bytes
    assert found == {
        "words": 1, "letters": 1, "latin": 1, "alphabets": 1, "semitic": 1, "brahmic": 1, "han": 1, "kana": 1, "hangul": 1,
    }  # fmt: skip


def test_what_is_repeated_may_be_a_single_token() -> None:
    assert text_range("=" * 64).low == 1
    assert text_range("\ud800").high >= 1  # half a character


@pytest.mark.parametrize("text", ["that is a b c", "is it to be of", "Who are you and what is it for", "I a x n of"])
def test_short_words_are_a_token_each_at_least_where_that_is_the_most(text: str) -> None:
    assert text_range(text).high >= len(text.split())
