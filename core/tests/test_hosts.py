"""Hosts: rows of data that make endpoints of a backend, with a key, a place and facts of their own."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
from ipfs_accel import Client, Config, EndpointConfig
from ipfs_accel._config.config import PluginPolicy
from ipfs_accel._plugins.names import KEYS, OTHER_NAMES, RESERVED
from ipfs_accel._plugins.registry import HOSTS, Registry
from ipfs_accel.errors import ConfigError, MissingKeyError, PluginError, UnsupportedOperationError
from ipfs_accel.installing import install_command
from ipfs_accel.testing import serve

from .conftest import Install

SHOP = """
import attrs
from ipfs_accel import BackendInfo, hookimpl
from ipfs_accel.plans import Http, get
from ipfs_accel.types import Health

api_version = 1

@attrs.frozen(kw_only=True)
class Options:
    voice: str = "plain"
    team: str | None = None

@hookimpl
def describe():
    return BackendInfo(
        name="shop", base_url="https://shop.example", base_url_env=("SHOP_URL",), key_env=("SHOP_KEY",), options=Options,
        options_env={"team": "SHOP_TEAM"}, headers=lambda options: {"x-team": options.team} if options.team else {},
        lacks=lambda endpoint: {"embed": "the shop has none"},
    )

@hookimpl
def healthcheck(endpoint):
    def read(response):
        return Health(status="ok", detail=f"{endpoint.backend} {endpoint.options.voice}")
    return Http(send=get("/health"), parse=read)

@hookimpl
def embed(endpoint, request):
    raise AssertionError

@hookimpl
def list_models(endpoint):
    return Http(send=get("/models"), parse=lambda response: ())
"""

AddHost = Callable[..., None]


@pytest.fixture
def hosts(install: Install, tmp_path: Path) -> Iterator[AddHost]:
    """Register a row as a distribution would; the backend that carries it out is there."""
    install("shop", SHOP)
    modules: list[str] = []

    def add(name: str, /, distribution: str = "stall-hosts", **cells: Any) -> None:
        module = f"rows_{name}_{distribution.replace('-', '_')}"
        modules.append(module)
        row = {"name": name, "backend": "shop", "base_url": "https://stall.example/v1", **cells}
        (tmp_path / "site" / f"{module}.py").write_text(f"ROW = {row!r}\n")
        info = tmp_path / "site" / f"{distribution.replace('-', '_')}_{name}-3.dist-info"
        info.mkdir()
        (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {distribution}\nVersion: 3\n")
        (info / "entry_points.txt").write_text(f"[ipfs_accel.hosts]\n{name} = {module}:ROW\n")

    yield add
    for module in modules:
        sys.modules.pop(module, None)


def client(environ: Mapping[str, str] | None = None, **endpoints: EndpointConfig) -> Client:
    return Client(Config(environ=environ or {}), endpoints=endpoints)


def sources(made: Client, name: str) -> Mapping[str, tuple[str, str]]:
    made.capabilities(name)
    return made._core.targets()[name].sources


def test_a_row_is_an_endpoint_with_its_own_place_key_and_facts(hosts: AddHost) -> None:
    heads: list[str] = []

    def handle(connection: Any) -> None:
        while (head := connection.head()) is not None:
            heads.append(head)
            connection.send(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n{}")

    with serve(handle) as server:
        hosts("stall", base_url=f"{server.url}/v1", key_env=["STALL_KEY"], options={"voice": "loud"}, title="Stall")
        environ = {"STALL_KEY": "sk-stall-0", "SHOP_KEY": "sk-shop-0", "SHOP_TEAM": "red", "SHOP_URL": "http://other"}
        with client(environ) as made:
            assert made.healthcheck("stall").detail == "stall loud"
            assert sources(made, "stall")["options.voice"] == ("loud", "the host stall")
            info = made._core.targets()["stall"].backend.info
    assert (info.name, info.title) == ("stall", "Stall")
    (head,) = heads
    assert head.startswith("GET /v1/health ")
    assert "authorization: Bearer sk-stall-0" in head.replace("Authorization", "authorization")
    assert "x-team" not in head  # which speaks of the shop's own service


def test_a_user_may_say_otherwise_and_add_to_it(hosts: AddHost) -> None:
    hosts("stall", options={"voice": {"value": "loud", "source": "https://stall.example/docs", "date": "2026-11-30"}})
    with client(stall=EndpointConfig(options={"team": "blue"}), other=EndpointConfig(backend="stall")) as made:
        made.capabilities("stall")
        made.capabilities("other")
        targets = made._core.targets()
        assert (targets["stall"].endpoint.options.voice, targets["stall"].endpoint.options.team) == ("loud", "blue")
        assert targets["other"].endpoint.base_url == "https://stall.example/v1"
        assert targets["stall"].headers == (("x-team", "blue"),)
    with client(stall=EndpointConfig(options={"voice": "soft"})) as made:
        assert sources(made, "stall")["options.voice"] == ("soft", "code")


def test_without_its_key_a_host_names_its_variable(hosts: AddHost) -> None:
    hosts("stall", key_env=["STALL_KEY", "STALL_TOKEN"])
    with client({"SHOP_KEY": "sk-shop-0"}) as made, pytest.raises(MissingKeyError) as caught:
        made.list_models("stall")
    assert "STALL_KEY or STALL_TOKEN" in str(caught.value.hint)


def test_what_a_host_lacks_is_refused_with_its_reason(hosts: AddHost) -> None:
    hosts("stall", lacks=[{"operations": ["list_models"], "value": "the stall has no list"}])
    with client() as made:
        with pytest.raises(UnsupportedOperationError, match="the stall has no list"):
            made.list_models("stall")
        with pytest.raises(UnsupportedOperationError, match="the shop has none"):
            made.embed("stall/m", "text")
        assert made.capabilities("stall").operations["list_models"].value == "no"


# what stands in braces


BRACES: dict[str, Any] = {
    "base_url": "https://{shop}.example/a/{account}/v1",
    "url_env": {"account": ["STALL_ACCOUNT"]},
}


def test_what_stands_in_braces_comes_from_options_and_variables(hosts: AddHost) -> None:
    hosts("stall", **BRACES)
    environ = {"STALL_ACCOUNT": "acc-1", "IPFS_ACCEL_STALL_SHOP": "https://main/"}
    with client(environ) as made:
        found = sources(made, "stall")
        assert found["base_url"] == ("https://main.example/a/acc-1/v1", "default")
        assert found["options.account"] == ("acc-1", "STALL_ACCOUNT")
    with client(environ, stall=EndpointConfig(options={"account": "acc-2", "voice": "soft"})) as made:
        assert sources(made, "stall")["base_url"][0] == "https://main.example/a/acc-2/v1"
        assert made._core.targets()["stall"].endpoint.options.voice == "soft"


def test_a_url_of_the_configuration_may_have_braces(hosts: AddHost) -> None:
    far = EndpointConfig(backend="shop", base_url="https://{region}.shop.example", options={"region": "eu"})
    with client(far=far) as made:
        assert sources(made, "far")["base_url"] == ("https://eu.shop.example", "code")


def test_what_nobody_says_is_an_error_with_both_ways(hosts: AddHost) -> None:
    hosts("stall", **BRACES)
    with client({"IPFS_ACCEL_STALL_SHOP": "main"}) as made, pytest.raises(ConfigError) as caught:
        made.capabilities("stall")
    assert "options.account" in caught.value.message
    assert "STALL_ACCOUNT" in caught.value.message
    with client({"STALL_ACCOUNT": "a"}) as made, pytest.raises(ConfigError, match="IPFS_ACCEL_STALL_SHOP"):
        made.capabilities("stall")


@pytest.mark.parametrize("value", ["a/b", "a@evil.example", "a?b", "", "a b", "http://a", "..", "a:b"])
def test_what_would_lead_elsewhere_is_refused(value: str, hosts: AddHost) -> None:
    hosts("stall", **BRACES)
    given = EndpointConfig(options={"account": value, "shop": "main"})
    with client(stall=given) as made, pytest.raises(ConfigError, match="account"):
        made.capabilities("stall")


def test_the_usual_key_of_a_host_without_a_place_of_its_own_is_for_the_endpoint_of_its_name(hosts: AddHost) -> None:
    hosts("stall", base_url="https://{shop}/v1", key_env=["STALL_KEY"], url_env={"shop": ["STALL_SHOP"]})
    given = {
        "stall": EndpointConfig(options={"shop": "one.example"}),
        "other": EndpointConfig(backend="stall", options={"shop": "two.example"}),
    }
    with client({"STALL_KEY": "sk-stall-0"}, **given) as made:
        assert sources(made, "stall")["key"] == ("set", "STALL_KEY")
        assert sources(made, "other")["key"][0] == "missing"
    environ = {"STALL_KEY": "sk-stall-0", "STALL_SHOP": "https://two.example"}
    with client(environ, **given) as made:
        assert sources(made, "other")["key"] == ("set", "STALL_KEY")
        with pytest.raises(ConfigError, match=r"the key in STALL_KEY belongs to https://two\.example"):
            made.capabilities("stall")


# whose names and keys


def test_a_strangers_host_gets_no_key_of_others(hosts: AddHost) -> None:
    hosts("stall", key_env=["OPENAI_API_KEY"])
    environ = {"OPENAI_API_KEY": "sk-openai-0"}
    with client(environ) as made, pytest.raises(ConfigError) as caught:
        made.list_models("stall")
    assert "OPENAI_API_KEY, which belongs to 'openai'" in caught.value.message
    assert 'key_env = "OPENAI_API_KEY"' in str(caught.value.hint)
    with client(environ, stall=EndpointConfig(key_env="OPENAI_API_KEY")) as made:
        assert sources(made, "stall")["key"] == ("set", "OPENAI_API_KEY")
    with client({**environ, "IPFS_ACCEL_STALL_API_KEY": "sk-own-0"}) as made:
        assert sources(made, "stall")["key"] == ("set", "IPFS_ACCEL_STALL_API_KEY")
    with client(environ, stall=EndpointConfig(key_env="")) as made:
        assert sources(made, "stall")["key"] == ("none", "configuration")


@pytest.mark.parametrize("variable", ["OPENAI_API_KEY", "SOMEBODYS_SECRET", "S3_ACCESS_KEY"])
def test_no_key_can_be_put_into_a_url(variable: str, hosts: AddHost) -> None:
    hosts("stall", base_url="https://{account}.example", url_env={"account": [variable]})
    with client({variable: "abc"}) as made, pytest.raises(PluginError, match=f"{variable} holds a key"):
        made.capabilities("stall")


def test_names_of_hosts_and_backends_are_of_one_kind(
    hosts: AddHost, install: Install, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, owner in (("lamp", "ipfs-accel-ours"), ("stool", "ipfs-accel-hosts"), ("bench", "ipfs-accel-hosts")):
        monkeypatch.setitem(RESERVED, name, owner)
    hosts("lamp", distribution="evil-hosts")
    hosts("stool", distribution="evil-hosts")
    install("bench", distribution="evil-bench")
    hosts("shop")
    found = Registry(PluginPolicy())
    states = {(each.name, each.distribution): (each.state, each.reason) for each in found.records(HOSTS)}
    reason = "the name 'stool' is reserved for the distribution ipfs-accel-hosts"
    assert states["stool", "evil-hosts"] == ("blocked", reason)
    assert states["lamp", "evil-hosts"][0] == "blocked"
    assert {each.name: each.state for each in found.records() if each.distribution == "evil-bench"} == {
        "bench": "blocked"
    }
    for name in ("lamp", "stool", "bench"):
        with pytest.raises(PluginError, match="is reserved for the distribution"):
            found.load(name)
    with pytest.raises(PluginError, match="acme-shop and stall-hosts both register 'shop'"):
        found.load("shop")


def test_the_policy_holds_for_hosts_too(hosts: AddHost) -> None:
    hosts("stall")
    for policy in (PluginPolicy(deny=("stall",)), PluginPolicy(deny=("stall-hosts",)), PluginPolicy(allow=("shop",))):
        with pytest.raises(PluginError, match=r"plugins\.(deny|allow)"):
            Registry(policy).load("stall")
    assert Registry(PluginPolicy(allow=("shop", "stall"))).load("stall").name == "stall"


def test_looking_at_hosts_imports_nothing(hosts: AddHost) -> None:
    hosts("stall")
    with client() as made:
        assert "stall" in [each.name for each in made.hosts()]
        assert "stall" in made.endpoints()
        assert "stall" not in [each.name for each in made.plugins()]
        assert "rows_stall_stall_hosts" not in sys.modules
        made.capabilities("stall")
    assert "rows_stall_stall_hosts" in sys.modules


@pytest.mark.parametrize(
    ("cells", "reason"),
    [
        ({"name": "stool"}, "calls itself 'stool'"),
        ({"base-url": ""}, "'base-url' is no cell of a host; did you mean 'base_url'"),
        ({"base_url": 3}, "base_url: expected a text, got 3"),
        ({"key_env": "STALL_KEY"}, "key_env: expected a list of names"),
        ({"needs_key": "no"}, "needs_key: expected true or false"),
        ({"lacks": [{"operations": ["dance"], "value": "no"}]}, "there is no operation 'dance'"),
        ({"local": {"programme": "x"}}, "local: "),
        ({"options": []}, "options: expected a table"),
        ({"options": {"colour": "red"}}, "sets the option 'colour'"),
        ({"backend": "stall"}, "which is a host itself"),
        ({"backend": "groq-of-nobody"}, "groq-of-nobody"),
    ],
)
def test_a_wrong_row_says_what_is_wrong_and_harms_nobody(cells: dict[str, Any], reason: str, hosts: AddHost) -> None:
    hosts("stall", **cells)
    with client() as made:
        for _ in range(2):
            with pytest.raises(PluginError) as caught:
                made.capabilities("stall")
            assert reason in str(caught.value)
        assert made.capabilities("shop").backend == "shop"


def test_what_is_no_row_is_refused(hosts: AddHost, tmp_path: Path) -> None:
    hosts("stall")
    (tmp_path / "site" / "rows_stall_stall_hosts.py").write_text("ROW = 'acme'\n")
    with client() as made, pytest.raises(PluginError, match="a host is a mapping, this is a str"):
        made.capabilities("stall")


# names that nobody has


@pytest.mark.parametrize("name", ["anthropic", "Google", "hugging_face", "huggingface", "grok", "kimi", "x_ai"])
def test_other_names_lead_to_ours(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ipfs_accel._plugins.registry.installed", lambda *_groups: ())
    monkeypatch.setitem(OTHER_NAMES, "hugging-face", "hf")
    ours = OTHER_NAMES[name.lower().replace("_", "-")]
    owner = RESERVED[ours]
    with client() as made, pytest.raises(PluginError) as caught:
        made.chat(f"{name}/m", "hi")
    command = install_command(f"ipfs-accel[{owner.removeprefix('ipfs-accel-')}]", owner)
    assert caught.value.hint == f"it is called {ours!r} here; run: {command}"


def test_a_host_that_is_not_installed_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ipfs_accel._plugins.registry.installed", lambda *_groups: ())
    command = install_command("ipfs-accel[hosts]", "ipfs-accel-hosts")
    with client() as made:
        with pytest.raises(PluginError, match="the host 'deepseek' is not installed") as caught:
            made.chat("deepseek/m", "hi")
        assert caught.value.hint == f"run: {command}"
        with pytest.raises(PluginError) as caught:
            made.chat("deepsek/m", "hi")
        assert caught.value.hint == f"did you mean 'deepseek'? For 'deepseek' run: {command}"


def test_every_other_name_leads_to_a_name_of_ours_and_is_none_itself() -> None:
    assert set(OTHER_NAMES.values()) <= set(RESERVED)
    assert not set(OTHER_NAMES) & set(RESERVED)


# which are set up


def test_hosts_of_ours_are_among_the_endpoints_once_somebody_has_set_them_up(
    hosts: AddHost, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("alpha", "beta", "gamma", "delta"):
        monkeypatch.setitem(RESERVED, name, "ipfs-accel-hosts")
        hosts(name, distribution="ipfs-accel-hosts")
    monkeypatch.setitem(KEYS, "ALPHA_KEY", "alpha")
    environ = {"ALPHA_KEY": "sk-alpha-0", "IPFS_ACCEL_BETA_BASE_URL": "http://127.0.0.1:9"}
    with client(environ, delta=EndpointConfig()) as made:
        assert {"alpha", "beta", "gamma", "delta"} & set(made.endpoints()) == {"alpha", "beta", "delta"}
        assert {"alpha", "beta", "gamma", "delta"} <= {each.name for each in made.hosts()}
        assert made.capabilities("gamma").backend == "gamma"
    config = made._core.key_file.path
    config.parent.mkdir(parents=True, exist_ok=True)
    config.touch(mode=0o600)
    config.write_text(json.dumps({"gamma": {"key": "sk-gamma-0", "origin": "https://stall.example"}}))
    with client(environ) as made:
        assert "gamma" in made.endpoints()
    config.write_text("{")
    with client(environ) as made:  # which is told when a key is wanted
        assert "gamma" not in made.endpoints()


def test_a_variable_that_people_set_for_other_things_sets_up_nothing() -> None:
    from ipfs_accel._plugins.names import is_set_up

    assert is_set_up("deepseek", {"DEEPSEEK_API_KEY": "sk-0"})
    assert not is_set_up("github-models", {"GITHUB_TOKEN": "ghp-0"})
    assert is_set_up("github-models", {}, ["github-models"])
    assert is_set_up("lm-studio", {"IPFS_ACCEL_LM_STUDIO_BASE_URL": "http://gpu1:1234/v1"})
    assert is_set_up("somebodys", {})
