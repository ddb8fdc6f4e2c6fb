"""The Responses API, pictures, sound, judgements, files and batches, held to OpenAI's own SDK."""

from __future__ import annotations

import base64
import json
import re
import warnings
from collections.abc import Callable
from typing import Any

import pytest
from ipfs_accel import Client, Document, EndpointConfig, Image, JsonSchema, Message, Tool
from ipfs_accel import errors as e
from ipfs_accel.types import BatchItem, BlockEnd, ChatRequest, EmbedRequest, Opaque, TextDelta, ToolCall
from pytest_httpserver import HTTPServer
from werkzeug import Request, Response

from conftest import form

openai = pytest.importorskip("openai", reason="OpenAI's SDK is the oracle of these tests")

PNG = b"\x89PNG\r\n\x1a\n0"
WAV = b"RIFF\0\0\0\0WAVEfmt "
PDF = b"%PDF-1.7"
SCHEMA = {"type": "object", "properties": {"a": {"type": "number"}}, "required": ["a"], "additionalProperties": False}
WIRE_TOOL = {"type": "function", "name": "f", "description": "d", "parameters": SCHEMA, "strict": False}
TOOL = Tool(name="f", description="d", parameters=SCHEMA)
STORED = {"store": False, "include": ["reasoning.encrypted_content"]}
THOUGHT = {"type": "reasoning", "id": "rs_1", "summary": [], "encrypted_content": "gAAA"}


def b64(data: bytes) -> str:
    return base64.b64encode(data).decode()


Call = Callable[[Any], Any]


def responses(theirs: dict[str, Any], messages: Any, **options: Any) -> tuple[Call, Call]:
    """The same call to the Responses API; what ours always says is added to theirs."""
    model = options.pop("model", "gpt-5.4-pro")
    return (
        lambda sdk: sdk.responses.create(**{"model": model, **STORED, **theirs}),
        lambda client: client.chat(f"openai/{model}", messages, **options),
    )


USER = [{"role": "user", "content": "hi"}]


def user(*parts: dict[str, Any]) -> dict[str, Any]:
    return {"input": [{"role": "user", "content": list(parts)}]}


RESPONSES: dict[str, tuple[Call, Call]] = {
    "a question": responses({"input": USER}, "hi"),
    "a system and a developer": responses({"input": [{"role": "system", "content": "a"}, {"role": "developer", "content": "b"}, *USER]},
                                          [Message.system("a"), Message(role="developer", content="b"), "hi"]),
    "a limit": responses({"input": USER, "max_output_tokens": 9}, "hi", max_tokens=9),
    "sampling": responses({"input": USER, "temperature": 0.5, "top_p": 0.9}, "hi", temperature=0.5, top_p=0.9, model="gpt-4o",
                          extra={"include": ["reasoning.encrypted_content"]}),
    "effort and summary": responses({"input": USER, "reasoning": {"effort": "high", "summary": "auto"}}, "hi", reasoning_effort="high",
                                    extra={"reasoning": {"summary": "auto"}}),
    "the highest effort": responses({"input": USER, "reasoning": {"effort": "max"}}, "hi", model="gpt-6-sol", reasoning_effort="max"),
    "tools": responses({"input": USER, "tools": [WIRE_TOOL], "parallel_tool_calls": False}, "hi", tools=[TOOL], parallel_tool_calls=False),
    "a choice of tool": responses({"input": USER, "tools": [WIRE_TOOL], "tool_choice": {"type": "function", "name": "f"}}, "hi", tools=[TOOL], tool_choice="f"),
    "a tool that has to be used": responses({"input": USER, "tools": [WIRE_TOOL], "tool_choice": "required"}, "hi", tools=[TOOL], tool_choice="required"),
    "a schema": responses({"input": USER, "text": {"format": {"type": "json_schema", "name": "r", "schema": SCHEMA, "strict": True}}}, "hi",
                          response_format=JsonSchema(name="r", schema=SCHEMA, strict=True)),
    "JSON, tersely": responses({"input": USER, "text": {"format": {"type": "json_object"}, "verbosity": "low"}}, "hi", response_format="json",
                               extra={"text": {"verbosity": "low"}}),
    "a picture": responses(user({"type": "input_text", "text": "?"}, {"type": "input_image", "image_url": f"data:image/png;base64,{b64(PNG)}", "detail": "low"}),
                           Message.user("?", Image(data=PNG, detail="low"))),
    "a picture that is kept": responses(user({"type": "input_image", "file_id": "file-1", "detail": "auto"}), Message.user(Image(file_id="file-1"))),
    "documents": responses(user({"type": "input_file", "filename": "a.pdf", "file_data": f"data:application/pdf;base64,{b64(PDF)}"},
                                {"type": "input_file", "file_id": "file-1"}, {"type": "input_file", "file_url": "https://x.test/a.pdf"}),
                           Message.user(Document(data=PDF, name="a.pdf"), Document(file_id="file-1"), Document(url="https://x.test/a.pdf"))),
    "a tool's history with its thought": responses(
        {"input": [*USER, THOUGHT, {"type": "function_call", "call_id": "c1", "name": "f", "arguments": "{}"}, {"type": "function_call_output", "call_id": "c1", "output": "17"}]},
        ["hi", Message.assistant(Opaque(backend="openai", data=THOUGHT), ToolCall(id="c1", name="f")), Message.tool("c1", "17")]),
    "an answer's history": responses({"input": [*USER, {"type": "message", "role": "assistant", "content": "yes"}, *USER]},
                                     ["hi", Message.assistant("yes"), "hi"]),
    "a conversation that is kept": responses({"input": USER, "store": True, "previous_response_id": "resp_0", "include": openai.NOT_GIVEN}, "hi",
                                             extra={"store": True, "previous_response_id": "resp_0"}),
    "in the background": responses({"input": USER, "background": True, "metadata": {"a": "b"}}, "hi", extra={"background": True, "metadata": {"a": "b"}}),
    "token counts": (lambda sdk: sdk.responses.input_tokens.count(model="gpt-5.4", input=USER, tools=[WIRE_TOOL]),
                     lambda client: client.count_tokens("openai/gpt-5.4", "hi", tools=[TOOL], max_tokens=9)),
}  # fmt: skip

IMAGES: dict[str, tuple[Call, Call]] = {
    "a picture": (lambda sdk: sdk.images.generate(model="gpt-image-2", prompt="a cat"), lambda client: client.generate_image("openai/gpt-image-2", "a cat")),
    "a picture with options": (
        lambda sdk: sdk.images.generate(model="gpt-image-2", prompt="a cat", n=2, size="1024x1024", quality="low", background="opaque", output_format="webp",
                                        output_compression=50, moderation="low", user="u"),
        lambda client: client.generate_image("openai/gpt-image-2", "a cat", n=2, size="1024x1024", quality="low", background="opaque", output_format="webp",
                                             output_compression=50, user="u", extra={"moderation": "low"})),
    "an edit": (lambda sdk: sdk.images.edit(model="gpt-image-2", prompt="a hat", image=("file.png", PNG, "image/png")),
                lambda client: client.edit_image("openai/gpt-image-2", PNG, "a hat")),
    "an edit of several with a mask": (
        lambda sdk: sdk.images.edit(model="gpt-image-2", prompt="a hat", image=[("file.png", PNG, "image/png"), ("file.png", PNG, "image/png")], mask=("file.png", PNG, "image/png"),
                                    n=2, input_fidelity="high"),
        lambda client: client.edit_image("openai/gpt-image-2", [PNG, Image(data=PNG)], "a hat", mask=PNG, n=2, extra={"input_fidelity": "high"})),
}  # fmt: skip

AUDIO: dict[str, tuple[Call, Call]] = {
    "a transcript": (lambda sdk: sdk.audio.transcriptions.create(model="gpt-transcribe", file=("file.wav", WAV, "audio/wav")),
                     lambda client: client.transcribe("openai/gpt-transcribe", WAV)),
    "a transcript with options": (
        lambda sdk: sdk.audio.transcriptions.create(model="whisper-1", file=("file.wav", WAV, "audio/wav"), language="de", prompt="Ada", temperature=0.2,
                                                    response_format="verbose_json", timestamp_granularities=["word", "segment"]),
        lambda client: client.transcribe("openai/whisper-1", WAV, language="de", prompt="Ada", temperature=0.2, timestamps=["word", "segment"])),
    "a transcript with the provider's own": (
        lambda sdk: sdk.audio.transcriptions.create(model="gpt-4o-transcribe", file=("file.wav", WAV, "audio/wav"), include=["logprobs"], chunking_strategy="auto"),
        lambda client: client.transcribe("openai/gpt-4o-transcribe", WAV, extra={"include": ["logprobs"], "chunking_strategy": "auto"})),
    "a translation": (lambda sdk: sdk.audio.translations.create(model="whisper-1", file=("file.wav", WAV, "audio/wav"), prompt="p"),
                      lambda client: client.translate("openai/whisper-1", WAV, prompt="p")),
    "speech": (lambda sdk: sdk.audio.speech.create(model="gpt-4o-mini-tts", input="hello", voice="alloy"),
               lambda client: client.speak("openai/gpt-4o-mini-tts", "hello", voice="alloy")),
    "speech with options": (
        lambda sdk: sdk.audio.speech.create(model="gpt-4o-mini-tts", input="hello", voice="alloy", response_format="wav", speed=1.5, instructions="calm"),
        lambda client: client.speak("openai/gpt-4o-mini-tts", "hello", voice="alloy", output_format="wav", speed=1.5, instructions="calm")),
}  # fmt: skip

OTHERS: dict[str, tuple[Call, Call]] = {
    "a judgement": (lambda sdk: sdk.moderations.create(model="omni-moderation-latest", input="x"), lambda client: client.moderate("openai/omni-moderation-latest", "x")),
    "judgements": (lambda sdk: sdk.moderations.create(model="m", input=["x", "y"]), lambda client: client.moderate("openai/m", ["x", "y"])),
    "a judgement of a picture": (
        lambda sdk: sdk.moderations.create(model="m", input=[{"type": "text", "text": "x"}, {"type": "image_url", "image_url": {"url": "https://x.test/a.png"}}]),
        lambda client: client.moderate("openai/m", [("x", Image(url="https://x.test/a.png"))])),
    "a file": (lambda sdk: sdk.files.create(file=("a.jsonl", b"{}", "application/jsonl"), purpose="batch"),
               lambda client: client.upload_file("openai", b"{}", name="a.jsonl", purpose="batch")),
    "a file for a while": (lambda sdk: sdk.files.create(file=("a.txt", b"x", "text/plain"), purpose="user_data", expires_after={"anchor": "created_at", "seconds": 3600}),
                           lambda client: client.upload_file("openai", b"x", name="a.txt", expires_after=3600)),
    "what is known of a file": (lambda sdk: sdk.files.retrieve("file-1"), lambda client: client.get_file("openai", "file-1")),
    "the end of a file": (lambda sdk: sdk.files.delete("file-1"), lambda client: client.delete_file("openai", "file-1")),
    "a batch's state": (lambda sdk: sdk.batches.retrieve("batch_1"), lambda client: client.get_batch("openai", "batch_1")),
    "a batch's end": (lambda sdk: sdk.batches.cancel("batch_1"), lambda client: client.cancel_batch("openai", "batch_1")),
}  # fmt: skip

RESPONSE: dict[str, Any] = {
    "id": "resp_1", "object": "response", "created_at": 1, "status": "completed", "error": None, "incomplete_details": None, "model": "gpt-5.4-pro-2026-03-05",
    "output": [
        {"type": "reasoning", "id": "rs_1", "summary": [{"type": "summary_text", "text": "First."}, {"type": "summary_text", "text": "Then."}], "encrypted_content": "gAAA"},
        {"type": "message", "id": "msg_1", "role": "assistant", "status": "completed",
         "content": [{"type": "output_text", "text": "Hi there", "annotations": [{"type": "url_citation", "url": "https://x.test", "title": "t", "start_index": 0, "end_index": 2}], "logprobs": []}]},
        {"type": "function_call", "id": "fc_1", "call_id": "call_1", "name": "f", "arguments": '{"a":1}', "status": "completed"}],
    "parallel_tool_calls": True, "tool_choice": "auto", "tools": [], "service_tier": "default", "temperature": 1.0, "top_p": 1.0, "metadata": {},
    "usage": {"input_tokens": 8, "input_tokens_details": {"cached_tokens": 2}, "output_tokens": 20, "output_tokens_details": {"reasoning_tokens": 12}, "total_tokens": 28},
}  # fmt: skip
PICTURES = {"created": 1, "output_format": "png", "data": [{"b64_json": b64(PNG)}], "usage": {"input_tokens": 50, "output_tokens": 4160, "total_tokens": 4210, "input_tokens_details": {"image_tokens": 0, "text_tokens": 50}}}  # fmt: skip
FILE = {"id": "file-1", "object": "file", "bytes": 2, "created_at": 5, "filename": "a.jsonl", "purpose": "batch", "status": "processed", "expires_at": 9}  # fmt: skip
BATCH = {"id": "batch_1", "object": "batch", "endpoint": "/v1/chat/completions", "status": "completed", "input_file_id": "file-1", "output_file_id": "file-2", "error_file_id": "file-3",
         "completion_window": "24h", "created_at": 1, "completed_at": 7, "request_counts": {"total": 3, "completed": 1, "failed": 2}, "metadata": {"a": "b"}}  # fmt: skip
JUDGEMENT = {"flagged": True, "categories": {"harassment": True, "illicit": None}, "category_scores": {"harassment": 0.9}, "category_applied_input_types": {}}  # fmt: skip


HEARD = {"text": "hello", "usage": {"type": "duration", "seconds": 3}}


def answer(request: Request) -> Response:
    """Answer any route as the service does."""
    path = request.path
    if path.endswith("/responses"):
        return _json(RESPONSE)
    if "/images/" in path:
        return _json(PICTURES)
    if "/audio/" in path:
        return _json(HEARD) if not path.endswith("/speech") else Response(WAV, content_type="audio/wav")
    if path.endswith("/moderations"):
        inputs = json.loads(request.get_data())["input"]
        is_several = isinstance(inputs, list) and isinstance(inputs[0], str)
        return _json({"id": "modr-1", "model": "m", "results": [JUDGEMENT] * (len(inputs) if is_several else 1)})
    counted = {"object": "response.input_tokens", "input_tokens": 11}
    return _json(counted if path.endswith("/input_tokens") else BATCH if "/batches" in path else FILE)


def _json(value: Any) -> Response:
    return Response(json.dumps(value), content_type="application/json")


ALL = {**RESPONSES, **IMAGES, **AUDIO, **OTHERS}


@pytest.mark.parametrize("name", ALL)
def test_a_call_is_sent_as_the_sdk_sends_it(name: str, client: Client, sdk: Any, httpserver: HTTPServer) -> None:
    httpserver.expect_request(re.compile(".*")).respond_with_handler(answer)
    theirs, ours = ALL[name]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # the vendor's word on its older routes
        theirs(sdk)
    ours(client)
    expected, actual = [request for request, _ in httpserver.log]
    assert (actual.method, actual.path, actual.query_string) == (expected.method, expected.path, expected.query_string)
    if expected.mimetype == "multipart/form-data":
        assert form(actual) == form(expected)
    elif expected.get_data():
        assert json.loads(actual.get_data()) == json.loads(expected.get_data())
    for header in ("Authorization", "Accept"):
        assert actual.headers.get(header) == expected.headers.get(header), header
    if expected.get_data():
        assert actual.mimetype == expected.mimetype


def events(*data: dict[str, Any]) -> str:
    return "".join(f"event: {each['type']}\ndata: {json.dumps(each)}\n\n" for each in data)


def recorded() -> list[dict[str, Any]]:
    """Return the events of the answer above, in the order in which the service sends them."""
    thought, message, call = RESPONSE["output"]
    text = message["content"][0]
    begun = {**RESPONSE, "status": "in_progress", "output": [], "usage": None}
    found: list[dict[str, Any]] = [
        {"type": "response.created", "response": begun},
        {"type": "response.in_progress", "response": begun},
        {"type": "response.output_item.added", "output_index": 0, "item": {**thought, "summary": []}},
    ]
    for index, part in enumerate(thought["summary"]):
        where = {"item_id": "rs_1", "output_index": 0, "summary_index": index}
        found += [
            {"type": "response.reasoning_summary_part.added", **where, "part": {"type": "summary_text", "text": ""}},
            {"type": "response.reasoning_summary_text.delta", **where, "delta": part["text"]},
            {"type": "response.reasoning_summary_text.done", **where, "text": part["text"]},
            {"type": "response.reasoning_summary_part.done", **where, "part": part},
        ]
    where = {"item_id": "msg_1", "output_index": 1, "content_index": 0}
    found += [
        {"type": "response.output_item.done", "output_index": 0, "item": thought},
        {"type": "response.output_item.added", "output_index": 1, "item": {**message, "content": []}},
        {"type": "response.content_part.added", **where, "part": {**text, "text": ""}},
        {"type": "response.output_text.delta", **where, "delta": "Hi ", "logprobs": []},
        {"type": "response.output_text.delta", **where, "delta": "there", "logprobs": []},
        {
            "type": "response.output_text.annotation.added",
            **where,
            "annotation_index": 0,
            "annotation": text["annotations"][0],
        },
        {"type": "response.output_text.done", **where, "text": "Hi there", "logprobs": []},
        {"type": "response.content_part.done", **where, "part": text},
        {"type": "response.output_item.done", "output_index": 1, "item": message},
        {"type": "response.output_item.added", "output_index": 2, "item": {**call, "arguments": ""}},
        {"type": "response.function_call_arguments.delta", "item_id": "fc_1", "output_index": 2, "delta": '{"a"'},
        {"type": "response.function_call_arguments.delta", "item_id": "fc_1", "output_index": 2, "delta": ":1}"},
        {"type": "response.function_call_arguments.done", "item_id": "fc_1", "output_index": 2, "arguments": '{"a":1}'},
        {"type": "response.output_item.done", "output_index": 2, "item": call},
        {"type": "response.an_event_of_next_year", "output_index": 2},
        {"type": "response.completed", "response": RESPONSE},
    ]
    return [{**event, "sequence_number": number} for number, event in enumerate(found)]


def test_an_answer_of_the_responses_api_says_what_the_sdk_says(
    client: Client, sdk: Any, httpserver: HTTPServer
) -> None:
    httpserver.expect_request("/v1/responses").respond_with_json(RESPONSE)
    theirs = sdk.responses.create(model="gpt-5.4-pro", input="hi")
    reply = client.chat("openai/gpt-5.4-pro", "hi")
    assert (reply.text, reply.id, reply.model) == (theirs.output_text, theirs.id, theirs.model)
    assert reply.reasoning == "First.\n\nThen."
    assert [(call.id, call.name, call.arguments) for call in reply.tool_calls] == [
        (item.call_id, item.name, item.arguments) for item in theirs.output if item.type == "function_call"
    ]
    assert reply.finish_reason == "tool_calls"
    assert reply.usage.input_tokens == theirs.usage.input_tokens
    assert reply.usage.cached_input_tokens == theirs.usage.input_tokens_details.cached_tokens
    assert reply.usage.reasoning_tokens == theirs.usage.output_tokens_details.reasoning_tokens
    assert reply.extra == {"service_tier": "default", "status": "completed"}


def test_a_stream_of_the_responses_api_gives_the_same_answer(client: Client, sdk: Any, httpserver: HTTPServer) -> None:
    body = events(*recorded())

    def respond(request: Request) -> Response:
        is_stream = json.loads(request.get_data()).get("stream")
        return Response(body, content_type="text/event-stream") if is_stream else _json(RESPONSE)

    httpserver.expect_request("/v1/responses").respond_with_handler(respond)
    whole = client.chat("openai/gpt-5.4-pro", "hi")
    with client.stream("openai/gpt-5.4-pro", "hi") as stream:
        got = list(stream)
    assert stream.response == whole
    parts = [event.part for event in got if isinstance(event, BlockEnd)]
    assert parts == list(whole.message.content)
    with sdk.responses.stream(model="gpt-5.4-pro", input="hi") as theirs:
        text = "".join(event.delta for event in theirs if event.type == "response.output_text.delta")
    assert text == "".join(event.text for event in got if isinstance(event, TextDelta)) == "Hi there"


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"status": "incomplete", "incomplete_details": {"reason": "max_output_tokens"}}, "length"),
        ({"status": "incomplete", "incomplete_details": {"reason": "content_filter"}}, "content_filter"),
        ({"status": "incomplete", "incomplete_details": {"reason": "steered"}}, "steered"),
        ({"status": "queued"}, "queued"),
        ({}, "stop"),
    ],
)
def test_why_a_response_ended(change: dict[str, Any], reason: str, client: Client, httpserver: HTTPServer) -> None:
    httpserver.expect_request("/v1/responses").respond_with_json(
        {**RESPONSE, "output": RESPONSE["output"][:2], **change}
    )
    assert client.chat("openai/gpt-5.4-pro", "hi").finish_reason == reason


FAILED = {**RESPONSE, "status": "failed", "output": [], "error": {"code": "rate_limit_exceeded", "message": "too many"}}


def test_a_response_that_failed_with_status_200_is_an_error(client: Client, httpserver: HTTPServer) -> None:
    def respond(request: Request) -> Response:
        if not json.loads(request.get_data()).get("stream"):
            return _json(FAILED)
        return Response(events({"type": "response.failed", "response": FAILED}), content_type="text/event-stream")

    httpserver.expect_request("/v1/responses").respond_with_handler(respond)
    with pytest.raises(e.RateLimitError, match="too many"):
        client.chat("openai/gpt-5.4-pro", "hi")
    with pytest.raises(e.RateLimitError, match="too many"), client.stream("openai/gpt-5.4-pro", "hi") as stream:
        list(stream)


def test_an_error_event_of_a_response_is_flat(client: Client, httpserver: HTTPServer) -> None:
    body = events(recorded()[0], {"type": "error", "code": "server_error", "message": "broken", "param": None})
    httpserver.expect_request("/v1/responses").respond_with_data(body, content_type="text/event-stream")
    with pytest.raises(e.InternalServerError, match="broken"), client.stream("openai/gpt-5.4-pro", "hi") as stream:
        list(stream)


@pytest.mark.parametrize("count", range(1, len(recorded())))
def test_a_response_that_is_cut_is_incomplete(count: int, client: Client, httpserver: HTTPServer) -> None:
    body = events(*recorded()[:count])
    httpserver.expect_request("/v1/responses").respond_with_data(body, content_type="text/event-stream")
    with pytest.raises(e.StreamIncomplete), client.stream("openai/gpt-5.4-pro", "hi") as stream:
        list(stream)


def test_options_that_the_responses_api_lacks_are_reported(client: Client) -> None:
    with pytest.raises(e.UnsupportedParameterError, match="seed"):
        client.chat("openai/gpt-5.4-pro", "hi", n=2, seed=1)


@pytest.mark.parametrize(("api", "path"), [("chat", "/v1/chat/completions"), ("responses", "/v1/responses")])
def test_which_api_makes_chats_is_a_setting(api: str, path: str, hosted: str, httpserver: HTTPServer) -> None:
    httpserver.expect_request(path).respond_with_json({"error": {"message": "seen"}}, status=418)
    endpoint = EndpointConfig(base_url=hosted, key="sk-test", options={"api": api})
    with Client(endpoints={"openai": endpoint}) as client, pytest.raises(e.APIStatusError, match="seen"):
        client.chat("openai/gpt-5.4-pro", "hi")


def test_pictures(client: Client, sdk: Any, httpserver: HTTPServer) -> None:
    httpserver.expect_request("/v1/images/generations").respond_with_json(PICTURES)
    theirs = sdk.images.generate(model="gpt-image-2", prompt="a cat")
    ours = client.generate_image("openai/gpt-image-2", "a cat")
    assert ours.images[0].data == base64.b64decode(theirs.data[0].b64_json) == PNG
    assert (ours.images[0].media_type, ours.usage.image_output_tokens, ours.usage.input_tokens) == (
        "image/png",
        4160,
        50,
    )


def test_pictures_of_older_servers_come_as_urls(client: Client, httpserver: HTTPServer) -> None:
    httpserver.expect_request("/v1/images/generations").respond_with_json(
        {"created": 1, "data": [{"url": "https://x.test/a.png", "revised_prompt": "a big cat"}]}
    )
    picture = client.generate_image("openai/dall-e", "a cat").images[0]
    assert (picture.url, picture.revised_prompt, picture.data) == ("https://x.test/a.png", "a big cat", None)
    with pytest.raises(ValueError, match="URL"):
        picture.save("x.png")


@pytest.mark.parametrize("kind", ["image_generation", "image_edit"])
def test_a_stream_of_pictures(kind: str, client: Client, httpserver: HTTPServer) -> None:
    body = events(
        {
            "type": f"{kind}.partial_image",
            "b64_json": b64(PNG + b"1"),
            "partial_image_index": 0,
            "output_format": "png",
        },
        {"type": f"{kind}.completed", "b64_json": b64(PNG), "output_format": "png", "usage": PICTURES["usage"]},
    )
    httpserver.expect_request(re.compile("/v1/images/.*")).respond_with_data(body, content_type="text/event-stream")
    stream = (
        client.stream_image("openai/gpt-image-2", "a cat", partial_images=1)
        if kind == "image_generation"
        else client.stream_image_edit("openai/gpt-image-2", [PNG], "a cat", partial_images=1)
    )
    with stream:
        assert [event.data for event in stream] == [PNG + b"1"]
    assert stream.response.images[0].data == PNG
    request = httpserver.log[0][0]
    sent = json.loads(request.get_data()) if kind == "image_generation" else dict(form(request)[0])
    assert (str(sent["stream"]).lower(), int(sent["partial_images"])) == ("true", 1)


def test_pictures_elsewhere_are_edited_by_reference(client: Client, httpserver: HTTPServer) -> None:
    httpserver.expect_request("/v1/images/edits").respond_with_json(PICTURES)
    client.edit_image("openai/gpt-image-2", ["https://x.test/a.png", Image(file_id="file-1")], "a hat", mask=PNG)
    sent = json.loads(httpserver.log[0][0].get_data())
    assert sent["images"] == [{"image_url": "https://x.test/a.png"}, {"file_id": "file-1"}]
    assert sent["mask"] == {"image_url": f"data:image/png;base64,{b64(PNG)}"}


def test_variations_have_ended_at_openai_but_not_elsewhere(client: Client, httpserver: HTTPServer) -> None:
    with pytest.raises(e.UnsupportedOperationError, match="2026-05-12"):
        client.vary_image("openai/dall-e-2", PNG)
    httpserver.expect_request("/v2/images/variations").respond_with_json(PICTURES)
    endpoint = EndpointConfig(backend="openai", base_url=httpserver.url_for("/v2"), key="sk-test")
    with pytest.MonkeyPatch.context() as patch, Client(endpoints={"other": endpoint}) as other:
        patch.setattr("ipfs_accel_openai._rules.is_hosted", lambda _endpoint: False)
        assert other.vary_image("other/m", PNG, n=2).images[0].data == PNG
    fields, files = form(httpserver.log[0][0])
    assert fields == [("model", "m"), ("n", "2")]
    assert files == [("image", "file.png", "image/png", PNG)]


VERBOSE = {"task": "transcribe", "language": "english", "duration": "3.5", "text": "hello you",
           "segments": [{"id": 0, "start": 0.0, "end": 3.5, "text": "hello you", "tokens": [1]}], "words": [{"word": "hello", "start": 0, "end": 1}]}  # fmt: skip
DIARIZED = {"task": "transcribe", "duration": 3, "text": "hello",
            "segments": [{"type": "transcript.text.segment", "id": "s", "speaker": "A", "start": 0, "end": 3, "text": "hello"}]}  # fmt: skip


def test_transcripts(client: Client, httpserver: HTTPServer) -> None:
    httpserver.expect_ordered_request("/v1/audio/transcriptions").respond_with_json(VERBOSE)
    httpserver.expect_ordered_request("/v1/audio/transcriptions").respond_with_json(DIARIZED)
    httpserver.expect_ordered_request("/v1/audio/transcriptions").respond_with_data(
        "1\n00:00\n\n", content_type="text/plain"
    )
    verbose = client.transcribe("openai/whisper-1", WAV, timestamps="word")
    assert (verbose.text, verbose.language, verbose.duration) == ("hello you", "english", 3.5)
    assert [(each.start, each.end, each.text) for each in verbose.words] == [(0.0, 1.0, "hello")]
    assert verbose.cost == pytest.approx(0.00035)
    diarized = client.transcribe("openai/gpt-4o-transcribe-diarize", WAV, response_format="diarized_json")
    assert [each.speaker for each in diarized.segments] == ["A"]
    assert client.transcribe("openai/whisper-1", WAV, response_format="srt").text == "1\n00:00\n\n"


def test_a_transcript_while_it_comes(client: Client, httpserver: HTTPServer) -> None:
    usage = {"type": "tokens", "input_tokens": 5, "output_tokens": 2, "input_token_details": {"audio_tokens": 5}}
    body = events(
        {"type": "transcript.text.delta", "delta": "hel"},
        {"type": "transcript.text.segment", "id": "s", "speaker": "A", "start": 0, "end": 1, "text": "hel"},
        {"type": "transcript.text.delta", "delta": "lo"},
        {"type": "transcript.text.done", "text": "hello", "usage": usage},
    )
    httpserver.expect_request("/v1/audio/transcriptions").respond_with_data(body, content_type="text/event-stream")
    with client.stream_transcribe("openai/gpt-transcribe", WAV) as stream:
        assert "".join(stream.text_stream) == "hello"
    assert (stream.response.text, stream.response.usage.audio_input_tokens) == ("hello", 5)
    assert [each.speaker for each in stream.response.segments] == ["A"]
    assert ("stream", "true") in form(httpserver.log[0][0])[0]
    with pytest.raises(e.InvalidRequestError, match="whisper-1 does not stream"):
        client.stream_transcribe("openai/whisper-1", WAV).read()


def test_a_transcript_that_is_cut(client: Client, httpserver: HTTPServer) -> None:
    body = events({"type": "transcript.text.delta", "delta": "hel"})
    httpserver.expect_request("/v1/audio/transcriptions").respond_with_data(body, content_type="text/event-stream")
    with pytest.raises(e.StreamIncomplete), client.stream_transcribe("openai/gpt-transcribe", WAV) as stream:
        list(stream)


def test_speech_as_it_comes_and_as_events(client: Client, httpserver: HTTPServer) -> None:
    sound = bytes(range(256)) * 1000
    pieces = events(
        {"type": "speech.audio.delta", "audio": b64(b"abc")},
        {"type": "speech.audio.delta", "audio": b64(b"def")},
        {"type": "speech.audio.done", "usage": {"input_tokens": 3, "output_tokens": 9}},
    )

    def respond(request: Request) -> Response:
        if json.loads(request.get_data()).get("stream_format") == "sse":
            return Response(pieces, content_type="text/event-stream")
        return Response(sound, content_type="audio/mpeg")

    httpserver.expect_request("/v1/audio/speech").respond_with_handler(respond)
    with client.stream_speak("openai/gpt-4o-mini-tts", "hello", voice="alloy") as stream:
        assert b"".join(event.data for event in stream) == sound
    assert (stream.response.data, stream.response.media_type) == (sound, "audio/mpeg")
    with client.stream_speak(
        "openai/gpt-4o-mini-tts", "hello", voice="alloy", extra={"stream_format": "sse"}
    ) as stream:
        assert [event.data for event in stream] == [b"abc", b"def"]
    assert (stream.response.data, stream.response.usage.output_tokens) == (b"abcdef", 9)
    assert client.speak("openai/gpt-4o-mini-tts", "hello", voice="alloy").media_type == "audio/mpeg"


def test_an_error_instead_of_speech(client: Client, httpserver: HTTPServer) -> None:
    httpserver.expect_request("/v1/audio/speech").respond_with_json({"error": {"message": "no voice"}})
    with pytest.raises(e.APIStatusError, match="no voice"):
        client.speak("openai/tts-1", "hello", voice="alloy")
    with pytest.raises(e.APIStatusError, match="no voice"):
        client.stream_speak("openai/tts-1", "hello", voice="alloy").read()


def test_judgements(client: Client, httpserver: HTTPServer) -> None:
    httpserver.expect_request("/v1/moderations").respond_with_handler(answer)
    found = client.moderate("openai/omni-moderation-latest", ["x", ("y", Image(data=PNG))])
    assert [result.flagged for result in found.results] == [True, True]
    assert found.results[0].categories == {"harassment": True}
    assert found.results[0].scores == {"harassment": 0.9}
    assert [len(raw["results"]) for raw in found.raw] == [1, 1]
    assert [json.loads(request.get_data())["input"][0]["type"] for request, _ in httpserver.log] == ["text", "text"]


def test_files(client: Client, sdk: Any, httpserver: HTTPServer, tmp_path: Any) -> None:
    content = bytes(range(256)) * 3000
    httpserver.expect_request("/v1/files", method="POST").respond_with_json(FILE)
    httpserver.expect_request("/v1/files/file-1/content").respond_with_data(content, content_type="application/json")
    source = tmp_path / "big.jsonl"
    source.write_bytes(content)
    info = client.upload_file("openai", source, purpose="batch")
    assert (info.id, info.size, info.created, info.expires, info.status) == ("file-1", 2, 5, 9, "processed")
    assert form(httpserver.log[0][0])[1] == [("file", "big.jsonl", "application/jsonl", content)]
    assert client.download_file("openai", "file-1", tmp_path / "copy").size == len(content)
    assert (tmp_path / "copy").read_bytes() == content == sdk.files.content("file-1").read()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["big.jsonl", "copy"]


def test_a_list_of_files_goes_on_from_page_to_page(client: Client, httpserver: HTTPServer) -> None:
    def page(request: Request) -> Response:
        after = request.args.get("after")
        ids = {"": ["a", "b"], "b": ["c", "d"], "d": ["e"]}[after or ""]
        data = [{**FILE, "id": each} for each in ids]
        return _json({"object": "list", "data": data, "last_id": ids[-1], "has_more": after != "d"})

    httpserver.expect_request("/v1/files").respond_with_handler(page)
    assert [file.id for file in client.list_files("openai")] == ["a", "b", "c", "d", "e"]
    assert [file.id for file in client.list_files("openai", limit=3)] == ["a", "b", "c"]


def test_a_batch_from_its_making_to_its_results(client: Client, httpserver: HTTPServer) -> None:
    done = json.loads(json.dumps(CHAT))
    lines = [
        {"id": "r1", "custom_id": "b", "response": {"status_code": 200, "request_id": "x", "body": done}, "error": None}
    ]
    failed = [
        {"id": "r2", "custom_id": "a", "response": {"status_code": 400, "body": {"error": {"message": "bad", "type": "invalid_request_error"}}}, "error": None},
        {"id": "r3", "custom_id": "c", "response": None, "error": {"code": "batch_expired", "message": "too late"}},
    ]  # fmt: skip
    httpserver.expect_request("/v1/files", method="POST").respond_with_json(FILE)
    httpserver.expect_request("/v1/batches", method="POST").respond_with_json({**BATCH, "status": "validating"})
    httpserver.expect_request("/v1/batches/batch_1").respond_with_json(BATCH)
    for name, content in (("file-2", lines), ("file-3", failed)):
        text = "".join(json.dumps(line) + "\n" for line in content)
        httpserver.expect_request(f"/v1/files/{name}/content").respond_with_data(
            text, content_type="application/octet-stream"
        )
    batch = client.create_batch("openai/gpt-4o", {"a": "hi", "b": "ho", "c": "he"}, max_tokens=5, metadata={"a": "b"})
    assert (batch.id, batch.status, batch.is_over, batch.metadata) == ("batch_1", "validating", False, {"a": "b"})
    _, [(_, name, _, content)] = form(httpserver.log[0][0])
    assert name == "batch.jsonl"
    assert json.loads(content.splitlines()[0]) == {
        "custom_id": "a", "method": "POST", "url": "/v1/chat/completions",
        "body": {"model": "gpt-4o", "messages": USER, "max_completion_tokens": 5},
    }  # fmt: skip
    assert json.loads(httpserver.log[1][0].get_data()) == {
        "input_file_id": "file-1", "endpoint": "/v1/chat/completions", "completion_window": "24h", "metadata": {"a": "b"},
    }  # fmt: skip
    with client.batch_results("openai", "batch_1") as stream:
        results = {result.id: result for result in stream}
    assert results["b"].response.text == "Hello"
    assert isinstance(results["a"].error, e.BadRequestError)
    assert "too late" in str(results["c"].error)
    assert (stream.response.succeeded, stream.response.failed) == (1, 2)


def test_results_before_a_batch_is_over_and_without_any(client: Client, httpserver: HTTPServer) -> None:
    httpserver.expect_ordered_request("/v1/batches/b").respond_with_json({**BATCH, "status": "in_progress"})
    httpserver.expect_ordered_request("/v1/batches/b").respond_with_json(
        {**BATCH, "output_file_id": None, "error_file_id": None}
    )
    with pytest.raises(e.ConflictError, match="in_progress"):
        client.batch_results("openai", "b").read()
    assert client.batch_results("openai", "b").read().succeeded == 0


def test_a_batch_of_embeddings_is_sent_to_their_route(client: Client, httpserver: HTTPServer) -> None:
    httpserver.expect_request("/v1/files").respond_with_json(FILE)
    httpserver.expect_request("/v1/batches").respond_with_json(BATCH)
    client.create_batch("openai/text-embedding-3-small", [BatchItem(id="a", request=EmbedRequest(inputs=("x",)))])
    assert json.loads(httpserver.log[1][0].get_data())["endpoint"] == "/v1/embeddings"
    mixed = [
        BatchItem(id="a", request=EmbedRequest(inputs=("x",))),
        BatchItem(id="b", request=ChatRequest(messages=())),
    ]
    with pytest.raises(e.InvalidRequestError, match="one kind"):
        client.create_batch("openai/m", mixed)
    with pytest.raises(e.InvalidRequestError, match="'a' is there twice"):
        client.create_batch("openai/m", [mixed[0], mixed[0]])


CHAT = {"id": "c", "object": "chat.completion", "model": "gpt-4o", "choices": [{"index": 0, "message": {"role": "assistant", "content": "Hello"}, "finish_reason": "stop"}],
        "usage": {"prompt_tokens": 1, "completion_tokens": 1}}  # fmt: skip


def test_files_that_openai_would_refuse_are_not_sent(client: Client, httpserver: HTTPServer, tmp_path: Any) -> None:
    big = tmp_path / "big.wav"
    with big.open("wb") as file:
        file.truncate(26 << 20)
    huge = tmp_path / "huge.jsonl"
    with huge.open("wb") as file:
        file.truncate(8193 << 20)
    for call, message in (
        (lambda: client.transcribe("openai/m", big), "audio: it has 26 MiB, and OpenAI takes up to 25"),
        (lambda: client.transcribe("openai/m", b"what"), "has no extension that OpenAI takes"),
        (lambda: client.upload_file("openai", huge), "file: it has 8193 MiB, and OpenAI takes up to 8192"),
        (lambda: client.edit_image("openai/m", [PNG] * 17, "x"), "images: OpenAI takes up to 16"),
        (lambda: client.edit_image("openai/m", b"GIF89a", "x"), r"images\[0\]: OpenAI takes png, webp and jpeg"),
        (lambda: client.edit_image("openai/m", PNG, "x", mask=PNG + bytes(5 << 20)), "mask: it has 5 MiB"),
        (lambda: client.embed("openai/m", ["x", ""]), r"inputs\[1\]: it is empty"),
    ):
        with pytest.raises(e.InvalidRequestError, match=message):
            call()
    assert not httpserver.log


def test_what_a_batch_cannot_honour_is_refused_or_warned_about(client: Client, httpserver: HTTPServer) -> None:
    with pytest.raises(e.UnsupportedParameterError, match="top_k"):
        client.create_batch("openai/gpt-4o", {"a": "hi"}, top_k=4)
    assert not httpserver.log


@pytest.mark.parametrize("text", ["", "\n"], ids=["nothing", "an empty line"])
def test_what_failed_is_told_where_nothing_was_answered(client: Client, httpserver: HTTPServer, text: str) -> None:
    counts = {"total": 1, "completed": 0, "failed": 1}
    state = {**BATCH, "status": "completed", "output_file_id": "o", "error_file_id": "f", "request_counts": counts}
    line = {"custom_id": "a", "response": None, "error": {"code": "batch_expired", "message": "too late"}}
    httpserver.expect_request("/v1/batches/b").respond_with_json(state)
    httpserver.expect_request("/v1/files/f/content").respond_with_data(json.dumps(line))
    httpserver.expect_request("/v1/files/o/content").respond_with_data(text)
    with client.batch_results("openai", "b") as stream:
        results = list(stream)
    assert [(result.id, result.error.code) for result in results] == [("a", "batch_expired")]
    assert (stream.response.succeeded, stream.response.failed) == (0, 1)


def test_results_that_do_not_come_are_missed(client: Client, httpserver: HTTPServer) -> None:
    counts = {"total": 1, "completed": 1, "failed": 0}
    state = {**BATCH, "status": "completed", "output_file_id": "o", "error_file_id": None, "request_counts": counts}
    httpserver.expect_request("/v1/batches/b").respond_with_json(state)
    httpserver.expect_request("/v1/files/o/content").respond_with_data("")
    with pytest.raises(e.StreamIncomplete, match="0 of 1"):
        client.batch_results("openai", "b").read()
