"""`ipfs-accel request`: bodies, queries and headers as they are given, and answers as they come."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from pytest_httpserver import HTTPServer
from werkzeug import Request, Response

from .conftest import Run
from .open_studio import OpenStudio


@pytest.fixture
def ask(run: Run) -> Any:
    return lambda *arguments, **more: run("request", "studio", *arguments, plugins=[OpenStudio()], **more)


def test_an_answer_is_written_as_it_came(ask: Any, httpserver: HTTPServer) -> None:
    httpserver.expect_request("/things", method="GET", query_string="a=1&b=x%3Dy").respond_with_data(
        b"\xff\x00raw", content_type="application/octet-stream"
    )
    result = ask("get", "/things", "-p", "a=1", "-p", "b=x=y", "-H", "X-Own: one:two")
    assert (result.exit_code, result.stdout_bytes) == (0, b"\xff\x00raw")
    assert httpserver.log[-1][0].headers["x-own"] == "one:two"


@pytest.mark.parametrize(
    ("arguments", "piped", "kind", "body"),
    [
        (["-d", '{"a": [1]}'], None, "application/json", b'{"a":[1]}'),
        (["-d", "@notes.csv"], None, "text/csv", b"a,b\n"),
        (["-d", "-"], b'{"piped": 1}', "application/json", b'{"piped": 1}'),
        (["-d", "-", "-H", "content-type: text/plain"], b"text", "text/plain", b"text"),
    ],
)
def test_bodies(
    ask: Any,
    httpserver: HTTPServer,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    arguments: list[str],
    piped: bytes | None,
    kind: str,
    body: bytes,
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "notes.csv").write_bytes(b"a,b\n")
    httpserver.expect_request("/things", method="POST").respond_with_json({"id": 1}, 201)
    result = ask("POST", "/things", *arguments, input=piped)
    assert (result.exit_code, json.loads(result.stdout)) == (0, {"id": 1})
    sent = httpserver.log[-1][0]
    assert (sent.headers["content-type"], sent.get_data()) == (kind, body)


def test_forms(ask: Any, httpserver: HTTPServer, tmp_path: Path) -> None:
    (tmp_path / "f.txt").write_text("content")
    httpserver.expect_request("/things", method="POST").respond_with_json({})
    assert ask("POST", "/things", "-F", "a=1", "-F", f"f=@{tmp_path / 'f.txt'}").exit_code == 0
    body = httpserver.log[-1][0].get_data()
    assert b'name="a"\r\n\r\n1\r\n' in body
    assert b'name="f"; filename="f.txt"' in body


def test_json_tells_of_the_whole_answer(ask: Any, httpserver: HTTPServer) -> None:
    httpserver.expect_ordered_request("/a").respond_with_json({"b": 1}, 202, {"x-request-id": "r1"})
    httpserver.expect_ordered_request("/a").respond_with_data("text", content_type="text/plain")
    httpserver.expect_ordered_request("/a").respond_with_data(b"\xff", content_type="image/png")
    found = [json.loads(ask("GET", "/a", "--json").stdout) for _ in range(3)]
    assert (found[0]["status"], found[0]["request_id"], found[0]["json"]) == (202, "r1", {"b": 1})
    assert found[0]["headers"]["content-type"] == "application/json"
    assert (found[1]["text"], found[2]["base64"]) == ("text", "/w==")


def test_a_stream_is_written_line_by_line(ask: Any, httpserver: HTTPServer) -> None:
    def events(_request: Request) -> Response:
        return Response(b'event: x\ndata: {"a": 1}\n\ndata: [DONE]\n\n', content_type="text/event-stream")

    httpserver.expect_request("/s").respond_with_handler(events)
    assert ask("GET", "/s", "--stream").stdout == '{"a": 1}\n[DONE]\n'
    lines = ask("GET", "/s", "--stream", "--json").stdout.splitlines()
    assert json.loads(lines[0]) == {"data": '{"a": 1}', "event": "x", "id": None}
    assert ask("GET", "/s").stdout.startswith("event: x\n")


def test_a_file_gets_the_answer(ask: Any, httpserver: HTTPServer, tmp_path: Path) -> None:
    httpserver.expect_request("/f").respond_with_data(b"\x00" * 100_000, content_type="video/mp4")
    to = tmp_path / "v.mp4"
    result = ask("GET", "/f", "-o", str(to), "--json")
    assert json.loads(result.stdout) == {"file": str(to), "bytes": 100_000}
    assert to.stat().st_size == 100_000


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["GET", "/../x"], "path:"),
        (["GET", "https://elsewhere.invalid/"], "path:"),
        (["BREW", "/x"], "BREW"),
        (["POST", "/x", "-d", "{"], "-d: it is not valid JSON"),
        (["POST", "/x", "-d", "@/no/such"], "data: cannot read"),
        (["GET", "/x", "-p", "a"], "-p 'a': expected NAME=TEXT"),
        (["GET", "/x", "-H", "a=b"], "-H 'a=b': expected NAME:TEXT"),
        (["GET", "/x", "--stream", "-o", "f"], "exclude each other"),
        (["POST", "/x", "-d", "{}", "-F", "a=b"], "fields: a request has one body"),
    ],
)
def test_what_is_wrong_is_told(ask: Any, httpserver: HTTPServer, arguments: list[str], said: str) -> None:
    result = ask(*arguments)
    assert result.exit_code == 2
    assert said in result.stderr
    assert not httpserver.log


def test_errors_have_their_exit_codes(ask: Any, httpserver: HTTPServer) -> None:
    httpserver.expect_request("/x").respond_with_json({"error": {"message": "who are you"}}, 401)
    result = ask("GET", "/x")
    assert (result.exit_code, "who are you" in result.stderr) == (4, True)
