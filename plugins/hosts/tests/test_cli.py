"""Hosts on the command line: there, and in nobody's way."""

from __future__ import annotations

import json
from collections.abc import Callable

import pytest
from click.testing import CliRunner, Result
from ipfs_accel._cli.app import app
from ipfs_accel._cli.command import State
from ipfs_accel._cli.completing import complete

from .test_rows import ROWS

Run = Callable[..., Result]


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch) -> Run:
    """Run a command where `openai` and the hosts alone may load, and the key of one host is set."""
    monkeypatch.setattr("ipfs_accel._cli.inspect.LOAD_SECONDS", 60.0)
    monkeypatch.setenv("IPFS_ACCEL_PLUGINS", "openai,ipfs-accel-hosts")
    for row in ROWS.values():
        for variable in row.get("key_env", {}).get("value", ()):
            monkeypatch.delenv(variable, raising=False)
    monkeypatch.setenv("DEEPSEEK_API_KEY", "sk-deepseek-0")
    return lambda *arguments: CliRunner().invoke(app, arguments, obj=State(()))


def test_backends_shows_the_hosts_that_are_set_up_and_names_the_others_in_a_line(run: Run) -> None:
    result = run("backends")
    rows = [line.split("\t")[:2] for line in result.stdout.splitlines()]
    assert [row for row in rows if row[1] != "blocked"] == [["openai", "available"], ["deepseek", "available"]]
    assert not {name for name, _ in rows} & (set(ROWS) - {"deepseek"})
    (line,) = [line for line in result.stderr.splitlines() if "hosts" in line]
    assert set(line.partition(": ")[2].split(", ")) == set(ROWS) - {"deepseek"}
    document = json.loads(run("backends", "--json").stdout)
    assert {each["name"]: each["state"] for each in document["hosts"]} == dict.fromkeys(ROWS, "available")


def test_hosts_that_may_not_load_are_in_nobodys_way(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("IPFS_ACCEL_PLUGINS", "openai")
    result = run("backends")
    assert not {line.split("\t")[0] for line in result.stdout.splitlines()} & set(ROWS)
    assert "hosts" not in result.stderr


def test_the_doctor_shows_them_in_a_line(run: Run) -> None:
    result = run("doctor")
    assert result.exit_code == 0, result.output
    lines = [line for line in result.stdout.splitlines() if line.startswith(("hosts", "host "))]
    assert lines == ["hosts         31 known, set up: deepseek"]
    (line,) = [line for line in result.stdout.splitlines() if line.startswith("endpoint      deepseek")]
    assert line.endswith("https://api.deepseek.com (default) key set (DEEPSEEK_API_KEY)")
    report = json.loads(run("doctor", "--json").stdout)
    schema = json.loads(run("doctor", "--schema").stdout)
    wanted = schema["properties"]["hosts"]["items"]["required"]
    assert len(report["hosts"]) == len(ROWS)
    for each in report["hosts"]:
        assert set(wanted) <= set(each)
        assert each["set_up"] is (each["name"] == "deepseek")
    assert "ipfs-accel-hosts" in [each["name"] for each in report["distributions"]]


def test_settings_of_a_host_say_that_they_are_its_own(run: Run) -> None:
    settings = json.loads(run("config", "show", "--json").stdout)["settings"]
    said = {name: (each["value"], each["source"]) for name, each in settings.items() if "deepseek" in name}
    assert said["endpoints.deepseek.key"] == ("set", "DEEPSEEK_API_KEY")
    assert said["endpoints.deepseek.options.refuses"] == ("top_k, seed", "the host deepseek")
    assert said["endpoints.deepseek.options.max_tokens_field"] == ("max_tokens", "the host deepseek")
    assert not [name for name in settings if name.startswith("endpoints.mistral")]


def test_capabilities_of_a_host_can_be_asked_for_by_its_name(run: Run) -> None:
    told = json.loads(run("capabilities", "--json", "mistral").stdout)["capabilities"]["mistral"]
    assert told["operations"]["complete"]["value"] == "no"
    assert told["operations"]["embed"]["value"] == "yes"
    everything = json.loads(run("capabilities", "--json").stdout)["capabilities"]
    assert set(everything) == {"deepseek", "openai"}


@pytest.mark.usefixtures("run")
def test_shells_complete_their_names() -> None:
    assert {each[1] for each in complete(["models"], "deep")} == {"deepinfra", "deepseek"}


def test_a_key_is_stored_for_the_place_of_the_host(run: Run) -> None:
    result = CliRunner().invoke(app, ["keys", "set", "xai", "--json"], input="sk-xai-0123456789\n", obj=State(()))
    assert json.loads(result.stdout)["origin"] == "https://api.x.ai"
    assert run("backends").stdout.count("xai\tavailable") == 1
