from __future__ import annotations

import base64
import json
import time
from pathlib import Path
from typing import Any

import pytest
from ipfs_accel import hookimpl
from ipfs_accel._cli.command import State
from ipfs_accel._cli.progress import Bar, size_text
from ipfs_accel.plans import Endpoint, HttpRequest, HttpStream
from ipfs_accel.types import ModerateRequest, Progress
from ipfs_accel.wire.collector import Collector
from ipfs_accel.wire.ndjson import NDJSONDecoder
from ipfs_accel.wire.openai_audio import OpenAIAudio
from ipfs_accel.wire.openai_files import OpenAIFiles
from ipfs_accel.wire.openai_images import OpenAIImages
from pytest_httpserver import HTTPServer

from .conftest import Run
from .studio import Studio

PNG = b"\x89PNG\r\n\x1a\n0"
FILE = {"id": "file-1", "object": "file", "bytes": 2000, "created_at": 0, "filename": "a.jsonl", "purpose": "batch"}
BATCH = {"id": "batch_1", "status": "completed", "endpoint": "/v1/chat/completions", "output_file_id": "file-2", "created_at": 0,
         "request_counts": {"total": 2, "completed": 1, "failed": 1}}  # fmt: skip
CHAT = {"id": "c", "model": "m", "choices": [{"index": 0, "message": {"content": "Blue."}, "finish_reason": "stop"}]}


class Gallery(OpenAIAudio, OpenAIImages, OpenAIFiles, Studio):
    """The same with everything that can be seen and heard."""

    @hookimpl
    def moderate(self, endpoint: Endpoint, request: ModerateRequest) -> Any:
        from ipfs_accel.plans import Ready
        from ipfs_accel.types import ModerateResponse, Moderation

        results = tuple(
            [
                Moderation(flagged="bad" in str(each), categories={"violence": "bad" in str(each)})
                for each in request.inputs
            ]
        )
        return Ready(value=ModerateResponse(results=results))

    @hookimpl
    def calls(self) -> Any:
        def decode(line: str, out: Collector[str]) -> None:
            out.emit(Progress(**json.loads(line)))
            out.done()

        def pull(endpoint: Endpoint) -> Any:
            send = HttpRequest(method="GET", path="/pull")
            return HttpStream(
                send=send, frames=NDJSONDecoder, decoder=lambda: decode, assembler=lambda: Collector(lambda _: "done")
            )

        return {"pull": pull}


@pytest.fixture
def show(run: Run) -> Run:
    return lambda *arguments, **settings: run(*arguments, plugins=[Gallery()], **settings)


def test_an_image(show: Run, httpserver: HTTPServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    picture = {"b64_json": base64.b64encode(PNG).decode()}
    httpserver.expect_request("/images/generations").respond_with_json(
        {"data": [picture, picture], "output_format": "png"}
    )
    httpserver.expect_request("/images/edits").respond_with_json({"data": [picture]})
    result = show("image", "-m", "studio/m", "a", "cat", "-o", "n=2")
    assert (result.exit_code, result.stdout) == (0, "image-1.png\nimage-2.png\n")
    assert Path("image-2.png").read_bytes() == PNG
    assert httpserver.log[0][0].json == {"model": "m", "prompt": "a cat", "n": 2}
    document = json.loads(
        show("image", "-m", "studio/m", "a hat", "-i", "image-1.png", "-f", "hat.png", "--json").stdout
    )
    assert document["files"] == ["hat.png"]
    assert Path("hat.png").read_bytes() == PNG
    assert show("image", "-m", "studio/m", "x", "--mask", "hat.png").exit_code == 2
    edited = show("edit-image", "-m", "studio/m", "hat.png", "-i", "image-1.png", "-f", "two.png", input="red")
    assert (edited.exit_code, edited.stdout) == (0, "two.png\n")
    assert Path("two.png").read_bytes() == PNG
    assert httpserver.log[-1][0].get_data().count(PNG) == 2
    assert show("edit-image", "-m", "studio/m", "hat.png").stderr.startswith("error: there is no prompt\n")
    assert show("edit-image", "-m", "studio/m", "none.png", "red").exit_code == 2
    assert "cannot read none.png" in show("image", "-m", "studio/m", "x", "-i", "none.png").stderr


def test_an_image_that_comes_as_a_url(show: Run, httpserver: HTTPServer) -> None:
    httpserver.expect_request("/images/generations").respond_with_json({"data": [{"url": "https://x.test/a.png"}]})
    assert show("image", "-m", "studio/m", input="a cat").stdout == "https://x.test/a.png\n"


def test_speech(show: Run, httpserver: HTTPServer, tmp_path: Path) -> None:
    httpserver.expect_request("/audio/speech").respond_with_data(b"RIFFsound", content_type="audio/wav")
    target = tmp_path / "a.wav"
    result = show("speak", "-m", "studio/m", "hello", "-o", "voice=troy", "-f", str(target))
    assert (result.exit_code, result.stdout, target.read_bytes()) == (0, f"{target}\n", b"RIFFsound")
    assert httpserver.log[0][0].json == {"model": "m", "input": "hello", "voice": "troy"}
    assert show("speak", "-m", "studio/m", "hello").stdout_bytes == b"RIFFsound"
    assert show("speak", "-m", "studio/m", "hello", "--json").exit_code == 2
    assert "there is nothing to say" in show("speak", "-m", "studio/m", input="").stderr
    assert f"-f {tmp_path}: Is a directory" in show("speak", "-m", "studio/m", "a", "-f", str(tmp_path)).stderr


def test_a_transcript(show: Run, httpserver: HTTPServer, tmp_path: Path) -> None:
    sound = tmp_path / "a.wav"
    sound.write_bytes(b"RIFF\0\0\0\0WAVE")
    stream = 'data: {"type": "transcript.text.delta", "delta": "hello"}\n\ndata: {"type": "transcript.text.done", "text": "hello"}\n\n'

    def heard(request: Any) -> Any:
        from werkzeug import Response

        if b'name="stream"' in request.get_data():
            return Response(stream, content_type="text/event-stream")
        return Response(json.dumps({"text": "hello", "language": "en"}), content_type="application/json")

    httpserver.expect_request("/audio/transcriptions").respond_with_handler(heard)
    httpserver.expect_request("/audio/translations").respond_with_json({"text": "hi"})
    assert show("transcribe", "-m", "studio/m", str(sound), "-q").stdout == "hello\n"
    assert show("transcribe", "-m", "studio/m", str(sound), "-q", "--stream").stdout == "hello\n"
    assert show("translate", "-m", "studio/m", str(sound), "-q").stdout == "hi\n"
    assert json.loads(show("transcribe", "-m", "studio/m", str(sound), "--json").stdout)["language"] == "en"
    assert json.loads(show("translate", "-m", "studio/m", str(sound), "--json").stdout)["text"] == "hi"
    assert "audio: cannot read" in show("transcribe", "-m", "studio/m", str(tmp_path / "none.wav")).stderr


def test_judgements(show: Run) -> None:
    result = show("moderate", "-m", "studio/m", "good", "bad")
    assert result.stdout == "good\tok\t\nbad\tflagged\tviolence\n"
    assert json.loads(show("moderate", "-m", "studio/m", "--json", input="bad").stdout)["results"][0]["flagged"] is True
    assert "nothing was flagged" in show("moderate", "-m", "studio/m", "good").stderr


def test_files(show: Run, httpserver: HTTPServer, tmp_path: Path) -> None:
    source, target = tmp_path / "a.jsonl", tmp_path / "b.jsonl"
    source.write_bytes(b"{}\n" * 100)
    httpserver.expect_request("/files", method="POST").respond_with_json(FILE)
    httpserver.expect_request("/files").respond_with_json({"data": [FILE], "has_more": False})
    httpserver.expect_request("/files/file-1/content").respond_with_data(b"content")
    httpserver.expect_request("/files/file-1", method="DELETE").respond_with_json({"deleted": True})
    result = show("files", "upload", "studio", str(source), "--purpose", "batch")
    assert (result.exit_code, result.stdout) == (0, "file-1\n")
    assert "sending [########################] 100%" in result.stderr
    assert show("files", "list", "studio").stdout == "file-1\ta.jsonl\t2.0 kB\tbatch\t\t1970-01-01 00:00\n"
    assert show("files", "download", "studio", "file-1", str(target)).exit_code == 0
    assert target.read_bytes() == b"content"
    assert json.loads(show("files", "delete", "studio", "file-1", "--json").stdout) == {"deleted": "file-1"}


def test_batches(show: Run, httpserver: HTTPServer, tmp_path: Path) -> None:
    lines = [
        {"custom_id": "a", "response": {"status_code": 200, "body": CHAT}},
        {"custom_id": "b", "response": {"status_code": 429, "body": {"error": {"message": "slow"}}}},
    ]
    httpserver.expect_request("/files").respond_with_json(FILE)
    httpserver.expect_request("/batches", method="POST").respond_with_json(BATCH)
    httpserver.expect_request("/batches").respond_with_json({"data": [BATCH], "has_more": False})
    httpserver.expect_request("/batches/batch_1").respond_with_json(BATCH)
    httpserver.expect_request("/batches/batch_1/cancel").respond_with_json(BATCH)
    httpserver.expect_request("/files/file-2/content").respond_with_data(
        "".join(json.dumps(line) + "\n" for line in lines)
    )
    source = tmp_path / "a.jsonl"
    source.write_text(
        '{"id": "a", "messages": "why?", "max_tokens": 5}\n\n{"messages": [{"role": "user", "content": "how?"}]}\n'
    )
    assert show("batches", "create", "-m", "studio/m", str(source)).stdout == "batch_1\n"
    sent = [
        json.loads(line) for line in httpserver.log[0][0].get_data().splitlines() if line.startswith(b'{"custom_id"')
    ]
    assert [(each["custom_id"], each["body"].get("max_tokens")) for each in sent] == [("a", 5), ("3", None)]
    row = "batch_1\tcompleted\t2\t1\t1\t1970-01-01 00:00\t\n"
    assert show("batches", "list", "studio").stdout == show("batches", "show", "studio", "batch_1").stdout == row
    assert show("batches", "cancel", "studio", "batch_1").stdout == row
    result = show("batches", "results", "studio", "batch_1")
    found = {each["id"]: each for each in map(json.loads, result.stdout.splitlines())}
    assert (found["a"]["text"], found["a"]["error"]) == ("Blue.", None)
    assert found["b"]["error"]["type"] == "RateLimitError"
    assert "1 succeeded, 1 failed" in result.stderr


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("{", ":1: not valid JSON"),
        ("[]", ":1: expected an object with messages"),
        ('\n{"messages": "a", "sed": 1}', ":2: sed: unknown option"),
        ('{"messages": []}', ":1: messages: there is none"),
    ],
)
def test_a_wrong_file_of_chats_is_told_by_its_line(show: Run, tmp_path: Path, content: str, message: str) -> None:
    source = tmp_path / "a.jsonl"
    source.write_text(content)
    result = show("batches", "create", "-m", "studio/m", str(source))
    assert result.exit_code == 2
    assert f"a.jsonl{message}" in result.stderr


def test_a_call_that_comes_as_a_stream(show: Run, httpserver: HTTPServer) -> None:
    body = '{"status": "pulling", "item": "abc", "completed": 500, "total": 1000}\n'
    httpserver.expect_request("/pull").respond_with_data(body, content_type="application/x-ndjson")
    result = show("call", "studio", "pull")
    assert (result.exit_code, result.stdout) == (0, '"done"\n')
    assert result.stderr == "pulling abc [############............]  50% of 1.0 kB\n"
    assert show("call", "studio", "pull", "--json").stderr == ""


def test_a_bar_is_rewritten_on_a_terminal_and_written_now_and_then_elsewhere(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    now = [0.0]
    for is_terminal, expected in ((False, ["a [", "a [", "b\n"]), (True, ["\r\x1b[Ka [", "\nb"])):
        monkeypatch.setattr("ipfs_accel._cli.progress.is_terminal", lambda is_terminal=is_terminal, **_: is_terminal)
        with Bar(State(), "a", clock=lambda: now[0]) as bar:
            for step in range(5):
                now[0] += 0.05
                bar.bytes(step, 100)
            now[0] += 20
            bar.bytes(99, 100)
            bar.show(Progress(status="b"))
        written = capsys.readouterr().err
        assert all(each in written for each in expected)
        assert written.count("%") == (4 if is_terminal else 2)


@pytest.mark.parametrize(
    ("count", "text"), [(0, "0 B"), (999, "999 B"), (1500, "1.5 kB"), (2e9, "2.0 GB"), (3e12, "3.0 TB")]
)
def test_sizes_for_people(count: float, text: str) -> None:
    assert size_text(count) == text


def test_usage(run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert run("usage").exit_code == 3
    log = tmp_path / "usage.jsonl"
    monkeypatch.setenv("IPFS_ACCEL_USAGE_LOG", str(log))
    assert (run("usage").exit_code, run("usage").stdout) == (0, "")
    now = time.time()
    entries = [
        {"time": now, "endpoint": "openai", "model": "m", "input_tokens": 10, "output_tokens": 5, "cost": 0.5},
        {"time": now, "endpoint": "openai", "model": "m", "input_tokens": None, "output_tokens": None, "cost": None},
        {"time": now - 86400 * 30, "endpoint": "old", "model": "m", "cost": 1.0},
    ]
    log.write_text("".join(json.dumps(entry) + "\n" for entry in entries))
    assert run("usage", "--since", "7d").stdout == "openai\tm\t2\t10\t5\t$0.50\t1\n"
    document = json.loads(run("usage", "--json", "--log", str(log)).stdout)
    assert (document["cost"], [each["endpoint"] for each in document["totals"]]) == (1.5, ["old", "openai"])
    assert "--since 'soon'" in run("usage", "--since", "soon").stderr
    assert run("usage", "--log", str(tmp_path / "none")).exit_code == 3
