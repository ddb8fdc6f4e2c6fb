from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from ipfs_accel import BackendInfo, hookimpl
from ipfs_accel._cli import saved
from ipfs_accel.plans import Endpoint, Ready
from ipfs_accel.types import (
    Audio,
    Document,
    Health,
    Image,
    Message,
    ModelInfo,
    Opaque,
    Origin,
    Part,
    Reasoning,
    Refusal,
    Text,
    ToolCall,
)
from pytest_httpserver import HTTPServer

from .conftest import Run
from .studio import Studio

Streams = Callable[..., None]


class Silent:
    """A backend that can only be asked how it is."""

    api_version = 1

    @hookimpl
    def describe(self) -> BackendInfo:
        return BackendInfo(name="silent", base_url="http://127.0.0.1:9")

    @hookimpl
    def healthcheck(self) -> Ready[Health]:
        return Ready(value=Health(status="ok"))


def serve_models(httpserver: HTTPServer, *names: str) -> None:
    httpserver.expect_request("/models").respond_with_json({"data": [{"id": name} for name in names]})


def asked(httpserver: HTTPServer) -> list[Any]:
    """The chats that came."""
    return [request.json for request, _response in httpserver.log if request.path == "/chat/completions"]


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
    serve_models(httpserver, "m", "big")
    lines = ["sky?", ".clear", ".system Be kind.", ".model studio/big", "sea?", f".save {file}", ".help", ".exit", "no"]
    result = run("chat", "-m", "studio/m", "-i", input="\n".join(lines))
    assert (result.exit_code, result.stdout) == (0, "blue\nblue\n")
    assert result.stderr.startswith("system: Be kind.\nmodel: studio/big\n")
    assert ".save FILE" in result.stderr
    assert [each["model"] for each in asked(httpserver)] == ["m", "big"]
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


@pytest.fixture
def somebody(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let lines that are piped in count as typed by somebody who can react to errors."""
    monkeypatch.setattr("ipfs_accel._cli.repl.stdin_is_terminal", lambda: True)


def test_somebody_is_told_who_answers(
    run: Run, somebody: None, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    begins = "answers; .help lists the commands, Ctrl-D ends.\n> "
    assert run("chat", "-m", "studio/m", "-i", input="").stderr == f"studio/m {begins}"
    config = tmp_path / "config.toml"
    config.write_text('default_model = "fast"\naliases = { fast = "studio/big" }\n')
    monkeypatch.setenv("IPFS_ACCEL_CONFIG", str(config))
    result = run("chat", "-i", input=".model\n")
    assert result.stderr == f"fast (studio/big) {begins}model: fast (studio/big)\n> "
    assert run("chat", "-i", "-q", input="").stderr == "> "


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("studio/bgi", "error: studio: no model 'bgi' is served\nhint: did you mean 'big'?\n"),
        ("studio/xyzzy", "error: studio: no model 'xyzzy' is served\nhint: known: big, m\n"),
        (
            "studoi",
            "error: model: 'studoi' is no alias and no endpoint\nhint: models are named endpoint/model; did you mean 'studio'?\n",
        ),
        ("silent/m", "error: silent: it has no chat\n"),
        ("nowhere/m", "error: model: 'nowhere' is no alias and no endpoint"),
    ],
)
def test_a_model_that_is_none_is_told_and_the_old_one_kept(
    run: Run, somebody: None, streams: Streams, httpserver: HTTPServer, name: str, message: str
) -> None:
    streams("blue")
    serve_models(httpserver, "m", "big")
    httpserver.expect_request(f"/models/{name.rpartition('/')[2]}").respond_with_json({"error": {}}, status=404)
    lines = f".model {name}\n.model\nsky?\n"
    result = run("chat", "-m", "studio/m", "-i", "-q", input=lines, plugins=[Studio(), Silent()])
    assert result.stderr.startswith(f"> {message}")
    assert result.stderr.endswith("> model: studio/m\n> > ")
    assert [each["model"] for each in asked(httpserver)] == ["m"]


def test_a_model_that_is_not_listed_may_be_there(run: Run, somebody: None, httpserver: HTTPServer) -> None:
    serve_models(httpserver, "m-2026-01-01")
    httpserver.expect_request("/models/m").respond_with_json({"id": "m"})
    assert run("chat", "-m", "studio/x", "-i", "-q", input=".model studio/m\n").stderr == "> model: studio/m\n> "
    httpserver.clear()
    httpserver.expect_request("/models").respond_with_json({"error": {"message": "no"}}, status=403)
    assert run("chat", "-m", "studio/x", "-i", input=".model studio/m\n").stderr.endswith(
        "> note: studio does not list its models, so that m could not be looked for\nmodel: studio/m\n> "
    )


class Within(Studio):
    """Runs one model in this process, beside those of a server."""

    @hookimpl
    def show_model(self, endpoint: Endpoint, model: str) -> Any:
        return Ready(value=ModelInfo(id=model)) if model == "own" else super().show_model(endpoint, model)


def test_a_server_that_is_not_there_is_told_but_for_a_model_that_needs_none(run: Run, somebody: None) -> None:
    lines = ".model studio/own\n.model studio/m\n.model\n"
    result = run("chat", "-m", "studio/x", "-i", "-q", input=lines, plugins=[Within()])
    assert result.stderr.startswith("> model: studio/own\n> error: studio: could not connect to 127.0.0.1:9")
    assert result.stderr.endswith("> model: studio/own\n> ")


def test_files_go_with_the_next_text(
    run: Run, somebody: None, streams: Streams, httpserver: HTTPServer, tmp_path: Path
) -> None:
    streams("a cat")
    file = tmp_path / "a cat.png"
    file.write_bytes(b"\x89PNG\r\n\x1a\n0")
    lines = [
        ".attach",
        f".attach {file}",
        "what?",
        "why?",
        f".attach {tmp_path / 'none'}",
        f".attach {file}",
        ".clear",
        "so?",
    ]
    result = run("chat", "-m", "studio/m", "-i", "-q", input="\n".join(lines))
    assert result.stderr.startswith(f"> attached: (nothing)\n> attached: {file}\n")
    assert "none: No such file" in result.stderr
    contents = [each["messages"][-1]["content"] for each in asked(httpserver)]
    assert [type(each) for each in contents] == [list, str, str]
    assert contents[0][0]["image_url"]["url"].startswith("data:image/png;base64,")


def test_what_was_used(run: Run, streams: Streams) -> None:
    streams("blue")
    result = run("chat", "-m", "studio/m", "-i", input=".usage\nsky?\nsea?\n.usage\n")
    assert result.stderr == (
        "usage: nothing was asked yet\nstudio/m: 2 answers, 6 tokens in, 4 tokens out, 2 without a known price\n"
    )


def test_what_came_from_the_cache_was_not_used_but_is_told(run: Run, streams: Streams, tmp_path: Path) -> None:
    streams("blue")
    config = tmp_path / "config.toml"
    config.write_text(f"[cache]\npath = '{tmp_path / 'answers'}'\n")
    ask = ("--config", str(config), "chat", "-m", "studio/m", "-i", "-o", "temperature=0")
    used = "1 answer, 3 tokens in, 2 tokens out, 1 without a known price"
    assert run(*ask, input="sky?\n.usage\n").stderr == f"studio/m: {used}\n"
    assert run(*ask, input="sky?\n.usage\n").stderr == "studio/m: 1 from the cache\n"
    both = run(*ask, input="sky?\n.clear\nsea?\n.usage\n")
    assert both.stderr == f"studio/m: {used}, 1 more from the cache\n"


def test_a_saved_conversation_goes_on(run: Run, streams: Streams, httpserver: HTTPServer, tmp_path: Path) -> None:
    streams("blue")
    picture, file = tmp_path / "a.png", tmp_path / "talk.json"
    picture.write_bytes(b"\x89PNG\r\n\x1a\n0")
    first = run("chat", "-m", "studio/m", "-i", "-s", "Brief.", "-a", str(picture), "sky?", input=f".save {file}\n")
    assert first.exit_code == 0
    result = run("chat", "-m", "studio/big", "-i", input=f".load {file}\nsea?\n")
    assert (result.exit_code, result.stdout) == (0, "blue\n")
    assert result.stderr == "loaded 2 messages, with studio/m; .model studio/m goes on with it\n"
    before, after = [each["messages"] for each in asked(httpserver)]
    assert after == [*before, {"role": "assistant", "content": "blue"}, {"role": "user", "content": "sea?"}]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (None, "No such file or directory"),
        ("{", "not valid JSON: "),
        ("[]", "it has no list of messages"),
        ('{"messages": [3]}', "messages[0]: expected an object"),
        (
            '{"messages": [{"role": "user", "content": [{"type": "txt"}]}]}',
            "messages[0].content[0].type: it is none of text, ",
        ),
        (
            '{"messages": [{"role": "user", "content": [{"type": "text", "txt": "a"}]}]}',
            "messages[0].content[0]: got an unexpected keyword argument 'txt'",
        ),
        ('{"messages": [{"role": "usr", "content": []}]}', "messages[0].role: "),
    ],
    ids=["no file", "no JSON", "a list", "a number", "type", "field", "role"],
)
def test_what_is_no_conversation(run: Run, tmp_path: Path, text: str | None, message: str) -> None:
    file = tmp_path / "talk.json"
    if text is not None:
        file.write_text(text)
    result = run("chat", "-m", "studio/m", "-i", input=f".load {file}\n")
    assert (result.exit_code, result.stdout) == (2, "")
    assert result.stderr.startswith(f"error: .load {file}: {message}")


def test_every_kind_of_part_survives_a_file(tmp_path: Path) -> None:
    messages = [
        Message.user("why?", Image(url="https://x.test/a.png"), Document(data=b"%PDF-1", name="a.pdf")),
        Message(
            role="assistant",
            content=[
                Reasoning(text="hm", signature="s", field="reasoning"),
                Text(text="so", annotations=({"a": [1]},)),
                Opaque(backend="studio", data={"x": 1}),
                Refusal(text="no"),
                Audio(data=b"RIFF\0\0\0\0WAVE", id="a1", transcript="hi"),
                ToolCall(id="c1", name="f", arguments="{}", extra={"sig": "x"}),
            ],
            extra={"more": 1},
            origin=Origin(backend="studio", host="http://127.0.0.1:9", model="m"),
        ),
        Message.tool("c1", ["done", Image(data=b"\x89PNG\r\n\x1a\n0")], is_error=True),
    ]
    assert {type(part) for message in messages for part in message.content} == set(Part.__args__)
    saved.write(str(tmp_path / "talk.json"), "studio/m", messages)
    model, found = saved.read(str(tmp_path / "talk.json"))
    assert (model, found) == ("studio/m", messages)
    # These play no part where messages are compared.
    assert (found[1].extra, found[1].origin) == (messages[1].extra, messages[1].origin)
    assert found[1].content[0].field == "reasoning"  # type: ignore[union-attr]
    assert found[1].tool_calls[0].extra == {"sig": "x"}
