from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from ipfs_accel import Secret
from ipfs_accel._config.keys import KeyFile
from ipfs_accel._plugins.names import RESERVED
from ipfs_accel.installing import reinstall_command, upgrade_command
from pytest_httpserver import HTTPServer

from .conftest import Run

Install = Callable[..., Path]


def test_a_sound_installation(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("STUDIO_API_KEY", "sk-canary-env")
    monkeypatch.setenv("https_proxy", "http://me:canary@proxy:1")
    monkeypatch.setenv("IPFS_ACCEL_LAB_API_KEY", "sk-canary-lab")
    KeyFile.default().set("old", Secret("sk-canary-file"), "http://x")
    result = run("doctor")
    assert result.exit_code == 0, result.stdout
    lines = [" ".join(line.split()) for line in result.stdout.splitlines()]
    assert lines[0].startswith("ipfs-accel ")
    assert "environment https_proxy=http://***@proxy:1" in lines
    assert "environment IPFS_ACCEL_LAB_API_KEY=set" in lines
    assert "endpoint studio (studio) http://127.0.0.1:9 (default) key set (STUDIO_API_KEY)" in lines
    assert any(line.startswith("keys ") and line.endswith("keys.json (old)") for line in lines)
    assert lines[-1] == "problems none"
    assert "canary" not in result.output


def test_each_kind_of_trouble_is_told(run: Run, install: Install, tmp_path: Path) -> None:
    install("studio", "raise RuntimeError('bad day')", distribution="acme-studio")
    config = tmp_path / "config.toml"
    config.write_text('[endpoints.lab]\nbackend = "nowhere"\n')
    result = run("doctor", "--json", "--config", str(config), plugins=[])
    assert result.exit_code == 1
    report = json.loads(result.stdout)
    plugin = next(each for each in report["plugins"] if each["name"] == "studio")
    assert (plugin["state"], plugin["reason"]) == ("broken", "RuntimeError: bad day")
    assert [each["message"] for each in report["problems"]] == [
        "plugin studio: RuntimeError: bad day",
        "endpoint lab: no installed plugin provides a backend 'nowhere'",
    ]
    assert report["problems"][0]["hint"].startswith(f"run: {upgrade_command('acme-studio')}; or leave it out")


@pytest.mark.parametrize("others", [(), ("ipfs-accel-ours",)])
def test_a_stranger_that_registers_a_name_of_ours_is_named(
    others: tuple[str, ...], run: Run, install: Install, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setitem(RESERVED, "ours", "ipfs-accel-ours")
    monkeypatch.setenv("IPFS_ACCEL_PLUGINS", "ours")
    for distribution in (*others, "stranger-ours"):
        install("ours", distribution=distribution)
    result = run("doctor", "--json", plugins=[])
    assert result.exit_code == 1
    report = json.loads(result.stdout)
    states = {each["distribution"]: each["state"] for each in report["plugins"] if each["name"] == "ours"}
    assert states == dict.fromkeys(others, "loaded") | {"stranger-ours": "blocked"}
    reserved = "the name 'ours' is reserved for the distribution ipfs-accel-ours"
    assert report["problems"] == [
        {
            "message": f"plugin ours: the distribution stranger-ours registers it and is not used: {reserved}",
            "hint": "uninstall stranger-ours, or name it in deny of [plugins]",
        }
    ]
    shown = [" ".join(line.split()) for line in run("doctor", plugins=[]).stdout.splitlines()]
    assert any(line.startswith("plugin ours (stranger-ours 1.2) blocked from ") for line in shown)
    assert f"problem {report['problems'][0]['message']}" in shown
    listed = json.loads(run("backends", "--json", plugins=[]).stdout)["backends"]
    assert [each["distribution"] for each in listed if each["name"] == "ours"] == [*others, "stranger-ours"]
    (tmp_path / "config.toml").write_text('[plugins]\ndeny = ["stranger-ours"]\n')
    assert run("doctor", "--config", str(tmp_path / "config.toml"), plugins=[]).exit_code == 0


def test_middleware_is_loaded_and_what_is_wrong_with_it_is_no_backends_fault(run: Run, tmp_path: Path) -> None:
    config = tmp_path / "config.toml"
    config.write_text(
        '[plugins]\nmiddleware = ["redaction", "budget"]\n[plugins.options.redaction]\ntrusted = ["studio"]\n'
    )
    result = run("doctor", "--config", str(config))
    assert result.exit_code == 1
    lines = [" ".join(line.split()) for line in result.stdout.splitlines()]
    (fine,) = [line for line in lines if line.startswith("middleware redaction (ipfs-accel-redaction 0.1.0) loaded")]
    assert "_redaction/__init__.py" in fine
    assert "problem middleware budget: plugins.options.budget: a budget needs a limit: usd or tokens" in lines
    assert "hint: every call fails until it loads; IPFS_ACCEL_DISABLE_PLUGINS=budget leaves it out" in lines
    assert any(line.startswith("plugin studio loaded") for line in lines)
    assert [line for line in lines if line.startswith("problem ")] == [lines[-2]]
    shown = run("config", "show", "--config", str(config)).stdout
    assert f"plugins.options.redaction.trusted\tstudio\t{config}:4" in shown


def test_a_broken_configuration_hides_nothing_else(run: Run, tmp_path: Path) -> None:
    config = tmp_path / "config.toml"
    config.write_text("][")
    result = run("doctor", "--config", str(config))
    assert result.exit_code == 1
    assert "problem       " in result.stdout
    assert "not valid TOML" in result.stdout
    assert "studio" in result.stdout


def test_a_key_file_that_others_may_read_is_a_problem(run: Run) -> None:
    KeyFile.default().set("studio", Secret("sk-canary-file"), "http://x")
    KeyFile.default().path.chmod(0o644)
    result = run("doctor", "--json")
    assert result.exit_code == 1
    assert "other users may read this key file" in json.loads(result.stdout)["problems"][0]["message"]


def _record(site: Path, name: str, digest: str) -> None:
    (site / "acme_studio-1.2.dist-info" / "RECORD").write_text(f"{name},sha256={digest},9\n")


def _digest(text: str) -> str:
    return base64.urlsafe_b64encode(hashlib.sha256(text.encode()).digest()).rstrip(b"=").decode()


def test_files_are_compared_with_the_record(run: Run, install: Install) -> None:
    site = install("studio")
    file = site / "plugin_acme_studio.py"
    _record(site, file.name, _digest(file.read_text()))
    result = run("doctor", "--json", plugins=[])
    assert result.exit_code == 0, result.stdout
    report = json.loads(result.stdout)
    plugin = next(each for each in report["plugins"] if each["name"] == "studio")
    assert (plugin["distribution"], plugin["version"], plugin["file"]) == ("acme-studio", "1.2", str(file))
    digest = f"sha256:{hashlib.sha256(file.read_bytes()).hexdigest()}"
    same = {"path": file.name, "recorded": digest, "actual": digest, "state": "same"}
    found = next(each for each in report["distributions"] if each["name"] == "acme-studio")
    assert (found["files"], found["altered"], found["recorded"]) == ([same], 0, True)
    assert digest not in run("doctor", plugins=[]).stdout
    assert f"{digest} {file.name}\n" in run("doctor", "--hashes", plugins=[]).stdout


def test_files_that_were_altered_are_a_problem(run: Run, install: Install) -> None:
    site = install("studio")
    file = site / "plugin_acme_studio.py"
    recorded = _digest(file.read_text())
    file.write_text(file.read_text() + "\n# altered\n")
    _record(site, file.name, recorded)
    result = run("doctor", plugins=[])
    assert result.exit_code == 1
    shown = [" ".join(line.split()) for line in result.stdout.splitlines()]
    assert "files acme-studio 1.2: 1 files, 1 not as recorded" in shown
    actual = hashlib.sha256(file.read_bytes()).hexdigest()
    assert any(line.startswith(f"file sha256:{actual} {file.name} (changed, recorded sha256:") for line in shown)
    assert shown[-2:] == [
        f"problem distribution acme-studio: not as it was installed: {file.name} (changed)",
        f"hint: run: {reinstall_command('acme-studio', '1.2')}",
    ]


def test_code_that_was_added_or_taken_away_is_a_problem(run: Run, install: Install) -> None:
    site = install("studio")
    package = site / "plugin_acme_studio"
    package.mkdir()
    code = (site / "plugin_acme_studio.py").rename(package / "__init__.py").read_text()
    names = [f"{package.name}/__init__.py", f"{package.name}/gone.py", "../../bin/studio"]
    lines = [f"{name},sha256={_digest(code)},9\n" for name in names]
    (site / "acme_studio-1.2.dist-info" / "RECORD").write_text("".join(lines))
    (package / "added.py").touch()
    (package / "cache.txt").touch()
    report = json.loads(run("doctor", "--json", plugins=[]).stdout)
    found = next(each for each in report["distributions"] if each["name"] == "acme-studio")
    states = {Path(each["path"]).name: each["state"] for each in found["files"]}
    assert states == {
        "__init__.py": "same",
        "added.py": "unrecorded",
        "cache.txt": "unrecorded",
        "gone.py": "missing",
        "studio": "missing",
    }
    assert found["altered"] == 2
    assert "gone.py (missing)" in report["problems"][0]["message"]
    assert "added.py (unrecorded)" in report["problems"][0]["message"]


def test_a_source_tree_has_no_record_to_differ_from(run: Run, install: Install) -> None:
    site = install("studio")
    info = site / "acme_studio-1.2.dist-info"
    (info / "RECORD").write_text("acme_studio-1.2.dist-info/METADATA,,\n")
    (info / "direct_url.json").write_text('{"url": "file:///src", "dir_info": {"editable": true}}')
    result = run("doctor", plugins=[])
    assert result.exit_code == 0, result.stdout
    assert "files         acme-studio 1.2: 1 files, run from a source tree" in result.stdout


def test_the_report_is_as_its_schema_says(run: Run, httpserver: HTTPServer, tmp_path: Path) -> None:
    schema = json.loads(run("doctor", "--schema").stdout)
    config = tmp_path / "config.toml"
    config.write_text(
        f'[endpoints.lab]\nbackend = "nowhere"\n[endpoints.studio]\nbase_url = "{httpserver.url_for("")}"\n'
    )
    report = json.loads(run("doctor", "--json", "--reach", "--config", str(config)).stdout)
    assert [each["reach"] is None for each in report["endpoints"]] == [True, False]
    conforms(report, schema, "report")
    with pytest.raises(AssertionError):
        conforms(report | {"problems": "many"}, schema, "report")


def conforms(value: Any, schema: dict[str, Any], where: str) -> None:
    """Check the part of JSON Schema that the schema uses, and that it describes every property."""
    kinds = {"string": str, "boolean": bool, "integer": int, "number": (int, float), "array": list, "object": dict}
    if "enum" in schema:
        assert value in schema["enum"], where
        return
    types = [schema["type"]] if isinstance(schema["type"], str) else schema["type"]
    if value is None:
        assert "null" in types, where
        return
    assert isinstance(value, tuple(kinds[each] for each in types if each != "null")), where
    if isinstance(value, dict):
        named = schema.get("properties", {})
        rest = schema["additionalProperties"]
        assert set(schema.get("required", ())) <= set(value), where
        assert not named or set(value) == set(named), where
        for name, item in value.items():
            conforms(item, named.get(name, rest), f"{where}.{name}")
    elif isinstance(value, list):
        for item in value:
            conforms(item, schema["items"], f"{where}[]")


def test_only_what_is_set_up_is_asked(run: Run, httpserver: HTTPServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("STUDIO_API_KEY", "sk-canary-env")
    assert run("doctor").exit_code == 0
    assert httpserver.log == []
    result = run("doctor", "--reach")
    assert result.exit_code == 0, result.stdout
    assert [request.headers.get("authorization") for request, _ in httpserver.log] == [None]
    line = next(line for line in result.stdout.splitlines() if line.startswith("reach "))
    assert line.split()[1:4] == ["studio", "HTTP", "500"]
    monkeypatch.delenv("STUDIO_BASE_URL")
    monkeypatch.delenv("STUDIO_API_KEY")
    nothing = run("doctor", "--reach")
    assert "reach " not in nothing.stdout
    assert nothing.stderr == "no server was asked: no endpoint has a key or a setting\n"


def test_a_server_that_is_down_is_a_problem_with_a_hint(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("STUDIO_BASE_URL", "http://127.0.0.1:9/v1")
    result = run("doctor", "--reach")
    assert result.exit_code == 1
    shown = [" ".join(line.split()) for line in result.stdout.splitlines()]
    assert shown[-3:] == [
        "reach studio not reached",
        "problem endpoint studio: could not connect to 127.0.0.1:9: connection refused",
        "hint: check that the server runs and the endpoint's base_url",
    ]


@pytest.mark.parametrize("command", ["doctor", "health", "capabilities", "config show"])
@pytest.mark.parametrize("bad", ["http://me:canary@127.0.0.1:9", "http://[bad", "me:canary@studio"])
def test_one_address_that_is_none_hides_no_other_endpoint(
    command: str, bad: str, run: Run, httpserver: HTTPServer, tmp_path: Path
) -> None:
    file = tmp_path / "config.toml"
    file.write_text(f'[endpoints.lab]\nbackend = "studio"\nbase_url = "{bad}"\n')
    result = run("--config", str(file), *command.split())
    assert "studio" in result.stdout
    assert "lab" in result.output
    assert "canary" not in result.output
    assert result.exception is None or isinstance(result.exception, SystemExit)
