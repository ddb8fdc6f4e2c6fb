"""Where the model stands in a body, however it is written."""

from __future__ import annotations

import json
import sys
from typing import Any

import pytest
from ipfs_accel import strict_json
from ipfs_accel_gateway import _bodies
from ipfs_accel_gateway._reader import Bad

ALONE = [
    rb'{"model":"a/m"}',
    rb'{ "model" : "a/m" , "x": "\u00e9" }',
    rb'{"\u006dodel":"a/m","messages":[]}',
    rb'{"\u006D\u006f\u0064\u0065\u006C" : "a\/\u006d"}',
    rb'{"x":"\"model\":\"q\" \u00e9","model":"a/m"}',
    rb'{"x":["model", "\u00e9"],"model":"a/m","y":"model"}',
]
AMONG_OTHERS = [
    rb'{"x":{"model":"z"},"model":"a/m"}',
    rb'{"model":"a/m","x":[{"model":5}]}',
    rb'{"a\"model":"z","model":"a/m"}',
    rb'{"x":{"\u006dodel":"z"},"model":"a/m"}',
    rb'{"x":"{[\\","y":{"model":"]}\\\"{"},"model":"a/m","z":[{"model":["\\"]}]}',
    rb'{"x":["]]]",{"model":"}"}],"model":"a\"/m"}',
]


@pytest.mark.parametrize("body", [*ALONE, *AMONG_OTHERS], ids=range(12))
def test_the_model_alone_is_replaced(body: bytes) -> None:
    before, after = _bodies.around_model(body)
    assert strict_json.loads(before + b'"new"' + after) == {**strict_json.loads(body), "model": "new"}


@pytest.mark.parametrize("body", ALONE, ids=range(6))
def test_a_body_with_escapes_is_not_gone_through(body: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr(_bodies, "_outermost")
    _bodies.around_model(body)


@pytest.mark.parametrize(
    "body",
    [
        b'{"model":"a/n","model":"a/m"}',
        b'{"model":5,"model":"a/m"}',
        b'{"\\u006dodel":"a/n","model":"a/m"}',
        b'{"model":"a/n","x":{"model":1},"model":"a/m"}',
    ],
    ids=range(4),
)
def test_two_models_are_refused(body: bytes) -> None:
    with pytest.raises(Bad, match="model: "):
        _bodies.around_model(body)


@pytest.mark.parametrize("size", [1, 2, 7], ids=lambda size: f"{size}-bytes")
@pytest.mark.parametrize("body", AMONG_OTHERS, ids=range(6))
def test_a_body_may_be_taken_apart_anywhere(body: bytes, size: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_bodies, "_WINDOW", size)
    test_the_model_alone_is_replaced(body)


def steps(body: bytes) -> int:
    """Return how many calls finding the model takes, those of functions in C included."""
    count = 0

    def note(_frame: Any, event: str, _what: Any) -> None:
        nonlocal count
        count += event in {"call", "c_call"}

    before = sys.getprofile()
    sys.setprofile(note)
    try:
        found = _bodies.around_model(body)
    finally:
        sys.setprofile(before)
    assert (found[1], found[0][-9:]) == (b"}", b'"model": ')
    return count


def test_a_body_full_of_models_takes_steps_in_proportion_to_them() -> None:
    def full_of(names: int, beside: int) -> bytes:
        item = {"role": "user", "content": "words " * 10, "model": "x"}
        other = {"role": "user", "content": "words " * 10, "of": ["whom"]}
        return json.dumps({"messages": [item] * names + [other] * beside, "model": "a/m"}).encode()

    few, many = full_of(1_000, 9_000), full_of(10_000, 0)
    assert min(len(few), len(many)) > 1_000_000
    assert steps(many) < 12 * 10_000
    assert steps(few) < steps(many) / 9
    assert steps(full_of(2, 10_000)) < 200
