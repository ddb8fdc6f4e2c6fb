"""Gemini's API, as Google's own client and our own backend speak it."""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Iterator
from typing import Any

import httpx  # noqa: TID251 - a client that nobody here wrote
import pytest
from google import genai
from google.genai import errors, types
from ipfs_accel import Client, Config, Document, EndpointConfig, Image, JsonSchema, Message, Tool
from ipfs_accel.errors import APIError, ModelNotFoundError, OverloadedError, RateLimitError
from ipfs_accel.types import (
    ChatResponse,
    Choice,
    Opaque,
    Reasoning,
    Refusal,
    Text,
    TokenLogprob,
    ToolCall,
    Usage,
)
from ipfs_accel.wire import keepsakes

from .stages import Stage, stage

PNG = b"\x89PNG\r\n\x1a\n0"
MODEL = "scripted/any:8b"
CONTENTS = [{"role": "user", "parts": [{"text": "Hi"}]}]
SCHEMA = {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]}
TOOL = Tool(name="weather", description="d", parameters=SCHEMA)
CALL = ToolCall(id="call_a", name="weather", arguments='{"city":"Rome"}')
TOLD = {"input_tokens": 5, "output_tokens": 7, "cached_input_tokens": 2, "reasoning_tokens": 3}
USAGE = Usage(**TOLD)
FULL = ChatResponse(
    choices=(
        Choice(
            message=Message.assistant(Reasoning(text="Hm.", signature="sig"), "Hello", CALL),
            finish_reason="tool_calls",
            logprobs=(TokenLogprob(token="Hello", logprob=-0.5, top=(TokenLogprob(token="Hey", logprob=-1.0),)),),
        ),
    ),
    usage=USAGE,
)
DECLARED = types.Tool(
    function_declarations=[types.FunctionDeclaration(name="weather", description="d", parameters_json_schema=SCHEMA)]
)


@pytest.fixture(scope="module")
def at() -> Iterator[Stage]:
    with stage() as found:
        yield found


@pytest.fixture(scope="module")
def sdk(at: Stage) -> Iterator[genai.Client]:
    with genai.Client(api_key="any", http_options=types.HttpOptions(base_url=at.url)) as client:
        yield client


@pytest.fixture(scope="module")
def ours(at: Stage) -> Iterator[Client]:
    endpoint = EndpointConfig(base_url=at.url, key="any")
    with Client(Config(environ={}), endpoints={"gemini": endpoint}) as client:
        yield client


def test_the_sdk_reads_a_whole_answer(at: Stage, sdk: genai.Client) -> None:
    at.plays(FULL)
    config = types.GenerateContentConfig(
        system_instruction="Be brief.", temperature=0.5, top_p=0.25, top_k=3, max_output_tokens=7, seed=4,
        stop_sequences=["."], presence_penalty=0.5, frequency_penalty=0.25, response_logprobs=True, logprobs=1,
        tools=[DECLARED], thinking_config=types.ThinkingConfig(include_thoughts=True, thinking_level="LOW"),
        safety_settings=[types.SafetySetting(category="HARM_CATEGORY_HARASSMENT", threshold="BLOCK_NONE")],
        automatic_function_calling=types.AutomaticFunctionCallingConfig(disable=True),
    )  # fmt: skip
    answer = sdk.models.generate_content(model=MODEL, contents="Hi", config=config)
    thought, text, call = answer.candidates[0].content.parts
    assert (thought.text, thought.thought, text.text) == ("Hm.", True, "Hello")
    assert (call.function_call.id, call.function_call.name, call.function_call.args) == (
        "call_a",
        "weather",
        {"city": "Rome"},
    )
    assert answer.candidates[0].finish_reason == types.FinishReason.STOP
    used = answer.usage_metadata
    assert (used.prompt_token_count, used.cached_content_token_count, used.total_token_count) == (5, 2, 12)
    assert (used.candidates_token_count, used.thoughts_token_count) == (4, 3)
    told = answer.candidates[0].logprobs_result
    assert told.chosen_candidates[0].token == "Hello"
    assert told.top_candidates[0].candidates[0].log_probability == -1.0
    assert answer.model_version == MODEL
    assert answer.response_id
    asked = at.asked
    assert asked.messages == (Message.system("Be brief."), Message.user("Hi"))
    wanted = {"temperature": 0.5, "top_p": 0.25, "top_k": 3, "max_tokens": 7, "seed": 4, "stop": (".",), "presence_penalty": 0.5,
              "frequency_penalty": 0.25, "logprobs": True, "top_logprobs": 1, "reasoning_effort": "low", "tools": (TOOL,)}  # fmt: skip
    assert {name: getattr(asked, name) for name in wanted} == wanted
    assert asked.extra == {}


@pytest.mark.parametrize("thoughts", [True, False])
def test_the_sdk_reads_a_stream(at: Stage, sdk: genai.Client, thoughts: bool) -> None:
    at.plays(FULL)
    config = types.GenerateContentConfig(thinking_config=types.ThinkingConfig(include_thoughts=thoughts))
    pieces = list(sdk.models.generate_content_stream(model=MODEL, contents="Hi", config=config))
    parts = [part for piece in pieces for part in piece.candidates[0].content.parts or ()]
    assert "".join([part.text for part in parts if part.thought]) == ("Hm." if thoughts else "")
    assert "".join([part.text or "" for part in parts if not part.thought]) == "Hello"
    assert [part.function_call.args for part in parts if part.function_call] == [{"city": "Rome"}]
    assert [piece.candidates[0].finish_reason for piece in pieces] == [None] * (len(pieces) - 1) + ["STOP"]
    assert pieces[-1].usage_metadata.total_token_count == 12
    assert pieces[-1].candidates[0].logprobs_result.chosen_candidates[0].token == "Hello"


def test_what_was_thought_goes_back_unseen(at: Stage, sdk: genai.Client) -> None:
    thought = Reasoning(text="Hm.", signature="sig")
    kept = Opaque(backend="other", data={"a": [1]})
    unsigned = Reasoning(text="So.", field="reasoning")
    call = ToolCall(id="call_b", name="weather", arguments='{"city":"Oslo"}', extra={"e": 1})
    result = types.Part.from_function_response(name="weather", response={"output": "sunny"})
    result.function_response.id = "call_b"
    for streamed, shown in ((False, False), (True, False), (False, True), (True, True)):
        at.plays([thought, kept, "Hello", unsigned, call], "It is sunny.")
        thinking = types.ThinkingConfig(include_thoughts=shown)
        config = types.GenerateContentConfig(tools=[DECLARED], thinking_config=thinking)
        chat = sdk.chats.create(model=MODEL, config=config)
        if streamed:
            list(chat.send_message_stream("Hi"))
        else:
            chat.send_message("Hi")
        assert chat.send_message([result]).text == "It is sunny."
        _, *said, answer = at.asked.messages
        parts = [part for message in said for part in message.content]
        texts = "".join([part.text for part in parts if isinstance(part, Text)])
        assert [part for part in parts if not isinstance(part, Text)] == [thought, kept, unsigned, call]
        assert texts == "Hello"
        assert next(part for part in parts if isinstance(part, ToolCall)).extra == {"e": 1}
        assert next(part for part in parts if part == unsigned).field == "reasoning"  # type: ignore[union-attr]
        assert answer == Message.tool("call_b", "sunny")


@pytest.mark.parametrize("parts", [1, [1], [{"backend": 1}], [{"backend": "a", "data": 1}], [{"text": 1}]], ids=repr)
def test_what_was_kept_and_changed_is_refused(at: Stage, parts: Any) -> None:
    signature = b64encode(keepsakes.written({"parts": parts}).encode()).decode()
    content = {"role": "model", "parts": [{"text": "a", "thoughtSignature": signature}]}
    found = post(at, "generateContent", {"contents": [*CONTENTS, content]})
    assert found.status_code == 400
    assert found.json()["error"]["message"].startswith("contents[1].parts[0].thoughtSignature:")


def test_what_gemini_said_beside_goes_back_to_it(at: Stage, sdk: genai.Client) -> None:
    own, code = {"thoughtSignature": "c2ln"}, {"executableCode": {"language": "PYTHON", "code": "1"}}
    parts = [CALL, Opaque(backend="gemini", data=own), Opaque(backend="gemini", data=code), "Hello"]
    for streamed in (False, True):
        at.plays(parts, "ok")
        chat = sdk.chats.create(model=MODEL)
        if streamed:
            list(chat.send_message_stream("Hi"))
        else:
            chat.send_message("Hi")
        chat.send_message([types.Part.from_function_response(name="weather", response={"result": {"a": 1}})])
        said = [part for message in at.asked.messages[1:-1] for part in message.content]
        assert [part for part in said if not isinstance(part, Text)] == parts[:3]
        assert at.asked.messages[-1] == Message.tool("call_a", '{"a":1}')


def test_media_of_all_kinds_are_read(at: Stage, sdk: genai.Client) -> None:
    at.plays("ok")
    google = "https://generativelanguage.googleapis.com/v1beta/files/abc"
    sdk.models.generate_content(
        model=MODEL,
        contents=[
            "see",
            types.Part.from_bytes(data=PNG, mime_type="image/png"),
            types.Part.from_uri(file_uri="https://example.com/a.pdf", mime_type="application/pdf"),
            types.Part.from_uri(file_uri=google, mime_type="image/png"),
            types.Part(
                inline_data=types.Blob(data=PNG, mime_type="image/png"),
                media_resolution=types.PartMediaResolution(level="MEDIA_RESOLUTION_LOW"),
            ),
        ],
    )
    assert at.asked.messages[0].content == (
        Text(text="see"),
        Image(data=PNG),
        Document(url="https://example.com/a.pdf", media_type="application/pdf"),
        Image(file_id=google, media_type="image/png"),
        Image(data=PNG, detail="low"),
    )


@pytest.mark.parametrize(
    ("config", "wanted"),
    [
        ({"responseMimeType": "application/json"}, "json"),
        ({"responseMimeType": "text/plain"}, None),
        ({"responseMimeType": "application/json", "responseJsonSchema": SCHEMA}, JsonSchema(schema=SCHEMA)),
        (
            {"response_mime_type": "application/json", "response_schema": {
                "type": "OBJECT", "required": ["b"], "propertyOrdering": ["b", "a"],
                "properties": {"a": {"type": "ARRAY", "items": {"type": "STRING", "enum": ["x"]}, "minItems": "1"},
                               "b": {"type": "INTEGER", "nullable": True, "description": "d"}}}},
            JsonSchema(schema={
                "type": "object", "required": ["b"],
                "properties": {"b": {"type": ["integer", "null"], "description": "d"},
                               "a": {"type": "array", "items": {"type": "string", "enum": ["x"]}, "minItems": 1}}}),
        ),
    ],
    ids=["json", "text", "json_schema", "schema"],
)  # fmt: skip
def test_forms_are_asked_for(at: Stage, config: Any, wanted: Any) -> None:
    at.plays("{}")
    post(at, "generateContent", {"contents": CONTENTS, "generationConfig": config}).raise_for_status()
    assert at.asked.response_format == wanted


@pytest.mark.parametrize(
    ("config", "wanted"),
    [
        ({"mode": "AUTO"}, ("auto", None, ["a", "b"])),
        ({"mode": "NONE"}, ("none", None, ["a", "b"])),
        ({"mode": "ANY"}, ("required", None, ["a", "b"])),
        ({"mode": "ANY", "allowedFunctionNames": ["b"]}, ("b", None, ["b"])),
        ({"mode": "VALIDATED"}, (None, True, ["a", "b"])),
        ({}, (None, None, ["a", "b"])),
    ],
    ids=["auto", "none", "any", "named", "validated", "nothing"],
)
def test_choices_of_tools_are_read(at: Stage, config: Any, wanted: Any) -> None:
    at.plays("ok")
    tools = [{"functionDeclarations": [{"name": "a"}, {"name": "b", "parameters": {"type": "OBJECT"}}]}]
    body = {"contents": CONTENTS, "tools": tools, "toolConfig": {"functionCallingConfig": config}}
    post(at, "generateContent", body).raise_for_status()
    asked = at.asked
    assert (asked.tool_choice, asked.tools[0].strict, [tool.name for tool in asked.tools]) == wanted


@pytest.mark.parametrize(
    ("config", "effort"),
    [
        ({"thinkingBudget": 0}, "none"),
        ({"thinkingBudget": -1}, None),
        ({"thinkingBudget": 1024}, "low"),
        ({"thinkingBudget": 20000}, "high"),
        ({"thinkingLevel": "MEDIUM"}, "medium"),
    ],
)
def test_thinking_is_asked_for(at: Stage, config: Any, effort: Any) -> None:
    at.plays("ok")
    body = {"contents": CONTENTS, "generationConfig": {"thinkingConfig": config}}
    post(at, "generateContent", body).raise_for_status()
    assert at.asked.reasoning_effort == effort


def test_a_stream_may_be_an_array(at: Stage) -> None:
    at.plays(FULL)
    found = post(at, "streamGenerateContent", {"contents": CONTENTS})
    assert found.headers["content-type"] == "application/json"
    pieces = found.json()
    texts = [part.get("text", "") for piece in pieces for part in piece["candidates"][0]["content"]["parts"]]
    assert "".join(texts) == "Hello"
    assert pieces[-1]["candidates"][0]["finishReason"] == "STOP"


def test_several_answers_stand_side_by_side(at: Stage) -> None:
    two = [Choice(index=index, message=Message.assistant(text)) for index, text in enumerate(["one", "two"])]
    at.plays(ChatResponse(choices=tuple(two)), ChatResponse(choices=tuple(two)))
    body = {"contents": CONTENTS, "generationConfig": {"candidateCount": 2}}
    whole = post(at, "generateContent", body).json()
    assert [each["content"]["parts"][0]["text"] for each in whole["candidates"]] == ["one", "two"]
    assert at.asked.n == 2
    texts = ["", ""]
    for piece in post(at, "streamGenerateContent", body).json():
        for each in piece["candidates"]:
            texts[each["index"]] += "".join([part["text"] for part in each["content"]["parts"]])
    assert texts == ["one", "two"]


def test_the_sdk_reads_vectors(at: Stage, sdk: genai.Client) -> None:
    at.plays([[1.0, 2.0], [3.0, 4.0]], [[5.0]])
    config = types.EmbedContentConfig(output_dimensionality=2)
    found = sdk.models.embed_content(model=MODEL, contents=["a", "b"], config=config)
    assert [each.values for each in found.embeddings] == [[1.0, 2.0], [3.0, 4.0]]
    assert (at.asked.inputs, at.asked.dimensions) == (("a", "b"), 2)
    one = post(at, "embedContent", {"model": f"models/{MODEL}", "content": {"parts": [{"text": "a"}]}})
    assert one.json()["embedding"] == {"values": [5.0]}


def test_the_sdk_lists_models(at: Stage, sdk: genai.Client) -> None:
    assert list(sdk.models.list()) == []  # the endpoint lists none
    found = sdk.models.get(model=MODEL)
    assert (found.name, found.display_name) == (f"models/{MODEL}", MODEL)


def test_errors_are_in_its_words(at: Stage, sdk: genai.Client) -> None:
    at.plays(RateLimitError("slowly", status=429, retry_after=3.0))
    with pytest.raises(errors.ClientError, match="slowly") as caught:
        sdk.models.generate_content(model=MODEL, contents="Hi")
    assert (caught.value.code, caught.value.status) == (429, "RESOURCE_EXHAUSTED")
    details = {each["@type"].rpartition(".")[2]: each for each in caught.value.details["error"]["details"]}
    assert details["RetryInfo"]["retryDelay"] == "3s"
    assert details["RequestInfo"]["requestId"].startswith("req_")
    at.plays(OverloadedError("too much", status=503))
    with pytest.raises(errors.ServerError, match="too much"):
        sdk.models.generate_content(model=MODEL, contents="Hi")
    with pytest.raises(errors.ClientError, match="not served") as caught:
        sdk.models.generate_content(model="absent", contents="Hi")
    assert (caught.value.code, caught.value.status) == (404, "NOT_FOUND")
    with pytest.raises(errors.APIError, match="tokens") as failed:
        sdk.models.count_tokens(model=MODEL, contents="Hi")  # the backend cannot count
    assert failed.value.code == 400


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"contents": CONTENTS, "cachedContent": "cachedContents/a"}, "cachedContent"),
        ({"contents": CONTENTS, "tools": [{"googleSearch": {}}]}, "tools[0].googleSearch"),
        ({"contents": CONTENTS, "generationConfig": {"responseModalities": ["AUDIO"]}}, "generationConfig.responseModalities"),
        ({"contents": CONTENTS, "generationConfig": {"speechConfig": {}}}, "generationConfig.speechConfig"),
        ({"contents": "Hi"}, "contents"),
        ({"contents": [{"role": "assistant", "parts": []}]}, "contents[0].role"),
        ({"contents": [{"parts": [{"text": 1}]}]}, "contents[0].parts[0].text"),
        ({"contents": [{"parts": [{"inlineData": {"mimeType": "image/png", "data": "!"}}]}]}, "contents[0].parts[0].inlineData.data"),
        ({"contents": [{"parts": [{"functionResponse": {"name": "f"}}]}]}, "contents[0].parts[0].functionResponse.name"),
        ({"contents": CONTENTS, "tools": 1}, "tools"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)  # fmt: skip
def test_what_cannot_be_done_is_named(at: Stage, body: Any, field: str) -> None:
    found = post(at, "generateContent", body)
    assert found.status_code == 400
    assert found.json()["error"]["status"] == "INVALID_ARGUMENT"
    assert found.json()["error"]["message"].startswith(f"{field}:")


def test_a_stream_that_fails_says_so(at: Stage, sdk: genai.Client) -> None:
    at.plays(["Hel", OverloadedError("too much", status=503)])
    with pytest.raises(errors.APIError, match="too much"):
        list(sdk.models.generate_content_stream(model=MODEL, contents="Hi"))
    for query in ("?alt=sse", ""):
        at.plays(["Hel", OverloadedError("too much", status=503)])
        text = b""
        url = f"{at.url}/v1beta/models/{MODEL}:streamGenerateContent{query}"
        with httpx.stream("POST", url, json={"contents": CONTENTS}) as it, pytest.raises(httpx.RemoteProtocolError):
            for piece in it.iter_raw():
                text += piece
        assert b"finishReason" not in text
        assert b"UNAVAILABLE" in text
        assert not text.endswith(b"]")


MESSAGES = [
    Message.system("Be brief."),
    Message.user("What is this?", Image(data=PNG)),
    Message.assistant("A look.", ToolCall(id="a", name="weather", arguments='{"city":"Rome"}')),
    Message.tool("a", "sunny"),
    Message.user("And?"),
]


def test_what_our_own_backend_asks_is_understood(at: Stage, ours: Client) -> None:
    at.plays(FULL, FULL)
    options: dict[str, Any] = {
        "tools": [TOOL], "tool_choice": "required", "response_format": JsonSchema(schema=SCHEMA), "temperature": 0.5,
        "top_p": 0.5, "top_k": 3, "seed": 4, "stop": ["x"], "max_tokens": 9, "frequency_penalty": 0.25,
        "presence_penalty": 0.5, "reasoning_effort": "high", "logprobs": True, "top_logprobs": 2,
    }  # fmt: skip
    answer = ours.chat(f"gemini/{MODEL}", MESSAGES, **options)
    asked = at.asked
    said = [*MESSAGES[2].content]
    assert asked.messages[:2] == tuple(MESSAGES[:2])
    assert [part for part in asked.messages[2].content if not isinstance(part, Opaque)] == said
    assert asked.messages[3:] == tuple(MESSAGES[3:])
    assert {name: getattr(asked, name) for name in options} == {**options, "tools": (TOOL,), "stop": ("x",)}
    with ours.stream(f"gemini/{MODEL}", MESSAGES, **options) as stream:
        streamed = stream.read()
    assert at.asked == asked
    for each in (answer, streamed):
        assert (each.text, each.tool_calls, each.finish_reason) == ("Hello", (CALL,), "tool_calls")
        assert {name: getattr(each.usage, name) for name in TOLD} == TOLD
        assert each.choices[0].logprobs == FULL.choices[0].logprobs


def test_our_own_backend_goes_on(at: Stage, ours: Client) -> None:
    at.plays(FULL, "It is sunny.")
    first = ours.chat(f"gemini/{MODEL}", "Hi", tools=[TOOL])
    history = [Message.user("Hi"), first.message, Message.tool("call_a", "sunny")]
    assert ours.chat(f"gemini/{MODEL}", history, tools=[TOOL]).text == "It is sunny."
    assert at.asked.messages[1].content == FULL.message.content


def test_our_own_backend_reads_the_rest(at: Stage, ours: Client) -> None:
    at.plays([[1.0, 2.0], [3.0, 4.0]], Message.assistant(Refusal(text="No.")))
    vectors = ours.embed(f"gemini/{MODEL}", ["a", "b"], dimensions=2).vectors
    assert [list(vector) for vector in vectors] == [[1.0, 2.0], [3.0, 4.0]]
    assert ours.chat(f"gemini/{MODEL}", "Hi").text == "No."
    assert ours.list_models("gemini") == ()
    assert ours.healthcheck("gemini").ok
    with pytest.raises(ModelNotFoundError):
        ours.chat("gemini/absent", "Hi")
    at.plays(["Hel", OverloadedError("too much", status=503)])
    with pytest.raises(APIError, match="too much"), ours.stream(f"gemini/{MODEL}", "Hi") as it:
        it.read()


def test_answers_are_as_the_sdks_types_have_them(at: Stage) -> None:
    at.plays(FULL, FULL)
    body = {"contents": CONTENTS, "generationConfig": {"thinkingConfig": {"includeThoughts": True}}}
    for value in [post(at, "generateContent", body).json(), *post(at, "streamGenerateContent", body).json()]:
        told = types.GenerateContentResponse.model_validate(value).model_dump(
            mode="json", by_alias=True, exclude_none=True
        )
        assert without_signatures(told) == without_signatures(value)


def without_signatures(value: Any) -> Any:
    """Return the same without what base64 has two alphabets for."""
    if isinstance(value, list):
        return [without_signatures(each) for each in value]
    if not isinstance(value, dict):
        return value
    return {
        name: without_signatures(each)
        for name, each in value.items()
        if name not in {"thoughtSignature", "sdkHttpResponse"}
    }


def post(at: Stage, method: str, body: Any) -> httpx.Response:
    return httpx.post(f"{at.url}/v1beta/models/{MODEL}:{method}", json=body, timeout=20)
