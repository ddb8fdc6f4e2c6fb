from __future__ import annotations

import json
import os
from pathlib import Path

import pytest
from ipfs_accel._cli.app import app
from ipfs_accel._cli.command import Command, State
from ipfs_accel._cli.front import COMMANDS
from ipfs_accel._cli.output import use_color

from .conftest import Run

PATHS = [
    *[(name,) for name in COMMANDS],
    *[("keys", name) for name in ("set", "list", "remove", "path")],
    *[("config", name) for name in ("show", "edit", "path")],
]


@pytest.mark.parametrize("path", [(), *PATHS], ids=" ".join)
def test_every_command_has_help_with_examples_and_the_shared_options(run: Run, path: tuple[str, ...]) -> None:
    result = run(*path, "-h")
    assert (result.exit_code, result.stderr) == (0, "")
    for text in ("Examples:\n  ", "--json", "--color", "--debug", "--config", "--quiet", "--help"):
        assert text in result.stdout
    assert max(map(len, result.stdout.splitlines())) <= 120
    assert run(*path, "--help").stdout == result.stdout


def test_the_list_of_commands_tells_what_they_are(run: Run) -> None:
    text = run("--help").stdout
    for name, (_module, summary) in COMMANDS.items():
        assert f"  {name:12}  {summary}\n" in text
    for code in (0, 1, 2, 3, 4, 5, 6, 7, 8, 130):
        assert f"\n  {code:3}  " in text


def test_what_the_table_says_is_what_the_command_says() -> None:
    for name, (_module, summary) in COMMANDS.items():
        command = app.get_command(None, name)  # type: ignore[arg-type]
        assert command is not None
        assert command.get_short_help_str(200) == summary
        assert isinstance(command, Command) or name in {
            "keys",
            "config",
            "files",
            "batch",
            "batches",
            "objects",
            "plugin",
        }


def test_without_a_command_the_help_is_shown(run: Run) -> None:
    result = run()
    assert (result.exit_code, result.stdout) == (2, "")
    assert "Usage: ipfs-accel" in result.stderr


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("chta",), "error: there is no command 'chta'\nhint: did you mean 'chat'?\n"),
        (("xyzzy",), "error: there is no command 'xyzzy'\nhint: run: ipfs-accel --help\n"),
        (("keys", "lst"), "error: there is no command 'lst'\nhint: did you mean 'list' or 'set'?\n"),
        (("--jsno", "backends"), "error: there is no option '--jsno'\nhint: did you mean --json"),
        (
            ("chat", "--temperature", "0"),
            "error: there is no option '--temperature'\nhint: options of the call are given with -o: -o temperature=…\n",
        ),
        (
            ("chat", "--max-tokens=5"),
            "error: there is no option '--max-tokens'\nhint: options of the call are given with -o: -o max_tokens=…\n",
        ),
        (
            ("embed", "--temperature", "0"),
            "error: there is no option '--temperature'\nhint: run: ipfs-accel embed --help\n",
        ),
        (("completion", "tcsh"), "error: invalid value for '{bash|zsh|fish|powershell}': 'tcsh' is not one of"),
        (("backends", "--color", "red"), "error: invalid value for '--color': 'red' is not one of"),
        (("backends", "x"), "error: got unexpected extra argument"),
    ],
)
def test_wrong_usage(run: Run, arguments: tuple[str, ...], message: str) -> None:
    result = run(*arguments)
    assert (result.exit_code, result.stdout) == (2, "")
    assert result.stderr.startswith(message)


def test_shared_options_stand_before_or_after_the_command(run: Run) -> None:
    assert json.loads(run("--json", "backends").stdout) == json.loads(run("backends", "--json").stdout)
    error = json.loads(run("--json", "chat").stderr)["error"]
    assert (error["type"], error["exit_code"]) == ("InvalidRequestError", 2)
    assert json.loads(run("chat", "--json", "--nonsense").stderr)["error"]["exit_code"] == 2


@pytest.mark.parametrize(
    ("color", "environ", "expected"),
    [
        ("auto", {}, False),
        ("always", {"NO_COLOR": "1"}, True),
        ("never", {"FORCE_COLOR": "1"}, False),
        ("auto", {"FORCE_COLOR": "1"}, True),
        ("auto", {"FORCE_COLOR": "0"}, False),
        ("auto", {"NO_COLOR": "1", "FORCE_COLOR": "1"}, False),
    ],
)
def test_when_to_colour(color: str, environ: dict[str, str], expected: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in environ.items():
        monkeypatch.setenv(name, value)
    state = State()
    state.color = color
    assert use_color(state) is expected


def test_colour_is_only_decoration(run: Run) -> None:
    plain = run("chat", "-m", "studio/m")
    coloured = run("chat", "-m", "studio/m", "--color", "always")
    assert "\x1b[" not in plain.stderr
    assert "\x1b[" in coloured.stderr


def test_the_manual_page(run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    page = run("man").stdout
    assert page.startswith(".TH IPFS\\-ACCEL 1 ")
    assert json.loads(run("man", "--json").stdout) == {"page": page}
    viewer = tmp_path / "man"
    viewer.write_text('#!/bin/sh\ncp "$1" "$0.seen"\nexit 3\n')
    viewer.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    monkeypatch.setattr("ipfs_accel._cli.man.is_terminal", lambda: True)
    result = run("man")
    assert (result.exit_code, result.stdout, (tmp_path / "man.seen").read_text()) == (3, "", page)
