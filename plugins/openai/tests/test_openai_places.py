"""Which of its two APIs takes what, at OpenAI's own service: by the published specification, 2026."""

from __future__ import annotations

import json
from typing import Any

import attrs
import pytest
from ipfs_accel import errors as e
from ipfs_accel.plans import Endpoint, Http, HttpStream
from ipfs_accel.types import (
    Audio,
    ChatRequest,
    Document,
    Image,
    Message,
    Opaque,
    Origin,
    Reasoning,
    SpeakRequest,
    ToolCall,
    TranscribeRequest,
    Upload,
)
from ipfs_accel_openai import OpenAI, Options

OPENAI = OpenAI()
HOSTED = Endpoint(name="openai", backend="openai", base_url="https://api.openai.com/v1", options=Options())
BY_CHAT = attrs.evolve(HOSTED, options=Options(api="chat"))
BY_RESPONSES = attrs.evolve(HOSTED, options=Options(api="responses"))
ELSEWHERE = attrs.evolve(HOSTED, base_url="http://localhost:8000/v1")
PNG = b"\x89PNG\r\n\x1a\n"
PICTURE, FILE = Image(data=PNG), Document(data=b"%PDF-1.7")
SAID = Origin(backend="openrouter", host="https://openrouter.ai", model="m")


def asked(endpoint: Endpoint, *messages: Message, model: str = "gpt-5.4", **options: Any) -> Any:
    """Return the plan of a chat, whose stream goes to the same route with the same messages."""
    request = ChatRequest(model=model, messages=messages or (Message.user("x"),), **options)
    plan, stream = OPENAI.chat(endpoint, request), OPENAI.stream(endpoint, request)
    assert isinstance(plan, Http)
    assert isinstance(stream, HttpStream)
    assert stream.send.path == plan.send.path
    assert (stream.unsupported, stream.kept_back) == (plan.unsupported, plan.kept_back)
    return plan


def body(plan: Any) -> Any:
    return json.loads(plan.send.content)


HOSTED_TOOLS = ("web_search", "code_interpreter", "image_generation", "file_search", "mcp", "shell", "computer", "apply_patch", "tool_search", "one_of_tomorrow")  # fmt: skip


@pytest.mark.parametrize("kind", HOSTED_TOOLS)
def test_tools_that_run_at_openai_choose_the_responses_api(kind: str) -> None:
    plan = asked(HOSTED, extra={"tools": [{"type": kind}]})
    assert plan.send.path == "/responses"
    assert body(plan)["tools"] == [{"type": kind}]
    assert asked(ELSEWHERE, extra={"tools": [{"type": kind}]}).send.path == "/chat/completions"


@pytest.mark.parametrize(
    "tool", [{"type": "custom", "name": "f"}, {"type": "function", "function": {"name": "f"}}, "no tool"]
)
def test_tools_of_ones_own_do_not(tool: Any) -> None:
    assert asked(HOSTED, extra={"tools": [tool]}).send.path == "/chat/completions"


@pytest.mark.parametrize("field", ["max_output_tokens", "background_options", "access_programs", "prompt"])
def test_fields_that_only_the_responses_api_has_choose_it(field: str) -> None:
    assert asked(HOSTED, extra={field: 5}).send.path == "/responses"


@pytest.mark.parametrize("role", ["system", "developer"])
@pytest.mark.parametrize("part", [PICTURE, FILE], ids=["picture", "file"])
def test_pictures_in_instructions_go_by_the_api_that_takes_them(role: Any, part: Any) -> None:
    messages = (Message(role=role, content=("a", part)), Message.user("b"))
    sent = body(asked(HOSTED, *messages))["input"][0]
    assert (sent["role"], sent["content"][0]["type"]) == (role, "input_text")
    with pytest.raises(
        e.InvalidRequestError,
        match=rf"messages\[0\]: OpenAI takes text in a message of the role {role}, and no {part.kind}",
    ):
        asked(BY_CHAT, *messages)
    assert body(asked(ELSEWHERE, *messages))["messages"][0]["content"][1]["type"] in {"image_url", "file"}


@pytest.mark.parametrize(
    ("endpoint", "who"), [(BY_CHAT, "OpenAI takes text"), (BY_RESPONSES, "the Responses API takes no image")]
)
def test_pictures_in_a_models_turn_are_refused_if_written_by_hand(endpoint: Endpoint, who: str) -> None:
    with pytest.raises(e.InvalidRequestError, match=rf"messages\[1\]: {who}"):
        asked(endpoint, Message.user("a"), Message.assistant("b", PICTURE), Message.user("c"))


def test_pictures_that_another_model_made_are_left_out_and_named() -> None:
    made = attrs.evolve(Message.assistant("b", PICTURE), origin=SAID)
    plan = asked(BY_CHAT, Message.user("a"), made, Message.user("c"))
    assert plan.kept_back == ("messages[1].image",)
    assert body(plan)["messages"][1] == {"role": "assistant", "content": "b"}


def test_a_picture_that_its_own_tool_made_goes_back_as_the_item() -> None:
    item = {"type": "image_generation_call", "id": "ig", "result": "iVBORw0KGgo="}
    made = Message.assistant("b", PICTURE, Opaque(backend="openai", data=item))
    assert body(asked(BY_RESPONSES, Message.user("a"), made))["input"][1:] == [{"type": "message", "role": "assistant", "content": "b"}, item]  # fmt: skip


def test_a_sound_that_a_model_made_goes_back_by_its_id() -> None:
    made = Message.assistant(Audio(data=b"\0\1", media_type="audio/pcm", id="s1"))
    assert body(asked(BY_CHAT, Message.user("a"), made))["messages"][1]["audio"] == {"id": "s1"}


def test_what_openai_takes_of_what_models_said() -> None:
    by_hand = Message.assistant(Reasoning(text="hm"), "a", ToolCall(id="c", name="f", extra={"note": 1}))
    plan = asked(BY_CHAT, Message.user("x"), attrs.evolve(by_hand, extra={"news": 1}))
    assert plan.kept_back == ("messages[1].reasoning", "messages[1].tool_calls.note", "messages[1].news")
    assert body(plan)["messages"][1].keys() == {"role", "content", "tool_calls"}
    said = Message.assistant(Reasoning(text="hm", field="reasoning_content"), "a")  # of a deployment that is no GPT
    assert body(asked(BY_CHAT, Message.user("x"), said))["messages"][1]["reasoning_content"] == "hm"


@pytest.mark.parametrize("model", ["o3", "gpt-5-pro"])
def test_log_probabilities_that_a_model_refuses_are_not_asked_for(model: str) -> None:
    plan = asked(BY_RESPONSES, model=model, logprobs=True)
    assert "logprobs" in plan.unsupported
    assert body(plan)["include"] == ["reasoning.encrypted_content"]
    assert "message.output_text.logprobs" in body(asked(BY_RESPONSES, model="gpt-4.1", logprobs=True))["include"]


def test_speech_needs_a_voice() -> None:
    request = SpeakRequest(model="gpt-4o-mini-tts", text="x")
    with pytest.raises(e.InvalidRequestError, match="voice: OpenAI wants one"):
        OPENAI.speak(HOSTED, request)
    assert body(OPENAI.speak(HOSTED, attrs.evolve(request, voice="alloy")))["voice"] == "alloy"
    assert "voice" not in body(OPENAI.speak(ELSEWHERE, request))


def test_translations_do_not_tell_speakers_apart() -> None:
    request = TranscribeRequest(
        model="whisper-1", audio=Upload.of(b"ID3", name="a.mp3"), response_format="diarized_json"
    )
    with pytest.raises(e.InvalidRequestError, match="response_format: translations have no diarized_json"):
        OPENAI.translate(HOSTED, request)


def test_what_a_count_is_of_has_a_personality() -> None:
    plan: Any = OPENAI.count_tokens(HOSTED, ChatRequest(model="gpt-5.4", messages=(Message.user("x"),), extra={"personality": "p"}))  # fmt: skip
    assert body(plan)["personality"] == "p"
