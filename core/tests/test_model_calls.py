"""Models that a server keeps: what is sent, what comes back while it goes on, and how long it may take."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from ipfs_accel import AsyncClient, Client, Config, EndpointConfig
from ipfs_accel import errors as e
from ipfs_accel._plugins.local import advice, look
from ipfs_accel._url import is_here
from ipfs_accel._worlds.perform import perform
from ipfs_accel.hookspecs import LocalServer
from ipfs_accel.types import Message, ModelResult, Progress, RunningModel, Timeout, Upload
from pytest_httpserver import HTTPServer

from conftest import sent

from .acme import Acme
from .depot import HOSTED, Depot

LINES = (
    '{"status": "fetching", "item": "a", "completed": 1, "total": 2}\n'
    '{"status": "fetching", "item": "a", "completed": 2, "total": 2}\n{"status": "success"}\n'
)
EVENTS = [Progress(status="fetching", item="a", completed=count, total=2) for count in (1, 2)]
DONE = ModelResult(model="m", status="success")


@pytest.fixture
def deaf_port() -> Iterator[int]:
    """A port on which nobody listens, nor can."""
    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))
        yield held.getsockname()[1]


@pytest.fixture
def endpoint(httpserver: HTTPServer) -> dict[str, EndpointConfig]:
    return {"depot": EndpointConfig(base_url=httpserver.url_for("").rstrip("/"))}


@pytest.fixture
def client(endpoint: dict[str, EndpointConfig]) -> Any:
    with Client(Config(), endpoints=endpoint, plugins=[Depot()]) as client:
        yield client


@pytest.mark.parametrize("name", ["pull", "push"])
def test_a_transfer_tells_how_far_it_is(name: str, client: Client, httpserver: HTTPServer) -> None:
    httpserver.expect_request(f"/{name}").respond_with_data(LINES)
    with getattr(client, f"stream_{name}_model")("depot/m") as stream:
        assert list(stream) == [*EVENTS, Progress(status="success")]
    assert stream.response == DONE
    assert getattr(client, f"{name}_model")("depot/m", extra={"insecure": True}) == DONE
    assert sent(httpserver) == {"model": "m", "insecure": True}


def test_a_transfer_that_breaks_off_is_no_success(client: Client, httpserver: HTTPServer) -> None:
    httpserver.expect_request("/pull").respond_with_data(LINES.splitlines()[0])
    with pytest.raises(e.StreamIncomplete):
        client.pull_model("depot/m")


def test_a_model_is_made(client: Client, httpserver: HTTPServer, tmp_path: Path) -> None:
    weights = tmp_path / "w.gguf"
    weights.write_bytes(b"GGUF")
    httpserver.expect_request("/create").respond_with_data(LINES)
    client.create_model(
        "depot/new",
        base="m",
        files=[weights, Upload.of(b"x", name="other.gguf")],
        adapters=weights,
        template="{{ .Prompt }}",
        system="s",
        messages=["a", Message.assistant("b")],
        parameters={"num_ctx": 9},
        license="free",
        quantize="q8_0",
        extra={"renderer": "r"},
    )
    assert sent(httpserver) == {
        "model": "new",
        "base": "m",
        "files": ["w.gguf", "other.gguf"],
        "adapters": ["w.gguf"],
        "template": "{{ .Prompt }}",
        "system": "s",
        "messages": ["a", "b"],
        "parameters": {"num_ctx": 9},
        "license": ["free"],
        "quantize": "q8_0",
        "extra": {"renderer": "r"},
    }


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({}, "there is nothing to begin with"),
        ({"base": ""}, "there is nothing to begin with"),
        ({"base": 1}, "base: expected str"),
        ({"base": "m", "parameters": "x"}, "parameters: expected Mapping"),
        ({"base": "m", "license": [1]}, r"license\[0\]: expected a string"),
        ({"files": ["none.gguf"]}, r"files\[0\]: cannot read none.gguf"),
        ({"files": [b"a", b"b"]}, "two of them are named 'file'"),
        ({"base": "m", "quantise": "q8_0"}, "quantise: unknown option"),
    ],
)
def test_what_cannot_be_made_is_told_before_anything_is_sent(
    options: dict[str, Any], message: str, client: Client, httpserver: HTTPServer
) -> None:
    with pytest.raises(e.InvalidRequestError, match=message):
        client.stream_create_model("depot/new", **options).read()
    assert httpserver.log == []


def test_models_are_copied_deleted_loaded_and_unloaded(client: Client, httpserver: HTTPServer) -> None:
    for path in ("/copy", "/models", "/load", "/unload"):
        httpserver.expect_request(path).respond_with_data("")
    assert client.copy_model("depot/a/b", "c") is None
    assert sent(httpserver) == ["a/b", "c"]
    assert client.delete_model("depot/a") is None
    assert (httpserver.log[-1][0].method, sent(httpserver)) == ("DELETE", "a")
    client.load_model("depot/a", extra={"keep_alive": 5})
    assert sent(httpserver) == {"model": "a", "keep_alive": 5}
    client.unload_model("depot/a", timeout=5)
    assert sent(httpserver) == {"model": "a"}


def test_running_models(client: Client, httpserver: HTTPServer) -> None:
    httpserver.expect_request("/running").respond_with_json([{"id": "a", "size": 10, "gpu_size": 5}])
    assert client.running_models("depot") == (RunningModel(id="a", size=10, gpu_size=5),)


@pytest.mark.parametrize("name", ["pull_model", "push_model", "delete_model", "load_model", "unload_model"])
def test_a_model_has_to_be_named(name: str, client: Client) -> None:
    with pytest.raises(e.InvalidRequestError, match="model: none is named"):
        getattr(client, name)("depot/")
    with pytest.raises(e.InvalidRequestError, match="to: none is named"):
        client.copy_model("depot/a", " ")


def test_a_backend_without_models_of_its_own_says_so() -> None:
    with Client(Config(), plugins=[Acme("http://127.0.0.1:9")]) as client:
        with pytest.raises(e.UnsupportedOperationError, match="does not implement 'pull_model'"):
            client.pull_model("acme/m")
        assert client.supports("acme", "pull_model").value == "no"


def test_an_unknown_model_can_be_pulled(client: Client, httpserver: HTTPServer) -> None:
    for path in ("/load", "/pull"):
        httpserver.expect_request(path).respond_with_data("gone", status=404)
    with pytest.raises(e.ModelNotFoundError) as caught:
        client.load_model("depot/a:b")
    assert caught.value.hint == "get it with: ipfs-accel pull depot/a:b"
    with pytest.raises(e.ModelNotFoundError) as caught:
        client.pull_model("depot/a:b")
    assert caught.value.hint is None


@pytest.mark.anyio
@pytest.mark.parametrize("anyio_backend", ["asyncio", "trio"])
async def test_the_same_awaited(endpoint: dict[str, EndpointConfig], httpserver: HTTPServer) -> None:
    for path in ("/pull", "/push", "/create"):
        httpserver.expect_request(path).respond_with_data(LINES)
    for path in ("/copy", "/models", "/load", "/unload"):
        httpserver.expect_request(path).respond_with_data("")
    httpserver.expect_request("/running").respond_with_json([{"id": "a"}])
    async with AsyncClient(Config(), endpoints=endpoint, plugins=[Depot()]) as client:
        async with client.stream_pull_model("depot/m") as stream:
            assert [event async for event in stream][:2] == EVENTS
        assert await client.pull_model("depot/m") == DONE
        assert await client.push_model("depot/m") == DONE
        assert (await client.create_model("depot/n", base="m")).model == "n"
        await client.copy_model("depot/a", "b")
        await client.delete_model("depot/a")
        await client.load_model("depot/a")
        await client.unload_model("depot/a")
        assert [model.id for model in await client.running_models("depot")] == ["a"]


def limits(operation: str, given: float | None = None, **config: Any) -> Timeout:
    with Client(Config(), endpoints={"depot": EndpointConfig(**config)}, plugins=[Depot()]) as client:
        target = perform(client._core.target("depot"), client._world)
        return client._core.call(operation, target, timeout=given).timeout


def test_what_takes_hours_has_no_limit_unless_one_is_set() -> None:
    assert limits("load_model") == Timeout(first_event=300.0, total=1200.0)
    assert limits("load_model", timeout=7) == Timeout(first_event=300.0, total=7.0)
    assert limits("pull_model") == Timeout(first_event=300.0, total=None)
    assert limits("pull_model", timeout=7).total == 7.0
    assert limits("pull_model", 5.0).total == 5.0
    assert limits("pull_model", timeout=Timeout(idle=1.0)) == Timeout(idle=1.0)


def target_of(environ: dict[str, str], **config: Any) -> Any:
    endpoints = {"depot": EndpointConfig(**config)} if config else None
    with Client(Config(environ=environ), endpoints=endpoints, plugins=[Depot()]) as client:
        return perform(client._core.target("depot"), client._world)


def test_a_plugin_may_read_other_forms_of_a_base_url() -> None:
    target = target_of({"DEPOT_HOST": "gpu1"})
    assert (target.endpoint.base_url, target.origin) == ("http://gpu1:4000", "http://gpu1:4000")
    assert target_of({}, base_url="gpu2").endpoint.base_url == "http://gpu2:4000"


def test_a_key_for_a_hosted_service_goes_nowhere_else() -> None:
    environ = {"DEPOT_KEY": "sk-hosted"}
    for target in (target_of(environ), target_of(environ | {"DEPOT_HOST": "gpu1"})):
        assert target.key_headers(target.origin) == ()
    hosted = target_of(environ, base_url=HOSTED)
    assert hosted.key_headers(hosted.origin) == (("authorization", "Bearer sk-hosted"),)
    without = target_of({}, base_url=HOSTED)
    with pytest.raises(e.MissingKeyError) as caught:
        without.key_headers(without.origin)
    assert "DEPOT_KEY" in str(caught.value.hint)


def test_a_local_server_that_is_absent_says_how_it_is_started(deaf_port: int) -> None:
    url = f"http://127.0.0.1:{deaf_port}"
    with Client(Config(), endpoints={"depot": EndpointConfig(base_url=url)}, plugins=[Depot()]) as client:
        with pytest.raises(e.APIConnectionError) as caught:
            client.load_model("depot/m")
        assert caught.value.hint == "start it: depotd serve, or install it from https://depot.example/get"
        assert "depotd serve" in str(client.healthcheck("depot").detail)


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("http://127.0.0.1:1", True),
        ("http://127.8.8.8", True),
        ("http://[::1]:1", True),
        ("http://localhost", True),
        ("http://a.localhost", True),
        ("http://localhost.:8000", True),
        ("http://a.localhost.", True),
        ("http://127.0.0.1.", True),
        ("http://[::ffff:127.0.0.1]:1", True),
        ("http://[::ffff:7f00:1]", True),
        ("http://[0:0:0:0:0:0:0:1]", True),
        ("http://[::ffff:10.0.0.1]", False),
        ("http://[::2]", False),
        ("http://localhost.example", False),
        ("http://gpu1:1", False),
        ("http://127.evil.example", False),
        ("", False),
    ],
)
def test_which_servers_are_here(url: str, expected: bool) -> None:
    assert is_here(url) is expected


def test_a_server_is_looked_for_without_a_word(deaf_port: int) -> None:
    local = LocalServer(program="no-such-program", start="run it", install="https://x.example", otherwise="or else")
    found = look(local, f"http://127.0.0.1:{deaf_port}")
    assert (found.listens, found.program, found.advice) == (
        False,
        None,
        "install it from https://x.example, or or else",
    )
    assert advice(local, is_installed=True) == "start it: run it, or or else"
    with socket.create_server(("127.0.0.1", 0)) as server:
        found = look(local, f"http://127.0.0.1:{server.getsockname()[1]}")
        assert (found.listens, found.advice) == (True, None)
