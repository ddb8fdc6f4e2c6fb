"""Runs over many rows: one line for each row, in order, whatever happens on the way."""

from __future__ import annotations

import datetime as dt
import json
import os
import socket
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import anyio
import pytest
from ipfs_accel import AsyncClient, Client, Config, ModelOverride, hookimpl
from ipfs_accel import errors as e
from ipfs_accel._batch import planning
from ipfs_accel._batch.folder import folder_of
from ipfs_accel.plans import Endpoint, Ready
from ipfs_accel.types import ChatRequest, ChatResponse, Choice, Message, PutObjectRequest

from .both_worlds import fault, fine
from .cli import shelf
from .fake_clock import FakeClock
from .many_rows import Counting, awaiting, blocking, echo, made, on_trio, prompts, rows_of, upstream

World = Callable[..., Any]


@pytest.fixture(params=[blocking, awaiting, on_trio], ids=["sync", "asyncio", "trio"])
def world(request: pytest.FixtureRequest) -> World:
    found: World = request.param
    return found


@pytest.fixture
def out(tmp_path: Path) -> Path:
    return tmp_path / "out.jsonl"


@pytest.fixture
def _small_shards(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(planning, "SHARD_ROWS", 7)


small_shards = pytest.mark.usefixtures("_small_shards")


@small_shards
def test_each_row_has_its_line_in_the_order_of_the_input(world: World, tmp_path: Path, out: Path) -> None:
    with upstream() as server:
        report, results = world(server.url, prompts(tmp_path, 40), out, concurrency=5)

    expected = [
        {"id": f"r{n}", "text": f"re q{n}", "finish_reason": "stop", "usage": {"input_tokens": 3}} for n in range(40)
    ]
    assert rows_of(out) == expected
    assert (report.ended, report.rows, report.succeeded, report.failed, report.left) == ("complete", 40, 40, 0, 0)
    assert (report.input_tokens, report.maybe_paid_twice, report.answered) == (120, 0, 40)
    assert {each.id: each.response.text for each in results if each.response} == {
        row["id"]: row["text"] for row in expected
    }
    assert sorted(server.asked) == sorted(f"q{n}" for n in range(40))
    assert sorted(path.name for path in folder_of(out).iterdir()) == ["lock", "manifest", "plan.json"]


def test_a_complete_run_asks_for_nothing_again(world: World, tmp_path: Path, out: Path) -> None:
    source = prompts(tmp_path, 5)
    with upstream() as server:
        world(server.url, source, out)
        before = out.read_bytes()
        report, results = world(server.url, source, out)

    assert (len(server.asked), results, report.ended, report.answered) == (5, [], "complete", 0)
    assert out.read_bytes() == before


@small_shards
def test_who_leaves_early_goes_on_later(world: World, tmp_path: Path, out: Path) -> None:
    source, whole = prompts(tmp_path, 30), tmp_path / "whole.jsonl"
    with upstream() as server:
        world(server.url, source, whole)
        server.asked.clear()
        with made(Client, server.url) as client, client.batch_run("acme/m", source, out, concurrency=3) as run:
            for _, _result in zip(range(10), run, strict=False):
                pass
        first = run.report
        assert first.ended == "stopped"
        assert not out.exists()
        report, results = world(server.url, source, out)

    assert out.read_bytes() == whole.read_bytes()
    assert len(results) == 30 - first.answered
    assert (len(server.asked), report.maybe_paid_twice) == (30, 0)


@pytest.mark.anyio
async def test_rows_under_way_are_given_up_with_an_error(tmp_path: Path, out: Path) -> None:
    source = prompts(tmp_path, 30)
    with upstream() as server:
        async with made(AsyncClient, server.url) as client:
            with pytest.raises(KeyError):
                async with client.batch_run("acme/m", source, out, concurrency=3) as run:
                    async for _ in run:
                        raise KeyError
            assert 0 <= run.report.maybe_paid_twice <= 3
            report = await client.batch_run("acme/m", source, out).complete()

    assert report.ended == "complete"
    assert [row["id"] for row in rows_of(out)] == [f"r{n}" for n in range(30)]
    assert len(server.asked) <= 30 + report.maybe_paid_twice


@small_shards
def test_lines_come_as_answers_do(world: World, tmp_path: Path, out: Path) -> None:
    source = prompts(tmp_path, 30)
    with upstream() as server:
        with made(Client, server.url) as client:
            with client.batch_run("acme/m", source, out, order="done", concurrency=2) as run:
                for _, _result in zip(range(10), run, strict=False):
                    pass
            begun = out.read_bytes()
            assert begun.count(b"\n") == run.report.answered
            # What a crash leaves: half of a line, and lines whose journal had come no further.
            out.write_bytes(begun + b'{"id":"r2')
        report, _ = world(server.url, source, out, order="done")

    assert sorted(row["id"] for row in rows_of(out)) == sorted(f"r{n}" for n in range(30))
    assert (report.ended, len(server.asked)) == ("complete", 30)


def test_a_poisonous_row_stops_nothing(world: World, tmp_path: Path, out: Path) -> None:
    source = tmp_path / "in.jsonl"
    rows: list[Any] = [{"id": str(n), "prompt": f"q{n}"} for n in range(6)]
    rows[2] = {"id": "2", "messages": [{"role": "nobody", "content": "x"}]}
    lines = [json.dumps(row) for row in rows]
    lines[4] = '{"id": "4", "prompt": "cut'
    source.write_text("\n".join(lines))

    def reply(text: str, before: int) -> bytes:
        return fault(422, "odd") if text == "q3" else echo(text, before)

    with upstream(reply) as server:
        report, results = world(server.url, source, out)

    found = rows_of(out)
    assert [row.get("id") for row in found[:4]] == ["0", "1", "2", "3"]
    assert ["error" in row for row in found] == [False, False, True, True, True, False]
    assert found[3]["error"] == {"type": "UnprocessableEntityError", "message": "told", "status": 422, "code": "odd"}
    assert found[2]["error"]["type"] == found[4]["error"]["type"] == "InvalidRequestError"
    assert "role" in found[2]["error"]["message"]
    assert "not valid JSON" in found[4]["error"]["message"]
    assert (report.succeeded, report.failed, report.unreadable) == (3, 3, 1)
    assert report.failures == {"UnprocessableEntityError": 1, "InvalidRequestError": 2}
    assert sorted(type(each.error).__name__ for each in results if each.error) == [
        "InvalidRequestError",
        "InvalidRequestError",
        "UnprocessableEntityError",
    ]


@small_shards
def test_failed_rows_are_asked_for_again(world: World, tmp_path: Path, out: Path) -> None:
    source = prompts(tmp_path, 30)
    broken = {"q3", "q4", "q20"}
    with upstream(lambda text, before: fault(422) if text in broken and not before else echo(text, before)) as server:
        first, _ = world(server.url, source, out)
        assert (first.ended, first.failed) == ("complete", 3)
        server.asked.clear()
        server._reply = echo
        report, results = world(server.url, source, out, retry_failed=True)

    assert sorted(server.asked) == ["q20", "q3", "q4"]
    assert (report.ended, report.succeeded, report.failed, len(results)) == ("complete", 30, 0, 3)
    assert [row["text"] for row in rows_of(out)] == [f"re q{n}" for n in range(30)]
    assert report.input_tokens == 90


@small_shards
def test_failed_rows_of_a_run_that_is_cut_short_are_asked_for_again(tmp_path: Path, out: Path) -> None:
    source = prompts(tmp_path, 30)
    with upstream(lambda text, before: fault(422) if not before else echo(text, before)) as server:
        first, _ = blocking(server.url, source, out, max_failures=10, concurrency=1)
        assert (first.ended, first.failed) == ("max_failures", 11)
        report, _ = blocking(server.url, source, out, retry_failed=True, concurrency=1)

    assert (report.ended, report.succeeded, report.failed) == ("complete", 11, 19)
    assert [row["id"] for row in rows_of(out)] == [f"r{n}" for n in range(30)]


def test_a_storm_of_refusals_fails_no_row(world: World, tmp_path: Path, out: Path) -> None:
    clock = FakeClock()
    source = prompts(tmp_path, 20)
    count = iter(range(1000))

    def reply(text: str, before: int) -> bytes:
        return fault(429, retry_after="7") if 5 <= next(count) < 60 else echo(text, before)

    with upstream(reply) as server:
        report, _ = world(server.url, source, out, clock, concurrency=4)

    assert (report.ended, report.succeeded) == ("complete", 20)
    assert len(server.asked) == 75
    assert max(clock.slept) <= 7


def test_a_server_that_is_away_for_long_ends_the_run_and_loses_nothing(world: World, tmp_path: Path, out: Path) -> None:
    clock = FakeClock()
    source = prompts(tmp_path, 9)
    with upstream(lambda text, before: fault(503)) as server:
        with pytest.raises(e.OverloadedError):
            world(server.url, source, out, clock, concurrency=2, patience=100.0)
        assert 100 <= clock.at - 1000 < 200
        server._reply = echo
        report, _ = world(server.url, source, out, clock)

    assert (report.ended, report.succeeded, report.failed) == ("complete", 9, 0)


def test_a_server_that_is_not_there_is_not_waited_for_as_long(world: World, tmp_path: Path, out: Path) -> None:
    clock = FakeClock()
    with socket.socket() as deaf:
        deaf.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{deaf.getsockname()[1]}"
        with pytest.raises(e.APIConnectionError):
            world(url, prompts(tmp_path, 9), out, clock, concurrency=2)
    assert 30 <= clock.at - 1000 < 100


def test_a_row_whose_failure_may_pass_is_asked_for_some_times(world: World, tmp_path: Path, out: Path) -> None:
    source = prompts(tmp_path, 10)

    def reply(text: str, before: int) -> bytes:
        if text == "q2":
            return fault(500)
        return fault(500) if text == "q5" and not before else echo(text, before)

    with upstream(reply) as server:
        report, _ = world(server.url, source, out, FakeClock(), concurrency=2, rounds=4)

    assert (server.asked.count("q2"), server.asked.count("q5")) == (4, 2)
    assert [row["id"] for row in rows_of(out) if "error" in row] == ["r2"]
    assert report.failures == {"InternalServerError": 1}


@pytest.mark.parametrize("status", [403, 404])
def test_what_may_be_the_rows_own_fault_is_where_others_are_answered(
    world: World, tmp_path: Path, out: Path, status: int
) -> None:
    source = prompts(tmp_path, 7)
    bad = {"q0", "q3", "q5", "q6"}
    with upstream(lambda text, before: fault(status) if text in bad else echo(text, before)) as server:
        report, _ = world(server.url, source, out, concurrency=1)

    assert (report.ended, report.succeeded, report.failed) == ("complete", 3, 4)


@pytest.mark.parametrize("status", [401, 403, 404, 402])
def test_what_no_row_can_help_ends_the_run(world: World, tmp_path: Path, out: Path, status: int) -> None:
    source = prompts(tmp_path, 200)
    with upstream(lambda text, before: fault(status)) as server:
        with pytest.raises(e.APIStatusError) as caught:
            world(server.url, source, out, concurrency=2)
        assert caught.value.status == status
        assert len(server.asked) <= 20
        server._reply = echo
        report, _ = world(server.url, source, out)

    assert (report.ended, report.succeeded, report.failed) == ("complete", 200, 0)


def test_a_key_that_is_revoked_on_the_way_fails_no_row(tmp_path: Path, out: Path) -> None:
    source = prompts(tmp_path, 200)
    count = iter(range(1000))
    with upstream(lambda text, before: fault(403) if next(count) > 50 else echo(text, before)) as server:
        with pytest.raises(e.PermissionDeniedError):
            blocking(server.url, source, out, concurrency=4)
        server._reply = echo
        report, _ = blocking(server.url, source, out)

    assert report.failed <= 4  # those that were under way when the others were answered
    assert report.ended == "complete"


def test_failures_end_a_run_that_bounds_them(world: World, tmp_path: Path, out: Path) -> None:
    source = prompts(tmp_path, 100)
    with upstream(lambda text, before: fault(422)) as server:
        report, _ = world(server.url, source, out, concurrency=2, max_failures=5)

    assert report.ended == "max_failures"
    assert 6 <= report.failed <= 8
    assert not out.exists()


def test_money_is_bounded_only_where_a_price_is_known(world: World, tmp_path: Path, out: Path) -> None:
    with upstream() as server, pytest.raises(e.InvalidRequestError, match="max_cost: what the model costs"):
        world(server.url, prompts(tmp_path, 50), out, concurrency=1, max_cost=1.0)
    assert len(server.asked) == 1


def test_a_run_costs_no_more_than_it_may(tmp_path: Path, out: Path) -> None:
    source = prompts(tmp_path, 50)
    models = {"m": ModelOverride(input_price=200_000.0, output_price=300_000.0)}

    def run(most: float) -> Any:
        with made(Client, server.url, plugin=Counting, models=models) as client:
            return client.batch_run("acme/m", source, out, concurrency=3, max_cost=most).complete()

    with upstream(lambda text, before: fine(text, 1)) as server:
        first, second, third = run(10.2), run(15.2), run(100.0)

    assert (first.ended, second.ended, third.ended) == ("max_cost", "max_cost", "complete")
    assert (first.succeeded, second.succeeded) == (20, 30)
    assert [each.cost for each in (first, second, third)] == [pytest.approx(10), pytest.approx(15), pytest.approx(25)]


# what is told before anything is asked


def test_ids_that_stand_twice_are_told(world: World, tmp_path: Path, out: Path) -> None:
    source = tmp_path / "in.jsonl"
    source.write_text("".join(json.dumps({"id": name, "prompt": "q"}) + "\n" for name in ["a", "b", "a", "c", "b"]))
    with (
        upstream() as server,
        pytest.raises(e.InvalidRequestError, match="'a' of row 3 is that of row 1, 'b' of row 5"),
    ):
        world(server.url, source, out)
    assert server.asked == []
    assert list(tmp_path.iterdir()) == [source]


def test_rows_without_ids_may_be_equal(tmp_path: Path, out: Path) -> None:
    source = tmp_path / "in.jsonl"
    source.write_text('"same"\n"same"\n')
    with upstream() as server:
        blocking(server.url, source, out)
    first, second = rows_of(out)
    assert first["text"] == second["text"] == "re same"
    assert first["id"] != second["id"]


@pytest.mark.parametrize(
    ("rows", "told"),
    [
        ([], "there are no rows"),
        ([{"question": "q"}], "row 1: the row has no 'messages' or 'prompt'"),
        ([{"prompt": "q", "answer": "a"}], "row 1: answer: chat has no such option"),
        ([{"prompt": "q", "key": "sk-1"}], "row 1: key: chat has no such option"),
        ([{"custom_id": "a", "url": "/v1/embeddings", "body": {}}], "url: '/v1/embeddings' is not what this run"),
    ],
)
def test_an_input_of_which_nothing_can_be_asked_is_refused(tmp_path: Path, out: Path, rows: Any, told: str) -> None:
    source = tmp_path / "in.jsonl"
    source.write_text("".join(json.dumps(row) + "\n" for row in rows))
    with upstream() as server, pytest.raises(e.InvalidRequestError, match=told):
        blocking(server.url, source, out)
    assert not folder_of(out).exists()


@pytest.mark.parametrize(
    ("options", "told"),
    [
        ({"operation": "chatt"}, "operation: a run has no 'chatt'"),
        ({"order": "random"}, "order: a run has no 'random'"),
        ({"format": "xml"}, "format: a run has no 'xml'"),
        ({"concurrency": 0}, "concurrency: has to be at least 1, got 0"),
        ({"max_cost": -1}, "max_cost: has to be at least 0"),
        ({"template": "no field"}, "template: it names no field"),
        ({"template": "{a} {"}, "template: the brace at character 5"),
        ({"on_upload": print}, "on_upload: a run does not take it"),
        ({"repair": 1}, "repair: a run does not take it"),
        ({"response_format": dict}, "response_format: expected a JSON value"),
        ({"max_tokens": "many"}, "row 1: max_tokens: expected int"),
        ({"max_tokenz": 1}, "row 1: max_tokenz: unknown option"),
        ({"order": "done", "retry_failed": True}, "retry_failed: a line that is written stays"),
    ],
)
def test_wrong_settings_are_told_by_name(tmp_path: Path, out: Path, options: Any, told: str) -> None:
    with upstream() as server, pytest.raises(e.InvalidRequestError, match=told):
        blocking(server.url, prompts(tmp_path, 3), out, **options)
    assert server.asked == []
    assert not folder_of(out).exists()


def test_an_output_of_something_else_is_left_alone(tmp_path: Path, out: Path) -> None:
    out.write_text("precious")
    with upstream() as server, pytest.raises(e.InvalidRequestError, match="it is there already"):
        blocking(server.url, prompts(tmp_path, 3), out)
    assert out.read_text() == "precious"


def cut_short(url: str, source: Path, out: Path, **options: Any) -> None:
    with made(Client, url) as client, client.batch_run("acme/m", source, out, concurrency=1, **options) as run:
        next(run)


def test_another_question_does_not_go_on_with_a_run(tmp_path: Path, out: Path) -> None:
    source = prompts(tmp_path, 9)
    with upstream() as server:
        cut_short(server.url, source, out, system="Be brief.")
        with pytest.raises(e.InvalidRequestError, match="begun with another system and options"):
            blocking(server.url, source, out, system="Be long.", temperature=0.5)
        report, _ = blocking(server.url, source, out, system="Be brief.", timeout=50)
    assert report.ended == "complete"


@small_shards
@pytest.mark.parametrize("how", ["longer", "other", "gone"])
def test_an_input_that_changes_is_told_and_loses_nothing(tmp_path: Path, out: Path, how: str) -> None:
    source = prompts(tmp_path, 30)
    before = source.read_bytes()
    with upstream() as server:
        cut_short(server.url, source, out)
        if how == "gone":
            source.unlink()
        else:
            source.write_bytes(before + b"\n" if how == "longer" else before.replace(b"q29", b"x29"))
        with pytest.raises(e.InvalidRequestError, match="No such file" if how == "gone" else "are not what they were"):
            blocking(server.url, source, out)
        source.write_bytes(before)
        report, _ = blocking(server.url, source, out)

    assert (report.ended, len(server.asked)) == ("complete", 30)
    assert [row["id"] for row in rows_of(out)] == [f"r{n}" for n in range(30)]


@small_shards
def test_a_finished_part_of_an_input_that_changes_is_told_too(tmp_path: Path, out: Path) -> None:
    source = prompts(tmp_path, 30)
    with upstream() as server:
        with made(Client, server.url) as client, client.batch_run("acme/m", source, out, concurrency=1) as run:
            for _, _result in zip(range(20), run, strict=False):
                pass
        source.write_bytes(source.read_bytes().replace(b'q1"', b'x1"'))
        os.utime(source, (1, 1))
        with pytest.raises(e.InvalidRequestError, match="rows 1 to 7 are not what they were"):
            blocking(server.url, source, out)


def test_an_input_may_move(tmp_path: Path, out: Path) -> None:
    source = prompts(tmp_path, 9)
    with upstream() as server:
        cut_short(server.url, source, out)
        report, _ = blocking(server.url, source.rename(tmp_path / "moved.jsonl"), out)
    assert report.ended == "complete"


def test_two_do_not_work_on_one_run(tmp_path: Path, out: Path) -> None:
    source = prompts(tmp_path, 9)
    with upstream() as server, made(Client, server.url) as client:
        with (
            client.batch_run("acme/m", source, out, concurrency=1),
            pytest.raises(e.InvalidRequestError, match="another process works on this run"),
        ):
            client.batch_run("acme/m", source, out).complete()
        assert client.batch_run("acme/m", source, out).complete().ended == "complete"


def test_an_output_that_is_gone_is_not_made_of_nothing(tmp_path: Path, out: Path) -> None:
    source = prompts(tmp_path, 3)
    with upstream() as server:
        blocking(server.url, source, out)
        out.unlink()
        with pytest.raises(e.InvalidRequestError, match="the output is gone"):
            blocking(server.url, source, out)


@small_shards
def test_an_output_that_was_changed_is_not_taken_apart(tmp_path: Path, out: Path) -> None:
    source = prompts(tmp_path, 20)
    with upstream(lambda text, before: fault(422) if text == "q3" else echo(text, before)) as server:
        blocking(server.url, source, out)
        changed = out.read_bytes().replace(b're q1"', b're x1"')
        out.write_bytes(changed)
        with pytest.raises(e.InvalidRequestError, match="it is not what the run wrote"):
            blocking(server.url, source, out, retry_failed=True)
    assert out.read_bytes() == changed


# stores


class Shelf(shelf.Shelf):
    """Keeps objects, and answers chats."""

    @hookimpl
    def chat(self, endpoint: Endpoint, request: ChatRequest) -> Any:
        message = Message.assistant(f"re {request.messages[-1].text}")
        return Ready(value=ChatResponse(choices=(Choice(message=message, finish_reason="stop"),)))


@pytest.fixture
def kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Shelf:
    monkeypatch.chdir(tmp_path)
    found = Shelf()
    found.objects["b", "in.jsonl"] = b'"one"\n"two"\n'
    return found


@pytest.mark.parametrize("is_async", [False, True])
def test_input_and_output_may_be_in_a_store(kept: Shelf, is_async: bool) -> None:
    async def awaited() -> Any:
        async with AsyncClient(Config(environ={}), plugins=[kept]) as client:
            return await client.batch_run("shelf/m", "shelf/b/in.jsonl", "shelf/b/to/out.jsonl").complete()

    def run() -> Any:
        if is_async:
            return anyio.run(awaited)
        with Client(Config(environ={}), plugins=[kept]) as client:
            return client.batch_run("shelf/m", "shelf/b/in.jsonl", "shelf/b/to/out.jsonl").complete()

    assert run().ended == "complete"
    lines = kept.objects["b", "to/out.jsonl"].splitlines()
    assert [json.loads(line)["text"] for line in lines] == ["re one", "re two"]
    del kept.objects["b", "in.jsonl"]
    before = len(kept.log)
    assert run().answered == 0
    assert not [each for each in kept.log[before:] if isinstance(each, PutObjectRequest)]


def test_an_object_of_somebody_else_is_left_alone(kept: Shelf) -> None:
    kept.objects["b", "out.jsonl"] = b"precious"
    with (
        Client(Config(environ={}), plugins=[kept]) as client,
        pytest.raises(e.InvalidRequestError, match=r"output: shelf/b/out.jsonl is there already"),
    ):
        client.batch_run("shelf/m", "shelf/b/in.jsonl", "shelf/b/out.jsonl").complete()
    assert kept.objects["b", "out.jsonl"] == b"precious"
    assert list(Path().iterdir()) == []


def test_an_output_that_a_store_did_not_take_is_stored_later(kept: Shelf) -> None:
    Path("in.jsonl").write_text('"one"\n')
    with Client(Config(environ={}), plugins=[kept]) as client:
        with client.batch_run("shelf/m", "in.jsonl", "shelf/b/out.jsonl") as run:
            next(run)
            kept.failure = e.PermissionDeniedError("no")
            with pytest.raises(e.PermissionDeniedError):
                next(run)
        kept.failure = None
        assert client.batch_run("shelf/m", "in.jsonl", "shelf/b/out.jsonl").complete().answered == 0
    assert kept.objects["b", "out.jsonl"] == Path("out.jsonl").read_bytes()


# Parquet


def test_rows_of_parquet(world: World, tmp_path: Path, out: Path) -> None:
    pa = pytest.importorskip("pyarrow", reason="pyarrow reads Parquet")
    pq = pytest.importorskip("pyarrow.parquet")
    source = tmp_path / "in.parquet"
    day = dt.date(2026, 1, 2)
    columns = {"id": [f"r{n}" for n in range(30)], "text": [f"t{n}" for n in range(30)], "day": [day] * 30}
    pq.write_table(pa.table(columns), source, row_group_size=7)
    asked = {"template": "{text} of {day}", "concurrency": 3}
    with upstream() as server:
        cut_short(server.url, source, out, template=asked["template"])
        os.utime(source, (1, 1))
        report, _ = world(server.url, source, out, **asked)
        assert [row["text"] for row in rows_of(out)] == [f"re t{n} of 2026-01-02" for n in range(30)]
        assert (report.ended, len(server.asked)) == ("complete", 30)
        pq.write_table(pa.table({"text": ["other"]}), source)
        with pytest.raises(e.InvalidRequestError, match="it is not what it was"):
            world(server.url, source, out, **asked)


def test_what_is_no_parquet_is_told(tmp_path: Path, out: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("pyarrow", reason="pyarrow reads Parquet")
    source = prompts(tmp_path, 3, "in.parquet")
    with upstream() as server:
        with pytest.raises(e.InvalidRequestError, match="it is no Parquet that can be read"):
            blocking(server.url, source, out)
        monkeypatch.setitem(sys.modules, "pyarrow", None)
        with pytest.raises(e.InvalidRequestError, match="pyarrow, which is not installed") as caught:
            blocking(server.url, source, out)
    assert "ipfs-accel[parquet]" in (caught.value.hint or "")
    assert not folder_of(out).exists()
