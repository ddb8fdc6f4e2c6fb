"""What is planned: what each model takes, what is refused before anything is sent, keys, headers, paths."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any
from urllib.parse import quote

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
    load_config,
)
from ipfs_accel import errors as e
from ipfs_accel.plans import Endpoint, Http
from ipfs_accel.types import (
    BatchItem,
    BatchRequest,
    ChatRequest,
    EmbedRequest,
    Opaque,
    Reasoning,
    Text,
    ToolCall,
    ToolResult,
)
from ipfs_accel_claude import Options, backend, block
from ipfs_accel_claude._rules import rules_of
from pytest_httpserver import HTTPServer

HI = (Message.user("hi"),)
TOOL = Tool(name="f")


def at(url: str) -> Endpoint:
    return Endpoint(name="claude", backend="claude", base_url=url, options=Options())


HOSTED, LOCAL = at("https://api.anthropic.com"), at("http://127.0.0.1:8080")


def planned(model: str, endpoint: Endpoint = HOSTED, **fields: Any) -> tuple[dict[str, Any], Http[Any]]:
    """Return the body without what every one has, and the plan."""
    plan = backend.chat(endpoint, ChatRequest(**{"model": model, "messages": HI, **fields}))
    assert isinstance(plan, Http)
    assert isinstance(plan.send.content, bytes)
    body = json.loads(plan.send.content)
    for name in ("model", "messages", "max_tokens"):
        del body[name]
    return body, plan


RULES = [  # sampling, forced choice of a tool, instructions between turns, effort
    ("claude-haiku-4-5", "yy--"),
    ("claude-sonnet-4-5-20250929", "yy--"),
    ("claude-opus-4-5", "yy-y"),
    ("claude-opus-4-5@20251101", "yy-y"),
    ("anthropic.claude-sonnet-4-5-20250929-v1:0", "yy--"),
    ("anthropic/claude-sonnet-4.5", "yy--"),
    ("claude-sonnet-4-20250514", "yy--"),
    ("claude-3-7-sonnet-20250219", "yy--"),
    ("claude-sonnet-4-6", "yy-y"),
    ("claude-opus-4-6", "yy-y"),
    ("claude-opus-4-7", "-y-y"),
    ("claude-opus-4-8", "-yyy"),
    ("claude-sonnet-5", "-yyy"),
    ("claude-sonnet-5-20260401", "-yyy"),
    ("claude-fable-5", "-yyy"),
    ("claude-mythos-5", "-yyy"),
    ("claude-haiku-5-5", "-yyy"),
    ("claude-sonnet-5-5", "--yy"),
    ("claude-opus-5-5", "--yy"),
    ("claude-fable-5-1", "--yy"),
    ("claude-mythos-5-2", "--yy"),
    ("claude-opus-6", "--yy"),
    ("claude-brand-new", "--yy"),
]


@pytest.mark.parametrize(("model", "expected"), RULES)
def test_what_a_model_takes(model: str, expected: str) -> None:
    for endpoint in (HOSTED, LOCAL):
        rules = rules_of(endpoint, model)
        values = (rules.sampling, rules.forced_choice, rules.inner_system, rules.effort)
        assert "".join("y" if value else "-" for value in values) == expected


@pytest.mark.parametrize(
    ("endpoint", "expected"),
    [
        (HOSTED, False),
        (at("https://eu.api.anthropic.com/v1"), False),
        (LOCAL, True),
        (at("https://api.anthropic.com.example"), True),
    ],
)
def test_models_that_are_not_claude_decide_for_themselves(endpoint: Endpoint, *, expected: bool) -> None:
    assert rules_of(endpoint, "tiny").sampling is expected


OPTIONS: list[tuple[str, dict[str, Any], dict[str, Any], tuple[str, ...], str]] = [
    ("claude-opus-5-5", {}, {}, (), "2026-10-21"),
    ("claude-opus-5-5", {"temperature": 1.0, "top_p": 0.5, "top_k": 3}, {}, ("temperature", "top_p", "top_k"), "2026-10-21"),
    ("claude-haiku-4-5", {"temperature": 1.0, "top_k": 3}, {"temperature": 1.0, "top_k": 3}, (), "2023-06-01"),
    ("claude-haiku-4-5", {}, {}, (), "2026-10-21"),
    ("claude-opus-5-5", {"extra": {"temperature": 1}}, {"temperature": 1}, (), "2026-10-21"),
    ("claude-haiku-4-5", {"reasoning_effort": "low"}, {}, ("reasoning_effort",), "2026-10-21"),
    ("claude-opus-4-5", {"reasoning_effort": "low"}, {"output_config": {"effort": "low"}}, (), "2026-10-21"),
    ("claude-opus-5-5", {"response_format": "json"}, {}, ("response_format",), "2026-10-21"),
    ("claude-opus-5-5", {"n": 2, "seed": 1, "logprobs": True, "top_logprobs": 2}, {}, ("seed", "n", "logprobs", "top_logprobs"), "2026-10-21"),
    ("claude-opus-5-5", {"frequency_penalty": 1.0, "presence_penalty": 1.0, "logit_bias": {"1": 1}}, {}, ("frequency_penalty", "presence_penalty", "logit_bias"), "2026-10-21"),
    ("claude-opus-5-5", {"n": 1}, {}, (), "2026-10-21"),
    ("claude-opus-5-5", {"tools": (TOOL,), "tool_choice": "required"}, {"tools": [{"name": "f", "input_schema": {"type": "object", "properties": {}}}]}, ("tool_choice",), "2026-10-21"),
]  # fmt: skip


@pytest.mark.parametrize(("model", "options", "expected", "unsupported", "version"), OPTIONS)
def test_options_by_model(
    model: str, options: dict[str, Any], expected: dict[str, Any], unsupported: tuple[str, ...], version: str
) -> None:
    body, plan = planned(model, **options)
    assert body == expected
    assert plan.unsupported == unsupported
    assert dict(plan.send.headers)["anthropic-version"] == version
    streamed: Any = backend.stream(HOSTED, ChatRequest(model=model, messages=HI, **options))
    assert streamed.unsupported == unsupported
    assert json.loads(streamed.send.content)["stream"] is True


def test_a_choice_of_tool_that_is_refused_leaves_what_is_taken() -> None:
    body, plan = planned("claude-opus-5-5", tools=(TOOL,), tool_choice="f", parallel_tool_calls=False)
    assert body["tool_choice"] == {"type": "auto", "disable_parallel_tool_use": True}
    assert plan.unsupported == ("tool_choice",)


CHOICES = [
    # who owns the models, the choice, the tools that are sent, the choice that is
    ("llamacpp", "g", "g", {"type": "any"}),
    ("llamacpp", "required", "f g", {"type": "any"}),
    ("llamacpp", "none", "", None),
    ("llamacpp", "auto", "f g", {"type": "auto"}),
    ("library", "none", "", None),
    ("vllm", "g", "f g", {"type": "tool", "name": "g"}),
]


@pytest.mark.parametrize(("owner", "choice", "names", "expected"), CHOICES)
@pytest.mark.filterwarnings("ignore:tool_choice. llama.cpp's Messages route forces no tool")
def test_a_choice_of_tools_at_a_server_that_is_not_anthropics(
    owner: str, choice: str, names: str, expected: Any, httpserver: HTTPServer
) -> None:
    answer = {"id": "m", "type": "message", "role": "assistant", "content": [], "stop_reason": "end_turn", "usage": {}}
    httpserver.expect_request("/v1/models").respond_with_json({"data": [{"id": "m", "owned_by": owner}]})
    httpserver.expect_request("/v1/messages").respond_with_json(answer)
    url = httpserver.url_for("").rstrip("/")
    with Client(endpoints={"own": EndpointConfig(backend="claude", base_url=url, key="k")}) as client:
        client.chat("own/m", "hi", tools=[Tool(name="f"), Tool(name="g")], tool_choice=choice)
        body = httpserver.log[-1][0].get_json()
        assert (" ".join([each["name"] for each in body.get("tools", ())]), body.get("tool_choice")) == (
            names,
            expected,
        )
        if owner == "library":
            for demanded in ("required", "g"):
                with pytest.raises(e.UnsupportedParameterError, match="tool_choice"):
                    client.chat("own/m", "hi", tools=[Tool(name="g")], tool_choice=demanded)


def test_the_limit_is_the_endpoints_unless_the_call_has_one() -> None:
    endpoint = Endpoint(name="c", backend="claude", base_url="http://x.test", options=Options(max_tokens=7))
    for options, expected in (({}, 7), ({"max_tokens": 9}, 9), ({"extra": {"max_tokens": 0}}, 0)):
        plan: Any = backend.chat(endpoint, ChatRequest(model="m", messages=HI, **options))
        assert json.loads(plan.send.content)["max_tokens"] == expected


WRONG: list[tuple[Any, dict[str, Any], str]] = [
    ([Message.system("s")], {}, "messages: Claude needs at least one that is not a system message"),
    ([Message.user("")], {}, "messages: they are all empty"),
    (["hi", Message.user(Audio(data=b"RIFF\0\0\0\0WAVE"))], {}, r"messages\[1\]: audio: Claude takes no sound"),
    ([Message.user(Image(data=b"BM", media_type="image/bmp"))], {}, r"messages\[0\]: image: Claude takes JPEG, PNG, GIF and WebP, not image/bmp"),
    ([Message.user(Document(data=b"PK\3\4", media_type="application/zip"))], {}, r"messages\[0\]: document: Claude takes PDF and text, not application/zip"),
    ([Message.user(Document(data=b"\xff\xfe", media_type="text/plain"))], {}, r"messages\[0\]: document: it is said to be text/plain, and is not UTF-8"),
    (["hi", Message.assistant(ToolCall(id="t", name="f", arguments="[1]"))], {}, r"messages\[1\]: tool_calls: Claude takes arguments as an object"),
    (["hi", Message.assistant(ToolCall(id="t", name="f", arguments='{"a'))], {}, r"messages\[1\]: tool_calls: Claude takes arguments as an object"),
    ([Message(role="system", content=Audio(data=b"ID3", media_type="audio/mpeg")), "hi"], {}, r"messages\[0\]: Claude takes text in a message of the role system, and no audio"),
    ("hi", {"tool_choice": "required"}, "tool_choice: 'required' demands a call, and there are no tools"),
    ("hi", {"extra": {"a": float("nan")}}, "extra.a: nan is no JSON value"),
    ("hi", {"tools": [Tool(name="wetter_für")]}, r"tools\[0\]: Claude takes names of 1 to 128 letters, .* not 'wetter_für'"),
    ("hi", {"tools": [TOOL, Tool(name="f" * 129)]}, r"tools\[1\]: Claude takes names .* of 129 letters"),
    ("hi", {"tools": [Tool(name="")]}, r"tools\[0\]: Claude takes names"),
    (["hi", Message.assistant(ToolCall(id="t", name="a.b")), Message.tool("t", "1")], {}, r"messages\[1\]: Claude takes names .* not 'a\.b'"),
    ("hi", {"stop": ["end", "\n"]}, r"stop\[1\]: Claude takes no stop of white space alone"),
    ("hi", {"stop": ""}, r"stop\[0\]: Claude takes no stop"),
    (" \n", {}, r"messages\[0\]: it is white space alone"),
    ([Message.system("s"), "hi", Message.assistant("ho"), Message.user("\t", " ")], {}, r"messages\[3\]: it is white space alone"),
    (["hi", Message.assistant(ToolCall(id="t", name="f", arguments='{"a":' * 50_000 + "1" + "}" * 50_000))], {}, r"messages\[1\]: .*nested too deeply"),
    (["hi", Message.assistant(ToolCall(id="t", name="f", arguments='{"a": ["x", "\\ud83d"]}'))], {}, r"messages\[1\]\.content\[0\]\.arguments\.a\[1\]: it has half a character"),
    (["hi", Message.assistant("a\ud800b"), "hi"], {}, r"messages\[1\]\.content\[0\]\.text: it has half a character"),
]  # fmt: skip


@pytest.mark.parametrize(("messages", "options", "message"), WRONG, ids=[each[2][:40] for each in WRONG])
def test_what_is_wrong_is_told_before_anything_is_sent(
    messages: Any, options: dict[str, Any], message: str, httpserver: HTTPServer
) -> None:
    endpoint = EndpointConfig(base_url=httpserver.url_for("/"), key="sk-test-0123")
    with Client(endpoints={"claude": endpoint}) as client:
        for call in (client.chat, client.count_tokens, lambda *args, **more: client.stream(*args, **more).read()):
            with pytest.raises(e.InvalidRequestError, match=message):
                call("claude/claude-haiku-4-5", messages, **options)
    assert httpserver.log == []


def test_blocks_of_ones_own() -> None:
    part = block(Text(text="long"), cache_control={"type": "ephemeral"})
    assert part == Opaque(
        backend="claude", data={"type": "text", "text": "long", "cache_control": {"type": "ephemeral"}}
    )
    with pytest.raises(e.InvalidRequestError, match="Reasoning: there is nothing in it that Claude takes"):
        block(Reasoning(text="what another model thought"))


def test_white_space_at_the_end_of_an_answer_to_go_on_with_is_cut() -> None:
    def turns(*messages: Message) -> Any:
        plan: Any = backend.chat(HOSTED, ChatRequest(model="claude-haiku-4-5", messages=messages))
        return json.loads(plan.send.content)["messages"]

    assert turns(*HI, Message.assistant("It is \n"))[-1]["content"] == "It is"
    assert turns(*HI, Message.assistant(" \n"))[-1]["role"] == "user"
    assert turns(*HI, Message.assistant("It is "), *HI)[1]["content"] == "It is "


BLANK = [
    ((Reasoning(text="a", signature="S"), "\n\n", ToolCall(id="t", name="f")), ["thinking", "tool_use"]),
    (("\n", ToolCall(id="t", name="f")), ["tool_use"]),
    ((Text(text=" ", annotations=({"type": "char_location"},)), "a"), ["text"]),
]  # fmt: skip


@pytest.mark.parametrize(("said", "kinds"), BLANK, ids=["after-thinking", "before-a-call", "cited"])
def test_white_space_alone_stays_in_the_message_and_is_not_sent(said: tuple[Any, ...], kinds: list[str]) -> None:
    message = Message.assistant(*said)
    plan: Any = backend.chat(HOSTED, ChatRequest(model="claude-opus-5-5", messages=(*HI, message, *HI)))
    (_, answer, _) = json.loads(plan.send.content)["messages"]
    found = answer["content"] if isinstance(answer["content"], list) else [{"type": "text"}]
    assert [each["type"] for each in found] == kinds
    assert len(message.content) == len(said)


def test_an_answer_of_white_space_alone_is_left_out() -> None:
    messages = (*HI, Message.assistant("\n\n"), Message.user("and?"))
    plan: Any = backend.chat(HOSTED, ChatRequest(model="claude-opus-5-5", messages=messages))
    assert [each["content"] for each in json.loads(plan.send.content)["messages"]] == ["hi", "and?"]


@pytest.mark.parametrize(
    ("content", "expected"),
    [(" ", None), ("", None), ([" ", "a"], "a"), (["\n", Image(file_id="f1")], [{"type": "image", "source": {"type": "file", "file_id": "f1"}}])],
    ids=["blank", "empty", "beside-a-text", "beside-a-picture"],
)  # fmt: skip
def test_white_space_alone_is_no_result_of_a_tool(content: Any, expected: Any) -> None:
    messages = (*HI, Message.assistant(ToolCall(id="t", name="f")), Message.tool("t", content))
    plan: Any = backend.chat(HOSTED, ChatRequest(model="claude-opus-5-5", messages=messages))
    (result,) = json.loads(plan.send.content)["messages"][2]["content"]
    assert result == {"type": "tool_result", "tool_use_id": "t"} | ({} if expected is None else {"content": expected})


def test_another_model_with_this_dialect_takes_white_space_and_any_name() -> None:
    asked = ChatRequest(messages=(Message.user(" "),), tools=(Tool(name="wetter_für"),), stop=("\n",))
    plan: Any = backend.chat(LOCAL, asked)
    body = json.loads(plan.send.content)
    assert body["messages"] == [{"role": "user", "content": " "}]
    assert (body["stop_sequences"], body["tools"][0]["name"]) == (["\n"], "wetter_für")


def test_a_model_has_to_be_named_to_anthropic() -> None:
    with pytest.raises(e.InvalidRequestError, match=r"model: Claude's API wants one"):
        backend.chat(HOSTED, ChatRequest(messages=HI))
    plan: Any = backend.chat(HOSTED, ChatRequest(messages=HI, extra={"model": "claude-opus-5-5"}))
    assert json.loads(plan.send.content)["model"] == "claude-opus-5-5"


def turn(*calls: str, results: tuple[str, ...] | None = None) -> list[Message]:
    """A turn with calls of these ids, and their results."""
    asked = Message.assistant(*[ToolCall(id=call, name="f") for call in calls])
    return [asked, *[Message.tool(call, "1") for call in (calls if results is None else results)]]


IDS = [  # a history, the ids of its calls, and those that its results name
    (turn("toolu_1", "toolu_2"), ["toolu_1", "toolu_2"], ["toolu_1", "toolu_2"]),
    (turn("a.b", "a:b"), ["a_b", "a_b_2"], ["a_b", "a_b_2"]),
    (turn("a.b", "a:b", results=("a:b", "a.b")), ["a_b", "a_b_2"], ["a_b_2", "a_b"]),
    (turn("a.b", "a_b_2", "a:b"), ["a_b", "a_b_2", "a_b_3"], ["a_b", "a_b_2", "a_b_3"]),
    (turn("", ""), ["call", "call_2"], ["call", "call_2"]),
    (turn("é"), ["_"], ["_"]),
    (turn("call_0") + turn("call_0", "call_1"), ["call_0", "call_0_2", "call_1"], ["call_0", "call_0_2", "call_1"]),
]  # fmt: skip


@pytest.mark.parametrize(
    ("history", "calls", "results"),
    IDS,
    ids=["its-own", "alike", "in-another-order", "one-that-is-taken", "none", "no-letter", "again-in-each-turn"],
)
def test_each_call_has_an_id_of_its_own(history: list[Message], calls: list[str], results: list[str]) -> None:
    plan: Any = backend.chat(HOSTED, ChatRequest(model="claude-opus-5-5", messages=(*HI, *history)))
    blocks = [each for turn in json.loads(plan.send.content)["messages"][1:] for each in turn["content"]]
    assert [each["id"] for each in blocks if each["type"] == "tool_use"] == calls
    assert [each["tool_use_id"] for each in blocks if each["type"] == "tool_result"] == results


def test_blocks_of_ones_own_and_remarks_keep_to_the_ids_of_their_calls() -> None:
    messages = (
        *HI,
        Message.assistant(ToolCall(id="a.b", name="f")),
        Message.tool("a.b", "1"),
        Message.assistant(
            block(ToolCall(id="a:b", name="g"), cache_control={"type": "ephemeral"}),
            ToolCall(id="a_b", name="h"),
            Opaque(backend="claude", data={"type": "tool_use", "id": "a_b", "caller": {"type": "code"}}),
        ),
        Message(role="tool", content=block(ToolResult(tool_call_id="a:b", content="2"))),
        Message.tool("a_b", "3"),
    )
    plan: Any = backend.chat(HOSTED, ChatRequest(model="claude-opus-5-5", messages=messages))
    _, first, _, second, last = json.loads(plan.send.content)["messages"]
    assert [(each["id"], each.get("caller")) for each in [*first["content"], *second["content"]]] == [
        ("a_b", None),
        ("a_b_2", None),
        ("a_b_3", {"type": "code"}),
    ]
    assert [(each["tool_use_id"], each["content"]) for each in last["content"]] == [("a_b_2", "2"), ("a_b_3", "3")]


def paths(name: str) -> list[str]:
    plans: list[Any] = [
        backend.show_model(HOSTED, name),
        backend.get_batch(HOSTED, name),
        backend.cancel_batch(HOSTED, name),
        backend.delete_batch(HOSTED, name),
        next(backend.batch_results(HOSTED, name).steps()),  # type: ignore[union-attr]
        backend.get_file(HOSTED, name),
        backend.delete_file(HOSTED, name),
        backend.download_file(HOSTED, name),
    ]
    return [plan.send.path for plan in plans]


@pytest.mark.parametrize("name", ["../../admin", "a?b=c", "a/b", "a b#c", "%2e%2e"])
def test_an_id_cannot_leave_its_place(name: str) -> None:
    assert paths(name) == [path.replace("NAME", quote(name, safe="")) for path in paths("NAME")]
    with pytest.raises(e.InvalidRequestError):
        paths("..")


KEYS: list[tuple[dict[str, str], dict[str, Any], dict[str, str]]] = [
    ({"ANTHROPIC_API_KEY": "sk-1"}, {}, {"authorization": "Bearer sk-1"}),
    ({"ANTHROPIC_AUTH_TOKEN": "tok-2"}, {}, {"authorization": "Bearer tok-2"}),
    ({"ANTHROPIC_API_KEY": "sk-1", "ANTHROPIC_AUTH_TOKEN": "tok-2"}, {}, {"authorization": "Bearer sk-1"}),
    ({"ANTHROPIC_API_KEY": "sk-1"}, {"key_header": "x-api-key"}, {"x-api-key": "sk-1"}),
    ({"ANTHROPIC_API_KEY": "sk-1"}, {"key_header": "api-key"}, {"api-key": "sk-1"}),
]


@pytest.mark.parametrize(("environ", "options", "expected"), KEYS)
def test_a_key_is_sent_once_and_in_one_way(
    environ: dict[str, str], options: dict[str, Any], expected: dict[str, str], httpserver: HTTPServer
) -> None:
    httpserver.expect_request("/v1/models").respond_with_json({"data": [], "has_more": False})
    environ = {**environ, "ANTHROPIC_BASE_URL": httpserver.url_for("/v1/")}
    endpoints = {"claude": EndpointConfig(options=options)}
    with Client(load_config(None, environ), endpoints=endpoints) as client:
        assert client.list_models("claude") == ()
    headers = httpserver.log[0][0].headers
    names = ("authorization", "x-api-key", "api-key")
    assert {name: headers[name] for name in names if name in headers} == expected


def test_another_name_for_the_header_is_refused(tmp_path: Path) -> None:
    endpoints = {"claude": EndpointConfig(key="sk-test-0123", options={"key_header": "x-key"})}
    with Client(endpoints=endpoints) as client, pytest.raises(e.ConfigError, match="key_header"):
        client.list_models("claude")


def test_without_a_key_nothing_is_sent() -> None:
    with Client(load_config(None, {})) as client, pytest.raises(e.MissingKeyError) as caught:
        client.chat("claude/claude-haiku-5-5", "hi")
    assert "ANTHROPIC_API_KEY or ANTHROPIC_AUTH_TOKEN" in str(caught.value.hint)


def batch_of(*items: BatchItem, **fields: Any) -> Any:
    plan: Any = backend.create_batch(HOSTED, BatchRequest(items=items, **fields))
    return plan


def chat_item(name: str, model: str = "claude-opus-5-5", **options: Any) -> BatchItem:
    return BatchItem(id=name, request=ChatRequest(model=model, messages=HI, **options))


def test_what_a_batch_cannot_honour_is_named_once() -> None:
    items = (chat_item("a", seed=1, temperature=1.0), chat_item("b", seed=2), chat_item("c", "claude-haiku-4-5"))
    plan = batch_of(*items, metadata={"a": "b"}, completion_window="1h", extra={"x": 1})
    assert plan.unsupported == ("temperature", "seed", "metadata", "completion_window")
    assert dict(plan.send.headers)["anthropic-version"] == "2026-10-21"
    assert json.loads(plan.send.content)["x"] == 1
    assert batch_of(chat_item("a"), completion_window="24h").unsupported == ()


def test_one_item_with_sampling_asks_the_older_version_for_all() -> None:
    plan = batch_of(chat_item("a", "claude-haiku-4-5", temperature=0.5), chat_item("b"))
    assert dict(plan.send.headers)["anthropic-version"] == "2023-06-01"
    params = [each["params"] for each in json.loads(plan.send.content)["requests"]]
    assert [each.get("temperature") for each in params] == [0.5, None]
    assert not any("stream" in each for each in params)


@pytest.mark.parametrize(
    ("item", "message"),
    [
        (chat_item("a b"), r"items\['a b'\]: Claude takes ids of 1 to 64 letters"),
        (chat_item("a" * 65), "Claude takes ids of 1 to 64 letters"),
        (chat_item(""), "Claude takes ids of 1 to 64 letters"),
        (BatchItem(id="a", request=EmbedRequest(inputs=("x",))), r"items\['a'\]: Claude takes batches of chats"),
        (BatchItem(id="a", request=ChatRequest(messages=(Message.user(""),))), r"items\['a'\]: messages: they are all"),
    ],
)
def test_a_batch_that_is_wrong(item: BatchItem, message: str) -> None:
    with pytest.raises(e.InvalidRequestError, match=message):
        batch_of(item)


def test_files_have_no_purpose_and_no_structures(httpserver: HTTPServer) -> None:
    httpserver.expect_request("/v1/files").respond_with_json({"id": "file_1"})
    endpoint = EndpointConfig(base_url=httpserver.url_for("/"), key="sk-test-0123")
    with Client(endpoints={"claude": endpoint}) as client:
        with pytest.raises(e.UnsupportedParameterError, match="purpose"):
            client.upload_file("claude", b"x", purpose="batch")
        with pytest.raises(e.InvalidRequestError, match=r"extra\['a'\]: a form takes text and numbers, not dict"):
            client.upload_file("claude", b"x", extra={"a": {}})
        assert httpserver.log == []
        assert client.upload_file("claude", b"x", extra={"a": 1}).id == "file_1"
    with httpserver.log[0][0] as request:
        assert dict(request.form) == {"a": "1"}


@pytest.mark.anyio
async def test_a_file_goes_up_and_down_in_the_other_world(httpserver: HTTPServer, tmp_path: Path) -> None:
    httpserver.expect_request("/v1/files", method="POST").respond_with_json({"id": "file_1", "filename": "a.txt"})
    httpserver.expect_request("/v1/files/file_1/content").respond_with_data(b"{}", content_type="application/json")
    (tmp_path / "a.txt").write_bytes(b"some text")
    async with AsyncClient(
        endpoints={"claude": EndpointConfig(base_url=httpserver.url_for("/"), key="sk-test-0123")}
    ) as client:
        assert (await client.upload_file("claude", tmp_path / "a.txt")).name == "a.txt"
        assert (await client.download_file("claude", "file_1", tmp_path / "b.txt")).size == 2
    assert (tmp_path / "b.txt").read_bytes() == b"{}"
    with httpserver.log[0][0] as request:
        assert request.files["file"].read() == b"some text"


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


def test_a_schema_goes_as_it_is() -> None:
    schema = {"type": "object", "properties": {}, "additionalProperties": False}
    body, _ = planned("claude-opus-5-5", response_format=JsonSchema(schema=schema, name="n", strict=True))
    assert body == {"output_config": {"format": {"type": "json_schema", "schema": schema}}}
