from __future__ import annotations

import pickle
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Any

import attrs
import pytest
from ipfs_accel import BackendInfo, Client, EndpointConfig, KeyHeader, Secret, hookimpl, load_config
from ipfs_accel._config.keys import KeyFile
from ipfs_accel._config.secrets import reveal
from ipfs_accel._endpoints.resolve import resolve
from ipfs_accel._endpoints.target import Target
from ipfs_accel._url import origin_of
from ipfs_accel.errors import ConfigError, MissingKeyError
from ipfs_accel.plans import Ready
from ipfs_accel.types import Health, Timeout


@attrs.frozen(kw_only=True)
class Options:
    region: str = "eu"
    retries: int = 2
    tags: dict[str, str] = attrs.field(factory=dict)


class Acme:
    api_version = 1

    @hookimpl
    def describe(self) -> BackendInfo:
        return BackendInfo(
            name="acme",
            base_url="https://api.acme.test/v1",
            base_url_env=("ACME_BASE_URL",),
            key_env=("ACME_API_KEY",),
            needs_key=True,
            options=Options,
            options_env={"region": "ACME_REGION"},
            headers=lambda options: {"X-Region": options.region},
        )

    @hookimpl
    def healthcheck(self, endpoint: Any) -> Any:
        return Ready(value=Health(status="ok"))


class Homeless(Acme):
    """Of a provider whose every customer has another place."""

    @hookimpl
    def describe(self) -> BackendInfo:
        return attrs.evolve(super().describe(), base_url="")


class Tokened(Acme):
    @hookimpl
    def describe(self) -> BackendInfo:
        info = attrs.evolve(super().describe(), key_header=KeyHeader(name="api-key", prefix=""))
        return attrs.evolve(info, key_env=("ACME_API_KEY", "ACME_TOKEN"), token_env=("ACME_TOKEN",))


class ByRegion(Acme):
    @hookimpl
    def describe(self) -> BackendInfo:
        by_region = lambda options: KeyHeader(name=f"x-{options.region}-key", prefix="")
        return attrs.evolve(super().describe(), key_header=by_region)


def target(
    name: str = "acme",
    *,
    file: str = "",
    environ: dict[str, str] | None = None,
    tmp_path: Path,
    plugin: Acme | None = None,
    **code: EndpointConfig,
) -> Target:
    path = tmp_path / "config.toml"
    path.write_text(file)
    config = load_config(path, environ or {})
    with Client(config, endpoints=code, plugins=[plugin or Acme()]) as client:
        core = client._core
        return resolve(name, core.registry.load("acme"), core.config, KeyFile(tmp_path / "keys.json"))


KEYED = {"ACME_API_KEY": "sk-env"}


def key_of(found: Target) -> str | None:
    headers = dict(found.key_headers(found.origin))
    return headers.get("authorization")


def test_defaults(tmp_path: Path) -> None:
    found = target(environ=KEYED, tmp_path=tmp_path)
    assert found.endpoint.base_url == "https://api.acme.test/v1"
    assert found.endpoint.options == Options()
    assert found.headers == (("X-Region", "eu"),)
    assert found.timeout == Timeout()
    assert key_of(found) == "Bearer sk-env"
    assert found.sources["base_url"] == ("https://api.acme.test/v1", "default")
    assert found.sources["key"] == ("set", "ACME_API_KEY")


def test_code_wins_over_environment_over_file_over_default(tmp_path: Path) -> None:
    file = '[endpoints.acme]\nbase_url = "https://file.test"\nkey_env = "FILE_KEY"\ntimeout = 3\n'
    environ = {"FILE_KEY": "sk-file"}
    in_file = target(file=file, environ=environ, tmp_path=tmp_path)
    assert in_file.endpoint.base_url == "https://file.test"
    assert in_file.sources["base_url"][1].endswith("config.toml:2")
    assert in_file.timeout.total == 3
    in_environment = target(file=file, environ={**environ, "ACME_BASE_URL": "https://env.test"}, tmp_path=tmp_path)
    assert in_environment.sources["base_url"] == ("https://env.test", "ACME_BASE_URL")
    code = EndpointConfig(base_url="https://code.test", timeout=1.5)
    in_code = target(file=file, environ={**environ, "ACME_BASE_URL": "https://env.test"}, tmp_path=tmp_path, acme=code)
    assert in_code.sources["base_url"] == ("https://code.test", "code")
    assert in_code.timeout.total == 1.5
    assert key_of(in_code) == "Bearer sk-file"


def test_several_endpoints_of_one_backend(tmp_path: Path) -> None:
    file = """
        [endpoints.east]
        backend = "acme"
        base_url = "http://east.test:8000/"
        key_env = "EAST"
        [endpoints.east.options]
        region = "us-east"
        tags = { team = "a" }
        [endpoints.west]
        backend = "acme"
        base_url = "http://west.test:8000"
        key_env = ""
    """
    east = target("east", file=file, environ={"EAST": "sk-east", **KEYED}, tmp_path=tmp_path)
    west = target("west", file=file, environ={"EAST": "sk-east", **KEYED}, tmp_path=tmp_path)
    assert east.endpoint.base_url == "http://east.test:8000"
    assert east.endpoint.options == Options(region="us-east", tags={"team": "a"})
    assert (key_of(east), key_of(west)) == ("Bearer sk-east", None)


def test_options_come_from_the_environment_too(tmp_path: Path) -> None:
    found = target(environ={**KEYED, "ACME_REGION": "ap"}, tmp_path=tmp_path)
    assert found.endpoint.options.region == "ap"
    code = EndpointConfig(options={"region": "code"})
    assert (
        target(environ={**KEYED, "ACME_REGION": "ap"}, tmp_path=tmp_path, acme=code).endpoint.options.region == "code"
    )


def test_a_key_is_bound_to_its_origin(tmp_path: Path) -> None:
    code = EndpointConfig(base_url="https://evil.test/v1")
    with pytest.raises(
        ConfigError, match=r"points to https://evil\.test, but the key in ACME_API_KEY belongs to"
    ) as caught:
        target(environ=KEYED, tmp_path=tmp_path, acme=code)
    assert "key_env" in (caught.value.hint or "")
    assert "sk-env" not in str(caught.value)
    # The variable that moves the provider's usual place moves its usual key with it.
    moved = target(environ={**KEYED, "ACME_BASE_URL": "http://127.0.0.1:1/v1"}, tmp_path=tmp_path)
    assert key_of(moved) == "Bearer sk-env"
    # A request to another origin never gets the key.
    assert moved.key_headers("http://127.0.0.1:2") == ()


def test_a_stored_key_is_bound_to_the_origin_that_it_was_stored_for(tmp_path: Path) -> None:
    KeyFile(tmp_path / "keys.json").set("acme", Secret("sk-stored"), "https://api.acme.test")
    assert key_of(target(tmp_path=tmp_path)) == "Bearer sk-stored"
    with pytest.raises(ConfigError, match=r"belongs to https://api\.acme\.test"):
        target(tmp_path=tmp_path, acme=EndpointConfig(base_url="https://other.test"))


def test_the_usual_key_does_not_stand_in_the_way_of_another_endpoints_own(tmp_path: Path) -> None:
    lab = EndpointConfig(backend="acme", base_url="http://lab.test")
    assert key_of(target("lab", environ=KEYED, tmp_path=tmp_path, lab=lab)) is None
    KeyFile(tmp_path / "keys.json").set("lab", Secret("sk-lab"), "http://lab.test")
    assert key_of(target("lab", environ=KEYED, tmp_path=tmp_path, lab=lab)) == "Bearer sk-lab"
    twin = EndpointConfig(backend="acme")
    assert key_of(target("twin", environ=KEYED, tmp_path=tmp_path, twin=twin)) == "Bearer sk-env"


def test_a_missing_key_is_told_with_the_way_out_when_it_is_needed(tmp_path: Path) -> None:
    found = target(tmp_path=tmp_path)
    with pytest.raises(MissingKeyError, match="'acme' needs a key") as caught:
        found.key_headers(found.origin)
    assert caught.value.hint == "set the environment variable ACME_API_KEY, or run: ipfs-accel keys set acme"
    elsewhere = target(tmp_path=tmp_path, acme=EndpointConfig(base_url="http://localhost:1"))
    assert elsewhere.key_headers(elsewhere.origin) == ()


def test_how_a_key_is_sent_may_be_a_setting(tmp_path: Path) -> None:
    us = EndpointConfig(options={"region": "us"})
    found = target(environ=KEYED, tmp_path=tmp_path, plugin=ByRegion(), acme=us)
    assert found.key_headers(found.origin) == (("x-us-key", "sk-env"),)
    assert found.key_headers("https://elsewhere.test") == ()


def test_a_key_can_be_a_function(tmp_path: Path) -> None:
    keys = iter(["one", "two"])
    found = target(tmp_path=tmp_path, acme=EndpointConfig(key=lambda: next(keys)))
    assert [key_of(found), key_of(found)] == ["Bearer one", "Bearer two"]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"regio": "x"}, "options: regio: unknown setting"),
        ({"retries": "many"}, "options: retries"),
        ({"tags": 3}, "tags"),
    ],
)
def test_bad_options_are_named(options: dict[str, Any], message: str, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=message):
        target(environ=KEYED, tmp_path=tmp_path, acme=EndpointConfig(options=options))


@pytest.mark.parametrize(
    "url",
    ["ftp://x", "acme.test", "https://", "https://user:pw@x", "https://x?key=1", "http://x:99999", "http://x/\n"],
)
def test_bad_base_urls_are_refused(url: str, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="base_url"):
        target(tmp_path=tmp_path, acme=EndpointConfig(base_url=url, key=""))


def test_bad_headers_are_refused_without_showing_the_value(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="'X-A'") as caught:
        target(tmp_path=tmp_path, acme=EndpointConfig(headers={"X-A": "secret\r\nX-B: 1"}, key=""))
    assert "secret" not in str(caught.value)


def test_several_keys_come_from_several_variables(tmp_path: Path) -> None:
    several = EndpointConfig(key_env=["KEY_A", "KEY_B"], key_policy="least_loaded")
    found = target(environ={"KEY_A": "sk-a", "KEY_B": "sk-b"}, tmp_path=tmp_path, acme=several)
    assert found.guard.pool is not None
    assert [key.id for key in found.guard.pool.states()] == ["key-1", "key-2"]
    assert found.sources["key"] == ("set", "KEY_A, KEY_B")
    with pytest.raises(ConfigError, match="KEY_B, which is not set"):
        target(environ={"KEY_A": "sk-a"}, tmp_path=tmp_path, acme=several)
    with pytest.raises(MissingKeyError, match="needs a key") as caught:
        target(environ={}, tmp_path=tmp_path, acme=several).single_key()
    assert "KEY_A or KEY_B" in str(caught.value.hint)


def test_the_key_of_a_provider_without_a_usual_place_goes_where_its_endpoint_is(tmp_path: Path) -> None:
    file = '[endpoints.acme]\nbase_url = "https://mine.acme.test"\n[endpoints.east]\nbackend = "acme"\nbase_url = "https://east.test"\n'
    mine = target(file=file, environ=KEYED, tmp_path=tmp_path, plugin=Homeless())
    assert (mine.origin, key_of(mine)) == ("https://mine.acme.test", "Bearer sk-env")
    east = target("east", file=file, environ=KEYED, tmp_path=tmp_path, plugin=Homeless())
    with pytest.raises(MissingKeyError) as caught:
        key_of(east)
    assert caught.value.hint == "set the environment variable IPFS_ACCEL_EAST_API_KEY, or run: ipfs-accel keys set east"
    with pytest.raises(ConfigError, match=r"ACME_API_KEY belongs to https://theirs\.test\n"):
        moved = {**KEYED, "ACME_BASE_URL": "https://theirs.test"}
        code = EndpointConfig(base_url="https://mine.acme.test")
        target(environ=moved, tmp_path=tmp_path, plugin=Homeless(), acme=code)


@pytest.mark.parametrize(
    ("environ", "key_env", "expected"),
    [
        ({"ACME_TOKEN": "t"}, None, ("authorization", "Bearer t")),
        ({"ACME_API_KEY": "k", "ACME_TOKEN": "t"}, None, ("api-key", "k")),
        ({"ACME_API_KEY": "k", "ACME_TOKEN": "t"}, "ACME_TOKEN", ("authorization", "Bearer t")),
        ({"OTHER": "k"}, "OTHER", ("api-key", "k")),
    ],
)
def test_a_token_from_its_variable_is_sent_as_one(
    environ: dict[str, str], key_env: str | None, expected: tuple[str, str], tmp_path: Path
) -> None:
    found = target(environ=environ, tmp_path=tmp_path, plugin=Tokened(), acme=EndpointConfig(key_env=key_env))
    assert found.key_headers(found.origin) == (expected,)


def test_keys_and_tokens_are_not_one_pool(tmp_path: Path) -> None:
    both = EndpointConfig(key_env=("ACME_API_KEY", "ACME_TOKEN"))
    with pytest.raises(ConfigError, match=r"keys and tokens.*: ACME_API_KEY, ACME_TOKEN"):
        target(environ={**KEYED, "ACME_TOKEN": "t"}, tmp_path=tmp_path, plugin=Tokened(), acme=both)


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("https://API.acme.test:443/v1", "https://api.acme.test"),
        ("http://acme.test:80", "http://acme.test"),
        ("https://acme.test:80", "https://acme.test:80"),
        ("https://acme.test:8443", "https://acme.test:8443"),
        ("https://acme.test:/v1", "https://acme.test"),
        ("https://[::1]:443", "https://[::1]"),
        ("http://[::80]", "http://[::80]"),
        ("", ""),
    ],
)
def test_an_origin_has_no_usual_port(url: str, expected: str) -> None:
    assert origin_of(url) == expected


def test_the_usual_port_makes_no_other_origin(tmp_path: Path) -> None:
    assert key_of(
        target(environ=KEYED, tmp_path=tmp_path, acme=EndpointConfig(base_url="https://api.acme.test:443/v1"))
    )
    KeyFile(tmp_path / "keys.json").set("acme", Secret("sk-stored"), "https://api.acme.test:443")
    assert key_of(target(tmp_path=tmp_path)) == "Bearer sk-stored"


NO_KEY = "sk-ä-canary"
NO_KEYS: list[tuple[Callable[[Path], Any], str]] = [
    (lambda _: EndpointConfig(key=NO_KEY), "key: a key is empty or has"),
    (lambda _: EndpointConfig(key=["sk-good", NO_KEY]), "key: a key is empty or has"),
    (lambda _: reveal(lambda: NO_KEY, "a"), "endpoint 'a': key: the function gave something else: a key is empty"),
    (lambda _: reveal(pickle.loads(pickle.dumps(Secret("sk-good"))), "a"), "endpoint 'a': key: this key went"),  # noqa: S301
    (lambda path: target(environ={"ACME_API_KEY": NO_KEY}, tmp_path=path), "the variable ACME_API_KEY: a key is"),
    (lambda path: target(environ={"IPFS_ACCEL_ACME_API_KEY": NO_KEY}, tmp_path=path), "the variable IPFS_ACCEL_ACME_"),
    (
        lambda path: target(environ={"MINE": NO_KEY}, tmp_path=path, acme=EndpointConfig(key_env=("MINE",))),
        "the variable MINE: a key is",
    ),
]


@pytest.mark.parametrize(("ask", "beginning"), NO_KEYS)
def test_a_text_that_is_no_key_is_named_by_where_it_is_from(
    ask: Callable[[Path], Any], beginning: str, tmp_path: Path
) -> None:
    with pytest.raises(ConfigError) as caught:
        ask(tmp_path)
    assert caught.value.message.startswith(beginning)
    assert caught.value.hint
    assert "canary" not in "".join(traceback.format_exception(caught.value))
