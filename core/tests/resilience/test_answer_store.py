from __future__ import annotations

import os
import sqlite3
import stat
import subprocess
import sys
import threading
from array import array
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from ipfs_accel import types as t
from ipfs_accel._resilience.cache import AnswerStore
from ipfs_accel._resilience.codec import CACHEABLE, decode, digest, encode
from ipfs_accel._resilience.semantic import nearest, normalized, question_of


class Time:
    def __init__(self) -> None:
        self.at = 1000.0

    def __call__(self) -> float:
        return self.at


def make(path: Path, **settings: Any) -> tuple[AnswerStore, Time, list[str]]:
    time, complaints = Time(), []
    store = AnswerStore(path / "c" / "answers", settings.get("ttl", 60.0), settings.get("size", 100_000), time, complaints.append)  # fmt: skip
    return store, time, complaints


def test_what_is_put_is_got_until_its_time_is_over(tmp_path: Path) -> None:
    store, time, complaints = make(tmp_path)
    assert store.get("k") is None
    assert store.put("k", "chat", "body")
    assert store.get("k") == "body"
    time.at += 60
    assert store.get("k") is None
    store.close()
    assert complaints == []


def test_a_later_answer_replaces_an_earlier_one(tmp_path: Path) -> None:
    store, _, _ = make(tmp_path, size=1000)
    for number in range(50):
        store.put("k", "chat", f"{number}")
    store.put("other", "chat", "x")
    assert (store.get("k"), store.get("other")) == ("49", "x")
    store.close()


def test_the_oldest_make_room(tmp_path: Path) -> None:
    store, time, _ = make(tmp_path, size=1000)
    for name in "abcd":
        time.at += 1
        assert store.put(name, "chat", "x" * 200)
    assert [store.get(name) is not None for name in "abcd"] == [False, False, True, True]
    assert not store.put("e", "chat", "x" * 900)
    store.close()


def test_only_its_owner_can_read_it(tmp_path: Path) -> None:
    store, _, _ = make(tmp_path)
    store.put("k", "chat", "body")
    path = tmp_path / "c" / "answers"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700
    store.close()


@pytest.mark.parametrize("change", ["body = 'other'", "checksum = 'x'", "body = x'00ff'", "key = 'k2'"])
def test_a_damaged_entry_is_a_miss(change: str, tmp_path: Path) -> None:
    store, _, complaints = make(tmp_path)
    store.put("k", "chat", "body")
    store.close()
    with sqlite3.connect(tmp_path / "c" / "answers") as connection:
        connection.execute(f"UPDATE answers_v1 SET {change}")  # noqa: S608 - a constant of this test
    connection.close()
    assert store.get("k2" if "k2" in change else "k") is None
    store.close()
    assert complaints == []


def test_a_file_that_is_no_database_is_a_miss_that_is_told_once(tmp_path: Path) -> None:
    (tmp_path / "c").mkdir()
    (tmp_path / "c" / "answers").write_bytes(b"not a database" * 100)
    store, _, complaints = make(tmp_path)
    assert store.get("k") is None
    assert not store.put("k", "chat", "body")
    assert store.questions("p", 5) == []
    assert len(complaints) == 1
    assert "cannot be used" in complaints[0]


@pytest.mark.skipif(os.name == "nt", reason="no symbolic links without rights")
def test_a_full_disk_is_a_miss_that_is_told_once(tmp_path: Path) -> None:
    """SQLite meets the end of its room as it meets the end of a disk."""
    told: list[str] = []
    store = AnswerStore(tmp_path / "answers", 60, 1 << 30, lambda: 1000.0, told.append)
    assert store.put("small", "chat", "x")
    with store._open() as connection:
        assert connection is not None
        connection.execute("PRAGMA max_page_count = 20")
    assert not store.put("large", "chat", "x" * 1_000_000)
    assert not store.put("large", "chat", "x" * 1_000_000)
    assert (store.get("large"), store.get("small")) == (None, "x")
    assert len(told) == 1
    assert "full" in told[0]
    store.close()


def test_a_link_is_not_followed(tmp_path: Path) -> None:
    (tmp_path / "c").mkdir()
    (tmp_path / "elsewhere").touch()
    (tmp_path / "c" / "answers").symlink_to(tmp_path / "elsewhere")
    store, _, complaints = make(tmp_path)
    assert not store.put("k", "chat", "body")
    assert len(complaints) == 1


def test_processes_share_it(tmp_path: Path) -> None:
    store, _, _ = make(tmp_path)
    store.put("k", "chat", "body")
    program = (
        "import sys, pathlib; from ipfs_accel._resilience.cache import AnswerStore\n"
        "store = AnswerStore(pathlib.Path(sys.argv[1]), 60, 9999, lambda: 1000.0, print)\n"
        "print(store.get('k')); store.put('l', 'chat', 'theirs')"
    )
    command = [sys.executable, "-c", program, str(tmp_path / "c" / "answers")]
    assert subprocess.run(command, capture_output=True, text=True, check=True).stdout == "body\n"
    assert store.get("l") == "theirs"
    store.close()


def test_threads_share_it(tmp_path: Path) -> None:
    store, _, complaints = make(tmp_path)

    def work(number: int) -> None:
        for turn in range(20):
            store.put(f"{number}-{turn}", "chat", "x")
            assert store.get(f"{number}-{turn}") == "x"

    threads = [threading.Thread(target=work, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    store.close()
    assert complaints == []


def test_questions_live_as_long_as_their_answers(tmp_path: Path) -> None:
    store, time, _ = make(tmp_path)
    for name in "ab":
        time.at += 1
        store.put(name, "chat", "x")
        store.put_question("part", name, array("f", [1.0, 0.0]))
    assert [key for key, _ in store.questions("part", 5)] == ["b", "a"]
    assert [key for key, _ in store.questions("part", 1)] == ["b"]
    assert store.questions("other", 5) == []
    store.clear()
    assert store.questions("part", 5) == []
    store.close()


ANSWERS: list[tuple[str, Any]] = [
    (
        "chat",
        t.ChatResponse(
            choices=(
                t.Choice(
                    message=t.Message.assistant("hi"),
                    finish_reason="stop",
                    logprobs=(t.TokenLogprob(token="h", logprob=-0.5, bytes=b"\xff", top=()),),
                ),
            ),
            usage=t.Usage(input_tokens=1, output_tokens=2),
            extra={"a": [1, None]},
            raw={"id": 1},
        ),
    ),
    (
        "chat",
        t.ChatResponse(
            choices=(
                t.Choice(
                    message=t.Message(
                        role="assistant",
                        content=(t.Reasoning(text="hm"), t.ToolCall(id="1", name="f", arguments='{"x":1}')),
                    )
                ),
            )
        ),
    ),
    ("complete", t.CompletionResponse(choices=(t.CompletionChoice(text="x"),))),
    ("embed", t.EmbedResponse(vectors=(array("f", [0.5, -2.0]),), usage=t.Usage(input_tokens=3))),
    ("rerank", t.RerankResponse(results=(t.RankedDocument(index=0, score=0.5, document="d"),))),
    ("tokenize", t.TokenizeResponse(tokens=(1, 2))),
    ("detokenize", t.DetokenizeResponse(text="x")),
    ("count_tokens", t.TokenCount(input_tokens=5, exact=True, method="server")),
]


@pytest.mark.parametrize(("operation", "answer"), ANSWERS)
def test_answers_come_back_as_they_were(operation: str, answer: Any) -> None:
    found = decode(operation, encode(answer))
    assert found == answer
    assert found.raw == answer.raw


def test_what_is_no_answer_is_not_read_as_one() -> None:
    for operation in CACHEABLE:
        for text in ("", "{}x", "[]", '{"choices": 3}', '{"text": 5, "tokens": "abc", "vectors": [1]}'):
            with pytest.raises(Exception):  # noqa: B017, PT011 - whatever it is, it is a miss
                decode(operation, text)


def test_a_number_that_json_has_no_form_for_is_not_written() -> None:
    with pytest.raises(ValueError, match="Out of range"):
        encode(t.RerankResponse(results=(t.RankedDocument(index=0, score=float("nan"), document="d"),)))


def test_equal_requests_have_equal_digests_and_others_have_not() -> None:
    def request(**changes: Any) -> t.ChatRequest:
        return t.ChatRequest(**{"model": "m", "messages": (t.Message.user("q"),), **changes})

    same = digest("chat", request(extra={"a": 1, "b": 2}))
    assert same == digest("chat", request(extra={"b": 2, "a": 1}))
    others = [
        digest("complete", request(extra={"a": 1, "b": 2})),
        digest("chat", request(extra={"a": 1})),
        digest("chat", request(model="n", extra={"a": 1, "b": 2})),
        digest("chat", request(temperature=0.0, extra={"a": 1, "b": 2})),
        digest("chat", request(messages=(t.Message.system("q"),), extra={"a": 1, "b": 2})),
    ]
    assert len({same, *others}) == 6


def test_questions() -> None:
    def chat(*messages: t.Message) -> t.ChatRequest:
        return t.ChatRequest(model="m", messages=messages)

    found = question_of(chat(t.Message.system("s"), t.Message(role="user", content="why?", name="Ann")))
    assert found == ("why?", chat(t.Message.system("s"), t.Message(role="user", content=[t.Text(text="")], name="Ann")))
    assert question_of(chat(t.Message.user("why?"), t.Message.assistant("because"))) is None
    assert question_of(chat(t.Message.user("what?", t.Image(url="https://x.example/a.png")))) is None
    assert question_of(t.EmbedRequest(model="m", inputs=("x",))) is None


@given(st.lists(st.floats(-1e3, 1e3, width=32), min_size=1, max_size=20))
def test_vectors_are_made_comparable(values: list[float]) -> None:
    vector = normalized(values)
    if vector is not None:
        assert nearest(vector, [("k", vector)], 0.999) is not None


def test_the_nearest_question_wins_if_it_is_near_enough() -> None:
    wanted = normalized([1.0, 0.0])
    assert wanted is not None
    known = [(name, vector) for name, vector in ((n, normalized(v)) for n, v in (("a", [1, 1]), ("b", [9, 1]), ("c", [1, 0, 0]))) if vector]  # fmt: skip
    found = nearest(wanted, known, 0.9)
    assert found is not None
    assert found[0] == "b"
    assert nearest(wanted, known, 0.999) is None
    assert normalized([0.0, 0.0]) is None
    assert normalized([float("inf")]) is None
