"""A run over many rows that dies at any step, or finds the disk full: nothing is lost, nothing is there twice."""

from __future__ import annotations

import errno
import itertools
import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from ipfs_accel._batch import folder as folders
from ipfs_accel._batch import logs, planning, tail
from ipfs_accel._batch.disk import Disk
from ipfs_accel.testing.raw_server import Connection, answer, serve

from .many_rows import blocking, echo, prompts, rows_of, upstream

ROWS = 18
CONCURRENCY = 3
Die = Callable[..., dict[str, Any]]

needs_fork = pytest.mark.skipif(not hasattr(os, "fork"), reason="the system forks no processes")


class Studio:
    """Answers chats in OpenAI's dialect.

    Attributes:
        asked: The texts, in the order in which they came.
    """

    def __init__(self) -> None:
        self.asked: list[str] = []

    def handle(self, connection: Connection) -> None:
        while (head := connection.head()) is not None:
            text = json.loads(connection.body(head))["messages"][-1]["content"]
            self.asked.append(text)
            choice = {"index": 0, "message": {"role": "assistant", "content": f"re {text}"}, "finish_reason": "stop"}
            connection.send(answer(json.dumps({"id": "c", "model": "m", "choices": [choice]}).encode()))


@pytest.fixture
def studio() -> Studio:
    return Studio()


@pytest.fixture
def die(tmp_path: Path, studio: Studio) -> Iterator[Die]:
    """Run in a process that is killed at the given step of the disk."""
    source = prompts(tmp_path, ROWS)
    script = Path(__file__).with_name("batch_crashes.py")
    with serve(studio.handle) as server:
        process = subprocess.Popen(
            [sys.executable, str(script), server.url, str(source)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        assert process.stdin is not None
        assert process.stdout is not None

        def run(output: Path, order: str, at: int = 0, *, is_torn: bool = False) -> dict[str, Any]:
            asked = {"output": str(output), "order": order, "at": at, "is_torn": is_torn}
            process.stdin.write(json.dumps(asked) + "\n")
            process.stdin.flush()
            found: dict[str, Any] = json.loads(process.stdout.readline())
            return found

        yield run
        process.stdin.close()
        process.stdout.close()
        process.wait(60)


def dies_at(die: Die, studio: Studio, folder: Path, order: str, steps: Iterator[int]) -> int:
    """Die at each of the steps, then go on to the end; return how many runs died."""
    whole = folder / f"whole-{order}"
    assert die(whole, order)["said"].startswith("complete")
    put = list if order == "input" else sorted
    expected = put(whole.read_bytes().splitlines())
    deaths = 0
    for number in steps:
        for is_torn in (False, True):
            output = folder / f"{order}-{number}-{is_torn}"
            studio.asked.clear()
            died = die(output, order, number, is_torn=is_torn)
            deaths += died["status"] == -9
            if died["status"] == 0:
                return deaths
            assert die(output, order)["said"].startswith("complete"), number
            assert put(output.read_bytes().splitlines()) == expected, number
            assert len(studio.asked) <= ROWS + CONCURRENCY, number
    return deaths


@needs_fork
@pytest.mark.parametrize("order", ["input", "done"])
def test_a_death_at_some_steps(die: Die, studio: Studio, tmp_path: Path, order: str) -> None:
    assert dies_at(die, studio, tmp_path, order, iter([2, 9, 23, 31])) == 8


@needs_fork
@pytest.mark.slow
@pytest.mark.parametrize("order", ["input", "done"])
def test_a_death_at_any_step(die: Die, studio: Studio, tmp_path: Path, order: str) -> None:
    assert dies_at(die, studio, tmp_path, order, itertools.count(1)) > 60


@needs_fork
@pytest.mark.slow
@pytest.mark.parametrize("order", ["input", "done"])
def test_many_deaths_of_one_run(die: Die, studio: Studio, tmp_path: Path, order: str) -> None:
    whole, output = tmp_path / "whole", tmp_path / "out"
    die(whole, order)
    studio.asked.clear()
    deaths = sum(die(output, order, number)["status"] == -9 for number in itertools.chain(*[range(5, 12)] * 3))
    assert die(output, order)["said"].startswith("complete")
    assert sorted(output.read_bytes().splitlines()) == sorted(whole.read_bytes().splitlines())
    assert len(studio.asked) <= ROWS + CONCURRENCY * deaths


class Full:
    """A disk that takes nothing more from the given step on."""

    def __init__(self, at: int) -> None:
        self.left = at

    def around(self, real: Any) -> Any:
        def step(*arguments: Any, **named: Any) -> Any:
            self.left -= 1
            if self.left <= 0:
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
            return real(*arguments, **named)

        return step


def full_at(patch: pytest.MonkeyPatch, url: str, source: Path, output: Path, order: str, at: int) -> bool:
    """Run on a disk that is full from a step on; return whether it was told."""
    disk = Full(at)
    with patch.context() as patched:
        patched.setattr(planning, "SHARD_ROWS", 5)
        for name in ("write", "fsync", "fdatasync", "replace"):
            patched.setattr(os, name, disk.around(getattr(os, name)), raising=False)
        try:
            report, _ = blocking(url, source, output, order=order, concurrency=CONCURRENCY)
        except OSError as error:
            return error.errno == errno.ENOSPC
    return report.ended != "complete"


@pytest.mark.parametrize("order", ["input", "done"])
def test_a_disk_that_is_full_at_some_step_is_told_and_loses_nothing(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, order: str
) -> None:
    source = prompts(tmp_path, ROWS)
    assert folders.written is logs.written is tail.written
    with upstream() as server:
        told = 0
        for at in itertools.count(1, 3):
            output = tmp_path / f"out-{at}"
            server.asked.clear()
            if not full_at(monkeypatch, server.url, source, output, order, at):
                break
            told += 1
            report, _ = blocking(server.url, source, output, order=order)
            assert report.ended == "complete"
            assert sorted(row["text"] for row in rows_of(output)) == sorted(f"re q{n}" for n in range(ROWS))
            assert len(server.asked) <= ROWS + CONCURRENCY
    assert told > 12


def test_a_limit_on_files_is_told_and_loses_nothing(tmp_path: Path, studio: Studio) -> None:
    resource = pytest.importorskip("resource", reason="the system limits no files")
    source, output = prompts(tmp_path, ROWS), tmp_path / "out"
    code = f"""
import json, sys
from ipfs_accel import BackendInfo, Client, Config
from ipfs_accel.wire.openai import OpenAICompatible
class Studio(OpenAICompatible):
    api_version = 1
    info = BackendInfo(name="studio", base_url=sys.argv[1])
with Client(Config(environ={{}}), plugins=[Studio()]) as client:
    print(client.batch_run("studio/m", {str(source)!r}, {str(output)!r}, concurrency={CONCURRENCY}).complete().ended)
"""

    def run(limit: int | None) -> subprocess.CompletedProcess[str]:
        def limited() -> None:
            if limit is not None:
                resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))

        command = [sys.executable, "-c", code, server.url]
        return subprocess.run(command, capture_output=True, text=True, check=False, preexec_fn=limited)

    with serve(studio.handle) as server:
        full = run(1000)
        assert full.returncode == 1
        assert "000000.journal" in full.stderr.splitlines()[-1]
        assert os.strerror(errno.EFBIG) in full.stderr.splitlines()[-1]
        assert run(None).stdout == "complete\n"
    assert [row["text"] for row in rows_of(output)] == [f"re q{n}" for n in range(ROWS)]
    assert ROWS <= len(studio.asked) <= ROWS + CONCURRENCY


@pytest.mark.parametrize("damage", ["torn", "changed"])
def test_a_line_of_a_journal_that_is_not_whole_is_dropped(tmp_path: Path, damage: str) -> None:
    source, output = prompts(tmp_path, ROWS), tmp_path / "out.jsonl"
    with upstream(echo) as server:
        report, _ = blocking(server.url, source, output, concurrency=1, max_failures=0)
        assert report.ended == "complete"
        whole = output.read_bytes()
        output = tmp_path / "other.jsonl"
        server._reply = lambda text, before: b"HTTP/1.1 422 Told\r\ncontent-length: 16\r\n\r\n" + b'{"problem": "p"}'
        blocking(server.url, source, output, concurrency=1, max_failures=0)
        server._reply = echo
        journal = folders.folder_of(output) / "000000.journal"
        before = journal.read_bytes()
        assert before.count(b"\n") == 1
        journal.write_bytes(
            before[:-9] if damage == "torn" else before.replace(b"told", b"sold").replace(b'"p"', b'"q"')
        )
        report, _ = blocking(server.url, source, output)
    assert (report.ended, report.failed) == ("complete", 0)
    assert output.read_bytes() == whole


@pytest.mark.parametrize("order", ["input", "done"])
def test_a_shard_of_which_no_row_is_left_is_not_begun_again(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, order: str
) -> None:
    """What the disk is still busy with when the next shard is looked for."""
    source, output = prompts(tmp_path, ROWS), tmp_path / "out"
    monkeypatch.setattr(planning, "SHARD_ROWS", 5)
    with upstream() as server:
        with monkeypatch.context() as patched:
            patched.setattr(folders.Folder, "note", failing(folders.Folder.note, "finished"))
            with pytest.raises(OSError, match="full"):
                blocking(server.url, source, output, order=order, concurrency=1)
        done = len(server.asked)
        assert done >= 5
        jobs: list[Callable[[], None]] = []
        late, close = Disk.submit, Disk.close
        monkeypatch.setattr(Disk, "submit", lambda self, job: jobs.append(job))
        monkeypatch.setattr(Disk, "close", lambda self: ([late(self, job) for job in jobs], close(self)))
        report, _ = blocking(server.url, source, output, order=order, concurrency=1)

    assert (report.ended, report.succeeded, len(server.asked)) == ("complete", ROWS, ROWS)
    assert sorted(row["text"] for row in rows_of(output)) == sorted(f"re q{n}" for n in range(ROWS))


def failing(note: Any, wanted: str) -> Any:
    def step(self: Any, what: str, **known: Any) -> None:
        if what == wanted:
            raise OSError(errno.ENOSPC, "full")
        note(self, what, **known)

    return step
