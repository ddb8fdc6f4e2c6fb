"""Addresses that are none, or have a password in them: errors of their endpoint alone, which show nothing."""

from __future__ import annotations

import pickle
import traceback
from typing import Any

import anyio
import pytest
from ipfs_accel import AsyncClient, BackendInfo, Client, Config, EndpointConfig, hookimpl
from ipfs_accel.errors import ConfigError
from ipfs_accel.plans import Http, HttpResponse, get
from ipfs_accel.types import Health, ModelInfo
from pytest_httpserver import HTTPServer

PASSWORD = "s3cr%40t"

NONE = [
    "http://[bad",
    "http://[::1",
    "http://a:b:c",
    "http://x:99999",
    "http://x:0",
    "http://",
    "http:///v1",
    "ftp://x",
    "x:8080",
    "/v1",
    "http://a b",
    "http://a\tb",
    "http://a\\b",
]
WITH_PASSWORDS = [
    f"http://admin:{PASSWORD}@127.0.0.1:9",
    f"http://admin:{PASSWORD}@[bad",
    f"http://admin:{PASSWORD}/x@127.0.0.1",
    f"http://admin:{PASSWORD}@x:99999/v1",
    f"admin:{PASSWORD}@127.0.0.1:9",
    f"http://{PASSWORD}@127.0.0.1",
]


class Acme:
    """Asks its own place, or the one that a model's id names."""

    api_version = 1

    @hookimpl
    def describe(self) -> BackendInfo:
        return BackendInfo(
            name="acme", base_url_env=("ACME_URL",), base_url="https://api.acme.test", key_env=("ACME_KEY",)
        )

    @hookimpl
    def healthcheck(self, endpoint: Any) -> Any:
        return Http(send=get("/health"), parse=lambda _: Health(status="ok"))

    @hookimpl
    def list_models(self, endpoint: Any) -> Any:
        return Http(send=get("/models"), parse=lambda response: tuple([ModelInfo(id=each) for each in response.json()]))

    @hookimpl
    def calls(self) -> Any:
        def elsewhere(endpoint: Any, *, url: str) -> Any:
            return Http(send=get("/models", base_url=url), parse=HttpResponse.json)

        return {"elsewhere": elsewhere}


def settings(httpserver: HTTPServer, bad: str) -> dict[str, Any]:
    httpserver.expect_request("/health").respond_with_json({})
    httpserver.expect_request("/models").respond_with_json(["m"])
    good = EndpointConfig(backend="acme", base_url=httpserver.url_for("").rstrip("/"))
    endpoints = {"bad": EndpointConfig(backend="acme", base_url=bad), "good": good}
    return {"config": Config(environ={"ACME_URL": bad, "ACME_KEY": "k"}), "endpoints": endpoints, "plugins": [Acme()]}


def everything(error: BaseException) -> str:
    return "".join([*traceback.format_exception(error), repr(error), str(vars(error)), repr(pickle.dumps(error))])


@pytest.mark.parametrize("bad", [*NONE, *WITH_PASSWORDS])
def test_an_address_that_is_none_is_a_fault_of_its_endpoint_alone(bad: str, httpserver: HTTPServer) -> None:
    names = ["acme", "bad", "good"]
    with Client(**settings(httpserver, bad)) as client:
        for name in ("bad", "acme"):  # by its setting, and by the variable
            for call in (client.list_models, client.capabilities):
                with pytest.raises(ConfigError, match=rf"endpoint '{name}': base_url \(from .*\)") as caught:
                    call(name)
                assert caught.value.hint
                assert PASSWORD not in everything(caught.value)
        assert [client.healthcheck(name).status for name in names] == ["misconfigured", "misconfigured", "ok"]
        assert {name: each.status for name, each in client.healthcheck_all().items() if name in names} == dict(
            zip(names, ["misconfigured", "misconfigured", "ok"], strict=True)
        )
        found = client.find(endpoints=names)
        assert [match.name for match in found] == ["good/m"]
        assert set(found.skipped) == {"acme", "bad"}
        assert PASSWORD not in repr(found)
        assert [model.id for model in client.list_models("good")] == ["m"]
        assert client.capabilities("good").backend == "acme"


@pytest.mark.parametrize("library", ["asyncio", "trio"])
def test_the_same_awaited(library: str, httpserver: HTTPServer) -> None:
    async def run() -> None:
        async with AsyncClient(**settings(httpserver, WITH_PASSWORDS[0])) as client:
            with pytest.raises(ConfigError, match="credentials do not belong") as caught:
                await client.list_models("bad")
            assert PASSWORD not in everything(caught.value)
            assert [match.name for match in await client.find(endpoints=["acme", "bad", "good"])] == ["good/m"]
            assert (await client.healthcheck("good")).ok

    anyio.run(run, backend=library)


@pytest.mark.parametrize("bad", WITH_PASSWORDS)
def test_whose_password_stands_in_an_address_is_told_where_it_goes(bad: str, httpserver: HTTPServer) -> None:
    with (
        Client(**settings(httpserver, bad)) as client,
        pytest.raises(ConfigError, match="credentials do not") as caught,
    ):
        client.list_models("bad")
    assert "Authorization" in (caught.value.hint or "")
    assert PASSWORD not in repr(EndpointConfig(base_url=bad))


def test_what_lacks_a_scheme_is_shown_with_one(httpserver: HTTPServer) -> None:
    with Client(**settings(httpserver, "gpu1:8080/v1")) as client, pytest.raises(ConfigError) as caught:
        client.list_models("bad")
    assert caught.value.hint == "write http://gpu1:8080/v1"


@pytest.mark.parametrize("bad", ["http://[bad", *WITH_PASSWORDS])
def test_a_place_of_a_plugins_own_is_held_to_the_same(bad: str, httpserver: HTTPServer) -> None:
    with (
        Client(**settings(httpserver, "http://x")) as client,
        pytest.raises(ConfigError, match="'good': where") as caught,
    ):
        client.call("good", "elsewhere", url=bad)
    assert PASSWORD not in everything(caught.value)


def test_a_variable_that_is_no_address_moves_no_key(httpserver: HTTPServer) -> None:
    url = httpserver.url_for("").rstrip("/")
    made = settings(httpserver, "http://[bad")
    made["endpoints"]["acme"] = EndpointConfig(base_url=url)
    with Client(**made) as client, pytest.raises(ConfigError, match=r"belongs to https://api\.acme\.test"):
        client.list_models("acme")
