"""`ipfs-accel serve keys` and `serve --check`, as somebody types them."""

from __future__ import annotations

import json
import os
import stat
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeAlias

import pytest
from click.testing import CliRunner, Result
from ipfs_accel._cli.app import app
from ipfs_accel.errors import ConfigError
from ipfs_accel_gateway import _keys_file, read_settings
from ipfs_accel_gateway._callers import hash_of

Run: TypeAlias = Callable[..., Result]


@pytest.fixture
def config(tmp_path: Path) -> Path:
    path = tmp_path / "config.toml"
    path.write_text("[gateway]\nkeys_file = 'keys.toml'\n[endpoints.up]\nbackend = 'openai'\nkey_env = ''\n")
    return path


@pytest.fixture
def run(config: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    monkeypatch.delenv("OPENAI_API_KEY", raising=False)
    monkeypatch.setenv("XDG_CONFIG_HOME", str(config.parent))

    def invoke(*arguments: str) -> Result:
        return CliRunner().invoke(app, ["serve", *arguments, "--config", str(config)])

    return invoke


def test_a_key_from_its_beginning_to_its_end(run: Run, config: Path) -> None:
    file = config.parent / "keys.toml"
    given = ("--models", "fast,local/*", "--expires", "2027-06-30", "--tokens-per-minute", "5000", "--concurrency", "3")
    made = run("keys", "new", "--owner", 'Alice "B"', *given)
    key = made.stdout.strip()
    assert made.exit_code == 0
    assert key.startswith("ia-")
    assert key not in made.stderr + file.read_text()
    if os.name == "posix":
        assert stat.S_IMODE(file.stat().st_mode) == 0o600

    alice = read_settings({"keys_file": str(file)}).keys["alice-b"]
    assert alice.hash == hash_of(key)
    assert (alice.owner, alice.models) == ('Alice "B"', ("fast", "local/*"))
    assert (alice.tokens_per_minute, alice.concurrency, alice.requests_per_minute) == (5000, 3, None)
    assert alice.expires is not None
    assert alice.expires.isoformat() == "2027-06-30T00:00:00+00:00"

    listed = run("keys", "list")
    assert 'alice-b  Alice "B"  fast, local/*; tokens per minute: 5000.0; concurrency: 3' in listed.stdout
    (row,) = json.loads(run("keys", "list", "--json").stdout)
    assert (row["name"], row["is_expired"], row["file"]) == ("alice-b", False, str(file))
    assert hash_of(key) not in listed.stdout + json.dumps(row)

    assert run("keys", "revoke", "alice-b").exit_code == 0
    assert read_settings({"keys_file": str(file)}).keys == {}
    again = run("keys", "revoke", "alice-b")
    assert again.exit_code == 3
    assert "there is no key of the name 'alice-b'" in again.stderr


def test_comments_and_other_keys_stay(tmp_path: Path) -> None:
    file = tmp_path / "keys.toml"
    before = "# ours\n[alice]\nhash = 'a'  # hers\nmodels = [\n  'x',\n]\n\n"
    after = "# of Bob [sic]\n[ bob ] # him\nhash = 'b'\n"
    file.write_text(before + after)
    _keys_file.add(file, "carol", {"owner": "C\x7f", "hash": "c", "models": None})
    assert file.read_text() == before + after + '\n[carol]\nowner = "C\\u007F"\nhash = "c"\n'
    _keys_file.remove(file, "alice")
    assert file.read_text().startswith("# ours\n" + after)
    _keys_file.remove(file, "carol")
    _keys_file.remove(file, "bob")
    assert "[" not in file.read_text().replace("[sic]", "")


@pytest.mark.parametrize(
    "text",
    ["bob.hash = 'b'\n", "bob = {hash = 'b'}\n", "[bob]\nowner = '''\n[alice]\n'''\n", "[bob.models]\nx = 1\n"],
    ids=["dotted", "inline", "lines", "below"],
)
def test_what_only_people_can_change_stays(tmp_path: Path, text: str) -> None:
    file = tmp_path / "keys.toml"
    file.write_text(text)
    with pytest.raises(ConfigError, match="bob does not stand in a table"):
        _keys_file.remove(file, "bob")
    assert file.read_text() == text


def test_what_a_link_leads_to_is_changed(tmp_path: Path) -> None:
    (tmp_path / "there").mkdir()
    file, link = tmp_path / "there" / "keys.toml", tmp_path / "keys.toml"
    link.symlink_to(file)
    _keys_file.add(link, "alice", {"hash": "a"})
    assert link.is_symlink()
    assert file.read_text() == '[alice]\nhash = "a"\n'


@pytest.mark.skipif(os.name != "posix", reason="files are not locked there")
def test_no_key_is_lost_when_many_are_made_at_once(tmp_path: Path) -> None:
    file = tmp_path / "keys.toml"
    names = [f"k{number}" for number in range(20)]
    threads = [threading.Thread(target=_keys_file.add, args=(file, name, {"hash": name})) for name in names]
    for each in threads:
        each.start()
    for each in threads:
        each.join()
    assert sorted(_keys_file._parsed(file.read_text())) == sorted(names)
    assert [each.name for each in tmp_path.iterdir()] == ["keys.toml"]


def test_a_file_that_cannot_be_read_is_left_alone(tmp_path: Path) -> None:
    file = tmp_path / "keys.toml"
    file.write_text("[alice\n")
    with pytest.raises(ConfigError, match="not valid TOML"):
        _keys_file.add(file, "bob", {"hash": "b"})
    assert file.read_text() == "[alice\n"


def test_without_a_file_the_lines_are_shown(run: Run, config: Path) -> None:
    config.write_text("[endpoints.up]\nbackend = 'openai'\nkey_env = ''\n")
    made = run("keys", "new", "--owner", "Alice")
    assert f'[gateway.keys.alice]\nowner = "Alice"\nhash = "{hash_of(made.stdout.strip())}"' in made.stderr
    revoked = run("keys", "revoke", "alice")
    assert revoked.exit_code == 3
    assert "gateway.keys_file" in revoked.stderr


def test_what_stands_in_the_configuration_is_changed_by_hand(run: Run, config: Path) -> None:
    config.write_text(config.read_text() + f'[gateway.keys.alice]\nhash = "{hash_of("a")}"\n')
    for arguments in (("revoke", "alice"), ("new", "--owner", "alice")):
        done = run("keys", *arguments)
        assert done.exit_code == 3
        assert "gateway.keys.alice" in done.stderr
    assert "config.toml:7" in run("keys", "revoke", "alice").stderr
    assert not (config.parent / "keys.toml").exists()


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("--owner", "!"), "--owner"),
        (("--owner", "a", "--name", "a b"), "--name"),
        (("--owner", "a", "--expires", "soon"), "soon"),
        (("--owner", "a", "--concurrency", "0"), "--concurrency"),
        (("--owner", "a", "--requests-per-minute", "-1"), "--requests-per-minute"),
    ],
    ids=["owner", "name", "date", "concurrency", "requests"],
)
def test_what_is_no_key_is_refused(run: Run, config: Path, arguments: tuple[str, ...], said: str) -> None:
    done = run("keys", "new", *arguments)
    assert done.exit_code in {2, 3}
    assert said in done.stderr
    assert not (config.parent / "keys.toml").exists()


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("alice = 5\n", "alice"),
        ("[alice]\nhash = 'x'\n", "alice: hash: expected"),
        ("[alice]\n", "alice: hash is missing"),
        ("[alice]\nbudget_of = 5\n", "alice: unknown setting budget_of"),
        (f"[alice]\nhash = '{hash_of('a')}'\n[bob]\nhash = '{hash_of('a')}'\n", "bob: it has the same hash as alice"),
        (f"[carol]\nhash = '{hash_of('a')}'\n", "carol: the configuration has a key of this name, too"),
    ],
    ids=["table", "hash", "missing", "unknown", "twice", "name"],
)
def test_a_file_that_is_wrong_is_named(tmp_path: Path, text: str, said: str) -> None:
    file = tmp_path / "keys.toml"
    file.write_text(text)
    with pytest.raises(ConfigError) as caught:
        read_settings({"keys_file": "keys.toml", "keys": {"carol": {"hash": hash_of("c")}}}, folder=tmp_path)
    assert str(caught.value).startswith(f"{file}: {said}")
    assert hash_of("a") not in str(caught.value)


def test_nobody_is_served_by_a_file_without_keys(tmp_path: Path) -> None:
    (tmp_path / "keys.toml").touch()
    settings = read_settings({"keys_file": "keys.toml", "host": "::"}, folder=tmp_path)
    assert settings.wants_keys


class TestCheck:
    def test_what_is_good(self, run: Run, config: Path) -> None:
        (config.parent / "keys.toml").touch()
        done = run("--check")
        assert done.exit_code == 0
        assert done.stdout == "would serve at 127.0.0.1 port 4242: up/…\nkeys: none yet\n"

    def test_what_is_left_of_all_that_is_configured(self, run: Run, config: Path) -> None:
        (config.parent / "keys.toml").touch()
        config.write_text(config.read_text().replace("[gateway]", "[gateway]\nmodels = ['up/small', 'up/b*']"))
        assert run("--check").stdout.startswith("would serve at 127.0.0.1 port 4242: up/small, up/b*\n")

    def test_all_that_is_wrong_is_said(self, run: Run, config: Path) -> None:
        config.write_text(
            "[endpoints.up]\nbackend = 'none'\n[endpoints.openai]\n[endpoints.far]\nbackend = 'openai'\n"
            "base_url = 'ftp://x'\n[aliases]\nfast = 'missing/m'\nslow = 'up/m'\n[routes.all]\ntargets = ['lost/m']\n"
        )
        done = run("--check")
        assert done.exit_code == 3
        faults = done.stderr.splitlines()
        assert [f"{config}:{line}: " in "\n".join(faults) for line in (2, 5, 8, 11)] == [True] * 4
        assert [each.startswith("error: ") for each in faults].count(True) == 5
        assert [each.startswith("hint: ") for each in faults].count(True) >= 3
        assert "aliases.slow" not in done.stderr  # what is wrong with it is said of its endpoint
        told = json.loads(run("--check", "--json").stdout)
        assert len(told["faults"]) == 5

    def test_a_key_that_is_missing(self, run: Run, config: Path) -> None:
        config.write_text("[endpoints.openai]\n")
        done = run("--check")
        assert done.exit_code == 4
        assert "endpoints.openai: endpoint 'openai' needs a key" in done.stderr
        assert "ipfs-accel keys set openai" in done.stderr

    @pytest.mark.parametrize(
        ("text", "said"),
        [("[gateway\n", "not valid TOML"), ("[gateway]\n\nport = 'x'\n", "config.toml:3: gateway.port: expected")],
        ids=["toml", "type"],
    )
    def test_what_cannot_be_read(self, run: Run, config: Path, text: str, said: str) -> None:
        config.write_text(text)
        done = run("--check")
        assert done.exit_code == 3
        assert said in done.stderr


def test_help_shows_all(run: Run) -> None:
    shown: Any = run("keys", "--help").stdout
    assert [name for name in ("list", "new", "revoke") if name in shown] == ["list", "new", "revoke"]
