"""Each row by itself: its form, its sources, and that no two hosts share a name, a place or a variable."""

from __future__ import annotations

import datetime as dt
import json
import subprocess
import sys
import tomllib
from collections import Counter
from pathlib import Path
from typing import Any

import attrs
import ipfs_accel_hosts
import pytest
from ipfs_accel import Client, Config
from ipfs_accel._config.config import PluginPolicy, structure
from ipfs_accel._plugins.hosts import info_of, read_host
from ipfs_accel._plugins.names import KEYS, RESERVED
from ipfs_accel._plugins.registry import HOSTS, Registry
from ipfs_accel._url import is_here, origin_of

HERE = Path(__file__).parent.parent
ROWS = {path.stem: json.loads(path.read_text()) for path in sorted((HERE / "src/ipfs_accel_hosts/rows").glob("*.json"))}
LOCAL = {"lm-studio", "localai", "sglang", "jan", "litellm-proxy"}
WANTED = {
    *("deepseek", "mistral", "xai", "openrouter", "together", "fireworks", "cerebras", "perplexity", "moonshot", "zai"),
    *("minimax", "nvidia", "sambanova", "nebius", "deepinfra", "novita", "hyperbolic", "github-models", "databricks"),
    *("vercel-gateway", "cloudflare", "scaleway", "ovh", "dashscope", "volcengine", "baseten", *LOCAL),
}


def cells(row: dict[str, Any]) -> list[tuple[str, dict[str, Any]]]:
    """Return the cells of a row that have a source."""
    plain = {"name", "title", "backend", "documentation", "options", "lacks"}
    found = [(name, cell) for name, cell in row.items() if name not in plain]
    found += [(f"options.{name}", cell) for name, cell in row["options"].items()]
    return found + [("lacks", cell) for cell in row.get("lacks", ())]


each_row = pytest.mark.parametrize("name", sorted(ROWS))


def test_all_are_there_and_registered() -> None:
    project = tomllib.loads((HERE / "pyproject.toml").read_text())["project"]
    assert set(ROWS) == WANTED
    assert project["entry-points"]["ipfs_accel.hosts"] == {
        name: f"ipfs_accel_hosts:{name.replace('-', '_')}" for name in sorted(ROWS)
    }
    ours = {name for name, owner in RESERVED.items() if owner == "ipfs-accel-hosts"}
    assert ours == set(ROWS)
    assert {each.name: each.state for each in Registry(PluginPolicy()).records(HOSTS)} == dict.fromkeys(
        ROWS, "available"
    )


@each_row
def test_each_row_has_its_form_and_each_cell_its_source(name: str) -> None:
    row = ROWS[name]
    assert getattr(ipfs_accel_hosts, name.replace("-", "_")) == row
    host = read_host(name, row, is_ours=True)
    assert (row["name"], row["backend"]) == (name, "openai")
    assert row["documentation"].startswith("https://")
    assert row["title"]
    for what, cell in cells(row):
        assert cell["source"].startswith("https://"), what
        assert dt.date.fromisoformat(cell["date"]) >= dt.date(2026, 11, 30), what
        assert set(cell) == {
            "source",
            "date",
            *({"value", "operations"} & set(cell) or {"program", "start", "install"}),
        }
    assert origin_of(host.base_url) == host.base_url.lower()[: len(origin_of(host.base_url))]
    assert is_here(host.base_url) is (name in LOCAL)
    assert host.base_url.startswith("http://" if name in LOCAL else "https://")
    assert not host.base_url.endswith("/")
    assert bool(host.key_env) or name in LOCAL
    assert host.borrowed == {}


@each_row
def test_each_fact_is_an_option_of_the_backend_with_a_right_value(name: str) -> None:
    backend = Registry(PluginPolicy()).load("openai")
    host = read_host(name, ROWS[name], is_ours=True)
    info = info_of(host, backend.info)
    assert info.options is not None
    # As strictly as what a user writes, which costs more than a first call may.
    checked = structure({key: cell["value"] for key, cell in ROWS[name]["options"].items()}, info.options, name)
    assert checked == info.options(**info.presets)
    lacked = set(host.lacks)
    assert lacked <= backend.operations


def test_what_a_row_lacks_and_says_is_what_an_endpoint_has() -> None:
    with Client(Config(environ={"CLOUDFLARE_ACCOUNT_ID": "acc"})) as client:
        has = {name: client.capabilities(name).operations for name in ("cloudflare", "cerebras", "openrouter")}
    assert has["cloudflare"]["embed"].value == "yes"
    assert has["cloudflare"]["complete"].value == "no"
    assert has["cerebras"]["embed"].value == "no"
    assert has["openrouter"]["embed"].value == "yes"


def test_no_two_hosts_share_a_place_or_a_variable() -> None:
    places = Counter(origin_of(row["base_url"]["value"]) for row in ROWS.values())
    variables = Counter(each for row in ROWS.values() for each in row.get("key_env", {}).get("value", ()))
    assert [place for place, count in places.items() if count > 1] == []
    assert [variable for variable, count in variables.items() if count > 1] == []


def test_the_core_knows_whose_each_variable_is() -> None:
    of_hosts = {each: name for name, row in ROWS.items() for each in row.get("key_env", {}).get("value", ())}
    registry = Registry(PluginPolicy())
    of_backends = {
        part: record.name
        for record in registry.records()
        if RESERVED.get(record.name) == record.distribution
        for variable in registry.load(record.name).info.key_env
        for part in variable.split(":")
    }
    assert {**of_backends, **of_hosts} == KEYS


def test_at_least_25_hosts_have_url_key_and_three_further_cells_with_a_source() -> None:
    counted = [
        name
        for name, row in ROWS.items()
        if "base_url" in row
        and ("key_env" in row or "needs_key" in row)
        and len([what for what, _ in cells(row) if what not in {"base_url", "key_env"}]) >= 3
    ]
    assert len(counted) >= 25


def test_a_row_is_read_when_its_host_is_used_and_no_other() -> None:
    code = """
import sys
reads = []
sys.addaudithook(lambda event, args: reads.append(str(args[0])) if event == "open" else None)
from ipfs_accel import Client, Config
with Client(Config(environ={"MISTRAL_API_KEY": "sk-0"})) as client:
    assert "mistral" in client.endpoints() and len(client.hosts()) == 31
    assert "ipfs_accel_hosts" not in sys.modules
    client.capabilities("mistral")
print([each for each in reads if each.endswith(".json") and "rows" in each])
assert "tomllib" not in sys.modules and "cattrs" not in sys.modules
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    (path,) = json.loads(done.stdout.replace("'", '"'))
    assert path.endswith("mistral.json")


def test_there_is_no_row_of_another_name() -> None:
    for name in ("nobody", "__wrapped__", "lm-studio.json"):
        with pytest.raises(AttributeError, match=name):
            getattr(ipfs_accel_hosts, name)


def test_a_correction_of_the_user_goes_before_a_row() -> None:
    from ipfs_accel import EndpointConfig

    given = EndpointConfig(options={"refuses": [], "max_tokens_field": "max_completion_tokens"})
    with Client(Config(environ={"MISTRAL_API_KEY": "sk-0"}), endpoints={"mistral": given}) as client:
        client.capabilities("mistral")
        target = client._core.targets()["mistral"]
    options = target.endpoint.options
    assert (options.refuses, options.max_tokens_field, options.stream_usage) == ((), "max_completion_tokens", False)
    assert attrs.asdict(options)["reasoning_field"] == "content"
