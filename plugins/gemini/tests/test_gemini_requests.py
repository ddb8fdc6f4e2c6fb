"""What is refused before anything is sent, what is left out and named, and what the other operations send and read."""

from __future__ import annotations

import base64
import json
import re
import struct
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import anyio
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
    ModelOverride,
    Tool,
)
from ipfs_accel import errors as e
from ipfs_accel.types import (
    BatchItem,
    CompletionRequest,
    DataDelta,
    EmbedRequest,
    PartialImage,
    Text,
    ToolCall,
    ToolResult,
)
from ipfs_accel_gemini import part
from pytest_httpserver import HTTPServer
from werkzeug import Request, Response

from conftest import sent

NEW, OLD, FLASH = "gemini-3.1-pro-preview", "gemini-2.5-flash", "gemini-3.8-flash"
ANY = re.compile(".*")
PNG = b"\x89PNG\r\n\x1a\n0"
ANSWER = {"candidates": [{"content": {"role": "model", "parts": [{"text": "ho"}]}, "finishReason": "STOP"}]}
ASKED = ToolCall(id="fc1", name="f")
AGAIN = ToolCall(id="fc2", name="f")
TOOL = Tool(name="f")


@pytest.fixture
def client(httpserver: HTTPServer) -> Iterator[Client]:
    with Client(endpoints={"gemini": EndpointConfig(base_url=httpserver.url_for("/"), key="k")}) as client:
        yield client


@pytest.fixture(autouse=True)
def _no_environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in (
        "GEMINI_API_KEY",
        "GOOGLE_API_KEY",
        "GOOGLE_GEMINI_BASE_URL",
        "GOOGLE_CLOUD_PROJECT",
        "GOOGLE_CLOUD_LOCATION",
    ):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))


def test_without_a_key_nothing_is_sent() -> None:
    with Client() as client:
        calls = (
            lambda: client.chat(f"gemini/{FLASH}", "hi"),
            lambda: client.stream(f"gemini/{FLASH}", "hi").read(),
            lambda: client.embed("gemini/gemini-embedding-2", "hi"),
            lambda: client.upload_file("gemini", b"hi"),
            lambda: client.list_models("gemini"),
        )
        for call in calls:
            with pytest.raises(e.MissingKeyError, match="endpoint 'gemini' needs a key") as caught:
                call()
            hint = "set the environment variable GEMINI_API_KEY or GOOGLE_API_KEY, or run: ipfs-accel keys set gemini"
            assert caught.value.hint == hint


def test_the_first_variable_wins(monkeypatch: pytest.MonkeyPatch, httpserver: HTTPServer) -> None:
    httpserver.expect_request(ANY).respond_with_json(ANSWER)
    monkeypatch.setenv("GOOGLE_GEMINI_BASE_URL", httpserver.url_for("/v1beta"))
    monkeypatch.setenv("GOOGLE_API_KEY", "second")
    with Client() as client:
        client.chat(f"gemini/{FLASH}", "hi")
    monkeypatch.setenv("GEMINI_API_KEY", "first")
    with Client() as client:
        client.chat(f"gemini/{FLASH}", "hi")
    assert [request.headers["x-goog-api-key"] for request, _ in httpserver.log] == ["second", "first"]
    assert httpserver.log[0][0].path == f"/v1beta/models/{FLASH}:generateContent"


REFUSED: list[tuple[str, Any, dict[str, Any]]] = [
    ("needs at least one", [Message.system("s")], {}),
    ("needs at least one", [Message.user("")], {}),
    (r"messages\[0\]: tool_call_id: 'x' is no call of a message before", [Message.tool("x", "17")], {}),
    (r"messages\[2\]: .*'fc1' has no result", ["hi", Message.assistant(ASKED, AGAIN), Message.tool("fc2", "17")], {}),
    (r"messages\[1\]: tool_calls: Gemini takes arguments as an object", ["hi", Message.assistant(ToolCall(id="a", name="f", arguments="[1]"))], {}),
    ("image: Gemini takes PNG, JPEG, WebP, HEIC and HEIF, not image/gif", Message.user(Image(data=b"GIF89a")), {}),
    ("document: Gemini takes PDF and text, not application/zip", Message.user(Document(data=b"PK\3\4", media_type="application/zip")), {}),
    ("tool_choice: 'required' demands a call, and there are no tools", "hi", {"tool_choice": "required"}),
    (r"tools\[0\]: Gemini takes names of 1 to 128 .* not 'wetter_für'", "hi", {"tools": [Tool(name="wetter_für")]}),
    (r"tools\[1\]: Gemini takes names .* that begin with a letter or '_', not '1f'", "hi", {"tools": [TOOL, Tool(name="1f")]}),
    (r"tools\[0\]: Gemini takes names .* of 129 letters", "hi", {"tools": [Tool(name="f" * 129)]}),
    (r"messages\[1\]: tool_calls: .*nested too deeply", ["hi", Message.assistant(ToolCall(id="a", name="f", arguments='{"a":' * 50_000 + "1" + "}" * 50_000))], {}),
    (r"messages\[0\]\.content\[0\]\.text: it has half a character", "a\ud83d", {}),
    (r"extra\['cachedContent'\]: .* has no systemInstruction and tools of its own", [Message.system("s"), "hi"], {"tools": [TOOL], "extra": {"cachedContent": "c"}}),
    (r"extra\['modelArmorConfig'\]: only Vertex AI has it", "hi", {"extra": {"modelArmorConfig": {}}}),
    (r"extra\['safetySettings.method'\]: only Vertex AI", "hi", {"extra": {"safetySettings": [{"method": "SEVERITY"}]}}),
    (r"extra\['generationConfig'\]: responseSchema and responseJsonSchema", "hi",
     {"response_format": JsonSchema(schema={"type": "object"}), "extra": {"generationConfig": {"responseSchema": {"type": "OBJECT"}}}}),
    (r"extra\['generationConfig'\]: responseSchema needs responseMimeType", "hi", {"extra": {"generationConfig": {"responseSchema": {"type": "OBJECT"}}}}),
    (r"extra\['generationConfig'\]: thinkingLevel and thinkingBudget", "hi", {"extra": {"generationConfig": {"thinkingConfig": {"thinkingLevel": "low", "thinkingBudget": 1}}}}),
]  # fmt: skip


@pytest.mark.parametrize(("message", "messages", "options"), REFUSED)
def test_what_would_be_refused_is_not_sent(
    message: str, messages: Any, options: dict[str, Any], client: Client, httpserver: HTTPServer
) -> None:
    with pytest.raises(e.InvalidRequestError, match=message):
        client.chat(f"gemini/{NEW}", messages, **options)
    assert not httpserver.log


def test_names_that_only_gemini_takes(client: Client, httpserver: HTTPServer) -> None:
    httpserver.expect_request(ANY).respond_with_json(ANSWER)
    names = ["_f", "a.b:c-d", "f" * 128]
    client.chat(f"gemini/{NEW}", "hi", tools=[Tool(name=name) for name in names])
    (tools,) = json.loads(httpserver.log[0][0].get_data())["tools"]
    assert [each["name"] for each in tools["functionDeclarations"]] == names


def test_files_that_are_too_large_have_a_way_out(client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ipfs_accel_gemini._requests.MAX_INLINE_BYTES", 9)
    with pytest.raises(e.InvalidRequestError, match="12 bytes as base64") as caught:
        client.chat(f"gemini/{NEW}", Message.user(Audio(data=b"ID3 12345", media_type="audio/mpeg")))
    assert "upload_file" in str(caught.value.hint)
    monkeypatch.setattr("ipfs_accel_gemini._parts.MAX_PDF_BYTES", 8)
    with pytest.raises(e.InvalidRequestError, match="document: it has 9 bytes") as caught:
        client.chat(f"gemini/{NEW}", Message.user(Document(data=b"%PDF-1.7\n")))
    assert "upload_file" in str(caught.value.hint)


UNSUPPORTED: list[tuple[str, dict[str, Any], str]] = [
    (FLASH, {"temperature": 0.5, "top_p": 0.5, "top_k": 1}, "temperature, top_p, top_k"),
    (NEW, {"logit_bias": {"1": 1.0}, "user": "u"}, "logit_bias, user"),
    (NEW, {"parallel_tool_calls": False, "tools": [TOOL]}, "parallel_tool_calls"),
    (FLASH, {"reasoning_effort": "minimal"}, "reasoning_effort"),
    (NEW, {"reasoning_effort": "none"}, "reasoning_effort"),
    ("gemini-2.5-pro", {"reasoning_effort": "none"}, "reasoning_effort"),
]


@pytest.mark.parametrize(("model", "options", "names"), UNSUPPORTED)
def test_what_a_model_does_not_take_is_named_and_left_out(
    model: str, options: dict[str, Any], names: str, client: Client, httpserver: HTTPServer
) -> None:
    httpserver.expect_request(ANY).respond_with_json(ANSWER)
    with pytest.raises(e.UnsupportedParameterError, match=f"cannot honour: {names}"):
        client.chat(f"gemini/{model}", "hi", **options)
    with pytest.warns(UserWarning, match=f"cannot honour: {names}"):
        client.chat(f"gemini/{model}", "hi", on_unsupported="warn", **options)
    assert "generationConfig" not in sent(httpserver)


def test_calls_that_another_model_made_get_the_stand_in(client: Client, httpserver: HTTPServer) -> None:
    httpserver.expect_request(ANY).respond_with_json(ANSWER)
    history = ["hi", Message.assistant(ASKED, AGAIN), Message.tool("fc2", "2"), Message.tool("fc1", "1")]
    client.chat(f"gemini/{NEW}", history)
    calls, results = [content["parts"] for content in sent(httpserver)["contents"][1:]]
    assert [each.get("thoughtSignature") for each in calls] == ["skip_thought_signature_validator", None]
    assert [each["functionResponse"]["response"] for each in results] == [{"output": "1"}, {"output": "2"}]
    client.chat(f"gemini/{OLD}", history)
    assert "thoughtSignature" not in sent(httpserver)["contents"][1]["parts"][0]


def test_results_of_calls_with_one_id_name_their_tools_in_order(client: Client, httpserver: HTTPServer) -> None:
    httpserver.expect_request(ANY).respond_with_json(ANSWER)
    calls = [ToolCall(id="c", name=name) for name in ("q", "r")]
    client.chat(f"gemini/{NEW}", ["hi", Message.assistant(*calls), Message.tool("c", "1"), Message.tool("c", "2")])
    results = [each["functionResponse"] for each in sent(httpserver)["contents"][2]["parts"]]
    assert [(each["name"], each["response"]["output"]) for each in results] == [("q", "1"), ("r", "2")]
    assert len({each["id"] for each in results}) == 2


def test_a_result_is_always_an_object(client: Client, httpserver: HTTPServer) -> None:
    httpserver.expect_request(ANY).respond_with_json(ANSWER)
    for text, wanted in (("17", "17"), ("[1]", [1]), ('{"a": 1}', {"a": 1}), ("{oops", "{oops"), ("", "")):
        client.chat(
            f"gemini/{NEW}",
            ["hi", Message.assistant(ASKED), Message.user(ToolResult(tool_call_id="fc1", content=text))],
        )
        assert sent(httpserver)["contents"][2]["parts"][0]["functionResponse"]["response"] == {"output": wanted}


def test_a_url_is_passed_on_and_not_fetched(client: Client, httpserver: HTTPServer) -> None:
    httpserver.expect_request(ANY).respond_with_json(ANSWER)
    url = httpserver.url_for("/a.png?size=1")
    client.chat(f"gemini/{NEW}", Message.user(Image(url=url)))
    assert sent(httpserver)["contents"][0]["parts"] == [{"fileData": {"mimeType": "image/png", "fileUri": url}}]
    assert len(httpserver.log) == 1


def test_a_part_with_fields_of_its_own() -> None:
    made = part(Text(text="hi"), thoughtSignature="s")
    assert made.data == {"text": "hi", "thoughtSignature": "s"}
    with pytest.raises(e.InvalidRequestError, match="nothing in it"):
        part(Text(text=""))
    with pytest.raises(e.InvalidRequestError, match="no call of a message before"):
        part(ToolResult(tool_call_id="x", content="17"))


def test_counts_include_instructions_and_tools(client: Client, httpserver: HTTPServer) -> None:
    httpserver.expect_request(ANY).respond_with_json({"totalTokens": 31})
    assert client.count_tokens(f"gemini/{NEW}", [Message.system("s"), "hi"], tools=[TOOL]).input_tokens == 31
    assert sent(httpserver) == {
        "generateContentRequest": {
            "model": f"models/{NEW}",
            "contents": [{"role": "user", "parts": [{"text": "hi"}]}],
            "systemInstruction": {"role": "user", "parts": [{"text": "s"}]},
            "tools": [{"functionDeclarations": [{"name": "f"}]}],
        }
    }


# vectors


def test_many_texts_go_in_several_requests(client: Client, httpserver: HTTPServer) -> None:
    def respond(request: Request) -> Response:
        texts = [each["content"]["parts"][0]["text"] for each in json.loads(request.get_data())["requests"]]
        body = {
            "embeddings": [{"values": [float(each)]} for each in texts],
            "usageMetadata": {"promptTokenCount": len(texts)},
        }
        return Response(json.dumps(body), content_type="application/json")

    httpserver.expect_request(ANY).respond_with_handler(respond)
    reply = client.embed("gemini/gemini-embedding-2", [str(number) for number in range(250)])
    assert [list(each) for each in reply.vectors] == [[number] for number in range(250)]
    assert (reply.usage.input_tokens, len(httpserver.log)) == (250, 3)
    request = json.loads(httpserver.log[0][0].get_data())["requests"][0]
    assert request["model"] == "models/gemini-embedding-2"


def test_shortened_vectors_get_back_the_length_1(client: Client, httpserver: HTTPServer) -> None:
    httpserver.expect_request(ANY).respond_with_json({"embeddings": [{"values": [3, 4]}]})
    assert list(client.embed("gemini/gemini-embedding-001", "a", dimensions=2).vectors[0]) == pytest.approx([0.6, 0.8])
    assert list(client.embed("gemini/gemini-embedding-001", "a").vectors[0]) == [3, 4]
    assert list(client.embed("gemini/gemini-embedding-2", "a", dimensions=2).vectors[0]) == [3, 4]


def test_what_is_no_text_has_no_vector(client: Client, httpserver: HTTPServer) -> None:
    with pytest.raises(
        e.InvalidRequestError, match=r"inputs\[1\]: Gemini embeds texts, and this is a list of token ids"
    ):
        client.embed("gemini/gemini-embedding-2", ["a", [1, 2]])
    httpserver.expect_request(ANY).respond_with_json({"embeddings": [{"values": [1]}]})
    with pytest.raises(e.InvalidResponseError, match="1 vectors for 2 inputs"):
        client.embed("gemini/gemini-embedding-2", ["a", "b"])


# pictures and speech


def picture(data: bytes, **more: Any) -> dict[str, Any]:
    return {"inlineData": {"mimeType": "image/png", "data": base64.b64encode(data).decode()}, **more}


def made(*parts: dict[str, Any], reason: str | None = "STOP") -> dict[str, Any]:
    return {"candidates": [{"content": {"parts": list(parts)}, **({"finishReason": reason} if reason else {})}]}


def sse(*bodies: Any) -> str:
    return "".join(f"data: {json.dumps(body)}\r\n\r\n" for body in bodies)


def test_pictures_that_are_tried_out_come_before_the_last(client: Client, httpserver: HTTPServer) -> None:
    body = sse(made(picture(b"1", thought=True), reason=None), made({"text": "see"}, reason=None), made(picture(b"2")))
    httpserver.expect_request(ANY).respond_with_data(body, content_type="text/event-stream")
    with client.stream_image("gemini/gemini-3-pro-image", "a cat", partial_images=1) as stream:
        events = list(stream)
    assert events == [PartialImage(index=0, data=b"1", media_type="image/png")]
    assert [each.data for each in stream.response.images] == [b"2"]
    assert stream.response.text == "see"
    assert sent(httpserver)["generationConfig"]["thinkingConfig"] == {"includeThoughts": True}


@pytest.mark.parametrize(
    ("size", "wanted"),
    [
        ("16:9", {"aspectRatio": "16:9"}),
        ("4k", {"imageSize": "4K"}),
        ("2048x2048", {"aspectRatio": "1:1", "imageSize": "2K"}),
    ],
)
def test_sizes(size: str, wanted: dict[str, str], client: Client, httpserver: HTTPServer) -> None:
    httpserver.expect_request(ANY).respond_with_json(made(picture(b"1")))
    client.generate_image("gemini/gemini-3-pro-image", "a cat", size=size)
    assert sent(httpserver)["generationConfig"]["imageConfig"] == wanted


def test_what_pictures_do_not_have(client: Client) -> None:
    with pytest.raises(e.InvalidRequestError, match="size: Gemini does not take '100x3'") as caught:
        client.generate_image("gemini/gemini-3-pro-image", "a cat", size="100x3")
    assert "16:9" in str(caught.value.hint)
    with pytest.raises(e.UnsupportedParameterError, match="n, quality, output_format"):
        client.generate_image("gemini/gemini-3-pro-image", "a cat", n=2, quality="high", output_format="png")
    with pytest.raises(e.UnsupportedOperationError, match="Imagen"):
        client.edit_image("gemini/imagen-4", PNG, "a hat")


@pytest.mark.parametrize(
    ("body", "kind", "message"),
    [
        (
            {"promptFeedback": {"blockReason": "PROHIBITED_CONTENT"}},
            e.ContentFilterError,
            "blocked: PROHIBITED_CONTENT",
        ),
        (
            {"candidates": [{"finishReason": "IMAGE_SAFETY", "finishMessage": "no"}]},
            e.ContentFilterError,
            "IMAGE_SAFETY: no",
        ),
        (made({"text": "I cannot"}, reason="NO_IMAGE"), e.APIError, "NO_IMAGE: I cannot"),
    ],
)
def test_no_picture_is_an_error(
    body: Any, kind: type[e.APIError], message: str, client: Client, httpserver: HTTPServer
) -> None:
    httpserver.expect_request(re.compile(".*:generateContent")).respond_with_json(body)
    httpserver.expect_request(re.compile(".*:stream.*")).respond_with_data(sse(body), content_type="text/event-stream")
    with pytest.raises(kind, match=message):
        client.generate_image("gemini/gemini-3-pro-image", "a cat")
    with pytest.raises(kind, match=message):
        client.stream_image("gemini/gemini-3-pro-image", "a cat").read()


def test_imagen_says_why_it_made_nothing(client: Client, httpserver: HTTPServer) -> None:
    httpserver.expect_request(ANY).respond_with_json({"predictions": [{"raiFilteredReason": "no cats"}]})
    with pytest.raises(e.ContentFilterError, match="no cats"):
        client.generate_image("gemini/imagen-4", "a cat")


SAMPLES = struct.pack("<4h", 0, 1, -1, 2)
SOUND = {"inlineData": {"mimeType": "audio/L16;codec=pcm;rate=16000", "data": base64.b64encode(SAMPLES).decode()}}


def test_speech_gets_the_header_that_it_lacks(client: Client, httpserver: HTTPServer) -> None:
    httpserver.expect_request(ANY).respond_with_json(made(SOUND))
    spoken = client.speak("gemini/gemini-3.8-flash-tts", "Hello", voice="Kore", instructions="Say cheerfully")
    assert spoken.media_type == "audio/wav"
    assert struct.unpack_from("<4s4xI", spoken.data) == (b"RIFF", int.from_bytes(b"WAVE", "little"))
    assert struct.unpack_from("<HHIIHH", spoken.data, 20) == (1, 1, 16_000, 32_000, 2, 16)
    assert spoken.data[44:] == SAMPLES
    assert sent(httpserver) == {
        "contents": [{"role": "user", "parts": [{"text": "Say cheerfully: Hello"}]}],
        "generationConfig": {
            "responseModalities": ["AUDIO"],
            "speechConfig": {"voiceConfig": {"prebuiltVoiceConfig": {"voiceName": "Kore"}}},
        },
    }
    raw = client.speak("gemini/gemini-3.8-flash-tts", "Hello", output_format="pcm")
    assert (raw.data, raw.media_type) == (SAMPLES, SOUND["inlineData"]["mimeType"])


def test_speech_comes_in_pieces(client: Client, httpserver: HTTPServer) -> None:
    body = sse(made(SOUND, reason=None), made(SOUND))
    httpserver.expect_request(ANY).respond_with_data(body, content_type="text/event-stream")
    with client.stream_speak("gemini/gemini-3.8-flash-tts", "Hello") as stream:
        assert list(stream) == [DataDelta(SAMPLES), DataDelta(SAMPLES)]
    assert stream.response.data == SAMPLES * 2


def test_what_speech_does_not_have(client: Client, httpserver: HTTPServer) -> None:
    with pytest.raises(e.InvalidRequestError, match="output_format: Gemini makes wav and pcm, not mp3"):
        client.speak("gemini/gemini-3.8-flash-tts", "Hello", output_format="mp3")
    with pytest.raises(e.InvalidRequestError, match="output_format: Gemini streams pcm, not wav"):
        client.stream_speak("gemini/gemini-3.8-flash-tts", "Hello", output_format="wav").read()
    with pytest.raises(e.UnsupportedParameterError, match="speed"):
        client.speak("gemini/gemini-3.8-flash-tts", "Hello", speed=2)
    httpserver.expect_request(ANY).respond_with_json({"candidates": [{"finishReason": "SAFETY"}]})
    with pytest.raises(e.ContentFilterError, match="made no sound: SAFETY"):
        client.speak("gemini/gemini-3.8-flash-tts", "Hello")


# files and batches

FILE = {"name": "files/abc", "displayName": "a.bin", "sizeBytes": "3000000", "state": "ACTIVE"}


@pytest.mark.parametrize("in_memory", [False, True])
def test_a_large_file_is_sent_in_pieces(
    in_memory: bool, client: Client, httpserver: HTTPServer, tmp_path: Path
) -> None:
    path = tmp_path / "a.bin"
    path.write_bytes(b"x" * 3_000_000)
    elsewhere = "https://generativelanguage.googleapis.com/upload/v1beta/files?upload_id=1"
    httpserver.expect_request("/upload/v1beta/files", query_string="").respond_with_json(
        {}, headers={"x-goog-upload-url": elsewhere}
    )
    httpserver.expect_request("/upload/v1beta/files", query_string="upload_id=1").respond_with_json(
        {"file": FILE}, headers={"x-goog-upload-status": "final"}
    )
    told: list[tuple[int, int]] = []
    source = path.read_bytes() if in_memory else path
    info = client.upload_file("gemini", source, on_upload=lambda done, total: told.append((done, total)))
    assert (info.id, info.size, info.status) == ("files/abc", 3_000_000, "ACTIVE")
    assert told[0] == (0, 3_000_000)
    assert told[-1] == (3_000_000, 3_000_000)
    assert len(told) > 3
    content = httpserver.log[1][0]  # at our own server, whatever host the answer named
    assert content.get_data() == path.read_bytes()


@pytest.mark.parametrize(
    ("first", "second", "message"),
    [
        ({}, {}, "did not say where"),
        ({"x-goog-upload-url": "/up?upload_id=1"}, {"x-goog-upload-status": "active"}, "did not finish"),
    ],
)
def test_an_upload_that_goes_wrong(
    first: dict[str, str], second: dict[str, str], message: str, client: Client, httpserver: HTTPServer
) -> None:
    httpserver.expect_request("/upload/v1beta/files").respond_with_json({}, headers=first)
    httpserver.expect_request("/up").respond_with_json({"file": FILE}, headers=second)
    with pytest.raises(e.InvalidResponseError, match=message):
        client.upload_file("gemini", b"hello")


def test_files_that_cannot_be_sent(client: Client) -> None:
    with pytest.raises(e.InvalidRequestError, match="0 bytes"):
        client.upload_file("gemini", b"")
    with pytest.raises(e.UnsupportedParameterError, match="purpose, expires_after"):
        client.upload_file("gemini", b"a", purpose="x", expires_after=1)


def test_a_large_batch_goes_as_a_file(client: Client, httpserver: HTTPServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ipfs_accel_gemini._batches.MAX_INLINE_BYTES", 9)
    operation = {"name": "batches/b1", "metadata": {"state": "BATCH_STATE_PENDING"}}
    httpserver.expect_request("/upload/v1beta/files").respond_with_json({}, headers={"x-goog-upload-url": "/up"})
    httpserver.expect_request("/up").respond_with_json({"file": FILE}, headers={"x-goog-upload-status": "final"})
    httpserver.expect_request(ANY).respond_with_json(operation)
    client.create_batch(f"gemini/{NEW}", {"a": "hi", "b": "ho"})
    lines = [json.loads(line) for line in httpserver.log[1][0].get_data().splitlines()]
    assert [each["key"] for each in lines] == ["a", "b"]
    assert lines[0]["request"]["contents"][0]["parts"] == [{"text": "hi"}]
    assert sent(httpserver)["batch"]["inputConfig"] == {"fileName": "files/abc"}


def test_results_may_be_in_a_file(client: Client, httpserver: HTTPServer) -> None:
    done = {
        "name": "batches/b1",
        "metadata": {"state": "BATCH_STATE_SUCCEEDED", "output": {"responsesFile": "files/r"}},
    }
    lines = [
        {"key": "b", "error": {"code": 3, "message": "no"}},
        {"key": "a", "response": ANSWER},
        {"key": "c", "response": {"promptFeedback": {"blockReason": "OTHER"}}},
    ]
    httpserver.expect_request("/v1beta/batches/b1").respond_with_json(done)
    httpserver.expect_request("/v1beta/files/r:download", query_string="alt=media").respond_with_data(
        "".join(json.dumps(each) + "\n" for each in lines)
    )
    with client.batch_results("gemini", "b1") as stream:
        found = {each.id: each for each in stream}
    assert [type(found[name].error) for name in "bc"] == [e.BadRequestError, e.ContentFilterError]
    assert found["a"].response.text == "ho"  # type: ignore[union-attr]
    assert (stream.response.succeeded, stream.response.failed) == (1, 2)


def test_vectors_of_a_batch(client: Client, httpserver: HTTPServer) -> None:
    results = [{"response": {"embedding": {"values": [1, 2]}}, "metadata": {"key": "a"}}]
    output = {"inlinedEmbedContentResponses": {"inlinedResponses": results}}
    httpserver.expect_request(ANY).respond_with_json(
        {"name": "batches/b1", "metadata": {"state": "BATCH_STATE_SUCCEEDED", "output": output}}
    )
    (result,) = list(client.batch_results("gemini", "b1"))
    assert list(result.response.vectors[0]) == [1, 2]  # type: ignore[union-attr]


def test_results_that_are_not_there_yet_or_not_all_there(client: Client, httpserver: HTTPServer) -> None:
    about: dict[str, Any] = {"state": "BATCH_STATE_RUNNING"}
    httpserver.expect_oneshot_request(ANY).respond_with_json({"name": "batches/b1", "metadata": about})
    with pytest.raises(e.ConflictError, match="in_progress"):
        client.batch_results("gemini", "b1").read()
    output = {"inlinedResponses": {"inlinedResponses": [{"response": ANSWER, "metadata": {"key": "a"}}]}}
    about = {"state": "BATCH_STATE_SUCCEEDED", "batchStats": {"requestCount": "2"}, "output": output}
    httpserver.expect_oneshot_request(ANY).respond_with_json({"name": "batches/b1", "metadata": about})
    with pytest.raises(e.StreamIncomplete, match="1 of 2"):
        client.batch_results("gemini", "b1").read()


def test_a_batch_that_failed_says_why(client: Client, httpserver: HTTPServer) -> None:
    failed = {
        "name": "batches/b1",
        "done": True,
        "metadata": {"state": "BATCH_STATE_FAILED"},
        "error": {"code": 13, "message": "oh"},
    }
    httpserver.expect_request(ANY).respond_with_json(failed)
    found = client.get_batch("gemini", "b1")
    assert (found.status, found.errors, found.is_over) == ("failed", ("oh",), True)


def test_batches_that_cannot_be_made(client: Client) -> None:
    with pytest.raises(e.InvalidRequestError, match="one model, these have models/a, models/b"):
        client.create_batch(
            "gemini/m", [BatchItem(id=name, request=EmbedRequest(model=name, inputs=("a",))) for name in "ab"]
        )
    with pytest.raises(e.InvalidRequestError, match=r"items\['a'\]: inputs: .*one text"):
        client.create_batch("gemini/m", [BatchItem(id="a", request=EmbedRequest(inputs=("a", "b")))])
    with pytest.raises(e.InvalidRequestError, match=r"items\['a'\]: Gemini takes batches of chats"):
        client.create_batch("gemini/m", [BatchItem(id="a", request=CompletionRequest(prompt=("a",)))])
    with pytest.raises(e.UnsupportedParameterError, match="metadata, completion_window"):
        client.create_batch("gemini/m", {"a": "hi"}, metadata={"a": "b"}, completion_window="1h")


# costs, and the other world


def test_what_a_call_cost(httpserver: HTTPServer) -> None:
    usage = {
        "promptTokenCount": 1_000_000,
        "candidatesTokenCount": 200_000,
        "thoughtsTokenCount": 300_000,
        "cachedContentTokenCount": 400_000,
    }
    httpserver.expect_request(ANY).respond_with_json({**ANSWER, "usageMetadata": usage})
    prices = ModelOverride(input_price=2, output_price=12, cached_input_price=0.2)
    endpoint = EndpointConfig(base_url=httpserver.url_for("/"), key="k", models={NEW: prices})
    with Client(endpoints={"gemini": endpoint}) as client:
        assert client.chat(f"gemini/{NEW}", "hi").cost == pytest.approx(0.6 * 2 + 0.4 * 0.2 + 0.5 * 12)
        assert client.chat(f"gemini/{FLASH}", "hi").cost is None


def test_every_operation_can_be_awaited(httpserver: HTTPServer) -> None:
    operation = {
        "name": "batches/b1",
        "metadata": {"state": "BATCH_STATE_SUCCEEDED", "output": {"responsesFile": "files/r"}},
    }
    whole = {
        **made({"text": "see"}, picture(b"1")),
        "embeddings": [{"values": [1]}],
        "totalTokens": 3,
        **FILE,
        **operation,
    }
    httpserver.expect_request(re.compile("/upload.*")).respond_with_json({}, headers={"x-goog-upload-url": "/up"})
    httpserver.expect_request("/up").respond_with_json({"file": FILE}, headers={"x-goog-upload-status": "final"})
    httpserver.expect_request(re.compile(".*:download")).respond_with_data(json.dumps({"key": "a", "response": ANSWER}))
    httpserver.expect_request(re.compile(".*:stream.*")).respond_with_data(
        sse(made(picture(b"1"))), content_type="text/event-stream"
    )
    httpserver.expect_request(ANY).respond_with_json(whole)

    async def run() -> None:
        endpoint = EndpointConfig(base_url=httpserver.url_for("/"), key="k")
        async with AsyncClient(endpoints={"gemini": endpoint}) as client:
            assert len((await client.embed("gemini/gemini-embedding-2", "a")).vectors) == 1
            assert (await client.count_tokens(f"gemini/{NEW}", "hi")).input_tokens == 3
            assert (await client.generate_image(f"gemini/{NEW}", "a cat")).images[0].data == b"1"
            assert (await client.edit_image(f"gemini/{NEW}", PNG, "a hat")).text == "see"
            assert (await client.stream_image(f"gemini/{NEW}", "a cat").read()).images[0].data == b"1"
            assert (await client.upload_file("gemini", b"hello")).id == "files/abc"
            assert (await client.create_batch(f"gemini/{NEW}", {"a": "hi"})).id == "batches/b1"
            results = [each async for each in client.batch_results("gemini", "b1")]
            assert [each.id for each in results] == ["a"]
            assert await client.list_models("gemini") == ()
            assert (await client.call("gemini", "get_cache", cache="1")).name == "batches/b1"

    anyio.run(run)


# Vertex AI


def vertex(**given: Any) -> Client:
    options = {"vertex": True, "project": "p", **given.pop("options", {})}
    return Client(endpoints={"v": EndpointConfig(backend="gemini", options=options, **given)})


def test_vertex_says_what_is_missing() -> None:
    with vertex(key="t") as client, pytest.raises(e.ConfigError, match="Vertex AI needs a base URL") as caught:
        client.chat("v/m", "hi")
    assert "https://aiplatform.googleapis.com" in str(caught.value.hint)
    with vertex(base_url="https://aiplatform.googleapis.com") as client, pytest.raises(e.MissingKeyError) as missing:
        client.chat("v/m", "hi")
    assert "ipfs-accel keys set v" in str(missing.value.hint)
    plain = EndpointConfig(backend="gemini", base_url="https://us-central1-aiplatform.googleapis.com/v1", key="t")
    with Client(endpoints={"v": plain}) as client, pytest.raises(e.ConfigError, match="points to Vertex AI"):
        client.chat("v/m", "hi")


def test_vertex_has_no_files_and_no_such_batches(httpserver: HTTPServer) -> None:
    with vertex(base_url=httpserver.url_for(""), key="t") as client:
        for call in (
            lambda: client.upload_file("v", b"a"),
            lambda: client.list_files("v"),
            lambda: client.list_batches("v"),
        ):
            with pytest.raises(e.UnsupportedOperationError, match=r"'v' has no .*Google Cloud Storage"):
                call()
        with pytest.raises(e.InvalidRequestError, match=r"extra\['store'\]: only the Gemini API has it"):
            client.chat("v/m", "hi", extra={"store": True})


def test_vertex_sends_a_token_for_a_project_and_a_key_without(httpserver: HTTPServer) -> None:
    httpserver.expect_request(ANY).respond_with_json(ANSWER)
    url = httpserver.url_for("/v1")
    with vertex(base_url=url, key=lambda: "token", options={"quota_project": "q", "server_timeout": 59.5}) as client:
        client.chat("v/m", "hi")
        client.chat("v/anthropic/claude", "hi")
        client.chat("v/projects/x/locations/us/endpoints/1", "hi")
    with vertex(base_url=url, key="key", options={"project": None}) as client:
        client.chat("v/m", "hi")
    first, other, tuned, express = [request for request, _ in httpserver.log]
    assert (first.headers["Authorization"], first.headers["x-goog-user-project"]) == ("Bearer token", "q")
    assert first.headers["x-server-timeout"] == "60"
    base = "/v1beta1/projects/p/locations/global/publishers"
    assert (first.path, other.path) == (
        f"{base}/google/models/m:generateContent",
        f"{base}/anthropic/models/claude:generateContent",
    )
    assert tuned.path == "/v1beta1/projects/x/locations/us/endpoints/1:generateContent"
    assert (express.headers["x-goog-api-key"], express.path) == (
        "key",
        "/v1beta1/publishers/google/models/m:generateContent",
    )


def test_no_name_leaves_its_path(client: Client) -> None:
    with pytest.raises(e.InvalidRequestError, match="URL path"):
        client.chat("gemini/models/../x", "hi")
    with pytest.raises(e.InvalidRequestError, match="URL path"):
        client.get_file("gemini", "files/..")
