"""The conformance kit on a backend with a wire format of its own, and on defects that it has to find."""

from __future__ import annotations

import http.client
import json
import socket
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import ClassVar

import pytest
from ipfs_accel import BackendInfo
from ipfs_accel.testing import (
    BackendContract,
    Connection,
    Exchange,
    ImpurityError,
    Reply,
    json_reply,
    no_io,
    openai_exchanges,
    serve,
)
from ipfs_accel.wire.openai import OpenAICompatible

from .acme import Acme

pytest_plugins = ["pytester"]


class TestAcme(BackendContract):
    plugin = Acme("http://127.0.0.1:9")
    local: ClassVar = {"embed": "a blocking function", "stream_complete": "a blocking generator"}
    waived: ClassVar = {
        f"test_no_option_is_lost[{operation}]": "what the core's other tests ask of it has no options"
        for operation in ("chat", "stream")
    }
    exchanges = (
        Exchange(
            operation="chat",
            call=lambda client, at: client.chat(f"{at}/m", "q"),
            replies=json_reply({"answer": "42", "used": 7}),
            check=lambda answer: (answer.text, answer.usage.input_tokens) == ("42", 7),
        ),
        Exchange(
            operation="stream",
            call=lambda client, at: client.stream(f"{at}/m", "q"),
            replies=Reply(pieces=("ä\n".encode(), b"b\n", b"...\n", b"END\n"), content_type="application/x-ndjson"),
            check=lambda answer: answer.text == "äb",
        ),
        Exchange(
            operation="show_model",
            call=lambda client, at: client.show_model(f"{at}/m"),
            replies=json_reply({"any": "thing"}),
        ),
        Exchange(
            operation="list_models",
            call=lambda client, at: client.list_models(at),
            replies=json_reply([{"id": "m"}]),
        ),
        Exchange(operation="healthcheck", call=lambda client, at: client.healthcheck(at), replies=json_reply("fine")),
    )


class Plain(OpenAICompatible):
    api_version = 1
    info = BackendInfo(name="plain", base_url="https://plain.example/v1", key_env=("PLAIN_KEY",), needs_key=True)


class TestPlain(BackendContract):
    plugin = Plain()
    exchanges = openai_exchanges()


DEFECTIVE = """
import pytest
from ipfs_accel import BackendInfo, hookimpl
from ipfs_accel.plans import ErrorDetail, Http, HttpStream, post_json
from ipfs_accel.testing import BackendContract, Exchange, json_reply, Reply
from ipfs_accel.types import ChatResponse, Choice, Message
from ipfs_accel.wire.assembler import chat_assembler
from ipfs_accel.wire.ndjson import NDJSONDecoder
from ipfs_accel import errors

def read_error(response):
    return ErrorDetail(message="no", kind=errors.BadRequestError)

def parse(response):
    return ChatResponse(choices=(Choice(message=Message.assistant(response.json()["a"]), finish_reason="stop"),))

def decode(frame, out):
    out.text(frame)
    out.done()  # whatever it says, it counts as the end

class Bad:
    api_version = 1

    @hookimpl
    def describe(self):
        return BackendInfo(name="bad", base_url="http://127.0.0.1:9", read_error=read_error)

    @hookimpl
    def chat(self, endpoint, request):
        open(__file__).close()
        return Http(send=post_json("/chat", {}), parse=parse)

    @hookimpl
    def stream(self, endpoint, request):
        return HttpStream(send=post_json("/s", {}), frames=NDJSONDecoder, decoder=lambda: decode, assembler=chat_assembler)

    @hookimpl
    def tokenize(self, endpoint, request):
        return Http(send=post_json("/t", {}), parse=parse)

class TestBad(BackendContract):
    plugin = Bad()
    waived = WAIVED
    exchanges = (
        Exchange(operation="chat", call=lambda client, at: client.chat(f"{at}/m", "q"), replies=json_reply({"a": "b"})),
        Exchange(
            operation="stream",
            call=lambda client, at: client.stream(f"{at}/m", "q"),
            replies=Reply(pieces=(b"a\\n", b"END\\n"), content_type="application/x-ndjson"),
        ),
    )
"""
FOUND = (
    "test_hooks_do_no_io[chat]",
    "test_a_stream_that_was_cut_is_no_answer[stream]",
    "test_errors_are_typed[chat-429]",
    "test_errors_are_typed[stream-500]",
    "test_what_it_can_do_is_shown[tokenize]",
)
SOME = "io or cut_is_no or 429 or 500 or tokenize or embed"


def test_defects_are_found_and_reported(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(test_bad=DEFECTIVE.replace("WAIVED", "{'test_hooks_do_no_io[chat]': 'it reads a file'}"))
    result = pytester.runpytest_subprocess("-k", SOME, "--contract-report", "report.json", "-p", "no:randomly")
    rows = {row["test"]: row for row in json.loads((pytester.path / "report.json").read_text())["tests"]}
    outcomes = {name: rows[name]["outcome"] for name in FOUND}
    assert outcomes == {name: "waived" if "io[chat]" in name else "failed" for name in FOUND}
    assert rows["test_what_it_can_do_is_shown[embed]"]["outcome"] == "passed"
    assert rows[FOUND[0]]["reason"] == "it reads a file"
    assert result.ret == pytest.ExitCode.TESTS_FAILED


def test_the_report_may_be_a_table(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(test_bad=DEFECTIVE.replace("WAIVED", "{'test_hooks_do_no_io[chat]': 'it reads a file'}"))
    pytester.runpytest_subprocess("-k", "no_io", "--contract-report", "report.md")
    report = (pytester.path / "report.md").read_text()
    assert "| TestBad | test_hooks_do_no_io | 1 | 0 | 0 | 1 |" in report
    assert "- waived: TestBad.test_hooks_do_no_io[chat]: it reads a file" in report


@pytest.mark.parametrize(
    ("waived", "more", "sentence"),
    [
        ("{'test_faults': ' '}", "", "it is waived without a reason"),
        ("{}", "    def test_it_answers(self): pass\n", "a contract test may not be replaced"),
    ],
)
def test_what_is_left_out_needs_a_reason(pytester: pytest.Pytester, waived: str, more: str, sentence: str) -> None:
    pytester.makepyfile(test_bad=DEFECTIVE.replace("WAIVED", waived) + more)
    result = pytester.runpytest_subprocess("--collect-only", "-q")
    result.stderr.fnmatch_lines([f"*{sentence}*"])
    assert result.ret == pytest.ExitCode.USAGE_ERROR


def test_sockets_and_sleeping_are_io() -> None:
    def io(does: Callable[[], object]) -> None:
        with no_io("the test"), pytest.raises(ImpurityError, match="the test did I/O"):
            does()

    io(lambda: socket.create_connection(("127.0.0.1", 9)))
    io(Path(__file__).read_bytes)
    if sys.version_info >= (3, 13):
        io(lambda: time.sleep(0.001))
    Path(__file__).read_bytes()  # outside of the block it is nobody's business


def test_a_dialect_without_an_operation() -> None:
    assert "embed" not in {each.operation for each in openai_exchanges(without=("embed",))}
    with pytest.raises(ValueError, match="without: nonsense"):
        openai_exchanges(without=("nonsense",))


def test_a_dialect_with_more_operations() -> None:
    more = openai_exchanges(more=("speak", "batch_results"))[len(openai_exchanges()) :]
    assert [(each.operation, each.is_stream) for each in more] == [("speak", False), ("batch_results", False)]
    with pytest.raises(ValueError, match="more: chat"):
        openai_exchanges(more=("chat",))


def test_asides_are_answered_without_the_handler() -> None:
    def handle(connection: Connection) -> None:
        while connection.request() is not None:
            connection.send(json_reply("said").sent())

    with serve(handle, asides={"/about": json_reply("aside").sent()}) as server:
        caller = http.client.HTTPConnection(server.host)
        found = []
        for path in ("/about?a=b", "/", "/about"):
            caller.request("GET", path)
            found.append(json.loads(caller.getresponse().read()))
        caller.close()
    assert found == ["aside", "said", "aside"]
    assert len(server.heads) == len(server.bodies) == 1
