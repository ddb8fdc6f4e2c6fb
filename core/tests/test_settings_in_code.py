"""Settings that code gives: endpoints may be mappings, and what is wrong is a `ConfigError` at once, by its name."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import pytest
from ipfs_accel import (
    AsyncClient,
    BreakerConfig,
    CacheConfig,
    Client,
    Config,
    EndpointConfig,
    LimitsConfig,
    PluginPolicy,
    RetryConfig,
    RouteConfig,
    Secret,
    StoreConfig,
    Timeout,
)
from ipfs_accel._config.config import ModelOverride
from ipfs_accel.errors import ConfigError

from .acme import Acme
from .both_worlds import fine, scripted

Kind = type[Client] | type[AsyncClient]


@pytest.fixture(params=[Client, AsyncClient])
def kind(request: pytest.FixtureRequest) -> Any:
    return request.param


def test_an_endpoint_may_be_a_mapping(kind: Kind) -> None:
    written = {
        "backend": "acme",
        "base_url": "http://gpu1:8000",
        "key": "sk-written",
        "timeout": 3,
        "headers": {"x-team": "blue"},
        "retry": {"attempts": 2},
        "limits": LimitsConfig(max_concurrent=3),
        "models": {"m": {"context_window": 9, "features": {"tools": "yes"}}},
    }
    made = kind(endpoints={"lab": written}).config.endpoints["lab"]
    assert made.key == Secret("sk-written")
    assert made.retry == RetryConfig(attempts=2)
    assert (made.backend, made.timeout, made.headers) == ("acme", 3.0, {"x-team": "blue"})
    assert made.limits == LimitsConfig(max_concurrent=3)
    assert made.models["m"].features == {"tools": "yes"}


def test_it_is_used_like_any_other() -> None:
    with scripted(fine()) as server:
        endpoints = {"lab": {"backend": "acme", "key": lambda: "sk-given"}}
        with Client(plugins=[Acme(server.url)], endpoints=endpoints) as client:
            assert client.chat("lab/m", "q").text == "blue"
    assert "sk-given" in server.heads[0]


def test_it_wins_over_the_file_field_by_field() -> None:
    config = Config(endpoints={"lab": EndpointConfig(backend="acme", timeout=5)}, environ={})
    with Client(config, endpoints={"lab": {"timeout": 7}}) as client:
        assert client.config.endpoints["lab"] == EndpointConfig(backend="acme", timeout=7.0)


@pytest.mark.parametrize(
    ("endpoints", "message", "hint"),
    [
        ({"lab": {"backnd": "acme"}}, "endpoint 'lab': backnd: unknown setting", "did you mean 'backend'?"),
        ({"lab": {"retry": {"atempts": 2}}}, "endpoint 'lab': retry.atempts: unknown setting", "attempts"),
        ({"lab": {"retry": {"attempts": 0}}}, "endpoint 'lab': retry: attempts: expected a whole number", None),
        ({"lab": {"retry": 5}}, "endpoint 'lab': retry: expected a table of settings, got int", None),
        ({"lab": {"timeout": True}}, "endpoint 'lab': timeout: expected a number, got True", None),
        ({"lab": {"timeout": -1}}, "endpoint 'lab': timeout: expected seconds above 0", None),
        (
            {"lab": {"timeout": {"connect": -1}}},
            "endpoint 'lab': timeout.connect: expected seconds above 0 or None",
            None,
        ),
        ({"lab": {"limits": {"max_concurrent": -1}}}, "endpoint 'lab': limits: max_concurrent: expected a whole", None),
        (
            {"lab": {"models": {"m": {"context_window": -1}}}},
            "endpoint 'lab': models.m: context_window: expected a",
            None,
        ),
        ({"lab": {"headers": {"x": b"sk-canary"}}}, "endpoint 'lab': headers.x: expected a string, got bytes", None),
        ({"lab": {"key": b"sk-canary"}}, "endpoint 'lab': key: expected a key or a function that gives one", None),
        ({"lab": {"key": ""}, "two": "acme"}, "endpoint 'two': expected an EndpointConfig or a mapping, got str", None),
        ({"lab": None}, "endpoint 'lab': expected an EndpointConfig or a mapping, got NoneType", None),
        (["lab"], "endpoints: expected a mapping of names, got list", None),
        ({5: {}}, "endpoints: the name 5 is not a string", None),
    ],
)
def test_a_wrong_endpoint_is_named_with_its_field(kind: Kind, endpoints: Any, message: str, hint: str | None) -> None:
    with pytest.raises(ConfigError) as caught:
        kind(endpoints=endpoints)
    assert str(caught.value).startswith(message)
    assert (hint or "") in (caught.value.hint or "")
    assert "canary" not in str(caught.value)


@pytest.mark.parametrize("field", ["retry", "limits", "breaker", "batching", "headers", "options", "models"])
@pytest.mark.parametrize("wrong", [5, ["x"], "x"])
def test_a_field_of_an_endpoint_is_checked(field: str, wrong: Any) -> None:
    with pytest.raises(ConfigError, match=rf"^{field}: expected .*, got {type(wrong).__name__}$"):
        EndpointConfig(**{field: wrong})


@pytest.mark.parametrize(
    ("made", "settings", "message"),
    [
        (EndpointConfig, {"retry": {"attempts": 2}}, "retry: expected RetryConfig, got dict"),
        (EndpointConfig, {"models": {"m": {"context_window": 9}}}, "models.m: expected ModelOverride, got dict"),
        (EndpointConfig, {"headers": {"x": b"sk-canary"}}, "headers.x: expected a string, got bytes"),
        (EndpointConfig, {"backend": 5}, "backend: expected a string, got int"),
        (EndpointConfig, {"base_url": b"http://x"}, "base_url: expected a string, got bytes"),
        (EndpointConfig, {"key_env": 5}, "key_env: expected a string or a list of strings, got int"),
        (EndpointConfig, {"timeout": {"total": 3}}, "timeout: expected seconds above 0 or a Timeout, got {'total': 3}"),
        (EndpointConfig, {"timeout": Timeout(idle=-1)}, "timeout.idle: expected seconds above 0 or None, got -1"),
        (Config, {"timeout": Timeout(total=math.nan)}, "timeout.total: expected seconds above 0 or None, got nan"),
        (ModelOverride, {"input_price": -1}, "input_price: expected a number of at least 0, got -1"),
        (ModelOverride, {"max_output_tokens": 0}, "max_output_tokens: expected a whole number of at least 1, got 0"),
        (Config, {"timeout": "3"}, "timeout: expected seconds above 0 or a Timeout, got '3'"),
        (Config, {"endpoints": {"lab": {"backend": "acme"}}}, "endpoints.lab: expected EndpointConfig, got dict"),
        (Config, {"routes": {"fast": {"targets": ["a/b"]}}}, "routes.fast: expected RouteConfig, got dict"),
        (Config, {"stores": {"both": ["a", "b"]}}, "stores.both: expected StoreConfig, got list"),
        (Config, {"aliases": {"fast": 3}}, "aliases.fast: expected a string, got int"),
        (Config, {"retry": {}}, "retry: expected RetryConfig, got dict"),
        (Config, {"limits": {}}, "limits: expected LimitsConfig, got dict"),
        (Config, {"breaker": {}}, "breaker: expected BreakerConfig, got dict"),
        (Config, {"cache": {}}, "cache: expected CacheConfig, got dict"),
        (Config, {"telemetry": {}}, "telemetry: expected TelemetryConfig, got dict"),
        (Config, {"plugins": {}}, "plugins: expected PluginPolicy, got dict"),
        (Config, {"default_model": 5}, "default_model: expected a string, got int"),
        (PluginPolicy, {"allow": "acme"}, "allow: expected a list of strings, got str"),
        (PluginPolicy, {"deny": "acme"}, "deny: expected a list of strings, got str"),
        (PluginPolicy, {"middleware": "budget"}, "middleware: expected a list of strings, got str"),
        (PluginPolicy, {"options": {"budget": 3}}, "options.budget: expected Mapping, got int"),
        (RouteConfig, {"targets": 5}, "targets: expected a list of endpoint/model names, got 5"),
        (StoreConfig, {"endpoints": 5}, "endpoints: expected a list of names of endpoints, got 5"),
        (CacheConfig, {"semantic": {"embed": "a/b"}}, "semantic: expected SemanticConfig, got dict"),
    ],
)
def test_what_is_no_settings_object_is_refused_at_once(made: Any, settings: Mapping[str, Any], message: str) -> None:
    with pytest.raises(ConfigError) as caught:
        made(**settings)
    assert str(caught.value) == message


@pytest.mark.parametrize("config", [{"endpoints": {}}, 5, ["config.toml"]])
def test_a_configuration_of_another_kind_is_refused(kind: Kind, config: Any) -> None:
    with pytest.raises(ConfigError, match=r"^config: expected a Config, a path or None, got "):
        kind(config)


@pytest.mark.parametrize("timeout", [0, -1, True, "3", {"total": 3}])
def test_the_time_of_all_calls_is_checked(kind: Kind, timeout: Any) -> None:
    with pytest.raises(ConfigError, match=r"^timeout: expected seconds above 0 or a Timeout"):
        kind(timeout=timeout)


def test_lists_are_as_good_as_tuples_and_right_settings_stay_as_they_are() -> None:
    assert PluginPolicy(allow=["acme"], deny=["x"]) == PluginPolicy(allow=("acme",), deny=("x",))  # type: ignore[arg-type]
    settings = {"retry": RetryConfig(), "breaker": BreakerConfig(), "timeout": Timeout(total=None)}
    assert EndpointConfig(**settings).timeout == Timeout(total=None)  # type: ignore[arg-type]
