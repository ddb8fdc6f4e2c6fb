"""What only OpenAI has, held to its own SDK: kept responses and chats, free-text tools, phases, uploads in parts."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from ipfs_accel import (
    AsyncClient,
    Audio,
    Client,
    Document,
    EndpointConfig,
    Image,
    JsonSchema,
    Message,
    Tool,
    UnsupportedParameterWarning,
)
from ipfs_accel import errors as e
from ipfs_accel.types import BatchItem, ChatRequest, FileInfo, Opaque, Reasoning, Refusal, Text, ToolCall, Upload
from ipfs_accel_openai import _uploads, block
from pytest_httpserver import HTTPServer
from werkzeug import Request, Response

from conftest import sent

openai = pytest.importorskip("openai", reason="OpenAI's SDK is the oracle of these tests")

USER = {"role": "user", "content": "hi"}
ASKED = [USER]
CHAT: dict[str, Any] = {"id": "c", "object": "chat.completion", "created": 1, "model": "m", "choices": [{"index": 0, "message": {"role": "assistant", "content": "Hello"}, "finish_reason": "stop"}]}  # fmt: skip
RESPONSE: dict[str, Any] = {
    "id": "resp_1", "object": "response", "created_at": 1, "status": "completed", "model": "gpt-6-sol",
    "output": [
        {"type": "message", "id": "m1", "role": "assistant", "status": "completed", "phase": "commentary", "content": [{"type": "output_text", "text": "Let me see.", "annotations": []}]},
        {"type": "custom_tool_call", "id": "ct1", "call_id": "c1", "name": "sql", "input": "select 1"},
        {"type": "function_call", "id": "fc1", "call_id": "c2", "name": "f", "arguments": "{}", "status": "completed", "namespace": "n"},
        {"type": "message", "id": "m2", "role": "assistant", "status": "completed", "phase": "final_answer", "content": [{"type": "refusal", "refusal": "no"}]}],
    "parallel_tool_calls": True, "tool_choice": "auto", "tools": [],
}  # fmt: skip
SQL = {"type": "custom", "name": "sql", "format": {"type": "text"}}
CHAT_SQL = {"type": "custom", "custom": {"name": "sql", "format": {"type": "text"}}}


def json_of(value: Any) -> Response:
    return Response(json.dumps(value), content_type="application/json")


LISTED: dict[str, Any] = {"object": "list", "data": [], "has_more": False}
CALLS: dict[str, tuple[Callable[[Any], Any], Callable[[Client], Any], Any]] = {
    "a response": (lambda sdk: sdk.responses.retrieve("resp_1", include=["file_search_call.results"]),
                   lambda client: client.call("openai", "response", id="resp_1", include=["file_search_call.results"]), RESPONSE),
    "the end of a response": (lambda sdk: sdk.responses.cancel("resp_1"), lambda client: client.call("openai", "cancel_response", id="resp_1"), RESPONSE),
    "no response any more": (lambda sdk: sdk.responses.delete("resp_1"), lambda client: client.call("openai", "delete_response", id="resp_1"), {"id": "resp_1", "deleted": True}),
    "what a response was made of": (
        lambda sdk: sdk.responses.input_items.list("resp_1", after="a", limit=3, order="asc", include=["file_search_call.results"]),
        lambda client: client.call("openai", "response_items", id="resp_1", after="a", limit=3, order="asc", include=["file_search_call.results"]), LISTED),
    "a shorter conversation": (lambda sdk: sdk.responses.compact(model="gpt-6-sol", input=ASKED, instructions="s"),
                               lambda client: client.call("openai", "compact", model="gpt-6-sol", input=ASKED, instructions="s"), {"id": "r", "output": []}),
    "kept chats": (lambda sdk: sdk.chat.completions.list(model="m", metadata={"a": "b"}, after="x", limit=3, order="asc"),
                   lambda client: client.call("openai", "kept_chats", model="m", metadata={"a": "b"}, after="x", limit=3, order="asc"), LISTED),
    "a kept chat": (lambda sdk: sdk.chat.completions.retrieve("c"), lambda client: client.call("openai", "kept_chat", id="c"), CHAT),
    "its messages": (lambda sdk: sdk.chat.completions.messages.list("c", after="x", limit=3, order="asc"),
                     lambda client: client.call("openai", "kept_chat_messages", id="c", after="x", limit=3, order="asc"), LISTED),
    "its notes": (lambda sdk: sdk.chat.completions.update("c", metadata={"a": "b"}), lambda client: client.call("openai", "update_chat", id="c", metadata={"a": "b"}), CHAT),
    "no kept chat any more": (lambda sdk: sdk.chat.completions.delete("c"), lambda client: client.call("openai", "delete_chat", id="c"), {"id": "c", "deleted": True}),
    "no model any more": (lambda sdk: sdk.models.delete("ft:a/b"), lambda client: client.call("openai", "delete_model", model="ft:a/b"), {"id": "m", "deleted": True}),
    "a batch of another route": (
        lambda sdk: sdk.batches.create(input_file_id="f", endpoint="/v1/moderations", completion_window="24h", output_expires_after={"anchor": "created_at", "seconds": 3600}),
        lambda client: client.call("openai", "batch_of_file", file="f", route="/v1/moderations", output_expires_after={"anchor": "created_at", "seconds": 3600}),
        {"id": "b", "status": "validating"}),
}  # fmt: skip


@pytest.mark.parametrize("name", CALLS)
def test_a_call_is_sent_as_the_sdk_sends_it(name: str, client: Client, sdk: Any, httpserver: HTTPServer) -> None:
    theirs, ours, answer = CALLS[name]
    httpserver.expect_request(re.compile(".*")).respond_with_json(answer)
    theirs(sdk)
    ours(client)
    expected, actual = [request for request, _ in httpserver.log]
    assert (actual.method, actual.path) == (expected.method, expected.path)
    assert sorted(actual.args.items(multi=True)) == sorted(expected.args.items(multi=True))
    if expected.get_data():
        assert json.loads(actual.get_data()) == json.loads(expected.get_data())
    assert actual.headers["Authorization"] == expected.headers["Authorization"]
    # Where the answer does not matter to it, the SDK accepts anything; ours reads it.
    assert actual.headers["Accept"] == "application/json"
    assert expected.headers["Accept"] in {"application/json", "*/*"}


def test_what_calls_give_is_typed(client: Client, httpserver: HTTPServer) -> None:
    httpserver.expect_request("/v1/responses/resp_1").respond_with_json({**RESPONSE, "status": "queued"})
    assert client.call("openai", "response", id="resp_1").finish_reason == "queued"
    httpserver.expect_request("/v1/chat/completions/c").respond_with_json(CHAT)
    assert client.call("openai", "kept_chat", id="c").text == "Hello"


def test_a_stream_goes_on_where_it_was_left(client: Client, sdk: Any, httpserver: HTTPServer) -> None:
    event = {"type": "response.completed", "sequence_number": 8, "response": RESPONSE}
    body = f"event: response.completed\ndata: {json.dumps(event)}\n\n"
    httpserver.expect_request("/v1/responses/resp_1").respond_with_data(body, content_type="text/event-stream")
    sdk.responses.retrieve("resp_1", stream=True, starting_after=7).close()
    with client.stream_call("openai", "stream_response", id="resp_1", starting_after=7) as stream:
        assert stream.read().id == "resp_1"
    expected, actual = [request for request, _ in httpserver.log]
    assert sorted(actual.args.items()) == sorted(expected.args.items())


@pytest.mark.anyio
async def test_the_same_awaited(hosted: str, httpserver: HTTPServer) -> None:
    httpserver.expect_request("/v1/responses/resp_1").respond_with_json(RESPONSE)
    async with AsyncClient(endpoints={"openai": EndpointConfig(base_url=hosted, key="sk-test")}) as client:
        reply = await client.call("openai", "response", id="resp_1")
    assert reply.text == "Let me see."


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


def test_an_answer_goes_back_as_it_came(client: Client, httpserver: HTTPServer) -> None:
    httpserver.expect_request("/v1/responses").respond_with_json(RESPONSE)
    options: dict[str, Any] = {"tools": [Tool(name="f")], "extra": {"tools": [SQL]}}
    reply = client.chat("openai/gpt-6-pro", "hi", **options)
    assert [(call.id, call.name, call.arguments) for call in reply.tool_calls] == [("c1", "sql", "select 1"), ("c2", "f", "{}")]  # fmt: skip
    client.chat("openai/gpt-6-pro", ["hi", reply.message, Message.tool("c1", "1"), Message.tool("c2", "2")], **options)
    assert sent(httpserver)["input"] == [
        USER,
        {"type": "message", "role": "assistant", "phase": "commentary", "content": "Let me see."},
        {"type": "custom_tool_call", "call_id": "c1", "name": "sql", "input": "select 1"},
        {"type": "function_call", "call_id": "c2", "name": "f", "arguments": "{}", "namespace": "n"},
        {"type": "message", "role": "assistant", "phase": "final_answer", "content": "no"},
        {"type": "custom_tool_call_output", "call_id": "c1", "output": "1"},
        {"type": "function_call_output", "call_id": "c2", "output": "2"},
    ]  # fmt: skip


def test_a_stream_keeps_what_an_answer_keeps(client: Client, httpserver: HTTPServer) -> None:
    events: list[dict[str, Any]] = []
    for index, item in enumerate(RESPONSE["output"]):
        events += [
            {"type": "response.output_item.added", "output_index": index, "item": {**item, "content": []}},
            {"type": "response.output_item.done", "output_index": index, "item": item},
        ]
    events.append({"type": "response.completed", "response": RESPONSE})

    def respond(request: Request) -> Response:
        if not json.loads(request.get_data()).get("stream"):
            return json_of(RESPONSE)
        body = "".join(f"data: {json.dumps(each)}\n\n" for each in events)
        return Response(body, content_type="text/event-stream")

    httpserver.expect_request("/v1/responses").respond_with_handler(respond)
    whole = client.chat("openai/gpt-6-pro", "hi")
    assert client.stream("openai/gpt-6-pro", "hi").read() == whole
    assert Opaque(backend="openai", data={"type": "message", "phase": "commentary"}) in whole.message.content


def test_a_remark_without_what_it_is_about_is_left_out(client: Client, httpserver: HTTPServer) -> None:
    httpserver.expect_request("/v1/responses").respond_with_json(RESPONSE)
    thought = {"type": "reasoning", "id": "r", "summary": []}
    remark = {"type": "message", "phase": "commentary"}
    message = Message.assistant(Opaque(backend="openai", data=thought), Opaque(backend="openai", data=remark))
    client.chat("openai/gpt-6-pro", ["hi", message, "ho"])
    assert sent(httpserver)["input"] == [USER, thought, {"role": "user", "content": "ho"}]


def said(text: str, phase: str | None) -> dict[str, Any]:
    content = [{"type": "output_text", "text": text, "annotations": []}] if text else []
    about = {} if phase is None else {"phase": phase}
    return {"type": "message", "id": f"m-{text}", "role": "assistant", "status": "completed", "content": content, **about}  # fmt: skip


@pytest.mark.parametrize(
    ("items", "back"),
    [
        ([("a", None), ("b", "final_answer")], [("a", None), ("b", "final_answer")]),
        ([("a", "commentary"), ("b", None)], [("a", "commentary"), ("b", None)]),
        ([("a", None), ("b", None)], [("a", None), ("b", None)]),
        ([("a", None), ("", "commentary"), ("b", None)], [("a", None), ("b", None)]),
        ([("a", "commentary"), ("", "final_answer"), ("b", None)], [("a", "commentary"), ("b", None)]),
    ],
    ids=["second-has-it", "first-has-it", "neither", "an-empty-one-between", "an-empty-one-of-another-phase"],
)
@pytest.mark.parametrize("ends", ["whole", "streamed", "cut"])
def test_messages_of_one_answer_keep_their_own_phase(
    items: list[tuple[str, str | None]], back: list[tuple[str, str | None]], ends: str, client: Client, httpserver: HTTPServer
) -> None:  # fmt: skip
    response = {**RESPONSE, "output": [said(*item) for item in items]}
    events: list[dict[str, Any]] = []
    for index, item in enumerate(response["output"]):
        events.append({"type": "response.output_item.added", "output_index": index, "item": {**item, "content": []}})
        events += [{"type": "response.output_text.delta", "delta": each["text"]} for each in item["content"]]
        events.append({"type": "response.output_item.done", "output_index": index, "item": item})
    if ends == "streamed":
        events.append({"type": "response.completed", "response": response})
    stream = Response("".join(f"data: {json.dumps(each)}\n\n" for each in events), content_type="text/event-stream")
    first = json_of(response) if ends == "whole" else stream
    httpserver.expect_ordered_request("/v1/responses").respond_with_response(first)
    httpserver.expect_ordered_request("/v1/responses").respond_with_json(RESPONSE)

    if ends == "whole":
        message = client.chat("openai/gpt-6-pro", "hi").message
    elif ends == "streamed":
        message = client.stream("openai/gpt-6-pro", "hi").read().message
    else:  # what had come is all that there is
        with pytest.raises(e.StreamIncomplete) as caught:
            client.stream("openai/gpt-6-pro", "hi").read()
        message = caught.value.partial.message  # type: ignore[union-attr]
    client.chat("openai/gpt-6-pro", ["hi", message, "ho"])

    found = sent(httpserver)["input"][1:-1]
    assert [(item["content"], item.get("phase")) for item in found] == back


FREE = {"role": "assistant", "content": None, "tool_calls": [{"id": "c1", "type": "custom", "custom": {"name": "sql", "input": "select 1"}}]}  # fmt: skip


def test_a_tool_of_free_text_in_a_chat(client: Client, sdk: Any, httpserver: HTTPServer) -> None:
    answer = {**CHAT, "choices": [{"index": 0, "message": FREE, "finish_reason": "tool_calls"}]}
    httpserver.expect_request("/v1/chat/completions").respond_with_json(answer)
    result = {"role": "tool", "tool_call_id": "c1", "content": "1"}
    sdk.chat.completions.create(model="gpt-4o", messages=[USER, FREE, result], tools=[CHAT_SQL])
    expected = sent(httpserver)
    own = {"tools": [CHAT_SQL]}
    reply = client.chat("openai/gpt-4o", "hi", extra=own)
    assert (reply.tool_calls[0].arguments, reply.finish_reason) == ("select 1", "tool_calls")
    for history in (["hi", reply.message, Message.tool("c1", "1")], [USER, FREE, result]):
        client.chat("openai/gpt-4o", history, extra=own)
        assert sent(httpserver) == expected


def test_parts_with_fields_of_openais_own(client: Client, sdk: Any, httpserver: HTTPServer) -> None:
    mark = {"prompt_cache_breakpoint": {"mode": "explicit", "ttl": "30m"}}
    httpserver.expect_request("/v1/chat/completions").respond_with_json(CHAT)
    httpserver.expect_request("/v1/responses").respond_with_json(RESPONSE)
    url = "https://x.test/a.png"
    parts = [
        block(Text(text="long"), **mark),
        block(Image(url=url, detail="low"), **mark),
        block(Document(file_id="file-1"), **mark),
    ]
    chat = [{"type": "text", "text": "long", **mark}, {"type": "image_url", "image_url": {"url": url, "detail": "low"}, **mark}, {"type": "file", "file": {"file_id": "file-1"}, **mark}]  # fmt: skip
    sdk.chat.completions.create(model="gpt-4o", messages=[{"role": "user", "content": chat}])
    expected = sent(httpserver)
    client.chat("openai/gpt-4o", Message.user(*parts))
    assert sent(httpserver) == expected
    client.chat("openai/gpt-6-pro", Message.user(*parts))
    assert sent(httpserver)["input"][0]["content"] == [
        {"type": "input_text", "text": "long", **mark},
        {"type": "input_image", "image_url": url, "detail": "low", **mark},
        {"type": "input_file", "file_id": "file-1", **mark},
    ]
    client.chat("openai/gpt-6-pro", Message.user(parts[0]))
    assert sent(httpserver)["input"][0]["content"] == [{"type": "input_text", "text": "long", **mark}]
    with pytest.raises(e.InvalidRequestError, match="takes no input_audio here"):
        client.chat("openai/gpt-6-pro", Message.user(block(Audio(data=b"RIFF\0\0\0\0WAVE"))))
    with pytest.raises(e.InvalidRequestError, match="Reasoning: it is no part of a message's content"):
        block(Reasoning(text="hm"))


THOUGHT = Opaque(backend="openai", data={"type": "reasoning", "id": "r", "summary": []})


@pytest.mark.parametrize(
    ("path", "message"),
    [
        ("/v1/chat/completions", Message.user(Image(url="https://x.test/a.png"))),
        ("/v1/chat/completions", Message.user(Document(file_id="file-1"))),
        ("/v1/chat/completions", Message.user(block(Text(text="a")))),
        ("/v1/chat/completions", Message.assistant(Opaque(backend="claude", data={"type": "thinking"}), "a")),
        ("/v1/responses", Message.user(Image(file_id="file-1"))),
        ("/v1/responses", Message.user(Document(url="https://x.test/a.pdf"))),
        ("/v1/responses", Message.assistant(THOUGHT, "a")),
    ],
)
def test_the_api_is_chosen_by_what_a_message_holds(
    path: str, message: Message, client: Client, httpserver: HTTPServer
) -> None:
    httpserver.expect_request("/v1/chat/completions").respond_with_json(CHAT)
    httpserver.expect_request("/v1/responses").respond_with_json(RESPONSE)
    client.chat("openai/gpt-4o", [message, "hi"])
    assert httpserver.log[-1][0].path == path


def test_a_kept_picture_is_named_where_the_server_takes_none(httpserver: HTTPServer) -> None:
    endpoint = EndpointConfig(backend="openai", base_url=httpserver.url_for("/v1"), key="")
    with (
        Client(endpoints={"local": endpoint}) as client,
        pytest.raises(e.InvalidRequestError, match=r"messages\[0\]: image: this API takes no picture"),
    ):
        client.chat("local/m", Message.user(Image(file_id="file-1")))
    assert httpserver.log == []


def test_dicts_of_files_refusals_and_tools(client: Client, httpserver: HTTPServer) -> None:
    httpserver.expect_request("/v1/chat/completions").respond_with_json(CHAT)
    file = {"role": "user", "content": [{"type": "file", "file": {"file_id": "file-1"}}]}
    refusal = {"role": "assistant", "content": [{"type": "refusal", "refusal": "no"}]}
    client.chat("openai/gpt-4o", [file, refusal])
    assert sent(httpserver)["messages"] == [file, {"role": "assistant", "content": None, "refusal": "no"}]
    with pytest.raises(e.InvalidRequestError, match=r"tools\[0\]: 'custom' is no function") as caught:
        client.chat("openai/gpt-4o", "hi", tools=[CHAT_SQL])
    assert caught.value.hint == "tools of the provider's own go into extra={'tools': […]}"


@pytest.mark.parametrize("model", ["gpt-4o", "gpt-6-pro"])
def test_names_of_functions_are_checked(model: str, client: Client, httpserver: HTTPServer) -> None:
    for name in ("a b", "ä", "x" * 65, ""):
        with pytest.raises(e.InvalidRequestError, match=r"tools\[0\]: OpenAI takes names of 1 to 64 letters"):
            client.chat(f"openai/{model}", "hi", tools=[Tool(name=name)])
    called = Message.assistant(ToolCall(id="c1", name="a.b"))
    with pytest.raises(e.InvalidRequestError, match=r"messages\[1\]: OpenAI takes names .* not 'a\.b'"):
        client.chat(f"openai/{model}", ["hi", called, Message.tool("c1", "1")])
    with pytest.raises(e.InvalidRequestError, match=r"response_format\.name: OpenAI takes names .* not 'ä'"):
        client.chat(f"openai/{model}", "hi", response_format=JsonSchema(schema={"type": "object"}, name="ä"))
    assert httpserver.log == []


@pytest.mark.parametrize(
    "call",
    [
        lambda client: client.chat("openai/", "hi"),
        lambda client: client.stream("openai", "hi").read(),
        lambda client: client.complete("openai", "hi"),
        lambda client: client.embed("openai", "hi"),
        lambda client: client.speak("openai", "hi", voice="v"),
        lambda client: client.transcribe("openai", b"RIFF\0\0\0\0WAVEfmt "),
    ],
    ids=["chat", "stream", "complete", "embed", "speak", "transcribe"],
)
def test_a_model_has_to_be_named_to_openai(
    call: Callable[[Client], Any], client: Client, httpserver: HTTPServer
) -> None:
    with pytest.raises(e.InvalidRequestError, match=r"^openai: model: OpenAI wants one"):
        call(client)
    assert httpserver.log == []


SHOWN = ["see", Image(data=b"\x89PNG\r\n\x1a\n")]
FILED = [Document(data=b"%PDF-1", name="a.pdf")]
KEPT = [Image(file_id="file-1")]


@pytest.mark.parametrize("content", [SHOWN, FILED, KEPT], ids=["picture", "document", "kept-picture"])
@pytest.mark.parametrize("way", ["whole", "streamed"])
def test_what_is_no_text_in_a_tools_result_goes_by_the_responses_api(
    content: list[Any], way: str, client: Client, httpserver: HTTPServer
) -> None:
    events = f"data: {json.dumps({'type': 'response.completed', 'response': RESPONSE})}\n\n"
    answer = json_of(RESPONSE) if way == "whole" else Response(events, content_type="text/event-stream")
    httpserver.expect_request("/v1/responses").respond_with_response(answer)
    history = ["hi", Message.assistant(ToolCall(id="c1", name="f")), Message.tool("c1", content)]
    if way == "whole":
        client.chat("openai/gpt-4o", history)
    else:
        client.stream("openai/gpt-4o", history).read()
    kinds = [each["type"] for each in sent(httpserver)["input"][-1]["output"]]
    assert kinds == [*(["input_text"] if content is SHOWN else []), "input_file" if content is FILED else "input_image"]


def test_chats_take_texts_alone_in_a_tools_result(hosted: str, httpserver: HTTPServer) -> None:
    endpoint = EndpointConfig(base_url=hosted, key="sk-test", options={"api": "chat"})
    history = ["hi", Message.assistant(ToolCall(id="c1", name="f")), Message.tool("c1", SHOWN)]
    wrong = pytest.raises(e.InvalidRequestError, match=r"messages\[2\]: chat completions take no image as")
    with Client(endpoints={"openai": endpoint}) as client, wrong as caught:
        client.chat("openai/gpt-4o", history)
    assert "if the option api is auto" in str(caught.value.hint)
    assert httpserver.log == []


# Uploads


@pytest.fixture
def small_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_uploads, "_PART", 4)
    monkeypatch.setattr("ipfs_accel_openai._limits.FILE", 9)


FILE = {"id": "file-1", "object": "file", "bytes": 10, "created_at": 5, "filename": "a.jsonl", "purpose": "batch", "status": "processed"}  # fmt: skip


def uploading(httpserver: HTTPServer, status: int = 200, ended: int = 200) -> None:
    httpserver.expect_request("/v1/uploads").respond_with_json({"id": "upload_1", "status": "pending"})
    httpserver.expect_request("/v1/uploads/upload_1/parts").respond_with_json({"id": "part_1"}, status=status)
    httpserver.expect_request("/v1/uploads/upload_1/complete").respond_with_json({"id": "upload_1", "file": FILE})
    httpserver.expect_request("/v1/uploads/upload_1/cancel").respond_with_json({"id": "upload_1"}, status=ended)


@pytest.mark.usefixtures("small_parts")
@pytest.mark.parametrize("in_memory", [False, True])
def test_a_large_file_goes_up_in_parts(
    in_memory: bool, client: Client, sdk: Any, httpserver: HTTPServer, tmp_path: Path
) -> None:
    uploading(httpserver)
    path = tmp_path / "a.jsonl"
    path.write_bytes(b"0123456789")
    sdk.uploads.create(bytes=10, filename="a.jsonl", mime_type="application/jsonl", purpose="batch", expires_after={"anchor": "created_at", "seconds": 3600})  # fmt: skip
    sdk.uploads.parts.create("upload_1", data=b"0123")
    sdk.uploads.complete("upload_1", part_ids=["part_1"] * 3)
    expected = [request for request, _ in httpserver.log]
    seen: list[tuple[int, int]] = []
    source: Any = path.read_bytes() if in_memory else path
    found = client.upload_file(
        "openai", source, name="a.jsonl", purpose="batch", expires_after=3600, on_upload=lambda *at: seen.append(at)
    )
    assert (found.id, found.name) == ("file-1", "a.jsonl")
    assert isinstance(found, FileInfo)
    begin, *parts, end = [request for request, _ in httpserver.log[len(expected) :]]
    assert (begin.path, json.loads(begin.get_data())) == (expected[0].path, json.loads(expected[0].get_data()))
    assert (end.path, json.loads(end.get_data())) == (expected[2].path, json.loads(expected[2].get_data()))
    bodies = []
    for part in parts:
        with part:
            assert part.path == expected[1].path
            bodies.append(part.files["data"].read())
    assert bodies == [b"0123", b"4567", b"89"]
    assert seen[-1][0] == seen[-1][1] > 2


@pytest.mark.usefixtures("small_parts")
@pytest.mark.parametrize("ended", [200, 500])
def test_an_upload_that_fails_is_ended(ended: int, client: Client, httpserver: HTTPServer) -> None:
    uploading(httpserver, status=400, ended=ended)
    with pytest.raises(e.BadRequestError):
        client.upload_file("openai", b"0123456789", name="a.txt")
    assert [request.path.rpartition("/")[2] for request, _ in httpserver.log] == ["uploads", "parts", "cancel"]


def test_a_part_of_a_file_is_an_upload_too(tmp_path: Path) -> None:
    from ipfs_accel.wire.multipart import Multipart

    path = tmp_path / "a"
    path.write_bytes(b"0123456789")
    form = Multipart((), [("data", Upload(name="a", path=path, offset=3, size=4))])
    assert b"3456\r\n" in b"".join(form) == b"".join(form)


# Batches


def test_a_batch_of_chats_that_need_the_responses_api(client: Client, httpserver: HTTPServer) -> None:
    httpserver.expect_request("/v1/files").respond_with_json(FILE)
    httpserver.expect_request("/v1/batches").respond_with_json({"id": "b", "status": "validating"})
    items = [
        BatchItem(id="a", request=ChatRequest(model="gpt-4o", messages=(Message.user("hi"),))),
        BatchItem(id="b", request=ChatRequest(model="gpt-5.4-pro", messages=(Message.user("hi"),), max_tokens=5)),
    ]
    client.create_batch("openai/m", items)
    lines = [json.loads(line) for line in httpserver.log[0][0].get_data().splitlines() if line.startswith(b'{"custom')]
    assert [(line["url"], line["body"].get("max_output_tokens")) for line in lines] == [("/v1/responses", None), ("/v1/responses", 5)]  # fmt: skip
    assert sent(httpserver)["endpoint"] == "/v1/responses"
    httpserver.clear()
    done = {"id": "b", "status": "completed", "endpoint": "/v1/responses", "output_file_id": "f"}
    httpserver.expect_request("/v1/batches/b").respond_with_json(done)
    failed = {**RESPONSE, "status": "failed", "error": {"code": "server_error", "message": "broken"}}
    content = "".join(
        json.dumps({"custom_id": name, "response": {"status_code": 200, "body": body}, "error": None}) + "\n"
        for name, body in (("b", failed), ("a", RESPONSE))
    )
    httpserver.expect_request("/v1/files/f/content").respond_with_data(content)
    with client.batch_results("openai", "b") as stream:
        results = {result.id: result for result in stream}
    assert results["a"].response.text == "Let me see."
    assert isinstance(results["b"].error, e.InternalServerError)
    assert (stream.response.succeeded, stream.response.failed) == (1, 1)


def test_what_a_batch_cannot_honour_is_named(client: Client, httpserver: HTTPServer) -> None:
    with pytest.raises(e.UnsupportedParameterError, match="top_k, stop"):
        client.create_batch("openai/o3", {"a": "hi", "b": "ho"}, top_k=3, stop=["x"])
    assert httpserver.log == []
    with pytest.raises(e.InvalidRequestError, match=r"items\['a'\]: messages\[0\]: audio"):
        client.create_batch("openai/gpt-4o", {"a": Message.user(Audio(url="https://x.test/a.wav"))})


# What the service has no more, or never had


def test_options_that_openai_does_not_have_are_named(client: Client, httpserver: HTTPServer) -> None:
    wav = b"RIFF\0\0\0\0WAVEfmt "
    for call, names in (
        (lambda: client.speak("openai/gpt-4o-mini-tts", "x", voice="alloy", sample_rate=8000), "sample_rate"),
        (lambda: client.speak("openai/tts-1", "x", voice="alloy", instructions="calm"), "instructions"),
        (lambda: client.generate_image("openai/gpt-image-2", "x", style="vivid"), "style"),
        (
            lambda: client.generate_image("openai/gpt-image-2", "x", seed=1, negative_prompt="y"),
            "seed, negative_prompt",
        ),
        (lambda: client.translate("openai/whisper-1", wav, language="de", timestamps="word"), "language, timestamps"),
    ):
        with pytest.raises(e.UnsupportedParameterError, match=f"cannot honour: {names}\n"):
            call()
    assert httpserver.log == []


# Costs


def priced(httpserver: HTTPServer, client: Client, **more: Any) -> float | None:
    usage = {"input_tokens": 1_000_000, "output_tokens": 0, "input_tokens_details": {"cached_tokens": 0}}
    httpserver.clear()
    httpserver.expect_request("/v1/responses").respond_with_json({**RESPONSE, "usage": usage, **more})
    return client.chat("openai/gpt-6-sol", "hi", extra={"instructions": "s"}).cost


def test_the_cost_is_unknown_if_tools_ran_at_openai(client: Client, httpserver: HTTPServer) -> None:
    thought = {"type": "reasoning", "id": "r", "summary": []}
    assert priced(httpserver, client, output=[thought, *RESPONSE["output"]]) == 2
    search = {"type": "web_search_call", "id": "w", "status": "completed"}
    assert priced(httpserver, client, output=[search, *RESPONSE["output"]]) is None


def test_a_deployment_that_is_called_like_a_model_has_no_known_price(httpserver: HTTPServer) -> None:
    httpserver.expect_request(re.compile(".*")).respond_with_json(
        {**CHAT, "usage": {"prompt_tokens": 1, "completion_tokens": 1}}
    )
    with Client(endpoints={"azure": EndpointConfig(base_url=httpserver.url_for(""), key="k")}) as client:
        assert client.chat("azure/gpt-4o", "hi").cost is None


def test_histories_of_other_providers_are_taken(client: Client, httpserver: HTTPServer) -> None:
    httpserver.expect_request("/v1/chat/completions").respond_with_json(CHAT)
    history = [Message.assistant(Reasoning(text="hm", signature="s"), Refusal(text="no"), ToolCall(id="t", name="f"))]
    with pytest.warns(UnsupportedParameterWarning, match=r"messages\[1\]\.reasoning"):
        client.chat("openai/gpt-4o", ["hi", *history, Message.tool("t", "x")])
    assert [each["role"] for each in sent(httpserver)["messages"]] == ["user", "assistant", "tool"]


def test_a_file_that_a_tool_has_made(client: Client, sdk: Any, httpserver: HTTPServer) -> None:
    path = "/v1/containers/cntr_1/files/cfile_1/content"
    httpserver.expect_request(path, method="GET").respond_with_data(b"\x00\xff", content_type="application/binary")
    assert client.call("openai", "container_file", container="cntr_1", file="cfile_1") == b"\x00\xff"
    assert client.request("openai", "GET", "/containers/cntr_1/files/cfile_1/content").body == b"\x00\xff"
    assert sdk.containers.files.content.retrieve("cfile_1", container_id="cntr_1").content == b"\x00\xff"
    assert len(httpserver.log) == 3
    with pytest.raises(e.InvalidRequestError):
        client.call("openai", "container_file", container="..", file="cfile_1")
