"""The `tgi` backend over a server that has TGI's own limits and errors."""

from __future__ import annotations

import itertools
import re
import threading
from collections.abc import AsyncIterator, Iterator
from typing import Any

import pytest
from ipfs_accel import AsyncClient, Client, Config, Document, EndpointConfig, Image, JsonSchema, Message, Tool
from ipfs_accel import errors as e
from ipfs_accel.capabilities import UNKNOWN
from ipfs_accel.types import Refusal, TextDelta, ToolCall, Usage
from pytest_httpserver import HTTPServer
from werkzeug import Request, Response

from .tgi_server import ANSWER, INFO, Refused, Tgi

ALL = "Deep Learning is a field"
SCHEMA = {"type": "object", "properties": {"city": {"type": "string"}}}
TOOL = Tool(name="get_weather", parameters=SCHEMA)


@pytest.fixture
def tgi(httpserver: HTTPServer) -> Tgi:
    server = Tgi()
    httpserver.expect_request(re.compile("/.*")).respond_with_handler(server)
    return server


def endpoints(httpserver: HTTPServer) -> dict[str, EndpointConfig]:
    url = httpserver.url_for("").rstrip("/")
    openai = {"completions": "openai"}
    return {
        "tgi": EndpointConfig(base_url=url),
        "v1": EndpointConfig(backend="tgi", base_url=f"{url}/v1"),
        "oai": EndpointConfig(backend="tgi", base_url=url, options=openai),
    }


@pytest.fixture
def client(httpserver: HTTPServer) -> Iterator[Client]:
    with Client(Config(), endpoints=endpoints(httpserver)) as client:
        yield client


@pytest.fixture
async def aclient(httpserver: HTTPServer) -> AsyncIterator[AsyncClient]:
    async with AsyncClient(Config(), endpoints=endpoints(httpserver)) as client:
        yield client


@pytest.mark.parametrize("limit", [1025, 1500])
@pytest.mark.parametrize("streamed", [True, False])
@pytest.mark.parametrize("endpoint", ["tgi", "oai"])
def test_the_router_goes_on_to_whole_pieces_of_tokens(
    endpoint: str, streamed: bool, limit: int, client: Client, tgi: Tgi
) -> None:
    tgi.info |= {"max_input_tokens": 2048, "max_total_tokens": 4096}
    tgi.times = 1000
    if streamed:
        answer = client.stream_complete(f"{endpoint}/", "q", max_tokens=limit).read()
    elif endpoint == "oai":
        with pytest.warns(UserWarning, match=f"TGI made 2048 tokens and not the {limit} of max_tokens"):
            answer = client.complete("oai/", "q", max_tokens=limit)
    else:
        answer = client.complete("tgi/", "q", max_tokens=limit)
    said = list(itertools.islice(itertools.cycle(ANSWER), 2048 if endpoint == "oai" and not streamed else limit))
    assert (answer.text, answer.finish_reason) == ("".join(said), "length")


# text completions in TGI's own form


def test_a_generation(client: Client, tgi: Tgi) -> None:
    answer = client.complete("tgi/", "What is")
    assert answer.text == f" {ALL}"
    assert answer.finish_reason == "stop"
    assert answer.usage == Usage(input_tokens=3, output_tokens=6)
    assert answer.raw["details"]["finish_reason"] == "eos_token"
    assert tgi.seen == [("/generate", {"inputs": "What is", "parameters": {"details": True}})]


PARAMETERS: list[tuple[str, dict[str, Any], dict[str, Any]]] = [
    ("greedy is what 0 means", {"temperature": 0, "top_p": 0.5, "top_k": 3}, {}),
    ("1 has to be asked for", {"temperature": 1}, {"do_sample": True, "temperature": 1}),
    ("top_p of 1 is none", {"top_p": 1.0}, {"do_sample": True}),
    ("sampling", {"temperature": 0.5, "top_p": 0.9, "top_k": 10, "seed": 7}, {"do_sample": True, "temperature": 0.5, "top_p": 0.9, "top_k": 10, "seed": 7}),
    ("limits", {"max_tokens": 2, "stop": "x", "frequency_penalty": 0.5}, {"max_new_tokens": 2, "stop": ["x"], "frequency_penalty": 0.5}),
    ("several", {"n": 2, "temperature": 0.5}, {"best_of": 2, "do_sample": True, "temperature": 0.5}),
    ("one", {"n": 1}, {}),
    ("echo", {"echo": True}, {"return_full_text": True}),
    ("probabilities", {"logprobs": 2}, {"top_n_tokens": 2}),
    ("only the chosen tokens' probabilities", {"logprobs": 0}, {}),
    ("what only TGI has", {"extra": {"repetition_penalty": 1.1, "typical_p": 0.9, "truncate": 5, "watermark": True, "decoder_input_details": True}},
     {"repetition_penalty": 1.1, "typical_p": 0.9, "truncate": 5, "watermark": True, "decoder_input_details": True}),
    ("a grammar", {"extra": {"grammar": {"type": "regex", "value": "[a-z]+"}}}, {"grammar": {"type": "regex", "value": "[a-z]+"}}),
    ("a schema", {"extra": {"grammar": {"type": "json_schema", "value": {"schema": SCHEMA}}}}, {"grammar": {"type": "json_schema", "value": {"schema": SCHEMA}}}),
]  # fmt: skip


@pytest.mark.parametrize(
    ("options", "parameters"), [each[1:] for each in PARAMETERS], ids=[each[0] for each in PARAMETERS]
)
def test_parameters(options: Any, parameters: dict[str, Any], client: Client, tgi: Tgi) -> None:
    client.complete("tgi/", "What is", **options)
    assert tgi.seen[-1][1]["parameters"] == {**parameters, "details": True}


def test_the_models_name_is_that_of_an_adapter(client: Client, tgi: Tgi) -> None:
    client.complete("tgi/my-lora", "What is")
    client.complete("tgi/tgi", "What is")
    assert [body["parameters"].get("adapter_id") for _, body in tgi.seen] == ["my-lora", None]


def test_what_a_generation_cannot_have(client: Client, tgi: Tgi) -> None:
    with pytest.raises(e.UnsupportedParameterError, match="presence_penalty, logit_bias, user, suffix"):
        client.complete("tgi/", "a", presence_penalty=1, logit_bias={"1": 1}, user="u", suffix="s")
    with pytest.raises(e.UnsupportedParameterError, match="cannot honour: n"):
        client.stream_complete("tgi/", "a", n=2, temperature=1).read()
    with pytest.raises(e.InvalidRequestError, match=r"prompt\[0\]: this server takes texts, not token ids"):
        client.complete("tgi/", [1, 2])
    assert tgi.seen == []


def test_a_stop_text_is_no_part_of_the_answer(client: Client, tgi: Tgi) -> None:
    answer = client.complete("tgi/", "What", stop=["is", "x"])
    assert (answer.text, answer.finish_reason) == (" Deep Learning ", "stop")
    assert answer.raw["generated_text"] == " Deep Learning is"
    assert client.complete("tgi/", "What", stop=["nowhere"]).text == f" {ALL}"


def test_several_answers_and_their_tokens(client: Client, tgi: Tgi) -> None:
    answer = client.complete("tgi/", "What", n=2, temperature=0.5, logprobs=1, max_tokens=2)
    assert [(each.index, each.text, each.finish_reason) for each in answer.choices] == [
        (0, " Deep Learning", "length"),
        (1, " Deep Learning", "length"),
    ]
    assert answer.usage.output_tokens == 4
    found = answer.choices[1].logprobs
    assert found is not None
    assert [(each.token, each.logprob, [top.token for top in each.top]) for each in found] == [
        (" Deep", -0.25, [" Deep"]),
        (" Learning", -0.25, [" Learning"]),
    ]


def test_several_prompts(client: Client, tgi: Tgi) -> None:
    answer = client.complete("tgi/", ["What", "What is"], max_tokens=1)
    assert [(each.index, each.text) for each in answer.choices] == [(0, " Deep"), (1, " Deep")]
    assert answer.usage == Usage(input_tokens=5, output_tokens=2)
    assert sorted(body["inputs"] for _, body in tgi.seen) == ["What", "What is"]
    assert len(answer.raw) == 2


def test_a_streamed_generation(client: Client, tgi: Tgi) -> None:
    stream = client.stream_complete("tgi/", "What is", logprobs=1, seed=5)
    pieces = [event.text for event in stream if isinstance(event, TextDelta)]
    assert pieces == [" Deep", " Learning", " is", " a", " field"]  # the end token is special and not among them
    answer = stream.response
    assert answer.finish_reason == "stop"
    assert answer.usage == Usage(input_tokens=3, output_tokens=6)
    assert answer.extra == {"seed": 5}
    whole = client.complete("tgi/", "What is", logprobs=1, seed=5)
    assert answer.choices == whole.choices
    assert [path for path, _ in tgi.seen] == ["/generate_stream", "/generate"]
    assert tgi.seen[0][1] == tgi.seen[1][1]


@pytest.mark.parametrize(
    "options", [{}, {"stop": "is"}, {"stop": [" a fi", "Learning i"], "max_tokens": 5}, {"stop": ["field!"]}, {"max_tokens": 2}]
)  # fmt: skip
@pytest.mark.parametrize("endpoint", ["tgi", "oai"])
def test_a_stream_ends_as_the_whole_answer_does(endpoint: str, options: Any, client: Client, tgi: Tgi) -> None:
    options = {"echo": True, **options} if endpoint == "tgi" else options
    whole = client.complete(f"{endpoint}/", "What is", **options)
    streamed = client.stream_complete(f"{endpoint}/", "What is", **options).read()
    assert streamed.choices == whole.choices
    assert streamed.usage == whole.usage


def test_a_stream_without_details_ends_with_the_whole_text(client: Client, httpserver: HTTPServer) -> None:
    token = {"id": 5, "text": "a", "logprob": None, "special": False}
    event = '{"index":1,"token":{"id":5,"text":"a","logprob":null,"special":false},"generated_text":"a","details":null}'
    httpserver.expect_request("/generate_stream").respond_with_data(
        f"data:{event}\n\n", content_type="text/event-stream"
    )
    answer = client.stream_complete("tgi/", "x", logprobs=0).read()
    assert (answer.text, answer.finish_reason, answer.usage) == (token["text"], None, Usage())


def test_a_cut_stream_is_no_answer(client: Client, tgi: Tgi) -> None:
    tgi.cut = True
    with pytest.raises(e.StreamIncomplete) as caught:
        client.stream_complete("tgi/", "What is", stop=["d and"]).read()
    assert caught.value.partial is not None
    assert caught.value.partial.text == f" {ALL}"  # what was held back is told
    with pytest.raises(e.StreamIncomplete):
        client.stream("tgi/", "What is").read()


# errors


BAD: list[tuple[dict[str, Any], str, type[e.APIError]]] = [
    ({"extra": {"temperature": -1}}, "`temperature` must be strictly positive", e.UnprocessableEntityError),
    ({"extra": {"top_p": 1.0}}, "`top_p` must be > 0.0 and < 1.0", e.UnprocessableEntityError),
    ({"extra": {"typical_p": 1.5}}, "`typical_p` must be", e.UnprocessableEntityError),
    ({"top_k": 0}, "`top_k` must be strictly positive", e.UnprocessableEntityError),
    ({"extra": {"repetition_penalty": 0}}, "`repetition_penalty` must be strictly positive", e.UnprocessableEntityError),
    ({"frequency_penalty": 3}, "`frequency_penalty` must be >= -2.0", e.UnprocessableEntityError),
    ({"extra": {"max_new_tokens": 0}}, "`max_new_tokens` must be strictly positive", e.UnprocessableEntityError),
    ({"stop": ["a", "b", "c", "d", "e"]}, "`stop` supports up to 4 stop sequences. Given: 5", e.UnprocessableEntityError),
    ({"logprobs": 6}, "`top_n_tokens` must be >= 0 and <= 5", e.UnprocessableEntityError),
    ({"extra": {"truncate": 17}}, "`truncate` must be strictly positive", e.UnprocessableEntityError),
    ({"extra": {"grammar": {"type": "json", "value": {}}}}, "grammar is not valid", e.UnprocessableEntityError),
    ({"max_tokens": 40}, "`max_new_tokens` must be <= 24. Given: 2 `inputs` tokens and 40", e.ContextLengthExceededError),
]  # fmt: skip


@pytest.mark.parametrize(("options", "message", "kind"), BAD)
def test_limits_of_a_generation(options: Any, message: str, kind: type[e.APIError], client: Client, tgi: Tgi) -> None:
    for call in (client.complete, lambda *args, **named: client.stream_complete(*args, **named).read()):
        with pytest.raises(kind, match=re.escape(message)) as caught:
            call("tgi/", "a", **options)
        # In a stream it comes with status 200, and is the same error.
        assert (caught.value.status, caught.value.code, caught.value.retryable) == (422, "validation", False)


def test_limits_of_several_answers(client: Client, tgi: Tgi) -> None:
    for options, message in (
        ({"n": 3, "temperature": 1}, "`best_of` must be > 0 and <= 2. Given: 3"),
        ({"n": 2}, "you must use sampling when `best_of` is > 1"),
        ({"n": 2, "temperature": 1, "seed": 1}, "`seed` must not be set when `best_of` > 1"),
    ):
        with pytest.raises(e.UnprocessableEntityError, match=re.escape(message)):
            client.complete("tgi/", "a", **options)  # type: ignore[arg-type]
    with pytest.raises(e.UnprocessableEntityError, match="decoder_input_details"):
        client.stream_complete("tgi/", "a", extra={"decoder_input_details": True}).read()
    with pytest.raises(e.UnprocessableEntityError, match="`inputs` cannot be empty"):
        client.complete("tgi/", "")
    with pytest.raises(e.ContextLengthExceededError, match=r"must have less than 16 tokens\. Given: 20"):
        client.complete("tgi/", " ".join("a" * 19), max_tokens=1)


FAILURES: list[tuple[Refused, type[e.APIError], int, bool]] = [
    (Refused("Request failed during generation: CUDA out of memory", "generation"), e.APIStatusError, 424, True),
    (Refused("Model is overloaded", "overloaded"), e.RateLimitError, 429, True),
    (Refused("Incomplete generation", "incomplete_generation"), e.InternalServerError, 500, True),
    (Refused("Template error: roles must alternate", "template_error"), e.UnprocessableEntityError, 422, False),
    (Refused("Template error: template not found", "template_error"), e.NotSupportedByServerError, 422, False),
    (
        Refused("Input validation error: grammar is not supported", "validation"),
        e.NotSupportedByServerError,
        422,
        False,
    ),
    (Refused("Tool error: Failed to parse generated text: EOF", "tool_error"), e.UnprocessableEntityError, 422, True),
    (Refused("Tool error: Tool with name f not found", "tool_error"), e.UnprocessableEntityError, 422, False),
]


@pytest.mark.parametrize(("failure", "kind", "status", "retryable"), FAILURES)
def test_failures(
    failure: Refused, kind: type[e.APIError], status: int, retryable: bool, client: Client, tgi: Tgi
) -> None:
    tgi.fail = failure
    for call in (
        lambda: client.complete("tgi/", "What"),
        lambda: client.chat("tgi/", "What"),
        lambda: client.complete("oai/", "What"),
        lambda: client.stream_complete("tgi/", "What").read(),
        lambda: client.stream("tgi/", "What").read(),  # where every error claims to be a 422
        lambda: client.stream_complete("oai/", "What").read(),
    ):
        with pytest.raises(kind, match=re.escape(str(failure))) as caught:
            call()
        assert (caught.value.status, caught.value.code, caught.value.retryable) == (status, failure.kind, retryable)


TOO_LONG = "`inputs` must have less than 10 tokens. Given: 20"


@pytest.mark.parametrize(
    "sent",
    [
        f'error: {{"error": "Input validation error: {TOO_LONG}", "error_type": "validation"}}\n\n',
        f'error: {{"message": "{TOO_LONG}", "code": 400}}\n\n',
        f'{{"error": "Input validation error: {TOO_LONG}", "error_type": "validation"}}',
        f'{{\n  "error": {{\n "message": "{TOO_LONG}"}}\n}}\n',
        f'event: error\ndata: {{"message": "{TOO_LONG}"}}\n\n',
    ],
    ids=["a field", "a field of another server", "bare", "bare in lines", "an event"],
)
@pytest.mark.parametrize(
    "head", ["", 'data:{"index":1,"token":{"id":1,"text":"a","special":false}}\n\n'], ids=["at once", "later"]
)
def test_an_error_that_is_no_event_of_a_generation_is_seen(
    head: str, sent: str, client: Client, httpserver: HTTPServer
) -> None:
    httpserver.expect_request("/generate_stream").respond_with_data(head + sent, content_type="text/event-stream")
    with pytest.raises(e.ContextLengthExceededError, match="less than 10 tokens"):
        client.stream_complete("tgi/", "What").read()


def test_a_failing_stream_gives_what_came(client: Client, tgi: Tgi) -> None:
    tgi.fail = FAILURES[0][0]
    with pytest.raises(e.APIStatusError) as caught:
        client.stream("tgi/", "What").read()
    assert caught.value.partial is not None
    assert caught.value.partial.text == f" {ALL}"


def test_errors_of_the_web_framework_are_plain_text(client: Client, tgi: Tgi) -> None:
    with pytest.raises(e.UnprocessableEntityError, match="Failed to deserialize the JSON body"):
        client.chat("tgi/", "What", extra={"stop": "x"})  # a list is wanted, which the option makes of a text
    with pytest.raises(e.UnprocessableEntityError, match="Failed to deserialize"):
        client.complete("tgi/", "What", extra={"seed": "x"})
    with pytest.raises(e.APIStatusError, match="length limit exceeded") as caught:
        client.complete("tgi/", "x" * 2_000_001)
    assert caught.value.status == 413
    assert caught.value.hint is not None
    assert "--payload-limit" in caught.value.hint


@pytest.mark.parametrize(
    ("body", "kind", "message"),
    [
        ('{"error":["a","b"]}', "application/json", "a; b"),
        ('{"error":"No fast tokenizer available"}', "application/json", "No fast tokenizer available"),
        ("<html>bad gateway</html>", "text/html", "an HTML page"),
    ],
)
def test_errors_of_what_stands_before_a_server(
    body: str, kind: str, message: str, client: Client, httpserver: HTTPServer
) -> None:
    httpserver.expect_request("/tokenize").respond_with_data(body, status=404, content_type=kind)
    with pytest.raises(e.NotFoundError, match=message):
        client.tokenize("tgi/", "a")


# keys


def test_a_server_with_a_key(httpserver: HTTPServer) -> None:
    httpserver.expect_request(re.compile("/.*")).respond_with_handler(Tgi(key="tgi-secret-1"))
    url = httpserver.url_for("")
    with Client(Config(), endpoints={"tgi": EndpointConfig(base_url=url, key="tgi-secret-1")}) as client:
        assert client.complete("tgi/", "What", max_tokens=1).text == " Deep"
    with Client(Config(), endpoints={"tgi": EndpointConfig(base_url=url)}) as client:
        assert client.healthcheck("tgi").ok  # these routes are open
        with pytest.raises(e.AuthenticationError, match="401 and no body") as caught:
            client.complete("tgi/", "What")
        assert "--api-key" in (caught.value.hint or "")
        with pytest.raises(e.AuthenticationError):
            client.stream("tgi/", "What").read()


def test_the_key_comes_from_its_variable(httpserver: HTTPServer) -> None:
    httpserver.expect_request(re.compile("/.*")).respond_with_handler(Tgi(key="tgi-secret-1"))
    environ = {"TGI_API_KEY": "tgi-secret-1", "TGI_BASE_URL": httpserver.url_for("")}
    with Client(Config(environ=environ)) as client:
        assert client.complete("tgi/", "What", max_tokens=1).text == " Deep"


# OpenAI's dialect


def test_a_chat(client: Client, tgi: Tgi) -> None:
    answer = client.chat("tgi/", "What is", max_tokens=3)
    assert (answer.text, answer.finish_reason, answer.id) == (" Deep Learning is", "length", None)
    assert answer.usage == Usage(input_tokens=3, output_tokens=3)
    assert tgi.seen == [
        ("/v1/chat/completions", {"messages": [{"role": "user", "content": "What is"}], "max_tokens": 3})
    ]
    assert client.chat("v1/", "What is", max_tokens=3) == answer
    assert client.chat("tgi/my-lora", "hi").model == "my-lora"  # it is echoed and proves nothing


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"stop": "Learning"},
        {"stop": ["a", "b"], "max_tokens": 2},
        {"logprobs": True, "max_tokens": 2},
        {"tools": [TOOL]},
    ],
)
def test_a_streamed_chat_is_the_chat(options: Any, client: Client, tgi: Tgi) -> None:
    whole = client.chat("tgi/", "What", **options)
    stream = client.stream("tgi/", "What", **options)
    events = list(stream)
    assert stream.response.choices == whole.choices
    assert stream.response.id is whole.id is None
    assert "".join([event.text for event in events if isinstance(event, TextDelta)]) == whole.text
    if "tools" not in options:
        assert stream.response.usage == whole.usage
        assert whole.finish_reason == ("length" if options.get("max_tokens") else "stop")


def test_a_tool_call(client: Client, tgi: Tgi) -> None:
    answer = client.chat("tgi/", "weather?", tools=[TOOL], tool_choice="get_weather")
    assert answer.tool_calls == (ToolCall(id="0", name="get_weather", arguments='{"city":"Paris"}'),)
    assert answer.finish_reason == "tool_calls"  # the server has no such reason
    assert tgi.seen[-1][1]["tool_choice"] == {"type": "function", "function": {"name": "get_weather"}}
    history = ["weather?", answer.message, Message.tool("0", "17"), "and?"]
    client.chat("tgi/", history, tools=[TOOL], tool_choice="none")
    assert tgi.seen[-1][1]["messages"][1:3] == [
        {"role": "assistant", "tool_calls": [{"id": "0", "type": "function", "function": {"name": "get_weather", "arguments": {"city": "Paris"}}}]},
        {"role": "tool", "tool_call_id": "0", "content": "17"},
    ]  # fmt: skip


def test_arguments_as_an_object_are_read_too(client: Client, httpserver: HTTPServer) -> None:
    call = {"id": 0, "type": "function", "function": {"name": "f", "arguments": {"a": 1}}}
    choice = {
        "index": 0,
        "message": {"role": "assistant", "tool_calls": [{**call, "id": "0"}]},
        "finish_reason": "eos_token",
    }
    httpserver.expect_request("/v1/chat/completions").respond_with_json({"id": "", "choices": [choice]})
    answer = client.chat("tgi/", "x")
    assert answer.tool_calls[0].parse_arguments() == {"a": 1}
    assert answer.finish_reason == "tool_calls"


def test_what_a_message_says_beside_its_calls_is_one_message(client: Client, tgi: Tgi) -> None:
    call = ToolCall(id="0", name="f", arguments='{"a": "\\u00e9"}')
    messages = [
        Message(role="developer", content="be brief"),
        "hi",
        Message.assistant("let me see", call),
        Message.tool("0", "17"),
        Message.assistant(Refusal(text="no")),
        Message.assistant(""),
        "so?",
    ]
    tgi.info.update(max_input_tokens=1000, max_total_tokens=2000)
    client.chat("tgi/", messages)
    # As the router writes calls into the text that the template sees.
    said = '[{"id":"0","type":"function","function":{"description":null,"name":"f","arguments":"{\\"a\\":\\"é\\"}"}}]'
    assert tgi.seen[-1][1]["messages"] == [
        {"role": "system", "content": "be brief"},
        {"role": "user", "content": "hi"},
        {"role": "assistant", "content": f"let me see\n{said}"},
        {"role": "tool", "tool_call_id": "0", "content": "17"},
        {"role": "assistant", "content": "no"},
        {"role": "assistant", "content": ""},
        {"role": "user", "content": "so?"},
    ]


PICTURE = Image(data=b"\x89PNG\r\n\x1a\n")


def test_calls_beside_parts_and_what_is_no_json(client: Client, tgi: Tgi) -> None:
    call = ToolCall(id="0", name="f", arguments='{"a": ')
    tgi.info.update(max_input_tokens=1000, max_total_tokens=2000)
    client.chat("tgi/", ["hi", Message.assistant("see", PICTURE, call), "so?", Message.assistant(call), "and?"])
    said, alone = [message for message in tgi.seen[-1][1]["messages"] if message["role"] == "assistant"]
    assert [part["type"] for part in said["content"]] == ["text", "image_url", "text"]
    assert said["content"][2]["text"].startswith('\n[{"id":"0"')
    assert "tool_calls" not in said
    assert (alone["tool_calls"][0]["function"]["arguments"], "content" in alone) == ('{"a": ', False)


NESTED = {
    "$defs": {
        "Place": {"type": "object", "properties": {"at": {"$ref": "#/$defs/Point"}}, "description": "where"},
        "Point": {"type": "array", "items": {"type": "number"}},
    },
    "type": "object",
    "properties": {
        "to": {"$ref": "#/$defs/Place", "description": "whither"},
        "via": {"items": {"$ref": "#/$defs/Place"}},
    },
}


def test_references_of_a_tools_schema_are_written_out(client: Client, tgi: Tgi) -> None:
    client.chat("tgi/", "hi", tools=[TOOL, Tool(name="go", parameters=NESTED)])
    plain, function = [tool["function"] for tool in tgi.seen[-1][1]["tools"]]
    assert plain["parameters"] == SCHEMA
    place = {
        "type": "object",
        "properties": {"at": {"type": "array", "items": {"type": "number"}}},
        "description": "where",
    }
    assert function["parameters"] == {
        "type": "object",
        "properties": {"to": {**place, "description": "whither"}, "via": {"items": place}},
    }


def test_a_tool_whose_schema_leads_back_to_itself_is_refused(client: Client, tgi: Tgi) -> None:
    tree = {
        "$defs": {"Tree": {"type": "object", "properties": {"of": {"items": {"$ref": "#/$defs/Tree"}}}}},
        "type": "object",
        "properties": {"tree": {"$ref": "#/$defs/Tree"}},
    }
    with pytest.raises(e.InvalidRequestError, match=r"tools\[1\].parameters: #/\$defs/Tree leads back to itself"):
        client.chat("tgi/", "hi", tools=[TOOL, Tool(name="f", parameters=tree)])
    assert tgi.seen == []
    # One that leads nowhere is the server's to refuse.
    lost = {"type": "object", "properties": {"a": {"$ref": "#/$defs/None"}}}
    client.chat("tgi/", "hi", tools=[Tool(name="f", parameters=lost)])
    assert tgi.seen[-1][1]["tools"][0]["function"]["parameters"] == lost


def test_a_schema_without_properties_is_refused_with_a_hint(client: Client, tgi: Tgi) -> None:
    for call in (client.complete, lambda *args, **named: client.stream_complete(*args, **named).read()):
        with pytest.raises(e.UnprocessableEntityError) as caught:
            call("tgi/", "a", extra={"grammar": {"type": "json", "value": {"type": "array"}}})
        assert "at the top of a schema" in str(caught.value.hint)


def test_many_prompts_take_no_more_permits_than_there_are(client: Client, httpserver: HTTPServer) -> None:
    app, busy, another = Tgi(max_concurrent_requests=1), threading.Semaphore(1), threading.Event()

    def handle(request: Request) -> Response:
        if request.method == "GET":
            return app(request)
        if not busy.acquire(blocking=False):
            another.set()
            return Response('{"error": "Model is overloaded", "error_type": "overloaded"}', 429)
        another.wait(0.2)  # where more than one comes, it comes now
        try:
            return app(request)
        finally:
            busy.release()

    httpserver.expect_request(re.compile("/.*")).respond_with_handler(handle)
    for _ in range(2):
        assert len(client.complete("tgi/", ["What"] * 3).choices) == 3
    assert not another.is_set()
    assert [request.path for request, _ in httpserver.log].count("/info") == 1


def test_options_that_mean_something_else_here(client: Client, tgi: Tgi) -> None:
    client.chat("tgi/", "hi", top_p=1.0, presence_penalty=0, n=1, stop="x", temperature=0)
    assert tgi.seen[-1][1] == {
        "messages": [{"role": "user", "content": "hi"}],
        "temperature": 0,
        "n": 1,
        "stop": ["x"],
    }
    client.chat("tgi/", "hi", extra={"presence_penalty": 0, "tool_prompt": "p"})
    assert tgi.seen[-1][1]["presence_penalty"] == 0
    client.chat("tgi/", "hi", response_format="text")
    assert "response_format" not in tgi.seen[-1][1]


def test_a_schema_is_a_grammar(client: Client, tgi: Tgi) -> None:
    client.chat("tgi/", "hi", response_format=JsonSchema(schema=SCHEMA, name="place", strict=True))
    assert tgi.seen[-1][1]["response_format"] == {"type": "json_object", "value": SCHEMA}
    with pytest.raises(e.UnprocessableEntityError, match="'properties'"):
        client.chat("tgi/", "hi", response_format=JsonSchema(schema={"type": "object"}))


def test_a_file_of_text_is_text(client: Client, tgi: Tgi) -> None:
    client.chat("tgi/", Message.user(Document(data=b"1, 2", name="a.csv"), "Sum?"))
    assert tgi.seen[-1][1]["messages"] == [
        {"role": "user", "content": '\n<document name="a.csv">\n1, 2\n</document>\nSum?'}
    ]


def test_what_a_chat_cannot_have(client: Client, tgi: Tgi) -> None:
    with pytest.raises(e.InvalidRequestError, match="response_format: TGI follows a schema"):
        client.chat("tgi/", "hi", response_format="json")
    with pytest.raises(e.InvalidRequestError, match="a schema or tools, not both"):
        client.chat("tgi/", "hi", response_format=JsonSchema(schema=SCHEMA), tools=[TOOL])
    with pytest.raises(e.InvalidRequestError, match=r"messages\[0\]: TGI reads texts and pictures, not document parts"):
        client.chat("tgi/", Message.user(Document(data=b"%PDF-1.7")))
    with pytest.raises(e.InvalidRequestError, match=r"messages\[1\]: TGI reads texts and pictures, not document parts"):
        client.chat("tgi/", ["hi", Message.tool("c", [Document(data=b"%PDF-1.7")])])
    with pytest.raises(e.UnsupportedParameterError, match="top_k, logit_bias, user, reasoning_effort, n"):
        client.chat("tgi/", "hi", n=2, logit_bias={"1": 1}, user="u", top_k=1, reasoning_effort="low")
    assert tgi.seen == []
    with pytest.raises(e.UnprocessableEntityError, match="mutually exclusive"):
        client.chat("tgi/", "hi", tools=[TOOL], extra={"response_format": {"type": "json_object", "value": SCHEMA}})


def test_completions_of_the_dialect(client: Client, tgi: Tgi) -> None:
    answer = client.complete("oai/", ["What", "What is"], stop="Learning", top_p=1.0)
    assert [(each.index, each.text, each.finish_reason) for each in answer.choices] == [
        (0, " Deep ", "stop"),
        (1, " Deep ", "stop"),
    ]
    assert answer.usage == Usage(input_tokens=5, output_tokens=4)
    assert tgi.seen == [("/v1/completions", {"prompt": ["What", "What is"], "stop": ["Learning"]})]
    with pytest.raises(e.UnsupportedParameterError, match="top_k, presence_penalty, suffix, echo, logprobs"):
        client.complete("oai/", "a", top_k=2, suffix="b", echo=True, logprobs=1, presence_penalty=1)
    with pytest.raises(e.UnprocessableEntityError, match="Suffix is not supported") as caught:
        client.complete("oai/", "a", extra={"suffix": "b"})
    assert caught.value.code == "suffix not supported"


@pytest.mark.parametrize("endpoint", ["tgi", "oai"])
def test_several_prompts_are_streamed_by_the_dialect(endpoint: str, client: Client, tgi: Tgi) -> None:
    answer = client.stream_complete(f"{endpoint}/", ["What", "What is"]).read()
    # The end token's text is among the pieces of this route and left out here.
    assert [(each.index, each.text, each.finish_reason) for each in answer.choices] == [
        (0, f" {ALL}", "stop"),
        (1, f" {ALL}", "stop"),
    ]
    assert answer.usage == Usage(input_tokens=5, output_tokens=12)
    assert tgi.seen == [("/v1/completions", {"prompt": ["What", "What is"], "stream": True})]
    with pytest.raises(e.UnprocessableEntityError, match="maximum allowed batch size of 4") as caught:
        client.stream_complete(f"{endpoint}/", ["a"] * 5).read()
    assert caught.value.code == "batch size exceeded"


def test_an_end_token_at_the_limit_is_left_out_once_its_text_is_known(client: Client, tgi: Tgi) -> None:
    asked = {"model": "oai/", "prompt": ["What", "What is"]}
    at_limit = client.stream_complete(**asked, max_tokens=6).read()
    assert [each.text for each in at_limit.choices] == [f" {ALL}</s>"] * 2  # nothing tells what it is
    assert client.stream_complete(**asked).read().choices[0].text == f" {ALL}"
    at_limit = client.stream_complete(**asked, max_tokens=6).read()
    assert [(each.text, each.finish_reason) for each in at_limit.choices] == [(f" {ALL}", "length")] * 2
    cut = client.stream_complete(**asked, max_tokens=5).read()
    assert [(each.text, each.finish_reason) for each in cut.choices] == [(f" {ALL}", "length")] * 2


# tokens, models, health, calls


def test_tokens(client: Client, tgi: Tgi) -> None:
    assert client.tokenize("tgi/", "a bc").tokens == (11, 12)
    assert client.tokenize("tgi/", "a bc", add_special=True).tokens == (1, 11, 12)
    count = client.count_tokens("tgi/", "What is")
    assert (count.input_tokens, count.exact, count.method) == (3, True, "server")


def test_a_slow_tokenizer_tells_no_positions(client: Client, httpserver: HTTPServer) -> None:
    httpserver.expect_request("/tokenize").respond_with_json(
        [{"id": 1, "text": "", "start": 0, "stop": 0}, {"id": 7, "text": "", "start": 0, "stop": 0}]
    )
    assert client.tokenize("tgi/", "a").tokens == (1, 7)


def test_the_model(client: Client, tgi: Tgi) -> None:
    (model,) = client.list_models("tgi")
    assert (model.id, model.context_window, model.raw) == (INFO["model_id"], 24, INFO)
    assert client.show_model("tgi/anything") == model
    assert client.capabilities("tgi/x").supports("embed").value == "no"
    for feature in ("tools", "json_schema"):  # the server does not say
        assert client.capabilities("tgi/x").supports(feature) == UNKNOWN
    tgi.info["model_pipeline_tag"] = "image-text-to-text"
    assert client.show_model("v1/").input_modalities == {"text", "image"}


def test_health(client: Client, tgi: Tgi) -> None:
    health = client.healthcheck("tgi")
    assert (health.status, health.server, health.detail) == ("ok", "TGI 3.3.7", INFO["model_id"])
    tgi.healthy = False
    health = client.healthcheck("tgi")
    assert health.status == "unhealthy"
    assert "what runs its model does not" in str(health.detail)


def test_what_stands_before_a_server_may_say_that_it_starts(client: Client, httpserver: HTTPServer) -> None:
    httpserver.expect_request("/health").respond_with_data("503 Service Unavailable", 503)
    assert client.healthcheck("tgi").status == "loading"


def test_another_server_is_told_apart(client: Client, httpserver: HTTPServer) -> None:
    httpserver.expect_request("/health").respond_with_data("")
    httpserver.expect_request("/info").respond_with_json({"model_type": {"embedding": {"pooling": "cls"}}})
    health = client.healthcheck("tgi")
    assert health.status == "unhealthy"
    assert "TEI, which the backend tei speaks to" in (health.detail or "")


def test_calls_of_its_own(client: Client, tgi: Tgi) -> None:
    assert client.call("tgi", "info") == INFO
    assert client.call("tgi", "metrics") == "tgi_request_count 1\n"
    assert client.call("tgi", "generate", inputs="What", max_new_tokens=1) == {"generated_text": " Deep"}
    # POST / gives a list, and the prompt too.
    assert client.call("tgi", "compatible", inputs="What", max_new_tokens=1) == [{"generated_text": "What Deep"}]
    assert client.call("tgi", "invocations", body={"inputs": "What", "parameters": {"max_new_tokens": 1}}) == [
        {"generated_text": "What Deep"}
    ]
    assert client.call("tgi", "vertex", instances=[{"inputs": "What", "parameters": {"max_new_tokens": 1}}]) == {
        "predictions": [" Deep"]
    }
    body = {"prompt": "What", "max_tokens": 1}
    assert client.call("tgi", "invocations", body=body)["choices"][0]["text"] == " Deep"
    assert client.call("tgi", "apply_template", messages=[{"role": "user", "content": "What"}]) == "user:What"


@pytest.mark.anyio
async def test_the_same_awaited(aclient: AsyncClient, tgi: Tgi) -> None:
    assert (await aclient.complete("tgi/", "What", stop="is")).text == " Deep Learning "
    assert (await aclient.chat("tgi/", "What")).text == f" {ALL}"
    assert (await aclient.stream_complete("tgi/", "What", stop="is").read()).text == " Deep Learning "
    assert (await aclient.stream("tgi/", "What").read()).text == f" {ALL}"
    assert len((await aclient.complete("tgi/", ["What", "is", "it"])).choices) == 3
    assert (await aclient.count_tokens("tgi/", "What is")).input_tokens == 3
    tgi.fail = FAILURES[1][0]
    with pytest.raises(e.RateLimitError):
        await aclient.stream("tgi/", "What").read()
    with pytest.raises(e.RateLimitError):
        await aclient.complete("tgi/", ["What", "is"])
