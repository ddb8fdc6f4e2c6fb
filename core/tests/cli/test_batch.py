"""`ipfs-accel batch`: many rows of a file."""

from __future__ import annotations

import json
import signal
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from ipfs_accel.testing.raw_server import Connection, answer, serve

from .conftest import Run, Start

Reply = Callable[[str], bytes]


def echo(text: str) -> bytes:
    return said(f"re {text}")


def said(text: str) -> bytes:
    choice = {"index": 0, "message": {"role": "assistant", "content": text}, "finish_reason": "stop"}
    usage = {"prompt_tokens": 4, "completion_tokens": 2, "total_tokens": 6}
    return answer(json.dumps({"id": "c", "model": "m", "choices": [choice], "usage": usage}).encode())


def refused(status: int) -> bytes:
    return answer(b'{"error": {"message": "no", "code": "odd"}}', f"{status} No")


class Upstream:
    """A server of chats.

    Attributes:
        bodies: What it was asked.
        reply: What it answers.
    """

    def __init__(self) -> None:
        self.bodies: list[dict[str, Any]] = []
        self.reply: Reply = echo

    def handle(self, connection: Connection) -> None:
        while (head := connection.head()) is not None:
            body = json.loads(connection.body(head))
            self.bodies.append(body)
            connection.send(self.reply(body["messages"][-1]["content"]))

    @property
    def asked(self) -> list[str]:
        return [body["messages"][-1]["content"] for body in self.bodies]


@pytest.fixture
def studio(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Upstream]:
    found = Upstream()
    monkeypatch.chdir(tmp_path)
    with serve(found.handle) as server:
        monkeypatch.setenv("STUDIO_BASE_URL", server.url)
        yield found


def write(name: str, *rows: Any) -> None:
    Path(name).write_text("".join(json.dumps(row) + "\n" for row in rows))


def read(name: str = "out.jsonl") -> list[dict[str, Any]]:
    return [json.loads(line) for line in Path(name).read_text().splitlines()]


def test_rows_in_the_form_of_openais_batches(run: Run, studio: Upstream) -> None:
    schema = {"type": "object", "properties": {}, "additionalProperties": False}
    body = {
        "model": "theirs",
        "messages": [{"role": "system", "content": "s"}, {"role": "user", "content": "q"}],
        "max_completion_tokens": 9,
        "service_tier": "flex",
        "tools": [{"type": "function", "function": {"name": "f", "parameters": schema}}],
        "tool_choice": {"type": "function", "function": {"name": "f"}},
    }
    write("in.jsonl", {"custom_id": "a", "method": "POST", "url": "/v1/chat/completions", "body": body})

    found = run("batch", "run", "in.jsonl", "out.jsonl", "-m", "studio/m")
    assert (found.exit_code, found.stdout) == (0, "out.jsonl\n")
    assert "1 of 1 rows have an answer" in found.stderr
    usage = {"input_tokens": 4, "output_tokens": 2}
    assert read() == [{"custom_id": "a", "text": "re q", "finish_reason": "stop", "model": "m", "usage": usage}]
    sent = studio.bodies[0]
    assert (sent["model"], sent["service_tier"], sent["messages"]) == ("m", "flex", body["messages"])
    assert sent.get("max_completion_tokens", sent.get("max_tokens")) == 9
    assert sent["tool_choice"] == body["tool_choice"]

    run("batch", "run", "in.jsonl", "other.jsonl", "-m", "studio/")
    assert studio.bodies[1]["model"] == "theirs"


def test_csv_with_a_template(run: Run, studio: Upstream) -> None:
    Path("in.csv").write_bytes(b'\xef\xbb\xbfid,text,n\r\nx,"two\nlines, ""so""",1\r\n\r\ny,plain,2\r\nz,short\r\n')
    found = run(
        *("batch", "run", "in.csv", "out.jsonl", "-m", "studio/m", "-t", "{{{n}}} {text}", "-s", "Be brief."),
        *("-o", "temperature=0.5", "--concurrency", "1"),
    )
    assert found.exit_code == 1
    assert studio.asked == ['{1} two\nlines, "so"', "{2} plain"]
    assert studio.bodies[0]["messages"][0] == {"role": "system", "content": "Be brief."}
    assert studio.bodies[0]["temperature"] == 0.5
    assert [row.get("text") for row in read()] == ['re {1} two\nlines, "so"', "re {2} plain", None]
    assert [row["id"] for row in read()][:2] == ["x", "y"]
    assert "the row has 2 columns, and the first line names 3" in read()[2]["error"]["message"]
    assert "1 (InvalidRequestError 1) failed" in found.stderr


def test_a_report_as_json(run: Run, studio: Upstream) -> None:
    write("in.jsonl", "one", "two")
    found = run("batch", "run", "in.jsonl", "out.jsonl", "-m", "studio/m", "--json")
    assert found.stderr == ""
    document = json.loads(found.stdout)
    assert (document["ended"], document["succeeded"], document["left"], document["cost"]) == ("complete", 2, 0, None)


def test_the_answer_has_to_follow_a_schema(run: Run, studio: Upstream) -> None:
    write("in.jsonl", {"id": "a", "prompt": "q"})
    studio.reply = lambda text: said('{"n": 1}')
    found = run("batch", "run", "in.jsonl", "out.jsonl", "-m", "studio/m", "--schema", "n int")
    assert found.exit_code == 0, found.stderr
    assert studio.bodies[0]["response_format"]["json_schema"]["schema"]["required"] == ["n"]
    assert read()[0]["text"] == '{"n": 1}'
    again = run("batch", "resume", "out.jsonl")
    assert (again.exit_code, len(studio.bodies)) == (0, 1)


def test_too_many_failures_end_it_and_it_can_be_gone_on_with(run: Run, studio: Upstream) -> None:
    write("in.jsonl", *[{"id": str(n), "prompt": f"q{n}"} for n in range(9)])
    studio.reply = lambda text: refused(422) if text < "q4" else echo(text)
    found = run("batch", "run", "in.jsonl", "out.jsonl", "-m", "studio/m", "--max-failures", "0", "--concurrency", "1")
    assert (found.exit_code, found.stdout, studio.asked) == (1, "", ["q0"])
    assert "what is done is kept; to go on, run: ipfs-accel batch resume out.jsonl" in found.stderr

    status = json.loads(run("batch", "status", "out.jsonl", "--json").stdout)
    assert (status["failed"], status["left"], status["ended"]) == (1, 8, None)
    assert status["failures"] == {"UnprocessableEntityError": 1}
    assert "to be resumed" in run("batch", "status", "out.jsonl").stdout

    found = run("batch", "resume", "out.jsonl")
    assert (found.exit_code, len(studio.bodies)) == (1, 9)
    studio.reply = echo
    found = run("batch", "resume", "out.jsonl", "--retry-failed")
    assert (found.exit_code, len(studio.bodies)) == (0, 13)
    assert [row["text"] for row in read()] == [f"re q{n}" for n in range(9)]
    assert "complete" in run("batch", "status", "out.jsonl").stdout


@pytest.mark.parametrize(("status", "code"), [(401, 4), (402, 5), (404, 1)])
def test_the_exit_code_tells_what_ended_it(run: Run, studio: Upstream, status: int, code: int) -> None:
    write("in.jsonl", *[f"q{n}" for n in range(30)])
    studio.reply = lambda text: refused(status)
    found = run("batch", "run", "in.jsonl", "out.jsonl", "-m", "studio/m")
    assert found.exit_code == code
    assert "error: studio/m: no" in found.stderr
    assert "what is done is kept" in found.stderr


def test_a_dry_run_asks_for_nothing(run: Run, studio: Upstream) -> None:
    write("in.jsonl", *[f"question {n}" for n in range(1000)])
    with Path("in.jsonl").open("a") as file:
        file.write('{"cut')
    found = run("batch", "run", "in.jsonl", "out.jsonl", "-m", "studio/m", "--dry-run", "-o", "max_tokens=10", "--json")
    document = json.loads(found.stdout)
    assert (document["rows"], document["unreadable"], document["cost"]) == (1001, 1, None)
    assert 0 < document["input_tokens"]["low"] <= document["input_tokens"]["high"]
    assert document["output_tokens"]["high"] == pytest.approx(10 * 1001)
    assert (studio.bodies, sorted(path.name for path in Path().iterdir())) == ([], ["in.jsonl"])
    shown = run("batch", "run", "in.jsonl", "out.jsonl", "-m", "studio/m", "--dry-run")
    assert "1 rows cannot be read, and will fail" in shown.stderr


def test_there_has_to_be_a_run(run: Run, studio: Upstream) -> None:
    for command in ("status", "resume"):
        found = run("batch", command, "out.jsonl")
        assert (found.exit_code, list(Path().iterdir())) == (2, [])
        assert "there is no run" in found.stderr


@pytest.mark.parametrize("times", [1, 2])
def test_an_interrupt_lets_rows_come_to_their_end_or_gives_them_up(studio: Upstream, start: Start, times: int) -> None:
    write("in.jsonl", *[{"id": str(n), "prompt": f"q{n}"} for n in range(50)])
    asked, may = threading.Event(), threading.Event()

    def reply(text: str) -> bytes:
        if len(studio.bodies) >= 6:
            asked.set()
            may.wait(60)
        return echo(text)

    studio.reply = reply
    process = start("batch", "run", "in.jsonl", "out.jsonl", "-m", "studio/m", "--concurrency", "2")
    assert asked.wait(60)
    process.send_signal(signal.SIGINT)
    assert process.stderr is not None
    line = process.stderr.readline()
    assert "rows are under way and come to their end" in line
    if times == 2:
        process.send_signal(signal.SIGINT)
        assert process.wait(60) == 130
    may.set()
    out, err = process.communicate(timeout=60)
    assert (process.returncode, out) == (130, "")
    assert "to go on, run: ipfs-accel batch resume out.jsonl" in err
    studio.reply = echo
    before = len(studio.bodies)
    process = start("batch", "resume", "out.jsonl", "--json")
    out, err = process.communicate(timeout=60)
    report = json.loads(out)
    assert [row["text"] for row in read()] == [f"re q{n}" for n in range(50)]
    assert report["ended"] == "complete"
    assert report["maybe_paid_twice"] == before + report["answered"] - 50
    assert (report["maybe_paid_twice"] > 0) is (times == 2)


def test_a_run_that_is_killed_goes_on(studio: Upstream, start: Start) -> None:
    write("in.jsonl", *[{"id": str(n), "prompt": f"q{n}"} for n in range(60)])
    for _ in range(3):
        reached, limit = threading.Event(), len(studio.bodies) + 13

        def reply(text: str, reached: threading.Event = reached, limit: int = limit) -> bytes:
            if len(studio.bodies) >= limit:
                reached.set()
            return echo(text)

        studio.reply = reply
        process = start("batch", "run", "in.jsonl", "out.jsonl", "-m", "studio/m", "--concurrency", "4")
        assert reached.wait(60)
        process.kill()
        process.communicate(timeout=60)
    process = start("batch", "run", "in.jsonl", "out.jsonl", "-m", "studio/m", "--json")
    report = json.loads(process.communicate(timeout=60)[0])
    assert [row["text"] for row in read()] == [f"re q{n}" for n in range(60)]
    assert (report["ended"], report["succeeded"]) == ("complete", 60)
    assert len(studio.bodies) - 60 <= report["maybe_paid_twice"] <= 12
