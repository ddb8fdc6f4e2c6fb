"""The backend against services that run on OPEA's own framework; both worlds."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import anyio
import pytest
from ipfs_accel import AsyncClient, Client, Config, EndpointConfig, Message
from ipfs_accel import errors as e

from conftest import free_port, peer_python, started

pytestmark = pytest.mark.peer

SERVER = Path(__file__).parent / "opea_server.py"


@pytest.fixture(scope="module")
def services() -> Iterator[dict[str, str]]:
    python = str(peer_python("opea-1.5", "opea-comps==1.5"))
    ports = {name: free_port() for name in ("llm", "embeddings", "broken", "chatqna", "codegen", "dead-end")}
    with ExitStack() as stack:
        for name, kind, *rest in (
            ("llm", "llm"),
            ("embeddings", "embedding"),
            ("broken", "broken"),
            ("chatqna", "chatqna", "llm"),
            ("codegen", "codegen", "llm"),
            ("dead-end", "chatqna", "broken"),
        ):
            more = [str(ports[each]) for each in rest]
            command = [python, str(SERVER), kind, str(ports[name]), *more]
            stack.enter_context(started(command, f"http://127.0.0.1:{ports[name]}/v1/health_check"))
        yield {name: f"http://127.0.0.1:{port}" for name, port in ports.items()}


@pytest.fixture
def endpoints(services: dict[str, str]) -> dict[str, EndpointConfig]:
    named = {name: EndpointConfig(backend="opea", base_url=url) for name, url in services.items()}
    others = {name: services[name] for name in ("chatqna", "codegen", "embeddings")}
    return {
        **named,
        "all": EndpointConfig(backend="opea", base_url=services["llm"] + "/v1", options={"services": others}),
    }


@pytest.fixture
def client(endpoints: dict[str, EndpointConfig]) -> Iterator[Client]:
    with Client(Config(), endpoints=endpoints) as client:
        yield client


SAID = [Message.system("Be brief."), Message.user("Ça va?")]
HEARD = 'Écho "it\'s" system: Be brief. | user: Ça va?'

CHATS: list[tuple[str, Any, str]] = [
    ("llm/", SAID, HEARD),
    ("llm/some-model", SAID, HEARD),
    ("all/llm", SAID, HEARD),
    ("chatqna/", "Ça va?", 'Écho "it\'s" Ça va?'),
    ("all/chatqna", SAID, 'Écho "it\'s" Be brief.\nuser: Ça va?\n'),
    ("all/codegen", "def f", 'Écho "it\'s" def f'),
]


@pytest.mark.parametrize(("model", "messages", "text"), CHATS)
def test_chats(model: str, messages: Any, text: str, client: Client, endpoints: dict[str, EndpointConfig]) -> None:
    whole = client.chat(model, messages)
    with client.stream(model, messages) as stream:
        streamed = "".join(stream.text_stream)
    assert whole.text.strip() == streamed.strip() == text.strip()
    assert stream.response.finish_reason == whole.finish_reason == "stop"

    async def run() -> tuple[str, str]:
        async with AsyncClient(Config(), endpoints=endpoints) as other:
            reply = await other.chat(model, messages)
            async with other.stream(model, messages) as pieces:
                return reply.text, (await pieces.read()).text

    assert [each.strip() for each in anyio.run(run)] == [text.strip()] * 2


def test_only_the_microservice_counts(client: Client) -> None:
    assert client.chat("llm/", SAID).usage.output_tokens == 5
    assert client.chat("chatqna/", "a").usage.output_tokens is None


def test_completions(client: Client) -> None:
    assert (
        client.complete("llm/", "Once").text
        == client.stream_complete("llm/", "Once").read().text
        == 'Écho "it\'s" Once'
    )


def test_embeddings(client: Client) -> None:
    answer = client.embed("all/", ["ab", "c"])
    assert [list(vector) for vector in answer.vectors] == [[2.0, 0.5], [1.0, 0.5]]
    assert answer.usage.input_tokens == 2


def test_what_is_there_and_how_it_is(client: Client) -> None:
    models = {model.id: model for model in client.list_models("all")}
    assert set(models) == {"llm", "chatqna", "codegen", "embeddings"}
    assert models["chatqna"].features["chat"].value == "yes"
    assert models["embeddings"].features["chat"].value == "no"
    health = client.healthcheck("all")
    assert (health.status, health.detail) == ("ok", "4 service(s) run")
    assert "ChatQnAService 1.5" in str(health.server)
    assert "opea_service@llm" in client.call("all", "statistics")
    assert "http_requests_total" in next(iter(client.call("llm", "metrics").values()))


def test_a_service_that_is_down_is_told(client: Client, services: dict[str, str]) -> None:
    gone = {"options": {"services": {"embeddings": "http://127.0.0.1:9"}}}
    with Client(Config(), endpoints={"x": EndpointConfig(backend="opea", base_url=services["llm"], **gone)}) as other:
        health = other.healthcheck("x")
    assert health.status == "unhealthy"
    assert str(health.detail).startswith("embeddings: ")


def test_failures_show_as_failures(client: Client) -> None:
    for model in ("broken/", "dead-end/"):
        with pytest.raises(e.InternalServerError, match="does not say why"):
            client.chat(model, "a")
    with pytest.raises(e.InternalServerError, match="a service behind this one has failed"):
        client.stream("dead-end/", "a").read()
    with pytest.raises(e.NotFoundError, match="does not know this path"):
        client.embed("llm/", "a")
    with pytest.raises(e.UnprocessableEntityError):
        client.chat("llm/", "a", extra={"messages": None})
