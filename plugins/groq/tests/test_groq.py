"""The endpoint: keys, addresses, headers, limits, costs, counts, files and batches."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import attrs
import pytest
from ipfs_accel import AsyncClient, Client, EndpointConfig, Image, Message, Tool, load_config
from ipfs_accel import errors as e
from ipfs_accel.plans import Endpoint
from ipfs_accel.types import Audio, ChatRequest, RateLimit, Transfer
from ipfs_accel_groq import Options, backend
from pytest_httpserver import HTTPServer

from conftest import form

HOSTED = Endpoint(name="groq", backend="groq", base_url="https://api.groq.com", options=Options())
BIG, SMALL, PROMPT = "openai/gpt-oss-120b", "openai/gpt-oss-20b", "meta-llama/llama-prompt-guard-2-22m"
KEY = "gsk_test_0123456789"
WAV = b"RIFF\0\0\0\0WAVEfmt "
USAGE = {"prompt_tokens": 1000, "completion_tokens": 200, "prompt_tokens_details": {"cached_tokens": 600}}
CHOICE = {"message": {"content": "yes"}, "finish_reason": "stop"}
ANSWER: dict[str, Any] = {
    "choices": [CHOICE],
    "usage": USAGE,
    "service_tier": "on_demand",
    "x_groq": {"id": "req_01kh"},
}
CHATS = "/openai/v1/chat/completions"


@pytest.fixture
def client(httpserver: HTTPServer) -> Iterator[Client]:
    endpoint = EndpointConfig(base_url=httpserver.url_for(""), key=KEY, options={"catalogue": "on"})
    with Client(endpoints={"groq": endpoint}) as client:
        yield client


CALLS: list[tuple[str, Any]] = [
    ("chat", (f"groq/{BIG}", "hi")),
    ("transcribe", ("groq/whisper-large-v3", WAV)),
    ("translate", ("groq/whisper-large-v3", WAV)),
    ("classify", (f"groq/{PROMPT}", "hi")),
    ("moderate", (f"groq/{PROMPT}", "hi")),
    ("list_models", ("groq",)),
    ("list_files", ("groq",)),
    ("create_batch", (f"groq/{BIG}", {"a": "hi"})),
]


@pytest.mark.parametrize(("name", "arguments"), CALLS, ids=[each[0] for each in CALLS])
@pytest.mark.anyio
async def test_without_a_key_nothing_is_sent(name: str, arguments: Any) -> None:
    hint = "set the environment variable GROQ_API_KEY, or run: ipfs-accel keys set groq"
    with Client(load_config(None, {})) as client, pytest.raises(e.MissingKeyError) as caught:
        getattr(client, name)(*arguments)
    assert caught.value.hint == hint
    async with AsyncClient(load_config(None, {})) as other:
        with pytest.raises(e.MissingKeyError) as caught:
            await getattr(other, name)(*arguments)
    assert caught.value.hint == hint


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


ROUTE = "https://api.groq.com/openai/v1/chat/completions"
URLS = ["https://api.groq.com", "https://api.groq.com/", "https://api.groq.com/openai", "https://api.groq.com/openai/v1", "https://api.groq.com/openai/v1/"]  # fmt: skip


@pytest.mark.parametrize("url", URLS)
@pytest.mark.parametrize("variable", ["GROQ_BASE_URL", "GROQ_API_BASE", "IPFS_ACCEL_GROQ_BASE_URL"])
def test_a_base_url_may_have_its_prefix_or_not(variable: str, url: str) -> None:
    from ipfs_accel._worlds.perform import perform

    with Client(load_config(None, {variable: url, "GROQ_API_KEY": KEY})) as client:
        target = perform(client._core.target("groq"), client._world)
    plan: Any = backend.chat(target.endpoint, ChatRequest(model=BIG, messages=(Message.user("hi"),)))
    assert target.endpoint.base_url + plan.send.path == ROUTE


def test_a_gateway_may_lie_below_a_path() -> None:
    gateway = attrs.evolve(HOSTED, base_url="https://gate.test/groq/openai/v1")
    plan: Any = backend.list_models(gateway)
    assert plan.send.path == "/models"


def test_headers_of_the_endpoint(httpserver: HTTPServer) -> None:
    httpserver.expect_request(CHATS).respond_with_json(ANSWER)
    endpoint = EndpointConfig(
        base_url=httpserver.url_for(""),
        key=KEY,
        headers={"User-Agent": "mine/1", "X-Gate": "a"},
        options={"model_version": "latest"},
    )
    with Client(endpoints={"groq": endpoint}) as client:
        client.chat(f"groq/{BIG}", "hi")
    headers = httpserver.log[0][0].headers
    assert headers.getlist("User-Agent") == ["mine/1"]
    assert (headers["X-Gate"], headers["Groq-Model-Version"]) == ("a", "latest")


def test_a_user_agent_is_always_there(client: Client, httpserver: HTTPServer) -> None:
    httpserver.expect_request(CHATS).respond_with_json(ANSWER)
    client.chat(f"groq/{BIG}", "hi")
    assert httpserver.log[0][0].headers["User-Agent"].startswith("ipfs-accel/")
    assert "Groq-Model-Version" not in httpserver.log[0][0].headers


def test_limits_and_ids_are_told_with_an_answer(client: Client, httpserver: HTTPServer) -> None:
    told = {
        "x-request-id": "req_01kh", "x-ratelimit-limit-requests": "14400", "x-ratelimit-remaining-requests": "14370", "x-ratelimit-reset-requests": "2m59.56s",
        "x-ratelimit-limit-tokens": "18000", "x-ratelimit-remaining-tokens": "17997", "x-ratelimit-reset-tokens": "120ms",
    }  # fmt: skip
    httpserver.expect_request(CHATS).respond_with_json(ANSWER, headers=told)
    reply = client.chat(f"groq/{BIG}", "hi")
    assert reply.call is not None
    assert reply.call.rate_limits == {
        "requests": RateLimit(limit=14400, remaining=14370, reset=pytest.approx(179.56)),
        "tokens": RateLimit(limit=18000, remaining=17997, reset=pytest.approx(0.12)),
    }
    assert reply.request_id == reply.extra["x_groq"]["id"] == "req_01kh"


def test_costs_and_usage(client: Client, httpserver: HTTPServer) -> None:
    httpserver.expect_ordered_request(CHATS).respond_with_json(ANSWER)
    httpserver.expect_ordered_request(CHATS).respond_with_json({**ANSWER, "service_tier": "performance"})
    httpserver.expect_ordered_request(CHATS).respond_with_json(ANSWER)
    cost = (400 * 0.15 + 600 * 0.075 + 200 * 0.6) / 1e6
    assert client.chat(f"groq/{BIG}", "hi").cost == pytest.approx(cost)
    assert client.chat(f"groq/{BIG}", "hi").cost is None
    assert client.chat("groq/brand/new", "hi").cost is None
    unknown, known = client.usage()
    assert (known.model, known.calls, known.input_tokens, known.cached_input_tokens, known.unpriced) == (
        BIG,
        2,
        2000,
        1200,
        1,
    )
    assert known.cost == pytest.approx(cost)
    assert (unknown.model, unknown.unpriced) == ("brand/new", 1)


@pytest.mark.parametrize(("duration", "charged"), [(3.5, 10.0), (60.0, 60.0)])
def test_what_sound_costs(duration: float, charged: float, client: Client, httpserver: HTTPServer) -> None:
    heard = {"text": " Hello", "duration": duration}
    httpserver.expect_request("/openai/v1/audio/transcriptions").respond_with_json(heard)
    reply = client.transcribe("groq/whisper-large-v3-turbo", WAV, response_format="verbose_json")
    assert reply.cost == pytest.approx(charged * 0.04 / 3600)


def test_what_speech_costs(client: Client, httpserver: HTTPServer) -> None:
    httpserver.expect_request("/openai/v1/audio/speech").respond_with_data(WAV, content_type="audio/wav")
    assert client.speak("groq/canopylabs/orpheus-v1-english", "hello", voice="troy").cost == pytest.approx(5 * 22e-6)
    with client.stream_speak("groq/canopylabs/orpheus-arabic-saudi", "hello", voice="noura") as stream:
        assert b"".join([event.data for event in stream]) == WAV
    assert (stream.response.media_type, stream.response.cost) == ("audio/wav", pytest.approx(5 * 40e-6))


def test_a_sound_elsewhere_is_named_and_not_fetched(client: Client, httpserver: HTTPServer) -> None:
    httpserver.expect_request("/openai/v1/audio/transcriptions").respond_with_json({"text": " Hello"})
    url = httpserver.url_for("/a.wav")
    assert client.transcribe("groq/whisper-large-v3", Audio(url=url)).text == " Hello"
    assert form(httpserver.log[0][0]) == ([("model", "whisper-large-v3"), ("url", url)], [])
    assert len(httpserver.log) == 1


def test_a_transcript_may_be_plain_text(client: Client, httpserver: HTTPServer) -> None:
    httpserver.expect_request("/openai/v1/audio/transcriptions").respond_with_data(" Hello", content_type="text/plain")
    assert client.transcribe("groq/whisper-large-v3", WAV, response_format="text").text == " Hello"


def test_counts_are_estimates_made_offline() -> None:
    pytest.importorskip("bpe_openai", reason="the encodings come with it")
    with Client(load_config(None, {})) as client:
        known = client.count_tokens(f"groq/{SMALL}", "Say hi")
        other = client.count_tokens("groq/brand/new", "a" * 400)
        seen = client.count_tokens("groq/qwen/qwen3.8-27b", Message.user("a", Image(url="https://x.test/a.png")))
        tools = client.count_tokens(f"groq/{SMALL}", "Say hi", tools=[Tool(name="f")])
    # 61 around every chat, 3 and the role for the message, 2 for its words, 3 to begin the answer.
    assert (known.input_tokens, known.exact, known.method) == (61 + 4 + 2 + 3, False, "bpe-openai o200k_base")
    assert (other.input_tokens, other.exact, other.method) == (3 + 3 + 1 + 100, False, "estimate")
    assert seen.input_tokens == 3 + 3 + 1 + 1 + 2048
    with Client(load_config(None, {})) as client:
        text = client.estimate("groq/qwen/qwen3.8-27b", "a").input_tokens
        both = client.estimate("groq/qwen/qwen3.8-27b", [Message.user("a", Image(url="https://x.test/a.png"))])
    assert (both.input_tokens.low - text.low, both.input_tokens.high - text.high) == (2048, 2048)  # type: ignore[operator]
    assert tools.input_tokens > known.input_tokens


@pytest.mark.parametrize("operation", ["complete", "stream_complete", "stream_transcribe", "generate_image", "rerank"])
def test_what_groq_does_not_do(operation: str) -> None:
    value = WAV if operation == "stream_transcribe" else "hi"
    extra = (["a"],) if operation == "rerank" else ()
    with (
        Client(load_config(None, {})) as client,
        pytest.raises(e.UnsupportedOperationError, match="does not implement"),
    ):
        call = getattr(client, operation)("groq/m", value, *extra)
        call.read()


def test_health_and_models(client: Client, httpserver: HTTPServer) -> None:
    item = {"id": BIG, "object": "model", "created": 5, "owned_by": "OpenAI", "active": True, "context_window": 131072, "max_completion_tokens": 65536}  # fmt: skip
    httpserver.expect_request("/openai/v1/models").respond_with_json({"object": "list", "data": [item]})
    httpserver.expect_request("/openai/v1/models/openai/gpt-oss-120b").respond_with_json(item)
    assert client.healthcheck("groq").ok
    (listed,) = client.list_models("groq")
    assert client.show_model(f"groq/{BIG}") == listed
    assert (listed.category, listed.owned_by, listed.created, listed.context_window) == ("chat", "OpenAI", 5, 131_072)
    assert "reasoning" in (listed.description or "")
    assert httpserver.log[-1][0].environ["REQUEST_URI"] == "/openai/v1/models/openai%2Fgpt-oss-120b"


BATCH: dict[str, Any] = {
    "id": "batch_1", "object": "batch", "endpoint": "/v1/chat/completions", "status": "validating", "input_file_id": "file_1", "output_file_id": None, "error_file_id": None,
    "completion_window": "24h", "created_at": 1, "request_counts": {"total": 0, "completed": 0, "failed": 0}, "errors": None, "metadata": None,
}  # fmt: skip
DONE = {**BATCH, "status": "completed", "output_file_id": "file_2", "completed_at": 7, "request_counts": {"total": 2, "completed": 1, "failed": 1}}  # fmt: skip
LINES = [
    {"id": "batch_req_out_1", "custom_id": "b", "response": {"status_code": 200, "request_id": "req_1", "body": ANSWER}, "error": None},
    {"id": "batch_req_out_2", "custom_id": "a", "response": {"status_code": 400, "request_id": "req_2", "body": {"error": {"message": "bad", "type": "invalid_request_error"}}}, "error": None},
]  # fmt: skip


def test_a_batch_from_its_making_to_its_results(client: Client, httpserver: HTTPServer) -> None:
    httpserver.expect_request("/openai/v1/files", method="POST").respond_with_json({"id": "file_1"})
    httpserver.expect_request("/openai/v1/batches", method="POST").respond_with_json(BATCH)
    state = "/openai/v1/batches/batch_1"
    httpserver.expect_oneshot_request(state).respond_with_json({**BATCH, "status": "in_progress"})
    httpserver.expect_request(state).respond_with_json(DONE)
    text = "".join(json.dumps(line) + "\n" for line in LINES)
    httpserver.expect_request("/openai/v1/files/file_2/content").respond_with_data(text)
    batch = client.create_batch(f"groq/{SMALL}", {"a": "hi", "b": "ho"}, max_tokens=5, completion_window="7d")
    assert (batch.status, batch.is_over) == ("validating", False)
    assert json.loads(httpserver.log[1][0].get_data())["completion_window"] == "7d"
    assert not client.get_batch("groq", "batch_1").is_over
    done = client.get_batch("groq", "batch_1")
    assert (done.is_over, done.total, done.succeeded, done.failed, done.ended) == (True, 2, 1, 1, 7)
    with client.batch_results("groq", "batch_1") as stream:
        results = {result.id: result for result in stream}
    assert results["b"].response.text == "yes"
    assert isinstance(results["a"].error, e.BadRequestError)
    assert (stream.response.succeeded, stream.response.failed) == (1, 1)


def test_why_a_batch_failed(client: Client, httpserver: HTTPServer) -> None:
    errors = {"object": "list", "data": [{"code": "invalid_json", "line": 3, "message": "no JSON", "param": None}]}
    httpserver.expect_request("/openai/v1/batches/batch_1").respond_with_json(
        {**BATCH, "status": "failed", "errors": errors}
    )
    assert client.get_batch("groq", "batch_1").errors == ("line 3: no JSON",)


def test_lists_come_whole(client: Client, httpserver: HTTPServer) -> None:
    data = [{**BATCH, "id": name} for name in "abc"]
    httpserver.expect_request("/openai/v1/batches").respond_with_json({"data": data, "has_more": True})
    assert [batch.id for batch in client.list_batches("groq")] == ["a", "b", "c"]
    assert [batch.id for batch in client.list_batches("groq", limit=2)] == ["a", "b"]
    assert len(httpserver.log) == 2


def test_files(client: Client, httpserver: HTTPServer, tmp_path: Any) -> None:
    source = tmp_path / "big.jsonl"
    source.write_bytes(b'{"custom_id": "a"}\n' * 30_000)
    httpserver.expect_request("/openai/v1/files", method="POST").respond_with_json({"id": "file_1", "bytes": 2})
    httpserver.expect_request("/openai/v1/files/file_1/content").respond_with_data(source.read_bytes())
    told: list[tuple[int, int]] = []
    assert client.upload_file("groq", source, on_upload=lambda *step: told.append(step)).id == "file_1"
    assert form(httpserver.log[0][0]) == (
        [("purpose", "batch")],
        [("file", "big.jsonl", "application/jsonl", source.read_bytes())],
    )
    assert told[-1][0] == told[-1][1]
    done = client.download_file("groq", "file_1", tmp_path / "copy")
    assert isinstance(done, Transfer)
    assert (tmp_path / "copy").read_bytes() == source.read_bytes()


@pytest.mark.parametrize("text", ["", "\n"], ids=["nothing", "an empty line"])
def test_what_failed_is_told_where_nothing_was_answered(client: Client, httpserver: HTTPServer, text: str) -> None:
    counts = {"total": 1, "completed": 0, "failed": 1}
    state = {**BATCH, "status": "completed", "output_file_id": "o", "error_file_id": "f", "request_counts": counts}
    line = {"custom_id": "a", "response": None, "error": {"code": "batch_expired", "message": "too late"}}
    httpserver.expect_request("/openai/v1/batches/b").respond_with_json(state)
    httpserver.expect_request("/openai/v1/files/f/content").respond_with_data(json.dumps(line))
    httpserver.expect_request("/openai/v1/files/o/content").respond_with_data(text)
    with client.batch_results("groq", "b") as stream:
        results = list(stream)
    assert [(result.id, result.error.code) for result in results] == [("a", "batch_expired")]
    assert (stream.response.succeeded, stream.response.failed) == (0, 1)


def test_results_that_do_not_come_are_missed(client: Client, httpserver: HTTPServer) -> None:
    counts = {"total": 1, "completed": 1, "failed": 0}
    state = {**BATCH, "status": "completed", "output_file_id": "o", "error_file_id": None, "request_counts": counts}
    httpserver.expect_request("/openai/v1/batches/b").respond_with_json(state)
    httpserver.expect_request("/openai/v1/files/o/content").respond_with_data("")
    with pytest.raises(e.StreamIncomplete, match="0 of 1"):
        client.batch_results("groq", "b").read()
