from __future__ import annotations

import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from pytest_httpserver import HTTPServer
from werkzeug import Response

from .conftest import Run, chat_answer
from .studio import Studio

Streams = Callable[..., None]
PNG = b"\x89PNG\r\n\x1a\n0000"


def _sent(server: HTTPServer, index: int = -1) -> Any:
    return server.log[index][0].json


def test_the_answer_is_streamed_to_stdout_and_ends_with_a_line_break(
    run: Run, streams: Streams, httpserver: HTTPServer
) -> None:
    streams("bl", "ue")
    result = run("chat", "-m", "studio/m", "Why is", "the sky blue?")
    assert (result.exit_code, result.stdout, result.stderr) == (0, "blue\n", "")
    assert _sent(httpserver)["stream"] is True
    assert _sent(httpserver)["model"] == "m"
    assert _sent(httpserver)["messages"] == [{"role": "user", "content": "Why is the sky blue?"}]


def test_a_line_break_at_the_end_is_not_doubled(run: Run, streams: Streams) -> None:
    streams("blue\n")
    assert run("chat", "-m", "studio/m", "q").stdout == "blue\n"


def test_what_is_piped_in_stands_before_the_prompt(run: Run, streams: Streams, httpserver: HTTPServer) -> None:
    streams("ok")
    assert run("chat", "-m", "studio/m", "-s", "Be brief.", "Sum up.", input="one\ntwo\n").exit_code == 0
    assert _sent(httpserver)["messages"] == [
        {"role": "system", "content": "Be brief."},
        {"role": "user", "content": "one\ntwo\n\nSum up."},
    ]
    assert run("chat", "-m", "studio/m", input="only this\n").exit_code == 0
    assert _sent(httpserver)["messages"] == [{"role": "user", "content": "only this"}]


def test_options_are_json_or_text_and_extra_goes_to_the_wire(
    run: Run, streams: Streams, httpserver: HTTPServer
) -> None:
    streams("ok")
    arguments = (
        "-o",
        "temperature=0.5",
        "-o",
        "max_tokens=7",
        "-o",
        "stop=END",
        "-o",
        "user=123",
        "-O",
        'mood={"a":1}',
    )
    result = run("chat", "-m", "studio/m", "q", *arguments)
    assert result.exit_code == 0, result.stderr
    sent = _sent(httpserver)
    assert (sent["temperature"], sent["stop"], sent["user"], sent["mood"]) == (0.5, ["END"], "123", {"a": 1})


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (
            ("-o", "temprature=1"),
            "error: -o temprature: there is no such option\nhint: did you mean 'temperature'? fields",
        ),
        (("-o", "temperature"), "error: -o 'temperature': expected NAME=VALUE\nhint: for example: -o name=value"),
        (("-o", "temperature=warm"), "error: studio/m: temperature: expected int or float, got 'warm'"),
        (("--schema", "{"), "error: --schema: not valid JSON"),
        (("--schema", "no-such-file"), "error: --schema no-such-file: cannot read the file: No such file or directory"),
        (("--schema", "{}", "-o", "response_format=json"), "error: --schema and -o response_format exclude each other"),
        (("-a", "no-such-file"), "error: --attach no-such-file: No such file or directory"),
        (("--json", "--jsonl"), '{"error": {"type": "InvalidRequestError", "message": "--json and --jsonl exclude'),
        (("--jsonl", "--no-stream"), '{"error": {"type": "InvalidRequestError", "message": "--jsonl and --no-'),
        (("--modle", "x"), "error: there is no option '--modle'\nhint: did you mean --model"),
    ],
)
def test_wrong_usage_sends_nothing_and_exits_2(run: Run, arguments: tuple[str, ...], message: str) -> None:
    result = run("chat", "-m", "studio/m", "q", *arguments)
    assert (result.exit_code, result.stdout) == (2, "")
    assert result.stderr.startswith(message)


def test_without_a_model_or_prompt_the_error_says_how_to_name_one(run: Run) -> None:
    result = run("chat", "hello")
    assert result.exit_code == 2
    assert result.stderr.startswith("error: no model is named\nhint: run: ipfs-accel chat -m ENDPOINT/MODEL")
    result = run("chat", "-m", "studio/m")
    assert result.exit_code == 2
    assert result.stderr.startswith("error: there is no prompt\nhint: give it as an argument")


def test_the_configured_default_model_is_used(
    run: Run, streams: Streams, httpserver: HTTPServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    streams("ok")
    monkeypatch.setenv("IPFS_ACCEL_DEFAULT_MODEL", "studio/big")
    assert run("chat", "q").exit_code == 0
    assert _sent(httpserver)["model"] == "big"


def test_json_is_one_document(run: Run, httpserver: HTTPServer) -> None:
    httpserver.expect_request("/chat/completions").respond_with_json(chat_answer(), headers={"x-request-id": "r1"})
    result = run("chat", "-m", "studio/m", "q", "--json")
    assert (result.exit_code, result.stderr) == (0, "")
    document = json.loads(result.stdout)
    assert (document["text"], document["finish_reason"], document["model"]) == ("blue", "stop", "m-1")
    assert document["usage"]["input_tokens"] == 3
    assert document["call"]["request_id"] == "r1"
    assert "raw" not in document
    assert "stream" not in _sent(httpserver)
    assert json.loads(run("chat", "-m", "studio/m", "q", "--json", "--raw").stdout)["raw"] == chat_answer()


def test_jsonl_is_the_stream_of_events(run: Run, streams: Streams) -> None:
    streams("bl", "ue")
    result = run("chat", "-m", "studio/m", "q", "--jsonl")
    events = [json.loads(line) for line in result.stdout.splitlines()]
    assert [each["event"] for each in events] == [
        "block_start",
        "text_delta",
        "text_delta",
        "block_end",
        "usage_event",
        "finish_event",
    ]
    assert events[3]["part"] == {"type": "text", "text": "blue", "annotations": []}
    assert result.stderr == ""


def test_no_stream_waits_for_the_whole_answer(run: Run, httpserver: HTTPServer) -> None:
    httpserver.expect_request("/chat/completions").respond_with_json(chat_answer())
    assert run("chat", "-m", "studio/m", "q", "--no-stream").stdout == "blue\n"
    assert "stream" not in _sent(httpserver)


def test_several_answers_do_not_mix(run: Run, httpserver: HTTPServer) -> None:
    answer = chat_answer("one")
    answer["choices"].append({**chat_answer("two")["choices"][0], "index": 1})
    httpserver.expect_request("/chat/completions").respond_with_json(answer)
    assert run("chat", "-m", "studio/m", "q", "-o", "n=2").stdout == "one\n\ntwo\n"


def test_a_streamed_answer_comes_from_the_cache_and_says_so(
    run: Run, streams: Streams, httpserver: HTTPServer, tmp_path: Path
) -> None:
    streams("bl", "ue")
    config = tmp_path / "config.toml"
    config.write_text(f"[cache]\npath = '{tmp_path / 'answers'}'\n")
    ask = ("--config", str(config), "chat", "-m", "studio/m", "q", "--usage", "-o", "temperature=0")
    first, again, passed_by = run(*ask), run(*ask), run(*ask, "-o", "cache=false")
    assert [result.stdout for result in (first, again, passed_by)] == ["blue\n"] * 3
    assert ["from the cache" in result.stderr for result in (first, again, passed_by)] == [False, True, False]
    assert len(httpserver.log) == 2


def test_usage_and_reasoning_go_to_stderr(run: Run, streams: Streams) -> None:
    streams("blue", deltas=({"reasoning_content": "Hm."}, {"reasoning_content": " Yes."}))
    result = run("chat", "-m", "studio/m", "q", "--usage", "--reasoning")
    assert result.stdout == "blue\n"
    thought, usage = result.stderr.splitlines()
    assert thought == "Hm. Yes."
    assert usage.startswith("usage: 3 tokens in, 2 tokens out, first event after ")
    assert usage.endswith(", request r1")
    assert run("chat", "-m", "studio/m", "q").stderr == ""


def test_a_tool_call_is_a_line_of_json(run: Run, streams: Streams) -> None:
    call = {"index": 0, "id": "t1", "type": "function", "function": {"name": "f", "arguments": "{}"}}
    streams("Wait.", deltas=({"tool_calls": [call]},), finish="tool_calls")
    lines = run("chat", "-m", "studio/m", "q").stdout.splitlines()
    assert json.loads(lines[-1] if lines[-1].startswith("{") else lines[0]) == {
        "tool_call": {"type": "tool_call", "id": "t1", "name": "f", "arguments": "{}"}
    }


def test_attachments_are_told_by_their_content(
    run: Run, streams: Streams, httpserver: HTTPServer, tmp_path: Path
) -> None:
    streams("ok")
    (tmp_path / "photo.bin").write_bytes(PNG)
    (tmp_path / "sound").write_bytes(b"RIFF0000WAVEfmt ")
    (tmp_path / "paper").write_bytes(b"%PDF-1.7")
    (tmp_path / "plan.toml").write_bytes(b"a = 1\n")
    paths = [str(tmp_path / name) for name in ("photo.bin", "sound", "paper", "plan.toml")]
    flags = [flag for path in [*paths, "https://x.example/cat.jpg"] for flag in ("-a", path)]
    result = run("chat", "-m", "studio/m", "What?", *flags)
    assert result.exit_code == 0, result.stderr
    content = _sent(httpserver)["messages"][0]["content"]
    assert [part["type"] for part in content] == ["image_url", "input_audio", "file", "text", "image_url", "text"]
    assert content[0]["image_url"]["url"].startswith("data:image/png;base64,")
    assert content[3]["text"] == '\n<document name="plan.toml">\na = 1\n</document>\n'
    assert content[4]["image_url"]["url"] == "https://x.example/cat.jpg"


def test_an_attachment_of_no_known_kind_is_refused(run: Run, tmp_path: Path) -> None:
    (tmp_path / "blob").write_bytes(b"\x00\xff\x00")
    result = run("chat", "-m", "studio/m", "What?", "-a", str(tmp_path / "blob"))
    assert result.exit_code == 2
    assert "neither an image, nor sound, nor PDF, nor text\nhint: text has to be UTF-8\n" in result.stderr


@pytest.mark.parametrize("from_file", [True, False])
def test_a_schema_is_a_file_or_json(
    run: Run, streams: Streams, httpserver: HTTPServer, tmp_path: Path, from_file: bool
) -> None:
    streams("{}")
    schema = '{"type": "object"}'
    (tmp_path / "s.json").write_text(schema)
    result = run("chat", "-m", "studio/m", "q", "--schema", str(tmp_path / "s.json") if from_file else schema)
    assert result.exit_code == 0, result.stderr
    assert _sent(httpserver)["response_format"]["json_schema"]["schema"] == {"type": "object"}


def test_a_content_filter_shows_what_came_and_exits_8(run: Run, streams: Streams) -> None:
    streams("bl", finish="content_filter")
    result = run("chat", "-m", "studio/m", "q")
    assert (result.exit_code, result.stdout) == (8, "bl\n")
    assert result.stderr == "error: studio: a content filter stopped the answer\n"


def test_a_refusal_of_the_server(run: Run, httpserver: HTTPServer) -> None:
    body = {"error": {"message": "that key is wrong", "code": "invalid_api_key"}}
    httpserver.expect_request("/chat/completions").respond_with_json(body, status=401, headers={"x-request-id": "r9"})
    result = run("chat", "-m", "studio/m", "q")
    assert (result.exit_code, result.stdout) == (4, "")
    assert result.stderr.startswith("error: studio/m: that key is wrong (HTTP 401)\n")
    assert result.stderr.endswith("request id: r9\n")


def test_a_stream_that_is_cut_shows_what_came_and_fails(run: Run, httpserver: HTTPServer) -> None:
    body = 'data: {"choices": [{"index": 0, "delta": {"content": "blu"}}]}\n\n'
    httpserver.expect_request("/chat/completions").respond_with_data(body, content_type="text/event-stream")
    result = run("chat", "-m", "studio/m", "q")
    assert (result.exit_code, result.stdout) == (1, "blu\n")
    assert result.stderr.startswith("error: studio/m: ")


def test_input_that_is_no_text_is_refused(run: Run) -> None:
    result = run("chat", "-m", "studio/m", input=b"\xff\xfe\x00")
    assert (result.exit_code, result.stderr) == (
        2,
        "error: stdin is not UTF-8 text\nhint: attach other files: -a FILE\n",
    )


def test_in_a_pipe_the_text_is_left_as_it_is(run: Run, streams: Streams) -> None:
    streams("a\x1b[2Jb\x07")
    assert run("chat", "-m", "studio/m", "q").stdout == "a\x1b[2Jb\x07\n"


def test_a_backend_that_cannot_stream_answers_at_once(run: Run, httpserver: HTTPServer) -> None:
    class Slow(Studio):
        stream = None  # type: ignore[assignment]
        stream_complete = None  # type: ignore[assignment]

    httpserver.expect_request("/chat/completions").respond_with_json(chat_answer())
    httpserver.expect_request("/completions").respond_with_json({"choices": [{"text": "blue", "index": 0}]})
    assert run("chat", "-m", "studio/m", "q", plugins=[Slow()]).stdout == "blue\n"
    assert run("complete", "-m", "studio/m", "q", plugins=[Slow()]).stdout == "blue\n"
    refused = run("chat", "-m", "studio/m", "q", "--jsonl", plugins=[Slow()])
    assert (refused.exit_code, refused.stdout) == (2, "")


def test_an_option_that_the_backend_cannot_honour(run: Run, streams: Streams) -> None:
    streams("blue")
    refused = run("chat", "-m", "studio/m", "q", "-o", "top_k=3")
    assert (refused.exit_code, refused.stdout) == (2, "")
    with pytest.warns(UserWarning, match="top_k"):
        assert run("chat", "-m", "studio/m", "q", "-o", "top_k=3", "-o", "on_unsupported=warn").stdout == "blue\n"


def test_the_help_names_every_option(run: Run) -> None:
    text = " ".join(run("chat", "--help").stdout.split())
    assert "frequency_penalty, logit_bias, logprobs, max_tokens, n, on_unsupported, parallel_tool_calls" in text


TOOLS = '''
from __future__ import annotations
import os
from ipfs_accel import Tool

def get_weather(city: str) -> str:
    """Tell the weather."""
    return f"21 degrees in {city}"

def _hidden() -> None: ...
'''
CALL = {
    "index": 0,
    "id": "c",
    "type": "function",
    "function": {"name": "get_weather", "arguments": '{"city": "Paris"}'},
}


def _runs(server: HTTPServer, text: str = "Warm.") -> None:
    """Let the model ask for a tool, and then answer."""

    def reply(request: Any) -> Any:
        body = request.json
        is_told = any(message["role"] == "tool" for message in body["messages"])
        message = {"content": text} if is_told else {"tool_calls": [CALL]}
        reason = "stop" if is_told else "tool_calls"
        if not body.get("stream"):
            choice = {"index": 0, "message": {"role": "assistant", **message}, "finish_reason": reason}
            return Response(json.dumps({"choices": [choice]}), content_type="application/json")
        chunks = [
            {"choices": [{"index": 0, "delta": message}]},
            {"choices": [{"index": 0, "delta": {}, "finish_reason": reason}]},
        ]
        lines = "".join([f"data: {json.dumps(each)}\n\n" for each in chunks])
        return Response(f"{lines}data: [DONE]\n\n", content_type="text/event-stream")

    server.expect_request("/chat/completions").respond_with_handler(reply)


@pytest.fixture
def tools(tmp_path: Path) -> str:
    path = tmp_path / "weather.py"
    path.write_text(TOOLS)
    return str(path)


def test_a_model_calls_the_functions_of_a_file(run: Run, httpserver: HTTPServer, tools: str) -> None:
    _runs(httpserver)
    result = run("chat", "-m", "studio/m", "--tools", tools, "--yes", "How warm?")
    assert (result.exit_code, result.stdout) == (0, "Warm.\n")
    assert result.stderr == "get_weather(city='Paris') → 21 degrees in Paris\n"
    assert [tool["function"]["name"] for tool in _sent(httpserver)["tools"]] == ["get_weather"]


def test_a_file_of_tools_imports_its_neighbours(
    run: Run, httpserver: HTTPServer, tools: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    _runs(httpserver)
    (tmp_path / "degrees_beside.py").write_text("DEGREES = 21")
    Path(tools).write_text(TOOLS.replace("import os", "from degrees_beside import DEGREES").replace("21", "{DEGREES}"))
    monkeypatch.setitem(sys.modules, "degrees_beside", None)  # so that it is not there afterwards
    del sys.modules["degrees_beside"]
    before = [*sys.path]
    result = run("chat", "-m", "studio/m", "--tools", tools, "--yes", "How warm?")
    assert result.stderr == "get_weather(city='Paris') → 21 degrees in Paris\n"
    assert sys.path == before


def test_a_run_is_one_document(run: Run, httpserver: HTTPServer, tools: str) -> None:
    _runs(httpserver)
    result = run("chat", "-m", "studio/m", "--tools", tools, "--yes", "--json", "How warm?")
    document = json.loads(result.stdout)
    assert (document["text"], document["rounds"]) == ("Warm.", 2)
    assert document["tool_runs"][0]["result"]["content"][0]["text"] == "21 degrees in Paris"


@pytest.mark.parametrize(("answer", "told"), [("y\n", "→ 21 degrees in Paris"), ("\n", "refused: This call was not allowed by the user.")])  # fmt: skip
def test_each_call_is_asked_for(
    answer: str, told: str, run: Run, httpserver: HTTPServer, tools: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("ipfs_accel._cli.tools.stdin_is_terminal", lambda: True)
    monkeypatch.setattr("ipfs_accel._cli.arguments.read_stdin", lambda: "")
    _runs(httpserver)
    result = run("chat", "-m", "studio/m", "--tools", tools, "How warm?", input=answer)
    assert (result.exit_code, result.stdout) == (0, "Warm.\n")
    assert "call get_weather(city='Paris')? [y/N]" in result.stderr
    assert told in result.stderr


def test_a_limit_of_a_run_is_told(run: Run, httpserver: HTTPServer, tools: str) -> None:
    _runs(httpserver)
    result = run("chat", "-m", "studio/m", "--tools", tools, "--yes", "-o", "max_rounds=1", "How warm?")
    assert "the limit of rounds ended the run" in result.stderr


@pytest.mark.parametrize(
    ("arguments", "content", "message"),
    [
        (("--tools", "{}"), TOOLS, "--tools asks before each call, and nobody is there to answer"),
        (("--tools", "nowhere.py", "--yes"), TOOLS, "--tools nowhere.py: there is no such file"),
        (("--tools", "{}", "--yes"), "1/0", "ZeroDivisionError: division by zero"),
        (("--tools", "{}", "--yes"), "raise SystemExit(0)", "SystemExit: 0"),
        (("--tools", "{}", "--yes"), "__all__ = ['f']", "__all__ names 'f', which is not in it"),
        (("--tools", "{}", "--yes"), "x = 1", "there is no public function in it"),
        (("--tools", "{}", "--yes"), "def f(a): ...", "f: a has no annotation"),
        (("--tools", "{}", "--yes", "--jsonl"), TOOLS, "--jsonl and --tools exclude each other"),
        (("--yes",), TOOLS, "--yes is for the calls of --tools"),
    ],
)
def test_tools_that_cannot_be_used(
    arguments: tuple[str, ...], content: str, message: str, run: Run, tools: str
) -> None:
    Path(tools).write_text(content)
    result = run("chat", "-m", "studio/m", *[each.format(tools) for each in arguments], "q")
    assert result.exit_code != 0
    assert message in result.stderr


def test_a_conversation_keeps_what_tools_gave(run: Run, httpserver: HTTPServer, tools: str) -> None:
    _runs(httpserver)
    result = run("chat", "-m", "studio/m", "--tools", tools, "--yes", "-i", input="How warm?\nAnd now?\n")
    assert result.stdout == "Warm.\nWarm.\n"
    assert [message["role"] for message in _sent(httpserver)["messages"]] == [
        "user",
        "assistant",
        "tool",
        "assistant",
        "user",
    ]
