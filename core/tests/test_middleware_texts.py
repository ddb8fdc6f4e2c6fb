"""Where texts are in requests, answers and events: all of them are found, and nothing else is touched."""

from __future__ import annotations

from typing import Any

import attrs
import pytest
from hypothesis import given
from hypothesis import strategies as st
from ipfs_accel import middleware, types
from ipfs_accel._headers import Headers
from ipfs_accel.middleware import map_texts, texts_of
from ipfs_accel.types import (
    Audio,
    BatchItem,
    BatchRequest,
    BlockEnd,
    ChatRequest,
    ChatResponse,
    Choice,
    EmbedRequest,
    Image,
    Message,
    ModerateRequest,
    Opaque,
    RawRequest,
    RawResponse,
    Reasoning,
    RerankRequest,
    ServerEvent,
    Text,
    Tool,
    ToolCall,
    ToolCallDelta,
)

PIXEL = Image(url="https://example.com/secret.png")

# Fields of text that nobody said: names, ids, settings, places; what objects and files are called is no text either.
PLAIN = {
    "background", "base", "completion_window", "detail", "errors", "extra", "id", "language", "license",
    "logit_bias", "media_type", "metadata", "method", "model", "output_format", "outputs", "parameters",
    "purpose", "quality", "quantize", "raw", "reasoning_effort", "response_format", "server", "size",
    "status", "stop", "style", "template", "timestamps", "tool_choice", "user", "version", "voice",
}  # fmt: skip


@pytest.mark.parametrize(
    ("value", "texts"),
    [
        (
            ChatRequest(
                messages=(
                    Message.system("one"),
                    Message.user("two", PIXEL),
                    Message.assistant("three", ToolCall(id="secret", name="secret", arguments='{"a": ["four", 5]}')),
                    Message.tool("secret", "six"),
                ),
                user="seven",
                extra={"metadata": {"note": "eight"}},
                tools=(Tool(name="secret", description="secret"),),
            ),
            ["one", "two", "three", "four", "six", "seven", "eight"],
        ),
        (EmbedRequest(inputs=("one", (1, 2))), ["one"]),
        (RerankRequest(query="one", documents=("two", "three")), ["one", "two", "three"]),
        (ModerateRequest(inputs=("one", ("two", PIXEL))), ["one", "two"]),
        (BatchRequest(items=(BatchItem(id="secret", request=EmbedRequest(inputs=("one",))),)), ["one"]),
        (BlockEnd(part=Text(text="one")), ["one"]),
        (ToolCallDelta('{"a": "secret'), []),
        (Message.assistant(ToolCall(id="i", name="n", arguments="not JSON {")), ["not JSON {"]),
        (Message.assistant(Reasoning(text="one"), Reasoning(text="signed", signature="proof")), ["one"]),
        (Message.assistant(Opaque(backend="b", data={"thought": "secret"})), []),
        (Audio(data=b"ID3", transcript="one"), ["one"]),
        (RawRequest(method="secret", path="/secret", query=(("one", "two"),), headers=(("x", "secret"),), json={"a": ["three"]}), ["one", "two", "three"]),
        (RawResponse(status=200, headers=Headers(), body=b'{"a": ["one", 2]}'), ["one"]),
        (RawResponse(status=200, headers=Headers(), body="ön\ne".encode()), ["ön\ne"]),
        (RawResponse(status=200, headers=Headers(), body=b"\xff\x00"), []),
        (ServerEvent('{"a": {"b": "one"}}', "secret"), ["one"]),
        (ServerEvent("[DONE"), ["[DONE"]),
        ({"text": "one", "more": [{"deep": "two"}, 3]}, ["one", "two"]),
        (None, []),
    ],
)  # fmt: skip
def test_texts_are_found_and_replaced(value: Any, texts: list[str]) -> None:
    assert texts_of(value) == texts
    changed = map_texts(value, lambda text: text + "!")
    assert texts_of(changed) == [f"{text}!" for text in texts]
    assert "secret!" not in repr(changed)
    assert map_texts(changed, lambda text: text[:-1]) == value


def test_what_does_not_change_is_returned_itself() -> None:
    request = ChatRequest(messages=(Message.user("one", PIXEL),))
    assert map_texts(request, lambda text: text) is request


def test_the_providers_own_words_are_replaced_but_not_counted_twice() -> None:
    answer = ChatResponse(choices=(Choice(message=Message.assistant("one")),), raw={"content": ["one"]})
    assert texts_of(answer) == ["one"]
    assert map_texts(answer, str.upper).raw == {"content": ["ONE"]}


@given(
    st.recursive(
        st.text() | st.integers() | st.none(), lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner)
    )
)
def test_replacing_keeps_the_form_of_any_json(value: Any) -> None:
    assert map_texts(map_texts(value, lambda text: "x" + text), lambda text: text[1:]) == value


def test_every_text_of_every_value_is_known() -> None:
    kinds = [kind for name in types.__all__ if attrs.has(kind := getattr(types, name))]
    told = [kind for kind in kinds if issubclass(kind, types.Request | types.Answer)]
    told = [kind for kind in told if not kind.__module__.endswith(("._objects", "._files"))]
    texts = {
        (kind.__name__, field.name)
        for kind in told
        for field in attrs.fields(kind)
        if "str" in str(field.type) and field.name not in PLAIN
    }
    assert texts > {("CompletionRequest", "suffix"), ("TranscribeResponse", "text")}
    addresses = {("RawRequest", name) for name in ("path", "headers", "files")}
    assert texts - addresses <= {(kind, name) for kind, names in middleware._FIELDS.items() for name in names}


def test_every_value_that_is_named_exists() -> None:
    for kind, names in middleware._FIELDS.items():
        assert set(names) <= {field.name for field in attrs.fields(getattr(types, kind))}
