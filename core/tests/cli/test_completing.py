from __future__ import annotations

import json
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from ipfs_accel._cli import front, main
from ipfs_accel._cli.completing import complete
from ipfs_accel._cli.completion import SHELLS
from ipfs_accel._config.paths import config_dir

from .conftest import Run

Complete = Callable[[str], set[str]]
FILE = {"file:"}
CONFIG = """\
[aliases]
fast = "studio/m"
[routes.safe]
targets = ["studio/m"]
[plugins]
deny = ["quiet"]
[endpoints.lab]
backend = "studio"
base_url = "http://gpu1:8000"
[endpoints.lab.models."own/model"]
context_window = 5
[endpoints.second]
backend = "studio"
"""
CATALOGUE = {
    "date": "2026-11-24",
    "families": {"old": {"retired": "2026-01-01"}, "seeing": {"features": {"vision": "yes"}}},
    "models": {
        "m:7b": {"family": "seeing", "features": {"tools": "yes"}},
        "m-large": {"retired": "2027-01-01"},
        "gone": {"family": "old"},
    },
}


@pytest.fixture
def completed(
    install: Callable[..., Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Complete:
    """Complete a line as the process does that a shell starts; plugins are installed that cannot be imported."""
    monkeypatch.setenv("IPFS_ACCEL_PLUGINS", "studio,quiet")
    for name in ("studio", "quiet"):
        site = install(name, "", module=f"acme_{name}")
        package = site / f"acme_{name}"
        package.mkdir()
        (package / "__init__.py").write_text("raise RuntimeError('imported')")
        (package / "catalogue.json").write_text(json.dumps(CATALOGUE))
    config = config_dir() / "config.toml"
    config.parent.mkdir(parents=True)
    config.write_text(CONFIG)
    monkeypatch.setenv(front.COMPLETE_VARIABLE, "bash")

    def completed(line: str) -> set[str]:
        *before, last = line.split(" ")
        monkeypatch.setattr(sys, "argv", ["ipfs-accel", *before, f"={last}"])
        with pytest.raises(SystemExit) as end:
            main()
        assert end.value.code == 0
        cells = [text.split("\t") for text in capsys.readouterr().out.splitlines()]
        return {cell[1] if cell[0] == "word" else f"{cell[0]}:{cell[1]}" for cell in cells}

    return completed


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("ch", {"chat"}),
        ("--color", {"--color"}),
        ("--quiet --config x mod", {"models", "moderate"}),
        ("keys ", {"set", "list", "remove", "path"}),
        ("keys set ", {"lab", "second", "studio"}),
        ("keys set lab ", set()),
        ("models lab s", {"second", "studio"}),
        ("chat --sch", {"--schema"}),
        ("chat --schema x --sch", set()),
        ("chat -a x --att", {"--attach"}),
        ("chat -- --sch", set()),
        ("chat -o", {"-o"}),
        ("chat ", set()),
        ("nonsense ", set()),
        ("chat --color ", {"auto", "always", "never"}),
        ("chat --color=a", {"--color=auto", "--color=always"}),
        ("request s", {"second", "studio"}),
        ("request studio p", {"POST", "PUT", "PATCH"}),
        # Models: aliases, routes and endpoints, and behind the slash what is known without a server.
        ("chat -m ", {"fast", "safe", "lab/", "second/", "studio/"}),
        ("chat --model=st", {"--model=studio/"}),
        ("chat -m studio/", {"studio/m:7b", "studio/m-large"}),
        ("chat -m second/m-", {"second/m-large"}),
        ("chat -m lab/", {"lab/own/model"}),
        ("chat -m quiet/", set()),
        ("chat -m absent/", set()),
        ("chat -m 'st", {"studio/"}),
        ("rm studio/m:7b studio/m-", {"studio/m-large"}),
        # Options of the call and their values.
        ("chat -o max_", {"max_tokens=", "max_rounds=", "max_seconds=", "max_cost="}),
        (
            "embed -o ",
            {f"{name}=" for name in ("cache", "dimensions", "on_unsupported", "priority", "timeout", "user")},
        ),
        ("chat -o priority=", {"priority=high", "priority=normal", "priority=low"}),
        ("chat -o cache=t", {"cache=true"}),
        ("chat -o temperature=", set()),
        ("find --feature ", {"tools", "vision"}),
        ("find --operation ch", {"chat"}),
        # Files, which the shell completes.
        ("chat -a pho", FILE),
        ("chat --attach=pho", {"file:--attach="}),
        ("chat --schema ", FILE),
        ("--config ", FILE),
        ("transcribe t", FILE),
        ("transcribe talk.mp3 ", set()),
        ("image -f ", FILE),
        ("objects put x", FILE),
        ("objects put x st", {"studio/"}),
        ("objects get studio/a/b ", FILE),
        ("request studio POST /x -d {", set()),
        ("request studio POST /x -d @bo", {"file:@"}),
        ("request studio POST /x -F files[]=@bo", {"file:files[]=@"}),
        ("plugin new acme --into ", {"folder:"}),
    ],
)
def test_what_may_follow(completed: Complete, line: str, expected: set[str]) -> None:
    assert completed(line) == expected


def test_another_configuration_and_one_that_is_wrong(completed: Complete, tmp_path: Path) -> None:
    other = tmp_path / "my config.toml"
    other.write_text('aliases = { slow = "studio/m" }')
    assert completed(f"--config={tmp_path}/none.toml chat -m ") == {"studio/", "quiet/"}
    assert {each[1] for each in complete(["--config", str(other), "chat", "-m"], "s")} == {"slow", "studio/"}
    other.write_text("aliases = ")
    assert {each[1] for each in complete(["chat", "--config", str(other), "-m"], "s")} == {"studio/"}
    other.write_text('aliases = "x"\nplugins = 3')
    assert {each[1] for each in complete(["chat", "--config", str(other), "-m"], "s")} == {"studio/"}


def test_a_meaning_stands_beside_what_has_one(completed: Complete) -> None:
    del completed  # it sets up what is installed
    assert complete([], "doc") == [("word", "doctor", front.COMMANDS["doctor"][1])]


FOREIGN = """
import click

@click.command()
@click.option("--port", type=click.Choice(["80", "443"]))
@click.argument("site", type=click.Path())
def serve(port, site):
    click.echo(f"serving {site} at {port}")
"""


def test_commands_of_other_distributions(completed: Complete, install: Callable[..., Path], run: Run) -> None:
    site = install("served", FOREIGN, distribution="acme-serve", module="acme_serve")
    points = site / "acme_serve-1.2.dist-info" / "entry_points.txt"
    points.write_text(
        "[ipfs_accel.commands]\nserve = acme_serve:serve\nchat = acme_serve:absent\nbroken = acme_serve:absent\nnone = acme_serve:click\n"
    )
    assert completed("serv") == {"serve"}
    assert complete([], "serv") == [("word", "serve", "From acme-serve.")]
    assert completed("serve --po") == {"--port"}
    assert completed("serve --port ") == {"80", "443"}
    assert completed("serve in") == FILE
    assert completed("chat --no-") == {"--no-stream"}
    assert run("serve", "--port", "80", "here").stdout == "serving here at 80\n"
    result = run("broken")
    assert (result.exit_code, result.stdout) == (3, "")
    assert "the command 'broken' of acme-serve cannot be loaded: AttributeError" in result.stderr
    assert "the command 'none' of acme-serve is a module, not a click command" in run("none").stderr
    assert "Of other distributions:\n" in run("--help").stdout
    assert "  serve         From acme-serve.\n" in run("--help").stdout


@pytest.mark.parametrize("shell", SHELLS)
def test_scripts(run: Run, shell: str) -> None:
    result = run("completion", shell)
    assert (result.exit_code, front.COMPLETE_VARIABLE in result.stdout) == (0, True)
    assert json.loads(run("completion", shell, "--json").stdout)["script"] == result.stdout.removesuffix("\n")
