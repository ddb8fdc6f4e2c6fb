from __future__ import annotations

import base64
from typing import Any

import attrs
import pytest
from ipfs_accel import Audio, Document, Image, JsonSchema, Message, Tool
from ipfs_accel._calls.options import split_call_options
from ipfs_accel._convert.texts import (
    chat_request,
    completion_request,
    detokenize_request,
    embed_request,
    rerank_request,
)
from ipfs_accel.errors import InvalidRequestError, InvalidValueError
from ipfs_accel.types import (
    CallOptions,
    ChatOptions,
    ChatRequest,
    CompleteOptions,
    CompletionRequest,
    EmbedOptions,
    EmbedRequest,
    GenerateImageRequest,
    ImageOptions,
    Opaque,
    Reasoning,
    Refusal,
    SpeakOptions,
    SpeakRequest,
    Text,
    Timeout,
    ToolCall,
    ToolResult,
    TranscribeOptions,
    TranscribeRequest,
)

PNG = b"\x89PNG\r\n\x1a\n" + b"\x00" * 8
WAV = b"RIFF\x00\x00\x00\x00WAVEfmt "


NESTED: list[Any] = []
for _ in range(100_000):
    NESTED = [NESTED]


def messages(value: Any) -> tuple[Message, ...]:
    return chat_request("m", value, {}).messages


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ("hi", (Message.user("hi"),)),
        (Message.user("hi"), (Message.user("hi"),)),
        (["hi"], (Message.user("hi"),)),
        ({"role": "user", "content": "hi"}, (Message.user("hi"),)),
        ([{"role": "system", "content": "be brief"}, "hi"], (Message.system("be brief"), Message.user("hi"))),
        ([{"role": "user", "content": [{"type": "text", "text": "a"}, "b"]}], (Message.user("a", "b"),)),
        (
            [
                {
                    "role": "user",
                    "content": [{"type": "image_url", "image_url": {"url": "https://x/y", "detail": "low"}}],
                }
            ],
            (Message.user(Image(url="https://x/y", detail="low")),),
        ),
        (
            [
                {
                    "role": "user",
                    "content": [
                        {
                            "type": "input_audio",
                            "input_audio": {"data": base64.b64encode(WAV).decode(), "format": "wav"},
                        }
                    ],
                }
            ],
            (Message.user(Audio(data=WAV, media_type="audio/wav")),),
        ),
        (
            [
                {
                    "role": "assistant",
                    "content": None,
                    "tool_calls": [{"id": "c1", "type": "function", "function": {"name": "f", "arguments": "{}"}}],
                }
            ],
            (Message(role="assistant", content=(ToolCall(id="c1", name="f", arguments="{}"),)),),
        ),
        ([{"role": "tool", "tool_call_id": "c1", "content": "17"}], (Message.tool("c1", "17"),)),
        (
            [{"role": "assistant", "content": "a", "reasoning_content": "r"}],
            (Message.assistant(Reasoning(text="r"), "a"),),
        ),
        (
            [{"role": "assistant", "content": "a", "reasoning": "r", "function_call": None}],
            (Message.assistant(Reasoning(text="r"), "a"),),
        ),
        (
            [{"role": "assistant", "content": "a", "annotations": [{"type": "url_citation"}], "refusal": None}],
            (Message.assistant(Text(text="a", annotations=({"type": "url_citation"},))),),
        ),
        (
            [{"role": "assistant", "audio": {"id": "s1", "data": "AAAA", "expires_at": 5, "transcript": "ho"}}],
            (Message.assistant(Audio(data=b"\0\0\0", media_type="audio/pcm", id="s1", transcript="ho")),),
        ),
        (
            [{"role": "assistant", "content": None, "audio": {"id": "s1"}}],
            (Message.assistant(Audio(data=b"", media_type="audio/pcm", id="s1")),),
        ),
        (
            [{"role": "assistant", "content": "a", "executed_tools": [{"type": "search"}], "parsed": {"a": 1}}],
            (Message.assistant("a"),),
        ),
    ],
)
def test_messages_are_accepted_in_every_form(given: Any, expected: tuple[Message, ...]) -> None:
    assert messages(given) == expected


def called(arguments: Any) -> dict[str, Any]:
    """A message with a call in OpenAI's form."""
    call = {"id": "c", "type": "function", "function": {"name": "f", "arguments": arguments}}
    return {"role": "assistant", "content": None, "tool_calls": [call]}


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ([], "messages: there is none"),
        (3, "messages: expected"),
        ([3], r"messages\[0\]: expected"),
        ([{"role": "robot", "content": "x"}], r"messages\[0\]\.role: 'robot'"),
        ([{"role": "user", "content": 3}], r"messages\[0\]\.content: expected"),
        (["a", {"role": "user", "content": [{"type": "video"}]}], r"messages\[1\]\.content\[0\]\.type: 'video'"),
        ([{"role": "user", "content": [{"type": "image_url"}]}], r"messages\[0\]\.content\[0\]\.image_url: missing"),
        ([{"role": "tool", "content": "x"}], r"messages\[0\]\.tool_call_id"),
        ([{"role": "user", "contents": "x"}], r"messages\[0\]\.contents: unknown key"),
        ([{"role": "assistant", "tool_calls": [{}]}], r"messages\[0\]\.tool_calls\[0\]\.function\.name"),
        (
            [{"role": "assistant", "tool_calls": 5}],
            r"messages\[0\]\.tool_calls: expected a list of tool calls, got int",
        ),
        (
            [{"role": "assistant", "tool_calls": {}}],
            r"messages\[0\]\.tool_calls: expected a list of tool calls, got dict",
        ),
        ([called({"a": 1})], r"messages\[0\]\.tool_calls\[0\]\.function\.arguments: expected JSON text, got dict"),
        ([called([1])], r"messages\[0\]\.tool_calls\[0\]\.function\.arguments: expected JSON text, got list"),
        ([{**called("{}"), "name": 5}], r"messages\[0\]\.name: expected a string, got int"),
        ([{"role": "user", "content": b"x"}], r"messages\[0\]\.content: expected a string or parts, got bytes"),
        ([{"role": "assistant", "refusal": 5}], r"messages\[0\]\.content\[0\]\.text: expected a string, got int"),
        (
            [{"role": "assistant", "reasoning": {}, "content": [3]}],
            r"messages\[0\]\.content\[0\]: expected a string or",
        ),
        (
            [{"role": "assistant", "content": "a", "annotations": 5}],
            r"messages\[0\]\.content\[0\]\.annotations: expected a tuple of dicts, got 5",
        ),
        ([{"role": "assistant", "audio": {"data": "AAAA"}}], r"messages\[0\]\.audio\.id: missing"),
        ([{"role": "assistant", "audio": {"id": "s", "data": "?"}}], r"messages\[0\]\.audio\.data: it is not base64"),
        ([{"role": "user", "content": "a", "images": ["?"]}], r"messages\[0\]\.images\[0\]: it is not base64"),
        ([{"role": "user", "content": "a", "images": 5}], r"messages\[0\]\.images: expected a list"),
        ([{"role": "tool", "tool_name": "f", "content": "x"}], r"messages\[0\]\.tool_name: no call of 'f'"),
        ([{5: "x", "role": "user"}], r"messages\[0\]\.5: unknown key"),
    ],
)
def test_bad_messages_are_named_by_their_place(given: Any, message: str) -> None:
    with pytest.raises(InvalidRequestError, match=message):
        messages(given)


@pytest.mark.parametrize(
    ("part", "message"),
    [
        (Text(text=5), "text: expected a string, got int"),  # type: ignore[arg-type]
        (Text(text=b"a"), "text: expected a string, got bytes"),  # type: ignore[arg-type]
        (Text(text="a", annotations=None), "annotations: expected a tuple of dicts, got None"),  # type: ignore[arg-type]
        (Text(text="a", annotations=({}, "x")), "annotations: expected a tuple of dicts"),  # type: ignore[arg-type]
        (Image(url=5), "url: expected a string, got int"),  # type: ignore[arg-type]
        (Image(data=PNG, media_type=5), "media_type: expected a string, got int"),  # type: ignore[arg-type]
        (Image(data=PNG, detail=[]), "detail: expected a string, got list"),  # type: ignore[arg-type]
        (Document(data=b"%PDF-1", name=5), "name: expected a string, got int"),  # type: ignore[arg-type]
        (Audio(data=WAV, transcript=5), "transcript: expected a string, got int"),  # type: ignore[arg-type]
        (Opaque(backend="acme", data={"type": []}), r"data\.type: expected a string, got list"),
        (Reasoning(text=None), "text: expected a string, got NoneType"),  # type: ignore[arg-type]
        (Reasoning(text="a", signature=5), "signature: expected a string, got int"),  # type: ignore[arg-type]
        (Refusal(text=5), "text: expected a string, got int"),  # type: ignore[arg-type]
        (ToolCall(id=5, name="f"), "id: expected a string, got int"),  # type: ignore[arg-type]
        (ToolCall(id="t", name=None), "name: expected a string, got NoneType"),  # type: ignore[arg-type]
        (ToolCall(id="t", name="f", arguments={"a": 1}), "arguments: expected JSON text, got dict"),  # type: ignore[arg-type]
        (ToolResult(tool_call_id=5, content="a"), "tool_call_id: expected a string, got int"),  # type: ignore[arg-type]
        (ToolResult(tool_call_id="t", content=Text(text=5)), r"content\[0\]\.text: expected a string, got int"),  # type: ignore[arg-type]
        (Opaque(backend="acme", data=5), "data: expected a mapping, got int"),  # type: ignore[arg-type]
    ],
    ids=repr,
)
def test_what_a_part_holds_is_checked_where_it_stands(part: Any, message: str) -> None:
    with pytest.raises(InvalidRequestError, match=rf"^messages\[1\]\.content\[1\]\.{message}"):
        messages(["hi", Message.assistant("a", part)])


def test_arguments_that_are_a_dict_come_with_the_way_out() -> None:
    for message in (called({"a": 1}), Message.assistant(ToolCall(id="t", name="f", arguments={"a": 1}))):  # type: ignore[arg-type]
        with pytest.raises(InvalidRequestError) as caught:
            messages(["hi", message])
        assert caught.value.hint == "write it as text: json.dumps(…)"


def test_a_class_of_its_own_that_is_a_text_is_one() -> None:
    class Marked(Text):
        pass

    assert messages(Message.user(Marked(text="a")))[0].text == "a"
    with pytest.raises(InvalidRequestError, match=r"content\[0\]\.text"):
        messages(Message.user(Marked(text=5)))  # type: ignore[arg-type]


def test_an_sdks_object_is_refused_with_the_way_to_write_it() -> None:
    class Dumped:
        def model_dump(self) -> dict[str, Any]:
            return {}

    with pytest.raises(InvalidRequestError, match=r"messages\[1\]: expected a Message") as caught:
        messages(["hi", Dumped()])
    assert caught.value.hint == "pass message.model_dump()"


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"temprature": 1}, "temprature: unknown option"),
        ({"max_tokens": "10"}, "max_tokens: expected int, got '10'"),
        ({"max_tokens": 0}, "max_tokens: has to be at least 1"),
        ({"max_tokens": True}, "max_tokens: expected int, got True"),
        ({"temperature": float("nan")}, "temperature: nan"),
        ({"stop": [1]}, r"stop\[0\]: expected a string"),
        ({"tools": [{}]}, r"tools\[0\]\.function\.name: missing"),
        ({"tools": [Tool(name="f")], "tool_choice": "g"}, "tool_choice: 'g' is none of the tools"),
        ({"response_format": 3}, "response_format: expected"),
        ({"extra": []}, "extra: expected"),
        ({"extra": {"a": 1, 5: 2}}, "extra: the key 5 is not a string"),
        ({"tools": Tool(name="f")}, "tools: expected a list of tools, got Tool"),
        ({"tools": {"name": "f"}}, "tools: expected a list of tools, got dict"),
        ({"tools": "f"}, "tools: expected a list of tools, got str"),
        ({"tools": 5}, "tools: expected a list of tools, got int"),
        ({"tools": [Tool(name=5)]}, r"tools\[0\]\.name: expected str, got 5"),  # type: ignore[arg-type]
        ({"tools": [Tool(name="f"), Tool(name="g", parameters="{}")]}, r"tools\[1\]\.parameters: expected a mapping, got '{}'"),  # type: ignore[arg-type]
        ({"tools": [{"name": "f", "parameters": []}]}, r"tools\[0\]\.parameters: expected a mapping, got \[\]"),
        ({"tools": [Tool(name="f", description=5)]}, r"tools\[0\]\.description: expected str, got 5"),  # type: ignore[arg-type]
        ({"tools": [Tool(name="f", strict="yes")]}, r"tools\[0\]\.strict: expected bool, got 'yes'"),  # type: ignore[arg-type]
        ({"response_format": JsonSchema(schema="{}")}, "response_format.schema: expected a mapping, got '{}'"),  # type: ignore[arg-type]
        ({"response_format": JsonSchema(schema={}, name=5)}, "response_format.name: expected str, got 5"),  # type: ignore[arg-type]
        ({"response_format": {"type": "json_object", "schema": 5}}, "response_format.schema: expected a mapping, got 5"),
        ({"temperature": NESTED}, "temperature: expected int or float, got a deeply nested list"),
        ({"response_format": NESTED}, "response_format: expected .* got a deeply nested list"),
    ],
)  # fmt: skip
def test_bad_options_are_named(options: dict[str, Any], message: str) -> None:
    with pytest.raises(InvalidRequestError, match=message):
        chat_request("m", "hi", options)


def test_a_misspelt_option_gets_a_suggestion_and_the_place_for_extras() -> None:
    with pytest.raises(InvalidRequestError) as caught:
        chat_request("m", "hi", {"temprature": 1})
    assert caught.value.hint == "did you mean 'temperature'?; fields of the provider's own go into extra={…}"
    assert isinstance(caught.value, ValueError)


def test_options_reach_the_request() -> None:
    schema = {"type": "object"}
    request = chat_request(
        "m",
        "hi",
        {
            "stop": "x",
            "tools": [{"type": "function", "function": {"name": "f"}}],
            "response_format": schema,
            "seed": None,
        },
    )
    assert request.stop == ("x",)
    assert request.tools == (Tool(name="f"),)
    assert request.response_format == JsonSchema(schema=schema)
    assert request.seed is None


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ("json", "json"),
        ({"type": "text"}, "text"),
        ({"type": "json_object"}, "json"),
        (
            {"type": "json_schema", "json_schema": {"name": "n", "schema": {}, "strict": True}},
            JsonSchema(name="n", schema={}, strict=True),
        ),
        ({"type": "string"}, JsonSchema(schema={"type": "string"})),
    ],
)
def test_response_formats(given: Any, expected: Any) -> None:
    assert chat_request("m", "hi", {"response_format": given}).response_format == expected


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ("a", ("a",)),
        (["a", "b"], ("a", "b")),
        ([1, 2], ((1, 2),)),
        ([[1], [2, 3]], ((1,), (2, 3))),
        (["a", [1]], ("a", (1,))),
    ],
)
def test_inputs_are_texts_or_token_ids(given: Any, expected: Any) -> None:
    assert embed_request("m", given, {}).inputs == expected
    assert completion_request("m", given, {}).prompt == expected


@pytest.mark.parametrize("given", [[], b"bytes", 3, [3.5], [["a"]], [[True]]])
def test_bad_inputs_are_refused(given: Any) -> None:
    with pytest.raises(InvalidRequestError, match="inputs"):
        embed_request("m", given, {})


def test_the_other_requests() -> None:
    assert rerank_request("m", ("q", ["a"], 1), {}).documents == ("a",)
    assert detokenize_request("m", [1, 2], {}).tokens == (1, 2)
    for bad in [("q", "abc", None), ("q", [], None), (3, ["a"], None), ("q", ["a"], "1")]:
        with pytest.raises(InvalidRequestError):
            rerank_request("m", bad, {})


def test_call_options_are_split_off_and_checked() -> None:
    options: dict[str, Any] = {"timeout": 3, "on_unsupported": "warn", "seed": 1}
    assert split_call_options(options) == {"timeout": 3, "policy": "warn", "on_upload": None}
    assert options == {"seed": 1}
    assert split_call_options({"timeout": Timeout(idle=1)})["timeout"] == Timeout(idle=1)
    for bad in (
        {"timeout": 0},
        {"timeout": "3"},
        {"timeout": float("nan")},
        {"timeout": Timeout(total=float("nan"))},
        {"timeout": Timeout(connect=-1)},
        {"timeout": Timeout(idle=0)},
        {"timeout": Timeout(first_event=True)},
        {"timeout": Timeout(total="3")},  # type: ignore[arg-type]
        {"on_unsupported": "maybe"},
        {"on_unsupported": ["warn"]},
        {"on_unsupported": NESTED},
        {"timeout": NESTED},
        {"priority": NESTED},
        {"cache": NESTED},
        {"on_upload": 3},
        {"priority": 1},
        {"cache": 1},
        {"key": ""},
    ):
        with pytest.raises(InvalidRequestError):
            split_call_options(dict(bad))


@pytest.mark.parametrize(
    ("options", "request_type", "positional"),
    [
        (ChatOptions, ChatRequest, {"messages"}),
        (CompleteOptions, CompletionRequest, {"prompt"}),
        (EmbedOptions, EmbedRequest, {"inputs"}),
        (ImageOptions, GenerateImageRequest, {"prompt"}),
        (TranscribeOptions, TranscribeRequest, {"audio"}),
        (SpeakOptions, SpeakRequest, {"text"}),
    ],
)
def test_the_option_dicts_name_exactly_the_fields_of_the_requests(
    options: Any, request_type: type[Any], positional: set[str]
) -> None:
    fields = {field.name for field in attrs.fields(request_type)} - positional - {"model"}
    about_the_call = {*CallOptions.__annotations__, "on_progress"}
    assert set(options.__annotations__) - about_the_call | {"extra"} == fields


def test_media_tell_their_type_and_refuse_others(tmp_path: Any) -> None:
    file = tmp_path / "a.bin"
    file.write_bytes(PNG)
    image = Image.from_path(file)
    assert (image.media_type, image.data) == ("image/png", PNG)
    assert image.to_url() == f"data:image/png;base64,{base64.b64encode(PNG).decode()}"
    assert Image(url=image.to_url()) == image
    assert "PNG" not in repr(image)
    assert Document(data=b"%PDF-1.7").media_type == "application/pdf"
    with pytest.raises(InvalidValueError, match=r"^image: cannot read .*no: No such file"):
        Image.from_path(tmp_path / "no")


UNFIT: list[tuple[Any, str]] = [
    (Image(), "give exactly one of data=, url= and file_id= of image"),
    (Image(data=PNG, url="x"), "give exactly one of data=, url= and file_id= of image"),
    (Image(data=PNG, url="data:image/png;base64,eA=="), "give exactly one of data=, url= and file_id= of image"),
    (Image(data=WAV), "the data of image is audio/wav, expected image/"),
    (Audio(data=PNG), "the data of audio is image/png, expected audio/"),
    (Document(data=PNG), "the data of document is image/png, expected application/ or text/"),
    (Image(data=b"???"), "the data of image is of an unknown type, expected image/"),
    (Image(data="PNG"), "the data of image has to be bytes, not str"),  # type: ignore[arg-type]
    (Image(url="data:image/png,xx"), "the data: URL of image does not hold valid base64"),
    (Image(url="data:image/png;base64,?"), "the data: URL of image does not hold valid base64"),
]


@pytest.mark.parametrize(("part", "message"), UNFIT, ids=[message for _, message in UNFIT])
def test_media_that_do_not_fit_together_are_refused_where_they_stand(part: Any, message: str) -> None:
    places: list[tuple[Any, str]] = [
        ([Message.user("a", part)], "messages[0].content[1]"),
        (["a", Message.tool("1", ["b", "c", part])], "messages[1].content[0].content[2]"),
        (Message.user(part), "messages.content[0]"),
        ([{"role": "user", "content": ["a", part]}], "messages[0].content[1]"),
    ]
    for messages, where in places:
        with pytest.raises(InvalidRequestError) as caught:
            chat_request("m", messages, {})
        assert f"{where}: {message}" == caught.value.message


def test_messages_give_their_parts() -> None:
    message = Message.assistant(Reasoning(text="r"), "a", "b", ToolCall(id="1", name="f", arguments='{"x": 1}'))
    assert (message.text, message.reasoning, [call.name for call in message.tool_calls]) == ("ab", "r", ["f"])
    assert message.tool_calls[0].parse_arguments() == {"x": 1}
    assert ToolCall(id="1", name="f").parse_arguments() == {}
    for bad in ("[1]", "{"):
        with pytest.raises(ValueError, match=r"."):
            ToolCall(id="1", name="f", arguments=bad).parse_arguments()
    assert Message.tool("1", ["a", Text(text="b")]).content == (ToolResult(tool_call_id="1", content=("a", "b")),)
    for content in ([object()], object(), {"type": "text"}, None):
        with pytest.raises(
            InvalidRequestError, match=r"^messages\[0\]\.content\[0\]: expected a string or a message part"
        ):
            chat_request("m", [Message(role="user", content=content)], {})  # type: ignore[arg-type]
    with pytest.raises(InvalidRequestError, match=r"^messages\.role: 'human' is not one of system, developer, user"):
        chat_request("m", Message(role="human", content="a"), {})  # type: ignore[arg-type]
