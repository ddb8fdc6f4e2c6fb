"""Requests, answers and streams held to Hugging Face's own client: the same call made with both is the same.

`huggingface_hub` is a development dependency only. Both talk to the small servers of these tests; its calls to the
router and to the Hub are turned there too. Where the two differ, the table says how and why.
"""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Callable, Iterator
from typing import Any

import attrs
import pytest
from ipfs_accel import Client, Config, EndpointConfig, Image, JsonSchema, Message, Tool
from ipfs_accel import errors as e
from ipfs_accel.types import ToolCall
from pytest_httpserver import HTTPServer
from werkzeug import Request, Response

from .tei_server import Tei
from .tgi_server import Refused, Tgi

huggingface_hub = pytest.importorskip("huggingface_hub", reason="Hugging Face's client is the oracle of these tests")

KEY = "hf_test0123456789"
PNG = b"\x89PNG\r\n\x1a\n0"
FLAC = b"fLaC0123"
USER: list[dict[str, Any]] = [{"role": "user", "content": "hi"}]
SCHEMA = {"type": "object", "properties": {"city": {"type": "string"}}}
TOOL = Tool(name="get_weather", description="d", parameters=SCHEMA)
WIRE_TOOL = {"type": "function", "function": {"name": "get_weather", "description": "d", "parameters": SCHEMA}}
CALL = {"id": "0", "type": "function", "function": {"name": "get_weather", "arguments": '{"city":"Paris"}'}}
OBJECT_CALL = {**CALL, "function": {**CALL["function"], "arguments": {"city": "Paris"}}}  # as its router wants it
FORMAT = {"type": "json_schema", "json_schema": {"name": "response", "schema": SCHEMA}}
DETAILS: dict[str, Any] = {"details": True}
SAMPLED: dict[str, Any] = {"details": True, "do_sample": True}


class Hub:
    """Stands for the router and the Hub: a model's name says which task it has."""

    def __call__(self, request: Request) -> Response:
        path = request.path
        if path.startswith("/api/models/"):
            task = path.rpartition("/")[2]
            mapping = {
                name: {"status": "live", "providerId": f"{name}/{task}", "task": task}
                for name in ("together", "nscale", "scaleway", "deepinfra")
            }
            return answer(
                {
                    "id": path.removeprefix("/api/models/"),
                    "pipeline_tag": task,
                    "tags": [task],
                    "inferenceProviderMapping": mapping,
                }
            )
        if path.endswith("/chat/completions"):
            return self.chat(json.loads(request.get_data()))
        if path.endswith("/embeddings"):
            return answer({"data": [{"index": 0, "embedding": [0.5, 1.0]}], "model": "m"})
        if path.endswith("/images/generations"):
            return answer({"data": [{"b64_json": base64.b64encode(PNG).decode()}]})
        return self.task(path)

    def chat(self, body: Any) -> Response:
        head = {"id": "c1", "created": 1, "model": "m", "system_fingerprint": "f"}
        usage = {"prompt_tokens": 3, "completion_tokens": 2, "total_tokens": 5}
        if not body.get("stream"):
            choice = {"index": 0, "message": {"role": "assistant", "content": "Hello"}, "finish_reason": "stop"}
            return answer({**head, "choices": [choice], "usage": usage})
        choices = [
            {"index": 0, "delta": {"role": "assistant", "content": "Hel"}},
            {"index": 0, "delta": {"role": "assistant", "content": "lo"}, "finish_reason": "stop"},
        ]
        events = [{**head, "choices": [choice]} for choice in choices] + [{**head, "choices": [], "usage": usage}]
        text = "".join([f"data: {json.dumps(event)}\n\n" for event in events])
        return Response(f"{text}data: [DONE]\n\n", content_type="text/event-stream")

    def task(self, path: str) -> Response:
        values: dict[str, Any] = {
            "feature-extraction": [[0.5, 1.0]],
            "sentence-similarity": [0.5],
            "text-classification": [[{"label": "joy", "score": 0.75}, {"label": "anger", "score": 0.25}]],
            "automatic-speech-recognition": {"text": "hello", "chunks": [{"text": "hello", "timestamp": [0.0, 0.5]}]},
            "text-generation": [{"generated_text": " world"}],
            "fill-mask": [{"score": 0.5, "token": 1, "token_str": "x", "sequence": "x y"}],
            "zero-shot-classification": [{"label": "joy", "score": 0.75}],
            "image-classification": [{"label": "cat", "score": 0.75}],
        }
        task = path.rpartition("/")[2]
        if task == "text-to-image":
            return Response(PNG, content_type="image/png")
        return Response(FLAC, content_type="audio/flac") if task == "text-to-speech" else answer(values[task])


def answer(value: Any) -> Response:
    return Response(json.dumps(value), content_type="application/json")


SERVERS: dict[str, Callable[[], Any]] = {"tgi": Tgi, "tei": Tei, "labels": lambda: Tei("classifier"), "hub": Hub}


@attrs.frozen
class Case:
    """One call made with both.

    Attributes:
        name: What it is about.
        server: Which of the servers answers.
        theirs: The call with Hugging Face's client, given a maker of clients and the server's URL.
        ours: The same with ours.
        same: Whether the values that both give are equal.
        without: What theirs sends and ours does not: it is what happens anyway.
    """

    name: str
    server: str
    theirs: Callable[[Callable[..., Any], str], Any]
    ours: Callable[[Client], Any]
    same: Callable[[Any, Any], bool]
    without: dict[str, Any] = attrs.field(factory=dict)


# values


def same_generation(theirs: Any, ours: Any) -> bool:
    choice = ours.choices[0]
    details = theirs.details
    stops = {"stop_sequence": 1, "eos_token": 1}
    assert choice.finish_reason == ("stop" if details.finish_reason in stops else details.finish_reason)
    made = sum([each.generated_tokens for each in (details, *(details.best_of_sequences or ()))])
    assert (ours.usage.output_tokens, ours.raw["details"].get("seed")) == (made, details.seed)
    assert [each.text for each in ours.choices[1:]] == [each.generated_text for each in details.best_of_sequences or ()]
    if choice.logprobs is not None:
        assert [(each.token, each.logprob) for each in choice.logprobs] == [
            (each.text, each.logprob) for each in details.tokens
        ]
    # A stop text stays in theirs and is taken off ours.
    return theirs.generated_text.startswith(choice.text) and (details.finish_reason == "stop_sequence") == (
        theirs.generated_text != choice.text
    )


def same_events(theirs: Any, ours: Any) -> bool:
    events = list(theirs)
    text = "".join([event.token.text for event in events if not event.token.special])
    last = events[-1]
    if ours.choices[0].logprobs is not None:
        assert [each.token for each in ours.choices[0].logprobs] == [event.token.text for event in events]
    assert (ours.usage.input_tokens, ours.usage.output_tokens) == (
        last.details.input_length,
        last.details.generated_tokens,
    )
    return text.startswith(ours.text) and (last.details.finish_reason == "stop_sequence") == (text != ours.text)


def calls_of(message: Any) -> list[tuple[str, str, str]]:
    return [(call.id, call.function.name, call.function.arguments) for call in message.tool_calls or ()]


def same_chat(theirs: Any, ours: Any) -> bool:
    choice, message = theirs.choices[0], theirs.choices[0].message
    assert (ours.usage.input_tokens, ours.usage.output_tokens) == (
        theirs.usage.prompt_tokens,
        theirs.usage.completion_tokens,
    )
    assert [(call.id, call.name, call.arguments) for call in ours.tool_calls] == calls_of(message)
    assert (ours.id or "", ours.model) == (theirs.id, theirs.model)
    usual = {"stop_sequence": "stop"}.get(choice.finish_reason, choice.finish_reason)
    assert ours.finish_reason == ("tool_calls" if message.tool_calls else usual)
    if choice.logprobs is not None:
        assert [(each.token, each.logprob) for each in ours.choices[0].logprobs] == [
            (each.token, each.logprob) for each in choice.logprobs.content
        ]
    content = message.content or ""
    return content.startswith(ours.text) and (choice.finish_reason == "stop_sequence") == (content != ours.text)


def same_chunks(theirs: Any, ours: Any) -> bool:
    chunks = list(theirs)
    deltas = [chunk.choices[0].delta for chunk in chunks if chunk.choices]
    text = "".join([delta.content or "" for delta in deltas])
    arguments = "".join([call.function.arguments for delta in deltas for call in delta.tool_calls or ()])
    assert "".join([call.arguments for call in ours.tool_calls]) == arguments
    usage = chunks[-1].usage
    assert (ours.usage.input_tokens, ours.usage.output_tokens) == (usage.prompt_tokens, usage.completion_tokens)
    return ours.text == text


def same_vectors(theirs: Any, ours: Any) -> bool:
    return [list(vector) for vector in ours.vectors] == theirs.tolist()


def same_labels(theirs: Any, ours: Any) -> bool:
    return [(each.label, each.score) for each in ours.results[0]] == [(each.label, each.score) for each in theirs]


def same(theirs: Any, ours: Any) -> bool:
    return bool(theirs == ours)


def same_rows(theirs: Any, ours: Any) -> bool:
    """Compare a list of the client's own classes with the JSON that they were made of."""
    return [{name: each[name] for name in row} for each, row in zip(theirs, ours, strict=True)] == ours


# the table


def generation(name: str, theirs: dict[str, Any], ours: dict[str, Any], prompt: str = "What is") -> list[Case]:
    """Make the case of a generation, whole and streamed."""
    streamed = {key: value for key, value in theirs.items() if key not in {"best_of", "decoder_input_details"}}
    found = [
        Case(name, "tgi", lambda hub, url: hub(f"{url}/generate").text_generation(prompt, **theirs), lambda client: client.complete("tgi/", prompt, **ours), same_generation, {"stream": False}),
    ]  # fmt: skip
    if streamed == theirs:
        found.append(Case(f"{name}, streamed", "tgi", lambda hub, url: list(hub(f"{url}/generate_stream").text_generation(prompt, stream=True, **theirs)),
                          lambda client: client.stream_complete("tgi/", prompt, **ours).read(), same_events, {"stream": True}))  # fmt: skip
    return found


def chat(name: str, server: str, theirs: dict[str, Any], messages: Any, ours: dict[str, Any]) -> list[Case]:
    """Make the case of a chat, whole and streamed."""
    given = {"messages": USER, **theirs}
    model, place = ("tgi/dummy", "") if server == "tgi" else ("hf/a/m:groq", None)

    def client_of(hub: Callable[..., Any], url: str) -> Any:
        return hub(url) if place is not None else hub("a/m:groq")

    usage = {"stream_options": {"include_usage": True}}
    return [
        Case(name, server, lambda hub, url: client_of(hub, url).chat_completion(**given), lambda client: client.chat(model, messages, **ours), same_chat, {"stream": False}),
        Case(f"{name}, streamed", server, lambda hub, url: list(client_of(hub, url).chat_completion(stream=True, **given, **usage)), lambda client: client.stream(model, messages, **ours).read(), same_chunks),
    ]  # fmt: skip


CASES: list[Case] = [
    # TGI's own form. `stream` belongs to the compatible route, POST /, and says here what the path says.
    *generation("a generation", DETAILS, {}),
    *generation("limits", {**DETAILS, "max_new_tokens": 2, "stop": ["x"], "seed": 7}, {"max_tokens": 2, "stop": "x", "seed": 7}),
    *generation("a stop text", {**DETAILS, "stop": ["is"]}, {"stop": ["is"]}),
    *generation("sampling", {**SAMPLED, "temperature": 0.5, "top_p": 0.9, "top_k": 4, "frequency_penalty": 0.5}, {"temperature": 0.5, "top_p": 0.9, "top_k": 4, "frequency_penalty": 0.5}),
    *generation("what only TGI has", {**DETAILS, "repetition_penalty": 1.1, "typical_p": 0.9, "truncate": 5, "watermark": True, "adapter_id": "l"},
                {"extra": {"repetition_penalty": 1.1, "typical_p": 0.9, "truncate": 5, "watermark": True, "adapter_id": "l"}}),
    *generation("probabilities", {**DETAILS, "top_n_tokens": 2}, {"logprobs": 2}),
    *generation("a regular expression", {**DETAILS, "grammar": {"type": "regex", "value": "[a-z]+"}}, {"extra": {"grammar": {"type": "regex", "value": "[a-z]+"}}}),
    *generation("a schema", {**DETAILS, "grammar": {"type": "json", "value": SCHEMA}}, {"extra": {"grammar": {"type": "json", "value": SCHEMA}}}),
    *generation("several answers", {**SAMPLED, "temperature": 0.5, "best_of": 2}, {"temperature": 0.5, "n": 2}),
    *generation("an echo", {**DETAILS, "return_full_text": True, "decoder_input_details": True}, {"echo": True, "extra": {"decoder_input_details": True}}),
    # TGI's chats. Their client names an unnamed model "dummy"; both send nothing else for what is not given.
    *chat("a chat", "tgi", {}, "hi", {}),
    *chat("limits", "tgi", {"max_tokens": 2, "seed": 1, "temperature": 0.5, "top_p": 0.9}, "hi", {"max_tokens": 2, "seed": 1, "temperature": 0.5, "top_p": 0.9}),
    *chat("penalties and probabilities", "tgi", {"presence_penalty": 0.5, "frequency_penalty": 0.5, "logprobs": True, "top_logprobs": 2}, "hi",
          {"presence_penalty": 0.5, "frequency_penalty": 0.5, "logprobs": True, "top_logprobs": 2}),
    Case("a stop text", "tgi", lambda hub, url: hub(url).chat_completion(USER, stop=["is"]), lambda client: client.chat("tgi/dummy", "hi", stop="is"), same_chat, {"stream": False}),
    *chat("tools", "tgi", {"tools": [WIRE_TOOL], "tool_choice": "auto"}, "hi", {"tools": [TOOL], "tool_choice": "auto"}),
    *chat("this tool", "tgi", {"tools": [WIRE_TOOL], "tool_choice": {"type": "function", "function": {"name": "get_weather"}}, "tool_prompt": "p"}, "hi",
          {"tools": [TOOL], "tool_choice": "get_weather", "extra": {"tool_prompt": "p"}}),
    *chat("a schema is a grammar", "tgi", {"response_format": FORMAT}, "hi", {"response_format": JsonSchema(schema=SCHEMA)}),
    *chat("a history with tools", "tgi", {"messages": [*USER, {"role": "assistant", "tool_calls": [OBJECT_CALL]}, {"role": "tool", "tool_call_id": "0", "content": "17"}], "tools": [WIRE_TOOL]},
          ["hi", Message.assistant(ToolCall(id="0", name="get_weather", arguments='{"city":"Paris"}')), Message.tool("0", "17")], {"tools": [TOOL]}),
    *chat("a picture", "tgi", {"messages": [{"role": "user", "content": [{"type": "text", "text": "?"}, {"type": "image_url", "image_url": {"url": "https://x.test/a.png"}}]}]},
          Message.user("?", Image(url="https://x.test/a.png")), {}),
    # TEI. An empty `parameters` says nothing.
    Case("one vector", "tei", lambda hub, url: hub(f"{url}/embed").feature_extraction("a", normalize=True), lambda client: client.embed("tei/", "a", extra={"normalize": True}), same_vectors),
    Case("several vectors", "tei", lambda hub, url: hub(f"{url}/embed").feature_extraction(["a", "b"], normalize=False), lambda client: client.embed("tei/", ["a", "b"], extra={"normalize": False}), same_vectors),
    Case("a vector with options", "tei", lambda hub, url: hub(f"{url}/embed").feature_extraction("a", prompt_name="query", truncate=True, truncation_direction="left", dimensions=2),
         lambda client: client.embed("tei/", "a", dimensions=2, extra={"prompt_name": "query", "truncate": True, "truncation_direction": "left"}), same_vectors),
    Case("similarities", "tei", lambda hub, url: hub(f"{url}/similarity").sentence_similarity("a", ["b", "cc"]),
         lambda client: list(client.call("tei", "similarity", source="a", sentences=["b", "cc"])), same, {"parameters": {}}),
    Case("labels", "labels", lambda hub, url: hub(f"{url}/predict").text_classification("good"), lambda client: client.classify("labels/", "good"), lambda theirs, ours: theirs.label == ours.results[0][0].label, {"parameters": {}}),
    # The router and hf-inference. What differs is only that `stream` is named when it is false.
    *chat("a chat", "hub", {}, "hi", {}),
    *chat("a chat with options", "hub", {"max_tokens": 5, "temperature": 0.5, "top_p": 0.9, "seed": 1, "stop": ["x"], "n": 1, "extra_body": {"top_k": 3}}, "hi",
          {"max_tokens": 5, "temperature": 0.5, "top_p": 0.9, "seed": 1, "stop": "x", "n": 1, "top_k": 3}),
    *chat("a chat with tools", "hub", {"tools": [WIRE_TOOL], "tool_choice": "required"}, "hi", {"tools": [TOOL], "tool_choice": "required"}),
    *chat("a chat with a schema", "hub", {"response_format": FORMAT}, "hi", {"response_format": JsonSchema(schema=SCHEMA)}),
    Case("a vector", "hub", lambda hub, _: hub("a/feature-extraction", provider="hf-inference").feature_extraction("x", normalize=True, truncate=True),
         lambda client: client.embed("hf/a/feature-extraction", "x", extra={"normalize": True, "truncate": True}), same_vectors),
    *[
        Case(f"a vector of {provider}", "hub", lambda hub, _, p=provider: hub("a/feature-extraction", provider=p).feature_extraction("x", dimensions=2),  # type: ignore[misc]
             lambda client, p=provider: client.embed(f"hf/a/feature-extraction:{p}", "x", dimensions=2), same_vectors)  # type: ignore[misc]
        for provider in ("together", "scaleway", "deepinfra")
    ],
    Case("similarities", "hub", lambda hub, _: hub("a/sentence-similarity", provider="hf-inference").sentence_similarity("x", ["y"]),
         lambda client: client.call("hf", "similarity", model="a/sentence-similarity", source="x", sentences=["y"]), same, {"parameters": {}}),
    Case("labels", "hub", lambda hub, _: hub("a/text-classification", provider="hf-inference").text_classification("x", top_k=2),
         lambda client: client.classify("hf/a/text-classification", "x", extra={"top_k": 2}), same_labels),
    Case("a picture", "hub", lambda hub, _: hub("a/text-to-image", provider="hf-inference").text_to_image("a cat", width=64, height=32, seed=1, negative_prompt="n", guidance_scale=7, num_inference_steps=4),
         lambda client: client.generate_image("hf/a/text-to-image", "a cat", size="64x32", seed=1, negative_prompt="n", extra={"guidance_scale": 7, "num_inference_steps": 4}), lambda theirs, ours: theirs == ours.images[0].data),
    Case("a picture of together", "hub", lambda hub, _: hub("a/text-to-image", provider="together").text_to_image("a cat", width=64, height=32, seed=1),
         lambda client: client.generate_image("hf/a/text-to-image:together", "a cat", size="64x32", seed=1), lambda theirs, ours: theirs == ours.images[0].data),
    Case("a picture of nscale", "hub", lambda hub, _: hub("a/text-to-image", provider="nscale").text_to_image("a cat", width=64, height=32),
         lambda client: client.generate_image("hf/a/text-to-image:nscale", "a cat", size="64x32"), lambda theirs, ours: theirs == ours.images[0].data),
    Case("speech to text", "hub", lambda hub, _: hub("a/automatic-speech-recognition", provider="hf-inference").automatic_speech_recognition(FLAC),
         lambda client: client.transcribe("hf/a/automatic-speech-recognition", FLAC), lambda theirs, ours: theirs.text == ours.text),
    Case("speech to text with times", "hub", lambda hub, _: hub("a/automatic-speech-recognition", provider="hf-inference").automatic_speech_recognition(FLAC, extra_body={"return_timestamps": "word"}),
         lambda client: client.transcribe("hf/a/automatic-speech-recognition", FLAC, timestamps="word"),
         lambda theirs, ours: [[each.start, each.end] for each in ours.words] == [list(chunk.timestamp) for chunk in theirs.chunks]),
    Case("text to speech", "hub", lambda hub, _: hub("a/text-to-speech", provider="hf-inference").text_to_speech("hello", do_sample=True),
         lambda client: client.speak("hf/a/text-to-speech", "hello", extra={"do_sample": True}), lambda theirs, ours: theirs == ours.data),
    Case("a text completion", "hub", lambda hub, _: hub("a/text-generation", provider="hf-inference").text_generation("hello", max_new_tokens=3, details=True),
         lambda client: client.complete("hf/a/text-generation", "hello", max_tokens=3), lambda theirs, ours: theirs.generated_text == ours.text, {"stream": False}),
    Case("a masked word", "hub", lambda hub, _: hub("a/fill-mask", provider="hf-inference").fill_mask("[MASK] y", top_k=1),
         lambda client: client.call("hf", "task", model="a/fill-mask", inputs="[MASK] y", parameters={"top_k": 1}), same_rows),
    Case("labels of one's own", "hub", lambda hub, _: hub("a/zero-shot-classification", provider="hf-inference").zero_shot_classification("x", ["joy"], multi_label=True),
         lambda client: client.call("hf", "task", model="a/zero-shot-classification", inputs="x", parameters={"candidate_labels": ["joy"], "multi_label": True}), same_rows),
    Case("labels of a picture", "hub", lambda hub, _: hub("a/image-classification", provider="hf-inference").image_classification(PNG),
         lambda client: client.call("hf", "task_of_file", model="a/image-classification", file=PNG), same_rows),
    Case("labels of a picture with options", "hub", lambda hub, _: hub("a/image-classification", provider="hf-inference").image_classification(PNG, top_k=1),
         lambda client: client.call("hf", "task_of_file", model="a/image-classification", file=PNG, parameters={"top_k": 1}), same_rows),
]  # fmt: skip


@pytest.fixture(autouse=True)
def turned(
    httpserver: HTTPServer, monkeypatch: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[None]:
    """Turn what Hugging Face's client sends to the router and the Hub to the server of these tests."""
    import httpx2  # noqa: TID251 - the oracle's own library
    from huggingface_hub.inference import _client
    from huggingface_hub.inference._providers import _common, hf_inference
    from huggingface_hub.utils import _http

    def turn(request: Any) -> None:
        if request.url.host.endswith("huggingface.co"):
            request.url = request.url.copy_with(scheme="http", host="localhost", port=httpserver.port)

    monkeypatch.setattr(_client, "_bytes_to_image", lambda data: data)  # Pillow is not needed to compare
    for cached in (hf_inference._check_supported_task, _common._fetch_inference_provider_mapping):
        cached.cache_clear()
    huggingface_hub.set_client_factory(lambda: httpx2.Client(event_hooks={"request": [turn]}))
    _http.close_session()
    yield
    _http.close_session()
    huggingface_hub.set_client_factory(_http.default_client_factory)


def compared(request: Request, without: dict[str, Any]) -> Any:
    """Return what counts of a request."""
    data: Any = request.get_data()
    if request.content_type == "application/json":
        data = json.loads(data)
        data = {name: value for name, value in data.items() if name not in without or value != without[name]}
    headers = {name: request.headers.get(name) for name in ("authorization", "x-hf-bill-to")}
    if isinstance(data, dict):  # theirs has no type for bytes without a file's name; ours tells it by their beginning
        headers["content-type"] = request.content_type
    if request.path == "/hf-inference/models/a/text-to-image":  # theirs asks the others for pictures too, who send JSON
        headers["accept"] = request.headers["accept"]
    return request.method, request.path, sorted(request.args.items(multi=True)), headers, data


@pytest.mark.parametrize("case", CASES, ids=[f"{case.server}: {case.name}" for case in CASES])
def test_a_call_is_sent_and_read_as_their_client_does(case: Case, httpserver: HTTPServer) -> None:
    httpserver.expect_request(re.compile("/.*")).respond_with_handler(SERVERS[case.server]())
    url = httpserver.url_for("").rstrip("/")

    kept = []  # a stream of theirs ends with its client

    def hub(model: str, **more: Any) -> Any:
        kept.append(huggingface_hub.InferenceClient(model, token=KEY, bill_to="acme", **more))
        return kept[-1]

    expected = case.theirs(hub, url)
    middle = len(httpserver.log)
    own = EndpointConfig(base_url=url, key=KEY, headers={"X-HF-Bill-To": "acme"})
    router = EndpointConfig(base_url=f"{url}/v1", key=KEY, options={"router": True, "hub": url, "bill_to": "acme"})
    endpoints = {"tgi": own, "tei": own, "labels": attrs.evolve(own, backend="tei"), "hf": router}
    with Client(Config(), endpoints=endpoints) as client:
        actual = case.ours(client)
    # Ours asks no server for what it does not need to know: no task of a model, no provider of a chat.
    theirs, ours = [
        [request for request, _ in part if request.method == "POST"]
        for part in (httpserver.log[:middle], httpserver.log[middle:])
    ]
    assert [compared(each, {}) for each in ours] == [compared(each, case.without) for each in theirs]
    assert case.same(expected, actual)


def test_the_table_is_long_enough() -> None:
    assert len(CASES) >= 40
    assert {case.server for case in CASES} == {"tgi", "tei", "labels", "hub"}


@pytest.mark.parametrize(
    ("failure", "theirs", "ours"),
    [
        (Refused("Request failed during generation: OOM", "generation"), "GenerationError", e.APIStatusError),
        (Refused("Model is overloaded", "overloaded"), "OverloadedError", e.RateLimitError),
        (Refused("Incomplete generation", "incomplete_generation"), "IncompleteGenerationError", e.InternalServerError),
        (Refused("Input validation error: `top_k` must be strictly positive", "validation"), "ValidationError", e.UnprocessableEntityError),
    ],
)  # fmt: skip
def test_an_error_is_read_as_their_client_does(
    failure: Refused, theirs: str, ours: type[e.APIError], httpserver: HTTPServer
) -> None:
    tgi = Tgi()
    tgi.fail = failure
    httpserver.expect_request(re.compile("/.*")).respond_with_handler(tgi)
    url = httpserver.url_for("").rstrip("/")
    hub, streaming = [huggingface_hub.InferenceClient(f"{url}/{path}") for path in ("generate", "generate_stream")]
    kind = getattr(huggingface_hub.errors, theirs)
    with Client(Config(), endpoints={"tgi": EndpointConfig(base_url=url)}) as client:
        for call in (lambda: client.complete("tgi/", "x"), lambda: client.stream_complete("tgi/", "x").read()):
            with pytest.raises(ours) as actual:
                call()
            assert (actual.value.message, actual.value.code) == (str(failure), failure.kind)
    with pytest.raises(kind, match=re.escape(str(failure))):
        hub.text_generation("x")
    with pytest.raises(kind, match=re.escape(str(failure))):
        list(streaming.text_generation("x", stream=True))
