from __future__ import annotations

import os
import pickle
from pathlib import Path
from typing import Any

import attrs
import pytest
from ipfs_accel import (
    BackendInfo,
    BreakerConfig,
    Client,
    EndpointConfig,
    KeyHeader,
    LimitsConfig,
    RetryConfig,
    Secret,
    hookimpl,
    load_config,
)
from ipfs_accel._endpoints import Target, resolve
from ipfs_accel._keys import KeyFile
from ipfs_accel._registry import Registry
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


def target(
    name: str = "acme", *, file: str = "", environ: dict[str, str] | None = None, tmp_path: Path, **code: EndpointConfig
) -> Target:
    path = tmp_path / "config.toml"
    path.write_text(file)
    config = load_config(path, environ or {})
    with Client(config, endpoints=code, plugins=[Acme()]) as client:
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


class Named(Acme):
    @hookimpl
    def describe(self) -> BackendInfo:
        by_region = lambda options: KeyHeader(name=f"x-{options.region}-key", prefix="")
        return attrs.evolve(super().describe(), key_header=by_region)


def test_how_a_key_is_sent_may_be_a_setting(tmp_path: Path) -> None:
    endpoints = {"acme": EndpointConfig(options={"region": "us"})}
    with Client(load_config(None, KEYED), endpoints=endpoints, plugins=[Named()]) as client:
        core = client._core
        found = resolve("acme", core.registry.load("acme"), core.config, KeyFile(tmp_path / "keys.json"))
    assert found.key_headers(found.origin) == (("x-us-key", "sk-env"),)
    assert found.key_headers("https://elsewhere.test") == ()


def test_a_key_can_be_a_function(tmp_path: Path) -> None:
    keys = iter(["one", "two"])
    found = target(tmp_path=tmp_path, acme=EndpointConfig(key=lambda: next(keys)))
    assert [key_of(found), key_of(found)] == ["Bearer one", "Bearer two"]


@pytest.mark.parametrize(
    ("file", "message", "hint"),
    [
        ("a = 1\ndefault_model = =", "not valid TOML: .*line 2", None),
        ('x = 1\ndefault_modell = "a"', r"config\.toml:2: default_modell: unknown setting", "default_model"),
        ("\n[endpoints.a]\nbase_ur = 'x'", r"config\.toml:3: endpoints\.a\.base_ur: unknown setting", "base_url"),
        ("[endpoints.a]\nkey = 'sk-secret'", r"config\.toml:2: endpoints\.a\.key: unknown setting", "key_env"),
        ("on_unsupported = 'ignore'", r"config\.toml:1: on_unsupported", None),
        ("[plugins]\nallow = 3", r"config\.toml:2: plugins\.allow", None),
        ("[aliases]\nfast = 3", r"config\.toml:2: aliases\.fast: expected a string, got 3", None),
        ("[endpoints.a]\n\n\ntimeout = true", r"config\.toml:4: endpoints\.a\.timeout", None),
        ("[endpoints.a.retry]\natempts = 2", r"config\.toml:2: endpoints\.a\.retry\.atempts: unknown", "attempts"),
        ("[retry]\nattempts = 0", r"config\.toml:1: retry: attempts: expected a whole number of at least 1", None),
        ("[endpoints.a.limits]\nmax_queue = 1.5", r"endpoints\.a\.limits\.max_queue: expected a whole number", None),
        ("[breaker]\nfailure_rate = 2", r"breaker: failure_rate: expected a number above 0 and at most 1", None),
        ("[endpoints.a]\nkey_env = 3", r"config\.toml:2: endpoints\.a\.key_env", None),
        ("[endpoints.a]\nkey_policy = 'fair'", r"config\.toml:2: endpoints\.a\.key_policy", None),
    ],
)
def test_a_bad_file_names_line_key_and_fix(file: str, message: str, hint: str | None, tmp_path: Path) -> None:
    path = tmp_path / "config.toml"
    path.write_text(file.replace("x = 1\n", "# a comment\n"))
    with pytest.raises(ConfigError, match=message) as caught:
        load_config(path, {})
    assert "sk-secret" not in str(caught.value)
    if hint:
        assert hint in (caught.value.hint or "")


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


def test_a_named_file_that_is_missing_is_an_error_and_an_unnamed_one_is_not(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="does not exist"):
        load_config(tmp_path / "no.toml", {})
    with pytest.raises(ConfigError, match="does not exist"):
        load_config(None, {"IPFS_ACCEL_CONFIG": str(tmp_path / "no.toml")})
    assert load_config(None, {}).path is None


def test_retries_limits_and_breakers_are_configured_for_all_or_for_one(tmp_path: Path) -> None:
    path = tmp_path / "config.toml"
    path.write_text(
        "[retry]\nattempts = 5\n[endpoints.a.retry]\nattempts = 2\nbase = 1\n"
        "[endpoints.a.limits]\nrequests_per_minute = 60\n[endpoints.b.breaker]\nenabled = false\n"
    )
    config = load_config(path, {"IPFS_ACCEL_RETRY_ATTEMPTS": "4"})
    assert config.retry == RetryConfig(attempts=4)
    assert config.endpoints["a"].retry == RetryConfig(attempts=2, base=1.0)
    assert config.endpoints["a"].limits == LimitsConfig(requests_per_minute=60)
    assert config.endpoints["b"].breaker == BreakerConfig(enabled=False)
    with pytest.raises(ConfigError, match="IPFS_ACCEL_RETRY_ATTEMPTS"):
        load_config(None, {"IPFS_ACCEL_RETRY_ATTEMPTS": "often"})


def test_what_cannot_stand_in_the_file_is_unknown_there_and_only_there(tmp_path: Path) -> None:
    file = tmp_path / "config.toml"
    file.write_text('[cache]\npath = "answers.sqlite3"\n')
    cache = load_config(file, environ={}).cache
    assert cache is not None
    assert cache.path == "answers.sqlite3"
    for text in ('path = "x"', "environ = {}", '[endpoints.a]\nkey = "sk-secret"'):
        file.write_text(text)
        with pytest.raises(ConfigError, match="unknown setting"):
            load_config(file, environ={})


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


def test_environment_settings(tmp_path: Path) -> None:
    config = load_config(None, {"IPFS_ACCEL_DEFAULT_MODEL": "acme/m", "IPFS_ACCEL_TIMEOUT": "7"})
    assert (config.default_model, config.timeout) == ("acme/m", 7.0)
    assert config.sources["timeout"] == "IPFS_ACCEL_TIMEOUT"
    with pytest.raises(ConfigError, match="IPFS_ACCEL_TIMEOUT"):
        load_config(None, {"IPFS_ACCEL_TIMEOUT": "soon"})


def test_the_key_file_is_private(tmp_path: Path) -> None:
    keys = KeyFile(tmp_path / "sub" / "keys.json")
    keys.set("acme", Secret("sk-1"), "https://a.test")
    keys.set("beta", Secret("sk-2"), "https://b.test")
    assert keys.path.stat().st_mode & 0o777 == 0o600
    assert keys.names() == ["acme", "beta"]
    assert keys.remove("acme")
    assert not keys.remove("acme")
    keys.path.chmod(0o644)
    with pytest.raises(ConfigError, match="other users may read") as caught:
        keys.get("beta")
    assert "chmod 600" in (caught.value.hint or "")


def test_a_secret_does_not_show() -> None:
    secret = Secret(" sk-very-secret\n")
    shown = f"{secret} {secret!r} {secret:>5} {[secret]} {EndpointConfig(key=secret)} {pickle.dumps(secret)!r}"
    assert "very" not in shown
    assert secret.reveal() == "sk-very-secret"
    with pytest.raises(ConfigError, match="pickle"):
        pickle.loads(pickle.dumps(secret)).reveal()  # noqa: S301 - our own value
    for bad in ("", "a\nb", "a\x00b", "ä"):
        with pytest.raises(ConfigError) as caught:
            Secret(bad)
        assert bad == "" or bad not in str(caught.value)


def test_the_process_environment_is_the_default() -> None:
    assert load_config(None).environ is os.environ
    assert Registry is not None
