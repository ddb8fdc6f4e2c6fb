from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

from pytest_httpserver import HTTPServer

from .conftest import Run

Streams = Callable[..., None]


def test_a_conversation_remembers_what_was_said(run: Run, streams: Streams, httpserver: HTTPServer) -> None:
    streams("blue")
    result = run("chat", "-m", "studio/m", "-i", "-s", "Brief.", input="sky?\n\nsea?\n")
    assert (result.exit_code, result.stdout, result.stderr) == (0, "blue\nblue\n", "")
    assert httpserver.log[1][0].json["messages"] == [
        {"role": "system", "content": "Brief."},
        {"role": "user", "content": "sky?"},
        {"role": "assistant", "content": "blue"},
        {"role": "user", "content": "sea?"},
    ]


def test_the_prompt_is_the_first_question(run: Run, streams: Streams, httpserver: HTTPServer) -> None:
    streams("blue")
    assert run("chat", "-m", "studio/m", "-i", "sky?", input="sea?\n").stdout == "blue\nblue\n"
    assert len(httpserver.log[1][0].json["messages"]) == 3


def test_commands(run: Run, streams: Streams, httpserver: HTTPServer, tmp_path: Path) -> None:
    streams("blue")
    file = tmp_path / "talk.json"
    lines = ["sky?", ".clear", ".system Be kind.", ".model studio/big", "sea?", f".save {file}", ".help", ".exit", "no"]
    result = run("chat", "-m", "studio/m", "-i", input="\n".join(lines))
    assert (result.exit_code, result.stdout) == (0, "blue\nblue\n")
    assert result.stderr.startswith("system: Be kind.\nmodel: studio/big\n")
    assert ".save FILE" in result.stderr
    assert len(httpserver.log) == 2
    assert httpserver.log[1][0].json["model"] == "big"
    saved = json.loads(file.read_text())
    assert saved["model"] == "studio/big"
    assert [(each["role"], each["content"][0]["text"]) for each in saved["messages"]] == [
        ("system", "Be kind."),
        ("user", "sea?"),
        ("assistant", "blue"),
    ]


def test_a_text_of_several_lines(run: Run, streams: Streams, httpserver: HTTPServer) -> None:
    streams("ok")
    assert run("chat", "-m", "studio/m", "-i", input='"""one\ntwo"""\n"""three"""\n').exit_code == 0
    assert [each[0].json["messages"][-1]["content"] for each in httpserver.log] == ["one\ntwo", "three"]


def test_in_a_pipe_an_error_ends_it(run: Run, httpserver: HTTPServer) -> None:
    httpserver.expect_request("/chat/completions").respond_with_json({"error": {"message": "busy"}}, status=503)
    result = run("chat", "-m", "studio/m", "-i", input="sky?\nsea?\n")
    assert (result.exit_code, len(httpserver.log)) == (6, 1)


def test_an_unknown_command_and_a_file_that_exists(run: Run, tmp_path: Path) -> None:
    result = run("chat", "-m", "studio/m", "-i", input=".sav x\n")
    assert (result.exit_code, result.stderr) == (2, "error: there is no command .sav\nhint: did you mean 'save'?\n")
    (tmp_path / "x").write_text("kept")
    result = run("chat", "-m", "studio/m", "-i", input=f".save {tmp_path / 'x'}\n")
    assert result.stderr == f"error: .save {tmp_path / 'x'}: File exists\n"
    assert (tmp_path / "x").read_text() == "kept"
