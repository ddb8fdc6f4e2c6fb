"""Requests and answers held to Google's own SDK: the same call made with both has to send and read the same.

The SDK is a development dependency only. Both talk to a server that records what it is sent.
"""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Callable
from typing import Any

import attrs
import pytest
from ipfs_accel import Audio, Client, Document, Image, JsonSchema, Message, Tool, UnsupportedParameterWarning
from ipfs_accel.types import Opaque, Reasoning, Refusal, Text, ToolCall, ToolResult
from ipfs_accel_gemini import part
from pytest_httpserver import HTTPServer

PNG = b"\x89PNG\r\n\x1a\n\xfb\xff0"
PDF = b"%PDF-1.7"
WAV = b"RIFF\0\0\0\0WAVE"
NEW, OLD = "gemini-3.1-pro-preview", "gemini-2.5-flash"
FILES = "https://generativelanguage.googleapis.com/v1beta/files/"
WEATHER = {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"], "additionalProperties": False}  # fmt: skip
DECLARED = {"name": "get_weather", "description": "d", "parameters_json_schema": WEATHER}
TOOLS = [{"function_declarations": [DECLARED]}]
TOOL = Tool(name="get_weather", description="d", parameters=WEATHER)
SIGNATURE = base64.b64encode(b"\xfb\xff signed").decode()
ASKED = ToolCall(id="fc1", name="get_weather", arguments='{"city": "Paris"}')
SIGNED = Opaque(backend="gemini", data={"thoughtSignature": SIGNATURE})
CALL = {"function_call": {"id": "fc1", "name": "get_weather", "args": {"city": "Paris"}}}
DUMMY = base64.b64encode(b"").decode()


def turn(role: str, *parts: Any) -> dict[str, Any]:
    return {"role": role, "parts": [{"text": each} if isinstance(each, str) else each for each in parts]}


def user(*parts: Any) -> list[dict[str, Any]]:
    return [turn("user", *parts)]


def inline(data: bytes, kind: str, **more: Any) -> dict[str, Any]:
    return {"inline_data": {"mime_type": kind, "data": data}, **more}


def stored(uri: str, kind: str | None = None, **more: Any) -> dict[str, Any]:
    return {"file_data": {"file_uri": uri, **({"mime_type": kind} if kind else {})}, **more}


def returned(value: dict[str, Any], call: str = "fc1", **more: Any) -> dict[str, Any]:
    return {"function_response": {"id": call, "name": "get_weather", "response": value, **more}}


def asked(*results: dict[str, Any]) -> list[dict[str, Any]]:
    signed = {**CALL, "thought_signature": base64.b64decode(SIGNATURE)}
    return [turn("user", "hi"), turn("model", signed), turn("user", *results)]


def config(**fields: Any) -> dict[str, Any]:
    return {"extra": {"generationConfig": fields}}


CODE = {"executable_code": {"language": "PYTHON", "code": "1+1", "id": "e1"}}
RAN = {"code_execution_result": {"outcome": "OUTCOME_OK", "output": "2", "id": "e1"}}
CODE_WIRE = {"executableCode": {"language": "PYTHON", "code": "1+1", "id": "e1"}}
RAN_WIRE = {"codeExecutionResult": {"outcome": "OUTCOME_OK", "output": "2", "id": "e1"}}
SAFETY = [{"category": "HARM_CATEGORY_DANGEROUS_CONTENT", "threshold": "BLOCK_ONLY_HIGH"}]
SPEAKERS = {
    "speaker_voice_configs": [{"speaker": "A", "voice_config": {"prebuilt_voice_config": {"voice_name": "Kore"}}}]
}
SPEAKERS_WIRE = {
    "speakerVoiceConfigs": [{"speaker": "A", "voiceConfig": {"prebuiltVoiceConfig": {"voiceName": "Kore"}}}]
}

# (name, the SDK's contents, the SDK's config, our messages, our options)
CHATS: list[tuple[str, Any, dict[str, Any], Any, dict[str, Any]]] = [
    ("a plain question", "hi", {}, "hi", {}),
    ("a prefixed model", "hi", {}, "hi", {"model": f"models/{NEW}"}),
    ("a tuned model", "hi", {}, "hi", {"model": "tunedModels/mine"}),
    ("a system message", "hi", {"system_instruction": turn("user", "be brief")}, [Message.system("be brief"), "hi"], {}),
    ("two instructions, one of them late", "hi", {"system_instruction": turn("user", "a", "b")},
     [Message(role="developer", content="a"), "hi", Message.system("b")], {}),
    ("turns", [turn("user", "hi"), turn("model", "ho"), turn("user", "hi")], {}, ["hi", Message.assistant("ho"), "hi"], {}),
    ("a user twice", user("a", "b"), {}, ["a", "b"], {}),
    ("several texts", user("a", "b"), {}, Message.user("a", "b"), {}),
    ("empty texts are left out", "hi", {}, [Message.user("", "hi"), Message.assistant("")], {}),
    ("sampling", "hi", {"temperature": 0.5, "top_p": 0.9, "top_k": 4, "seed": 7, "candidate_count": 2, "presence_penalty": 0.1, "frequency_penalty": 0.2},
     "hi", {"temperature": 0.5, "top_p": 0.9, "top_k": 4, "seed": 7, "n": 2, "presence_penalty": 0.1, "frequency_penalty": 0.2}),
    ("a limit and stops", "hi", {"max_output_tokens": 5, "stop_sequences": ["a", "b"]}, "hi", {"max_tokens": 5, "stop": ["a", "b"]}),
    ("log probabilities", "hi", {"response_logprobs": True, "logprobs": 3}, "hi", {"logprobs": True, "top_logprobs": 3}),
    ("those of the chosen tokens alone", "hi", {"response_logprobs": True}, "hi", {"logprobs": True}),
    ("any JSON", "hi", {"response_mime_type": "application/json"}, "hi", {"response_format": "json"}),
    ("a schema", "hi", {"response_mime_type": "application/json", "response_json_schema": WEATHER}, "hi", {"response_format": WEATHER}),
    ("a named schema", "hi", {"response_mime_type": "application/json", "response_json_schema": WEATHER}, "hi", {"response_format": JsonSchema(name="r", schema=WEATHER)}),
    ("the API's own schema", "hi", {"response_mime_type": "application/json", "response_schema": {"type": "STRING"}},
     "hi", config(responseMimeType="application/json", responseSchema={"type": "STRING"})),
    ("one of several words", "hi", {"response_mime_type": "text/x.enum", "response_schema": {"type": "STRING", "enum": ["a", "b"]}},
     "hi", config(responseMimeType="text/x.enum", responseSchema={"type": "STRING", "enum": ["a", "b"]})),
    ("a level of thought", "hi", {"thinking_config": {"thinking_level": "LOW"}}, "hi", {"reasoning_effort": "LOW"}),
    ("a budget of thought", "hi", {"thinking_config": {"thinking_budget": 8192}}, "hi", {"reasoning_effort": "medium", "model": OLD}),
    ("no thought", "hi", {"thinking_config": {"thinking_budget": 0}}, "hi", {"reasoning_effort": "none", "model": OLD}),
    ("thoughts shown", "hi", {"thinking_config": {"include_thoughts": True, "thinking_budget": -1}},
     "hi", config(thinkingConfig={"includeThoughts": True, "thinkingBudget": -1})),
    ("a level and thoughts shown", "hi", {"thinking_config": {"thinking_level": "HIGH", "include_thoughts": True}},
     "hi", {"reasoning_effort": "HIGH", **config(thinkingConfig={"includeThoughts": True})}),
    ("speech", "hi", {"response_modalities": ["AUDIO"], "speech_config": {"voice_config": {"prebuilt_voice_config": {"voice_name": "Kore"}}, "language_code": "de-DE"}},
     "hi", config(responseModalities=["AUDIO"], speechConfig={"voiceConfig": {"prebuiltVoiceConfig": {"voiceName": "Kore"}}, "languageCode": "de-DE"})),
    ("several speakers", "hi", {"response_modalities": ["AUDIO"], "speech_config": {"multi_speaker_voice_config": SPEAKERS}},
     "hi", config(responseModalities=["AUDIO"], speechConfig={"multiSpeakerVoiceConfig": SPEAKERS_WIRE})),
    ("pictures in the answer", "hi", {"response_modalities": ["TEXT", "IMAGE"], "image_config": {"aspect_ratio": "16:9", "image_size": "2K"}},
     "hi", config(responseModalities=["TEXT", "IMAGE"], imageConfig={"aspectRatio": "16:9", "imageSize": "2K"})),
    ("how closely to look", "hi", {"media_resolution": "MEDIA_RESOLUTION_LOW"}, "hi", config(mediaResolution="MEDIA_RESOLUTION_LOW")),
    ("civic answers", "hi", {"enable_enhanced_civic_answers": True}, "hi", config(enableEnhancedCivicAnswers=True)),
    ("safety", "hi", {"safety_settings": SAFETY}, "hi", {"extra": {"safetySettings": SAFETY}}),
    ("a tier of service", "hi", {"service_tier": "flex"}, "hi", {"extra": {"serviceTier": "flex"}}),
    ("cached content", "hi", {"cached_content": "cachedContents/1"}, "hi", {"extra": {"cachedContent": "cachedContents/1"}}),
    ("tools", "hi", {"tools": TOOLS}, "hi", {"tools": [TOOL]}),
    ("a tool without arguments", "hi", {"tools": [{"function_declarations": [{"name": "f"}]}]}, "hi", {"tools": [Tool(name="f")]}),
    ("tools or not", "hi", {"tools": TOOLS, "tool_config": {"function_calling_config": {"mode": "AUTO"}}}, "hi", {"tools": [TOOL], "tool_choice": "auto"}),
    ("no tool now", "hi", {"tools": TOOLS, "tool_config": {"function_calling_config": {"mode": "NONE"}}}, "hi", {"tools": [TOOL], "tool_choice": "none"}),
    ("any tool", "hi", {"tools": TOOLS, "tool_config": {"function_calling_config": {"mode": "ANY"}}}, "hi", {"tools": [TOOL], "tool_choice": "required"}),
    ("this tool", "hi", {"tools": TOOLS, "tool_config": {"function_calling_config": {"mode": "ANY", "allowed_function_names": ["get_weather"]}}},
     "hi", {"tools": [TOOL], "tool_choice": "get_weather"}),
    ("arguments that obey the schema", "hi", {"tools": TOOLS, "tool_config": {"function_calling_config": {"mode": "VALIDATED"}}},
     "hi", {"tools": [Tool(name="get_weather", description="d", parameters=WEATHER, strict=True)]}),
    ("the provider's tools", "hi", {"tools": [{"google_search": {}}, {"code_execution": {}}, {"url_context": {}}]},
     "hi", {"extra": {"tools": [{"googleSearch": {}}, {"codeExecution": {}}, {"urlContext": {}}]}}),
    ("the provider's tools beside one's own", "hi", {"tools": [*TOOLS, {"google_search": {}}], "tool_config": {"include_server_side_tool_invocations": True}},
     "hi", {"tools": [TOOL], "extra": {"tools": [{"googleSearch": {}}], "toolConfig": {"includeServerSideToolInvocations": True}}}),
    ("maps, and where one is", "hi", {"tools": [{"google_maps": {}}], "tool_config": {"retrieval_config": {"lat_lng": {"latitude": 1, "longitude": 2}, "language_code": "de"}}},
     "hi", {"extra": {"tools": [{"googleMaps": {}}], "toolConfig": {"retrievalConfig": {"latLng": {"latitude": 1, "longitude": 2}, "languageCode": "de"}}}}),
    ("file search", "hi", {"tools": [{"file_search": {"file_search_store_names": ["fileSearchStores/1"]}}]},
     "hi", {"extra": {"tools": [{"fileSearch": {"fileSearchStoreNames": ["fileSearchStores/1"]}}]}}),
    ("a tool's history", asked(returned({"output": {"temp": 17}})), {}, ["hi", Message.assistant(ASKED, SIGNED), Message.tool("fc1", '{"temp": 17}')], {}),
    ("a result that is text", asked(returned({"output": "17"})), {}, ["hi", Message.assistant(ASKED, SIGNED), Message.tool("fc1", "17")], {}),
    ("a tool that failed", asked(returned({"error": "no"})), {}, ["hi", Message.assistant(ASKED, SIGNED), Message.tool("fc1", "no", is_error=True)], {}),
    ("a result with a picture", asked(returned({"output": "see"}, parts=[{"inline_data": {"mime_type": "image/png", "data": PNG}}])), {},
     ["hi", Message.assistant(ASKED, SIGNED), Message.tool("fc1", ["see", Image(data=PNG)])], {}),
    ("results of parallel calls in the order of the calls, apart from what the user adds",
     [turn("user", "hi"), turn("model", {**CALL, "thought_signature": base64.b64decode(SIGNATURE)}, {"function_call": {"id": "fc2", "name": "get_weather", "args": {}}}),
      turn("user", returned({"output": "17"}), returned({"output": "18"}, "fc2")), turn("user", "so?")], {},
     ["hi", Message.assistant(ASKED, SIGNED, ToolCall(id="fc2", name="get_weather")), Message.user("so?", ToolResult(tool_call_id="fc2", content="18")), Message.tool("fc1", "17")], {}),
    ("calls of a model that gives no ids", [turn("user", "hi"), turn("model", {"function_call": {"name": "get_weather", "args": {}}}),
      turn("user", {"function_response": {"name": "get_weather", "response": {"output": "17"}}})], {},
     ["hi", Message.assistant(ToolCall(id="call_0", name="get_weather")), Message.tool("call_0", "17")], {"model": OLD}),
    ("an image by URL", user("?", stored("https://x.test/a.png", "image/png")), {}, Message.user("?", Image(url="https://x.test/a.png")), {}),
    ("an image by value", user(inline(PNG, "image/png")), {}, Message.user(Image(data=PNG)), {}),
    ("a closer look", user(inline(PNG, "image/png", media_resolution={"level": "MEDIA_RESOLUTION_HIGH"})), {}, Message.user(Image(data=PNG, detail="high")), {}),
    ("an image that is kept", user(stored(FILES + "abc", "image/png")), {}, Message.user(Image(file_id="files/abc", media_type="image/png")), {}),
    ("a PDF", user(inline(PDF, "application/pdf")), {}, Message.user(Document(data=PDF)), {}),
    ("a text file of a type of its own", user(inline(b"a", "text/plain")), {}, Message.user(Document(data=b"a", media_type="application/toml")), {}),
    ("a text file", user(inline(b"a", "text/markdown")), {}, Message.user(Document(data=b"a", media_type="text/markdown")), {}),
    ("a sound", user(inline(WAV, "audio/wav")), {}, Message.user(Audio(data=WAV)), {}),
    ("a part of a video", user(stored("https://youtu.be/x", "video/mp4", video_metadata={"start_offset": "1s", "end_offset": "9s", "fps": 2})), {},
     Message.user(part(Document(url="https://youtu.be/x", media_type="video/mp4"), videoMetadata={"startOffset": "1s", "endOffset": "9s", "fps": 2})), {}),
    ("a name for a file", user({"inline_data": {"mime_type": "application/pdf", "data": PDF, "display_name": "a.pdf"}}), {},
     Message.user(Opaque(backend="gemini", data={"inlineData": {"mimeType": "application/pdf", "data": base64.b64encode(PDF).decode(), "displayName": "a.pdf"}})), {}),
    ("code and its result go back", [turn("user", "hi"), turn("model", CODE, RAN, "2"), turn("user", "so?")], {},
     ["hi", Message.assistant(Opaque(backend="gemini", data=CODE_WIRE), Opaque(backend="gemini", data=RAN_WIRE), "2"), "so?"], {}),
    ("a signature without text goes back", [turn("user", "hi"), turn("model", "ho", {"text": "", "thought_signature": base64.b64decode(SIGNATURE)}), turn("user", "so?")], {},
     ["hi", Message.assistant("ho", Opaque(backend="gemini", data={"text": "", "thoughtSignature": SIGNATURE})), "so?"], {}),
    ("a signed thought goes back", [turn("user", "hi"), turn("model", {"text": "hm", "thought": True, "thought_signature": base64.b64decode(SIGNATURE)}, "ho"), turn("user", "so?")], {},
     ["hi", Message.assistant(Reasoning(text="hm"), Opaque(backend="gemini", data={"thought": True, "thoughtSignature": SIGNATURE}), "ho"), "so?"], {}),
    ("a refusal's history", [turn("user", "hi"), turn("model", "no"), turn("user", "so?")], {}, ["hi", Message.assistant(Refusal(text="no")), "so?"], {}),
    ("an answer that goes on", "hi", {"continuation_token": b"\xfb\xff"}, "hi", {"extra": {"continuationToken": base64.b64encode(b"\xfb\xff").decode()}}),
]  # fmt: skip

USAGE: dict[str, Any] = {
    "promptTokenCount": 100, "cachedContentTokenCount": 40, "candidatesTokenCount": 20, "thoughtsTokenCount": 30, "toolUsePromptTokenCount": 7, "totalTokenCount": 157,
    "promptTokensDetails": [{"modality": "TEXT", "tokenCount": 60}, {"modality": "AUDIO", "tokenCount": 40}],
    "candidatesTokensDetails": [{"modality": "TEXT", "tokenCount": 20}],
}  # fmt: skip
ANSWER: dict[str, Any] = {
    "candidates": [{
        "content": {"role": "model", "parts": [
            {"text": "hm", "thought": True},
            {"text": "Hello ", "thoughtSignature": SIGNATURE},
            {"text": "there"},
            CODE_WIRE, RAN_WIRE,
            {"functionCall": {"id": "fc1", "name": "get_weather", "args": {"city": "Paris"}}, "thoughtSignature": SIGNATURE},
            {"functionCall": {"name": "now"}},
        ]},
        "finishReason": "STOP", "index": 0, "avgLogprobs": -0.5,
        "safetyRatings": [{"category": "HARM_CATEGORY_HARASSMENT", "probability": "NEGLIGIBLE"}],
    }],
    "usageMetadata": USAGE, "modelVersion": NEW, "responseId": "r1",
}  # fmt: skip


@pytest.mark.parametrize("stream", [False, True], ids=["whole", "streamed"])
@pytest.mark.parametrize(
    ("contents", "settings", "messages", "options"), [each[1:] for each in CHATS], ids=[each[0] for each in CHATS]
)
def test_a_chat_is_sent_as_the_sdk_sends_it(
    contents: Any,
    settings: dict[str, Any],
    messages: Any,
    options: dict[str, Any],
    stream: bool,
    both: Callable[..., Any],
    httpserver: HTTPServer,
) -> None:
    given = {"model": NEW, **options}
    model = given.pop("model")
    path = model if "/" in model else f"models/{model}"
    httpserver.expect_request(f"/v1beta/{path}:generateContent").respond_with_json(ANSWER)
    httpserver.expect_request(f"/v1beta/{path}:streamGenerateContent", query_string="alt=sse").respond_with_data(
        sse(ANSWER), content_type="text/event-stream"
    )
    call = {
        "model": model,
        "contents": contents,
        "config": {"automatic_function_calling": {"disable": True}, **settings},
    }
    if stream:
        both(
            lambda sdk: list(sdk.models.generate_content_stream(**call)),
            lambda client: client.stream(f"gemini/{model}", messages, **given).read(),
        )
    else:
        both(
            lambda sdk: sdk.models.generate_content(**call),
            lambda client: client.chat(f"gemini/{model}", messages, **given),
        )


def test_what_others_said_beside_text_and_calls_is_left_out_and_named(
    both: Callable[..., Any], httpserver: HTTPServer
) -> None:
    httpserver.expect_request(f"/v1beta/models/{OLD}:generateContent").respond_with_json(ANSWER)
    thought = (Reasoning(text="hm", signature="EqQB"), Opaque(backend="claude", data={"a": 1}))
    foreign = Message.assistant(*thought, "ho", attrs.evolve(ASKED, extra={"note": 1}))
    contents = [turn("user", "hi"), turn("model", "ho", CALL), turn("user", returned({"output": "1"}))]
    messages = ["hi", attrs.evolve(foreign, extra={"news": 1}), Message.tool("fc1", "1")]
    named = r"messages\[1\]\.reasoning, messages\[1\]\.tool_calls\.note, messages\[1\]\.news$"
    config = {"automatic_function_calling": {"disable": True}}
    with pytest.warns(UnsupportedParameterWarning, match=named):
        both(
            lambda sdk: sdk.models.generate_content(model=OLD, contents=contents, config=config),
            lambda client: client.chat(f"gemini/{OLD}", messages),
        )


def sse(*bodies: dict[str, Any]) -> str:
    return "".join(f"data: {json.dumps(body)}\r\n\r\n" for body in bodies)


def as_parts(message: Message) -> list[dict[str, Any]]:
    """Write an answer as the SDK's parts, from our types."""
    found: list[dict[str, Any]] = []
    for each in message.content:
        if isinstance(each, Text):
            found.append({"text": each.text})
        elif isinstance(each, Reasoning):
            found.append({"text": each.text, "thought": True})
        elif isinstance(each, ToolCall):
            found.append({"functionCall": {"id": each.id, "name": each.name, "args": each.parse_arguments()}})
        elif isinstance(each, Opaque) and each.data.keys() <= {"thought", "thoughtSignature"}:
            found[-1] |= each.data
        else:
            assert isinstance(each, Opaque)
            found.append(dict(each.data))
    return found


def told(content: Any) -> list[dict[str, Any]]:
    """Return the parts that the SDK read, as wire JSON."""
    parts = json.loads(content.model_dump_json(exclude_none=True, by_alias=True)).get("parts") or []
    for number, each in enumerate([each for each in parts if "functionCall" in each]):
        each["functionCall"] = {"id": f"call_{number}", "args": {}, **each["functionCall"]}  # ids that we make
    return parts


def agree(
    expected: Any, actual: Any, canonical: Callable[[Any], Any], parts: list[dict[str, Any]] | None = None
) -> None:
    """Compare what both read of an answer."""
    candidate = expected.candidates[0]
    theirs = told(candidate.content) if parts is None else parts
    assert canonical(as_parts(actual.message)) == canonical(theirs)
    assert (actual.id, actual.model) == (expected.response_id, expected.model_version)
    assert actual.extra["finishReason"] == candidate.finish_reason.value
    usage, ours = expected.usage_metadata, actual.usage
    assert ours.input_tokens == usage.prompt_token_count + (usage.tool_use_prompt_token_count or 0)
    assert ours.output_tokens == (usage.candidates_token_count or 0) + (usage.thoughts_token_count or 0)
    assert ours.cached_input_tokens == (usage.cached_content_token_count or 0)
    assert ours.reasoning_tokens == (usage.thoughts_token_count or 0)
    assert ours.total_tokens == usage.total_token_count


def test_an_answer_is_read_as_the_sdk_reads_it(
    both: Callable[..., Any], canonical: Callable[[Any], Any], httpserver: HTTPServer
) -> None:
    httpserver.expect_request(re.compile(".*")).respond_with_json(ANSWER)
    expected, actual = both(
        lambda sdk: sdk.models.generate_content(model=NEW, contents="hi"),
        lambda client: client.chat(f"gemini/{NEW}", "hi"),
    )
    agree(expected, actual, canonical)
    assert actual.text == expected.text == "Hello there"
    assert actual.reasoning == "hm"
    assert [call.name for call in actual.tool_calls] == [call.name for call in expected.function_calls]
    assert actual.finish_reason == "tool_calls"
    assert actual.usage.audio_input_tokens == 40
    assert actual.extra["avgLogprobs"] == expected.candidates[0].avg_logprobs
    assert actual.extra["safetyRatings"][0]["category"] == expected.candidates[0].safety_ratings[0].category.value
    assert actual.raw == ANSWER


@pytest.mark.parametrize("stream", [False, True], ids=["whole", "streamed"])
def test_an_answer_goes_back_as_the_sdk_sends_it_back(
    stream: bool, both: Callable[..., Any], httpserver: HTTPServer
) -> None:
    httpserver.expect_request(re.compile(".*:generateContent")).respond_with_json(ANSWER)
    httpserver.expect_request(re.compile(".*:streamGenerateContent")).respond_with_data(
        sse(ANSWER), content_type="text/event-stream"
    )

    def theirs(sdk: Any) -> None:
        ask = sdk.models.generate_content_stream if stream else sdk.models.generate_content
        first = ask(model=NEW, contents="hi")
        content = (list(first)[-1] if stream else first).candidates[0].content
        # A thought without a signature is for people; the SDK sends it back, and the API does without.
        content.parts = [each for each in content.parts if not each.thought or each.thought_signature]
        content.parts[-1].function_call.args = {}  # the SDK sends what it got, which leaves out what is empty
        back = [returned({"output": "17"}), {"function_response": {"name": "now", "response": {"output": "12"}}}]
        again = ask(model=NEW, contents=[turn("user", "hi"), content, turn("user", *back)])
        if stream:
            list(again)

    def ours(client: Client) -> None:
        def ask(messages: Any) -> Any:
            return client.stream(f"gemini/{NEW}", messages).read() if stream else client.chat(f"gemini/{NEW}", messages)

        first = ask("hi")
        results = [Message.tool(call.id, text) for call, text in zip(first.tool_calls, ("17", "12"), strict=True)]
        ask(["hi", first.message, *results])

    both(theirs, ours)


def chunk(
    *parts: dict[str, Any], reason: str | None = None, usage: dict[str, Any] | None = None, **more: Any
) -> dict[str, Any]:
    candidate = {
        "content": {"role": "model", "parts": list(parts)},
        "index": 0,
        **({"finishReason": reason} if reason else {}),
    }
    return {
        "candidates": [candidate | more],
        "usageMetadata": usage or {"promptTokenCount": 3, "totalTokenCount": 3},
        "modelVersion": NEW,
        "responseId": "r1",
    }


def text(piece: str, **more: Any) -> dict[str, Any]:
    return {"text": piece, **more}


LAST = {"promptTokenCount": 3, "candidatesTokenCount": 2, "thoughtsTokenCount": 4, "totalTokenCount": 9}
WIRE_CALL = {"functionCall": {"id": "fc1", "name": "get_weather", "args": {"city": "Paris"}}}
PICTURE = {"inlineData": {"mimeType": "image/png", "data": base64.b64encode(PNG).decode()}}
STREAMS: dict[str, str] = {
    "text": sse(chunk(text("Hel")), chunk(text("lo\u2028\u0085")), chunk(text("!"), reason="STOP", usage=LAST)),
    "characters that are no line ends": sse(chunk(text("a-b"), reason="STOP", usage=LAST)).replace("a-b", "a\u2028b\u0085c"),
    "a signature at the end": sse(chunk(text("Hello")), chunk(text("", thoughtSignature=SIGNATURE), reason="STOP", usage=LAST)),
    "a signed piece": sse(chunk(text("Hel")), chunk(text("lo", thoughtSignature=SIGNATURE), reason="STOP", usage=LAST)),
    "thoughts, then text": sse(chunk(text("Let me", thought=True)), chunk(text(" see", thought=True)), chunk(text("17"), reason="STOP", usage=LAST)),
    "calls": sse(chunk({**WIRE_CALL, "thoughtSignature": SIGNATURE}), chunk({"functionCall": {"name": "now"}}, reason="STOP", usage=LAST)),
    "a call after text": sse(chunk(text("I look")), chunk(WIRE_CALL, reason="STOP", usage=LAST)),
    "code": sse(chunk(CODE_WIRE), chunk(RAN_WIRE), chunk(text("2"), reason="STOP", usage=LAST)),
    "a picture": sse(chunk(text("see")), chunk(PICTURE, reason="STOP", usage=LAST)),
    "a limit that thoughts used up": sse({**chunk(usage=LAST), "candidates": [{"finishReason": "MAX_TOKENS", "index": 0}]}),
    "a filter": sse(chunk(text("a")), chunk(reason="SAFETY", usage=LAST)),
    "a chunk of counts alone": sse(chunk(text("a")), {"usageMetadata": LAST}, chunk(reason="STOP", usage=LAST)),
    "line feeds alone": sse(chunk(text("a"), reason="STOP", usage=LAST)).replace("\r\n", "\n"),
}  # fmt: skip


def joined(chunks: list[Any]) -> list[dict[str, Any]]:
    """Join what the SDK hands out in pieces: neighbours of one kind that are not signed, and nothing that is empty."""
    found: list[dict[str, Any]] = []
    calls = 0
    for each in [each for chunk in chunks for each in told(chunk.candidates[0].content)]:
        if "functionCall" in each and each["functionCall"]["id"].startswith("call_"):
            each["functionCall"]["id"] = f"call_{calls}"
        calls += "functionCall" in each
        last = found[-1] if found else {}
        if "text" in each and "thoughtSignature" not in each and last.keys() == each.keys():
            last["text"] += each["text"]
        elif each != {"text": ""}:
            found.append(each)
    return found


@pytest.mark.parametrize("stream", STREAMS.values(), ids=STREAMS.keys())
def test_a_stream_is_asked_for_and_read_as_the_sdk_does(
    stream: str, both: Callable[..., Any], canonical: Callable[[Any], Any], httpserver: HTTPServer
) -> None:
    httpserver.expect_request(re.compile(".*"), query_string="alt=sse").respond_with_data(
        stream, content_type="text/event-stream"
    )
    expected, actual = both(
        lambda sdk: list(sdk.models.generate_content_stream(model=NEW, contents="hi")),
        lambda client: client.stream(f"gemini/{NEW}", "hi").read(),
    )
    parts = joined([each for each in expected if each.candidates and each.candidates[0].content])
    agree(expected[-1], actual, canonical, parts)
