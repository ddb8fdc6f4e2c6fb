"""Every option that OpenAI's own SDK has, one by one: both have to send the same.

A table says what each option is given and how ours is called; a test holds the tables to the SDK's own lists of
options, so that one that the SDK gains is missed here.
"""

from __future__ import annotations

import json
import re
import warnings
from collections.abc import Callable
from typing import Any, get_type_hints

import pytest
from ipfs_accel import Client, Tool
from pytest_httpserver import HTTPServer
from werkzeug import Request, Response

from conftest import form

openai = pytest.importorskip("openai", reason="OpenAI's SDK is the oracle of these tests")

SCHEMA = {"type": "object", "properties": {"a": {"type": "number"}}, "required": ["a"], "additionalProperties": False}
TOOL = Tool(name="f", parameters=SCHEMA, strict=False)
CHAT_TOOL = {"type": "function", "function": {"name": "f", "parameters": SCHEMA, "strict": False}}
FLAT_TOOL = {"type": "function", "name": "f", "parameters": SCHEMA, "strict": False}
GRAMMAR = {"type": "custom", "custom": {"name": "g", "format": {"type": "text"}}}
USER = [{"role": "user", "content": "hi"}]
PNG = b"\x89PNG\r\n\x1a\n0"
WAV = b"RIFF\0\0\0\0WAVEfmt "
CACHE = {"mode": "explicit", "ttl": "30m"}
SCORED = {"model": "omni-moderation-latest", "policy": {"input": {"mode": "score"}}}

Case = tuple[dict[str, Any], dict[str, Any]]
"""What the SDK is given, and what ours is."""


def own(**fields: Any) -> Case:
    """An option that only this provider has: ours takes it in `extra`, under the same name."""
    return fields, {"extra": fields}


def same(**fields: Any) -> Case:
    """An option of the same name and value in both."""
    return fields, fields


CHAT: dict[str, Case] = {
    "audio": own(audio={"format": "wav", "voice": "alloy"}, modalities=["text", "audio"]),
    "frequency_penalty": same(frequency_penalty=0.5),
    "function_call": own(function_call="auto", functions=[{"name": "f"}]),
    "functions": own(functions=[{"name": "f"}]),
    "logit_bias": same(logit_bias={"1": 5}),
    "logprobs": same(logprobs=True),
    "max_completion_tokens": ({"max_completion_tokens": 5}, {"max_tokens": 5}),
    "max_tokens": own(max_tokens=5),  # its older name; ours says the new one unless it is asked for the old
    "metadata": own(metadata={"a": "b"}),
    "modalities": own(modalities=["text"]),
    "moderation": own(moderation=SCORED),
    "n": same(n=2),
    "parallel_tool_calls": ({"parallel_tool_calls": True, "tools": [CHAT_TOOL]}, {"parallel_tool_calls": True, "tools": [TOOL]}),
    "prediction": own(prediction={"type": "content", "content": "x"}),
    "presence_penalty": same(presence_penalty=0.5),
    "prompt_cache_key": own(prompt_cache_key="k"),
    "prompt_cache_options": own(prompt_cache_options=CACHE),
    "prompt_cache_retention": own(prompt_cache_retention="24h"),
    "reasoning_effort": same(reasoning_effort="low"),
    "response_format": ({"response_format": {"type": "json_object"}}, {"response_format": "json"}),
    "safety_identifier": own(safety_identifier="s"),
    "seed": same(seed=7),
    "service_tier": own(service_tier="priority"),
    "stop": same(stop=["a"]),
    "store": own(store=True),
    "stream_options": ({"stream_options": {"include_usage": True, "include_obfuscation": False}, "stream": True},
                       {"extra": {"stream_options": {"include_usage": True, "include_obfuscation": False}}}),
    "temperature": same(temperature=0.5),
    "tool_choice": ({"tool_choice": "required", "tools": [CHAT_TOOL]}, {"tool_choice": "required", "tools": [TOOL]}),
    "tools": ({"tools": [CHAT_TOOL, GRAMMAR]}, {"tools": [TOOL], "extra": {"tools": [GRAMMAR]}}),
    "top_logprobs": same(top_logprobs=2, logprobs=True),
    "top_p": same(top_p=0.5),
    "user": same(user="u"),
    "verbosity": own(verbosity="low"),
    "web_search_options": own(web_search_options={"search_context_size": "low"}),
}  # fmt: skip

# What ours always says beside: nothing is stored unless that is asked for, and thoughts come back encrypted.
ALWAYS = {"store": False, "include": ["reasoning.encrypted_content"]}

RESPONSE: dict[str, Case] = {
    "access_programs": own(access_programs=[]),
    "background": own(background=True),
    "background_options": own(background_options={"completion_window": "soonest"}),
    "context_management": own(context_management=[{"type": "compaction", "compact_threshold": 1000}]),
    "conversation": own(conversation="conv_1"),
    "image": own(image={"context_compression": "auto"}),
    "include": own(include=["web_search_call.results"]),
    "instructions": own(instructions="be brief"),
    "max_output_tokens": ({"max_output_tokens": 5}, {"max_tokens": 5}),
    "max_tool_calls": own(max_tool_calls=2),
    "metadata": own(metadata={"a": "b"}),
    "moderation": own(moderation=SCORED),
    "parallel_tool_calls": ({"parallel_tool_calls": True, "tools": [FLAT_TOOL]}, {"parallel_tool_calls": True, "tools": [TOOL]}),
    "previous_response_id": own(previous_response_id="resp_0"),
    "prompt": own(prompt={"id": "p", "variables": {"a": "b"}}),
    "prompt_cache_key": own(prompt_cache_key="k"),
    "prompt_cache_options": own(prompt_cache_options=CACHE),
    "prompt_cache_retention": own(prompt_cache_retention="24h"),
    "reasoning": ({"reasoning": {"effort": "low", "summary": "auto"}}, {"reasoning_effort": "low", "extra": {"reasoning": {"summary": "auto"}}}),
    "safety_identifier": own(safety_identifier="s"),
    "service_tier": own(service_tier="flex"),
    "store": ({"store": True, "include": openai.NOT_GIVEN}, {"extra": {"store": True}}),
    "stream_options": ({"stream_options": {"include_obfuscation": False}, "stream": True}, {"extra": {"stream_options": {"include_obfuscation": False}}}),
    "temperature": same(temperature=0.5),
    "text": ({"text": {"verbosity": "low", "format": {"type": "text"}}}, {"response_format": "text", "extra": {"text": {"verbosity": "low"}}}),
    "tool_choice": ({"tool_choice": {"type": "web_search"}, "tools": [FLAT_TOOL, {"type": "web_search"}]},
                    {"tools": [TOOL], "extra": {"tools": [{"type": "web_search"}], "tool_choice": {"type": "web_search"}}}),
    "tools": ({"tools": [FLAT_TOOL, {"type": "mcp", "server_label": "s", "server_url": "https://x.test"}]},
              {"tools": [TOOL], "extra": {"tools": [{"type": "mcp", "server_label": "s", "server_url": "https://x.test"}]}}),
    "top_logprobs": ({"top_logprobs": 2, "include": ["reasoning.encrypted_content", "message.output_text.logprobs"]}, {"top_logprobs": 2, "logprobs": True}),
    "top_p": same(top_p=0.5),
    "truncation": own(truncation="auto"),
    "user": same(user="u"),
}  # fmt: skip

COMPLETION: dict[str, Case] = {
    "best_of": own(best_of=2),
    "echo": same(echo=True),
    "frequency_penalty": same(frequency_penalty=0.5),
    "logit_bias": same(logit_bias={"1": 5}),
    "logprobs": same(logprobs=2),
    "max_tokens": same(max_tokens=5),
    "n": same(n=2),
    "presence_penalty": same(presence_penalty=0.5),
    "prompt": ({"prompt": [[1, 2], [3]]}, {"prompt": [[1, 2], [3]]}),
    "seed": same(seed=7),
    "stop": same(stop=["a"]),
    "stream_options": ({"stream_options": {"include_usage": True}, "stream": True}, {}),
    "suffix": same(suffix="x"),
    "temperature": same(temperature=0.5),
    "top_p": same(top_p=0.5),
    "user": same(user="u"),
}  # fmt: skip

EMBEDDING: dict[str, Case] = {
    "dimensions": same(dimensions=1),
    "encoding_format": own(encoding_format="float"),
    "user": same(user="u"),
}

PICTURE: dict[str, Case] = {
    "background": same(background="opaque"),
    "complexity": own(complexity="low"),
    "frame_count": own(frame_count=4),
    "frame_duration_ms": own(frame_duration_ms=100),
    "safety_identifier": own(safety_identifier="s"),
    "svg": own(svg={"model": "m", "reasoning": {"effort": "low"}}),
    "moderation": own(moderation="low"),
    "n": same(n=2),
    "output_compression": same(output_compression=50),
    "output_format": same(output_format="webp"),
    "partial_images": ({"partial_images": 2, "stream": True}, {"partial_images": 2}),
    "quality": same(quality="low"),
    "response_format": own(response_format="b64_json"),
    "size": same(size="1024x1024"),
    "style": own(style="vivid"),  # ended with dall-e; as an option of ours it is named as unsupported
    "user": same(user="u"),
}
EDIT: dict[str, Case] = {
    **{name: case for name, case in PICTURE.items() if name not in {"style", "moderation", "partial_images"}},
    "input_fidelity": own(input_fidelity="high"),
    "markup": ({"markup": ("file.png", PNG, "image/png")}, {"extra": {"markup": PNG}}),
    "mask": ({"mask": ("file.png", PNG, "image/png")}, {"mask": PNG}),
    "partial_images": ({"partial_images": 2, "stream": True}, {"partial_images": 2}),
}

TRANSCRIPT: dict[str, Case] = {
    "chunking_strategy": own(chunking_strategy={"type": "server_vad", "threshold": 0.5}),
    "include": own(include=["logprobs"]),
    "keywords": own(keywords=["Ada"]),
    "known_speaker_names": own(known_speaker_names=["a", "b"]),
    "known_speaker_references": own(known_speaker_references=["data:audio/wav;base64,UklG"]),
    "language": same(language="de"),
    "languages": own(languages=["de", "en"]),
    "prompt": same(prompt="Ada"),
    "response_format": same(response_format="srt"),
    "temperature": same(temperature=0.5),
    "timestamp_granularities": ({"timestamp_granularities": ["word"], "response_format": "verbose_json"}, {"timestamps": ["word"]}),
}  # fmt: skip
TRANSLATION = {name: TRANSCRIPT[name] for name in ("prompt", "response_format", "temperature")}

SPEECH: dict[str, Case] = {
    "instructions": same(instructions="calm"),
    "response_format": ({"response_format": "wav"}, {"output_format": "wav"}),
    "speed": same(speed=1.5),
    "stream_format": ({"stream_format": "sse"}, {"extra": {"stream_format": "sse"}}),
}

CHATTED: dict[str, Any] = {"id": "c", "object": "chat.completion", "created": 1, "model": "m", "choices": [{"index": 0, "message": {"role": "assistant", "content": "Hello"}, "finish_reason": "stop"}]}  # fmt: skip
RESPONDED: dict[str, Any] = {"id": "r", "object": "response", "created_at": 1, "model": "m", "status": "completed", "output": [], "parallel_tool_calls": True, "tool_choice": "auto", "tools": []}  # fmt: skip
COMPLETED = {"id": "c", "object": "text_completion", "created": 1, "model": "m", "choices": [{"text": "x", "index": 0, "finish_reason": "stop"}]}  # fmt: skip


def sse(*data: dict[str, Any]) -> Response:
    body = "".join(f"data: {json.dumps(each)}\n\n" for each in data) + "data: [DONE]\n\n"
    return Response(body, content_type="text/event-stream")


def answer(request: Request) -> Response:
    """Answer any route as the service does, streamed where that is asked for."""
    data = request.get_data()
    body = json.loads(data) if request.mimetype == "application/json" and data else {}
    is_stream = body.get("stream") or b'name="stream"' in data
    streamed, whole = next(found for end, found in ANSWERS.items() if request.path.endswith(end))
    if isinstance(whole, bytes):
        return Response(whole, content_type="audio/wav")
    return sse(streamed) if is_stream else _json(whole)


# By the end of the path, what is streamed and what is answered whole.
PICTURED = {"type": "image.completed", "b64_json": "iVBO"}
ANSWERS: dict[str, tuple[Any, Any]] = {
    "/chat/completions": ({**CHATTED, "choices": [{"index": 0, "delta": {"content": "x"}, "finish_reason": "stop"}]}, CHATTED),
    "/completions": (COMPLETED, COMPLETED),
    "/responses": ({"type": "response.completed", "response": RESPONDED}, RESPONDED),
    "/generations": (PICTURED, {"created": 1, "data": [PICTURED]}),
    "/edits": (PICTURED, {"created": 1, "data": [PICTURED]}),
    "/speech": (None, WAV),
    "/embeddings": (None, {"object": "list", "data": [{"index": 0, "embedding": [1.0]}], "model": "m", "usage": {}}),
    "": (None, {"text": "x"}),
}  # fmt: skip


def _json(value: Any) -> Response:
    return Response(json.dumps(value), content_type="application/json")


@pytest.fixture
def both(client: Client, sdk: Any, httpserver: HTTPServer) -> Callable[..., None]:
    """Make the same call with both and compare what the server got."""
    httpserver.expect_request(re.compile(".*")).respond_with_handler(answer)

    def compare(theirs: Callable[[Any], Any], ours: Callable[[Client], Any]) -> None:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DeprecationWarning)  # the vendor's word on its older options
            found = theirs(sdk)
        if isinstance(found, openai.Stream):
            found.close()
        ours(client)
        expected, actual = [request for request, _ in httpserver.log]
        assert (actual.method, actual.path) == (expected.method, expected.path)
        assert sorted(actual.args.items(multi=True)) == sorted(expected.args.items(multi=True))
        assert content(actual) == content(expected)
        for header in ("Authorization", "Accept"):
            assert actual.headers.get(header) == expected.headers.get(header), header

    return compare


def content(request: Request) -> Any:
    data = request.get_data()
    if request.mimetype == "multipart/form-data":
        return form(request)
    return json.loads(data) if data else None


def cases(table: dict[str, Case]) -> Any:
    return pytest.mark.parametrize(("theirs", "ours"), table.values(), ids=table.keys())


@cases(CHAT)
def test_chats(theirs: dict[str, Any], ours: dict[str, Any], both: Callable[..., None]) -> None:
    model = "gpt-5.4" if "reasoning_effort" in theirs else "gpt-4o"
    call = "stream" if "stream" in theirs else "chat"
    both(
        lambda sdk: sdk.chat.completions.create(**{"model": model, "messages": USER, **theirs}),
        lambda client: whole(getattr(client, call)(f"openai/{model}", "hi", **ours)),
    )


def whole(found: Any) -> Any:
    return found.read() if hasattr(found, "read") else found


@cases(RESPONSE)
def test_responses(theirs: dict[str, Any], ours: dict[str, Any], both: Callable[..., None]) -> None:
    call = "stream" if "stream" in theirs else "chat"
    # It has no effort by default, so it takes what steers sampling; the suffix makes it a model of this API.
    both(
        lambda sdk: sdk.responses.create(**{"model": "gpt-5.4-pro", "input": USER, **ALWAYS, **theirs}),
        lambda client: whole(getattr(client, call)("openai/gpt-5.4-pro", "hi", **ours)),
    )


@cases(COMPLETION)
def test_completions(theirs: dict[str, Any], ours: dict[str, Any], both: Callable[..., None]) -> None:
    ours = {"prompt": "x", **ours}
    prompt = ours.pop("prompt")
    call = "stream_complete" if "stream" in theirs else "complete"
    both(
        lambda sdk: sdk.completions.create(**{"model": "m", "prompt": "x", **theirs}),
        lambda client: whole(getattr(client, call)("openai/m", prompt, **ours)),
    )


@cases(EMBEDDING)
def test_embeddings(theirs: dict[str, Any], ours: dict[str, Any], both: Callable[..., None]) -> None:
    # The SDK asks for base64 by itself, as ours does.
    both(
        lambda sdk: sdk.embeddings.create(model="m", input="x", **theirs),
        lambda client: client.embed("openai/m", "x", **ours),
    )


@cases(PICTURE)
def test_pictures(theirs: dict[str, Any], ours: dict[str, Any], both: Callable[..., None]) -> None:
    call = "stream_image" if "stream" in theirs else "generate_image"
    both(
        lambda sdk: sdk.images.generate(model="gpt-image-2", prompt="a cat", **theirs),
        lambda client: whole(getattr(client, call)("openai/gpt-image-2", "a cat", **ours)),
    )


@cases(EDIT)
def test_edits(theirs: dict[str, Any], ours: dict[str, Any], both: Callable[..., None]) -> None:
    call = "stream_image_edit" if "stream" in theirs else "edit_image"
    both(
        lambda sdk: sdk.images.edit(model="m", prompt="a hat", image=("file.png", PNG, "image/png"), **theirs),
        lambda client: whole(getattr(client, call)("openai/m", PNG, "a hat", **ours)),
    )


@cases(TRANSCRIPT)
def test_transcripts(theirs: dict[str, Any], ours: dict[str, Any], both: Callable[..., None]) -> None:
    both(
        lambda sdk: sdk.audio.transcriptions.create(model="m", file=("file.wav", WAV, "audio/wav"), **theirs),
        lambda client: client.transcribe("openai/m", WAV, **ours),
    )


@cases(TRANSLATION)
def test_translations(theirs: dict[str, Any], ours: dict[str, Any], both: Callable[..., None]) -> None:
    both(
        lambda sdk: sdk.audio.translations.create(model="m", file=("file.wav", WAV, "audio/wav"), **theirs),
        lambda client: client.translate("openai/m", WAV, **ours),
    )


@cases(SPEECH)
def test_speech(theirs: dict[str, Any], ours: dict[str, Any], both: Callable[..., None]) -> None:
    both(
        lambda sdk: sdk.audio.speech.create(model="m", input="x", voice="alloy", **theirs),
        lambda client: client.speak("openai/m", "x", voice="alloy", **ours),
    )


def parameters(path: str) -> set[str]:
    """Return the names of the SDK's parameters, those that every call has and the switch for streams left out."""
    from importlib import import_module

    module, _, name = path.rpartition(".")
    kind = getattr(import_module(f"openai.types.{module}"), name)
    return set(get_type_hints(kind)) - {"model", "messages", "input", "stream", "file", "image", "voice"}


LISTS: list[tuple[dict[str, Case], str, set[str]]] = [
    (CHAT, "chat.completion_create_params.CompletionCreateParamsBase", set()),
    (RESPONSE, "responses.response_create_params.ResponseCreateParamsBase", set()),
    (COMPLETION, "completion_create_params.CompletionCreateParamsBase", set()),
    (EMBEDDING, "embedding_create_params.EmbeddingCreateParams", set()),
    (PICTURE, "image_generate_params.ImageGenerateParamsBase", {"prompt"}),
    (EDIT, "image_edit_params.ImageEditParamsBase", {"prompt"}),
    (TRANSCRIPT, "audio.transcription_create_params.TranscriptionCreateParamsBase", set()),
    (TRANSLATION, "audio.translation_create_params.TranslationCreateParams", set()),
    (SPEECH, "audio.speech_create_params.SpeechCreateParams", set()),
]


@pytest.mark.parametrize(("table", "path", "elsewhere"), LISTS, ids=[each[1] for each in LISTS])
def test_no_option_of_the_sdk_is_missing(table: dict[str, Case], path: str, elsewhere: set[str]) -> None:
    assert parameters(path) - elsewhere - table.keys() == set()
