from __future__ import annotations

import json
import stat
from pathlib import Path

import pytest
from ipfs_accel._config.keys import KeyFile

from .conftest import Run

KEY = "sk-canary-0123456789"


def _stored(name: str) -> tuple[str, str] | None:
    stored = KeyFile.default().get(name)
    return (stored.key.reveal(), stored.origin) if stored else None


@pytest.mark.parametrize("flags", [(), ("--stdin",)])
def test_a_key_is_piped_in_and_bound_to_where_the_endpoint_points(run: Run, flags: tuple[str, ...]) -> None:
    result = run("keys", "set", "studio", *flags, input=f"{KEY}\n")
    path = KeyFile.default().path
    assert (result.exit_code, result.stdout) == (0, "")
    assert result.stderr == f"stored the key of studio for http://127.0.0.1:9 in {path}\n"
    assert _stored("studio") == (KEY, "http://127.0.0.1:9")
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_a_key_of_an_endpoint_that_another_key_does_not_belong_to(
    run: Run, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("STUDIO_API_KEY", "sk-canary-elsewhere")
    config = tmp_path / "config.toml"
    config.write_text('[endpoints.lab]\nbackend = "studio"\nbase_url = "http://gpu1:8000/v1"\n')
    result = run("keys", "set", "lab", "--config", str(config), "--json", input=KEY)
    assert result.exit_code == 0, result.stderr
    assert json.loads(result.stdout) == {
        "name": "lab",
        "origin": "http://gpu1:8000",
        "path": str(KeyFile.default().path),
    }
    assert _stored("lab") == (KEY, "http://gpu1:8000")


def test_the_place_of_a_key_can_be_named(run: Run) -> None:
    assert run("keys", "set", "later", "--origin", "https://x.example/v1", input=KEY).exit_code == 0
    assert _stored("later") == (KEY, "https://x.example")
    assert run("keys", "set", "later", "--origin", "x.example", input=KEY).exit_code == 2
    unknown = run("keys", "set", "later", input=KEY)
    assert unknown.exit_code == 3
    assert unknown.stderr.endswith("; or name the place that the key is for: --origin URL\n")


@pytest.mark.parametrize(
    "arguments",
    [
        ("studio", KEY),
        ("studio", f"--key={KEY}"),
        ("studio", "--key", KEY),
        ("studio", "--debug", KEY),
        ("--json", "studio", KEY),
    ],
)
def test_a_key_as_argument_is_refused_and_not_repeated(run: Run, arguments: tuple[str, ...]) -> None:
    result = run("keys", "set", *arguments)
    assert result.exit_code == 2
    assert "canary" not in result.output
    assert _stored("studio") is None


@pytest.mark.parametrize(("given", "code"), [("", 2), ("\n", 2), ("two words\x07", 3)])
def test_what_is_no_key(run: Run, given: str, code: int) -> None:
    result = run("keys", "set", "studio", input=given)
    assert (result.exit_code, result.stdout) == (code, "")
    assert _stored("studio") is None


def test_list_remove_and_path(run: Run) -> None:
    assert run("keys", "list").stderr == f"no keys are stored in {KeyFile.default().path}\n"
    run("keys", "set", "studio", input=KEY)
    assert run("keys", "list").stdout == "studio\thttp://127.0.0.1:9\n"
    document = json.loads(run("keys", "list", "--json").stdout)
    assert document == {"keys": [{"name": "studio", "origin": "http://127.0.0.1:9"}]}
    slip = run("keys", "remove", "studoi")
    assert (slip.exit_code, slip.stderr.splitlines()[1]) == (3, "hint: did you mean 'studio'?")
    assert run("keys", "remove", "studio").stderr == "removed the key of studio\n"
    assert _stored("studio") is None
    assert run("keys", "path").stdout == f"{KeyFile.default().path}\n"


def test_a_key_file_that_others_may_read(run: Run) -> None:
    run("keys", "set", "studio", input=KEY)
    KeyFile.default().path.chmod(0o644)
    result = run("keys", "list")
    assert (result.exit_code, "chmod 600" in result.stderr) == (3, True)
