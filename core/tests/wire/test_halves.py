from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from ipfs_accel import strict_json
from ipfs_accel.types import AudioDelta, BlockEnd, Text, TextDelta
from ipfs_accel.wire.assembler import Assembler, chat_assembler
from ipfs_accel.wire.halves import ALONE, Growing, mended, written

HIGH, LOW, WHOLE = "\ud83d", "\ude0b", "\U0001f60b"


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        (f"a{HIGH}{LOW}b", f"a{WHOLE}b"),
        (f"a{HIGH}b", f"a{ALONE}b"),
        (f"{LOW}a", f"{ALONE}a"),
        (f"a{HIGH}", f"a{ALONE}"),
        (f"{HIGH}{HIGH}{LOW}", f"{ALONE}{WHOLE}"),
        (f"{LOW}{HIGH}", ALONE * 2),
        (f"é{WHOLE}", f"é{WHOLE}"),
        ("", ""),
    ],
)
def test_halves_are_joined_or_replaced(given: str, expected: str) -> None:
    assert mended(given) == expected


@given(st.text(alphabet=st.sampled_from(["a", "é", "日", HIGH, LOW, WHOLE]), max_size=12), st.data())
def test_a_text_is_the_same_wherever_it_is_cut(text: str, data: Any) -> None:
    units = text.encode("utf-16-le", "surrogatepass")
    cuts = sorted(data.draw(st.sets(st.integers(0, len(units) // 2))))
    pieces = [
        units[2 * start : 2 * end].decode("utf-16-le", "surrogatepass")
        for start, end in zip([0, *cuts], [*cuts, len(units) // 2], strict=True)
    ]
    growing = Growing()
    found = [growing.whole(piece) for piece in pieces]
    assert "".join(found) + (ALONE if growing.cut else "") == mended(text)


def tell(out: Assembler[Any], kind: str, piece: str) -> None:
    if kind == "audio":
        out.audio(b"", piece)
    elif kind == "tool_call":
        out.tool_call(0, id="t", name="f", arguments=piece)
    else:
        getattr(out, kind)(piece)


@pytest.mark.parametrize("kind", ["text", "reasoning", "refusal", "tool_call", "audio"])
@pytest.mark.parametrize(
    ("pieces", "expected"),
    [
        ((f"a{HIGH}", f"{LOW}b"), ["a", f"{WHOLE}b"]),
        ((HIGH, LOW), [WHOLE]),
        ((f"a{HIGH}", "b"), ["a", f"{ALONE}b"]),
        (("a", f"é{HIGH}"), ["a", "é", ALONE]),
        ((f"{HIGH}é{LOW}",), [f"{ALONE}é{ALONE}"]),
    ],
    ids=["joined", "alone-in-their-pieces", "never-joined", "at-the-end", "within"],
)
def test_the_pieces_of_a_stream_hold_whole_characters(kind: str, pieces: tuple[str, ...], expected: list[str]) -> None:
    out = chat_assembler()
    for piece in pieces:
        tell(out, kind, piece)
    out.finish("stop")
    answer = out.conclude()

    events = out.take()
    found = [getattr(each, "text", None) or getattr(each, "arguments", None) or getattr(each, "transcript", None)
             for each in events if type(each).__name__.endswith("Delta")]  # fmt: skip
    assert found == expected
    (part,) = answer.message.content
    said = getattr(part, {"tool_call": "arguments", "audio": "transcript"}.get(kind, "text"))
    assert said == "".join(expected)
    assert [each.part for each in events if isinstance(each, BlockEnd)] == [part]


def test_each_choice_and_each_call_has_its_own_half() -> None:
    out = chat_assembler()
    for piece in (f"a{HIGH}", f"{LOW}b"):
        for choice in (0, 1):
            out.text(piece, choice)
        for key in (0, 1):
            out.tool_call(key, 2, name="f", arguments=piece)
    for choice in (0, 1, 2):
        out.finish("stop", choice)
    answer = out.conclude()
    assert [each.message.text for each in answer.choices[:2]] == [f"a{WHOLE}b"] * 2
    assert [call.arguments for call in answer.choices[2].message.tool_calls] == [f"a{WHOLE}b"] * 2


def test_what_had_come_of_a_stream_that_broke_has_no_half() -> None:
    out = chat_assembler()
    out.text(f"a{HIGH}")
    partial = out.partial()
    assert partial is not None
    assert partial.message.content == (Text(text="a"),)


def test_a_sound_that_comes_with_a_half_is_given_at_once() -> None:
    out = chat_assembler()
    out.audio(b"\0\1", HIGH)
    out.audio(b"\2\3", LOW)
    assert [each for each in out.take() if isinstance(each, AudioDelta)] == [
        AudioDelta(b"\0\1", ""),
        AudioDelta(b"\2\3", WHOLE),
    ]


def test_half_a_text_ends_where_another_kind_begins() -> None:
    out = chat_assembler()
    out.text(f"a{HIGH}")
    out.reasoning("hm")
    out.text(f"{LOW}b")
    assert [each for each in out.take() if isinstance(each, TextDelta)] == [
        TextDelta("a"),
        TextDelta(ALONE),
        TextDelta(f"{ALONE}b", block=2),
    ]


@pytest.mark.parametrize("standard", [False, True], ids=["orjson", "standard library"])
def test_arguments_are_written_whole(standard: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    if standard:
        monkeypatch.setattr(strict_json, "dumps", strict_json._std_dumps)
    value = json.loads('{"a": "\\ud83d", "b": "\\ud83d\\ude0b", "é": 1.0}')
    assert written(value) == f'{{"a":"{ALONE}","b":"{WHOLE}","é":1.0}}'
    with pytest.raises(ValueError, match="not JSON compliant"):
        written({"a": float("nan"), "b": HIGH})
