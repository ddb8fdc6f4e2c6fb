"""Against Infinity's own server with its debug engine, which has vectors of 13 numbers and no model behind them."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from ipfs_accel import AsyncClient, Client, Config, EndpointConfig
from ipfs_accel import errors as e

from conftest import free_port, peer_python, started

pytestmark = pytest.mark.peer

MODEL = "debug/toy"
SIZE = 13


@pytest.fixture(scope="module", params=["", "/v1"])
def endpoints(request: pytest.FixtureRequest) -> Iterator[dict[str, EndpointConfig]]:
    """The same server by two backends: its routes stand at the root, unless a prefix is asked for."""
    program = peer_python("infinity-0.0.78", "infinity-emb[server]==0.0.78").parent / "infinity_emb"
    port = free_port()
    settings = {"INFINITY_ANONYMOUS_USAGE_STATS": "0", "DO_NOT_TRACK": "1", "HF_HUB_OFFLINE": "1"}
    command = ["env", *[f"{name}={value}" for name, value in settings.items()], str(program), "v2"]
    command += ["--engine", "debugengine", "--model-id", MODEL, "--host", "127.0.0.1", "--port", str(port)]
    command += ["--url-prefix", request.param] if request.param else []
    root = f"http://127.0.0.1:{port}"
    with started(command, f"{root}{request.param}/models"):
        yield {
            "openai": EndpointConfig(backend="openai", base_url=f"{root}{request.param}", key="none"),
            "llvm": EndpointConfig(backend="llvm", base_url=root, options={"server": "other"}),
        }


@pytest.fixture
def client(endpoints: dict[str, EndpointConfig]) -> Iterator[Client]:
    with Client(Config(environ={}), endpoints=endpoints) as client:
        yield client


def has_prefix(endpoints: dict[str, EndpointConfig]) -> bool:
    return (endpoints["openai"].base_url or "").endswith("/v1")


def test_models_health_and_vectors(client: Client) -> None:
    assert client.healthcheck("openai").status == "ok"
    assert [model.id for model in client.list_models("openai")] == [MODEL]
    assert client.show_model(f"openai/{MODEL}").id == MODEL
    answer = client.embed(f"openai/{MODEL}", ["a", "bc", ""])
    assert [len(vector) for vector in answer.vectors] == [SIZE] * 3
    assert (answer.vectors[0][0], answer.vectors[1][0], answer.usage.input_tokens) == (1.0, 2.0, 3)


def test_what_it_does_not_take_is_told(client: Client) -> None:
    assert len(client.embed(f"openai/{MODEL}", "a", dimensions=4).vectors[0]) == 4
    with pytest.raises(e.BadRequestError):
        client.embed(f"openai/{MODEL}", "a", dimensions=SIZE + 1)
    with pytest.raises(e.APIStatusError):
        client.embed(f"openai/{MODEL}", [[1, 2]])


def test_routes_below_v1_are_there_only_with_the_prefix(client: Client, endpoints: dict[str, EndpointConfig]) -> None:
    if has_prefix(endpoints):
        assert len(client.embed(f"llvm/{MODEL}", "abc").vectors[0]) == SIZE
        # The body, in Cohere's form, is read and found right; the debug engine has no reranker.
        with pytest.raises(e.BadRequestError, match="does not support `rerank`"):
            client.rerank(f"llvm/{MODEL}", "q", ["a", "b"], top_n=1)
    else:
        for call in (lambda: client.embed(f"llvm/{MODEL}", "abc"), lambda: client.rerank(f"llvm/{MODEL}", "q", ["a"])):
            with pytest.raises(e.NotFoundError):
                call()


@pytest.mark.anyio
async def test_the_same_awaited(endpoints: dict[str, EndpointConfig]) -> None:
    async with AsyncClient(Config(environ={}), endpoints=endpoints) as client:
        assert [model.id for model in await client.list_models("openai")] == [MODEL]
        assert len((await client.embed(f"openai/{MODEL}", "a")).vectors[0]) == SIZE
