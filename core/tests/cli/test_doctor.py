from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from ipfs_accel import Secret
from ipfs_accel._keys import KeyFile

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
    assert report["problems"] == [
        "plugin studio: RuntimeError: bad day",
        "endpoint lab: no installed plugin provides a backend 'nowhere'",
    ]


def test_a_broken_configuration_hides_nothing_else(run: Run, tmp_path: Path) -> None:
    config = tmp_path / "config.toml"
    config.write_text("][")
    result = run("doctor", "--config", str(config))
    assert result.exit_code == 1
    assert "not valid TOML" in result.stdout
    assert "studio" in result.stdout


def test_a_key_file_that_others_may_read_is_a_problem(run: Run) -> None:
    KeyFile.default().set("studio", Secret("sk-canary-file"), "http://x")
    KeyFile.default().path.chmod(0o644)
    result = run("doctor", "--json")
    assert result.exit_code == 1
    assert "other users may read this key file" in json.loads(result.stdout)["problems"][0]
